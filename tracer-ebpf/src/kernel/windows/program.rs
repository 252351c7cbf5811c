//! What probes see of a program: its arguments, its memory, what it calls itself; and how they count.

use core::arch::asm;

use aya_ebpf::{helpers::bpf_probe_read_user, programs::ProbeContext};
use ioctl_trace_ebpf::Counters;

use super::super::{current::Task, maps::COUNTERS};

/// Adds in one instruction. The compiler offers no atomic operation for this target.
///
/// # Safety
/// The address must be of a number in a map.
#[inline(always)]
pub unsafe fn add_atomically(to: *mut u64, more: u64) {
    // SAFETY: see above.
    unsafe {
        asm!("lock *(u64 *)({to} + 0) += {more}", to = in(reg) to, more = in(reg) more, options(nostack))
    };
}

/// Adds to a counter of this CPU.
#[inline(always)]
pub fn add_one(field: impl FnOnce(*mut Counters) -> *mut u64) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        // SAFETY: map values live until the program ends, and their fields are aligned.
        unsafe { add_atomically(field(counters), 1) };
    }
}

/// Adds to a counter by its name.
macro_rules! count {
    ($field:ident) => {
        // SAFETY: only the address is taken.
        $crate::kernel::windows::program::add_one(|counters| unsafe { &raw mut (*counters).$field })
    };
}
pub(crate) use count;

/// Reads the program's memory.
#[inline(always)]
pub fn user<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}

/// A pointer, or another word, of the program.
#[inline(always)]
pub fn word(address: u64, narrow: bool) -> Option<u64> {
    if narrow { user::<u32>(address).map(u64::from) } else { user::<u64>(address) }
}

/// The arguments of a function with Microsoft's calling convention: four registers and the stack, or all on the stack.
#[derive(Clone, Copy)]
pub struct Arguments {
    registers: [u64; 4],
    stack: u64,
    pub narrow: bool,
}

impl Arguments {
    #[inline(always)]
    pub fn of(ctx: &ProbeContext, task: Task) -> Self {
        // SAFETY: the context is that of the probe.
        let regs = unsafe { &*ctx.regs };
        Self { registers: [regs.rcx, regs.rdx, regs.r8, regs.r9], stack: regs.rsp, narrow: task.is_compat() }
    }

    #[inline(always)]
    pub fn get<const PLACE: usize>(&self) -> Option<u64> {
        // Behind the return address; registers have their room on the stack as well.
        let place = 1 + PLACE as u64;
        if self.narrow {
            return user::<u32>(self.stack + 4 * place).map(u64::from);
        }
        match self.registers.get(PLACE) {
            Some(register) => Some(*register),
            None => user(self.stack + 8 * place),
        }
    }
}

/// The ids that the program itself knows its process and this thread by, from the thread's environment block; zeros if they
/// cannot be read.
#[inline(always)]
pub fn ids(task: Task, narrow: bool) -> (u32, u32) {
    /// `NtTib.Self` and `ClientId`, in the blocks of 64-bit and of 32-bit threads.
    const PLACES: [(u64, u64); 2] = [(0x30, 0x40), (0x18, 0x20)];
    let (own, client) = if narrow { PLACES[1] } else { PLACES[0] };
    let block = task.environment(narrow);
    if block == 0 || word(block + own, narrow) != Some(block) {
        return (0, 0);
    }
    let width = if narrow { 4 } else { 8 };
    (user::<u32>(block + client).unwrap_or(0), user::<u32>(block + client + width).unwrap_or(0))
}
