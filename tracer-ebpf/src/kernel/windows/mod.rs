//! Control codes of Windows programs: calls of Wine's `NtDeviceIoControlFile` and `NtFsControlFile`, by probes in its
//! `ntdll.so`.
//!
//! The functions have Microsoft's calling convention, also on the Unix side. Unlike the programs on tracepoints, these may
//! be preempted, by one another too: they share no room that belongs to a CPU alone, and count by atomic additions.

mod handles;
mod library;
mod program;
mod room;

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    helpers::generated::bpf_ktime_get_ns,
    macros::map,
    maps::HashMap,
    programs::{ProbeContext, RetProbeContext},
};
use ioctl_trace_ebpf::{
    CallRecord, ControlBegun, ControlFunction, ControlKey, ControlPart, DataRecord, FileIdentity, FileStatus,
    RecordKind, SegmentHeader, SegmentKind, call_flags, control_flags,
};

pub use handles::{close, open, open_done};
pub use library::file_opened;

use super::{current::Task, filter, maps::header, read::copy};
use handles::opened;
use program::{Arguments, count, ids, word};
use room::{HEADER, Room};

/// `STATUS_PENDING`: the call goes on behind the program's back.
const PENDING: u32 = 0x103;
/// The two bits of an `NTSTATUS` that say "error".
const ERROR: u32 = 0xc000_0000;
/// `METHOD_IN_DIRECT`: the second buffer, too, is read by the driver.
const METHOD_IN_DIRECT: u32 = 1;

/// Calls that have begun.
#[map]
static CONTROLS: HashMap<ControlKey, ControlBegun> = HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);

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
