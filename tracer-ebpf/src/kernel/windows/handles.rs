//! The names that handles were opened by, each sent once.

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, BPF_RB_NO_WAKEUP},
    helpers::generated::{bpf_ktime_get_ns, bpf_probe_read_user},
    macros::map,
    maps::{HashMap, LruHashMap},
    programs::{ProbeContext, RetProbeContext},
};
use ioctl_trace_ebpf::{NAME_BYTES, NameRecord, RecordKind};

use super::{
    super::{
        current::Task,
        filter,
        maps::{header, reserve},
        path::clear,
    },
    program::{Arguments, count, user, word},
};

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

#[inline(always)]
fn key_of(task: Task, handle: u64) -> HandleKey {
    HandleKey { process_ns: task.process_start(), handle, tgid: u64::from(task.tgid()) }
}

/// When a handle was opened, 0 if that was not seen.
#[inline(always)]
pub fn opened(task: Task, handle: u64) -> u64 {
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
    // SAFETY: the entry is room for the record, and all of it is written.
    let failed = unsafe {
        clear(&raw mut (*to).name);
        (*to).header = header(RecordKind::Handle, 0, now);
        (*to).handle = handle;
        (*to).root = root;
        (*to).root_opened_ns = if root == 0 { 0 } else { opened(task, root) };
        (*to).tgid = task.tgid();
        (&raw mut (*to).length).write_volatile(length.into());
        // Read and compared anew: a number that went through the stack has no bounds to verifiers before Linux 6.3.
        let wanted = (&raw const (*to).length).read_volatile();
        let length = if wanted < NAME_BYTES as u32 { wanted } else { NAME_BYTES as u32 };
        bpf_probe_read_user((&raw mut (*to).name).cast(), length, text as *const core::ffi::c_void) != 0
    };
    if failed || HANDLES.insert(key_of(task, handle), &now, 0).is_err() {
        entry.discard(0);
        return None;
    }
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    Some(())
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
