//! Life of the wanted processes: children are followed, ends are noticed.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::generated, programs::RawTracePointContext};
use aya_log_ebpf::warn;
use ioctl_trace_ebpf::{ProcessRecord, RecordKind, process_flags};

use super::{
    call,
    current::Task,
    filter::is_target,
    maps::{TARGETS, count, header, reserve, wake},
    read::{config, read},
};

/// The running task made `child`, a new thread or process. It runs before the child does.
#[inline(always)]
pub fn forked(ctx: &RawTracePointContext, child: u64) {
    if config!(by_pid) == 0 {
        return;
    }
    let task = Task::current();
    let (tgid, tid) = (task.tgid(), task.tid());
    let Ok(child_tgid) = read::<u32>(child, config!(task_tgid_off)) else { return };
    if child_tgid == tgid {
        return; // A thread: its process is in the set already, or not wanted.
    }
    let ours = tid == config!(spawner_tid);
    if !ours && (config!(follow) == 0 || !is_target(tgid)) {
        return;
    }
    if TARGETS.insert(child_tgid, 1, u64::from(BPF_NOEXIST)).is_err() {
        count(|c| c.not_followed += 1);
        warn!(ctx, "too many processes: {} is not followed", child_tgid);
        return;
    }
    count(|c| c.followed += 1);
    send(RecordKind::Fork, 0, child_tgid, tgid);
}

/// The running task executed a program. Only 32-bit ones are of interest: the user side has to watch their calls in
/// another way, and soon.
#[inline(always)]
pub fn executed() {
    let task = Task::current();
    let tgid = task.tgid();
    if (config!(by_pid) == 0 || is_target(tgid)) && task.is_compat() {
        send(RecordKind::Exec, process_flags::COMPAT, tgid, 0);
    }
}

/// The running task ends.
#[inline(always)]
pub fn exited(task: u64) {
    let current = Task::current();
    let tgid = current.tgid();
    call::abandon(current);
    if config!(by_pid) == 0 || !is_target(tgid) {
        return;
    }
    // The number of live threads has been lowered already: 0 means that this was the last one.
    let live =
        read::<u64>(task, config!(task_signal_off)).and_then(|s| read::<u32>(s, config!(signal_live_off)));
    if matches!(live, Ok(0)) && TARGETS.remove(tgid).is_ok() {
        count(|c| c.ended += 1);
        send(RecordKind::Exit, 0, tgid, 0);
    }
}

#[inline(always)]
fn send(kind: RecordKind, flags: u16, tgid: u32, parent: u32) {
    let Some(mut entry) = reserve::<ProcessRecord>() else {
        count(|c| c.lost_control += 1);
        return;
    };
    // SAFETY: the helper has no preconditions.
    let now = unsafe { generated::bpf_ktime_get_ns() };
    entry.write(ProcessRecord {
        header: header(kind, flags, now),
        tgid,
        parent,
        comm: Task::current().comm(),
    });
    wake(entry);
}
