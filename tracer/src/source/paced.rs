//! A source that takes its time: records come when they came, or so many times faster.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use ioctl_trace_ebpf::{CallRecord, RecordKind};

use super::{Batch, Source};
use crate::raw;

/// Holds each call back until its turn.
pub struct Paced<S> {
    source: S,
    speed: f64,
    /// Calls that began before or after are not waited for.
    within: std::ops::RangeInclusive<u64>,
    /// When the first call was given, and when it had ended in its own time.
    begun: Option<(Instant, u64)>,
    waiting: Batch,
    next: usize,
    more: bool,
}

impl<S: Source> Paced<S> {
    /// Paces a source so many times faster than its records say. Calls that did not begin within these nanoseconds of
    /// `CLOCK_MONOTONIC` are not waited for.
    pub fn new(source: S, speed: f64, within: std::ops::RangeInclusive<u64>) -> Self {
        Self { source, speed, within, begun: None, waiting: Batch::default(), next: 0, more: true }
    }

    /// When the next record's call had ended, if it is one that is waited for.
    fn ended(&self) -> Option<u64> {
        // What is no call belongs to the one behind it.
        let call = raw::read::<CallRecord>(self.waiting.get(self.next)?)
            .filter(|call| call.header.kind == RecordKind::Call as u16)
            .filter(|call| self.within.contains(&call.header.time_ns))?;
        Some(call.header.time_ns.saturating_add(call.duration_ns))
    }

    /// How long a call that had ended then has to wait still.
    fn wait(&mut self, ended: u64) -> Duration {
        let (instant, first) = *self.begun.get_or_insert_with(|| (Instant::now(), ended));
        let passed = Duration::from_nanos(ended.saturating_sub(first));
        let due = Duration::try_from_secs_f64(passed.as_secs_f64() / self.speed).unwrap_or(Duration::MAX);
        due.saturating_sub(instant.elapsed())
    }
}

impl<S: Source> Source for Paced<S> {
    fn read(&mut self, batch: &mut Batch, timeout: Duration) -> bool {
        if self.waiting.get(self.next).is_none() {
            self.waiting.clear();
            self.next = 0;
            self.more = self.more && self.source.read(&mut self.waiting, timeout);
        }
        loop {
            let wait = self.ended().map_or(Duration::ZERO, |ended| self.wait(ended));
            let Some(record) = self.waiting.get(self.next) else { break };
            if !wait.is_zero() {
                if batch.is_empty() {
                    sleep(wait.min(timeout));
                }
                return true;
            }
            batch.push(record);
            self.next += 1;
        }
        self.more
    }
}

#[cfg(test)]
mod tests {
    use super::{super::scripted::Scripted, *};

    fn script() -> Scripted {
        let mut script = Scripted::new();
        for time in [0, 100, 5, 20, 40] {
            let mut call = CallRecord { duration_ns: 7, ..CallRecord::default() };
            call.header.time_ns = time * 1_000_000;
            script.call(call);
        }
        script.raw([9; 40]);
        script
    }

    /// Times of the calls as they came, and how long it took.
    fn played(speed: f64, within: std::ops::RangeInclusive<u64>) -> (Vec<u64>, Duration) {
        let mut paced = Paced::new(script(), speed, within);
        let (begin, mut times, mut others, mut more) = (Instant::now(), Vec::new(), 0, true);
        while more {
            let mut batch = Batch::default();
            more = paced.read(&mut batch, Duration::from_millis(1));
            for record in batch.records() {
                match raw::read::<CallRecord>(record) {
                    Some(call) => times.push(call.header.time_ns / 1_000_000),
                    None => others += 1,
                }
            }
        }
        assert_eq!(others, 1, "what is no call comes too");
        (times, begin.elapsed())
    }

    #[test]
    fn calls_come_in_their_order_and_not_before_their_time() {
        let (times, took) = played(2.0, 0..=u64::MAX);
        assert_eq!(times, [0, 100, 5, 20, 40]);
        assert!(took >= Duration::from_millis(50), "{took:?}");
    }

    #[test]
    fn nobody_waits_for_what_is_not_shown() {
        let mut paced = Paced::new(script(), 1e-9, 5_000_000..=5_000_000);
        let mut batch = Batch::default();
        while paced.read(&mut batch, Duration::ZERO) {}
        assert_eq!(batch.records().count(), 6);
    }
}
