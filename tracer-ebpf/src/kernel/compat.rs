//! Calls of 32-bit programs. Neither on x86 nor on arm64 they fire `syscalls:sys_enter_ioctl`: the kernel leaves them out, because
//! its table of tracepoints goes by 64-bit system call numbers (`ARCH_TRACE_IGNORE_COMPAT_SYSCALLS`). `sys_enter` and `sys_exit` see
//! every system call of every task, which costs each of them some 100 ns; so they are attached only when there is a 32-bit program
//! to watch.

use aya_ebpf::programs::RawTracePointContext;
use ioctl_trace_ebpf::call_flags;

use super::{call, read::read};
#[cfg(bpf_target_arch = "x86_64")]
use super::{read::config, windows};

/// `ioctl` in the 32-bit table: `arch/x86/entry/syscalls/syscall_32.tbl`, `arch/arm/tools/syscall.tbl`.
const IOCTL_32: u64 = 54;
/// `openat` on x86.
#[cfg(bpf_target_arch = "x86_64")]
const OPENAT_32: u64 = 295;

/// Where the registers of a 32-bit task hold what.
#[cfg(bpf_target_arch = "x86_64")]
mod registers {
    use core::mem::offset_of;

    use aya_ebpf::bindings::pt_regs;

    pub const MODE: u32 = offset_of!(pt_regs, cs) as u32;
    pub const NUMBER: u32 = offset_of!(pt_regs, orig_rax) as u32;
    pub const ARGUMENTS: [u32; 3] =
        [offset_of!(pt_regs, rbx) as u32, offset_of!(pt_regs, rcx) as u32, offset_of!(pt_regs, rdx) as u32];

    /// `__USER32_CS`: the code segment of a 32-bit task (`arch/x86/include/asm/segment.h`).
    pub const fn is_32_bit(mode: u64) -> bool {
        mode == 0x23
    }
}

/// As above. The number stays in the seventh register until the call has ended.
#[cfg(bpf_target_arch = "aarch64")]
mod registers {
    use core::mem::offset_of;

    use aya_ebpf::bindings::user_pt_regs;

    pub const MODE: u32 = offset_of!(user_pt_regs, pstate) as u32;
    pub const NUMBER: u32 = 7 * 8;
    pub const ARGUMENTS: [u32; 3] = [0, 8, 16];

    /// `PSR_MODE32_BIT` (`arch/arm64/include/uapi/asm/ptrace.h`).
    pub const fn is_32_bit(mode: u64) -> bool {
        mode & 0x10 != 0
    }
}

#[inline(always)]
fn is_32_bit(regs: u64) -> bool {
    matches!(read::<u64>(regs, registers::MODE), Ok(mode) if registers::is_32_bit(mode))
}

#[inline(always)]
pub fn enter(ctx: &RawTracePointContext) {
    match ctx.arg::<u64>(1) {
        IOCTL_32 => {}
        #[cfg(bpf_target_arch = "x86_64")]
        OPENAT_32 if config!(windows) != 0 => return file_opened(ctx.arg(0)),
        _ => return,
    }
    let regs = ctx.arg::<u64>(0);
    if !is_32_bit(regs) {
        return;
    }
    // One by one: all of them would fill the stack.
    let [fd, request, arg] = registers::ARGUMENTS;
    let argument = |offset| read::<u64>(regs, offset).map(|value| value as u32);
    let (Ok(fd), Ok(request), Ok(arg)) = (argument(fd), argument(request), argument(arg)) else { return };
    call::enter(ctx, fd, request, u64::from(arg), call_flags::COMPAT);
}

/// The path is the second argument of `openat`.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
fn file_opened(regs: u64) {
    let [_, path, _] = registers::ARGUMENTS;
    if let (true, Ok(path)) = (is_32_bit(regs), read::<u64>(regs, path)) {
        windows::file_opened(path & 0xffff_ffff);
    }
}

#[inline(always)]
pub fn exit(ctx: &RawTracePointContext) {
    let regs = ctx.arg::<u64>(0);
    if matches!(read::<u64>(regs, registers::NUMBER), Ok(IOCTL_32)) && is_32_bit(regs) {
        call::exit(ctx, ctx.arg::<i64>(1));
    }
}
