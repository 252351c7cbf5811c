//! Records that travel through the ring buffer, kernel to user. Fields are in the machine's byte order.

use crate::{COMM_LEN, Plan};

/// Bytes that a file's path may take in a [`FileRecord`]; longer paths are cut and flagged.
pub const PATH_BYTES: usize = 1024;

/// Bytes that the name of a filesystem's type may take, its NUL included; longer ones are cut.
pub const FILESYSTEM_BYTES: usize = 16;

/// Bytes that the name of a module may take, its NUL included; longer ones are cut.
pub const MODULE_BYTES: usize = 32;

/// What a record is; the first field of its header.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A finished (or killed) call: [`CallRecord`].
    Call = 1,
    /// The path behind a file, once per file and before its first call: [`FileRecord`].
    File = 2,
    /// A wanted process made a child process: [`ProcessRecord`].
    Fork = 3,
    /// A wanted process, or one that could be, executed a 32-bit program: [`ProcessRecord`].
    Exec = 4,
    /// A wanted process ended (its last thread): [`ProcessRecord`].
    Exit = 5,
    /// What a call that just began was given: [`DataRecord`].
    Data = 6,
    /// In recordings: a call that was inside the kernel when tracing ended; its thread as 8 bytes, and [`InFlight`].
    Running = 7,
    /// In recordings: what the traced machine answered, as JSON.
    Fact = 8,
    /// The name that a Windows program opened a handle by: [`NameRecord`].
    Handle = 9,
    /// A wanted process opens Wine's `ntdll.so`: [`NameRecord`], with the path as its name.
    Library = 10,
}

impl RecordKind {
    /// The kind for a number found in a record, if it is one we know.
    #[must_use]
    pub const fn from_raw(raw: u16) -> Option<Self> {
        Some(match raw {
            1 => Self::Call,
            2 => Self::File,
            3 => Self::Fork,
            4 => Self::Exec,
            5 => Self::Exit,
            6 => Self::Data,
            7 => Self::Running,
            8 => Self::Fact,
            9 => Self::Handle,
            10 => Self::Library,
            _ => return None,
        })
    }
}

/// Begin of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordHeader {
    /// A [`RecordKind`].
    pub kind: u16,
    /// Flags of that kind ([`call_flags`], [`file_flags`]).
    pub flags: u16,
    /// CPU that wrote the record.
    pub cpu: u32,
    /// Nanoseconds of `CLOCK_MONOTONIC`: when the call entered the kernel, or when the event happened.
    pub time_ns: u64,
}

/// Flags of a [`CallRecord`].
pub mod call_flags {
    /// The call came through the 32-bit system call table.
    pub const COMPAT: u16 = 1;
    /// A fatal signal was pending when the call failed: the program never saw the result.
    pub const KILLED: u16 = 2;
    /// The task ended inside the call: there is no result.
    pub const NO_RESULT: u16 = 4;
    /// A [`DataRecord`](super::DataRecord) with what the call was given was sent.
    pub const INPUT: u16 = 8;
    /// What the call was given could not be sent: the ring buffer was full.
    pub const INPUT_LOST: u16 = 16;
    /// There were more pointers than are followed.
    pub const INCOMPLETE: u16 = 32;
    /// What the call was given could be read only when it had returned; the kernel may have changed it meanwhile.
    pub const INPUT_LATE: u16 = 64;
    /// In recordings: the argument was left out.
    pub const REDACTED: u16 = 128;
    /// On the user side: text of the argument was left out.
    pub const TEXT_REDACTED: u16 = 256;
    /// It is a control code of a Windows program, with a [`ControlPart`](super::ControlPart). The request is the code, the
    /// argument the address of the input buffer, and the result the `NTSTATUS`; there is no descriptor.
    pub const CONTROL: u16 = 512;
    /// On the user side: it was not over when tracing ended.
    pub const RUNNING: u16 = 1024;
}

/// Flags of a [`FileRecord`].
pub mod file_flags {
    /// The path did not fit, or had too many components: its outermost part is missing.
    pub const TRUNCATED: u16 = 1;
    /// The file's name has been removed from its directory.
    pub const DELETED: u16 = 2;
    /// The file belongs to no directory tree (socket, pipe, anonymous inode); the only component is its own name.
    pub const PSEUDO: u16 = 4;
}

/// Flags of a [`ProcessRecord`].
pub mod process_flags {
    /// The program is a 32-bit one on a 64-bit kernel.
    pub const COMPAT: u16 = 1;
}

/// Whether a [`FileIdentity`] could be read.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileStatus {
    /// All fields are valid.
    Known = 0,
    /// The descriptor was not open.
    NotOpen = 1,
    /// Kernel memory could not be read; fields are zero from the failing one on.
    Unreadable = 2,
}

impl FileStatus {
    /// The status for a number found in a record; anything unknown counts as unreadable.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        match raw {
            0 => Self::Known,
            1 => Self::NotOpen,
            _ => Self::Unreadable,
        }
    }
}

