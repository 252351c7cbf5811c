//! Control codes of Windows programs: calls of Wine's `NtDeviceIoControlFile` and `NtFsControlFile`, by probes in its
//! `ntdll.so`, and the names of the handles that they are made on.
//!
//! The functions have Microsoft's calling convention, also on the Unix side. Unlike the programs on tracepoints, these may
//! be preempted, by one another too: they share no room that belongs to a CPU alone, and count by atomic additions.

use core::arch::asm;

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    helpers::{
        bpf_get_smp_processor_id, bpf_probe_read_user,
        generated::{
            bpf_ktime_get_ns, bpf_probe_read_user as bpf_probe_read_user_bytes, bpf_probe_read_user_str,
        },
    },
    macros::map,
    maps::{Array, HashMap, LruHashMap},
    programs::{ProbeContext, RetProbeContext},
};
use ioctl_trace_ebpf::{
    CallRecord, ControlBegun, ControlFunction, ControlKey, ControlPart, Counters, DataRecord, FileIdentity,
    FileStatus, MAX_CAPTURE, NAME_BYTES, NameRecord, ROOMS_PER_CPU, RecordKind, SegmentHeader, SegmentKind,
    call_flags, control_flags, segment_flags,
};

use super::{
    current::Task,
    filter,
    maps::{COUNTERS, header, output, reserve, wake},
    read::{config, copy},
};

/// `STATUS_PENDING`: the call goes on behind the program's back.
const PENDING: u32 = 0x103;
/// The two bits of an `NTSTATUS` that say "error".
const ERROR: u32 = 0xc000_0000;
/// `METHOD_IN_DIRECT`: the second buffer, too, is read by the driver.
const METHOD_IN_DIRECT: u32 = 1;
/// The smallest page.
const PAGE: u64 = 4096;
/// Pages that the largest buffer can touch.
const MAX_PAGES: u32 = MAX_CAPTURE / PAGE as u32 + 1;

const HEADER: u64 = size_of::<SegmentHeader>() as u64;
/// Bytes that may lie in front of the last buffer of a record.
const ROOM: u64 =
    size_of::<CallRecord>() as u64 + size_of::<ControlPart>() as u64 + 3 * (HEADER + 8) + MAX_CAPTURE as u64;

/// Room for a record. Its numbers are read and written as volatile, so that the verifier does not follow them.
#[repr(C)]
struct State {
    /// How many want it; whoever finds to be the only one has it.
    wanted: u64,
    /// Bytes of the record that are filled.
    used: u64,
    /// Bytes of buffers that may still be copied.
    left: u64,
    /// Bytes copied of the present buffer.
    done: u64,
    record: [u8; (ROOM + MAX_CAPTURE as u64 + HEADER + 8) as usize],
}

/// Some for each CPU: a program that is preempted keeps its own. The number is set at load time.
#[map]
static ROOMS: Array<State> = Array::with_max_entries(1, 0);

/// Calls that have begun.
#[map]
static CONTROLS: HashMap<ControlKey, ControlBegun> = HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);

/// A handle that is being opened: where it is going to be, and its object's attributes.
#[repr(C)]
#[derive(Clone, Copy)]
struct Opening {
    handle: u64,
    attributes: u64,
}

/// By thread id.
#[map]
static OPENINGS: HashMap<u32, Opening> = HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);

#[repr(C)]
#[derive(Clone, Copy)]
struct HandleKey {
    /// When its process began: process ids come again.
    process_ns: u64,
    handle: u64,
    tgid: u64,
}

/// Open handles whose names were sent, and when they were opened. The size is set at load time.
#[map]
static HANDLES: LruHashMap<HandleKey, u64> = LruHashMap::with_max_entries(1, 0);

/// Adds in one instruction. The compiler offers no atomic operation for this target.
///
/// # Safety
/// The address must be of a number in a map.
#[inline(always)]
unsafe fn add_atomically(to: *mut u64, more: u64) {
    // SAFETY: see above.
    unsafe {
        asm!("lock *(u64 *)({to} + 0) += {more}", to = in(reg) to, more = in(reg) more, options(nostack))
    };
}

#[inline(always)]
fn count(field: impl FnOnce(*mut Counters) -> *mut u64) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        // SAFETY: map values live until the program ends, and their fields are aligned.
        unsafe { add_atomically(field(counters), 1) };
    }
}

