//! Rooms for records: a BPF stack has 512 bytes, and a room that belongs to a CPU alone would be written by several programs,
//! of which one was preempted.

use aya_ebpf::{
    helpers::{bpf_get_smp_processor_id, generated::bpf_probe_read_user},
    macros::map,
    maps::Array,
};
use ioctl_trace_ebpf::{
    CallRecord, ControlPart, MAX_CAPTURE, ROOMS_PER_CPU, SegmentHeader, SegmentKind, call_flags,
    segment_flags,
};

use super::{
    super::{maps::output, read::config},
    program::add_atomically,
};

/// The smallest page.
const PAGE: u64 = 4096;
/// Pages that the largest buffer can touch.
const MAX_PAGES: u32 = MAX_CAPTURE / PAGE as u32 + 1;

/// Bytes of a segment's header.
pub const HEADER: u64 = size_of::<SegmentHeader>() as u64;
/// Bytes that may lie in front of the last buffer of a record.
const ROOM: u64 =
    size_of::<CallRecord>() as u64 + size_of::<ControlPart>() as u64 + 3 * (HEADER + 8) + MAX_CAPTURE as u64;

/// Room for a record. Its numbers are read and written as volatile, so that the verifier does not follow them.
#[repr(C)]
struct State {
    /// How many want it; whoever finds to be the only one has it.
    wanted: u64,
    /// Bytes of the record that are filled.
    used: u64,
    /// Bytes of buffers that may still be copied.
    left: u64,
    /// Of the present buffer: where it is, its bytes, how many of these are to be copied, and how many were.
    address: u64,
    size: u64,
    length: u64,
    done: u64,
    /// Bytes of the present page.
    part: u64,
    record: [u8; (ROOM + MAX_CAPTURE as u64 + HEADER + 8) as usize],
}

/// Some for each CPU: a program that is preempted keeps its own. The number is set at load time.
#[map]
static ROOMS: Array<State> = Array::with_max_entries(1, 0);

/// Room that nobody else has, by its place.
pub struct Room {
    state: *mut State,
    place: u32,
}

macro_rules! get {
    ($state:expr, $field:ident) => {
        // SAFETY: the state is a map value, which lives until the program ends, and belongs to this program alone.
        unsafe { core::ptr::read_volatile(&raw const (*$state).$field) }
    };
}
macro_rules! set {
    ($state:expr, $field:ident, $value:expr) => {{
        let value = $value;
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(&raw mut (*$state).$field, value) }
    }};
}

impl Room {
    /// One of this CPU's, which the program stays on. No loop: not every verifier sees the end of one that begins at a number
    /// that it does not know.
    #[inline(always)]
    pub fn take() -> Option<Self> {
        const { assert!(ROOMS_PER_CPU == 4) };
        // SAFETY: the helper has no preconditions.
        let first = unsafe { bpf_get_smp_processor_id() } as u32 * ROOMS_PER_CPU;
        Self::take_at(first)
            .or_else(|| Self::take_at(first + 1))
            .or_else(|| Self::take_at(first + 2))
            .or_else(|| Self::take_at(first + 3))
    }

    /// This one, unless somebody else has it.
    #[inline(always)]
    fn take_at(place: u32) -> Option<Self> {
        let state = ROOMS.get_ptr_mut(place)?;
        // SAFETY: map values live until the program ends.
        unsafe {
            let wanted = &raw mut (*state).wanted;
            add_atomically(wanted, 1);
            if wanted.read_volatile() == 1 {
                return Some(Self { state, place });
            }
            add_atomically(wanted, u64::MAX);
        }
        None
    }

    #[inline(always)]
    pub fn at(&self, offset: u64) -> *mut u8 {
        at(self.state, offset)
    }

    /// What is added comes behind so many bytes.
    #[inline(always)]
    pub fn begin(&self, used: u64) {
        set!(self.state, used, used);
        set!(self.state, left, u64::from(config!(max_bytes)));
    }

    /// Adds a buffer: as much of it as the limit allows and can be read. Gives [`call_flags::INPUT_LATE`] if there is more.
    #[inline(always)]
    pub fn add(&self, address: u64, wanted: u32) -> u16 {
        if address == 0 || wanted == 0 || config!(max_bytes) == 0 {
            return 0;
        }
        if copy_buffer(self.place, address, wanted) == 0 { 0 } else { call_flags::INPUT_LATE }
    }

