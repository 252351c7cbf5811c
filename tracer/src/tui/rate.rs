//! Calls per second over the last second.

use std::collections::VecDeque;

/// Samples of a count.
#[derive(Debug, Default)]
pub struct Rate {
    /// Times, and calls up to then; the first one is at least a second old, if there is any that old.
    samples: VecDeque<(u64, u64)>,
    per_second: u64,
}

/// Nanoseconds of a second.
pub const SECOND_NS: u64 = 1_000_000_000;
/// Over a shorter time a rate says nothing.
const SHORTEST_NS: u64 = 100_000_000;
/// Samples closer together than this are one.
const APART_NS: u64 = 30_000_000;

/// The rate of so many in some time, rounded; 0 in no time.
#[must_use]
pub fn per_second(count: u64, span_ns: u64) -> u64 {
    let count = u128::from(count) * u128::from(SECOND_NS) + u128::from(span_ns) / 2;
    count.checked_div(span_ns.into()).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

impl Rate {
    /// Takes the count of a moment.
    pub fn sample(&mut self, now_ns: u64, calls: u64) {
        if self.samples.back().is_none_or(|&(then, _)| now_ns.saturating_sub(then) >= APART_NS) {
            self.samples.push_back((now_ns, calls));
        }
        while self.samples.get(1).is_some_and(|&(then, _)| now_ns.saturating_sub(then) >= SECOND_NS) {
            self.samples.pop_front();
        }
        let Some(&(then, before)) = self.samples.front() else { return };
        let span = now_ns.saturating_sub(then);
        if span >= SHORTEST_NS {
            self.per_second = per_second(calls.saturating_sub(before), span);
        }
    }

    /// Calls per second.
    #[must_use]
    pub const fn per_second(&self) -> u64 {
        self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let mut rate = Rate::default();
        for step in 0..=30 {
            rate.sample(step * SECOND_NS / 10, step * 50);
        }
        assert_eq!(rate.per_second, 500);
        for step in 31..=41 {
            rate.sample(step * SECOND_NS / 10, 30 * 50);
        }
        assert_eq!(rate.per_second, 0);
        assert!(rate.samples.len() < 40);
    }
}
