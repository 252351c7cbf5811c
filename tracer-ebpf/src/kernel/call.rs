//! Entry and exit of a call.

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid, generated},
};
use aya_log_ebpf::{debug, warn};
use ioctl_trace_ebpf::{
    CallRecord, FileStatus, InFlight, RecordKind, SummaryKey, SummaryValue, bucket_of, call_flags,
};

use super::{
    file, filter,
    maps::{IN_FLIGHT, SUMMARY, Scratch, count, header, reserve, scratch, submit},
    path,
    read::{config, current_task, read},
};

/// `SIGKILL` in a signal set.
const SIGKILL_BIT: u64 = 1 << (9 - 1);
/// `S_IFMT`: the type bits of a mode.
const MODE_TYPE: u32 = 0o170_000;

/// A call enters the kernel.
#[inline(always)]
pub fn enter<C: EbpfContext>(ctx: &C, fd: u32, request: u32, arg: u64, flags: u16) {
    let pid_tgid = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((pid_tgid >> 32) as u32, pid_tgid as u32);
    if tgid == config!(own_tgid) {
        return;
    }
    if !filter::wanted(tgid, request) {
        count(|c| {
            c.seen += 1;
            c.filtered += 1;
        });
        return;
    }
    let Some(Scratch { slot, block }) = scratch() else { return };
    *slot = InFlight { arg, fd, request, tgid, flags: u32::from(flags), ..InFlight::default() };
    file::identify(&mut slot.file, block, fd);
    if slot.file.status == FileStatus::Unreadable as u32 {
        debug!(ctx, "cannot read the file behind fd {} of thread {}", fd, tid);
    }
    if slot.file.status == FileStatus::Known as u32 && config!(summary_only) == 0 {
        path::announce(ctx, block, &slot.file, tgid, fd);
    }
    // SAFETY: the helper has no preconditions.
    slot.enter_ns = unsafe { generated::bpf_ktime_get_ns() };
    let kept = IN_FLIGHT.insert(tid, &*slot, 0).is_ok();
    if !kept {
        warn!(ctx, "too many calls in flight: a call of thread {} is lost", tid);
    }
    count(|c| {
        c.seen += 1;
        c.lost_slot += u64::from(!kept);
    });
}

/// A call leaves the kernel.
#[inline(always)]
pub fn exit<C: EbpfContext>(_ctx: &C, ret: i64) {
    let tid = bpf_get_current_pid_tgid() as u32;
    let Some(slot) = IN_FLIGHT.get_ptr(tid) else { return };
    // SAFETY: the helper has no preconditions.
    let now = unsafe { generated::bpf_ktime_get_ns() };
    // SAFETY: only this thread writes or removes its slot.
    let slot = unsafe { &*slot };
    let duration_ns = now.saturating_sub(slot.enter_ns);
    if config!(summary_only) != 0 {
        summarise(slot, duration_ns, ret);
    } else {
        let killed = if ret < 0 && fatal_signal_pending() { call_flags::KILLED } else { 0 };
        send(slot, tid, duration_ns, ret, killed);
    }
    // It is there: this program found it.
    let _ = IN_FLIGHT.remove(tid);
}

/// The running task ends; a call that it is inside of will never return.
#[inline(always)]
pub fn abandon(tid: u32) {
    let Some(slot) = IN_FLIGHT.get_ptr(tid) else { return };
    // SAFETY: the helper has no preconditions.
    let now = unsafe { generated::bpf_ktime_get_ns() };
    // SAFETY: only this thread writes or removes its slot.
    let slot = unsafe { &*slot };
    let duration_ns = now.saturating_sub(slot.enter_ns);
    if config!(summary_only) != 0 {
        summarise(slot, duration_ns, 0);
    } else {
        send(slot, tid, duration_ns, 0, call_flags::NO_RESULT);
    }
    let _ = IN_FLIGHT.remove(tid);
}

/// A task with a fatal signal pending dies on its way back to user space, so it never sees the result of its call.
#[inline(always)]
fn fatal_signal_pending() -> bool {
    matches!(read::<u64>(current_task(), config!(task_pending_off)), Ok(pending) if pending & SIGKILL_BIT != 0)
}

#[inline(always)]
fn send(slot: &InFlight, tid: u32, duration_ns: u64, ret: i64, flags: u16) {
    let Some(mut entry) = reserve::<CallRecord>() else {
        count(|c| c.lost_ring += 1);
        return;
    };
    let uid_gid = bpf_get_current_uid_gid();
    // SAFETY: the helper has no preconditions.
    let cgroup = unsafe { generated::bpf_get_current_cgroup_id() };
    entry.write(CallRecord {
        header: header(RecordKind::Call, flags | slot.flags as u16, slot.enter_ns),
        duration_ns,
        ret,
        arg: slot.arg,
        cgroup,
        fd: slot.fd,
        request: slot.request,
        tgid: slot.tgid,
        tid,
        uid: uid_gid as u32,
        gid: (uid_gid >> 32) as u32,
        comm: bpf_get_current_comm().unwrap_or_default(),
        file: slot.file,
    });
    submit(entry);
    count(|c| c.recorded += 1);
}

#[inline(always)]
fn summarise(slot: &InFlight, duration_ns: u64, ret: i64) {
    let key = SummaryKey {
        ioctl: slot.file.ioctl,
        magic: slot.file.magic,
        request: slot.request,
        rdev: slot.file.rdev,
        mode: slot.file.mode & MODE_TYPE,
        status: slot.file.status,
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
