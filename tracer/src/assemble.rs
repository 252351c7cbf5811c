//! Records into calls: joins each call with the path of its file, which the kernel side sends once.

mod windows;

use std::{
    ffi::OsStr,
    num::NonZeroUsize,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use ioctl_registry::{Arch, DeviceKind};
use ioctl_trace_ebpf::{
    CallRecord, ControlPart, DataRecord, FileIdentity, FileStatus, InFlight, RecordKind, SegmentKind,
    call_flags, file_flags, process_flags,
};
use lru::LruCache;

use self::windows::Windows;
use crate::{
    event::{self, Call, Comm, Data, File, Outcome, Target},
    host::Host,
    memory::Image,
    process, raw,
    redact::Redaction,
    wire::{self, FileRef, Record, Segment, Segments},
};

/// Files remembered. The kernel side remembers fewer, so that a file it thinks we know is still here.
const MAX_FILES: usize = 16_384;

/// Calls whose input waits for their end, at most: as many as the kernel side has room for.
const MAX_INPUTS: usize = 16_384;
/// Bytes of such input; beyond it the oldest is given up.
const MAX_INPUT_BYTES: usize = 64 << 20;

/// Images kept for the next calls: those of a call and of one whose input waits.
const MAX_SPARE: usize = 4;

const PIPEFS: u64 = 0x5049_5045;
const SOCKFS: u64 = 0x534f_434b;
const ANON_INODE_FS: u64 = 0x0904_1934;
const TMPFS: u64 = 0x0102_1994;
const HUGETLBFS: u64 = 0x9584_58f6;

/// What a record turned into.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are calls")]
pub enum Assembled {
    /// A call, ready to be decoded.
    Call(Call),
    /// A wanted process ended.
    ProcessEnded,
    /// A wanted process, or one that could be, now runs a 32-bit program.
    Compat,
    /// A wanted process opens a file by the name of Wine's library; its path as the process sees it.
    Library(u32, PathBuf),
    /// Nothing of interest by itself.
    Nothing,
    /// The bytes were no record.
    Damaged(wire::WireError),
}

/// Joins records. Keeps the files that calls refer to.
#[derive(Debug)]
pub struct Assembler {
    /// By address of the kernel's `struct file`.
    files: LruCache<u64, Arc<File>>,
    /// What was handed to the calls that have not ended, by thread and kind of call.
    inputs: LruCache<(u32, u32), Input>,
    input_bytes: usize,
    /// What is known of Windows programs.
    windows: Windows,
    /// Images of calls that are done with, for the next.
    spare: Vec<Image>,
    /// The architecture of native calls.
    arch: Arch,
}

/// What a call was given.
#[derive(Debug)]
struct Input {
    /// When the call began.
    time_ns: u64,
    pieces: Pieces,
}

/// The segments of a record, by what they are.
#[derive(Debug, Default)]
struct Pieces {
    image: Image,
    files: Vec<(i32, FileIdentity)>,
    user_stack: Vec<u64>,
    kernel_stack: Vec<u64>,
    control: Option<ControlPart>,
}

impl Pieces {
    /// The image is put into memory of one that nobody needs any more.
    fn new(segments: Segments<'_>, spare: Image) -> Self {
        let memory = segments.filter(|segment| segment.kind == SegmentKind::Memory);
        let mut pieces = Self { image: spare.filled(memory), ..Self::default() };
        for segment in segments {
            match segment.kind {
                SegmentKind::Memory => {}
                SegmentKind::File => pieces.files.extend(descriptor(&segment)),
                SegmentKind::UserStack => pieces.user_stack = addresses(segment.bytes),
                SegmentKind::Control => pieces.control = raw::read(segment.bytes),
                SegmentKind::KernelStack => pieces.kernel_stack = addresses(segment.bytes),
            }
        }
        pieces
    }
}

impl Default for Assembler {
    fn default() -> Self {
        let size = |most| NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        Self {
            files: LruCache::new(size(MAX_FILES)),
            inputs: LruCache::new(size(MAX_INPUTS)),
            input_bytes: 0,
            windows: Windows::default(),
            spare: Vec::new(),
            arch: Arch::native(),
        }
    }
}

impl Assembler {
    /// For records of a machine with these native calls.
    #[must_use]
    pub fn new(arch: Arch) -> Self {
        Self { arch, ..Self::default() }
    }

    /// Takes the next record of a source.
    pub fn record(&mut self, bytes: &[u8], host: &mut dyn Host) -> Assembled {
        match wire::parse(bytes) {
            Ok(Record::Call(call, segments)) => Assembled::Call(self.call(&call, segments, host)),
            Ok(Record::Data(data, segments)) => {
                self.input(&data, segments);
                Assembled::Nothing
            }
            Ok(Record::File(file)) => {
                self.files.put(file.file.file, Arc::new(announced(&file, host)));
                Assembled::Nothing
            }
            Ok(Record::Process(RecordKind::Exit, _)) => Assembled::ProcessEnded,
            Ok(Record::Process(RecordKind::Exec, process))
                if process.header.flags & process_flags::COMPAT != 0 =>
            {
                Assembled::Compat
            }
            Ok(Record::Process(..)) => Assembled::Nothing,
            Ok(Record::Running(tid, now_ns, call)) => {
                Assembled::Call(self.in_flight(tid, &call, now_ns, host))
            }
            Ok(Record::Name(RecordKind::Library, library)) => {
                Assembled::Library(library.tgid, Path::new(OsStr::from_bytes(library.name)).to_owned())
            }
            Ok(Record::Name(_, name)) => {
                self.windows.named(&name);
                Assembled::Nothing
            }
            Ok(Record::Fact(json)) => {
                // One that cannot be read is not known.
                if let Ok(fact) = serde_json::from_slice(json) {
                    host.learn(fact);
                }
                Assembled::Nothing
            }
            Err(error) => Assembled::Damaged(error),
        }
    }

    /// Takes back a call that is done with: the next is put into its memory.
    pub fn recycle(&mut self, call: Call) {
        let Data { input, output, .. } = call.data;
        for image in [input, output] {
            if image.has_room() && self.spare.len() < MAX_SPARE {
                self.spare.push(image);
            }
        }
    }

    fn pieces(&mut self, segments: Segments<'_>) -> Pieces {
        Pieces::new(segments, self.spare.pop().unwrap_or_default())
    }

    /// Keeps what a call was given until the call ends.
    fn input(&mut self, record: &DataRecord, segments: Segments<'_>) {
        let input = Input { time_ns: record.header.time_ns, pieces: self.pieces(segments) };
        self.input_bytes += input.pieces.image.size();
        if record.control != 0 {
            self.windows.began(record.tid, record.header.time_ns);
        }
        if let Some((_, old)) = self.inputs.push((record.tid, record.control), input) {
            self.input_bytes -= old.pieces.image.size();
        }
        while self.input_bytes > MAX_INPUT_BYTES
            && let Some((_, old)) = self.inputs.pop_lru()
        {
            self.input_bytes -= old.pieces.image.size();
        }
    }

    /// What the call that a thread began at this time was given.
    fn take_input(&mut self, thread: (u32, u32), time_ns: u64) -> Option<Pieces> {
        let input = self.inputs.pop(&thread)?;
        self.input_bytes -= input.pieces.image.size();
        (input.time_ns == time_ns).then_some(input.pieces)
    }

    /// What was copied of a call; `returned` came with its own record.
    fn data(
        &mut self,
        pid: u32,
        thread: (u32, u32),
        time_ns: u64,
        flags: u16,
        returned: Pieces,
        host: &mut dyn Host,
    ) -> Data {
        let input = self.take_input(thread, time_ns);
        let has = |flag| flags & flag != 0;
        let input_lost = has(call_flags::INPUT_LOST) || has(call_flags::INPUT) && input.is_none();
        let input = input.unwrap_or_default();
        let files = input.files.iter().chain(&returned.files);
        let files =
            files.map(|(fd, identity)| (*fd, self.target(identity, pid, fd.cast_unsigned(), host))).collect();
        Data {
            input: input.image,
            output: returned.image,
            files,
            user_stack: returned.user_stack,
            kernel_stack: returned.kernel_stack,
            input_lost,
            input_late: has(call_flags::INPUT_LATE),
            incomplete: has(call_flags::INCOMPLETE),
            redaction: Redaction::of(flags),
        }
    }

    /// A call that is still inside the kernel.
    pub fn in_flight(&mut self, tid: u32, call: &InFlight, now_ns: u64, host: &mut dyn Host) -> Call {
        let (comm, uid) = host.task(tid);
        let comm = comm.map(|name| process::comm_bytes(&name)).unwrap_or_default();
        Call {
            start_ns: call.enter_ns,
            duration_ns: now_ns.saturating_sub(call.enter_ns),
            pid: call.tgid,
            tid,
            uid: uid.unwrap_or(u32::MAX),
            cgroup: 0,
            comm: Comm::new(comm),
            fd: call.fd.cast_signed(),
            request: call.request,
            arg: call.arg,
            compat: call.flags & u32::from(call_flags::COMPAT) != 0,
            arch: event::arch_of(self.arch, call.flags & u32::from(call_flags::COMPAT) != 0),
            outcome: Outcome::Running,
            target: self.target(&call.file.identity, call.tgid, call.fd, host),
            data: {
                let flags = (call.flags & u32::from(u16::MAX)) as u16;
                self.data(call.tgid, (tid, 0), call.enter_ns, flags, Pieces::default(), host)
            },
            control: None,
            parent_ns: self.windows.parent(tid, call.enter_ns),
        }
    }

    fn call(&mut self, record: &CallRecord, segments: Segments<'_>, host: &mut dyn Host) -> Call {
        let flags = record.header.flags;
        let returned = self.pieces(segments);
        let part = returned.control.filter(|_| flags & call_flags::CONTROL != 0);
        let control = part.map(|part| Box::new(windows::control(&part)));
        let kind = part.map_or(0, |part| u32::from(part.function) + 1);
        let (arch, target, parent_ns) = match &part {
            Some(part) => {
                self.windows.ended(record.tid);
                let arch = if flags & call_flags::COMPAT != 0 { Arch::Win32 } else { Arch::Win64 };
                (arch, self.windows.target(record.tgid, part), None)
            }
            None => (
                event::arch_of(self.arch, flags & call_flags::COMPAT != 0),
                self.target(&record.file, record.tgid, record.fd, host),
                self.windows.parent(record.tid, record.header.time_ns),
            ),
        };
        let (mut uid, mut comm) = (record.uid, record.comm);
        if flags & call_flags::RUNNING != 0 {
            let (name, user) = host.task(record.tid);
            uid = user.unwrap_or(u32::MAX);
            comm = name.map(|name| process::comm_bytes(&name)).unwrap_or_default();
        }
        Call {
            start_ns: record.header.time_ns,
            duration_ns: record.duration_ns,
            pid: record.tgid,
            tid: record.tid,
            uid,
            cgroup: record.cgroup,
            comm: Comm::new(comm),
            fd: record.fd.cast_signed(),
            request: record.request,
            arg: record.arg,
            compat: flags & call_flags::COMPAT != 0,
            arch,
            outcome: if flags & call_flags::NO_RESULT != 0 {
                Outcome::Ended
            } else if flags & call_flags::RUNNING != 0 {
                Outcome::Running
            } else if flags & call_flags::KILLED != 0 {
                Outcome::Killed(record.ret)
            } else {
                Outcome::Returned(record.ret)
            },
            target,
            data: self.data(record.tgid, (record.tid, kind), record.header.time_ns, flags, returned, host),
            control,
            parent_ns,
        }
    }

    fn target(&mut self, identity: &FileIdentity, pid: u32, fd: u32, host: &mut dyn Host) -> Target {
        match FileStatus::from_raw(identity.status) {
            FileStatus::NotOpen => return Target::NotOpen,
            FileStatus::Unreadable => return Target::Unreadable,
            FileStatus::Known => {}
        }
        if let Some(file) = self.files.get(&identity.file)
            && same_file(file, identity)
        {
            return Target::File(Arc::clone(file));
        }
        // The announcement was lost, or never made; perhaps the process still has the file open.
        let mut file = unnamed(identity);
        if let Some(target) = host.fd_target(pid, fd, identity.ino) {
            file.target = target;
        }
        let file = Arc::new(file);
        self.files.put(identity.file, Arc::clone(&file));
        Target::File(file)
    }
}

/// A descriptor and the file behind it.
fn descriptor(segment: &Segment<'_>) -> Option<(i32, FileIdentity)> {
    Some((u32::try_from(segment.address).ok()?.cast_signed(), raw::read(segment.bytes)?))
}

/// The addresses of a stack.
fn addresses(bytes: &[u8]) -> Vec<u64> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|address| u64::from_ne_bytes(*address))
        .take_while(|address| *address != 0)
        .collect()
}

