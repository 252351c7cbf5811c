//! Where records come from: the live kernel, or a script. What they mean is not known here, but for their times.

mod cast;
pub mod live;
pub mod offsets;
pub mod paced;
pub mod scripted;
pub mod setup;
pub mod wine;

use std::time::Duration;

use ioctl_trace_ebpf::{ControlBegun, Counters, InFlight};

/// Records as they came, back to back in one buffer; reused between reads.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// A batch is handed on when it holds this many bytes.
const BATCH_BYTES: usize = 256 * 1024;

impl Batch {
    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// Whether there is no record in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether it should be handed on before it grows further.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    /// A record by its place.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(start..*self.ends.get(index)?)
    }

    /// The records in order.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, &end)| self.bytes.get(start..end))
    }
}

/// Something that yields raw records.
pub trait Source: Send {
    /// Moves waiting records into `batch` until it is full or none is left; waits at most `timeout` for the first.
    /// `false` when there will never be another one.
    fn read(&mut self, batch: &mut Batch, timeout: Duration) -> bool;
}

/// What happened to every call so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Sums over all CPUs.
    pub total: Counters,
    /// Calls lost per CPU, CPUs without loss left out.
    pub lost_per_cpu: Vec<(usize, u64)>,
}

impl Accounts {
    /// Adds up the counters of each CPU.
    #[must_use]
    pub fn from_cpus(cpus: &[Counters]) -> Self {
        let mut accounts = Self::default();
        for (cpu, c) in cpus.iter().enumerate() {
            let t = &mut accounts.total;
            t.seen += c.seen;
            t.filtered += c.filtered;
            t.recorded += c.recorded;
            t.counted += c.counted;
            t.lost_slot += c.lost_slot;
            t.lost_ring += c.lost_ring;
            t.lost_summary += c.lost_summary;
            t.lost_control += c.lost_control;
            t.lost_data += c.lost_data;
            t.not_followed += c.not_followed;
            t.followed += c.followed;
            t.ended += c.ended;
            let lost = c.lost_slot + c.lost_ring + c.lost_summary;
            if lost > 0 {
                accounts.lost_per_cpu.push((cpu, lost));
            }
        }
        accounts
    }

    /// Calls that were wanted and are not in the output.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.total.lost_slot + self.total.lost_ring + self.total.lost_summary
    }

    /// Calls that are in the output.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.total.recorded + self.total.counted
    }

    /// Calls seen that have not ended yet.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.total.seen.saturating_sub(self.total.filtered + self.delivered() + self.lost())
    }
}

/// A call found inside the kernel: thread id and what is known of it.
pub type InFlightCall = (u32, InFlight);

/// A control code that is being carried out: thread id and what is known of it.
pub type ControlCall = (u32, ControlBegun);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_give_back_what_was_put_in() {
        let mut batch = Batch::default();
        assert!(batch.is_empty());
        for record in [&b"abc"[..], b"", b"defg"] {
            batch.push(record);
        }
        assert_eq!(batch.records().collect::<Vec<_>>(), [&b"abc"[..], b"", b"defg"]);
        batch.clear();
        assert_eq!(batch.records().count(), 0);
    }

    #[test]
    fn accounts_add_up_over_cpus() {
        let cpu = |seen, filtered, recorded, lost_ring| Counters {
            seen,
            filtered,
            recorded,
            lost_ring,
            ..Counters::default()
        };
        let accounts = Accounts::from_cpus(&[cpu(10, 1, 8, 0), cpu(7, 0, 3, 4)]);
        assert_eq!(accounts.lost(), 4);
        assert_eq!(accounts.lost_per_cpu, [(1, 4)]);
        assert_eq!(accounts.delivered(), 11);
        assert_eq!(accounts.in_flight(), 1);
    }
}