/// Who is behind a file descriptor: taken from the kernel's own structures when the call begins.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileIdentity {
    /// Address of the `struct file`; identifies the open file while it is open.
    pub file: u64,
    /// Address of its `struct file_operations`.
    pub f_op: u64,
    /// Address of `f_op->unlocked_ioctl`, 0 if the file has none.
    pub ioctl: u64,
    /// Address of `f_op->compat_ioctl`, 0 if the file has none.
    pub compat_ioctl: u64,
    /// Inode number.
    pub ino: u64,
    /// `s_magic` of the filesystem.
    pub magic: u64,
    /// Device number of a device node in the kernel's encoding (`major << 20 | minor`), else 0.
    pub rdev: u32,
    /// Device number of the filesystem, same encoding.
    pub dev: u32,
    /// `i_mode`: type and permissions.
    pub mode: u32,
    /// `f_flags` as of `open(2)`.
    pub flags: u32,
    /// A [`FileStatus`].
    pub status: u32,
    /// Of a socket its family (`AF_INET`), else 0.
    pub domain: u32,
}

impl FileIdentity {
    /// All fields zero.
    pub const NOTHING: Self = Self {
        file: 0,
        f_op: 0,
        ioctl: 0,
        compat_ioctl: 0,
        ino: 0,
        magic: 0,
        rdev: 0,
        dev: 0,
        mode: 0,
        flags: 0,
        status: 0,
        domain: 0,
    };
}

/// What tells an open file, and its name, from a later one at the same address: addresses in the kernel, and the hash and
/// the length of its name.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileMark {
    /// `f_inode`.
    pub inode: u64,
    /// `f_path.dentry`.
    pub dentry: u64,
    /// `d_name.hash_len`.
    pub name_hash: u64,
    /// `d_parent`.
    pub parent: u64,
    /// `d_hash.pprev`, 0 if the name has been removed from its directory.
    pub pprev: u64,
}

impl FileMark {
    /// All fields zero.
    pub const NOTHING: Self = Self { inode: 0, dentry: 0, name_hash: 0, parent: 0, pprev: 0 };
}

/// A file that the kernel side remembers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownFile {
    /// What it is.
    pub identity: FileIdentity,
    /// By what it is known again.
    pub mark: FileMark,
}

/// One `ioctl(2)`. Segments follow: what the program got back, and stacks.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallRecord {
    /// Kind [`RecordKind::Call`]; the time is that of entry.
    pub header: RecordHeader,
    /// Nanoseconds from entry to exit.
    pub duration_ns: u64,
    /// What the call returned: `-errno` if it failed.
    pub ret: i64,
    /// Third argument.
    pub arg: u64,
    /// Id of the task's cgroup (version 2).
    pub cgroup: u64,
    /// First argument.
    pub fd: u32,
    /// Second argument.
    pub request: u32,
    /// Process (thread group) id in the initial namespace.
    pub tgid: u32,
    /// Thread id in the initial namespace.
    pub tid: u32,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// The thread's name, NUL-padded.
    pub comm: [u8; COMM_LEN],
    /// The file behind `fd`.
    pub file: FileIdentity,
}

/// Flags of an [`InFlight`] beside [`call_flags`].
pub mod in_flight_flags {
    /// The call is inside the kernel.
    pub const INSIDE: u32 = 1 << 16;
}

/// The last call of a thread: value of the map `IN_FLIGHT`, keyed by thread id. It stays when the call has returned, so
/// that the next one finds its place.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// `CLOCK_MONOTONIC` at entry, in nanoseconds.
    pub enter_ns: u64,
    /// Third argument.
    pub arg: u64,
    /// First argument.
    pub fd: u32,
    /// Second argument.
    pub request: u32,
    /// Process (thread group) id.
    pub tgid: u32,
    /// [`call_flags`] known at entry, and [`in_flight_flags`].
    pub flags: u32,
    /// What is copied of the argument.
    pub plan: Plan,
    /// The file behind `fd`.
    pub file: KnownFile,
}

impl InFlight {
    /// No call.
    pub const NOTHING: Self = Self {
        enter_ns: 0,
        arg: 0,
        fd: 0,
        request: 0,
        tgid: 0,
        flags: 0,
        plan: Plan::of_number(0),
        file: KnownFile { identity: FileIdentity::NOTHING, mark: FileMark::NOTHING },
    };
}

/// What a call was given. Segments follow. It is sent before the call's own record; a later one for the same call
/// replaces it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataRecord {
    /// Kind [`RecordKind::Data`]; the time is that of the call's entry.
    pub header: RecordHeader,
    /// Thread id in the initial namespace.
    pub tid: u32,
    /// Of an `ioctl(2)` 0, of a control code its [`ControlFunction`] and 1.
    pub control: u32,
}