macro_rules! count {
    ($field:ident) => {
        // SAFETY: only the address is taken.
        count(|counters| unsafe { &raw mut (*counters).$field })
    };
}

/// Reads the program's memory.
#[inline(always)]
fn user<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}

/// A pointer, or another word, of the program.
#[inline(always)]
fn word(address: u64, narrow: bool) -> Option<u64> {
    if narrow { user::<u32>(address).map(u64::from) } else { user::<u64>(address) }
}

/// The arguments of a function with Microsoft's calling convention: four registers and the stack, or all on the stack.
#[derive(Clone, Copy)]
struct Arguments {
    registers: [u64; 4],
    stack: u64,
    narrow: bool,
}

impl Arguments {
    #[inline(always)]
    fn of(ctx: &ProbeContext, task: Task) -> Self {
        // SAFETY: the context is that of the probe.
        let regs = unsafe { &*ctx.regs };
        Self { registers: [regs.rcx, regs.rdx, regs.r8, regs.r9], stack: regs.rsp, narrow: task.is_compat() }
    }

    #[inline(always)]
    fn get<const PLACE: usize>(&self) -> Option<u64> {
        // Behind the return address; registers have their room on the stack as well.
        let place = 1 + PLACE as u64;
        if self.narrow {
            return user::<u32>(self.stack + 4 * place).map(u64::from);
        }
        match self.registers.get(PLACE) {
            Some(register) => Some(*register),
            None => user(self.stack + 8 * place),
        }
    }
}

/// A function begins.
#[inline(always)]
pub fn enter(ctx: &ProbeContext, function: ControlFunction) {
    let task = Task::current();
    let arguments = Arguments::of(ctx, task);
    let code = arguments.get::<5>();
    let tgid = task.tgid();
    if !(filter::process_wanted(tgid) && filter::control_wanted(task, code.unwrap_or(0) as u32)) {
        count!(seen);
        count!(filtered);
        return;
    }
    count!(seen);
    if begin(task, &arguments, function).is_none() {
        count!(lost_slot);
    }
}

/// Keeps what has to be known when it returns. `None` if that cannot be done.
#[inline(always)]
fn begin(task: Task, arguments: &Arguments, function: ControlFunction) -> Option<()> {
    let key = ControlKey { tid: task.tid(), function: function as u32 };
    let handle = arguments.get::<0>()?;
    let (process, thread) = ids(task, arguments.narrow);
    let mut begun = ControlBegun {
        // SAFETY: the helper has no preconditions.
        enter_ns: unsafe { bpf_ktime_get_ns() },
        status_block: arguments.get::<4>()?,
        code: arguments.get::<5>()? as u32,
        flags: u32::from(call_flags::CONTROL)
            | if arguments.narrow { u32::from(call_flags::COMPAT) } else { 0 },
        tgid: task.tgid(),
        reserved: 0,
        part: ControlPart {
            handle,
            opened_ns: opened(task, handle),
            input: arguments.get::<6>()?,
            output: arguments.get::<8>()?,
            information: 0,
            input_len: arguments.get::<7>()? as u32,
            output_len: arguments.get::<9>()? as u32,
            function: function as u16,
            flags: 0,
            process,
            thread,
            reserved: 0,
        },
    };
    if CONTROLS.get_ptr(key).is_some() {
        // It was left by a jump over it.
        leave(task, key, begun.enter_ns);
    }
    begun.flags |= u32::from(send_input(&begun, key.tid, 0));
    CONTROLS.insert(key, &begun, 0).ok()
}

/// Sends what is handed over, ahead of the call's own record. Gives the call's flags for it.
///
/// It is sent also where nothing is handed over: it tells that the thread is inside.
#[inline(always)]
fn send_input(begun: &ControlBegun, tid: u32, late: u16) -> u16 {
    let part = &begun.part;
    let Some(room) = Room::take() else {
        count!(lost_data);
        return late | call_flags::INPUT_LOST;
    };
    // SAFETY: the room begins with room for the record.
    unsafe {
        room.at(0).cast::<DataRecord>().write(DataRecord {
            header: header(RecordKind::Data, 0, begun.enter_ns),
            tid,
            control: u32::from(part.function) + 1,
        });
    }
    room.begin(size_of::<DataRecord>() as u64);
    let mut flags = late | room.add(part.input, part.input_len);
    if begun.code & 3 == METHOD_IN_DIRECT {
        flags |= room.add(part.output, part.output_len);
    }
    if room.send() {
        flags | call_flags::INPUT
    } else {
        count!(lost_data);
        flags | call_flags::INPUT_LOST
    }
}

