//! Durations counted closely enough that a percentile is right to 0.2 %, in memory that grows with what there is.

use std::collections::BTreeMap;

/// Bits of a duration that are kept below its highest one: bounds are 1/512 apart, durations below 1,024 ns are exact.
const BITS: u32 = 9;

/// How many calls took how long.
///
/// Only durations that occur take room, so that many groups of few calls stay small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By the lowest duration of a bucket.
    counts: BTreeMap<u64, u64>,
    calls: u64,
    /// Exact, as the longest is; 0 without calls.
    min_ns: u64,
    max_ns: u64,
}

impl Histogram {
    /// Adds a call.
    pub fn add(&mut self, duration_ns: u64) {
        let dropped = (u64::BITS - duration_ns.leading_zeros()).saturating_sub(BITS + 1);
        *self.counts.entry(duration_ns >> dropped << dropped).or_default() += 1;
        self.min_ns = if self.calls == 0 { duration_ns } else { self.min_ns.min(duration_ns) };
        self.calls += 1;
        self.max_ns = self.max_ns.max(duration_ns);
    }

    /// Calls.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// The shortest call in nanoseconds, 0 without calls.
    #[must_use]
    pub const fn min_ns(&self) -> u64 {
        self.min_ns
    }

    /// The longest call in nanoseconds.
    #[must_use]
    pub const fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The `percent`-th percentile in nanoseconds: so many of a hundred calls took no longer. 0 without calls, the longest
    /// call for 100.
    #[must_use]
    pub fn percentile_ns(&self, percent: u64) -> u64 {
        let rank = (u128::from(self.calls) * u128::from(percent)).div_ceil(100).max(1);
        if rank >= u128::from(self.calls) {
            return self.max_ns;
        }
        let mut seen = 0_u128;
        for (duration, calls) in &self.counts {
            seen += u128::from(*calls);
            if seen >= rank {
                return (*duration).max(self.min_ns);
            }
        }
        self.max_ns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|&ns| histogram.add(ns));
        histogram
    }

    #[test]
    fn nothing_took_no_time() {
        let none = Histogram::default();
        assert_eq!((none.calls(), none.min_ns(), none.max_ns(), none.percentile_ns(99)), (0, 0, 0, 0));
    }

    proptest! {
        #[test]
        fn percentiles_are_close(mut values in prop::collection::vec(0_u64..1 << 40, 1..200), percent in 1_u64..=100) {
            let histogram = of(&values);
            let found = histogram.percentile_ns(percent);
            values.sort_unstable();
            prop_assert_eq!((histogram.min_ns(), histogram.max_ns()), (values[0], values[values.len() - 1]));
            prop_assert!(found >= histogram.min_ns());
            let exact = values[(values.len() as u64 * percent).div_ceil(100) as usize - 1];
            prop_assert!(found <= exact && exact - found <= exact / 512, "{found} for {exact}");
        }
    }
}
