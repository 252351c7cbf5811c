//! Counts per second, for rates and sparklines.

/// Seconds kept.
pub const SECONDS: usize = 64;

/// How many happened in each of the last seconds.
#[derive(Clone, Debug)]
pub struct Series {
    /// The last second that anything happened in.
    newest: u64,
    counts: [u32; SECONDS],
}

impl Default for Series {
    fn default() -> Self {
        Self { newest: 0, counts: [0; SECONDS] }
    }
}

const fn place(second: u64) -> usize {
    (second % SECONDS as u64) as usize
}

impl Series {
    /// Counts one. What is older than all that is kept is not counted.
    pub fn add(&mut self, second: u64) {
        if second > self.newest {
            let gone = (second - self.newest).min(SECONDS as u64);
            for old in second + 1 - gone..=second {
                self.set(old, 0);
            }
            self.newest = second;
        } else if self.newest - second >= SECONDS as u64 {
            return;
        }
        self.set(second, self.at(second).saturating_add(1));
    }

    fn set(&mut self, second: u64, count: u32) {
        if let Some(slot) = self.counts.get_mut(place(second)) {
            *slot = count;
        }
    }

    /// How many happened in a second.
    #[must_use]
    pub fn at(&self, second: u64) -> u32 {
        if second > self.newest || self.newest - second >= SECONDS as u64 {
            return 0;
        }
        self.counts.get(place(second)).copied().unwrap_or(0)
    }

    /// The last `count` seconds up to `now`, oldest first.
    #[must_use]
    pub fn up_to(&self, now: u64, count: usize) -> Vec<u32> {
        let first = (now + 1).saturating_sub(count as u64);
        (first..=now).map(|second| self.at(second)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_pass_and_are_forgotten() {
        let mut series = Series::default();
        for second in [1_000, 1_000, 1_002, 1_001] {
            series.add(second);
        }
        assert_eq!(series.up_to(1_003, 5), [0, 2, 1, 1, 0]);
        series.add(1_002 + SECONDS as u64);
        assert_eq!((series.at(1_002), series.at(1_002 + SECONDS as u64)), (0, 1), "the same slot");
        series.add(5);
        assert_eq!((series.at(5), series.up_to(1, 5)), (0, vec![0, 0]), "too old");
    }
}