/// A function returns.
#[inline(always)]
pub fn exit(ctx: &RetProbeContext, function: ControlFunction) {
    // SAFETY: the context is that of the probe.
    let status = unsafe { (*ctx.regs).rax } as u32;
    let task = Task::current();
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    end(task, ControlKey { tid: task.tid(), function: function as u32 }, status, now);
}

/// The running task ends; functions that it is inside of will never return.
#[inline(always)]
pub fn abandon(task: Task) {
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    for function in [ControlFunction::Device, ControlFunction::FileSystem] {
        leave(task, ControlKey { tid: task.tid(), function: function as u32 }, now);
    }
}

/// Sends a call that never returned, if there is one.
#[inline(always)]
fn leave(task: Task, key: ControlKey, now: u64) {
    if let Some(begun) = CONTROLS.get_ptr_mut(key) {
        // SAFETY: only its own thread looks at this value, and it stays in its place until removed.
        let begun = unsafe { &*begun };
        finish(begun, task, key, begun.flags as u16 | call_flags::NO_RESULT, 0, now);
    }
}

/// Sends a call that returned.
#[inline(always)]
fn end(task: Task, key: ControlKey, status: u32, now: u64) {
    let Some(begun) = CONTROLS.get_ptr_mut(key) else { return };
    // SAFETY: as above.
    let begun = unsafe { &mut *begun };
    let mut flags = begun.flags as u16;
    if flags & call_flags::INPUT_LATE != 0 {
        flags = flags & !(call_flags::INPUT | call_flags::INPUT_LOST | call_flags::INPUT_LATE)
            | send_input(begun, key.tid, call_flags::INPUT_LATE);
    }
    if status & ERROR != ERROR && status != PENDING {
        let narrow = flags & call_flags::COMPAT != 0;
        let offset = if narrow { 4 } else { 8 };
        if let Some(information) = word(begun.status_block + offset, narrow) {
            begun.part.information = information;
            begun.part.flags |= control_flags::INFORMATION;
        }
    }
    finish(begun, task, key, flags, status, now);
}

/// Sends the record of a call.
#[inline(always)]
fn finish(begun: &ControlBegun, task: Task, key: ControlKey, flags: u16, status: u32, now: u64) {
    let sent = match Room::take() {
        Some(room) => {
            // SAFETY: the room begins with room for the record and the part behind it.
            room.begin(unsafe { fill(&room, begun, task, key.tid, flags, status, now) });
            let part = &begun.part;
            let length = if part.information < u64::from(part.output_len) {
                part.information as u32
            } else {
                part.output_len
            };
            if part.flags & control_flags::INFORMATION != 0 {
                room.add(part.output, length);
            }
            room.send()
        }
        None => false,
    };
    if sent {
        count!(recorded);
    } else {
        count!(lost_ring);
    }
    let _ = CONTROLS.remove(key);
}

/// Writes the record of a call, and its part of a control code. Gives the bytes used.
///
/// # Safety
/// It must be the caller's room.
#[inline(always)]
unsafe fn fill(
    room: &Room,
    begun: &ControlBegun,
    task: Task,
    tid: u32,
    flags: u16,
    status: u32,
    now: u64,
) -> u64 {
    let to = room.at(0).cast::<CallRecord>();
    // SAFETY: see above; all of it is written.
    unsafe {
        (*to).header = header(RecordKind::Call, flags, begun.enter_ns);
        (*to).duration_ns = now.saturating_sub(begun.enter_ns);
        (*to).ret = i64::from(status as i32);
        (*to).arg = begun.part.input;
        (*to).cgroup = task.cgroup();
        (*to).fd = u32::MAX;
        (*to).request = begun.code;
        (*to).tgid = task.tgid();
        (*to).tid = tid;
        (*to).uid = task.uid();
        (*to).gid = task.gid();
        (*to).comm = task.comm();
        let none = FileIdentity { status: FileStatus::Unreadable as u32, ..FileIdentity::NOTHING };
        (&raw mut (*to).file).write(none);
        let place = room.at(size_of::<CallRecord>() as u64);
        place.cast::<SegmentHeader>().write(SegmentHeader {
            address: 0,
            wanted: size_of::<ControlPart>() as u32,
            length: size_of::<ControlPart>() as u32,
            kind: SegmentKind::Control as u16,
            flags: 0,
            reserved: 0,
        });
        copy(&raw const begun.part, place.add(HEADER as usize).cast());
    }
    size_of::<CallRecord>() as u64 + HEADER + size_of::<ControlPart>() as u64
}

