//! A call as the rest of the program knows it. No user interface and no kernel structure is known here.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use ioctl_registry::{Arch, DeviceKind, Direction, Encoding, Lookup, Request};
use ioctl_trace_ebpf::ControlFunction;

use crate::{memory::Image, redact::Redaction};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returned this value; a negative one is `-errno`.
    Returned(i64),
    /// It failed with this value while its task was being killed: the program never saw it.
    Killed(i64),
    /// The task ended inside the call.
    Ended,
    /// It was still inside the kernel when tracing stopped.
    Running,
}

impl Outcome {
    /// The value the program saw, if it saw one.
    #[must_use]
    pub const fn value(self) -> Option<i64> {
        match self {
            Self::Returned(value) => Some(value),
            _ => None,
        }
    }

    /// The error number the program saw, if it saw one.
    #[must_use]
    pub fn errno(self) -> Option<i32> {
        self.value().filter(|v| (-4095..0).contains(v)).and_then(|v| i32::try_from(-v).ok())
    }
}

/// What kind of file it is, and where.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Kind of file.
    pub kind: DeviceKind,
    /// Major and minor number of a device node.
    pub numbers: Option<(u32, u32)>,
    /// Name of the driver.
    pub driver: Option<Arc<str>>,
    /// Name of a block device as the kernel has it: `sda1`, `dm-0`.
    pub name: Option<Arc<str>>,
    /// Kernel module of the driver; `None` if built in or not known.
    pub module: Option<Arc<str>>,
    /// Symbol of the file's ioctl handler.
    pub handler: Option<Arc<str>>,
}

impl Device {
    /// The kind as one word: `char`, `block`, `socket`, `fifo`, `file`, `dir`, `anon`, `unknown`.
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        kind_name(self.kind)
    }
}

/// A kind of file as one word.
#[must_use]
pub const fn kind_name(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Char => "char",
        DeviceKind::Block => "block",
        DeviceKind::Socket => "socket",
        DeviceKind::Fifo => "fifo",
        DeviceKind::Regular => "file",
        DeviceKind::Directory => "dir",
        DeviceKind::AnonInode => "anon",
        DeviceKind::Unknown => "unknown",
    }
}

/// An open file that calls were made on. Shared by all its calls.
#[derive(Debug, Default)]
pub struct File {
    /// Inode number.
    pub ino: u64,
    /// Magic number of the filesystem.
    pub magic: u64,
    /// Kind of file.
    pub kind: DeviceKind,
    /// Major and minor number of a device node.
    pub numbers: Option<(u32, u32)>,
    /// Address of the ioctl handler in the kernel, 0 if there is none.
    pub handler: u64,
    /// Name of the filesystem's type; empty if not known.
    pub filesystem: Arc<str>,
    /// Name of the module that its operations belong to; empty if they are built in, or it is not known.
    pub owner: Arc<str>,
    /// The family of a socket.
    pub domain: Option<u32>,
    /// Where it is, as bytes: a path, `socket:[ino]`, `pipe:[ino]`, `anon_inode:name`; empty if not known.
    pub target: Vec<u8>,
    /// The path's outermost part is missing.
    pub truncated: bool,
    /// The name has been removed from its directory.
    pub deleted: bool,
    /// Driver and handler, found out on first use.
    pub device: OnceLock<Device>,
}

impl File {
    /// Name of an anonymous inode.
    #[must_use]
    pub fn anon_name(&self) -> Option<&str> {
        std::str::from_utf8(self.target.strip_prefix(b"anon_inode:")?).ok()
    }
}

/// What is known of the descriptor a call was made on.
#[derive(Clone, Debug)]
pub enum Target {
    /// An open file.
    File(Arc<File>),
    /// Nothing was open under that number.
    NotOpen,
    /// The kernel's structures could not be read.
    Unreadable,
    /// A handle of a Windows program; what it leads to was not seen.
    Handle,
}

impl Target {
    /// The file, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::NotOpen | Self::Unreadable | Self::Handle => None,
        }
    }
}

