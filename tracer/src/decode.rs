//! Calls into events: which driver is behind the file, and what the request means there.

use std::{borrow::Cow, sync::Arc};

use ioctl_registry::{
    Arch, DeviceKind, Lookup, Member, Memory, Named, Registry, Value, When,
    windows::{Buffer, Buffers, ControlCode, Method, Side},
};

use crate::{
    event::{self, Call, Control, Device, Event, File},
    host::Host,
    housekeeping::is_housekeeping,
    memory::Image,
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
}

impl Decoder {
    /// With a registry and the machine that is traced.
    #[must_use]
    pub fn new(registry: &'static Registry, detail: Detail, host: Box<dyn Host>) -> Self {
        Self { registry, detail, host, arch: Arch::native() }
    }

    /// For calls of a machine with these native calls.
    #[must_use]
    pub fn of(self, arch: Arch) -> Self {
        Self { arch, ..self }
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
        let (before, after) = match event.call.data.redaction {
            Redaction::All => return (None, None),
            Redaction::Nothing => return self.whole_arguments(event),
            Redaction::Text => self.whole_arguments(event),
        };
        (before.map(redact::without_text), after.map(redact::without_text))
    }

    fn whole_arguments(&self, event: &Event) -> (Option<Value>, Option<Value>) {
        let call = &event.call;
        if let Some(control) = &call.control {
            return self.buffers(event, control);
        }
        match event.request.named() {
            [] => exchanged(call, |memory, when| {
                self.registry.untyped(call.request, call.arch(), call.arg, memory, when)
            }),
            [only] => self.argument(call, only),
            several => {
                let (mut before, mut after) = (Vec::new(), Vec::new());
                for named in several {
                    let (left, right) = self.argument(call, named);
                    before.extend(left.map(|value| (named.name(), value)));
                    after.extend(right.map(|value| (named.name(), value)));
                }
                (either(before), either(after))
            }
        }
    }

    fn argument(&self, call: &Call, named: &Named<'static>) -> (Option<Value>, Option<Value>) {
        let mut named = named.clone();
        if let Some(domain) = call.target.file().and_then(|file| file.domain) {
            named = named.on_socket(domain);
        }
        if let Some(result) = call.outcome.value().and_then(|value| u64::try_from(value).ok()) {
            named = named.returning(result);
        }
        let decode = |memory: &dyn Memory, when: When<'_>| {
            self.registry.argument(&named, call.arch(), call.arg, memory, when)
        };
        exchanged(call, decode)
    }

    /// The buffers of a control code: the input before the call, and the output after it; where the driver reads that one,
    /// before it.
    fn buffers(&self, event: &Event, control: &Control) -> (Option<Value>, Option<Value>) {
        let call = &event.call;
        let reads = ControlCode(call.request).parts().method == Method::InDirect;
        let filled = control.information.map_or(0, |filled| filled.min(control.output_len.into()));
        let (image, size) =
            if reads { (&call.data.input, control.output_len.into()) } else { (&call.data.output, filled) };
        fn of(image: &Image, address: u64, size: u64) -> Buffer<'_> {
            Buffer { bytes: image.bytes(address, size), size }
        }
        let buffers = Buffers {
            input: of(&call.data.input, call.arg, control.input_len.into()),
            output: of(image, control.output, size),
        };
        let named = if let [only] = event.request.named() { Some(only) } else { None };
        let value = |side, address, size: u64| {
            if address == 0 || size == 0 {
                return None;
            }
            let value = self.registry.control_buffer(named, call.arch(), side, &buffers);
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

/// An argument before and after its call, by what decodes it.
fn exchanged(
    call: &Call,
    decode: impl Fn(&dyn Memory, When<'_>) -> Option<Value>,
) -> (Option<Value>, Option<Value>) {
    let (input, output) = (&call.data.input, &call.data.output);
    let before = decode(input, When::Before);
    let failed = call.outcome.errno().is_some();
    // Most calls that fail leave everything as it was, and what did not change need not be understood again.
    if call.outcome.value().is_none() || output.is_empty() || (failed && input.holds(output)) {
        return (before, None);
    }
    let after = decode(output, When::After(Some(input)));
    if !failed {
        return (before, after);
    }
    // A call that failed gave nothing back but what it changed: the rest is what lay there before.
    let lay_there = decode(input, When::After(None)).unwrap_or(Value::Missing);
    (before, after.and_then(|after| Value::witnessed_changes(&lay_there, &after)))
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
