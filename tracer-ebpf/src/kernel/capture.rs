//! Copying what a call's argument points to, as the plan says: a machine that takes one small step a round, so that the
//! verifier sees one loop with few ways through it.
//!
//! All of its state lies in a map, in memory whose contents the verifier does not follow, and is read and written as
//! volatile: kept in registers it would make every round a state of its own to the verifier.

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_F_USER_STACK,
    helpers::{
        bpf_get_smp_processor_id,
        generated::{bpf_get_stack, bpf_loop, bpf_probe_read_user, bpf_probe_read_user_str},
    },
    macros::map,
    maps::{Array, HashMap},
};
use ioctl_trace_ebpf::{
    CallRecord, Choice, ChoiceKey, FileIdentity, FileStatus, MAX_CAPTURE, MAX_SEGMENTS, NO_NODE, Node, Plan,
    PlanKey, SegmentHeader, SegmentKind, Step, StepKind, segment_flags,
};

use super::{
    file,
    maps::output,
    read::{config, copy},
};

/// Rounds of one copying. A pointer takes two of them, three if its bytes are not all there.
const MAX_ROUNDS: u32 = 3 * MAX_SEGMENTS as u32 + 32;
/// The same on kernels before 5.17, whose verifier goes through every round.
const MAX_UNROLLED: u32 = 64;
/// Descriptors of a call whose files there is room for when all else is full.
const MAX_FILES: u64 = 64;
/// Whether the reader is to be woken is looked at when so many bytes were sent: few of what it is woken for.
const UNCHECKED: u64 = 16 * 1024;
/// The smallest page of any architecture.
const PAGE: u64 = 4096;
/// Return addresses of a stack at most (the kernel's own default).
const STACK_BYTES: u32 = 127 * 8;

const HEADER: u64 = size_of::<SegmentHeader>() as u64;
/// Bytes of the largest record: every segment has its header and is filled up to 8 bytes, and there are two stacks.
const ROOM: u64 = size_of::<CallRecord>() as u64
    + (MAX_SEGMENTS as u64 + 2) * (HEADER + 8)
    + MAX_FILES * (HEADER + size_of::<FileIdentity>() as u64)
    + MAX_CAPTURE as u64
    + 2 * STACK_BYTES as u64;

/// A segment of the present copying.
#[repr(C)]
#[derive(Clone, Copy)]
struct Found {
    /// Where it was in the program's memory.
    address: u64,
    /// Where it begins in the record.
    start: u64,
    /// Bytes copied.
    length: u64,
    /// Its node.
    node: u64,
}

/// What is being copied. All numbers are 64 bits wide: a narrower one costs the verifier's knowledge of its range.
#[repr(C)]
#[derive(Clone, Copy)]
struct State {
    /// Bytes of the record that are filled.
    used: u64,
    /// Bytes sent since it was looked whether the reader is to be woken.
    unchecked: u64,
    /// Bytes of memory that may still be copied.
    left: u64,
    /// Segments found.
    count: u64,
    /// The segment, the step and the element that come next.
    segment: u64,
    step: u64,
    element: u64,
    /// Of the segment that is being copied: its next byte, how many are missing, its node and flags.
    next: u64,
    missing: u64,
    start: u64,
    wanted: u64,
    node: u64,
    flags: u64,
    /// It is copied page by page, because it could not be as a whole.
    paged: u64,
    /// It is a text.
    text: u64,
    /// Behind the last byte of the one that was copied last.
    end: u64,
    /// Something could not be read.
    faulted: u64,
    /// There was more than is followed.
    incomplete: u64,
    found: [Found; MAX_SEGMENTS],
    /// The record; the verifier wants room for the longest copy behind the last place where one may begin.
    record: [u8; (ROOM + MAX_CAPTURE as u64 + HEADER + 8) as usize],
}

/// One entry per CPU (the per-CPU kind of map holds 32 KiB at most). The number is set at load time.
#[map]
static WORK: Array<State> = Array::with_max_entries(1, 0);
/// What to copy per request. This and the maps below are filled, and sized, by the user side.
#[map]
static PLANS: HashMap<PlanKey, Plan> = HashMap::with_max_entries(1, 0);
#[map]
static NODES: Array<Node> = Array::with_max_entries(1, 0);
#[map]
static STEPS: Array<Step> = Array::with_max_entries(1, 0);
#[map]
static CHOICES: HashMap<ChoiceKey, Choice> = HashMap::with_max_entries(1, 0);