/// Room that nobody else has, by its place.
struct Room {
    state: *mut State,
    place: u32,
}

macro_rules! get {
    ($state:expr, $field:ident) => {
        // SAFETY: the state is a map value, which lives until the program ends, and belongs to this program alone.
        unsafe { core::ptr::read_volatile(&raw const (*$state).$field) }
    };
}
macro_rules! set {
    ($state:expr, $field:ident, $value:expr) => {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(&raw mut (*$state).$field, $value) }
    };
}

impl Room {
    /// One of this CPU's, which the program stays on.
    #[inline(always)]
    fn take() -> Option<Self> {
        // SAFETY: the helper has no preconditions.
        let first = unsafe { bpf_get_smp_processor_id() } as u32 * ROOMS_PER_CPU;
        for place in first..first + ROOMS_PER_CPU {
            let state = ROOMS.get_ptr_mut(place)?;
            // SAFETY: map values live until the program ends.
            unsafe {
                let wanted = &raw mut (*state).wanted;
                add_atomically(wanted, 1);
                if wanted.read_volatile() == 1 {
                    return Some(Self { state, place });
                }
                add_atomically(wanted, u64::MAX);
            }
        }
        None
    }

    #[inline(always)]
    fn at(&self, offset: u64) -> *mut u8 {
        at(self.state, offset)
    }

    /// What is added comes behind so many bytes.
    #[inline(always)]
    fn begin(&self, used: u64) {
        set!(self.state, used, used);
        set!(self.state, left, u64::from(config!(max_bytes)));
    }

    /// Adds a buffer: as much of it as the limit allows and can be read. Gives [`call_flags::INPUT_LATE`] if there is more.
    #[inline(always)]
    fn add(&self, address: u64, wanted: u32) -> u16 {
        if address == 0 || wanted == 0 || config!(max_bytes) == 0 {
            return 0;
        }
        if copy_buffer(self.place, address, wanted) == 0 { 0 } else { call_flags::INPUT_LATE }
    }

    /// Sends the record and gives the room back. `false` if there was no room in the ring buffer.
    #[inline(always)]
    fn send(self) -> bool {
        let used = get!(self.state, used);
        let sent = used <= ROOM + u64::from(MAX_CAPTURE) && {
            // SAFETY: `used` bytes are filled.
            output(unsafe { core::slice::from_raw_parts(self.at(0), used as usize) }, Some(used))
        };
        // SAFETY: map values live until the program ends.
        unsafe { add_atomically(&raw mut (*self.state).wanted, u64::MAX) };
        sent
    }
}

#[inline(always)]
fn at(state: *mut State, offset: u64) -> *mut u8 {
    // SAFETY: callers keep the offset within the record; the verifier checks that they do.
    unsafe { (&raw mut (*state).record).cast::<u8>().add(offset as usize) }
}

