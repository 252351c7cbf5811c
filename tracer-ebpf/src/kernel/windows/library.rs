//! Which Wines are run: the files by the name of its library that programs open.

use aya_ebpf::{
    helpers::generated::{bpf_ktime_get_ns, bpf_probe_read_user_str},
    macros::map,
    maps::PerCpuArray,
};
use ioctl_trace_ebpf::{NameRecord, RecordKind};

use super::{
    super::{
        current::Task,
        filter,
        maps::{header, reserve, wake},
        path::clear,
        read::copy,
    },
    program::count,
};

/// Bytes of a path that are looked at.
const PATH_BYTES: u32 = 128;

/// One entry: room for a path, because a program that calls others has little on its stack. Tracepoints are not preempted.
#[map]
static OPENED: PerCpuArray<[u64; PATH_BYTES as usize / 8]> = PerCpuArray::with_max_entries(1, 0);

/// A program opens a file: if it is Wine's `ntdll.so`, the user side has to know, and soon.
#[inline(always)]
pub fn file_opened(path: u64) {
    /// What the path ends in.
    const END: [u8; 10] = *b"/ntdll.so\0";
    let task = Task::current();
    if !filter::process_wanted(task.tgid()) {
        return;
    }
    let Some(words) = OPENED.get_ptr_mut(0) else { return };
    let text = words.cast::<u8>();
    // SAFETY: the array has as many bytes; the helper checks the source. Longer paths are not looked for.
    let copied =
        unsafe { bpf_probe_read_user_str(text.cast(), PATH_BYTES, path as *const core::ffi::c_void) };
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
        copy(words, (&raw mut (*to).name).cast());
    }
    wake(entry);
}