/// Room for one record and what is copied into it; this CPU's, until the program ends.
pub struct Work(*mut State);

macro_rules! get {
    ($work:ident.$field:ident) => {
        // SAFETY: the state is a map value, which lives until the program ends, and belongs to this CPU.
        unsafe { core::ptr::read_volatile(&raw const (*$work.0).$field) }
    };
}
macro_rules! set {
    ($work:ident.$field:ident, $value:expr) => {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(&raw mut (*$work.0).$field, $value) }
    };
}

/// What is copied for a request: by its plan, or else by what its number says.
#[inline(always)]
pub fn plan_of(request: u32, compat: bool) -> Plan {
    if config!(max_bytes) == 0 {
        return Plan::default();
    }
    if let Some(plan) = PLANS.get_ptr(PlanKey { request, compat: u32::from(compat) }) {
        // SAFETY: map values live until the program ends; nobody writes these.
        return unsafe { *plan };
    }
    Plan::of_number(request)
}

/// Copies the segment that has been begun in this CPU's room, and all that is found through it. Gives the number of
/// segments.
///
/// A global function: the verifier looks at it once, whoever calls it. It takes and gives plain numbers for that.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn copy_segments(dir: u32) -> u32 {
    let Some(work) = Work::here() else { return 0 };
    let mut rounds = Rounds { state: work.0, dir };
    let context = (&raw mut rounds).cast();
    if config!(has_loop) != 0 {
        // SAFETY: `round` is what the helper asks for, and `rounds` outlives it.
        unsafe { bpf_loop(MAX_ROUNDS, round as *mut core::ffi::c_void, context, 0) };
    } else {
        for index in 0..MAX_UNROLLED {
            if round(index, context) != 0 {
                break;
            }
        }
    }
    if get!(work.missing) != 0 || get!(work.segment) < get!(work.count) {
        set!(work.incomplete, 1);
    }
    get!(work.count) as u32
}

/// What a round needs.
struct Rounds {
    state: *mut State,
    dir: u32,
}

/// One round of a copying; 1 ends it.
#[inline(never)]
extern "C" fn round(_index: u32, context: *mut core::ffi::c_void) -> u64 {
    // SAFETY: the caller hands over `Rounds`.
    let Rounds { state, dir } = unsafe { context.cast::<Rounds>().read() };
    let work = Work(state);
    let more = if get!(work.missing) != 0 { work.read() } else { work.follow(dir) };
    u64::from(!more)
}

impl Work {
    /// This CPU's room.
    #[inline(always)]
    fn here() -> Option<Self> {
        // SAFETY: the helper has no preconditions.
        Some(Self(WORK.get_ptr_mut(unsafe { bpf_get_smp_processor_id() } as u32)?))
    }

    /// This CPU's room, for a record whose fixed part is an `R`.
    #[inline(always)]
    pub fn begin<R: Copy>() -> Option<Self> {
        let work = Self::here()?;
        set!(work.used, size_of::<R>() as u64);
        set!(work.left, u64::from(config!(max_bytes)));
        set!(work.faulted, 0);
        set!(work.incomplete, 0);
        Some(work)
    }

    /// The record's fixed part, which the caller has to fill.
    #[inline(always)]
    pub fn head<R: Copy>(&self) -> *mut R {
        const { assert!(size_of::<R>() <= size_of::<CallRecord>()) };
        // SAFETY: the room is larger than any record's fixed part.
        unsafe { (&raw mut (*self.0).record).cast::<R>() }
    }

    /// Whether some of the memory could not be read.
    #[inline(always)]
    pub fn faulted(&self) -> bool {
        get!(self.faulted) != 0
    }

    /// Whether some of the pointers were not followed.
    #[inline(always)]
    pub fn incomplete(&self) -> bool {
        get!(self.incomplete) != 0
    }