/// Whether a remembered file is the one of a record: the kernel reuses the address of a closed file.
fn same_file(file: &File, identity: &FileIdentity) -> bool {
    file.ino == identity.ino
        && file.magic == identity.magic
        && file.handler == identity.ioctl
        && file.numbers == numbers(identity)
}

/// What an identity says without a path.
fn unnamed(identity: &FileIdentity) -> File {
    File {
        ino: identity.ino,
        magic: identity.magic,
        kind: kind(identity),
        numbers: numbers(identity),
        handler: identity.ioctl,
        domain: (identity.magic == SOCKFS).then_some(identity.domain),
        ..File::default()
    }
}

/// A file as the kernel side announced it.
fn announced(record: &FileRef<'_>, host: &mut dyn Host) -> File {
    let mut file = unnamed(&record.file);
    file.filesystem = String::from_utf8_lossy(first_component(&record.filesystem)).into();
    file.owner = String::from_utf8_lossy(first_component(&record.owner)).into();
    file.deleted = record.header.flags & file_flags::DELETED != 0;
    file.truncated = record.header.flags & file_flags::TRUNCATED != 0;
    let pseudo = record.header.flags & file_flags::PSEUDO != 0;
    file.target = match record.file.magic {
        SOCKFS => format!("socket:[{}]", file.ino).into_bytes(),
        PIPEFS => format!("pipe:[{}]", file.ino).into_bytes(),
        _ if pseudo && file.kind == DeviceKind::AnonInode => {
            [b"anon_inode:", first_component(record.path)].concat()
        }
        // Memory files (memfd_create, shmem) never had a name in any directory.
        TMPFS | HUGETLBFS if pseudo => {
            file.deleted = true;
            [b"/", first_component(record.path)].concat()
        }
        // Other filesystems without directories make up names of their own (`net:[…]`): only the kernel knows how.
        _ if pseudo => host
            .fd_target(record.tgid, record.fd, file.ino)
            .unwrap_or_else(|| first_component(record.path).to_vec()),
        _ if file.truncated => match full_path(record, &file, host) {
            Some(path) => {
                file.truncated = false;
                path
            }
            None => join(record.path, true),
        },
        _ => join(record.path, false),
    };
    file
}

