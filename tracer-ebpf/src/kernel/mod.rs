//! The programs and where they attach. What they do is in the modules below.

mod call;
mod capture;
#[cfg(any(bpf_target_arch = "x86_64", bpf_target_arch = "aarch64"))]
mod compat;
mod current;
mod file;
mod filter;
mod maps;
mod path;
mod read;
mod task;
#[cfg(bpf_target_arch = "x86_64")]
mod windows;

use aya_ebpf::{
    EbpfContext,
    macros::{raw_tracepoint, tracepoint},
    programs::{RawTracePointContext, TracePointContext},
};

/// Offsets of the arguments in the records of `syscalls:sys_enter_*`: an 8-byte header and the system call's number
/// come first, each argument takes 8 bytes (stable since the tracepoints exist, see their `format` files).
const ENTER_FD: usize = 16;
const ENTER_REQUEST: usize = 24;
const ENTER_ARG: usize = 32;
/// Offset of the result in the records of `syscalls:sys_exit_*`.
const EXIT_RET: usize = 16;

/// A word of a tracepoint's record: a plain load, where a helper would cost more than all that is done with it.
///
/// # Safety
/// The offset must be within the record of the tracepoint.
#[inline(always)]
unsafe fn word(ctx: &TracePointContext, offset: usize) -> u64 {
    // SAFETY: see above; the verifier checks it.
    unsafe { ctx.as_ptr().cast::<u8>().add(offset).cast::<u64>().read_volatile() }
}

#[tracepoint]
pub fn enter_ioctl(ctx: TracePointContext) -> u32 {
    // SAFETY: the offsets are those of this tracepoint.
    let (fd, request, arg) =
        unsafe { (word(&ctx, ENTER_FD), word(&ctx, ENTER_REQUEST), word(&ctx, ENTER_ARG)) };
    call::enter(&ctx, fd as u32, request as u32, arg, 0);
    0
}

#[tracepoint]
pub fn exit_ioctl(ctx: TracePointContext) -> u32 {
    // SAFETY: as above.
    call::exit(&ctx, unsafe { word(&ctx, EXIT_RET) } as i64);
    0
}

#[cfg(any(bpf_target_arch = "x86_64", bpf_target_arch = "aarch64"))]
#[raw_tracepoint(tracepoint = "sys_enter")]
pub fn compat_enter(ctx: RawTracePointContext) -> i32 {
    compat::enter(&ctx);
    0
}

#[cfg(any(bpf_target_arch = "x86_64", bpf_target_arch = "aarch64"))]
#[raw_tracepoint(tracepoint = "sys_exit")]
pub fn compat_exit(ctx: RawTracePointContext) -> i32 {
    compat::exit(&ctx);
    0
}

#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub fn process_fork(ctx: RawTracePointContext) -> i32 {
    task::forked(&ctx, ctx.arg::<u64>(1));
    0
}

#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn process_exec(_ctx: RawTracePointContext) -> i32 {
    task::executed();
    0
}

#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit(ctx: RawTracePointContext) -> i32 {
    task::exited(ctx.arg::<u64>(0));
    0
}

#[cfg(bpf_target_arch = "x86_64")]
mod probes {
    //! Control codes of Windows programs.

    use aya_ebpf::{
        macros::{raw_tracepoint, tracepoint, uprobe, uretprobe},
        programs::{ProbeContext, RawTracePointContext, RetProbeContext, TracePointContext},
    };
    use ioctl_trace_ebpf::ControlFunction;

    use super::{ENTER_REQUEST, current::Task, windows, word};

    #[uprobe]
    pub fn control_enter(ctx: ProbeContext) -> u32 {
        windows::enter(&ctx, ControlFunction::Device);
        0
    }

    #[uretprobe]
    pub fn control_exit(ctx: RetProbeContext) -> u32 {
        windows::exit(&ctx, ControlFunction::Device);
        0
    }

    #[uprobe]
    pub fn fs_control_enter(ctx: ProbeContext) -> u32 {
        windows::enter(&ctx, ControlFunction::FileSystem);
        0
    }

    #[uretprobe]
    pub fn fs_control_exit(ctx: RetProbeContext) -> u32 {
        windows::exit(&ctx, ControlFunction::FileSystem);
        0
    }

    #[uprobe]
    pub fn handle_open(ctx: ProbeContext) -> u32 {
        windows::open(&ctx);
        0
    }

    #[uretprobe]
    pub fn handle_opened(ctx: RetProbeContext) -> u32 {
        windows::open_done(&ctx);
        0
    }

    #[uprobe]
    pub fn handle_close(ctx: ProbeContext) -> u32 {
        windows::close(&ctx);
        0
    }

    /// A program of its own, so that what it takes to load it is nothing to tracing without it.
    #[raw_tracepoint(tracepoint = "sched_process_exit")]
    pub fn control_abandon(_ctx: RawTracePointContext) -> i32 {
        windows::abandon(Task::current());
        0
    }

    /// The path is the second argument of `openat`.
    #[tracepoint]
    pub fn enter_openat(ctx: TracePointContext) -> u32 {
        // SAFETY: the offset is that of this tracepoint.
        windows::file_opened(unsafe { word(&ctx, ENTER_REQUEST) });
        0
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel lets only programs under a GPL-compatible licence use the helpers for reading kernel memory.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