    /// Sends the record. `false` if there was no room for it.
    #[inline(always)]
    pub fn send(&self) -> bool {
        let used = get!(self.used);
        if used > ROOM {
            return false;
        }
        let unchecked = get!(self.unchecked) + used;
        // Looking costs a tenth of sending. Without a watermark every record is urgent.
        let check = unchecked >= UNCHECKED || unchecked >= u64::from(config!(watermark)) / 4;
        set!(self.unchecked, if check { 0 } else { unchecked });
        // SAFETY: `used` bytes of the record are filled.
        let record = unsafe { core::slice::from_raw_parts(self.at(0), used as usize) };
        output(record, check.then_some(unchecked))
    }

    #[inline(always)]
    fn at(&self, offset: u64) -> *mut u8 {
        // SAFETY: callers keep the offset within the record; the verifier checks that they do.
        unsafe { (&raw mut (*self.0).record).cast::<u8>().add(offset as usize) }
    }

    /// Copies what travels in one direction.
    #[inline(always)]
    pub fn copy(&self, plan: &Plan, address: u64, dir: u32) {
        if plan.node == NO_NODE && plan.text == 0 && self.plain(address, u64::from(plan.size)) {
            return;
        }
        set!(self.count, 0);
        set!(self.segment, 0);
        set!(self.step, 0);
        set!(self.element, 0);
        self.open(address, u64::from(plan.size), plan.node, plan.text != 0);
        copy_segments(dir);
    }

    /// Copies a segment that leads nowhere, if all of it can be read.
    #[inline(always)]
    fn plain(&self, address: u64, wanted: u64) -> bool {
        let left = get!(self.left);
        let length = if wanted < left { wanted } else { left };
        set!(self.missing, length);
        // Read and compared where they are used, and not used again: verifiers before 6.3 forget the bounds of a number that the
        // compiler puts on the stack before it is compared. No third condition here, as in `read`.
        let (used, all) = (get!(self.used), get!(self.missing));
        if used > ROOM || all > u64::from(MAX_CAPTURE) {
            return false;
        }
        let to = self.at(used + HEADER).cast();
        // SAFETY: there is room for so many bytes, see `State`; the helper checks the source.
        if unsafe { bpf_probe_read_user(to, all as u32, address as *const core::ffi::c_void) } != 0 {
            return false;
        }
        let header = SegmentHeader {
            address,
            wanted: wanted as u32,
            length: length as u32,
            kind: SegmentKind::Memory as u16,
            flags: if length < wanted { segment_flags::TRUNCATED } else { 0 },
            reserved: 0,
        };
        if length == 0 {
            set!(self.incomplete, 1);
        }
        set!(self.left, left - length);
        self.finish(&header, length);
        true
    }

    /// Begins a segment.
    #[inline(always)]
    fn open(&self, address: u64, wanted: u64, node: u32, text: bool) {
        let left = get!(self.left);
        let length = if wanted < left { wanted } else { left };
        set!(self.next, address);
        set!(self.start, address);
        set!(self.wanted, if wanted > u64::from(u32::MAX) { u64::from(u32::MAX) } else { wanted });
        set!(self.missing, length);
        set!(self.node, u64::from(node));
        set!(self.flags, if length < wanted { u64::from(segment_flags::TRUNCATED) } else { 0 });
        set!(self.paged, 0);
        set!(self.text, u64::from(text));
        if length == 0 {
            set!(self.incomplete, 1);
        }
    }

    /// Copies the present segment, or its next page.
    #[inline(always)]
    fn read(&self) -> bool {
        let (next, missing, used) = (get!(self.next), get!(self.missing), get!(self.used));
        let done = next.wrapping_sub(get!(self.start));
        let to_page_end = PAGE - (next & (PAGE - 1));
        let paged = get!(self.paged) != 0;
        let length = if paged && to_page_end < missing { to_page_end } else { missing };
        let place = used + HEADER + done;
        // No third condition here: the compiler would make one of two, from which the verifier learns no bounds.
        if place > ROOM || length > u64::from(MAX_CAPTURE) {
            return false;
        }
        let (to, from) = (self.at(place).cast(), next as *const core::ffi::c_void);
        if get!(self.text) != 0 {
            // SAFETY: there is room for `length` bytes, see `State`; the helper checks the source.
            let copied = unsafe { bpf_probe_read_user_str(to, length as u32, from) };
            if copied > 0 {
                self.close(done + copied as u64, 0);
            } else {
                self.close(done, segment_flags::UNREADABLE);
            }
            return true;
        }
        // SAFETY: as above.
        let failed = unsafe { bpf_probe_read_user(to, length as u32, from) } != 0;
        if !failed {
            if length == missing {
                self.close(done + length, 0);
            } else {
                set!(self.next, next + length);
                set!(self.missing, missing - length);
            }
        } else if paged || length <= to_page_end {
            self.close(done, segment_flags::UNREADABLE);
        } else {
            set!(self.paged, 1);
        }
        true
    }

