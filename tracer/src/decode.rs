//! Calls into events: which driver is behind the file, and what the request means there.

use std::{borrow::Cow, sync::Arc};

use ioctl_registry::{
    Arch, DeviceKind, Lookup, Member, Memory, Named, Registry, Taken, Value, Watch, When,
    windows::{Buffer, Buffers, ControlCode, Method, Side},
};

use crate::{
    event::{self, Call, Control, Device, Event, File},
    host::Host,
    housekeeping::is_housekeeping,
    memory::Image,
    process::NsIds,
    redact::{self, Redaction},
    stack::Frame,
    symbols::Symbol,
};

/// How much to find out about each device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only what is needed to tell requests of one number apart.
    AsNeeded,
    /// Everything, for outputs that show it.
    Full,
}

/// Gives calls their meaning. Everything is found out once per file and then shared.
pub struct Decoder {
    registry: &'static Registry,
    detail: Detail,
    host: Box<dyn Host>,
    /// The architecture of native calls.
    arch: Arch,
    /// Whether processes are numbered as in their own namespaces too.
    translates: bool,
}

impl Decoder {
    /// With a registry and the machine that is traced.
    #[must_use]
    pub fn new(registry: &'static Registry, detail: Detail, host: Box<dyn Host>) -> Self {
        Self { registry, detail, host, arch: Arch::native(), translates: false }
    }

    /// For calls of a machine with these native calls.
    #[must_use]
    pub fn of(self, arch: Arch) -> Self {
        Self { arch, ..self }
    }

    /// Which also says how processes are numbered in their own namespaces, if that is wanted.
    #[must_use]
    pub fn translating(self, translates: bool) -> Self {
        Self { translates, ..self }
    }

