//! Calls of 32-bit programs. On x86 they do not fire `syscalls:sys_enter_ioctl`: the kernel leaves them out, because its
//! table of tracepoints goes by 64-bit system call numbers. `sys_enter` and `sys_exit` see every system call of every
//! task, which costs each of them some 100 ns; so they are attached only when there is a 32-bit program to watch.

use aya_ebpf::{bindings::pt_regs, programs::RawTracePointContext};
use ioctl_trace_ebpf::call_flags;

use super::{
    call,
    read::{config, read},
    windows,
};

/// `ioctl` in the 32-bit table (`arch/x86/entry/syscalls/syscall_32.tbl`).
const IOCTL_32: u64 = 54;
/// `openat`, likewise.
const OPENAT_32: u64 = 295;
/// `__USER32_CS`: the code segment of a 32-bit task (`arch/x86/include/asm/segment.h`).
const USER32_CS: u64 = 0x23;

/// Where a task's code segment is in its registers.
const CS: u32 = core::mem::offset_of!(pt_regs, cs) as u32;

#[inline(always)]
pub fn enter(ctx: &RawTracePointContext) {
    match ctx.arg::<u64>(1) {
        IOCTL_32 => {}
        OPENAT_32 if config!(windows) != 0 => return file_opened(ctx.arg(0)),
        _ => return,
    }
    // One by one: all of them would fill the stack.
    const BX: u32 = core::mem::offset_of!(pt_regs, rbx) as u32;
    const CX: u32 = core::mem::offset_of!(pt_regs, rcx) as u32;
    const DX: u32 = core::mem::offset_of!(pt_regs, rdx) as u32;
    let regs = ctx.arg::<u64>(0);
    let argument = |offset| read::<u64>(regs, offset).map(|value| value as u32);
    let (Ok(USER32_CS), Ok(fd), Ok(request), Ok(arg)) =
        (read::<u64>(regs, CS), argument(BX), argument(CX), argument(DX))
    else {
        return;
    };
    call::enter(ctx, fd, request, u64::from(arg), call_flags::COMPAT);
}

/// The path is the second argument of `openat`.
#[inline(always)]
fn file_opened(regs: u64) {
    const CX: u32 = core::mem::offset_of!(pt_regs, rcx) as u32;
    if let (Ok(USER32_CS), Ok(path)) = (read::<u64>(regs, CS), read::<u64>(regs, CX)) {
        windows::file_opened(path & 0xffff_ffff);
    }
}

#[inline(always)]
pub fn exit(ctx: &RawTracePointContext) {
    const ORIG_AX: u32 = core::mem::offset_of!(pt_regs, orig_rax) as u32;
    let regs = ctx.arg::<u64>(0);
    if matches!(read::<u64>(regs, ORIG_AX), Ok(IOCTL_32)) && matches!(read::<u64>(regs, CS), Ok(USER32_CS)) {
        call::exit(ctx, ctx.arg::<i64>(1));
    }
}