/// One `ioctl(2)`, or a control code of a Windows program.
#[derive(Clone, Debug)]
pub struct Call {
    /// Nanoseconds of `CLOCK_MONOTONIC` when it entered the kernel.
    pub start_ns: u64,
    /// Nanoseconds inside the kernel.
    pub duration_ns: u64,
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// Real user id.
    pub uid: u32,
    /// Id of the cgroup (version 2).
    pub cgroup: u64,
    /// The thread's name: whatever bytes it gave itself, up to the first NUL.
    pub comm: Comm,
    /// First argument; of a control code the descriptor behind the handle, -1 if it is not known.
    pub fd: i32,
    /// Second argument, or the control code.
    pub request: u32,
    /// Third argument, or the address of the input buffer.
    pub arg: u64,
    /// The call came through the 32-bit system call table.
    pub compat: bool,
    /// The architecture whose numbers and layouts hold for it.
    pub arch: Arch,
    /// How it ended.
    pub outcome: Outcome,
    /// What `fd` was.
    pub target: Target,
    /// What was copied.
    pub data: Data,
    /// What a control code has besides.
    pub control: Option<Box<Control>>,
    /// When the control code began, in nanoseconds of `CLOCK_MONOTONIC`, that the same thread was carrying out.
    pub parent_ns: Option<u64>,
}

/// What a control code of a Windows program has besides. The outcome's value is its `NTSTATUS` as a signed number: below
/// zero are warnings and errors.
#[derive(Clone, Debug)]
pub struct Control {
    /// The function that took it.
    pub function: ControlFunction,
    /// The handle.
    pub handle: u64,
    /// Bytes of the input buffer.
    pub input_len: u32,
    /// Address of the output buffer.
    pub output: u64,
    /// Bytes of the output buffer.
    pub output_len: u32,
    /// What the call said besides its status: mostly how many bytes it filled. `None` if it failed, or goes on.
    pub information: Option<u64>,
    /// The id that the program knows its process by.
    pub process: Option<u32>,
    /// The id that the program knows the thread by.
    pub thread: Option<u32>,
    /// It is a code by which Wine keeps house.
    pub housekeeping: bool,
}

impl Control {
    /// The function's name.
    #[must_use]
    pub const fn function_name(&self) -> &'static str {
        match self.function {
            ControlFunction::Device => "NtDeviceIoControlFile",
            ControlFunction::FileSystem => "NtFsControlFile",
        }
    }

    /// Which of the two buffers there are.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match (self.input_len > 0, self.output_len > 0) {
            (false, false) => Direction::None,
            (true, false) => Direction::Write,
            (false, true) => Direction::Read,
            (true, true) => Direction::ReadWrite,
        }
    }
}

/// `STATUS_PENDING`
const PENDING: u32 = 0x103;

/// What was copied of a call's memory, and what is known to be missing of it.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// What the program handed over.
    pub input: Image,
    /// What it got back.
    pub output: Image,
    /// The files behind other descriptors than the one that the call is made on.
    pub files: Vec<(i32, Target)>,
    /// Return addresses of the program, innermost first.
    pub user_stack: Vec<u64>,
    /// Return addresses in the kernel, innermost first.
    pub kernel_stack: Vec<u64>,
    /// What was handed over was copied and lost: the ring buffer was full.
    pub input_lost: bool,
    /// What was handed over could be read only when the call had returned: the kernel may have changed it.
    pub input_late: bool,
    /// There were more pointers than are followed.
    pub incomplete: bool,
    /// What was left out on purpose.
    pub redaction: Redaction,
}

impl Call {
    /// The architecture whose numbers and layouts hold for this call.
    #[must_use]
    pub const fn arch(&self) -> Arch {
        self.arch
    }

    /// The descriptor, or the handle, as it is written.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        match &self.control {
            Some(control) => Descriptor::Handle(control.handle),
            None => Descriptor::Fd(self.fd),
        }
    }

    /// Whether the program saw it fail.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.outcome.value().is_some_and(|value| value < 0)
    }

    /// The `NTSTATUS` of a control code.
    #[must_use]
    pub fn status(&self) -> Option<u32> {
        self.control.as_ref()?;
        // It was made from 32 bits.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        self.outcome.value().map(|value| value as u32)
    }

    /// Of a control code the device that the handle is of: `\\??\\C:` of a file on that drive, the path that is known of Unix,
    /// or nothing.
    #[must_use]
    pub fn windows_device(&self) -> Option<&[u8]> {
        self.control.as_ref()?;
        let name = self.target.file().map(|file| file.target.as_slice()).unwrap_or_default();
        let mut gaps = name.iter().enumerate().filter(|(_, byte)| **byte == b'\\').map(|(place, _)| place);
        // Behind the object's folder and its own name.
        let end = if name.starts_with(b"\\") { gaps.nth(2) } else { None };
        name.get(..end.unwrap_or(name.len()))
    }

    /// The error by which the call failed, as [`errno::name`](crate::errno::name) takes it: an error number, or below zero
    /// an `NTSTATUS`.
    #[must_use]
    pub fn error(&self) -> Option<i32> {
        match self.status() {
            Some(status) => Some(status.cast_signed()).filter(|status| *status < 0),
            None => self.outcome.errno(),
        }
    }

    /// The third argument, unless it was left out.
    #[must_use]
    pub fn shown_arg(&self) -> Option<u64> {
        (self.data.redaction != Redaction::All).then_some(self.arg)
    }
}