    /// Ends the present segment.
    #[inline(always)]
    fn close(&self, length: u64, flags: u16) {
        set!(self.missing, 0);
        let (used, count, left) = (get!(self.used), get!(self.count), get!(self.left));
        if used > ROOM || length > u64::from(MAX_CAPTURE) || count >= MAX_SEGMENTS as u64 {
            set!(self.incomplete, 1);
            return;
        }
        let (address, node) = (get!(self.start), get!(self.node));
        let header = SegmentHeader {
            address,
            wanted: get!(self.wanted) as u32,
            length: length as u32,
            kind: SegmentKind::Memory as u16,
            flags: flags | get!(self.flags) as u16,
            reserved: 0,
        };
        if flags != 0 {
            set!(self.faulted, 1);
        }
        set!(self.left, left.saturating_sub(length));
        self.finish(&header, length);
        // SAFETY: `count` is within the array; the state is this CPU's.
        unsafe {
            let found = (&raw mut (*self.0).found).cast::<Found>().add(count as usize);
            found.write_volatile(Found { address, start: used + HEADER, length, node });
        }
        set!(self.count, count + 1);
    }

    /// Writes the header of a segment whose bytes lie behind it already, and the zeros that fill it up.
    #[inline(always)]
    fn finish(&self, header: &SegmentHeader, length: u64) {
        let used = get!(self.used);
        if used > ROOM {
            return;
        }
        // SAFETY: the room is larger than `ROOM` by more than this; segments begin at multiples of 8.
        unsafe { self.at(used).cast::<SegmentHeader>().write(*header) };
        // What is compared anew, see `plain`.
        let used = get!(self.used);
        set!(self.used, used + HEADER + ((length + 7) & !7));
        set!(self.end, used + HEADER + length);
        let end = get!(self.end);
        if end <= ROOM + u64::from(MAX_CAPTURE) {
            // SAFETY: as above.
            unsafe { self.at(end).cast::<u64>().write_unaligned(0) };
        }
    }

    /// Takes the next step from the next element. `false` when all has been done.
    #[inline(always)]
    fn follow(&self, dir: u32) -> bool {
        let (segment, step, element) = (get!(self.segment), get!(self.step), get!(self.element));
        if segment >= get!(self.count) || segment >= MAX_SEGMENTS as u64 {
            return false;
        }
        // SAFETY: `segment` is within the array; the state is this CPU's.
        let found =
            unsafe { (&raw const (*self.0).found).cast::<Found>().add(segment as usize).read_volatile() };
        let Some(node) = NODES.get_ptr(found.node as u32) else { return false };
        // SAFETY: map values live until the program ends; nobody writes these.
        let node = unsafe { *node };
        let start = element * u64::from(node.size);
        if step >= u64::from(node.steps) {
            set!(self.segment, segment + 1);
            set!(self.step, 0);
            set!(self.element, 0);
            return true;
        }
        if start >= found.length || (element > 0 && node.size == 0) {
            set!(self.step, step + 1);
            set!(self.element, 0);
            return true;
        }
        set!(self.element, element + 1);
        let Some(step) = STEPS.get_ptr(node.first + step as u32) else { return false };
        // SAFETY: as above.
        let step = unsafe { &*step };
        // `None` where a field that it needs was not copied.
        let _ = self.enter(step, &found, start, dir);
        true
    }

