//! The machine that this program runs on, through `/proc` and `/sys`.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ioctl_registry::DeviceKind;

use super::{Host, numbers::Numbers};
use crate::{
    process::{self, NsIds},
    stack::{Frame, Stacks},
    symbols::{Symbol, Symbols},
};

/// The running machine. What it answers is found out once.
#[derive(Default)]
pub struct LiveHost {
    symbols: Symbols,
    drivers: HashMap<(DeviceKind, u32, u32), Option<Arc<str>>>,
    cgroups: HashMap<u64, Option<Arc<str>>>,
    stacks: Stacks,
    numbers: Numbers,
}

/// Cgroups remembered; more are looked up anew.
const MAX_CGROUPS: usize = 4_096;
/// Device numbers remembered; more are looked up anew.
const MAX_DRIVERS: usize = 16_384;
/// Directories of the cgroup hierarchy looked at in search of one id.
const MAX_CGROUP_DIRS: usize = 10_000;
/// Major number of the `misc` devices, whose minors are drivers of their own.
const MISC_MAJOR: u32 = 10;

impl LiveHost {
    /// With the kernel's symbols as they are read.
    #[must_use]
    pub fn new(symbols: Symbols) -> Self {
        Self { symbols, ..Self::default() }
    }

    /// Prepares for the stacks of programs that end at once.
    pub fn expect_stacks(&mut self) {
        self.stacks.record();
    }
}

impl Host for LiveHost {
    fn symbol(&mut self, address: u64) -> Option<Symbol> {
        self.symbols.resolve(address)
    }

    fn containing(&mut self, address: u64) -> Option<(Symbol, u64)> {
        self.symbols.containing(address)
    }

    fn driver(&mut self, kind: DeviceKind, (major, minor): (u32, u32)) -> Option<Arc<str>> {
        if self.drivers.len() >= MAX_DRIVERS {
            self.drivers.clear();
        }
        let find = || driver(kind, major, minor).map(Into::into);
        self.drivers.entry((kind, major, minor)).or_insert_with(find).clone()
    }

    fn block_name(&mut self, (major, minor): (u32, u32)) -> Option<Arc<str>> {
        let link = fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        Some(link.file_name()?.to_string_lossy().into())
    }

    fn cgroup(&mut self, id: u64, pid: u32) -> Option<Arc<str>> {
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

    fn fd_target(&mut self, pid: u32, fd: u32, ino: u64) -> Option<Vec<u8>> {
        process::fd_target(pid, fd, ino)
    }

    fn frames(&mut self, pid: u32, addresses: &[u64]) -> Vec<Frame> {
        self.stacks.frames(pid, addresses)
    }

    fn ns_ids(&mut self, pid: u32, tid: u32, at_ns: u64) -> Option<NsIds> {
        self.numbers.of(pid, tid, at_ns)
    }

    fn task(&mut self, tid: u32) -> (Option<String>, Option<u32>) {
        (process::comm_of(tid), process::uid_of(tid))
    }
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

/// Classes of devices that lie beside others on the same hardware, whose driver is not theirs.
const BESIDE: [&str; 2] = ["scsi_generic", "bsg"];
/// So many folders up there may be the device with a driver: a sound device lies on its card, and that on the hardware.
const MAX_PARENTS: usize = 6;
/// Buses of what only lies between: the ports of serial hardware, each with drivers of its own.
const BETWEEN: [&str; 1] = ["serial-base"];
const DEVICES: &str = "/sys/devices";

/// The device model's driver if there is one, else the name under which the number was registered.
fn driver(kind: DeviceKind, major: u32, minor: u32) -> Option<String> {
    let class = if kind == DeviceKind::Block { "block" } else { "char" };
    let node = fs::canonicalize(format!("/sys/dev/{class}/{major}:{minor}")).unwrap_or_default();
    // A partition has the driver of its disk, and often not the disk's major number.
    if kind == DeviceKind::Block
        && node.join("partition").exists()
        && let Some(disk) = node.parent()
        && let Some((major, minor)) = numbers(&fs::read_to_string(disk.join("dev")).unwrap_or_default())
    {
        return driver(kind, major, minor);
    }
    let name = |link: PathBuf| Some(fs::read_link(link).ok()?.file_name()?.to_string_lossy().into_owned());
    let is_of = |folder: &Path, subsystems: &[&str]| {
        name(folder.join("subsystem")).is_some_and(|subsystem| subsystems.contains(&subsystem.as_str()))
    };
    if !is_of(&node, &BESIDE) {
        let parents = node.ancestors().take_while(|folder| *folder != Path::new(DEVICES)).take(MAX_PARENTS);
        let mut drivers =
            parents.filter(|folder| !is_of(folder, &BETWEEN)).map(|folder| name(folder.join("driver")));
        if let Some(driver) = drivers.find_map(|driver| driver) {
            return Some(driver);
        }
    }
    if kind == DeviceKind::Char && major == MISC_MAJOR {
        let misc = fs::read_to_string("/proc/misc").ok()?;
        return misc.lines().find_map(|line| named(line, minor).map(str::to_owned));
    }
    let devices = fs::read_to_string("/proc/devices").ok()?;
    let ttys = fs::read_to_string("/proc/tty/drivers").unwrap_or_default();
    registered(&devices, &ttys, kind, (major, minor))
}

/// `MAJOR:MINOR` of a file `dev`.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
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
}
