//! Calls into events: which driver is behind the file, and what the request means there.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ioctl_registry::{Arch, DeviceKind, Lookup, Member, Memory, Named, Registry, Value, When};

use crate::{
    event::{self, Call, Device, Event, File},
    process,
    stack::{Frame, Stacks},
    symbols::{Symbol, Symbols},
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
    symbols: Symbols,
    drivers: Drivers,
    cgroups: HashMap<u64, Option<Arc<str>>>,
    stacks: Stacks,
}

/// Cgroups remembered; more are looked up anew.
const MAX_CGROUPS: usize = 4_096;

impl Decoder {
    /// With a registry and the running kernel's symbols.
    #[must_use]
    pub fn new(registry: &'static Registry, detail: Detail, symbols: Symbols) -> Self {
        Self {
            registry,
            detail,
            symbols,
            drivers: Drivers::default(),
            cgroups: HashMap::new(),
            stacks: Stacks::default(),
        }
    }

    /// Decodes one call.
    pub fn call(&mut self, call: Call) -> Event {
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
        let native = self.request(number, event::arch(false), file);
        if native.named().is_empty() {
            let compat = self.request(number, event::arch(true), file);
            if !compat.named().is_empty() {
                return compat;
            }
        }
        native
    }

    /// What a number means that was counted for something that is no open file.
    #[must_use]
    pub fn without_file(&self, number: u32) -> Lookup<'static> {
        self.registry.lookup(number, Arch::native(), &ioctl_registry::Device::default())
    }

    /// The argument of a call: what the program handed over, and what it got back. Each is `None` where there is nothing
    /// to show.
    #[must_use]
    pub fn arguments(&self, event: &Event) -> (Option<Value>, Option<Value>) {
        let call = &event.call;
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
            let symbol = self.symbols.resolve(file.handler);
            Device {
                kind: file.kind,
                numbers: file.numbers,
                driver: file.numbers.and_then(|n| self.drivers.name(file.kind, n)),
                name: file.numbers.filter(|_| file.kind == DeviceKind::Block).and_then(block_name),
                module: symbol.as_ref().and_then(|s| s.module.clone()),
                handler: symbol.map(|s| s.name),
            }
        })
    }

    /// The constant of a socket's family, or its number.
    #[must_use]
    pub fn socket_family(&self, domain: u32) -> Cow<'static, str> {
        let families = self.registry.set("AF", Arch::native());
        match families.and_then(|families| families.constant(domain.into())) {
            Some(name) => name.into(),
            None => domain.to_string().into(),
        }
    }

    /// Prepares for the stacks of programs that end at once.
    pub fn expect_stacks(&mut self) {
        self.stacks.record();
    }

    /// Names for the return addresses of a process.
    pub fn user_stack(&mut self, pid: u32, addresses: &[u64]) -> Vec<Frame> {
        self.stacks.frames(pid, addresses)
    }

    /// The kernel function that an address is in, and how far into it.
    pub fn kernel_symbol(&mut self, address: u64) -> Option<(Symbol, u64)> {
        self.symbols.containing(address)
    }

    /// Path of a cgroup below the v2 hierarchy's root, found through a process that was in it.
    pub fn cgroup(&mut self, id: u64, pid: u32) -> Option<Arc<str>> {
        if let Some(known) = self.cgroups.get(&id) {
            return known.clone();
        }
        if self.cgroups.len() >= MAX_CGROUPS {
            self.cgroups.clear();
        }
        let path = find_cgroup(id, pid);
        self.cgroups.insert(id, path.clone());
        path
    }
}

/// An argument before and after its call, by what decodes it.
fn exchanged(
    call: &Call,
    decode: impl Fn(&dyn Memory, When<'_>) -> Option<Value>,
) -> (Option<Value>, Option<Value>) {
    let (input, output) = (&call.data.input, &call.data.output);
    let before = decode(input, When::Before);
    if call.outcome.value().is_none() || output.is_empty() {
        return (before, None);
    }
    let after = decode(output, When::After(Some(input)));
    if call.outcome.errno().is_none() {
        return (before, after);
    }
    // A call that failed gave nothing back but what it changed: the rest is what lay there before.
    let lay_there = decode(input, When::After(None)).unwrap_or(Value::Missing);
    (before, after.and_then(|after| Value::changes(&lay_there, &after)))
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

/// The kernel's name of a block device.
fn block_name((major, minor): (u32, u32)) -> Option<Arc<str>> {
    let link = fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    Some(link.file_name()?.to_string_lossy().into())
}

/// The id of a cgroup is the inode number of its directory.
fn find_cgroup(id: u64, pid: u32) -> Option<Arc<str>> {
    use std::os::unix::fs::MetadataExt;
    let mount = process::cgroup_mount()?;
    let is_it = |path: &str| fs::metadata(format!("{mount}{path}")).is_ok_and(|m| m.ino() == id);
    if is_it("/") {
        return Some("/".into());
    }
    if let Some(path) = process::cgroup_of(pid).filter(|path| is_it(path)) {
        return Some(path.into());
    }
    // The process has gone, or moved: the directory may still be there.
    let mut left = MAX_CGROUP_DIRS;
    search_cgroup(Path::new(&mount), id, &mut left)
        .and_then(|found| Some(format!("/{}", found.strip_prefix(&mount).ok()?.to_string_lossy()).into()))
}

/// Directories of the cgroup hierarchy looked at in search of one id.
const MAX_CGROUP_DIRS: usize = 10_000;

fn search_cgroup(dir: &Path, id: u64, left: &mut usize) -> Option<PathBuf> {
    use std::os::unix::fs::DirEntryExt;
    for entry in fs::read_dir(dir).ok()?.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())) {
        *left = left.checked_sub(1)?;
        if entry.ino() == id {
            return Some(entry.path());
        }
        if let Some(found) = search_cgroup(&entry.path(), id, left) {
            return Some(found);
        }
    }
    None
}

