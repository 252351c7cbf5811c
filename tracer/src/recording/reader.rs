//! Reads recordings. They are hostile input: every length is checked, and what is damaged ends the reading with a reason.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    os::fd::AsFd,
    path::Path,
    time::Duration,
};

use super::{
    Closing, Meta,
    frame::{self, FrameError, FrameKind, Header, MAGIC, PREAMBLE, VERSION},
    pack,
};
use crate::source::{Batch, Source};

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is something else.
    #[error("is no recording")]
    Foreign,
    /// A later version of this program wrote it.
    #[error("was written by a newer version (format {0}, this program reads up to {VERSION})")]
    Newer(u32),
    /// A machine of the other byte order wrote it.
    #[error("is of a machine with another byte order ({0})")]
    ByteOrder(String),
    /// It is damaged at its beginning.
    #[error("cannot be read: {0}")]
    Damaged(String),
    /// It cannot be read at all.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An open recording.
pub struct Reader<R = BufReader<File>> {
    input: R,
    meta: Meta,
    closing: Option<Closing>,
    /// Why reading ended before the recording did.
    cut: Option<String>,
}

impl Reader {
    /// Opens a recording, `-` for standard input, and reads what it says of itself.
    ///
    /// # Errors
    /// When it is none, or damaged at its beginning.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = if path.as_os_str() == "-" {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            File::open(path)?
        };
        Self::new(BufReader::with_capacity(1 << 18, file))
    }
}

impl<R: Read + Seek> Reader<R> {
    /// The headers of all whole frames that are left, by which a recording is looked through without unpacking it. Reading
    /// goes on where it was.
    ///
    /// # Errors
    /// When the file cannot be read, or is a pipe.
    pub fn index(&mut self) -> io::Result<Vec<Header>> {
        let here = self.input.stream_position()?;
        let end = self.input.seek(SeekFrom::End(0))?;
        let mut at = self.input.seek(SeekFrom::Start(here))?;
        let mut headers = Vec::new();
        while let Ok(Some(header)) = frame::read_header(&mut self.input) {
            self.input.seek_relative(header.packed.into())?;
            at += frame::HEADER as u64 + u64::from(header.packed);
            if at > end {
                break;
            }
            headers.push(header);
        }
        self.input.seek(SeekFrom::Start(here))?;
        Ok(headers)
    }
}

impl<R: Read> Reader<R> {
    /// Reads what a recording says of itself.
    ///
    /// # Errors
    /// When it is none, or damaged at its beginning.
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let mut preamble = [0; PREAMBLE];
        input.read_exact(&mut preamble).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Foreign,
            _ => ReadError::Io(error),
        })?;
        if !preamble.starts_with(&MAGIC) {
            return Err(ReadError::Foreign);
        }
        let version =
            preamble.get(8..12).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        if version == 0 || version > VERSION {
            return Err(ReadError::Newer(version));
        }
        let damaged = |error: &dyn std::fmt::Display| ReadError::Damaged(error.to_string());
        let header = frame::read_header(&mut input).map_err(|error| damaged(&error))?;
        let header = header.filter(|header| header.kind == Some(FrameKind::Meta));
        let header = header.ok_or_else(|| damaged(&"it does not say what it is of"))?;
        let meta = frame::read_payload(&mut input, &header).map_err(|error| damaged(&error))?;
        let meta: Meta = serde_json::from_slice(&meta).map_err(|error| damaged(&error))?;
        let arch = meta.arch().ok_or_else(|| damaged(&format!("unknown architecture `{}`", meta.arch)))?;
        if arch.is_big_endian() != cfg!(target_endian = "big") {
            return Err(ReadError::ByteOrder(meta.arch));
        }
        Ok(Self { input, meta, closing: None, cut: None })
    }

    /// What it says of itself.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What it came to; `None` before all of it has been read, and where its writer was killed.
    #[must_use]
    pub const fn closing(&self) -> Option<&Closing> {
        self.closing.as_ref()
    }

    /// Why the end is missing, if it is.
    #[must_use]
    pub fn cut(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    /// The next frame's records; `None` at the end.
    fn next_frame(&mut self, batch: &mut Batch) -> Option<()> {
        loop {
            let header = match frame::read_header(&mut self.input) {
                Ok(Some(header)) => header,
                Ok(None) => {
                    if self.closing.is_none() {
                        self.cut = Some("its writer did not end it".to_owned());
                    }
                    return None;
                }
                Err(error) => return self.give_up(&error),
            };
            let payload = match frame::read_payload(&mut self.input, &header) {
                Ok(payload) => payload,
                Err(error) => return self.give_up(&error),
            };
            match header.kind {
                Some(FrameKind::Records) => {}
                Some(FrameKind::End) => {
                    self.closing = serde_json::from_slice(&payload).ok();
                    return None;
                }
                // A later version may have added others.
                Some(FrameKind::Meta) | None => continue,
            }
            match pack::unpack(&payload, |record| batch.push(record)) {
                Ok(()) => return Some(()),
                Err(error) => return self.give_up(&error),
            }
        }
    }

    fn give_up(&mut self, error: &dyn std::fmt::Display) -> Option<()> {
        self.cut = Some(error.to_string());
        None
    }
}

