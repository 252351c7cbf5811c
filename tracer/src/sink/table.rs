//! How totals are written: in which order, as a table or as JSON.

use std::{
    cmp::Reverse,
    fmt,
    io::{self, Write},
};

use serde::Serialize;

use super::summary::{Row, Summary};
use crate::totals::Human;

/// What rows are sorted by: the largest first, names from A to Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// The sum of durations.
    #[default]
    Total,
    /// The number of calls.
    Calls,
    /// The number of calls that failed.
    Errors,
    /// The shortest call.
    Min,
    /// The mean.
    Mean,
    /// A percentile.
    Percentile(u64),
    /// The longest call.
    Max,
    /// The request's name, then the device.
    Name,
}

impl SortKey {
    fn value(self, row: &Row) -> u64 {
        let totals = row.totals();
        match self {
            Self::Total => totals.total_ns(),
            Self::Calls => totals.calls(),
            Self::Errors => totals.errors(),
            Self::Min => totals.min_ns(),
            Self::Mean => totals.mean_ns(),
            Self::Percentile(percent) => row.percentile_ns(percent),
            Self::Max => totals.max_ns(),
            Self::Name => 0,
        }
    }
}

/// What totals are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A table, with a line for all together.
    #[default]
    Text,
    /// One JSON object a row and line.
    Lines,
    /// A JSON array of the same objects.
    Array,
}

/// How totals are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// In which order.
    pub sort: SortKey,
    /// As what.
    pub form: Form,
}

/// A row. The keys are stable: scripts depend on them.
#[derive(Serialize)]
struct Object<'s> {
    request: &'s str,
    device: &'s str,
    calls: u64,
    errors: u64,
    total_ns: u64,
    mean_ns: u64,
    min_ns: u64,
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
    max_ns: u64,
}

impl Table {
    /// Writes totals.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn write(self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        let mut rows: Vec<_> = summary.rows().collect();
        rows.sort_by_cached_key(|(request, device, row)| (Reverse(self.sort.value(row)), *request, *device));
        match self.form {
            Form::Text => text(out, &rows, summary.all()),
            Form::Lines => rows.iter().try_for_each(|row| {
                serde_json::to_writer(&mut *out, &object(row))?;
                writeln!(out)
            }),
            Form::Array => {
                let rows: Vec<_> = rows.iter().map(object).collect();
                serde_json::to_writer_pretty(&mut *out, &rows)?;
                writeln!(out)
            }
        }
    }
}

fn object<'s>((request, device, row): &(&'s str, &'s str, &Row)) -> Object<'s> {
    let totals = row.totals();
    Object {
        request,
        device,
        calls: totals.calls(),
        errors: totals.errors(),
        total_ns: totals.total_ns(),
        mean_ns: totals.mean_ns(),
        min_ns: totals.min_ns(),
        p50_ns: row.percentile_ns(50),
        p90_ns: row.percentile_ns(90),
        p99_ns: row.percentile_ns(99),
        max_ns: totals.max_ns(),
    }
}

fn text(out: &mut dyn Write, rows: &[(&str, &str, &Row)], all: &Row) -> io::Result<()> {
    writeln!(
        out,
        "{:>6} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8}  request  (device)",
        "% time", "total", "mean", "min", "p50", "p90", "p99", "max", "calls", "errors"
    )?;
    let sum = all.totals().total_ns().max(1) as f64;
    for (request, device, row) in rows {
        let percent = 100.0 * row.totals().total_ns() as f64 / sum;
        write!(out, "{percent:>6.2} {}  {request}", Columns(row))?;
        if !device.is_empty() {
            write!(out, "  ({device})")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{:>6.2} {}  total", 100.0, Columns(all))
}

/// The numbers of a row.
struct Columns<'a>(&'a Row);

impl fmt::Display for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.0.totals();
        write!(f, "{:>9}", Human(t.total_ns()))?;
        let [p50, p90, p99] = [50, 90, 99].map(|percent| self.0.percentile_ns(percent));
        for ns in [t.mean_ns(), t.min_ns(), p50, p90, p99, t.max_ns()] {
            write!(f, " {:>8}", Human(ns))?;
        }
        write!(f, " {:>9} {:>8}", t.calls(), t.errors())
    }
}