/// Driver names by device number.
#[derive(Debug, Default)]
struct Drivers {
    names: HashMap<(DeviceKind, u32, u32), Option<Arc<str>>>,
}

/// Device numbers remembered; more are looked up anew.
const MAX_DRIVERS: usize = 16_384;
/// Major number of the `misc` devices, whose minors are drivers of their own.
const MISC_MAJOR: u32 = 10;

impl Drivers {
    fn name(&mut self, kind: DeviceKind, (major, minor): (u32, u32)) -> Option<Arc<str>> {
        if self.names.len() >= MAX_DRIVERS {
            self.names.clear();
        }
        self.names
            .entry((kind, major, minor))
            .or_insert_with(|| driver(kind, major, minor).map(Into::into))
            .clone()
    }
}

/// The device model's driver if there is one, else the name under which the number was registered.
fn driver(kind: DeviceKind, major: u32, minor: u32) -> Option<String> {
    let class = if kind == DeviceKind::Block { "block" } else { "char" };
    if let Ok(link) = fs::read_link(format!("/sys/dev/{class}/{major}:{minor}/device/driver")) {
        return Some(link.file_name()?.to_string_lossy().into_owned());
    }
    if kind == DeviceKind::Char && major == MISC_MAJOR {
        let misc = fs::read_to_string("/proc/misc").ok()?;
        return misc.lines().find_map(|line| named(line, minor).map(str::to_owned));
    }
    let devices = fs::read_to_string("/proc/devices").ok()?;
    let ttys = fs::read_to_string("/proc/tty/drivers").unwrap_or_default();
    registered(&devices, &ttys, kind, (major, minor))
}

/// The name of a major number in `/proc/devices`. Where several drivers share it they are mostly those of terminals,
/// which `/proc/tty/drivers` lists by minor number.
fn registered(devices: &str, ttys: &str, kind: DeviceKind, (major, minor): (u32, u32)) -> Option<String> {
    let (chars, blocks) = devices.split_once("Block devices:")?;
    let table = if kind == DeviceKind::Block { blocks } else { chars };
    let names: Vec<&str> = table.lines().filter_map(|line| named(line, major)).collect();
    let tty = || ttys.lines().find_map(|line| tty_node(line, major, minor));
    match names.as_slice() {
        [only] => Some((*only).to_owned()),
        several if kind == DeviceKind::Char => tty().or(several.first().copied()).map(str::to_owned),
        several => several.first().map(|name| (*name).to_owned()),
    }
}

/// The node, without `/dev/`, in a line `driver node major minor[-minor] type` that covers a device.
fn tty_node(line: &str, major: u32, minor: u32) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let (_driver, node, found, minors) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let (first, last) = minors.split_once('-').unwrap_or((minors, minors));
    let covers = (first.parse().ok()?..=last.parse().ok()?).contains(&minor);
    (found.parse() == Ok(major) && covers).then(|| node.trim_start_matches("/dev/"))
}

/// The name in a line `number name`.
fn named(line: &str, number: u32) -> Option<&str> {
    let (found, name) = line.trim().split_once(' ')?;
    (found.parse() == Ok(number)).then(|| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Comm, Data, Outcome, Target};

    const DEVICES: &str = "Character devices:\n  4 /dev/vc/0\n  4 tty\n  5 /dev/tty\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n  7 loop\n";
    const TTYS: &str =
        "/dev/ptmx /dev/ptmx 5 2 system\nserial /dev/ttyS 4 64 serial\nunknown /dev/tty 4 1-63 console\n";

    #[test]
    fn device_numbers_have_registered_names() {
        let name = |kind, major, minor| registered(DEVICES, TTYS, kind, (major, minor)).unwrap_or_default();
        assert_eq!(name(DeviceKind::Char, 136, 3), "pts");
        assert_eq!(
            (name(DeviceKind::Char, 4, 1), name(DeviceKind::Char, 4, 64)),
            ("tty".into(), "ttyS".into())
        );
        assert_eq!(name(DeviceKind::Char, 5, 2), "ptmx");
        assert_eq!(
            (name(DeviceKind::Block, 7, 0), name(DeviceKind::Block, 136, 3)),
            ("loop".into(), String::new())
        );
    }

    #[test]
    fn the_device_decides_between_names() {
        let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Symbols::default());
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
            outcome: Outcome::Returned(0),
            target,
            data: Data::default(),
        };
        assert_eq!(decoder.call(call(on(DeviceKind::Char, 136))).request.to_string(), "TCSETS");
        assert_eq!(decoder.call(call(on(DeviceKind::Char, 14))).request.to_string(), "SNDCTL_TMR_START");
    }
}
