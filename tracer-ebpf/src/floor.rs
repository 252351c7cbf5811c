//! What tracing cannot do without, for the benchmark: programs that do nothing, and programs that only remember when a call
//! began and send as many bytes as a record has, in the ways there are. On the host this binary is empty.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod programs {
    use core::ptr::read_volatile;

    use aya_ebpf::{
        bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
        helpers::generated::{
            bpf_get_current_pid_tgid, bpf_ktime_get_ns, bpf_ringbuf_reserve, bpf_ringbuf_submit,
        },
        macros::{map, tracepoint},
        maps::{HashMap, PerCpuArray, PerfEventByteArray, RingBuf},
        programs::TracePointContext,
    };
    #[cfg(bpf_target_arch = "x86_64")]
    use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};

    /// Bytes sent when a call begins, and when it ends; written before the object is loaded.
    #[unsafe(no_mangle)]
    static BYTES: [u32; 2] = [0; 2];
    /// The most of either.
    const MOST: usize = 8_192;

    #[map]
    static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 23, 0);
    #[map]
    static PERF_EVENTS: PerfEventByteArray = PerfEventByteArray::new(0);
    #[map]
    static SLOTS: HashMap<u32, u64> =
        HashMap::with_max_entries(65_536, aya_ebpf::bindings::BPF_F_NO_PREALLOC);
    /// Records that found no room.
    #[map]
    static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
    #[map]
    static SCRATCH: PerCpuArray<[u8; MOST]> = PerCpuArray::with_max_entries(1, 0);

    fn bytes(of: usize) -> usize {
        // SAFETY: a reference to a static is valid to read; volatile because it is not what the compiler sees.
        (unsafe { read_volatile(&raw const BYTES[of]) }) as usize
    }

    fn thread() -> u32 {
        // SAFETY: the helper has no preconditions.
        (unsafe { bpf_get_current_pid_tgid() }) as u32
    }

    fn now() -> u64 {
        // SAFETY: as above.
        unsafe { bpf_ktime_get_ns() }
    }

    #[inline(always)]
    fn send(of: usize, flags: u32) {
        let size = bytes(of);
        if size == 0 {
            return;
        }
        // SAFETY: the map is a ring buffer, and what is reserved is submitted.
        unsafe {
            let entry = bpf_ringbuf_reserve((&raw const EVENTS).cast_mut().cast(), size as u64, 0);
            if entry.is_null() {
                lost();
                return;
            }
            entry.cast::<u64>().write_volatile(now());
            bpf_ringbuf_submit(entry, u64::from(flags));
        }
    }

    fn lost() {
        if let Some(lost) = LOST.get_ptr_mut(0) {
            // SAFETY: the entry belongs to this CPU.
            unsafe { *lost += 1 };
        }
    }

    #[tracepoint]
    pub fn nothing(_: TracePointContext) -> u32 {
        0
    }

    /// Number and registers of a system call are those of the one architecture that is measured.
    #[cfg(bpf_target_arch = "x86_64")]
    #[raw_tracepoint(tracepoint = "sys_enter")]
    pub fn raw_enter(ctx: RawTracePointContext) -> i32 {
        i32::from(ctx.arg::<u64>(1) == 16 && bytes(0) == 1)
    }

    #[cfg(bpf_target_arch = "x86_64")]
    #[raw_tracepoint(tracepoint = "sys_exit")]
    pub fn raw_exit(ctx: RawTracePointContext) -> i32 {
        // Which call it was is in its registers, behind a helper.
        const ORIG_AX: usize = core::mem::offset_of!(aya_ebpf::bindings::pt_regs, orig_rax);
        let at = (ctx.arg::<u64>(0) as usize + ORIG_AX) as *const u64;
        // SAFETY: the helper checks the address.
        let call = unsafe { aya_ebpf::helpers::bpf_probe_read_kernel(at) };
        i32::from(call == Ok(16) && bytes(1) == 1)
    }

    /// The place of a thread is kept, as is its record.
    #[tracepoint]
    pub fn begin(_: TracePointContext) -> u32 {
        let thread = thread();
        match SLOTS.get_ptr_mut(thread) {
            // SAFETY: a value of a map, of this thread alone.
            Some(slot) => unsafe { *slot = now() },
            None => {
                // Without a place the end of the call sends nothing.
                let _ = SLOTS.insert(thread, now(), 0);
            }
        }
        send(0, BPF_RB_NO_WAKEUP);
        0
    }

    #[tracepoint]
    pub fn end(_: TracePointContext) -> u32 {
        if SLOTS.get_ptr(thread()).is_some() {
            send(1, BPF_RB_NO_WAKEUP);
        }
        0
    }

    /// Whoever waits for records is woken for each.
    #[tracepoint]
    pub fn end_waking(_: TracePointContext) -> u32 {
        if SLOTS.get_ptr(thread()).is_some() {
            send(1, BPF_RB_FORCE_WAKEUP);
        }
        0
    }

    /// A place is made for each call and given up behind it.
    #[tracepoint]
    pub fn begin_anew(_: TracePointContext) -> u32 {
        let _ = SLOTS.insert(thread(), now(), 0);
        send(0, BPF_RB_NO_WAKEUP);
        0
    }

    #[tracepoint]
    pub fn end_anew(_: TracePointContext) -> u32 {
        if SLOTS.remove(thread()).is_ok() {
            send(1, BPF_RB_NO_WAKEUP);
        }
        0
    }

    /// The record is made elsewhere and copied as a whole.
    #[tracepoint]
    pub fn end_copying(_: TracePointContext) -> u32 {
        if SLOTS.get_ptr(thread()).is_some()
            && let Some(scratch) = SCRATCH.get_ptr(0)
        {
            // SAFETY: the entry belongs to this CPU, and the verifier checks the length.
            let record = unsafe { core::slice::from_raw_parts(scratch.cast::<u8>(), bytes(1).min(MOST)) };
            if EVENTS.output::<[u8]>(record, u64::from(BPF_RB_NO_WAKEUP)).is_err() {
                lost();
            }
        }
        0
    }

    /// A buffer of each CPU, without a lock.
    #[tracepoint]
    pub fn end_per_cpu(ctx: TracePointContext) -> u32 {
        if SLOTS.get_ptr(thread()).is_some()
            && let Some(scratch) = SCRATCH.get_ptr(0)
        {
            // SAFETY: as above.
            let record = unsafe { core::slice::from_raw_parts(scratch.cast::<u8>(), bytes(1).min(MOST)) };
            PERF_EVENTS.output(&ctx, record, 0);
        }
        0
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
