//! Writes recordings: frames are appended whole, so that whatever ends the program leaves a file that reads back up to the
//! last of them.

use std::{
    fs::File,
    io::{self, Write},
    num::NonZeroUsize,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ioctl_trace_ebpf::{CallRecord, RecordHeader, RecordKind};

use super::{
    Closing, Meta, fact_record,
    frame::{self, FrameKind, Index, MAGIC, VERSION},
    known::Known,
    pack,
};
use crate::{create, host::Fact, raw};

/// A frame is written when it has this many bytes of records.
const FRAME_BYTES: usize = 3 << 20;
/// A frame is written when its first record is this old: what a killed tracer loses at most.
const FRAME_AGE: Duration = Duration::from_secs(1);
/// Paths and answers that each file of a series begins with, at most: as many paths as the kernel side remembers.
const MAX_KNOWN: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// When a new file is begun, and how many are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of a file.
    pub size: Option<u64>,
    /// Age of a file.
    pub time: Option<Duration>,
    /// Files kept, the present one included.
    pub keep: Option<u32>,
}

impl Rotation {
    const fn is_on(&self) -> bool {
        self.size.is_some() || self.time.is_some()
    }
}

/// Writes a recording, or a series of them.
pub struct Writer {
    path: PathBuf,
    rotation: Rotation,
    meta: Meta,
    file: File,
    written: u64,
    opened: Instant,
    /// Records of the next frame.
    pending: Vec<u8>,
    ends: Vec<usize>,
    index: Index,
    since: Instant,
    frames: Vec<u8>,
    /// What each file of a series needs.
    known: Option<Known>,
}

impl Writer {
    /// Begins a recording.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub fn create(path: &Path, meta: Meta, rotation: Rotation) -> io::Result<Self> {
        let file = create::file(&part(path, 0, &rotation))?;
        Self::to(file, path.to_owned(), meta, rotation)
    }

    /// Begins a recording that goes to standard output.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_stdout(meta: Meta) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Self::to(file, PathBuf::new(), meta, Rotation::default())
    }

    fn to(file: File, path: PathBuf, meta: Meta, rotation: Rotation) -> io::Result<Self> {
        let meta = Meta { part: 0, ..meta };
        let known = rotation.is_on().then(|| Known::new(MAX_KNOWN));
        let mut writer = Self {
            known,
            path,
            rotation,
            meta,
            file,
            written: 0,
            opened: Instant::now(),
            pending: Vec::with_capacity(FRAME_BYTES + 4096),
            ends: Vec::new(),
            index: Index::default(),
            since: Instant::now(),
            frames: Vec::new(),
        };
        writer.begin()?;
        Ok(writer)
    }

    /// What every file begins with.
    fn begin(&mut self) -> io::Result<()> {
        self.frames.clear();
        self.frames.extend(MAGIC);
        self.frames.extend(VERSION.to_le_bytes());
        self.frames.extend([0; 4]);
        let meta = serde_json::to_vec(&self.meta)?;
        frame::write(&mut self.frames, FrameKind::Meta, Index::default(), &meta)?;
        self.write_frames()
    }

    fn write_frames(&mut self) -> io::Result<()> {
        self.file.write_all(&self.frames)?;
        self.written += self.frames.len() as u64;
        self.frames.clear();
        Ok(())
    }

    /// Adds a record of the kernel side.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&mut self, record: &[u8]) -> io::Result<()> {
        let header = raw::read::<RecordHeader>(record);
        if let Some(header) = header.filter(|header| header.kind == RecordKind::Call as u16) {
            self.index.add(header.time_ns);
        }
        if let Some(known) = &mut self.known {
            known.record(record);
        }
        self.push(record);
        if self.pending.len() >= FRAME_BYTES { self.flush() } else { Ok(()) }
    }

    /// Adds an answer of the host, ahead of the record that needs it.
    pub fn fact(&mut self, fact: &Fact) {
        let record = match &mut self.known {
            Some(known) => known.fact(fact),
            None => fact_record(fact),
        };
        if let Some(record) = record {
            self.push(&record);
        }
    }

    fn push(&mut self, record: &[u8]) {
        if self.ends.is_empty() {
            self.since = Instant::now();
        }
        self.pending.extend_from_slice(record);
        self.ends.push(self.pending.len());
    }

    /// Writes what has waited too long. To be called at least once a second.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn tick(&mut self) -> io::Result<()> {
        if !self.ends.is_empty() && self.since.elapsed() >= FRAME_AGE {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what waits as a frame.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.ends.is_empty() {
            return Ok(());
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let records = starts.zip(&self.ends).filter_map(|(start, end)| self.pending.get(start..*end));
        let packed = pack::pack(records);
        frame::write(&mut self.frames, FrameKind::Records, self.index, &packed)?;
        self.pending.clear();
        self.ends.clear();
        self.index = Index::default();
        self.write_frames()?;
        let full = self.rotation.size.is_some_and(|size| self.written >= size);
        let old = self.rotation.time.is_some_and(|age| self.opened.elapsed() >= age);
        if full || old { self.rotate() } else { Ok(()) }
    }

    /// Begins the next file of a series.
    fn rotate(&mut self) -> io::Result<()> {
        self.meta.part += 1;
        if let Some(gone) = self.rotation.keep.and_then(|keep| self.meta.part.checked_sub(keep)) {
            match create::remove(&part(&self.path, gone, &self.rotation)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = create::file(&part(&self.path, self.meta.part, &self.rotation))?;
        self.written = 0;
        self.opened = Instant::now();
        self.begin()?;
        let known = self.known.take();
        known.iter().flat_map(Known::records).for_each(|record| self.push(record));
        self.known = known;
        Ok(())
    }

    /// Writes the rest, and what it came to.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(&mut self, closing: &Closing) -> io::Result<()> {
        self.flush()?;
        let closing = serde_json::to_vec(closing)?;
        frame::write(&mut self.frames, FrameKind::End, Index::default(), &closing)?;
        self.write_frames()
    }
}

/// The name of a file of a series: `run.iotrace`, then `run.1.iotrace`, ….
fn part(path: &Path, number: u32, rotation: &Rotation) -> PathBuf {
    if number == 0 || !rotation.is_on() {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!("{stem}.{number}.iotrace"))
}

const _: () = assert!(size_of::<CallRecord>() < FRAME_BYTES);
