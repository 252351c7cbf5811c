//! Frames: the pieces that a recording is made of, each with a checksum and what an index needs. See `docs/format.md`.

use std::io::{self, Read};

use super::pack::MAX_BLOCK;

/// The first bytes of every recording.
pub const MAGIC: [u8; 8] = *b"IOTRACE\n";
/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;
/// Bytes before the first frame: magic, version, and 4 that are 0.
pub const PREAMBLE: usize = 16;
/// The first bytes of every frame.
const MARK: [u8; 4] = *b"FRAM";
/// Bytes of a frame's header.
pub const HEADER: usize = 48;
/// Longest payload that is read.
const MAX_PAYLOAD: u32 = MAX_BLOCK as u32;
/// How closely payloads are packed: the fastest level, which takes a tenth of what the calls themselves do.
const LEVEL: i32 = 1;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// What is needed to read the rest: JSON.
    Meta,
    /// Records of the kernel side, packed.
    Records,
    /// What it came to: JSON. Nothing follows.
    End,
}

impl FrameKind {
    const fn number(self) -> u32 {
        match self {
            Self::Meta => 1,
            Self::Records => 2,
            Self::End => 3,
        }
    }

    const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Meta,
            2 => Self::Records,
            3 => Self::End,
            _ => return None,
        })
    }
}

/// The header of a frame: all that has to be read to know whether its payload is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the payload is; `None` for a kind that a later version added.
    pub kind: Option<FrameKind>,
    /// Bytes of the payload in the file.
    pub packed: u32,
    /// Bytes of the payload once it is unpacked from zstd.
    pub unpacked: u32,
    /// Calls in it.
    pub calls: u32,
    /// When the first of them began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub first_ns: u64,
    /// When the last of them began.
    pub last_ns: u64,
    /// The checksum that was written, and that of what has been read so far.
    checksum: u32,
    so_far: u32,
}

impl Header {
    /// Whether it is that of a recording's last frame.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.kind == Some(FrameKind::End)
    }
}

/// What a frame's calls are, for its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// How many.
    pub calls: u32,
    /// When the first one began.
    pub first_ns: u64,
    /// When the last one began.
    pub last_ns: u64,
}

impl Index {
    /// Takes in a call that began at this time.
    pub fn add(&mut self, time_ns: u64) {
        self.first_ns = if self.calls == 0 { time_ns } else { self.first_ns.min(time_ns) };
        self.last_ns = self.last_ns.max(time_ns);
        self.calls = self.calls.saturating_add(1);
    }
}

/// Appends a frame to `out`.
///
/// # Errors
/// When the payload cannot be compressed.
pub fn write(out: &mut Vec<u8>, kind: FrameKind, index: Index, payload: &[u8]) -> io::Result<()> {
    let packed = zstd::bulk::compress(payload, LEVEL)?;
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(io::Error::other);
    let start = out.len();
    out.extend(MARK);
    for word in [kind.number(), length(&packed)?, length(payload)?, index.calls] {
        out.extend(word.to_le_bytes());
    }
    out.extend([0; 4]);
    out.extend(index.first_ns.to_le_bytes());
    out.extend(index.last_ns.to_le_bytes());
    out.extend([0; 4]);
    let head = out.get(start..).unwrap_or_default();
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(head);
    checksum.update(&packed);
    out.extend(checksum.finalize().to_le_bytes());
    out.extend(packed);
    Ok(())
}

/// Why a frame cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The file ends within the frame, or right behind the last one.
    #[error("it ends within a frame")]
    Cut,
    /// The bytes are no frame, or not those that were written.
    #[error("damaged frame ({0})")]
    Damaged(&'static str),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the header of the next frame; `None` at the end of the file.
///
/// # Errors
/// When there is something else.
pub fn read_header(input: &mut impl Read) -> Result<Option<Header>, FrameError> {
    let mut bytes = [0; HEADER];
    match fill(input, &mut bytes)? {
        0 => return Ok(None),
        HEADER => {}
        _ => return Err(FrameError::Cut),
    }
    if !bytes.starts_with(&MARK) {
        return Err(FrameError::Damaged("no frame begins here"));
    }
    let word =
        |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes);
    let long =
        |at: usize| bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(bytes.get(..HEADER - 4).unwrap_or_default());
    let header = Header {
        kind: FrameKind::from_number(word(4)),
        packed: word(8),
        unpacked: word(12),
        calls: word(16),
        first_ns: long(24),
        last_ns: long(32),
        checksum: word(44),
        so_far: checksum.finalize(),
    };
    if header.packed > MAX_PAYLOAD || header.unpacked > MAX_PAYLOAD {
        return Err(FrameError::Damaged("it is too long"));
    }
    Ok(Some(header))
}

/// Reads the payload behind a header and unpacks it.
///
/// # Errors
/// When it is not what was written.
pub fn read_payload(input: &mut impl Read, header: &Header) -> Result<Vec<u8>, FrameError> {
    let mut packed = Vec::new();
    input.take(header.packed.into()).read_to_end(&mut packed)?;
    if packed.len() != header.packed as usize {
        return Err(FrameError::Cut);
    }
    let mut checksum = crc32fast::Hasher::new_with_initial(header.so_far);
    checksum.update(&packed);
    if checksum.finalize() != header.checksum {
        return Err(FrameError::Damaged("its checksum differs"));
    }
    zstd::bulk::decompress(&packed, header.unpacked as usize)
        .ok()
        .filter(|payload| payload.len() == header.unpacked as usize)
        .ok_or(FrameError::Damaged("it does not unpack"))
}

/// Fills as much of `bytes` as there is.
fn fill(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
