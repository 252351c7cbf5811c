//! Entry and exit of a call.

use aya_ebpf::{EbpfContext, helpers::generated};
use aya_log_ebpf::{debug, warn};
use ioctl_trace_ebpf::{
    CallRecord, DataRecord, FileStatus, InFlight, PLAN_IN, PLAN_OUT, RecordKind, SegmentKind, SummaryKey,
    SummaryValue, bucket_of, call_flags, in_flight_flags,
};

use super::{
    capture::{Work, plan_of},
    current::Task,
    file, filter,
    maps::{IN_FLIGHT, SUMMARY, count, header, reserve, submit},
    read::{config, copy},
};

/// `SIGKILL` in a signal set.
const SIGKILL_BIT: u64 = 1 << (9 - 1);
/// `S_IFMT`: the type bits of a mode.
const MODE_TYPE: u32 = 0o170_000;

/// A call enters the kernel.
#[inline(always)]
pub fn enter<C: EbpfContext>(ctx: &C, fd: u32, request: u32, arg: u64, flags: u16) {
    let task = Task::current();
    let (tgid, tid) = (task.tgid(), task.tid());
    if tgid == config!(own_tgid) {
        return;
    }
    // A thread that has had a wanted call is of a wanted process, which it stays: one look-up tells both.
    let before = IN_FLIGHT.get_ptr_mut(tid);
    // SAFETY: as in `slot_of`.
    let known = before.is_some_and(|slot| unsafe { (*slot).tgid == tgid });
    if !((known || filter::process_wanted(tgid)) && filter::call_wanted(task, request)) {
        count(|c| {
            c.seen += 1;
            c.filtered += 1;
        });
        return;
    }
    let Some(slot) = slot_of(tid, before) else {
        warn!(ctx, "too many threads: a call of thread {} is lost", tid);
        count(|c| {
            c.seen += 1;
            c.lost_slot += 1;
        });
        return;
    };
    if !file::is_still(&slot.file, task, fd)
        && let Some(file) = file::of(fd)
    {
        // SAFETY: both are values of maps.
        unsafe { copy(file, &raw mut slot.file) };
        if slot.file.identity.status == FileStatus::Unreadable as u32 {
            debug!(ctx, "cannot read the file behind fd {} of thread {}", fd, tid);
        }
    }
    let compat = u32::from(flags & call_flags::COMPAT);
    let mut now = compat | in_flight_flags::INSIDE;
    let mut lost_data = false;
    if config!(summary_only) == 0
        && (slot.request != request
            || slot.enter_ns == 0
            || slot.flags & u32::from(call_flags::COMPAT) != compat)
    {
        slot.plan = plan_of(request, compat != 0);
    }
    slot.arg = arg;
    slot.fd = fd;
    slot.request = request;
    slot.tgid = tgid;
    // SAFETY: the helper has no preconditions.
    slot.enter_ns = unsafe { generated::bpf_ktime_get_ns() };
    if config!(summary_only) == 0 && ((arg != 0 && slot.plan.dir & PLAN_IN != 0) || slot.plan.arg_is_fd != 0)
    {
        let (sent, more) = send_input(slot, tid);
        lost_data = !sent;
        now |= u32::from(more);
    }
    slot.flags = now;
    count(|c| {
        c.seen += 1;
        c.lost_data += u64::from(lost_data);
    });
}

/// The place of a thread's calls: the one it has, or a new one.
#[inline(always)]
fn slot_of(tid: u32, known: Option<*mut InFlight>) -> Option<&'static mut InFlight> {
    /// Too large for the stack of older kernels.
    static NOTHING: InFlight = InFlight::NOTHING;
    let slot = match known {
        Some(slot) => slot,
        None => {
            // A failure is seen below.
            let _ = IN_FLIGHT.insert(tid, &NOTHING, 0);
            IN_FLIGHT.get_ptr_mut(tid)?
        }
    };
    // SAFETY: map values live until the program ends, and only its own thread looks at this one.
    Some(unsafe { &mut *slot })
}

