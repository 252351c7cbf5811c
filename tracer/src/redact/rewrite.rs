//! Records as recordings have them where text is left out.

use std::num::NonZeroUsize;

use ioctl_trace_ebpf::{DataRecord, RecordHeader, RecordKind, SegmentKind, call_flags, segment_flags};
use lru::LruCache;

use super::{Redaction, add};
use crate::{
    event::Event,
    memory::Image,
    raw, recording,
    wire::{self, Record, Segment},
};

/// Calls whose descriptors wait for their end, at most: as many as the kernel side has room for.
const MAX_WAITING: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// Writes records anew. What a call was given is written with the call: before that it is not known what of it is text.
pub struct Rewriter {
    /// The descriptors that calls were given, with the files behind them: when the call began, and segments, by thread and
    /// kind of call.
    files: LruCache<(u32, u32), (u64, Vec<u8>)>,
}

impl Default for Rewriter {
    fn default() -> Self {
        Self { files: LruCache::new(MAX_WAITING) }
    }
}

impl Rewriter {
    /// What is written of a record that ends no call; `None` for nothing.
    pub fn other(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        match wire::parse(record) {
            Ok(Record::Data(data, segments)) => {
                let mut files = Vec::new();
                segments
                    .filter(|segment| segment.kind == SegmentKind::File)
                    .for_each(|segment| add(&mut files, &segment));
                if !files.is_empty() {
                    self.files.put((data.tid, data.control), (data.header.time_ns, files));
                }
                // That a thread carries out a control code is told by it as well.
                (data.control != 0).then(|| raw::bytes_of(&data))
            }
            Ok(_) => Some(record.to_vec()),
            Err(_) => None,
        }
    }

    /// What is written of the record that ended a call, from which text was left out: what the call was given, if that is
    /// known, and the record itself.
    pub fn call(&mut self, record: &[u8], event: &Event) -> (Option<Vec<u8>>, Vec<u8>) {
        let call = &event.call;
        let control = call.control.as_ref().map_or(0, |control| control.function as u32 + 1);
        let files = self.files.pop(&(call.tid, control)).filter(|(began_ns, _)| *began_ns == call.start_ns);
        let files = files.map(|(_, files)| files).unwrap_or_default();
        let (flags, own) = match wire::parse(record) {
            Ok(Record::Call(mut own, segments)) => {
                own.header.flags |= call_flags::TEXT_REDACTED;
                let mut bytes = raw::bytes_of(&own);
                segments
                    .filter(|segment| segment.kind != SegmentKind::Memory)
                    .for_each(|segment| add(&mut bytes, &segment));
                memory(&mut bytes, &call.data.output);
                (own.header.flags, bytes)
            }
            Ok(Record::Running(tid, now_ns, own)) => {
                let own = Redaction::Text.in_flight(own);
                // Those of calls are the lowest.
                ((own.flags & u32::from(u16::MAX)) as u16, recording::running_record(tid, &own, now_ns))
            }
            _ => return (None, Vec::new()),
        };
        let known = flags & call_flags::INPUT != 0 && !call.data.input_lost;
        let given = (known || !call.data.input.is_empty()).then(|| {
            let header = RecordHeader {
                kind: RecordKind::Data as u16,
                time_ns: call.start_ns,
                ..RecordHeader::default()
            };
            let mut bytes = raw::bytes_of(&DataRecord { header, tid: call.tid, control });
            bytes.extend(files);
            memory(&mut bytes, &call.data.input);
            bytes
        });
        (given, own)
    }
}

/// Adds what is known of a program's memory, with zeros in the place of what was left out.
fn memory(record: &mut Vec<u8>, image: &Image) {
    let mut flags = if image.truncated { segment_flags::TRUNCATED } else { 0 };
    flags |= if image.unreadable { segment_flags::UNREADABLE } else { 0 };
    let nothing = Segment { address: 0, wanted: 0, kind: SegmentKind::Memory, flags, bytes: &[] };
    if image.is_empty() && flags != 0 {
        add(record, &nothing);
    }
    for (address, bytes, blank) in image.runs() {
        let blank = if blank { segment_flags::REDACTED } else { 0 };
        let wanted = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        add(record, &Segment { address, wanted, flags: flags | blank, bytes, ..nothing });
        // They are of the whole.
        flags = 0;
    }
}
