//! The last calls, bounded in memory. They lie in batches that are shared, so that a picture of them costs next to nothing.

use std::{collections::VecDeque, sync::Arc};

use crate::event::Event;

/// Calls of a batch; smaller ones are joined.
pub const BATCH: usize = 512;
/// Small batches that wait to be joined.
const SMALL: usize = 48;

/// Calls that came together.
#[derive(Clone, Debug)]
struct Batch {
    /// Number of the first; every call has one, and it never changes.
    first: u64,
    events: Vec<Event>,
    bytes: usize,
}

impl Batch {
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }
}

/// The last calls.
#[derive(Clone, Debug)]
pub struct Calls {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    limit: usize,
    /// One more than the number of the last call.
    end: u64,
    /// Number of the first call that counts: those before were cleared away.
    cleared: u64,
}

/// What a call takes in memory, roughly.
fn bytes_of(event: &Event) -> usize {
    /// What the allocator needs for the pieces of a call.
    const OVERHEAD: usize = 64;
    let data = &event.call.data;
    size_of::<Event>()
        + OVERHEAD
        + data.input.memory()
        + data.output.memory()
        + data.files.len() * 32
        + (data.user_stack.len() + data.kernel_stack.len()) * 8
}

impl Calls {
    /// None yet, and room for so many bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { batches: VecDeque::new(), bytes: 0, limit, end: 0, cleared: 0 }
    }

    /// Adds calls; the oldest make room.
    pub fn add(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let bytes = events.iter().map(bytes_of).sum();
        let first = self.end;
        self.end += events.len() as u64;
        self.bytes += bytes;
        self.batches.push_back(Arc::new(Batch { first, events, bytes }));
        self.join();
        while self.bytes > self.limit && self.batches.len() > 1 {
            if let Some(oldest) = self.batches.pop_front() {
                self.bytes -= oldest.bytes;
            }
        }
    }

    /// Joins small batches at the end once there are many: a slow program would otherwise make one for each call.
    fn join(&mut self) {
        let small = self.batches.iter().rev().take_while(|batch| batch.events.len() < BATCH / 2).count();
        if small < SMALL {
            return;
        }
        let mut joined: Option<Batch> = None;
        for batch in self.batches.split_off(self.batches.len() - small) {
            let batch = Arc::unwrap_or_clone(batch);
            match &mut joined {
                Some(all) => {
                    all.events.extend(batch.events);
                    all.bytes += batch.bytes;
                }
                None => joined = Some(batch),
            }
        }
        self.batches.extend(joined.map(Arc::new));
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.batches.clear();
        self.bytes = 0;
        self.cleared = self.end;
    }

    /// Number of the first call that is kept.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.batches.front().map_or(self.end, |batch| batch.first)
    }

    /// One more than the last call's number.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Calls kept.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.end - self.first()).unwrap_or(usize::MAX)
    }

    /// Calls that had to make room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.first() - self.cleared
    }

    /// Bytes that they take, and that they may take.
    #[must_use]
    pub const fn memory(&self) -> (usize, usize) {
        (self.bytes, self.limit)
    }

    /// A call by its number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Event> {
        let place = self.batches.partition_point(|batch| batch.end() <= number);
        let batch = self.batches.get(place)?;
        batch.events.get(usize::try_from(number.checked_sub(batch.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::call;

    fn times(calls: &Calls) -> Vec<u64> {
        (calls.first()..calls.end()).map(|n| calls.get(n).expect("kept").call.start_ns).collect()
    }

    #[test]
    fn calls_keep_their_numbers() {
        let mut calls = Calls::new(usize::MAX);
        (0..1_000).for_each(|n| calls.add(vec![call(n).event()]));
        assert!(calls.batches.len() < 2 * SMALL, "small batches are joined");
        calls.add((1_000..1_600).map(|n| call(n).event()).collect());
        assert_eq!(times(&calls), (0..1_600).collect::<Vec<_>>());
        assert!(calls.get(1_600).is_none());
        calls.clear();
        assert_eq!((calls.len(), calls.first(), calls.dropped()), (0, 1_600, 0));
    }

    #[test]
    fn memory_is_bounded_and_what_is_dropped_is_counted() {
        let one = bytes_of(&call(0).event());
        let mut calls = Calls::new(one * 1_000);
        for batch in 0..40 {
            calls.add((0..100).map(|n| call(batch * 100 + n).event()).collect());
            assert!(calls.memory().0 <= one * 1_000);
        }
        assert_eq!(calls.dropped() + calls.len() as u64, 4_000);
        assert!(calls.len() > 300, "{}", calls.len());
        assert_eq!(times(&calls).first(), Some(&calls.dropped()));
        let picture = calls.clone();
        (0..40).for_each(|_| calls.add((0..100).map(|n| call(n).event()).collect()));
        assert_eq!(times(&picture).len(), picture.len(), "a picture keeps what it shows");
    }
}