impl<R: Read + Send> Source for Reader<R> {
    fn read(&mut self, batch: &mut Batch, _timeout: Duration) -> bool {
        self.next_frame(batch).is_some()
    }
}

impl From<FrameError> for ReadError {
    fn from(error: FrameError) -> Self {
        Self::Damaged(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use ioctl_registry::Registry;
    use ioctl_trace_ebpf::{CallRecord, RecordKind};

    use super::{
        super::{Rotation, Writer},
        *,
    };
    use crate::{clock::WallClock, raw};

    fn call(n: u64) -> Vec<u8> {
        let mut call = CallRecord { ret: n as i64, request: 0x541b, ..CallRecord::default() };
        call.header.kind = RecordKind::Call as u16;
        call.header.time_ns = n * 1_000;
        raw::bytes_of(&call)
    }

    fn all(reader: &mut Reader) -> Vec<Vec<u8>> {
        let mut batch = Batch::default();
        while reader.read(&mut batch, Duration::ZERO) {}
        batch.records().map(<[u8]>::to_vec).collect()
    }

    fn written(path: &Path, frames: u64, per_frame: u64) -> Vec<Vec<u8>> {
        let meta = Meta::here(Registry::builtin(), &WallClock::fixed(5));
        let mut writer = Writer::create(path, meta, Rotation::default()).expect("a file");
        for frame in 0..frames {
            for n in 0..per_frame {
                writer.record(&call(frame * per_frame + n)).expect("written");
            }
            writer.flush().expect("written");
        }
        writer.finish(&Closing { seen: 7, ..Closing::default() }).expect("written");
        (0..frames * per_frame).map(call).collect()
    }

    #[test]
    fn what_was_recorded_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.iotrace");
        let records = written(&path, 3, 100);
        let mut reader = Reader::open(&path).expect("a recording");
        assert_eq!((reader.meta().epoch_ns, reader.meta().part), (5, 0));
        let index = reader.index().expect("headers");
        let calls: Vec<_> = index.iter().map(|header| (header.calls, header.first_ns)).collect();
        assert_eq!(calls, [(100, 0), (100, 100_000), (100, 200_000), (0, 0)]);
        assert_eq!(all(&mut reader), records);
        assert_eq!((reader.closing().map(|closing| closing.seen), reader.cut()), (Some(7), None));
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn cut_anywhere_all_whole_frames_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.iotrace");
        let records = written(&path, 4, 10);
        let bytes = std::fs::read(&path).expect("a file");
        let mut most = 0;
        for length in 0..bytes.len() {
            std::fs::write(&path, bytes.get(..length).expect("within")).expect("written");
            let Ok(mut reader) = Reader::open(&path) else {
                assert_eq!(most, 0, "{length}");
                continue;
            };
            let read = all(&mut reader);
            assert!(
                records.starts_with(&read) && read.len() >= most && read.len().is_multiple_of(10),
                "{length}"
            );
            assert!(reader.cut().is_some(), "{length}");
            most = read.len();
        }
        assert_eq!(most, 40);
    }

    #[test]
    fn damage_is_noticed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.iotrace");
        let records = written(&path, 2, 10);
        let bytes = std::fs::read(&path).expect("a file");
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            std::fs::write(&path, damaged).expect("written");
            if let Ok(mut reader) = Reader::open(&path) {
                assert!(records.starts_with(&all(&mut reader)), "{place}");
            }
        }
        std::fs::write(&path, "something else that is long enough").expect("written");
        assert!(matches!(Reader::open(&path), Err(ReadError::Foreign)));
    }

    #[test]
    fn a_series_has_all_and_keeps_some() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.iotrace");
        let meta = Meta::here(Registry::builtin(), &WallClock::fixed(5));
        let rotation = Rotation { size: Some(1), keep: Some(2), ..Rotation::default() };
        let mut writer = Writer::create(&path, meta, rotation).expect("a file");
        for n in 0..3 {
            writer.record(&call(n)).expect("written");
            writer.flush().expect("written");
        }
        writer.finish(&Closing::default()).expect("written");
        let names = |n| dir.path().join(format!("x.{n}.iotrace"));
        assert!(!path.exists() && !names(1).exists());
        let read = |path: &Path| all(&mut Reader::open(path).expect("a recording"));
        assert_eq!((read(&names(2)), read(&names(3))), (vec![call(2)], vec![]));
    }
}
