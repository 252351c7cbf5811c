//! What is left out of calls before anything else sees them, because arguments hold what is secret.

mod rewrite;

use std::{cell::RefCell, ops::Range};

use ioctl_registry::{Member, Taken, Value, Watch};
use ioctl_trace_ebpf::{InFlight, SegmentHeader, SegmentKind, call_flags};

pub use self::rewrite::Rewriter;
use crate::{
    decode::Decoder,
    event::Event,
    memory::Image,
    raw, recording,
    wire::{self, Record, Segment},
};

/// What is left out of a call's argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redaction {
    /// Nothing.
    #[default]
    Nothing,
    /// Text, and bytes of no known meaning, which could hold some.
    Text,
    /// All of it.
    All,
}

/// Stands where something was left out.
pub const MARK: &str = "[redacted]";

/// What is said to a filter that asks for it.
pub const OF_REDACTED: &str =
    "what --redact leaves out cannot be asked for: filter without `arg`, `in`, `out` and `fds`";

/// Flags that speak of memory that was copied, or was not.
const OF_MEMORY: u16 =
    call_flags::INPUT | call_flags::INPUT_LOST | call_flags::INPUT_LATE | call_flags::INCOMPLETE;

impl Redaction {
    /// What was left out of the call that has these [`call_flags`].
    #[must_use]
    pub const fn of(flags: u16) -> Self {
        if flags & call_flags::REDACTED != 0 {
            Self::All
        } else if flags & call_flags::TEXT_REDACTED != 0 {
            Self::Text
        } else {
            Self::Nothing
        }
    }

    const fn flag(self) -> u16 {
        match self {
            Self::Nothing => 0,
            Self::Text => call_flags::TEXT_REDACTED,
            Self::All => call_flags::REDACTED,
        }
    }

    /// A record without what is left out, in `room` if it had to be changed. `None` where nothing is left of it. What is
    /// text can be told only when the call is named: see [`Redaction::event`].
    #[must_use]
    pub fn record<'r>(self, bytes: &'r [u8], room: &'r mut Vec<u8>) -> Option<&'r [u8]> {
        if self != Self::All {
            return Some(bytes);
        }
        match wire::parse(bytes) {
            Ok(Record::Call(mut call, segments)) => {
                call.header.flags = call.header.flags & !OF_MEMORY | call_flags::REDACTED;
                call.arg = 0;
                *room = raw::bytes_of(&call);
                let stays = |segment: &Segment<'_>| {
                    use SegmentKind::{Control, KernelStack, UserStack};
                    matches!(segment.kind, UserStack | KernelStack | Control)
                };
                segments.filter(stays).for_each(|segment| add(room, &segment));
            }
            // That a thread carries out a control code is told by it as well.
            Ok(Record::Data(data, _)) if data.control != 0 => *room = raw::bytes_of(&data),
            Ok(Record::Data(..)) => return None,
            Ok(Record::Running(tid, now_ns, call)) => {
                *room = recording::running_record(tid, &self.in_flight(call), now_ns);
            }
            Ok(_) => return Some(bytes),
            // Nobody knows what is in it: it is still counted as damaged.
            Err(_) => return Some(&[]),
        }
        Some(room)
    }

    /// Leaves text out of a call that was named: from here on nobody sees it.
    pub fn event(self, event: &mut Event, decoder: &Decoder) {
        if self != Self::Text || event.call.data.redaction == Self::All {
            return;
        }
        let (input, output) = (&event.call.data.input, &event.call.data.output);
        let seen = Seen { sides: [input, output].map(|image| (image, RefCell::new(vec![0; image.size()]))) };
        decoder.watch(event, &seen);
        let [given, returned] = seen.sides.map(|(image, taken)| blanks(image, &taken.into_inner()));
        let data = &mut event.call.data;
        data.redaction = Self::Text;
        data.input.leave_out(given);
        data.output.leave_out(returned);
    }

    /// A call that has not returned, without what is left out.
    #[must_use]
    pub fn in_flight(self, call: InFlight) -> InFlight {
        let flags = call.flags | u32::from(self.flag());
        match self {
            Self::All => InFlight { arg: 0, flags: flags & !u32::from(OF_MEMORY), ..call },
            Self::Text | Self::Nothing => InFlight { flags, ..call },
        }
    }
}

fn add(record: &mut Vec<u8>, segment: &Segment<'_>) {
    let header = SegmentHeader {
        address: segment.address,
        wanted: segment.wanted,
        length: u32::try_from(segment.bytes.len()).unwrap_or_default(),
        kind: segment.kind as u16,
        flags: segment.flags,
        reserved: 0,
    };
    record.extend(raw::bytes_of(&header));
    record.extend(segment.bytes);
    record.resize(record.len().next_multiple_of(8), 0);
}