/// Puts a buffer behind what a room holds. Not 0 if some of it could not be read.
///
/// A global function: the verifier looks at it once, whoever calls it. It takes and gives plain numbers for that.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn copy_buffer(place: u32, address: u64, wanted: u32) -> u32 {
    let Some(state) = ROOMS.get_ptr_mut(place) else { return 0 };
    let (used, left) = (get!(state, used), get!(state, left));
    let length = if u64::from(wanted) < left { u64::from(wanted) } else { left };
    if used > ROOM || length > u64::from(MAX_CAPTURE) {
        return 0;
    }
    set!(state, done, length);
    let to = at(state, used + HEADER).cast();
    // SAFETY: there is room for `length` bytes behind it, see `State`; the helper checks the source.
    let failed =
        unsafe { bpf_probe_read_user_bytes(to, length as u32, address as *const core::ffi::c_void) } != 0;
    if failed {
        set!(state, done, 0);
        for _ in 0..MAX_PAGES {
            if !copy_page(state, used, address, length) {
                break;
            }
        }
    }
    let done = get!(state, done);
    if done > length {
        return 0;
    }
    let cut = if length < u64::from(wanted) { segment_flags::TRUNCATED } else { 0 };
    let unreadable = if done < length { segment_flags::UNREADABLE } else { 0 };
    // SAFETY: there is room for the header, and for the zeros behind the last byte; segments begin at multiples of 8.
    unsafe {
        at(state, used).cast::<SegmentHeader>().write(SegmentHeader {
            address,
            wanted,
            length: done as u32,
            kind: SegmentKind::Memory as u16,
            flags: cut | unreadable,
            reserved: 0,
        });
    }
    let end = get!(state, used) + HEADER + get!(state, done);
    set!(state, used, (end + 7) & !7);
    if end <= ROOM + u64::from(MAX_CAPTURE) {
        // SAFETY: as above.
        unsafe { at(state, end).cast::<u64>().write_unaligned(0) };
    }
    set!(state, left, left - done);
    u32::from(done < length)
}

/// Copies the next page of a buffer. `false` if there is none, or it is not there.
#[inline(always)]
fn copy_page(state: *mut State, used: u64, address: u64, length: u64) -> bool {
    let done = get!(state, done);
    let from = address + done;
    let to_page_end = PAGE - (from & (PAGE - 1));
    let left = length.saturating_sub(done);
    let part = if left < to_page_end { left } else { to_page_end };
    let place = used + HEADER + done;
    if part == 0 || place > ROOM + u64::from(MAX_CAPTURE) - PAGE {
        return false;
    }
    // SAFETY: there is room for a page; the helper checks the source.
    let failed = unsafe {
        bpf_probe_read_user_bytes(at(state, place).cast(), part as u32, from as *const core::ffi::c_void)
    } != 0;
    if !failed {
        set!(state, done, done + part);
    }
    !failed
}

/// The ids that the program itself knows its process and this thread by, from the thread's environment block; zeros if they
/// cannot be read.
#[inline(always)]
fn ids(task: Task, narrow: bool) -> (u32, u32) {
    /// `NtTib.Self` and `ClientId`, in the blocks of 64-bit and of 32-bit threads.
    const PLACES: [(u64, u64); 2] = [(0x30, 0x40), (0x18, 0x20)];
    let (own, client) = if narrow { PLACES[1] } else { PLACES[0] };
    let block = task.environment(narrow);
    if block == 0 || word(block + own, narrow) != Some(block) {
        return (0, 0);
    }
    let width = if narrow { 4 } else { 8 };
    (user::<u32>(block + client).unwrap_or(0), user::<u32>(block + client + width).unwrap_or(0))
}

#[inline(always)]
fn key_of(task: Task, handle: u64) -> HandleKey {
    HandleKey { process_ns: task.process_start(), handle, tgid: u64::from(task.tgid()) }
}

/// When a handle was opened, 0 if that was not seen.
#[inline(always)]
fn opened(task: Task, handle: u64) -> u64 {
    match HANDLES.get_ptr(key_of(task, handle)) {
        // SAFETY: map values live until the program ends.
        Some(time) => unsafe { *time },
        None => 0,
    }
}

/// `NtCreateFile` or `NtOpenFile` begins.
#[inline(always)]
pub fn open(ctx: &ProbeContext) {
    let task = Task::current();
    if !filter::process_wanted(task.tgid()) {
        return;
    }
    let arguments = Arguments::of(ctx, task);
    if let (Some(handle), Some(attributes)) = (arguments.get::<0>(), arguments.get::<2>()) {
        // A name that cannot be kept is not shown.
        let _ = OPENINGS.insert(task.tid(), &Opening { handle, attributes }, 0);
    }
}

/// `NtCreateFile` or `NtOpenFile` returns.
#[inline(always)]
pub fn open_done(ctx: &RetProbeContext) {
    // SAFETY: the context is that of the probe.
    let status = unsafe { (*ctx.regs).rax } as u32 as i32;
    let task = Task::current();
    let Some(opening) = OPENINGS.get_ptr(task.tid()) else { return };
    // SAFETY: only its own thread looks at this value.
    let opening = unsafe { *opening };
    let _ = OPENINGS.remove(task.tid());
    if status >= 0 {
        let narrow = task.is_compat();
        if let Some(handle) = word(opening.handle, narrow)
            && send_name(task, handle, opening.attributes, narrow).is_none()
        {
            // An older name must not be taken for its own.
            let _ = HANDLES.remove(key_of(task, handle));
        }
    }
}