    /// What the requests' numbers mean.
    #[must_use]
    pub const fn registry(&self) -> &'static Registry {
        self.registry
    }

    /// The architecture of native calls.
    #[must_use]
    pub const fn arch(&self) -> Arch {
        self.arch
    }

    /// The machine that is traced.
    pub fn host(&mut self) -> &mut dyn Host {
        self.host.as_mut()
    }

    /// Decodes one call.
    pub fn call(&mut self, mut call: Call) -> Event {
        if call.control.is_some() {
            let housekeeping = is_housekeeping(&call);
            if let Some(control) = &mut call.control {
                control.housekeeping = housekeeping;
            }
            let request = self.registry.lookup(call.request, call.arch(), &ioctl_registry::Device::default());
            return Event { call, request };
        }
        let request = match call.target.file() {
            Some(file) => self.request(call.request, call.arch(), file),
            None => self.registry.lookup(call.request, call.arch(), &ioctl_registry::Device::default()),
        };
        Event { call, request }
    }

    /// What a number means on a file. The kernel's symbols are read only when they can decide something.
    pub fn request(&mut self, number: u32, arch: Arch, file: &File) -> Lookup<'static> {
        if self.detail == Detail::Full || file.device.get().is_some() {
            return self.registry.lookup(number, arch, &hint(file, self.device(file)));
        }
        let kind_only = Device { kind: file.kind, ..Device::default() };
        match self.registry.lookup(number, arch, &hint(file, &kind_only)) {
            Lookup::Ambiguous(_) | Lookup::Resized(..) => {
                self.registry.lookup(number, arch, &hint(file, self.device(file)))
            }
            decided => decided,
        }
    }

    /// What a number means that was counted without telling through which system call table it came: what it is
    /// natively, or else what it is to 32-bit programs.
    pub fn counted_request(&mut self, number: u32, file: &File) -> Lookup<'static> {
        let native = self.request(number, event::arch_of(self.arch, false), file);
        if native.named().is_empty() {
            let compat = self.request(number, event::arch_of(self.arch, true), file);
            if !compat.named().is_empty() {
                return compat;
            }
        }
        native
    }

    /// What a number means that was counted for something that is no open file.
    #[must_use]
    pub fn without_file(&self, number: u32) -> Lookup<'static> {
        self.registry.lookup(number, self.arch, &ioctl_registry::Device::default())
    }

    /// The argument of a call: what the program handed over, and what it got back. Each is `None` where there is nothing
    /// to show.
    #[must_use]
    pub fn arguments(&self, event: &Event) -> (Option<Value>, Option<Value>) {
        let data = &event.call.data;
        if data.redaction == Redaction::All {
            return (None, None);
        }
        let (input, output) = (&data.input, &data.output);
        if !input.has_blanks() && !output.has_blanks() {
            return self.read(event, &[[input, output]]);
        }
        // What was left out could have been anything: what is the same with either is not of it.
        let filled = [0, u8::MAX].map(|byte| [input.with(byte), output.with(byte)]);
        self.read(event, &filled.each_ref().map(<[Image; 2]>::each_ref))
    }

    /// Tells what the bytes of a call's memory are taken for, whichever way they are shown.
    pub fn watch(&self, event: &Event, watch: &dyn Watch) {
        let (input, output) = (&event.call.data.input, &event.call.data.output);
        if let Some(control) = &event.call.control {
            self.buffers(event, control, [input, output], Some(watch));
            return;
        }
        let [given, returned] = [input, output].map(|image| Watched { image, watch });
        for named in event.request.named() {
            let decode = self.argument(&event.call, named);
            decode(&given, When::Before);
            if !output.is_empty() {
                decode(&returned, When::After(Some(&given)));
            }
        }
        // What a failed call changed is told by what lay there before, which is nobody's text where it is a number.
        let rest = Watched { watch: &Rest(watch), ..given };
        for named in event.request.named().iter().filter(|_| !output.is_empty()) {
            self.argument(&event.call, named)(&rest, When::After(None));
        }
    }

    /// What memory holds before and after a call, and in which all of what it could be agree.
    fn read(&self, event: &Event, images: &[[&Image; 2]]) -> (Option<Value>, Option<Value>) {
        let call = &event.call;
        if let Some(control) = &call.control {
            let read = |images: &[&Image; 2]| self.buffers(event, control, *images, None);
            let both = images.iter().map(read);
            let agreed = both.reduce(|(input, output), (other_input, other_output)| {
                (redact::agreed(input, other_input), redact::agreed(output, other_output))
            });
            return agreed.unwrap_or_default();
        }
        let exchanged =
            |decode: &dyn Fn(&dyn Memory, When<'_>) -> Option<Value>| exchanged(call, images, decode);
        match event.request.named() {
            [] => exchanged(&|memory, when| {
                self.registry.untyped(call.request, call.arch(), call.arg, memory, when)
            }),
            [only] => exchanged(&self.argument(call, only)),
            several => {
                let (mut before, mut after) = (Vec::new(), Vec::new());
                for named in several {
                    let (left, right) = exchanged(&self.argument(call, named));
                    before.extend(left.map(|value| (named.name(), value)));
                    after.extend(right.map(|value| (named.name(), value)));
                }
                (either(before), either(after))
            }
        }
    }

    /// How one request's argument is decoded.
    fn argument(
        &self,
        call: &Call,
        named: &Named<'static>,
    ) -> impl Fn(&dyn Memory, When<'_>) -> Option<Value> {
        let mut named = named.clone();
        if let Some(domain) = call.target.file().and_then(|file| file.domain) {
            named = named.on_socket(domain);
        }
        if let Some(result) = call.outcome.value().and_then(|value| u64::try_from(value).ok()) {
            named = named.returning(result);
        }
        let (registry, arch, arg) = (self.registry, call.arch(), call.arg);
        move |memory, when| registry.argument(&named, arch, arg, memory, when)
    }

    /// The buffers of a control code: the input before the call, and the output after it; where the driver reads that one,
    /// before it.
    fn buffers(
        &self,
        event: &Event,
        control: &Control,
        [input, output]: [&Image; 2],
        watch: Option<&dyn Watch>,
    ) -> (Option<Value>, Option<Value>) {
        let call = &event.call;
        let reads = ControlCode(call.request).parts().method == Method::InDirect;
        let filled = control.information.map_or(0, |filled| filled.min(control.output_len.into()));
        let (image, size) = if reads { (input, control.output_len.into()) } else { (output, filled) };
        fn of(image: &Image, address: u64, size: u64) -> Buffer<'_> {
            Buffer { bytes: image.bytes(address, size), size }
        }
        let buffers = Buffers {
            input: of(input, call.arg, control.input_len.into()),
            output: of(image, control.output, size),
        };
        let named = if let [only] = event.request.named() { Some(only) } else { None };
        let value = |side, address, size: u64| {
            if address == 0 || size == 0 {
                return None;
            }
            let value = self.registry.watched_buffer(named, call.arch(), side, &buffers, watch);
            Some(match value {
                Some(value) => Value::Pointee { address, value: Box::new(value) },
                None => Value::Pointer(address),
            })
        };
        let input = value(Side::Input, call.arg, control.input_len.into());
        (input, value(Side::Output, control.output, size))
    }

    /// What a call returned, where that has a meaning beyond its number.
    #[must_use]
    pub fn result(&self, event: &Event) -> Option<Value> {
        let [named] = event.request.named() else { return None };
        self.registry.result(
            named,
            event.call.arch(),
            event.call.outcome.value().filter(|value| *value >= 0)?,
        )
    }

    /// Driver and handler of a file.
    pub fn device<'f>(&mut self, file: &'f File) -> &'f Device {
        file.device.get_or_init(|| {
            let symbol = self.host.symbol(file.handler);
            Device {
                kind: file.kind,
                numbers: file.numbers,
                driver: file.numbers.and_then(|n| self.host.driver(file.kind, n)).map(|name| own(file, name)),
                name: file
                    .numbers
                    .filter(|_| file.kind == DeviceKind::Block)
                    .and_then(|n| self.host.block_name(n)),
                module: symbol.as_ref().and_then(|s| s.module.clone()),
                handler: symbol.map(|s| s.name),
            }
        })
    }

    /// The constant of a socket's family, or its number.
    #[must_use]
    pub fn socket_family(&self, domain: u32) -> Cow<'static, str> {
        let families = self.registry.set("AF", self.arch);
        match families.and_then(|families| families.constant(domain.into())) {
            Some(name) => name.into(),
            None => domain.to_string().into(),
        }
    }

    /// Names for the return addresses of a process.
    pub fn user_stack(&mut self, pid: u32, addresses: &[u64]) -> Vec<Frame> {
        if addresses.is_empty() { Vec::new() } else { self.host.frames(pid, addresses) }
    }

    /// The kernel function that an address is in, and how far into it.
    pub fn kernel_symbol(&mut self, address: u64) -> Option<(Symbol, u64)> {
        self.host.containing(address)
    }

    /// What the thread that made a call is numbered in its own namespace of processes, if that is wanted and known, and other
    /// than what the machine numbers it.
    pub fn ns_ids(&mut self, call: &Call) -> Option<NsIds> {
        if self.translates { self.host.ns_ids(call.pid, call.tid, call.start_ns) } else { None }
    }

    /// Path of a cgroup below the v2 hierarchy's root, found through a process that was in it.
    pub fn cgroup(&mut self, id: u64, pid: u32) -> Option<Arc<str>> {
        self.host.cgroup(id, pid)
    }
}

