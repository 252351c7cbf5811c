//! A source with no kernel behind it: plays records that a test or a demonstration wrote down.

use std::{collections::VecDeque, time::Duration};

use ioctl_trace_ebpf::{
    CallRecord, DataRecord, FileIdentity, FileRecord, MODULE_BYTES, PATH_BYTES, ProcessRecord, RecordHeader,
    RecordKind, SegmentHeader, file_flags,
};

use super::{Batch, Source};
use crate::raw;

/// Plays raw records in order, then ends.
#[derive(Debug, Default)]
pub struct Scripted {
    records: VecDeque<Vec<u8>>,
}

impl Scripted {
    /// An empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they are; they need not be a valid record.
    pub fn raw(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.records.push_back(bytes.into());
        self
    }

    /// Adds a call; the header's kind is set.
    pub fn call(&mut self, mut call: CallRecord) -> &mut Self {
        call.header.kind = RecordKind::Call as u16;
        self.raw(raw::bytes_of(&call))
    }

    /// Adds a call, and what its program got back: pieces of its memory by address.
    pub fn call_returning(&mut self, mut call: CallRecord, memory: &[(u64, &[u8])]) -> &mut Self {
        call.header.kind = RecordKind::Call as u16;
        let mut bytes = raw::bytes_of(&call);
        memory.iter().for_each(|(address, piece)| bytes.extend(segment(*address, piece)));
        self.raw(bytes)
    }

    /// Adds what a call is given, which the call itself has to say with [`INPUT`](ioctl_trace_ebpf::call_flags::INPUT).
    pub fn input(&mut self, call: &CallRecord, memory: &[(u64, &[u8])]) -> &mut Self {
        let header =
            RecordHeader { kind: RecordKind::Data as u16, time_ns: call.header.time_ns, ..call.header };
        let mut bytes = raw::bytes_of(&DataRecord { header, tid: call.tid, control: 0 });
        memory.iter().for_each(|(address, piece)| bytes.extend(segment(*address, piece)));
        self.raw(bytes)
    }

    /// Adds the path of a file as the kernel side would: components innermost first.
    pub fn file(&mut self, identity: FileIdentity, path: &str, flags: u16) -> &mut Self {
        let mut bytes = [0; PATH_BYTES];
        let mut used = 0;
        let components: Vec<&str> = if flags & file_flags::PSEUDO != 0 {
            vec![path]
        } else {
            path.split('/').filter(|c| !c.is_empty()).collect()
        };
        for component in components.into_iter().rev() {
            let Some(slot) = bytes.get_mut(used..used + component.len()) else { break };
            slot.copy_from_slice(component.as_bytes());
            used += component.len() + 1;
        }
        let record = FileRecord {
            header: RecordHeader { kind: RecordKind::File as u16, flags, ..RecordHeader::default() },
            file: identity,
            tgid: 0,
            fd: 0,
            path_len: u32::try_from(used).unwrap_or(0),
            reserved: 0,
            filesystem: *b"testfs\0\0\0\0\0\0\0\0\0\0",
            owner: [0; MODULE_BYTES],
            path: bytes,
        };
        self.raw(raw::bytes_of(&record))
    }

    /// Adds a process event.
    pub fn process(&mut self, kind: RecordKind, mut process: ProcessRecord) -> &mut Self {
        process.header.kind = kind as u16;
        self.raw(raw::bytes_of(&process))
    }
}

/// A segment with its header, filled up to 8 bytes.
fn segment(address: u64, piece: &[u8]) -> Vec<u8> {
    let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
    let header = SegmentHeader { address, wanted: length, length, ..SegmentHeader::default() };
    let mut bytes = raw::bytes_of(&header);
    bytes.extend_from_slice(piece);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

impl Source for Scripted {
    fn read(&mut self, batch: &mut Batch, _timeout: Duration) -> bool {
        while !batch.is_full() {
            match self.records.pop_front() {
                Some(record) => batch.push(&record),
                None => return false,
            }
        }
        true
    }
}
