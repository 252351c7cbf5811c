//! A recording that begins and ends while calls come in.

use std::{
    io,
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ioctl_trace_ebpf::{RecordHeader, RecordKind};

use super::{Closing, Writer, known::Known};
use crate::{clock::monotonic_ns, host::Fact, raw};

/// Paths and answers that are remembered for it: as many paths as are joined with calls.
const MAX_KNOWN: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// Where records pass by that may be wanted from some moment on.
pub struct Tap {
    /// Looked at for each record: a look is cheaper than the lock.
    on: AtomicBool,
    inner: Mutex<Inner>,
}

struct Inner {
    known: Known,
    running: Option<Running>,
    /// Why it ended by itself.
    failure: Option<io::Error>,
}

struct Running {
    writer: Writer,
    /// Records of calls.
    calls: u64,
    since_ns: u64,
}

impl Default for Tap {
    fn default() -> Self {
        let inner = Inner { known: Known::new(MAX_KNOWN), running: None, failure: None };
        Self { on: AtomicBool::new(false), inner: Mutex::new(inner) }
    }
}

impl Tap {
    /// Whether something is written.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// Begins to write.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&self, mut writer: Writer) -> io::Result<()> {
        self.with(|inner| {
            for record in inner.known.records() {
                writer.record(record)?;
            }
            inner.running = Some(Running { writer, calls: 0, since_ns: monotonic_ns() });
            self.on.store(true, Ordering::Release);
            Ok(())
        })
    }

    /// Completes what is written. So many calls were lost meanwhile.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn end(&self, lost: u64) -> io::Result<()> {
        self.on.store(false, Ordering::Release);
        let Some(Running { mut writer, calls, since_ns }) = self.with(|inner| inner.running.take()) else {
            return Ok(());
        };
        let elapsed_ns = monotonic_ns().saturating_sub(since_ns);
        writer.finish(&Closing { seen: calls + lost, filtered: 0, delivered: calls, lost, elapsed_ns })
    }

    /// Takes a record, and the answers that it needs.
    pub fn record(&self, record: &[u8], facts: &[Fact]) {
        let Some(header) = raw::read::<RecordHeader>(record) else { return };
        let refers = [RecordKind::File as u16, RecordKind::Fact as u16].contains(&header.kind);
        if !refers && facts.is_empty() && !self.is_on() {
            return;
        }
        self.with(|inner| {
            inner.known.record(record);
            let facts: Vec<_> = facts.iter().filter_map(|fact| inner.known.fact(fact)).collect();
            let Some(running) = &mut inner.running else { return };
            running.calls += u64::from(header.kind == RecordKind::Call as u16);
            let written = facts.iter().try_for_each(|fact| running.writer.record(fact));
            let written = written.and_then(|()| running.writer.record(record));
            self.check(inner, written);
        });
    }

    /// Writes what has waited too long. To be called at least once a second.
    pub fn tick(&self) {
        if self.is_on() {
            self.with(|inner| {
                let written = inner.running.as_mut().map_or(Ok(()), |running| running.writer.tick());
                self.check(inner, written);
            });
        }
    }

    /// Why it ended by itself, if it did; told once.
    pub fn failure(&self) -> Option<io::Error> {
        self.with(|inner| inner.failure.take())
    }

    /// A file that cannot be written ends its recording, and nothing else.
    fn check(&self, inner: &mut Inner, written: io::Result<()>) {
        if let Err(error) = written {
            (inner.running, inner.failure) = (None, Some(error));
            self.on.store(false, Ordering::Release);
        }
    }

    fn with<R>(&self, work: impl FnOnce(&mut Inner) -> R) -> R {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