/// Copies what the program hands over and sends it ahead of the call's own record. Gives whether that could be sent, and
/// the call's flags.
#[inline(always)]
fn send_input(slot: &InFlight, tid: u32) -> (bool, u16) {
    let Some(work) = Work::begin::<DataRecord>() else { return (false, call_flags::INPUT_LOST) };
    // SAFETY: the head is room for the record.
    unsafe {
        work.head::<DataRecord>().write(DataRecord {
            header: header(RecordKind::Data, 0, slot.enter_ns),
            tid,
            control: 0,
        });
    }
    if slot.plan.arg_is_fd != 0 {
        work.descriptor(slot.arg as u32);
    } else {
        work.copy(&slot.plan, slot.arg, PLAN_IN);
    }
    let mut flags = if work.incomplete() { call_flags::INCOMPLETE } else { 0 };
    if work.faulted() {
        flags |= call_flags::INPUT_LATE;
    }
    if work.send() { (true, flags | call_flags::INPUT) } else { (false, flags | call_flags::INPUT_LOST) }
}

/// A call leaves the kernel.
#[inline(always)]
pub fn exit<C: EbpfContext>(ctx: &C, ret: i64) {
    let task = Task::current();
    let tid = task.tid();
    let Some(slot) = inside(tid) else { return };
    // SAFETY: the helper has no preconditions.
    let now = unsafe { generated::bpf_ktime_get_ns() };
    let duration_ns = now.saturating_sub(slot.enter_ns);
    if config!(summary_only) != 0 {
        summarise(slot, duration_ns, ret);
    } else {
        let mut flags = slot.flags as u16;
        if ret < 0 && task.pending() & SIGKILL_BIT != 0 {
            // It dies on its way back to user space, so it never sees the result of its call.
            flags |= call_flags::KILLED;
        }
        // A page that was not in memory is now, if the kernel has used it.
        if flags & call_flags::INPUT_LATE != 0 {
            let (sent, more) = send_input(slot, tid);
            flags = (flags & !(call_flags::INPUT | call_flags::INPUT_LOST)) | more | call_flags::INPUT_LATE;
            if !sent {
                count(|c| c.lost_data += 1);
            }
        }
        send(ctx, slot, task, duration_ns, ret, flags);
    }
    slot.flags &= !in_flight_flags::INSIDE;
}

/// The call that a thread is inside of.
#[inline(always)]
fn inside(tid: u32) -> Option<&'static mut InFlight> {
    let slot = IN_FLIGHT.get_ptr_mut(tid)?;
    // SAFETY: as in `slot_of`.
    let slot = unsafe { &mut *slot };
    (slot.flags & in_flight_flags::INSIDE != 0).then_some(slot)
}

/// The running task ends; a call that it is inside of will never return.
#[inline(always)]
pub fn abandon(task: Task) {
    let tid = task.tid();
    if let Some(slot) = inside(tid) {
        // SAFETY: the helper has no preconditions.
        let now = unsafe { generated::bpf_ktime_get_ns() };
        let duration_ns = now.saturating_sub(slot.enter_ns);
        if config!(summary_only) != 0 {
            summarise(slot, duration_ns, 0);
        } else {
            send_ended(slot, task, duration_ns);
        }
    }
    // Most threads never had one.
    let _ = IN_FLIGHT.remove(tid);
}

/// Fills the record of a call of the running task: in its place, because the stack has no room for one.
///
/// # Safety
/// `to` must be valid for writing.
#[inline(always)]
unsafe fn fill(to: *mut CallRecord, slot: &InFlight, task: Task, duration_ns: u64, ret: i64, flags: u16) {
    // SAFETY: see above.
    unsafe {
        (*to).header = header(RecordKind::Call, flags, slot.enter_ns);
        (*to).duration_ns = duration_ns;
        (*to).ret = ret;
        (*to).arg = slot.arg;
        (*to).cgroup = task.cgroup();
        (*to).fd = slot.fd;
        (*to).request = slot.request;
        (*to).tgid = slot.tgid;
        (*to).tid = task.tid();
        (*to).uid = task.uid();
        (*to).gid = task.gid();
        (*to).comm = task.comm();
        copy(&raw const slot.file.identity, &raw mut (*to).file);
    }
}