/// Sends the name that a handle was opened by.
#[inline(always)]
fn send_name(task: Task, handle: u64, attributes: u64, narrow: bool) -> Option<()> {
    let width = if narrow { 4 } else { 8 };
    let root = word(attributes + width, narrow)?;
    let name = word(attributes + 2 * width, narrow)?;
    let (length, text) = (user::<u16>(name)?, word(name + width, narrow)?);
    let Some(mut entry) = reserve::<NameRecord>() else {
        count!(lost_control);
        return None;
    };
    let to = entry.as_mut_ptr();
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    let wanted = u32::from(length);
    let length = if wanted < NAME_BYTES as u32 { wanted } else { NAME_BYTES as u32 };
    // SAFETY: the entry is room for the record, and all of it is written.
    let failed = unsafe {
        clear(&raw mut (*to).name);
        (*to).header = header(RecordKind::Handle, 0, now);
        (*to).handle = handle;
        (*to).root = root;
        (*to).root_opened_ns = if root == 0 { 0 } else { opened(task, root) };
        (*to).tgid = task.tgid();
        (*to).length = wanted;
        bpf_probe_read_user_bytes((&raw mut (*to).name).cast(), length, text as *const core::ffi::c_void) != 0
    };
    if failed || HANDLES.insert(key_of(task, handle), &now, 0).is_err() {
        entry.discard(0);
        return None;
    }
    entry.submit(u64::from(aya_ebpf::bindings::BPF_RB_NO_WAKEUP));
    Some(())
}

/// Zeros.
///
/// # Safety
/// `to` must be valid for writing, and begin at a multiple of 8.
#[inline(always)]
unsafe fn clear(to: *mut [u8; NAME_BYTES]) {
    for place in 0..NAME_BYTES / 8 {
        // SAFETY: see above.
        unsafe { to.cast::<u64>().add(place).write_volatile(0) };
    }
}

/// `NtClose` begins.
#[inline(always)]
pub fn close(ctx: &ProbeContext) {
    let task = Task::current();
    if let Some(handle) = Arguments::of(ctx, task).get::<0>() {
        // Most handles have no name.
        let _ = HANDLES.remove(key_of(task, handle));
    }
}

/// A program opens a file: if it is Wine's `ntdll.so`, the user side has to know, and soon.
#[inline(always)]
pub fn file_opened(path: u64) {
    /// What the path ends in.
    const END: [u8; 10] = *b"/ntdll.so\0";
    let task = Task::current();
    if !filter::process_wanted(task.tgid()) {
        return;
    }
    // In words, because they are copied so.
    let mut words = [0_u64; 16];
    let text = words.as_mut_ptr().cast::<u8>();
    // SAFETY: the array has as many bytes; the helper checks the source. Longer paths are not looked for.
    let copied = unsafe {
        bpf_probe_read_user_str(text.cast(), size_of_val(&words) as u32, path as *const core::ffi::c_void)
    };
    let Some(start) = (copied as usize).checked_sub(END.len()) else { return };
    for (place, expected) in END.into_iter().enumerate() {
        // SAFETY: the offset is below the array's size.
        if unsafe { text.add((start + place) & 127).read() } != expected {
            return;
        }
    }
    let Some(mut entry) = reserve::<NameRecord>() else {
        count!(lost_control);
        return;
    };
    let to = entry.as_mut_ptr();
    // SAFETY: the helper has no preconditions; the entry is room for the record, and all of it is written.
    unsafe {
        clear(&raw mut (*to).name);
        (*to).header = header(RecordKind::Library, 0, bpf_ktime_get_ns());
        (*to).handle = 0;
        (*to).root = 0;
        (*to).root_opened_ns = 0;
        (*to).tgid = task.tgid();
        (*to).length = (start + END.len() - 1) as u32;
        copy(&raw const words, (&raw mut (*to).name).cast());
    }
    wake(entry);
}
