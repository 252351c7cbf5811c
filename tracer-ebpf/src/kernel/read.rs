//! Reading kernel memory, and the settings. The only module that follows raw addresses.

use aya_ebpf::{
    bindings::task_struct,
    helpers::{bpf_get_current_task, bpf_probe_read_kernel},
};
use ioctl_trace_ebpf::Config;

/// Written by the user side before the object is loaded.
#[unsafe(no_mangle)]
static CONFIG: Config = Config::ZERO;

/// A setting. The read is volatile because the compiler would otherwise use the zero it sees.
macro_rules! config {
    ($field:ident) => {
        $crate::kernel::read::setting(|config| &config.$field)
    };
}
pub(crate) use config;

#[inline(always)]
pub fn setting(field: impl FnOnce(&'static Config) -> &'static u32) -> u32 {
    // SAFETY: a reference to a static is valid to read.
    unsafe { core::ptr::read_volatile(field(&CONFIG)) }
}

/// Reads a `T` at `base + offset`; the error is that of the helper.
#[inline(always)]
pub fn read<T>(base: u64, offset: u32) -> Result<T, i32> {
    // SAFETY: `bpf_probe_read_kernel` checks the address and fails instead of faulting.
    unsafe { bpf_probe_read_kernel((base + u64::from(offset)) as *const T) }
}

/// Address of the running task's `task_struct`.
#[inline(always)]
pub fn current_task() -> u64 {
    // SAFETY: the helper has no preconditions.
    let task: *const task_struct = unsafe { bpf_get_current_task() } as *const task_struct;
    task as u64
}