/// Sends a call that returned, with what the program got back.
#[inline(always)]
fn send<C: EbpfContext>(ctx: &C, slot: &InFlight, task: Task, duration_ns: u64, ret: i64, flags: u16) {
    let sent = match Work::begin::<CallRecord>() {
        Some(work) => {
            let head = work.head::<CallRecord>();
            // SAFETY: the head is room for the record.
            unsafe { fill(head, slot, task, duration_ns, ret, flags) };
            if config!(user_stack) != 0 {
                work.stack(ctx, SegmentKind::UserStack);
            }
            if config!(kernel_stack) != 0 {
                work.stack(ctx, SegmentKind::KernelStack);
            }
            let dir = if ret < 0 { slot.plan.dir & !slot.plan.on_success } else { slot.plan.dir };
            if slot.plan.result_is_fd != 0 && ret >= 0 {
                work.descriptor(ret as u32);
            }
            if slot.arg != 0 && dir & PLAN_OUT != 0 {
                work.copy(&slot.plan, slot.arg, PLAN_OUT);
                if work.incomplete() {
                    // SAFETY: as above.
                    unsafe { (*head).header.flags = flags | call_flags::INCOMPLETE };
                }
            }
            work.send()
        }
        None => false,
    };
    count(|c| {
        c.recorded += u64::from(sent);
        c.lost_ring += u64::from(!sent);
    });
}

/// Sends a call that never returned.
#[inline(always)]
fn send_ended(slot: &InFlight, task: Task, duration_ns: u64) {
    let Some(mut entry) = reserve::<CallRecord>() else {
        count(|c| c.lost_ring += 1);
        return;
    };
    // SAFETY: the entry is room for the record.
    unsafe {
        fill(entry.as_mut_ptr(), slot, task, duration_ns, 0, slot.flags as u16 | call_flags::NO_RESULT);
    }
    submit(entry);
    count(|c| c.recorded += 1);
}

#[inline(always)]
fn summarise(slot: &InFlight, duration_ns: u64, ret: i64) {
    let key = SummaryKey {
        ioctl: slot.file.identity.ioctl,
        magic: slot.file.identity.magic,
        request: slot.request,
        rdev: slot.file.identity.rdev,
        mode: slot.file.identity.mode & MODE_TYPE,
        status: slot.file.identity.status,
    };
    let totals = match SUMMARY.get_ptr_mut(key) {
        Some(totals) => totals,
        None => match new_totals(key) {
            Some(totals) => totals,
            None => {
                count(|c| c.lost_summary += 1);
                return;
            }
        },
    };
    // SAFETY: the entry belongs to this CPU and tracing programs are not preempted by each other.
    let totals: &mut SummaryValue = unsafe { &mut *totals };
    totals.calls += 1;
    totals.errors += u64::from(ret < 0);
    totals.total_ns += duration_ns;
    if duration_ns > totals.max_ns {
        totals.max_ns = duration_ns;
    }
    if totals.calls == 1 || duration_ns < totals.min_ns {
        totals.min_ns = duration_ns;
    }
    if let Some(bucket) = totals.buckets.get_mut(bucket_of(duration_ns)) {
        *bucket += 1;
    }
    count(|c| c.counted += 1);
}

/// Makes the entry of a key. The kernel zeroes it on all CPUs but this one, whose value is taken from `EMPTY`.
#[inline(always)]
fn new_totals(key: SummaryKey) -> Option<*mut SummaryValue> {
    /// Too large for the 512 bytes of a BPF stack.
    static EMPTY: SummaryValue = SummaryValue {
        calls: 0,
        errors: 0,
        total_ns: 0,
        max_ns: 0,
        min_ns: 0,
        buckets: [0; ioctl_trace_ebpf::BUCKETS],
    };
    // Another CPU may have made it meanwhile; the look-up below then finds that one.
    let _ = SUMMARY.insert(key, &EMPTY, u64::from(aya_ebpf::bindings::BPF_NOEXIST));
    SUMMARY.get_ptr_mut(key)
}
