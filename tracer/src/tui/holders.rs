//! Who has a device open, whether it calls it or not.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

use ioctl_registry::DeviceKind;
use nix::sys::stat::{major, minor};

use crate::process;

/// A device node: its kind, its major and its minor number.
pub type Node = (DeviceKind, u64, u64);

/// Processes that have each device open, with their names.
pub type Holders = HashMap<Node, Vec<(u32, String)>>;

/// Processes kept of each device.
const SHOWN: usize = 32;

/// Looks through all processes that we may look into.
#[must_use]
pub fn find() -> Holders {
    let mut holders = Holders::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        // It may end at any moment.
        let mut nodes: Vec<Node> = files(pid).filter_map(|link| node(&link)).collect();
        nodes.sort_unstable_by_key(|(kind, major, minor)| (*kind as u8, *major, *minor));
        nodes.dedup();
        for node in nodes {
            let of_node = holders.entry(node).or_default();
            if of_node.len() < SHOWN {
                of_node.push((pid, process::comm_of(pid).unwrap_or_default()));
            }
        }
    }
    holders
}

fn files(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// The device that a descriptor leads to. Nothing outside of `/dev` is asked: a file system that hangs would make us wait.
fn node(link: &Path) -> Option<Node> {
    if !fs::read_link(link).ok()?.starts_with("/dev") {
        return None;
    }
    let known = fs::metadata(link).ok()?;
    let kind = match known.file_type() {
        kind if kind.is_char_device() => DeviceKind::Char,
        kind if kind.is_block_device() => DeviceKind::Block,
        _ => return None,
    };
    Some((kind, major(known.rdev()), minor(known.rdev())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_found_with_what_we_have_open() {
        let _null = fs::File::open("/dev/null").expect("there");
        let holders = find();
        let of_null = holders.get(&(DeviceKind::Char, 1, 3)).expect("open");
        assert!(of_null.len() == SHOWN || of_null.iter().any(|(pid, _)| *pid == std::process::id()));
    }
}