    /// Begins the segment that a step leads to from an element that begins at `start` of another.
    #[inline(always)]
    fn enter(&self, step: &Step, found: &Found, start: u64, dir: u32) -> Option<()> {
        let (mut node, mut travels, mut size, mut kind) = (step.node, step.dir, 0, step.kind);
        if step.table != 0 {
            let value = self.field(found, start, step.choice_offset, step.choice_width)? as u32;
            let key = ChoiceKey { table: step.table, value: value & step.choice_mask };
            match CHOICES.get_ptr(key) {
                Some(choice) => {
                    // SAFETY: as above.
                    let choice = unsafe { &*choice };
                    node = choice.node;
                    travels = choice.dir;
                    size = choice.size;
                    kind = choice.kind;
                }
                None => {
                    travels = step.otherwise;
                    if travels == 0 {
                        return None;
                    }
                }
            }
        }
        if kind == StepKind::Descriptor as u32 {
            self.descriptor(self.field(found, start, step.offset, step.pointer)? as u32);
            return Some(());
        }
        let as_element = step.pointer == 0 && step.table == 0;
        if step.only != 0 {
            travels = step.only;
        }
        if travels & dir == 0 && (!as_element || step.only != 0) {
            return None;
        }
        let address = if step.pointer == 0 {
            found.address + start + u64::from(step.offset)
        } else {
            self.field(found, start, step.offset, step.pointer)?
        };
        let length = if size != 0 {
            u64::from(size)
        } else if step.length_width == 0 {
            u64::from(step.unit)
        } else {
            let units = self.field(found, start, step.length_offset, step.length_width)?;
            // Any length that does not fit is cut anyway.
            let units = if units > u64::from(u32::MAX) { u64::from(u32::MAX) } else { units };
            (units * u64::from(step.unit)).saturating_sub(u64::from(step.less))
        };
        if address != 0 && length != 0 {
            self.open(address, length, node, kind == StepKind::Text as u32);
        }
        Some(())
    }

    /// A number in an element, if it was copied.
    #[inline(always)]
    fn field(&self, found: &Found, start: u64, offset: u32, width: u32) -> Option<u64> {
        let within = start + u64::from(offset);
        if within + u64::from(width) > found.length {
            return None;
        }
        let place = found.start + within;
        if place > ROOM {
            return None;
        }
        // SAFETY: the room is larger than `ROOM` by more than this; what lies behind the field is cut off below.
        let word = unsafe { self.at(place).cast::<u64>().read_unaligned() };
        let unused = 64 - 8 * (width & 15);
        Some(if cfg!(target_endian = "little") {
            word << (unused & 63) >> (unused & 63)
        } else {
            word >> (unused & 63)
        })
    }

    /// Adds the identity of the file behind a descriptor, if it is open.
    #[inline(always)]
    pub fn descriptor(&self, fd: u32) {
        let Some(known) = file::of(fd).filter(|file| file.identity.status == FileStatus::Known as u32) else {
            return;
        };
        let used = get!(self.used);
        if used > ROOM - size_of::<FileIdentity>() as u64 - HEADER {
            set!(self.incomplete, 1);
            return;
        }
        // SAFETY: there is room for it, and segments begin at multiples of 8.
        unsafe { copy(&raw const known.identity, self.at(used + HEADER).cast()) };
        let length = size_of::<FileIdentity>() as u32;
        let header = SegmentHeader {
            address: u64::from(fd),
            wanted: length,
            length,
            kind: SegmentKind::File as u16,
            flags: 0,
            reserved: 0,
        };
        self.finish(&header, u64::from(length));
    }

    /// Adds a stack.
    #[inline(always)]
    pub fn stack<C: EbpfContext>(&self, ctx: &C, kind: SegmentKind) {
        let used = get!(self.used);
        if used > ROOM {
            return;
        }
        let flags = if matches!(kind, SegmentKind::UserStack) { u64::from(BPF_F_USER_STACK) } else { 0 };
        // SAFETY: there is room for the stack, see `State`.
        let copied =
            unsafe { bpf_get_stack(ctx.as_ptr(), self.at(used + HEADER).cast(), STACK_BYTES, flags) };
        let (length, flags) =
            if copied < 0 { (0, segment_flags::UNREADABLE) } else { (copied as u64 & 0x3ff, 0) };
        let header = SegmentHeader {
            address: 0,
            wanted: length as u32,
            length: length as u32,
            kind: kind as u16,
            flags,
            reserved: 0,
        };
        self.finish(&header, length);
    }
}
