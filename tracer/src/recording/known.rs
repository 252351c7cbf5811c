//! What records refer to that came before them: a recording that begins later needs it too.

use std::num::NonZeroUsize;

use ioctl_trace_ebpf::{FileRecord, NameRecord, RecordHeader, RecordKind};
use lru::LruCache;

use super::fact_record;
use crate::{host::Fact, raw};

/// Paths and names of handles that the kernel side sent once, and answers of the host: the last ones.
pub struct Known {
    paths: LruCache<u64, Vec<u8>>,
    /// By process, handle and when it was opened.
    names: LruCache<(u32, u64, u64), Vec<u8>>,
    facts: LruCache<Vec<u8>, ()>,
}

impl Known {
    /// So many of each, at most.
    #[must_use]
    pub fn new(most: NonZeroUsize) -> Self {
        Self { paths: LruCache::new(most), names: LruCache::new(most), facts: LruCache::new(most) }
    }

    /// Takes a record, if others will refer to it.
    pub fn record(&mut self, record: &[u8]) {
        let Some(header) = raw::read::<RecordHeader>(record) else { return };
        if header.kind == RecordKind::Fact as u16 {
            self.facts.put(record.to_vec(), ());
        } else if header.kind == RecordKind::File as u16
            && let Some(file) = raw::read::<FileRecord>(record)
        {
            self.paths.put(file.file.file, record.to_vec());
        } else if header.kind == RecordKind::Handle as u16
            && let Some(name) = raw::read::<NameRecord>(record)
        {
            self.names.put((name.tgid, name.handle, header.time_ns), record.to_vec());
        }
    }

    /// Takes an answer. Gives it as a record.
    pub fn fact(&mut self, fact: &Fact) -> Option<Vec<u8>> {
        let record = fact_record(fact)?;
        self.facts.put(record.clone(), ());
        Some(record)
    }

    /// All of it, answers first.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        // The eldest first, so that what replaced something stands behind it.
        let facts = self.facts.iter().rev().map(|(fact, ())| fact.as_slice());
        let names = self.names.iter().rev().map(|(_, name)| name.as_slice());
        facts.chain(self.paths.iter().rev().map(|(_, path)| path.as_slice())).chain(names)
    }
}
