//! The maps, and the counters that every path through the programs ends in.

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::bpf_get_smp_processor_id,
    macros::map,
    maps::{CgroupArray, HashMap, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf, ring_buf::RingBufEntry},
};
use ioctl_trace_ebpf::{
    COMM_LEN, Counters, InFlight, KnownFile, RecordHeader, RecordKind, SummaryKey, SummaryValue,
};

use super::read::{Block, config};

/// Room to work in: a BPF stack has 512 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Scratch {
    pub file: KnownFile,
    pub block: Block,
}

/// One entry.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// This CPU's scratch room. No two programs that use it can meet on one CPU: system call tracepoints are not preempted.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    // SAFETY: the entry belongs to this CPU, see above.
    SCRATCH.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
}

/// Records to the user side. The size is set at load time.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);
/// Wanted processes, by process id.
#[map]
pub static TARGETS: HashMap<u32, u32> = HashMap::with_max_entries(65_536, BPF_F_NO_PREALLOC);
/// Processes whose calls are wanted. Unlike `TARGETS` it does not change: neither children nor ends matter to it.
#[map]
pub static PROCESSES: HashMap<u32, u32> = HashMap::with_max_entries(1_024, BPF_F_NO_PREALLOC);
/// Wanted names.
#[map]
pub static COMMS: HashMap<[u8; COMM_LEN], u32> = HashMap::with_max_entries(64, BPF_F_NO_PREALLOC);
/// Wanted users.
#[map]
pub static UIDS: HashMap<u32, u32> = HashMap::with_max_entries(64, BPF_F_NO_PREALLOC);
/// Wanted cgroups.
#[map]
pub static CGROUPS: CgroupArray = CgroupArray::with_max_entries(16, 0);
/// Requests that are wanted, or not wanted.
#[map]
pub static REQUESTS: HashMap<u32, u32> = HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);
/// Last calls of threads, by thread id: made with a thread's first call and removed when it ends, because making and
/// removing one costs as much as all else that is done for a call.
#[map]
pub static IN_FLIGHT: HashMap<u32, InFlight> = HashMap::with_max_entries(65_536, BPF_F_NO_PREALLOC);
/// Files that are known, by address of the `struct file`.
#[map]
pub static FILES: LruHashMap<u64, KnownFile> = LruHashMap::with_max_entries(4_096, 0);
/// Totals per request and device, when only totals are wanted.
#[map]
pub static SUMMARY: PerCpuHashMap<SummaryKey, SummaryValue> =
    PerCpuHashMap::with_max_entries(8_192, BPF_F_NO_PREALLOC);
/// One entry: what happened to every call.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// Adds to a counter of this CPU.
#[inline(always)]
pub fn count(change: impl FnOnce(&mut Counters)) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        // SAFETY: the entry belongs to this CPU and tracing programs are not preempted by each other.
        change(unsafe { &mut *counters });
    }
}

/// Reserves room for a record; counting its loss is the caller's business.
#[inline(always)]
pub fn reserve<T: 'static>() -> Option<RingBufEntry<T>> {
    EVENTS.reserve::<T>(0)
}

/// Sends a record.
#[inline(always)]
pub fn submit<T>(entry: RingBufEntry<T>) {
    entry.submit(wakeup(4096));
}

/// Sends a record that lies elsewhere, `unchecked` bytes after it was last looked whether the reader is to be woken; `None`
/// leaves it asleep. `false` if there is no room for it.
#[inline(always)]
pub fn output(record: &[u8], unchecked: Option<u64>) -> bool {
    let flags = unchecked.map_or(u64::from(BPF_RB_NO_WAKEUP), |unchecked| wakeup(unchecked + 4096));
    EVENTS.output::<[u8]>(record, flags).is_ok()
}

/// Wake-ups are what a ring buffer costs, so the reader polls on a timer and is woken only when the amount of waiting
/// data crosses the watermark, by at most `step` bytes.
#[inline(always)]
fn wakeup(step: u64) -> u64 {
    let waiting = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA));
    let watermark = u64::from(config!(watermark));
    let crossing = waiting >= watermark && waiting < watermark + step;
    u64::from(if crossing { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP })
}

/// Sends a record that the user side acts upon.
#[inline(always)]
pub fn wake<T>(entry: RingBufEntry<T>) {
    entry.submit(u64::from(BPF_RB_FORCE_WAKEUP));
}

#[inline(always)]
pub fn header(kind: RecordKind, flags: u16, time_ns: u64) -> RecordHeader {
    // SAFETY: the helper has no preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
    RecordHeader { kind: kind as u16, flags, cpu, time_ns }
}