/// What the bytes of both sides of a call were taken for.
struct Seen<'e> {
    sides: [(&'e Image, RefCell<Vec<u8>>); 2],
}

/// What a byte was taken for, in [`Seen`].
const NUMBER: u8 = 1;
/// See [`NUMBER`].
const TEXT: u8 = 2;

impl Watch for Seen<'_> {
    fn taken(&self, bytes: &[u8], taken: Taken) {
        for (image, marks) in &self.sides {
            if let Some(place) = image.place(bytes)
                && let Some(marks) = marks.borrow_mut().get_mut(place)
            {
                let mark = match taken {
                    Taken::Number => NUMBER,
                    Taken::Text => TEXT,
                };
                marks.iter_mut().for_each(|marks| *marks |= mark);
            }
        }
    }
}

/// Runs of bytes are of one of these.
const fn class(mark: u8) -> u8 {
    if mark & TEXT != 0 { TEXT } else { mark }
}

/// The places of an image that are left out: text, whatever else it was taken for, and what was taken for nothing.
fn blanks(image: &Image, taken: &[u8]) -> Vec<Range<usize>> {
    let mut marks = taken.to_vec();
    let mut at = 0;
    let mut bytes = Vec::with_capacity(marks.len());
    for (_, piece, blank) in image.runs() {
        bytes.extend_from_slice(piece);
        if blank && let Some(marks) = marks.get_mut(at..bytes.len()) {
            marks.fill(TEXT);
        }
        at = bytes.len();
    }
    let mut blanks = Vec::new();
    let mut start = 0;
    for run in marks.chunk_by(|one, other| class(*one) == class(*other)) {
        let place = start..start + run.len();
        start = place.end;
        // Zeros are no text, and padding is nothing to hide.
        let hides = |place: &Range<usize>| {
            bytes.get(place.clone()).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
        };
        match run.first() {
            Some(mark) if mark & TEXT != 0 => blanks.push(place),
            Some(0) if hides(&place) => blanks.push(place),
            _ => {}
        }
    }
    blanks
}

/// What is the same in two readings, and a mark in the place of what is not: it is of what was left out.
#[must_use]
pub fn agreed(one: Option<Value>, other: Option<Value>) -> Option<Value> {
    let same = |one: Value, other: Value| if one == other { one } else { mark() };
    match (one, other) {
        (Some(one), Some(other)) => Some(joined(one, other, same)),
        (None, None) => None,
        _ => Some(mark()),
    }
}

/// A reading with those parts of another one in the place of its own that were left out.
#[must_use]
pub fn filled_in(one: Value, other: Value) -> Value {
    joined(one, other, |one, other| if one == mark() { other } else { one })
}

fn mark() -> Value {
    Value::Text { bytes: MARK.into(), cut: false, fixed: false, full: false }
}

/// Two readings of the same memory part by part, by what is made of two parts.
fn joined(one: Value, other: Value, join: fn(Value, Value) -> Value) -> Value {
    let alike = |members: &[Member], others: &[Member]| {
        members.len() == others.len()
            && members.iter().zip(others).all(|(member, other)| member.name == other.name)
    };
    let members = |members: Vec<Member>, others: Vec<Member>| -> Vec<Member> {
        let pairs = members.into_iter().zip(others);
        pairs
            .map(|(member, other)| Member { value: joined(member.value, other.value, join), ..member })
            .collect()
    };
    match (one, other) {
        (Value::Array { items, cut }, Value::Array { items: others, cut: other_cut })
            if items.len() == others.len() && cut == other_cut =>
        {
            let pairs = items.into_iter().zip(others);
            let items: Vec<_> = pairs.map(|(one, other)| joined(one, other, join)).collect();
            // Letter by letter.
            match items.first() {
                Some(first) if *first == mark() && items.iter().all(|item| item == first) => mark(),
                _ => Value::Array { items, cut },
            }
        }
        (Value::Indexed { members: all, cut }, Value::Indexed { members: others, cut: other_cut })
            if alike(&all, &others) && cut == other_cut =>
        {
            Value::Indexed { members: members(all, others), cut }
        }
        (Value::Record(all), Value::Record(others)) if alike(&all, &others) => {
            Value::Record(members(all, others))
        }
        (Value::Pointee { address, value }, Value::Pointee { address: place, value: other })
            if address == place =>
        {
            Value::Pointee { address, value: Box::new(joined(*value, *other, join)) }
        }
        (Value::Variant { name, value }, Value::Variant { name: chosen, value: other }) if name == chosen => {
            Value::Variant { name, value: Box::new(joined(*value, *other, join)) }
        }
        (Value::Float(one), Value::Float(other)) if one.to_bits() == other.to_bits() => Value::Float(one),
        // Bytes that are in none of its readings are not shown where they are not known.
        (Value::Union { bytes, members: all }, Value::Union { bytes: others, members: same })
            if bytes != others && all == same && !all.is_empty() =>
        {
            Value::Union { bytes: Vec::new(), members: all }
        }
        // Otherwise of a union too: its readings are of the same bytes.
        (one, other) => join(one, other),
    }
}

#[cfg(test)]
mod tests;
