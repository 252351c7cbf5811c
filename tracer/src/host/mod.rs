//! What is asked of the traced machine beside what its kernel reports: names of functions and drivers, cgroups, files
//! behind descriptors. A recording keeps the answers, so that it is read elsewhere as it would have been here.

mod fact;
mod live;
mod numbers;
mod recorded;

use std::sync::Arc;

use ioctl_registry::DeviceKind;

pub use fact::Fact;
pub use live::LiveHost;
pub use recorded::{RecordedHost, Remembering};

use crate::{process::NsIds, stack::Frame, symbols::Symbol};

/// The traced machine.
pub trait Host: Send {
    /// The kernel's function that begins at an address.
    fn symbol(&mut self, address: u64) -> Option<Symbol>;
    /// The kernel's function that an address is in, and how far into it.
    fn containing(&mut self, address: u64) -> Option<(Symbol, u64)>;
    /// The driver of a device.
    fn driver(&mut self, kind: DeviceKind, numbers: (u32, u32)) -> Option<Arc<str>>;
    /// The kernel's name of a block device.
    fn block_name(&mut self, numbers: (u32, u32)) -> Option<Arc<str>>;
    /// Path of a cgroup below the v2 hierarchy's root, which a process is or was in.
    fn cgroup(&mut self, id: u64, pid: u32) -> Option<Arc<str>>;
    /// What a descriptor of a process leads to, if that still is the inode.
    fn fd_target(&mut self, pid: u32, fd: u32, ino: u64) -> Option<Vec<u8>>;
    /// Names for the return addresses of a process, innermost first.
    fn frames(&mut self, pid: u32, addresses: &[u64]) -> Vec<Frame>;
    /// What a thread that made a call at this time is numbered in its own namespace of processes; `None` where that is the
    /// machine's, or it is not known.
    fn ns_ids(&mut self, pid: u32, tid: u32, at_ns: u64) -> Option<NsIds>;
    /// Name and real user of a thread that is inside a call.
    fn task(&mut self, tid: u32) -> (Option<String>, Option<u32>);
    /// Takes in an answer that a recording has.
    fn learn(&mut self, fact: Fact) {
        // The running machine is asked instead.
        let _ = fact;
    }
    /// The answers given since the last time, where they are remembered.
    fn new_facts(&mut self) -> Vec<Fact> {
        Vec::new()
    }
}
