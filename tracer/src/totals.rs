//! Totals of calls: how many, how many failed, how long they took.

use std::fmt;

use ioctl_trace_ebpf::{BUCKETS, SummaryValue, bucket_of, bucket_upper_ns};

/// Totals of a group of calls. Quantiles come from a histogram whose buckets are at most 25 % wide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals(SummaryValue);

impl From<SummaryValue> for Totals {
    fn from(value: SummaryValue) -> Self {
        Self(value)
    }
}

impl Totals {
    /// Adds a call.
    pub fn add(&mut self, duration_ns: u64, failed: bool) {
        let v = &mut self.0;
        v.min_ns = if v.calls == 0 { duration_ns } else { v.min_ns.min(duration_ns) };
        v.max_ns = v.max_ns.max(duration_ns);
        v.calls += 1;
        v.errors += u64::from(failed);
        v.total_ns = v.total_ns.saturating_add(duration_ns);
        if let Some(bucket) = v.buckets.get_mut(bucket_of(duration_ns)) {
            *bucket += 1;
        }
    }

    /// Adds another group.
    pub fn merge(&mut self, other: &Self) {
        let (v, o) = (&mut self.0, &other.0);
        if o.calls == 0 {
            return;
        }
        v.min_ns = if v.calls == 0 { o.min_ns } else { v.min_ns.min(o.min_ns) };
        v.max_ns = v.max_ns.max(o.max_ns);
        v.calls = v.calls.saturating_add(o.calls);
        v.errors = v.errors.saturating_add(o.errors);
        v.total_ns = v.total_ns.saturating_add(o.total_ns);
        for (bucket, more) in v.buckets.iter_mut().zip(o.buckets) {
            *bucket = bucket.saturating_add(more);
        }
    }

    /// Calls.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.0.calls
    }

    /// Calls that failed.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.0.errors
    }

    /// Nanoseconds, summed.
    #[must_use]
    pub const fn total_ns(&self) -> u64 {
        self.0.total_ns
    }

    /// The shortest call in nanoseconds, 0 without calls.
    #[must_use]
    pub const fn min_ns(&self) -> u64 {
        self.0.min_ns
    }

    /// The longest call in nanoseconds.
    #[must_use]
    pub const fn max_ns(&self) -> u64 {
        self.0.max_ns
    }

    /// Mean in nanoseconds, 0 without calls.
    #[must_use]
    pub const fn mean_ns(&self) -> u64 {
        match self.0.total_ns.checked_div(self.0.calls) {
            Some(mean) => mean,
            None => 0,
        }
    }

    /// Calls by duration; see [`bucket_upper_ns`].
    #[must_use]
    pub const fn buckets(&self) -> &[u64; BUCKETS] {
        &self.0.buckets
    }

    /// Upper bound, in nanoseconds, of the bucket that holds the `percent`-th percentile; 0 without calls.
    #[must_use]
    pub fn percentile_ns(&self, percent: u64) -> u64 {
        let rank = (u128::from(self.0.calls) * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0_u128;
        for (bucket, &calls) in self.0.buckets.iter().enumerate() {
            seen += u128::from(calls);
            if calls > 0 && seen >= rank {
                return bucket_upper_ns(bucket).clamp(self.0.min_ns, self.0.max_ns);
            }
        }
        self.0.max_ns
    }
}

/// A duration for people: three digits and a unit.
#[derive(Clone, Copy, Debug)]
pub struct Human(pub u64);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0;
        let text = match ns {
            0..1_000 => format!("{ns}ns"),
            1_000..1_000_000 => three_digits(ns, 1_000, "µs"),
            1_000_000..1_000_000_000 => three_digits(ns, 1_000_000, "ms"),
            1_000_000_000..60_000_000_000 => three_digits(ns, 1_000_000_000, "s"),
            _ => format!("{}m{:02}s", ns / 60_000_000_000, ns / 1_000_000_000 % 60),
        };
        f.pad(&text)
    }
}

fn three_digits(ns: u64, unit: u64, name: &str) -> String {
    let value = ns as f64 / unit as f64;
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$}{name}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn totals_of_a_few_calls() {
        let mut totals = Totals::default();
        assert_eq!((totals.mean_ns(), totals.percentile_ns(99)), (0, 0));
        for ns in [100, 200, 300, 10_000] {
            totals.add(ns, ns == 300);
        }
        assert_eq!(
            (totals.calls(), totals.errors(), totals.total_ns(), totals.max_ns()),
            (4, 1, 10_600, 10_000)
        );
        assert!((200..256).contains(&totals.percentile_ns(50)), "{}", totals.percentile_ns(50));
        assert_eq!(totals.percentile_ns(99), 10_000);
    }

    #[test]
    fn durations_for_people() {
        let text = |ns| Human(ns).to_string();
        assert_eq!(
            [text(7), text(1_500), text(45_600), text(123_456_789)],
            ["7ns", "1.50µs", "45.6µs", "123ms"]
        );
        assert_eq!([text(2_000_000_000), text(125_000_000_000)], ["2.00s", "2m05s"]);
        assert_eq!(format!("{:>8}", Human(7)), "     7ns");
    }

    proptest! {
        #[test]
        fn merging_is_adding(a in prop::collection::vec(0_u64..1 << 40, 0..20), b in prop::collection::vec(0_u64..1 << 40, 0..20)) {
            let of = |values: &[u64]| {
                let mut totals = Totals::default();
                values.iter().for_each(|&ns| totals.add(ns, ns % 2 == 0));
                totals
            };
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(merged, of(&[a, b].concat()));
        }
    }
}
