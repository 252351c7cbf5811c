//! What is left out of calls before anything else sees them, because arguments hold what is secret.

use ioctl_registry::{Member, Value};
use ioctl_trace_ebpf::{InFlight, SegmentHeader, SegmentKind, call_flags};

use crate::{
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

    /// A record without what is left out, in `room` if it had to be changed. What is text can be told only when the call
    /// is decoded: until then it is marked. `None` where nothing is left of the record.
    #[must_use]
    pub fn record<'r>(self, bytes: &'r [u8], room: &'r mut Vec<u8>) -> Option<&'r [u8]> {
        if self == Self::Nothing {
            return Some(bytes);
        }
        match wire::parse(bytes) {
            Ok(Record::Call(mut call, segments)) => {
                call.header.flags |= self.flag();
                let mut kept: Vec<Segment<'_>> = segments.collect();
                if self == Self::All {
                    call.arg = 0;
                    call.header.flags &= !OF_MEMORY;
                    kept.retain(|segment| {
                        matches!(
                            segment.kind,
                            SegmentKind::UserStack | SegmentKind::KernelStack | SegmentKind::Control
                        )
                    });
                }
                *room = raw::bytes_of(&call);
                kept.iter().for_each(|segment| add(room, segment));
            }
            // That a thread carries out a control code is told by it as well.
            Ok(Record::Data(data, _)) if self == Self::All && data.control != 0 => {
                *room = raw::bytes_of(&data)
            }
            Ok(Record::Data(..)) if self == Self::All => return None,
            Ok(Record::Running(tid, now_ns, call)) => {
                *room = recording::running_record(tid, &self.in_flight(call), now_ns);
            }
            Ok(_) => return Some(bytes),
            // Nobody knows what is in it: it is still counted as damaged.
            Err(_) => return Some(&[]),
        }
        Some(room)
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

/// A value with a mark in the place of each text.
#[must_use]
pub fn without_text(value: Value) -> Value {
    let mark = || Value::Text { bytes: MARK.into(), cut: false, fixed: false, full: false };
    let members = |members: Vec<Member>| {
        members.into_iter().map(|member| Member { value: without_text(member.value), ..member }).collect()
    };
    match value {
        // Zeros are no text, and padding is nothing to hide.
        Value::Text { .. } | Value::Bytes { .. } | Value::Char(_) if !value.is_zero() => mark(),
        Value::Array { items, cut } => {
            let items: Vec<_> = items.into_iter().map(without_text).collect();
            // Letter by letter.
            match items.first() {
                Some(first) if *first == mark() && items.iter().all(|item| item == first) => mark(),
                _ => Value::Array { items, cut },
            }
        }
        Value::Indexed { members: all, cut } => Value::Indexed { members: members(all), cut },
        Value::Record(all) => Value::Record(members(all)),
        Value::Pointee { address, value } => {
            Value::Pointee { address, value: Box::new(without_text(*value)) }
        }
        Value::Variant { name, value } => Value::Variant { name, value: Box::new(without_text(*value)) },
        // The other readings are of the same bytes.
        Value::Union { bytes, members } if members.iter().any(|member| has_text(&member.value)) => {
            if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
                mark()
            } else {
                Value::Union { bytes, members }
            }
        }
        other => other,
    }
}

/// Whether there is text in it.
fn has_text(value: &Value) -> bool {
    without_text(value.clone()) != *value
}

#[cfg(test)]
mod tests {
    use ioctl_trace_ebpf::{CallRecord, DataRecord, RecordHeader, RecordKind};

    use super::*;

    const SECRET: &[u8] = b"a secret";

    fn segment(kind: SegmentKind) -> Segment<'static> {
        Segment { address: 64, wanted: 8, kind, flags: 0, bytes: SECRET }
    }

    fn call() -> Vec<u8> {
        let flags = call_flags::INPUT | call_flags::COMPAT;
        let header = RecordHeader { kind: RecordKind::Call as u16, flags, ..RecordHeader::default() };
        let arg = u64::from_ne_bytes(*b"a secret");
        let mut record = raw::bytes_of(&CallRecord { header, arg, request: 7, ..CallRecord::default() });
        for kind in [SegmentKind::Memory, SegmentKind::File, SegmentKind::KernelStack] {
            add(&mut record, &segment(kind));
        }
        record
    }

    fn data() -> Vec<u8> {
        let header = RecordHeader { kind: RecordKind::Data as u16, ..RecordHeader::default() };
        let mut record = raw::bytes_of(&DataRecord { header, ..DataRecord::default() });
        add(&mut record, &segment(SegmentKind::Memory));
        record
    }

    #[test]
    fn no_byte_of_an_argument_is_left() {
        let (call, data, mut room) = (call(), data(), Vec::new());
        let left = Redaction::All.record(&call, &mut room).expect("a call");
        let Ok(Record::Call(record, segments)) = wire::parse(left) else { panic!("no call") };
        assert_eq!((record.arg, record.request), (0, 7));
        assert_eq!(record.header.flags, call_flags::COMPAT | call_flags::REDACTED);
        assert!(segments.eq([segment(SegmentKind::KernelStack)]), "stacks stay");
        assert_eq!(Redaction::All.record(&data, &mut Vec::new()), None);
        let running = InFlight { arg: 5, flags: u32::from(call_flags::INPUT), ..InFlight::NOTHING };
        let running = recording::running_record(9, &running, 1);
        let left = Redaction::All.record(&running, &mut room).expect("a call");
        let Ok(Record::Running(9, 1, call)) = wire::parse(left) else { panic!("no call") };
        assert_eq!((call.arg, call.flags), (0, u32::from(call_flags::REDACTED)));
        assert_eq!(Redaction::All.record(SECRET, &mut room), Some(&[][..]), "whatever it was");
    }

    #[test]
    fn calls_are_marked_whose_text_is_left_out() {
        let (call, data, mut room) = (call(), data(), Vec::new());
        let left = Redaction::Text.record(&call, &mut room).expect("a call");
        let Ok(Record::Call(record, segments)) = wire::parse(left) else { panic!("no call") };
        assert_eq!(Redaction::of(record.header.flags), Redaction::Text);
        assert_eq!(segments.count(), 3, "they are decoded");
        assert_eq!(Redaction::Text.record(&data, &mut Vec::new()), Some(&*data));
        assert_eq!(Redaction::Nothing.record(&call, &mut Vec::new()), Some(&*call));
    }

    #[test]
    fn texts_are_replaced_and_numbers_stay() {
        let text = |text: &str| Value::Text { bytes: text.into(), cut: false, fixed: true, full: false };
        let bytes = |bytes: &[u8]| Value::Bytes { bytes: bytes.to_vec(), cut: false };
        let value = Value::Record(vec![
            Member::new("name", text("eth0")),
            Member::new("empty", text("")),
            Member::new("size", Value::Integer(4)),
            Member::new("data", bytes(SECRET)),
            Member::new("reserved", bytes(&[0; 4])),
            Member::new(
                "keys",
                Value::Array { items: SECRET.iter().copied().map(Value::Char).collect(), cut: false },
            ),
            Member::new(
                "word",
                Value::Union {
                    bytes: SECRET.to_vec(),
                    members: vec![
                        Member::new("text", text("a secret")),
                        Member::new("number", Value::Integer(0x6120)),
                    ],
                },
            ),
            Member::new("next", Value::Pointee { address: 1, value: Box::new(text("far")) }),
        ]);
        let shown = without_text(value).to_string();
        assert_eq!(
            shown,
            r#"{name="[redacted]", empty="", size=4, data="[redacted]", reserved="\x00\x00\x00\x00", keys="[redacted]", word="[redacted]", next="[redacted]"}"#
        );
    }
}