/// The function that takes a control code.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlFunction {
    /// `NtDeviceIoControlFile`
    Device = 0,
    /// `NtFsControlFile`
    FileSystem = 1,
}

impl ControlFunction {
    /// The function for a number found in a record.
    #[must_use]
    pub const fn from_raw(raw: u16) -> Self {
        if raw == 1 { Self::FileSystem } else { Self::Device }
    }
}

/// Flags of a [`ControlPart`].
pub mod control_flags {
    /// The status block was filled: `information` is valid.
    pub const INFORMATION: u16 = 1;
}

/// What a control code has beside a [`CallRecord`]: a segment of its own.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlPart {
    /// The handle.
    pub handle: u64,
    /// When the handle was opened, as its [`NameRecord`] has it; 0 if that was not seen.
    pub opened_ns: u64,
    /// Address of the input buffer.
    pub input: u64,
    /// Address of the output buffer.
    pub output: u64,
    /// `IO_STATUS_BLOCK.Information`: mostly the number of bytes that were filled.
    pub information: u64,
    /// Bytes of the input buffer.
    pub input_len: u32,
    /// Bytes of the output buffer.
    pub output_len: u32,
    /// A [`ControlFunction`].
    pub function: u16,
    /// [`control_flags`].
    pub flags: u16,
    /// The id that the program knows its process by, 0 if not known.
    pub process: u32,
    /// The id that the program knows the thread by, 0 if not known.
    pub thread: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Key of the map `CONTROLS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlKey {
    /// Thread id in the initial namespace.
    pub tid: u32,
    /// A [`ControlFunction`].
    pub function: u32,
}

/// A control code that a thread carries out: value of the map `CONTROLS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlBegun {
    /// `CLOCK_MONOTONIC` when it began, in nanoseconds.
    pub enter_ns: u64,
    /// Address of its `IO_STATUS_BLOCK`.
    pub status_block: u64,
    /// The code.
    pub code: u32,
    /// [`call_flags`] known when it began.
    pub flags: u32,
    /// Process (thread group) id.
    pub tgid: u32,
    /// Always 0.
    pub reserved: u32,
    /// What goes into its record.
    pub part: ControlPart,
}

/// Bytes that a name may take in a [`NameRecord`].
pub const NAME_BYTES: usize = 512;

/// Rooms for records of control codes that each CPU has: as many of the programs may be preempted at once.
pub const ROOMS_PER_CPU: u32 = 4;

/// A name: of a handle in UTF-16 and in the machine's byte order, of a library in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NameRecord {
    /// Kind [`RecordKind::Handle`] or [`RecordKind::Library`]; the time is when it was opened.
    pub header: RecordHeader,
    /// The handle.
    pub handle: u64,
    /// The handle that the name is relative to, 0 for none.
    pub root: u64,
    /// When that was opened, 0 if not known.
    pub root_opened_ns: u64,
    /// Its process.
    pub tgid: u32,
    /// Bytes of the name; more than `name` has if it was cut.
    pub length: u32,
    /// The name, and zeros.
    pub name: [u8; NAME_BYTES],
}

/// The path behind a file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FileRecord {
    /// Kind [`RecordKind::File`], flags [`file_flags`].
    pub header: RecordHeader,
    /// The file, as in the calls that follow.
    pub file: FileIdentity,
    /// Process that makes the call.
    pub tgid: u32,
    /// The descriptor in that process.
    pub fd: u32,
    /// Bytes used in `path`.
    pub path_len: u32,
    /// Always 0.
    pub reserved: u32,
    /// Name of the filesystem's type, NUL-padded.
    pub filesystem: [u8; FILESYSTEM_BYTES],
    /// Name of the module that the file's operations belong to, NUL-padded; empty if they are built in.
    pub owner: [u8; MODULE_BYTES],
    /// Path components, innermost first, each with a terminating NUL.
    pub path: [u8; PATH_BYTES],
}

/// A process event.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessRecord {
    /// Kind `Fork`, `Exec` or `Exit`.
    pub header: RecordHeader,
    /// The process: the child for a fork.
    pub tgid: u32,
    /// The parent for a fork, else 0.
    pub parent: u32,
    /// Name of the task.
    pub comm: [u8; COMM_LEN],
}

const _: () = {
    assert!(size_of::<RecordHeader>() == 16);
    assert!(size_of::<FileIdentity>() == 72);
    assert!(size_of::<CallRecord>() == 160);
    assert!(size_of::<InFlight>() == 176);
    assert!(size_of::<DataRecord>() == 24);
    assert!(size_of::<ControlPart>() == 64);
    assert!(size_of::<ControlBegun>() == 96);
    assert!(size_of::<NameRecord>() == 48 + NAME_BYTES);
    assert!(size_of::<FileRecord>() == 16 + 72 + 16 + FILESYSTEM_BYTES + MODULE_BYTES + PATH_BYTES);
    assert!(size_of::<ProcessRecord>() == 40);
};