/// The architecture of native calls of a machine, or of those through its 32-bit system call table.
#[must_use]
pub fn arch_of(native: Arch, compat: bool) -> Arch {
    if compat { native.compat().unwrap_or(native) } else { native }
}

/// The architecture of calls through the native system call table, or of those through the 32-bit one.
#[must_use]
pub fn arch(compat: bool) -> Arch {
    arch_of(Arch::native(), compat)
}

/// What a call is made on, as the program has it. Its `Display` is that of programs of its kind: `3`, `0x44`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// A file descriptor.
    Fd(i32),
    /// A handle of Windows.
    Handle(u64),
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fd(fd) => fd.fmt(f),
            Self::Handle(handle) => write!(f, "{handle:#x}"),
        }
    }
}

/// A task's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Comm([u8; ioctl_trace_ebpf::COMM_LEN]);

impl Comm {
    /// From the kernel's field.
    #[must_use]
    pub const fn new(bytes: [u8; ioctl_trace_ebpf::COMM_LEN]) -> Self {
        Self(bytes)
    }

    /// The name without its padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|&b| b == 0).next().unwrap_or_default()
    }
}

/// A call together with what its request means on that file.
#[derive(Clone, Debug)]
pub struct Event {
    /// The call.
    pub call: Call,
    /// The request's names.
    pub request: Lookup<'static>,
}

impl Event {
    /// What is known of the device; nothing if the descriptor was not open.
    #[must_use]
    pub fn device(&self) -> Option<&Device> {
        self.call.target.file()?.device.get()
    }

    /// The request, where nothing else can be meant.
    #[must_use]
    pub const fn certain(&self) -> Option<&'static Request> {
        if let Lookup::Exact(named) = &self.request { Some(named.request) } else { None }
    }

    /// Which way the argument travels. A number older than the scheme does not say; its request may.
    #[must_use]
    pub fn direction(&self) -> Direction {
        if let Some(control) = &self.call.control {
            return control.direction();
        }
        let stated = || Encoding::of(self.call.request, self.call.arch()).dir;
        self.certain().and_then(Request::dir).unwrap_or_else(stated)
    }

    /// What is incomplete or unusual about this call, in words that stay the same.
    #[must_use]
    pub fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        match self.call.outcome {
            Outcome::Returned(_) => {}
            Outcome::Killed(_) => notes.push("killed before the call returned"),
            Outcome::Ended => notes.push("ended inside the call"),
            Outcome::Running => notes.push("still running when tracing stopped"),
        }
        match self.call.target {
            Target::File(_) | Target::Handle => {}
            Target::NotOpen => notes.push("fd not open"),
            Target::Unreadable => notes.push("file not readable"),
        }
        let data = &self.call.data;
        let of_data = [
            (data.input_lost, "input lost"),
            (data.input_late && !data.input.is_empty(), "input read after the call"),
            (data.input.truncated, "input truncated"),
            (data.input.unreadable, "input not readable as a whole"),
            (data.output.truncated, "output truncated"),
            (data.output.unreadable, "output not readable as a whole"),
            (data.incomplete, "not all pointers followed"),
            (data.redaction == Redaction::All, "argument redacted"),
            (data.redaction == Redaction::Text, "text redacted"),
        ];
        notes.extend(of_data.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note));
        if self.call.status() == Some(PENDING) {
            notes.push("went on after the call returned");
        }
        if self.call.control.as_ref().is_some_and(|control| control.housekeeping) {
            notes.push("Wine's own");
        }
        if let Some(file) = self.call.target.file() {
            let of_file = [
                (file.target.is_empty(), "path not known"),
                (file.truncated, "path truncated"),
                (file.deleted, "file deleted"),
            ];
            notes.extend(of_file.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note));
        }
        notes
    }
}
