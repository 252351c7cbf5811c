//! What differs between two tallies: requests of one alone, other counts, other errors, other durations.

use std::collections::{BTreeMap, BTreeSet};

use crate::tally::{Group, Place, Tally};

/// Durations closer than this are the same: it is what a busy cache does.
const NOISE_NS: u64 = 1_000;
/// A 99th percentile needs so many times the calls of a median to be more than chance.
const TAIL: u64 = 5;

/// What is too small to be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Percentiles of durations differ by at least this factor.
    pub latency: f64,
    /// Calls that both sides have at least, for their medians to be compared; five times as many for the 99th percentile.
    pub min_calls: u64,
    /// Numbers of calls and of errors differ by at least this factor.
    pub count: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { latency: 2.0, min_calls: 20, count: 1.0 }
    }
}

/// Something that is other than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// How often it was called.
    Calls(u64, u64),
    /// How often it failed in one way.
    Errors(i32, u64, u64),
    /// A percentile, in nanoseconds.
    Percentile(u64, u64, u64),
}

/// A request on a device that both have.
#[derive(Debug)]
pub struct Changed<'t> {
    /// Where.
    pub place: &'t Place,
    /// Its number.
    pub number: u32,
    /// What it was.
    pub before: &'t Group,
    /// What it is.
    pub after: &'t Group,
    /// What changed, at least one thing.
    pub changes: Vec<Change>,
}

/// A request on a device that one alone has.
#[derive(Debug)]
pub struct Alone<'t> {
    /// Where.
    pub place: &'t Place,
    /// Its number.
    pub number: u32,
    /// What it came to.
    pub group: &'t Group,
}

/// What differs.
#[derive(Debug, Default)]
pub struct Difference<'t> {
    /// Requests of the first alone.
    pub removed: Vec<Alone<'t>>,
    /// Requests of the second alone.
    pub added: Vec<Alone<'t>>,
    /// Requests of both that changed.
    pub changed: Vec<Changed<'t>>,
    /// Requests of both that did not.
    pub same: usize,
}

impl Difference<'_> {
    /// Nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty() && self.changed.is_empty()
    }
}

/// Compares two tallies, in the order of devices and numbers.
#[must_use]
pub fn diff<'t>(before: &'t Tally, after: &'t Tally, thresholds: Thresholds) -> Difference<'t> {
    let keyed = |tally: &'t Tally| -> BTreeMap<(&'t Place, u32), &'t Group> {
        tally.groups().map(|(place, number, group)| ((place, number), group)).collect()
    };
    let (old, new) = (keyed(before), keyed(after));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let mut difference = Difference::default();
    for (place, number) in keys {
        match (old.get(&(place, number)), new.get(&(place, number))) {
            (Some(group), None) => difference.removed.push(Alone { place, number, group }),
            (None, Some(group)) => difference.added.push(Alone { place, number, group }),
            (Some(before), Some(after)) => {
                let changes = changes(before, after, thresholds);
                if changes.is_empty() {
                    difference.same += 1;
                } else {
                    difference.changed.push(Changed { place, number, before, after, changes });
                }
            }
            (None, None) => {}
        }
    }
    difference
}

fn changes(before: &Group, after: &Group, thresholds: Thresholds) -> Vec<Change> {
    let mut changes = Vec::new();
    if differs(before.calls, after.calls, thresholds.count) {
        changes.push(Change::Calls(before.calls, after.calls));
    }
    let errors: BTreeSet<_> = before.errors.keys().chain(after.errors.keys()).copied().collect();
    for errno in errors {
        let of = |group: &Group| group.errors.get(&errno).copied().unwrap_or_default();
        let (old, new) = (of(before), of(after));
        if differs(old, new, thresholds.count) {
            changes.push(Change::Errors(errno, old, new));
        }
    }
    for (percent, calls) in [(50, thresholds.min_calls), (99, thresholds.min_calls.saturating_mul(TAIL))] {
        let (old, new) = (before.durations.percentile_ns(percent), after.durations.percentile_ns(percent));
        if before.calls.min(after.calls) >= calls.max(1)
            && old.abs_diff(new) >= NOISE_NS
            && differs(old, new, thresholds.latency)
        {
            changes.push(Change::Percentile(percent, old, new));
        }
    }
    changes
}

/// Whether two numbers are apart by a factor at least; from or to nothing is further than any.
fn differs(a: u64, b: u64, factor: f64) -> bool {
    a != b && a.max(b) as f64 >= a.min(b) as f64 * factor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(durations: &[u64], errors: &[(i32, u64)]) -> Group {
        let mut group = Group { calls: durations.len() as u64, ..Group::default() };
        durations.iter().for_each(|&ns| group.durations.add(ns));
        group.errors.extend(errors.iter().copied());
        group
    }

    fn between(before: Group, after: Group, thresholds: Thresholds) -> Vec<Change> {
        let (before, after) = (Tally::of_terminal(vec![(1, before)]), Tally::of_terminal(vec![(1, after)]));
        diff(&before, &after, thresholds).changed.into_iter().flat_map(|changed| changed.changes).collect()
    }

    #[test]
    fn requests_of_one_alone_are_found() {
        let before = Tally::of_terminal(vec![(1, group(&[5], &[])), (2, group(&[5], &[]))]);
        let after = Tally::of_terminal(vec![(2, group(&[5], &[])), (3, group(&[5], &[]))]);
        let found = diff(&before, &after, Thresholds::default());
        let numbers = |alone: &[Alone<'_>]| alone.iter().map(|one| one.number).collect::<Vec<_>>();
        assert_eq!((numbers(&found.removed), numbers(&found.added), found.same), (vec![1], vec![3], 1));
        assert!(found.changed.is_empty() && !found.is_empty());
        assert!(diff(&before, &before, Thresholds::default()).is_empty());
    }

    #[test]
    fn counts_and_errors_are_compared() {
        let (few, more) = (group(&[5; 10], &[(25, 2)]), group(&[5; 12], &[(5, 1), (25, 3)]));
        let all = [Change::Calls(10, 12), Change::Errors(5, 0, 1), Change::Errors(25, 2, 3)];
        assert_eq!(between(few.clone(), more.clone(), Thresholds::default()), all);
        let coarse = Thresholds { count: 2.0, ..Thresholds::default() };
        assert_eq!(between(few, more, coarse), [Change::Errors(5, 0, 1)], "a new error is always told");
    }

    #[test]
    fn noise_is_not_told() {
        let of = |ns: u64, calls: usize| group(&vec![ns; calls], &[]);
        let found = |before, after| between(before, after, Thresholds::default());
        assert_eq!(found(of(5_000, 20), of(10_000, 20)), [Change::Percentile(50, 5_000, 10_000)]);
        assert_eq!(found(of(5_000, 100), of(1_000, 100)).len(), 2, "quicker, and its tail too");
        assert_eq!(found(of(5_000, 20), of(9_000, 20)), [], "less than twice as long");
        assert_eq!(found(of(5_000, 19), of(50_000, 19)), [], "too few calls");
        assert_eq!(found(of(200, 50), of(900, 50)), [], "less than a microsecond");
    }
}
