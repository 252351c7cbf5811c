//! Bytes of the ring buffer (or of a file) into records. The bytes are not trusted: whatever they are, the answer is a
//! record or a reason, never a panic.

use ioctl_trace_ebpf::{
    CallRecord, DataRecord, FILESYSTEM_BYTES, FileRecord, InFlight, MODULE_BYTES, NameRecord, ProcessRecord,
    RecordHeader, RecordKind, SegmentHeader, SegmentKind,
};

use crate::raw::{self, Plain};

/// A parsed record.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A call, and its segments.
    Call(CallRecord, Segments<'a>),
    /// What a call was given.
    Data(DataRecord, Segments<'a>),
    /// A file's path.
    File(FileRef<'a>),
    /// A process event.
    Process(RecordKind, ProcessRecord),
    /// A thread that was inside a call when tracing ended at this time, and the call.
    Running(u32, u64, InFlight),
    /// What the traced machine answered, as JSON.
    Fact(&'a [u8]),
    /// The name of a handle, or the path of a library.
    Name(RecordKind, NameRef<'a>),
}

/// A [`NameRecord`] whose name is borrowed and already cut to its length.
#[derive(Clone, Copy, Debug)]
pub struct NameRef<'a> {
    /// When it was opened.
    pub time_ns: u64,
    /// Its process.
    pub tgid: u32,
    /// The handle.
    pub handle: u64,
    /// The handle that the name is relative to and when it was opened, if there is one.
    pub root: Option<(u64, u64)>,
    /// The name: of a handle in UTF-16.
    pub name: &'a [u8],
    /// It was cut.
    pub truncated: bool,
}

/// A [`FileRecord`] whose path is borrowed and already cut to its length.
#[derive(Clone, Copy, Debug)]
pub struct FileRef<'a> {
    /// The header.
    pub header: RecordHeader,
    /// The file.
    pub file: ioctl_trace_ebpf::FileIdentity,
    /// Process that used it first.
    pub tgid: u32,
    /// Its descriptor there.
    pub fd: u32,
    /// Name of its filesystem's type, NUL-padded.
    pub filesystem: [u8; FILESYSTEM_BYTES],
    /// Name of the module that its operations belong to, NUL-padded.
    pub owner: [u8; MODULE_BYTES],
    /// Components, innermost first, each with a NUL behind it.
    pub path: &'a [u8],
}

/// A copied piece of memory, or of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Where it was in the program's memory.
    pub address: u64,
    /// Bytes that should have been copied.
    pub wanted: u32,
    /// What the bytes are.
    pub kind: SegmentKind,
    /// [`segment_flags`](ioctl_trace_ebpf::segment_flags).
    pub flags: u16,
    /// What was copied.
    pub bytes: &'a [u8],
}

/// The segments behind a record. They end with the record's bytes, or where these make no sense.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let header: SegmentHeader = raw::read(self.0)?;
        let rest = self.0.get(size_of::<SegmentHeader>()..)?;
        let length = usize::try_from(header.length).ok()?;
        let (bytes, kind) = (rest.get(..length)?, SegmentKind::from_raw(header.kind)?);
        self.0 = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
        Some(Segment { address: header.address, wanted: header.wanted, kind, flags: header.flags, bytes })
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Shorter than its kind requires.
    #[error("record of {found} bytes, {wanted} expected")]
    Short {
        /// Bytes there are.
        found: usize,
        /// Bytes there should be.
        wanted: usize,
    },
    /// A kind this program does not know.
    #[error("unknown record kind {0}")]
    Kind(u16),
}

fn read<T: Plain>(bytes: &[u8]) -> Result<T, WireError> {
    raw::read(bytes).ok_or(WireError::Short { found: bytes.len(), wanted: size_of::<T>() })
}

fn segments<T>(bytes: &[u8]) -> Segments<'_> {
    Segments(bytes.get(size_of::<T>()..).unwrap_or_default())
}

