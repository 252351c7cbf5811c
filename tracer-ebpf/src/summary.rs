//! Counters, and the per-request summary that the kernel keeps when only totals are asked for.

/// Histogram buckets of a [`SummaryValue`].
pub const BUCKETS: usize = 128;

/// Sub-buckets per power of two: bounds are at most 25 % apart.
const STEPS_LOG2: u32 = 2;

/// Durations below 2^4 ns share the first bucket: no system call is that quick.
const FIRST_LOG2: u32 = 4;

/// The histogram bucket for a duration in nanoseconds.
#[must_use]
#[inline(always)]
pub const fn bucket_of(duration_ns: u64) -> usize {
    if duration_ns < 1 << FIRST_LOG2 {
        return 0;
    }
    let log2 = 63 - duration_ns.leading_zeros();
    let step = (duration_ns >> (log2 - STEPS_LOG2)) as u32 & ((1 << STEPS_LOG2) - 1);
    let bucket = (((log2 - FIRST_LOG2) << STEPS_LOG2) + step) as usize;
    if bucket < BUCKETS { bucket } else { BUCKETS - 1 }
}

/// The largest duration, in nanoseconds, that falls into a bucket; `u64::MAX` for the last one.
#[must_use]
pub const fn bucket_upper_ns(bucket: usize) -> u64 {
    if bucket + 1 >= BUCKETS {
        return u64::MAX;
    }
    let next = bucket as u32 + 1;
    let log2 = (next >> STEPS_LOG2) + FIRST_LOG2;
    let step = (next & ((1 << STEPS_LOG2) - 1)) as u64;
    (((1 << STEPS_LOG2) + step) << (log2 - STEPS_LOG2)) - 1
}

/// What the kernel groups calls by when it only counts them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SummaryKey {
    /// Address of the file's ioctl handler.
    pub ioctl: u64,
    /// Filesystem magic.
    pub magic: u64,
    /// Request number.
    pub request: u32,
    /// Device number of a device node, else 0.
    pub rdev: u32,
    /// Type bits of `i_mode`.
    pub mode: u32,
    /// A [`FileStatus`](crate::FileStatus).
    pub status: u32,
}

/// Totals of one [`SummaryKey`] on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummaryValue {
    /// Finished calls, failed ones included.
    pub calls: u64,
    /// Calls that returned a negative value.
    pub errors: u64,
    /// Nanoseconds inside the kernel, summed.
    pub total_ns: u64,
    /// The longest call in nanoseconds.
    pub max_ns: u64,
    /// The shortest call in nanoseconds, 0 if `calls` is 0.
    pub min_ns: u64,
    /// Calls per duration, by [`bucket_of`].
    pub buckets: [u64; BUCKETS],
}

impl Default for SummaryValue {
    fn default() -> Self {
        Self { calls: 0, errors: 0, total_ns: 0, max_ns: 0, min_ns: 0, buckets: [0; BUCKETS] }
    }
}

/// What happened to every call, per CPU.
///
/// `seen = filtered + recorded + counted + lost_slot + lost_ring + lost_summary +` calls still in flight.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that entered the kernel, the tracer's own left out.
    pub seen: u64,
    /// Calls that no filter wanted.
    pub filtered: u64,
    /// Records of calls put into the ring buffer.
    pub recorded: u64,
    /// Calls counted in the map `SUMMARY`.
    pub counted: u64,
    /// Calls lost because the table of calls in flight was full.
    pub lost_slot: u64,
    /// Calls lost because the ring buffer was full.
    pub lost_ring: u64,
    /// Calls lost because the map `SUMMARY` was full.
    pub lost_summary: u64,
    /// Path and process records lost because the ring buffer was full.
    pub lost_control: u64,
    /// Calls whose input was lost because the ring buffer was full.
    pub lost_data: u64,
    /// Child processes not followed because the table of processes was full.
    pub not_followed: u64,
    /// Processes the kernel side began to follow.
    pub followed: u64,
    /// Followed processes that ended.
    pub ended: u64,
}

const _: () = {
    assert!(size_of::<SummaryKey>() == 32);
    assert!(size_of::<SummaryValue>() == 40 + 8 * BUCKETS);
    assert!(size_of::<Counters>() == 96);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_partition_the_durations() {
        assert_eq!(bucket_of(0), 0);
        for bucket in 0..BUCKETS - 1 {
            let upper = bucket_upper_ns(bucket);
            assert_eq!(bucket_of(upper), bucket, "upper bound {upper} of bucket {bucket}");
            assert_eq!(bucket_of(upper + 1), bucket + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket_upper_ns(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn buckets_are_at_most_a_quarter_wide() {
        for ns in [100_u64, 1_000, 123_456, 10_000_000, 5_000_000_000] {
            let upper = bucket_upper_ns(bucket_of(ns));
            assert!(upper >= ns && (upper as f64) < ns as f64 * 1.26, "{ns} -> {upper}");
        }
    }
}