/// Names that many drivers stand behind: that under which those of graphics register their device numbers, and those of
/// the buses that some of them name as their device.
const SHARED: [&str; 3] = ["drm", "virtio-pci", "virtio-mmio"];

/// The driver of a file, where the name that was found is of many drivers: the module that has its operations.
fn own(file: &File, name: Arc<str>) -> Arc<str> {
    if SHARED.contains(&&*name) && !file.owner.is_empty() { file.owner.clone() } else { name }
}

/// Memory that somebody is told of.
struct Watched<'i> {
    image: &'i Image,
    watch: &'i dyn Watch,
}

impl Memory for Watched<'_> {
    fn bytes(&self, address: u64, length: u64) -> &[u8] {
        self.image.bytes(address, length)
    }

    fn watch(&self) -> Option<&dyn Watch> {
        Some(self.watch)
    }
}

/// Tells of numbers alone.
struct Rest<'w>(&'w dyn Watch);

impl Watch for Rest<'_> {
    fn taken(&self, bytes: &[u8], taken: Taken) {
        if taken == Taken::Number {
            self.0.taken(bytes, taken);
        }
    }
}

/// An argument before and after its call, by what decodes it.
fn exchanged(
    call: &Call,
    images: &[[&Image; 2]],
    decode: &dyn Fn(&dyn Memory, When<'_>) -> Option<Value>,
) -> (Option<Value>, Option<Value>) {
    let read = |decode: &dyn Fn(&[&Image; 2]) -> Option<Value>| {
        images.iter().map(decode).reduce(redact::agreed).flatten()
    };
    let Some([input, output]) = images.first() else { return (None, None) };
    let before = read(&|[input, _]| decode(*input, When::Before));
    let failed = call.outcome.errno().is_some();
    // Most calls that fail leave everything as it was, and what did not change need not be understood again.
    if call.outcome.value().is_none() || output.is_empty() || (failed && input.holds(output)) {
        return (before, None);
    }
    let after = read(&|[input, output]| decode(*output, When::After(Some(*input))));
    if !failed {
        return (before, after);
    }
    // A call that failed gave nothing back but what it changed: the rest is what lay there before.
    let lay_there = read(&|[input, _]| decode(*input, When::After(None))).unwrap_or(Value::Missing);
    let changes = |after: Value| {
        // What was left out of it is no change.
        let lay_there = redact::filled_in(lay_there, after.clone());
        Value::witnessed_changes(&lay_there, &after)
    };
    (before, after.and_then(changes))
}

/// What several requests make of the same argument.
fn either(readings: Vec<(&str, Value)>) -> Option<Value> {
    let (_, first) = readings.first()?;
    if readings.iter().all(|(_, value)| value == first) {
        return Some(first.clone());
    }
    let members = readings.into_iter().map(|(name, value)| Member::new(name, value)).collect();
    Some(Value::Union { bytes: Vec::new(), members })
}

fn hint<'a>(file: &'a File, device: &'a Device) -> ioctl_registry::Device<'a> {
    let (major, minor) = file.numbers.unwrap_or_default();
    ioctl_registry::Device {
        kind: file.kind,
        major,
        minor,
        magic: Some(file.magic),
        handler: device.handler.as_deref(),
        anon: file.anon_name(),
        domain: file.domain,
        driver: device.driver.as_deref(),
        owner: Some(&*file.owner).filter(|owner| !owner.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Comm, Data, Outcome, Target},
        host::LiveHost,
    };

    #[test]
    fn the_device_decides_between_names() {
        let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(LiveHost::default()));
        let on = |kind, major| {
            let file = File { kind, numbers: Some((major, 0)), ..File::default() };
            Target::File(Arc::new(file))
        };
        let call = |target| Call {
            start_ns: 0,
            duration_ns: 0,
            pid: 1,
            tid: 1,
            uid: 0,
            cgroup: 0,
            comm: Comm::default(),
            fd: 0,
            request: 0x5402,
            arg: 0,
            compat: false,
            arch: Arch::native(),
            outcome: Outcome::Returned(0),
            target,
            data: Data::default(),
            control: None,
            parent_ns: None,
        };
        assert_eq!(decoder.call(call(on(DeviceKind::Char, 136))).request.to_string(), "TCSETS");
        assert_eq!(decoder.call(call(on(DeviceKind::Char, 14))).request.to_string(), "SNDCTL_TMR_START");
    }

    #[test]
    fn a_virtual_graphics_device_has_the_driver_that_answers() {
        let file = |owner: &str| File { owner: owner.into(), ..File::default() };
        assert_eq!(&*own(&file("vgem"), "drm".into()), "vgem");
        assert_eq!(&*own(&file("virtio_gpu"), "virtio-pci".into()), "virtio_gpu");
        assert_eq!(&*own(&file(""), "drm".into()), "drm");
        assert_eq!(&*own(&file("mc"), "vivid".into()), "vivid");
    }
}