/// Reads one record; bytes beyond its size that are no segments are ignored.
///
/// # Errors
/// When the bytes are too few or of an unknown kind.
pub fn parse(bytes: &[u8]) -> Result<Record<'_>, WireError> {
    let header: RecordHeader = read(bytes)?;
    let kind = RecordKind::from_raw(header.kind).ok_or(WireError::Kind(header.kind))?;
    Ok(match kind {
        RecordKind::Call => Record::Call(read(bytes)?, segments::<CallRecord>(bytes)),
        RecordKind::Data => Record::Data(read(bytes)?, segments::<DataRecord>(bytes)),
        RecordKind::File => Record::File(parse_file(bytes)?),
        RecordKind::Fork | RecordKind::Exec | RecordKind::Exit => Record::Process(kind, read(bytes)?),
        RecordKind::Running => {
            let rest = bytes.get(size_of::<RecordHeader>()..).unwrap_or_default();
            let tid = rest.first_chunk().map_or(0, |tid| u64::from_ne_bytes(*tid));
            let call = read(rest.get(8..).unwrap_or_default())?;
            Record::Running(u32::try_from(tid).unwrap_or(0), header.time_ns, call)
        }
        RecordKind::Handle | RecordKind::Library => Record::Name(kind, parse_name(bytes)?),
        RecordKind::Fact => Record::Fact(bytes.get(size_of::<RecordHeader>()..).unwrap_or_default()),
    })
}

fn parse_name(bytes: &[u8]) -> Result<NameRef<'_>, WireError> {
    let record: NameRecord = read(bytes)?;
    let name = bytes.get(std::mem::offset_of!(NameRecord, name)..size_of::<NameRecord>()).unwrap_or_default();
    let length = record.length as usize;
    Ok(NameRef {
        time_ns: record.header.time_ns,
        tgid: record.tgid,
        handle: record.handle,
        root: (record.root != 0).then_some((record.root, record.root_opened_ns)),
        name: name.get(..length).unwrap_or(name),
        truncated: length > name.len(),
    })
}

fn parse_file(bytes: &[u8]) -> Result<FileRef<'_>, WireError> {
    let record: FileRecord = read(bytes)?;
    let path = bytes.get(std::mem::offset_of!(FileRecord, path)..size_of::<FileRecord>()).unwrap_or_default();
    let len = (record.path_len as usize).min(path.len());
    Ok(FileRef {
        header: record.header,
        file: record.file,
        tgid: record.tgid,
        fd: record.fd,
        filesystem: record.filesystem,
        owner: record.owner,
        path: path.get(..len).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_call_survives_the_wire() {
        let call = CallRecord {
            header: RecordHeader { kind: RecordKind::Call as u16, flags: 2, cpu: 1, time_ns: 7 },
            ret: -25,
            request: 0x5401,
            ..CallRecord::default()
        };
        let bytes = raw::bytes_of(&call);
        let Ok(Record::Call(back, mut none)) = parse(&bytes) else { panic!("no call") };
        assert_eq!((back, none.next()), (call, None));
        let short = parse(bytes.get(..159).expect("159 bytes"));
        assert!(matches!(short, Err(WireError::Short { found: 159, wanted: 160 })));
    }

    #[test]
    fn unknown_kinds_are_refused() {
        assert!(matches!(parse(&[9; 200]), Err(WireError::Kind(0x0909))));
        assert!(matches!(parse(&[]), Err(WireError::Short { .. })));
    }

    #[test]
    fn segments_end_where_they_make_no_sense() {
        let header =
            |length, kind| SegmentHeader { address: 64, wanted: 5, length, kind, ..SegmentHeader::default() };
        let mut bytes = raw::bytes_of(&DataRecord::default());
        bytes.splice(..2, (RecordKind::Data as u16).to_ne_bytes());
        bytes.extend(raw::bytes_of(&header(3, 0)));
        bytes.extend(b"abc\0\0\0\0\0");
        bytes.extend(raw::bytes_of(&header(100, 0)));
        bytes.extend(b"abc");
        let Ok(Record::Data(_, segments)) = parse(&bytes) else { panic!("no data") };
        let segments: Vec<_> = segments.collect();
        let expected = Segment { address: 64, wanted: 5, kind: SegmentKind::Memory, flags: 0, bytes: b"abc" };
        assert_eq!(segments, [expected]);
        assert_eq!(Segments(&raw::bytes_of(&header(0, 9))).count(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_record_or_a_reason(kind in 0_u16..12, mut bytes in prop::collection::vec(any::<u8>(), 0..1300)) {
            if let Some(slot) = bytes.get_mut(..2) {
                slot.copy_from_slice(&kind.to_ne_bytes());
            }
            match parse(&bytes) {
                Ok(Record::File(file)) => prop_assert!(file.path.len() <= ioctl_trace_ebpf::PATH_BYTES),
                Ok(Record::Call(_, segments) | Record::Data(_, segments)) => {
                    prop_assert!(segments.map(|segment| segment.bytes.len()).sum::<usize>() <= bytes.len());
                }
                _ => {}
            }
        }
    }
}