/// The path of a file whose record was too small for it, from a process that may still have it open.
fn full_path(record: &FileRef<'_>, file: &File, host: &mut dyn Host) -> Option<Vec<u8>> {
    let path = host.fd_target(record.tgid, record.fd, file.ino)?;
    Some(if file.deleted { path.strip_suffix(b" (deleted)").unwrap_or(&path).to_vec() } else { path })
}

fn first_component(path: &[u8]) -> &[u8] {
    path.split(|&b| b == 0).next().unwrap_or_default()
}

/// Components, innermost first, into a path.
fn join(components: &[u8], truncated: bool) -> Vec<u8> {
    let mut path = Vec::with_capacity(components.len() + 4);
    if truncated {
        path.extend_from_slice(b"...");
    }
    for component in components.strip_suffix(b"\0").unwrap_or(components).rsplit(|&b| b == 0) {
        path.push(b'/');
        path.extend_from_slice(component);
    }
    path
}

fn kind(identity: &FileIdentity) -> DeviceKind {
    match identity.mode & libc::S_IFMT {
        libc::S_IFCHR => DeviceKind::Char,
        libc::S_IFBLK => DeviceKind::Block,
        libc::S_IFSOCK => DeviceKind::Socket,
        libc::S_IFIFO => DeviceKind::Fifo,
        libc::S_IFDIR => DeviceKind::Directory,
        _ if identity.magic == ANON_INODE_FS => DeviceKind::AnonInode,
        libc::S_IFREG => DeviceKind::Regular,
        // Anonymous inodes carry no type bits.
        0 => DeviceKind::AnonInode,
        _ => DeviceKind::Unknown,
    }
}

