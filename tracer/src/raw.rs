//! The only module of this crate with `unsafe`: plain memory in and out of the kernel, and what runs between fork and
//! exec.

use std::{io, os::unix::process::CommandExt, process::Command};

use ioctl_trace_ebpf::{
    CallRecord, Choice, ChoiceKey, Config, Counters, DataRecord, FileIdentity, FileRecord, InFlight, Node,
    Plan, PlanKey, ProcessRecord, RecordHeader, SegmentHeader, Step, SummaryKey, SummaryValue,
};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

/// Types made of integers only, `repr(C)` and without padding: any bytes are a value, and every byte is initialised.
/// Sealed: the list is the proof.
pub trait Plain: Copy + 'static + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! plain {
    ($($ty:ty),*) => { $(impl sealed::Sealed for $ty {} impl Plain for $ty {})* };
}
plain!(
    CallRecord,
    Choice,
    ChoiceKey,
    Config,
    Counters,
    DataRecord,
    FileIdentity,
    FileRecord,
    InFlight,
    Node,
    Plan,
    PlanKey,
    ProcessRecord,
    RecordHeader,
    SegmentHeader,
    Step,
    SummaryKey,
    SummaryValue
);

/// A [`Plain`] type as aya wants keys, values and globals.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Shared<T>(pub T);

// SAFETY: `Plain` types may be made from any bytes, which is what `Pod` asks for.
unsafe impl<T: Plain> aya::Pod for Shared<T> {}

/// A value from the first bytes of a buffer; `None` if there are too few.
#[must_use]
pub fn read<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: the length was checked; `Plain` types accept any bytes; the read needs no alignment.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The bytes of a value.
#[must_use]
pub fn bytes_of<T: Plain>(value: &T) -> Vec<u8> {
    // SAFETY: every byte of a `Plain` type is initialised; the slice lives as long as `value`.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) }.to_vec()
}

/// Makes a command run under other ids. Supplementary groups are set too: they often are what opens a device.
pub fn run_as(command: &mut Command, uid: Uid, gid: Gid, groups: Vec<Gid>) {
    let become_user = move || {
        setgroups(&groups)?;
        setgid(gid)?;
        setuid(uid)?;
        Ok::<(), io::Error>(())
    };
    // SAFETY: the closure runs in the child between fork and exec and makes three system calls; it allocates nothing
    // and takes no lock.
    unsafe { command.pre_exec(become_user) };
}

/// Waits until every BPF program that is running now has ended: they run inside RCU read-side sections, and this kind
/// of memory barrier waits for all of those.
pub fn wait_for_running_programs() {
    // SAFETY: this system call takes no pointers. Where it is missing nothing is waited for, and a record that a
    // program is just writing may come too late to be read; the accounts then say so.
    unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
}
