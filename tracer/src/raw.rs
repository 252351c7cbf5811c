//! The only module of this crate with `unsafe`: plain memory in and out of the kernel, and what runs between fork and
//! exec.

use std::{
    ffi::CString,
    fs::OpenOptions,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _, process::CommandExt},
    },
    path::Path,
    process::Command,
};

use ioctl_trace_ebpf::{
    CallRecord, Choice, ChoiceKey, Config, ControlBegun, ControlKey, ControlPart, Counters, DataRecord,
    FileIdentity, FileRecord, InFlight, NameRecord, Node, Plan, PlanKey, ProcessRecord, RecordHeader,
    SegmentHeader, Step, SummaryKey, SummaryValue,
};
use nix::{
    sys::termios::{InputFlags, SetArg, tcgetattr, tcsetattr},
    unistd::{Gid, Uid, setfsgid, setfsuid, setgid, setgroups, setsid, setuid},
};

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
    ControlBegun,
    ControlKey,
    ControlPart,
    Counters,
    DataRecord,
    FileIdentity,
    FileRecord,
    InFlight,
    NameRecord,
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

/// Gives the calling thread the rights that a user has for files, and no more; other threads keep theirs.
///
/// # Errors
/// When the system does not.
pub fn limit_thread_to(uid: Uid, gid: Gid, groups: &[Gid]) -> io::Result<()> {
    let groups: Vec<libc::gid_t> = groups.iter().map(|gid| gid.as_raw()).collect();
    // SAFETY: the kernel reads as many ids as it is told are there. libc's function would change every thread.
    if unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    setfsgid(gid);
    setfsuid(uid);
    // These two report no errors, but what was before.
    if setfsuid(uid) == uid && setfsgid(gid) == gid {
        Ok(())
    } else {
        Err(io::Error::other("cannot take the rights of the user behind sudo"))
    }
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

/// Makes a command run on a terminal, as the leader of a session of its own.
///
/// # Errors
/// When the terminal cannot be opened.
pub fn on_terminal(command: &mut Command, path: &Path) -> io::Result<()> {
    let terminal = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)?;
    // Erasing takes whole characters.
    let mut settings = tcgetattr(&terminal)?;
    settings.input_flags.insert(InputFlags::IUTF8);
    tcsetattr(&terminal, SetArg::TCSANOW, &settings)?;
    command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
    let path = CString::new(path.as_os_str().as_bytes())?;
    let lead = move || {
        setsid()?;
        // The first terminal that its leader opens is the session's: without an ioctl, which would be traced.
        // SAFETY: the path ends in a zero byte and lives as long as the closure.
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: the closure runs in the child between fork and exec and makes two system calls; it allocates nothing and
    // takes no lock.
    unsafe { command.pre_exec(lead) };
    Ok(())
}

/// Sets the size of a terminal; its programs get a signal.
///
/// # Errors
/// When it does not take it.
pub fn resize_terminal(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: this request reads a `winsize`, which lives until the call has returned.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits until every BPF program that is running now has ended: they run inside RCU read-side sections, and this kind
/// of memory barrier waits for all of those.
pub fn wait_for_running_programs() {
    // SAFETY: this system call takes no pointers. Where it is missing nothing is waited for, and a record that a
    // program is just writing may come too late to be read; the accounts then say so.
    unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
}