/// Major and minor number in the kernel's own encoding.
fn numbers(identity: &FileIdentity) -> Option<(u32, u32)> {
    matches!(kind(identity), DeviceKind::Char | DeviceKind::Block)
        .then(|| (identity.rdev >> 20, identity.rdev & 0xf_ffff))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        host::LiveHost,
        source::{Batch, Source, scripted::Scripted},
    };

    fn tty(file: u64) -> FileIdentity {
        FileIdentity {
            file,
            ino: 6,
            mode: libc::S_IFCHR | 0o620,
            rdev: 136 << 20 | 3,
            magic: 0x1cd1,
            ..FileIdentity::default()
        }
    }

    fn calls(script: &mut Scripted) -> Vec<Call> {
        let (mut batch, mut assembler) = (Batch::default(), Assembler::default());
        script.read(&mut batch, Duration::ZERO);
        batch
            .records()
            .filter_map(|r| match assembler.record(r, &mut LiveHost::default()) {
                Assembled::Call(call) => Some(call),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_call_gets_the_path_of_its_file() {
        let mut script = Scripted::new();
        script.file(tty(0xf00), "/dev/pts/3", 0);
        script.call(CallRecord { file: tty(0xf00), ret: -25, ..CallRecord::default() });
        let calls = calls(&mut script);
        let file = calls[0].target.file().expect("open");
        assert_eq!(file.target, b"/dev/pts/3");
        assert_eq!(file.numbers, Some((136, 3)));
        assert_eq!(calls[0].outcome.errno(), Some(25));
    }

    #[test]
    fn a_reused_address_does_not_inherit_a_path() {
        let mut script = Scripted::new();
        script.file(tty(0xf00), "/dev/pts/3", 0);
        script.call(CallRecord { file: FileIdentity { ino: 99, ..tty(0xf00) }, ..CallRecord::default() });
        assert_eq!(calls(&mut script)[0].target.file().expect("open").target, b"");
    }

    #[test]
    fn names_of_files_without_directories() {
        let of = |magic, mode, name: &str| {
            let identity = FileIdentity { file: 1, ino: 42, magic, mode, ..FileIdentity::default() };
            let mut script = Scripted::new();
            script.file(identity, name, file_flags::PSEUDO);
            script.call(CallRecord { file: identity, ..CallRecord::default() });
            let calls = calls(&mut script);
            String::from_utf8(calls[0].target.file().expect("open").target.clone()).expect("utf-8")
        };
        assert_eq!(of(SOCKFS, libc::S_IFSOCK, "UDP"), "socket:[42]");
        assert_eq!(of(PIPEFS, libc::S_IFIFO, ""), "pipe:[42]");
        assert_eq!(of(ANON_INODE_FS, 0, "[eventpoll]"), "anon_inode:[eventpoll]");
        assert_eq!(of(ANON_INODE_FS, libc::S_IFREG, "kvm-vm"), "anon_inode:kvm-vm");
        assert_eq!(of(TMPFS, libc::S_IFREG, "memfd:frames"), "/memfd:frames");
    }

    #[test]
    fn paths_are_joined_from_the_innermost_component() {
        assert_eq!(join(b"3\0pts\0dev\0", false), b"/dev/pts/3");
        assert_eq!(join(b"3\0pts\0", true), b".../pts/3");
        assert_eq!(join(b"", false), b"/");
    }

    #[test]
    fn killed_calls_have_no_value() {
        let mut script = Scripted::new();
        let mut record = CallRecord { ret: -512, ..CallRecord::default() };
        record.header.flags = call_flags::KILLED;
        record.file.status = FileStatus::NotOpen as u32;
        script.call(record);
        record.header.flags = call_flags::NO_RESULT;
        script.call(record).raw([1, 2, 3]);
        let calls = calls(&mut script);
        assert_eq!((calls[0].outcome, calls[0].outcome.value()), (Outcome::Killed(-512), None));
        assert_eq!(calls[1].outcome, Outcome::Ended);
    }
}