    /// Sends the record and gives the room back. `false` if there was no room in the ring buffer.
    #[inline(always)]
    pub fn send(self) -> bool {
        let used = get!(self.state, used);
        let sent = used <= ROOM + u64::from(MAX_CAPTURE) && {
            // SAFETY: `used` bytes are filled.
            output(unsafe { core::slice::from_raw_parts(self.at(0), used as usize) }, Some(used))
        };
        // SAFETY: map values live until the program ends.
        unsafe { add_atomically(&raw mut (*self.state).wanted, u64::MAX) };
        sent
    }
}

#[inline(always)]
fn at(state: *mut State, offset: u64) -> *mut u8 {
    // SAFETY: callers keep the offset within the record; the verifier checks that they do.
    unsafe { (&raw mut (*state).record).cast::<u8>().add(offset as usize) }
}

/// Puts a buffer behind what a room holds. Not 0 if some of it could not be read.
///
/// A global function: the verifier looks at it once, whoever calls it. It takes and gives plain numbers for that. Every
/// number is read anew where it is compared and used: one that went through the stack has no bounds to verifiers before
/// Linux 6.3.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn copy_buffer(place: u32, address: u64, size: u32) -> u32 {
    let Some(state) = ROOMS.get_ptr_mut(place) else { return 0 };
    let (size, left) = (u64::from(size), get!(state, left));
    let length = if size < left { size } else { left };
    set!(state, address, address);
    set!(state, size, size);
    set!(state, length, length);
    set!(state, done, 0);
    set!(state, left, left - length);
    if !copy_whole(state) {
        for _ in 0..MAX_PAGES {
            if !copy_page(state) {
                break;
            }
        }
    }
    complete(state);
    u32::from(get!(state, done) < get!(state, length))
}

/// Copies all of a buffer, if all of it can be read.
#[inline(always)]
fn copy_whole(state: *mut State) -> bool {
    let (used, length) = (get!(state, used), get!(state, length));
    if used > ROOM || length > u64::from(MAX_CAPTURE) {
        return false;
    }
    let from = get!(state, address) as *const core::ffi::c_void;
    // SAFETY: there is room for `length` bytes, see `State`; the helper checks the source.
    let failed = unsafe { bpf_probe_read_user(at(state, used + HEADER).cast(), length as u32, from) } != 0;
    if !failed {
        set!(state, done, get!(state, length));
    }
    !failed
}

/// Copies the next page of a buffer. `false` if there is none, or it is not there.
#[inline(always)]
fn copy_page(state: *mut State) -> bool {
    let done = get!(state, done);
    let from = get!(state, address) + done;
    let to_page_end = PAGE - (from & (PAGE - 1));
    let left = get!(state, length).saturating_sub(done);
    set!(state, part, if left < to_page_end { left } else { to_page_end });
    // Compared with a constant, which the compiler knows to be needless and verifiers before Linux 6.3 do not.
    let part = get!(state, part);
    if part == 0 {
        return false;
    }
    let place = get!(state, used) + HEADER + done;
    if place > ROOM + u64::from(MAX_CAPTURE) - PAGE || part > PAGE {
        return false;
    }
    // SAFETY: there is room for a page; the helper checks the source.
    let failed = unsafe {
        bpf_probe_read_user(at(state, place).cast(), part as u32, from as *const core::ffi::c_void)
    } != 0;
    if !failed {
        set!(state, done, get!(state, done) + get!(state, part));
    }
    !failed
}

/// Writes the header of a buffer whose bytes lie behind it already, and the zeros that fill it up.
#[inline(always)]
fn complete(state: *mut State) {
    let used = get!(state, used);
    if used > ROOM {
        return;
    }
    let (size, length, done) = (get!(state, size), get!(state, length), get!(state, done));
    let cut = if length < size { segment_flags::TRUNCATED } else { 0 };
    let unreadable = if done < length { segment_flags::UNREADABLE } else { 0 };
    let address = get!(state, address);
    // SAFETY: there is room for the header; segments begin at multiples of 8.
    unsafe {
        at(state, used).cast::<SegmentHeader>().write(SegmentHeader {
            address,
            wanted: size as u32,
            length: done as u32,
            kind: SegmentKind::Memory as u16,
            flags: cut | unreadable,
            reserved: 0,
        });
    }
    let end = get!(state, used) + HEADER + get!(state, done);
    set!(state, used, (end + 7) & !7);
    if end <= ROOM + u64::from(MAX_CAPTURE) {
        // SAFETY: there is room for the zeros behind the last byte.
        unsafe { at(state, end).cast::<u64>().write_unaligned(0) };
    }
}
