//! How long calls took over time: a grid of counts, for the heat map.

/// Nanoseconds of a tick.
pub const TICK_NS: u64 = 250_000_000;
/// Ticks kept: ten minutes.
pub const TICKS: usize = 2_400;
/// Rows: each takes twice as long as the one before; the first has what is shorter, the last what is longer.
pub const ROWS: usize = 30;
/// Durations below two to this are in the first row.
const FIRST_LOG2: u32 = 6;

/// Calls of a tick by duration.
pub type Column = [u32; ROWS];

/// The grid.
#[derive(Clone, Debug)]
pub struct Heat {
    /// The first and the last tick that anything happened in.
    span: Option<(u64, u64)>,
    columns: Vec<Column>,
}

impl Default for Heat {
    fn default() -> Self {
        Self { span: None, columns: vec![[0; ROWS]; TICKS] }
    }
}

/// The row of a duration.
#[must_use]
pub fn row_of(duration_ns: u64) -> usize {
    let log2 = duration_ns.checked_ilog2().unwrap_or(0);
    (log2.saturating_sub(FIRST_LOG2 - 1) as usize).min(ROWS - 1)
}

/// The shortest duration of a row.
#[must_use]
pub const fn lower_ns(row: usize) -> u64 {
    if row == 0 { 0 } else { 1 << (FIRST_LOG2 as usize - 1 + row) }
}

const fn place(tick: u64) -> usize {
    (tick % TICKS as u64) as usize
}

impl Heat {
    /// Counts a call that ended at a time. What is older than all that is kept is not counted.
    pub fn add(&mut self, end_ns: u64, duration_ns: u64) {
        let tick = end_ns / TICK_NS;
        let (first, newest) = self.span.unwrap_or((tick, tick));
        if tick > newest {
            let gone = (tick - newest).min(TICKS as u64);
            for old in tick + 1 - gone..=tick {
                if let Some(column) = self.columns.get_mut(place(old)) {
                    *column = [0; ROWS];
                }
            }
        } else if newest - tick >= TICKS as u64 {
            return;
        }
        self.span = Some((first.min(tick), newest.max(tick)));
        if let Some(count) = self.columns.get_mut(place(tick)).and_then(|c| c.get_mut(row_of(duration_ns))) {
            *count = count.saturating_add(1);
        }
    }

    /// Ticks from the first to the last.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.span.map_or(0, |(first, newest)| newest - first + 1)
    }

    /// `count` columns of `per` ticks each, the last with the tick `now`, oldest first. Columns begin at multiples of
    /// `per`, so that they do not change while time goes on.
    #[must_use]
    pub fn columns(&self, now: u64, per: u64, count: usize) -> Vec<Column> {
        let per = per.max(1);
        let last = now / per;
        let first = (last + 1).saturating_sub(count as u64);
        (first..=last).map(|column| self.sum(column * per, per)).collect()
    }

    fn sum(&self, from: u64, ticks: u64) -> Column {
        let mut sum = [0_u32; ROWS];
        let Some((_, newest)) = self.span else { return sum };
        for tick in from..from.saturating_add(ticks.min(TICKS as u64)) {
            if tick > newest || newest - tick >= TICKS as u64 {
                continue;
            }
            for (all, one) in sum.iter_mut().zip(self.columns.get(place(tick)).into_iter().flatten()) {
                *all = all.saturating_add(*one);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_double() {
        assert_eq!([0, 63, 64, 127, 128, u64::MAX].map(row_of), [0, 0, 1, 1, 2, ROWS - 1]);
        for row in 1..ROWS {
            assert_eq!((row_of(lower_ns(row)), row_of(lower_ns(row) - 1)), (row, row - 1));
        }
    }

    #[test]
    fn columns_add_up_ticks() {
        let mut heat = Heat::default();
        for tick in [40, 41, 41, 43] {
            heat.add(tick * TICK_NS, 100);
        }
        let of = |heat: &Heat, now, per, count| {
            heat.columns(now, per, count).iter().map(|c| c[1]).collect::<Vec<_>>()
        };
        assert_eq!((of(&heat, 43, 1, 5), heat.ticks()), (vec![0, 1, 2, 0, 1], 4));
        assert_eq!(of(&heat, 43, 2, 3), [0, 3, 1]);
        heat.add((43 + TICKS as u64) * TICK_NS, 100);
        assert_eq!(of(&heat, 43, 1, 1), [0], "forgotten");
        heat.add(0, 100);
        assert_eq!(of(&heat, 0, 1, 1), [0], "too old");
    }
}
