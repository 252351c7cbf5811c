//! The kernel's monotonic times as times of day.

use jiff::{Timestamp, tz::TimeZone};
use nix::time::{ClockId, clock_gettime};

/// Turns monotonic nanoseconds into the time of day. The distance of the two clocks is taken once, so that a call's
/// time does not move when the system clock is set while we trace.
#[derive(Clone, Debug)]
pub struct WallClock {
    offset_ns: i128,
    zone: TimeZone,
}

const NANOS: i128 = 1_000_000_000;

fn now(id: ClockId) -> i128 {
    clock_gettime(id).map_or(0, |t| i128::from(t.tv_sec()) * NANOS + i128::from(t.tv_nsec()))
}

/// Nanoseconds of `CLOCK_MONOTONIC` now.
#[must_use]
pub fn monotonic_ns() -> u64 {
    u64::try_from(now(ClockId::CLOCK_MONOTONIC)).unwrap_or(0)
}

/// Nanoseconds that the machine was suspended since it started.
#[must_use]
pub fn boot_offset_ns() -> u64 {
    u64::try_from(now(ClockId::CLOCK_BOOTTIME) - now(ClockId::CLOCK_MONOTONIC)).unwrap_or(0)
}

impl WallClock {
    /// The system's clocks and time zone.
    #[must_use]
    pub fn system() -> Self {
        Self {
            offset_ns: now(ClockId::CLOCK_REALTIME) - now(ClockId::CLOCK_MONOTONIC),
            zone: TimeZone::system(),
        }
    }

    /// The clock of a recording, by the nanoseconds since the epoch at monotonic zero; local times are of this machine's zone.
    #[must_use]
    pub fn recorded(epoch_ns: i64) -> Self {
        Self { offset_ns: i128::from(epoch_ns), zone: TimeZone::system() }
    }

    /// The monotonic time of a moment; the nearest there is, if it was before monotonic zero.
    #[must_use]
    pub fn monotonic(&self, moment: Timestamp) -> u64 {
        u64::try_from((moment.as_nanosecond() - self.offset_ns).max(0)).unwrap_or(u64::MAX)
    }

    /// A clock for tests: monotonic zero is this many nanoseconds after the epoch, in UTC.
    #[must_use]
    pub fn fixed(epoch_ns: i64) -> Self {
        Self { offset_ns: i128::from(epoch_ns), zone: TimeZone::UTC }
    }

    /// Seconds and nanoseconds since the epoch.
    #[must_use]
    pub fn epoch(&self, monotonic_ns: u64) -> (i64, u32) {
        let ns = i128::from(monotonic_ns) + self.offset_ns;
        (i64::try_from(ns.div_euclid(NANOS)).unwrap_or(0), u32::try_from(ns.rem_euclid(NANOS)).unwrap_or(0))
    }

    /// The moment, in UTC.
    #[must_use]
    pub fn moment(&self, monotonic_ns: u64) -> Timestamp {
        let ns = i128::from(monotonic_ns) + self.offset_ns;
        Timestamp::from_nanosecond(ns).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// `2026-11-20T23:40:01` in UTC, for a second since the epoch.
    #[must_use]
    pub fn utc_second(seconds: i64) -> String {
        let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
        time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// `2026-11-20T23:40:01.123456789Z`
    #[must_use]
    pub fn utc(&self, monotonic_ns: u64) -> String {
        let (second, nanos) = self.epoch(monotonic_ns);
        format!("{}.{nanos:09}Z", Self::utc_second(second))
    }

    /// `23:40:01` in the local time zone, for a second since the epoch.
    #[must_use]
    pub fn local_second(&self, seconds: i64) -> String {
        let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }
}

/// Keeps the text of the last second: calls come in thousands per second.
#[derive(Debug, Default)]
pub struct SecondCache {
    second: Option<i64>,
    text: String,
}

impl SecondCache {
    /// The text of a second, made by `format` if it is not that of the call before.
    pub fn get(&mut self, second: i64, format: impl FnOnce(i64) -> String) -> &str {
        if self.second != Some(second) {
            self.text = format(second);
            self.second = Some(second);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_day() {
        let clock = WallClock::fixed(1_795_131_601_000_000_000);
        let (second, nanos) = clock.epoch(123_456_789);
        assert_eq!((WallClock::utc_second(second).as_str(), nanos), ("2026-11-19T23:40:01", 123_456_789));
        assert_eq!(clock.local_second(second), "23:40:01");
        let moment = Timestamp::from_second(1_795_131_602).expect("a time");
        assert_eq!(clock.moment(1_000_000_000), moment);
        assert_eq!((clock.monotonic(moment), clock.monotonic(Timestamp::UNIX_EPOCH)), (1_000_000_000, 0));
        let mut cache = SecondCache::default();
        assert_eq!(cache.get(5, |s| s.to_string()), "5");
        assert_eq!(cache.get(5, |_| "not asked".to_owned()), "5");
    }
}
