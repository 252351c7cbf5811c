//! Is a call wanted? Runs before anything is copied; a filter that is off is removed by the verifier.

use ioctl_trace_ebpf::RequestMode;

use super::{
    current::Task,
    maps::{CGROUPS, COMMS, PROCESSES, REQUESTS, TARGETS, UIDS},
    read::config,
};

/// Slots of the map `CGROUPS`.
const MAX_CGROUPS: u32 = 16;

/// Whether calls of a process are wanted, if the others agree. The answer does not change while its threads live.
#[inline(always)]
pub fn process_wanted(tgid: u32) -> bool {
    config!(by_pid) == 0 || is_target(tgid)
}

/// Whether a call of the running task is wanted, if its process is. Filters of different kinds must all agree.
#[inline(always)]
pub fn call_wanted(task: Task, request: u32) -> bool {
    request_wanted(request) && caller_wanted(task)
}

/// The same of a control code. Numbers that are not wanted are those of requests: what they are as codes, the user side
/// looks at.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
pub fn control_wanted(task: Task, code: u32) -> bool {
    (config!(request_mode) == RequestMode::Except as u32 || request_wanted(code)) && caller_wanted(task)
}

/// Whether calls of the running task are wanted, if its process is.
#[inline(always)]
fn caller_wanted(task: Task) -> bool {
    (config!(by_process) == 0 || PROCESSES.get_ptr(task.tgid()).is_some())
        && (config!(by_uid) == 0 || contains_uid(task.uid()))
        && (config!(by_comm) == 0 || comm_wanted(task))
        && (config!(cgroups) == 0 || cgroup_wanted())
}

/// Whether a process is in the set of wanted processes.
#[inline(always)]
pub fn is_target(tgid: u32) -> bool {
    TARGETS.get_ptr(tgid).is_some()
}

#[inline(always)]
fn contains_uid(uid: u32) -> bool {
    UIDS.get_ptr(uid).is_some()
}

#[inline(always)]
fn request_wanted(request: u32) -> bool {
    let mode = config!(request_mode);
    if mode == RequestMode::Any as u32 {
        return true;
    }
    REQUESTS.get_ptr(request).is_some() == (mode == RequestMode::Only as u32)
}

/// The thread's own name, or that of its process: threads often have names of their own.
#[inline(always)]
fn comm_wanted(task: Task) -> bool {
    COMMS.get_ptr(task.comm()).is_some()
        || task.process_comm().is_some_and(|comm| COMMS.get_ptr(comm).is_some())
}

#[inline(always)]
fn cgroup_wanted() -> bool {
    let cgroups = config!(cgroups);
    for index in 0..MAX_CGROUPS {
        if index < cgroups && matches!(CGROUPS.current_task_under_cgroup(index), Ok(true)) {
            return true;
        }
    }
    false
}
