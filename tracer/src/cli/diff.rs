//! The command `diff`: two recordings against each other, for people and as JSON.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anstyle::{AnsiColor, Style};
use ioctl_registry::Registry;
use serde::Serialize;

use super::{
    args::Color,
    output,
    recorded::{self, Chosen, calls},
    run::Failure,
};
use crate::{
    diff::{Alone, Change, Changed, Difference, Thresholds, diff},
    errno,
    escape::visible,
    tally::{Group, Place, Tally},
    totals::Human,
};

/// Examples and what is compared.
pub const HELP: &str = "\
Examples:
  ioctl-trace diff before.iotrace after.iotrace          what does the new version do otherwise?
  ioctl-trace diff --count 2 --latency 1.5 a.iotrace b.iotrace
  ioctl-trace diff -e '@v4l2' --json a.iotrace b.iotrace | jq .added[].request
  ioctl-trace diff --exit-code expected.iotrace run.iotrace || echo it changed

Compared are requests by number on devices by driver: minor numbers differ from run to run, unless
--by-device. The lines are those of `diff`: `-` in A alone, `+` in B alone, `~` in both and changed.
Durations are compared where both have enough calls: medians with --min-calls, 99th percentiles with
five times as many; what differs by less than a microsecond is noise.
The exit code is 0; with --exit-code 1 where they differ. It is 2 where a file cannot be read.";

/// Options of `diff`.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// The recording to compare with
    #[arg(value_name = "A")]
    pub before: PathBuf,

    /// The recording to compare
    #[arg(value_name = "B")]
    pub after: PathBuf,

    /// Tell percentiles of durations that differ by this factor
    #[arg(long, value_name = "FACTOR", default_value = "2", value_parser = parse_factor)]
    pub latency: f64,

    /// Compare durations only of requests with so many calls in both
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub min_calls: u64,

    /// Tell numbers of calls and errors that differ by this factor; 1 tells all
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = parse_factor)]
    pub count: f64,

    /// Tell devices of one driver apart
    #[arg(long)]
    pub by_device: bool,

    /// Exit with 1 where they differ
    #[arg(long)]
    pub exit_code: bool,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,

    /// When to use colours; NO_COLOR is respected
    #[arg(long, value_enum, value_name = "WHEN")]
    pub color: Option<Color>,

    #[command(flatten)]
    pub chosen: Chosen,
}

/// A factor from 1 on.
fn parse_factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor >= 1.0);
    factor.ok_or_else(|| "a factor of 1 or more is expected, such as 1.5".to_owned())
}

/// Prints what differs; `color` is what was asked for before the command's name. Gives the exit code.
///
/// # Errors
/// What is wrong with the options or a file, or why nothing can be printed.
pub fn run(args: &DiffArgs, color: Color, registry: &'static Registry) -> Result<u8, Failure> {
    let read = |path: &Path| {
        let (tally, missing) = recorded::add(Tally::new(args.by_device), path, &args.chosen, registry)?;
        recorded::warn(path, &missing, "it may differ in less or more than is told");
        Ok::<_, Failure>((tally, missing.is_empty()))
    };
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let thresholds = Thresholds { latency: args.latency, min_calls: args.min_calls, count: args.count };
    let difference = diff(&before.0, &after.0, thresholds);
    let mut out = Vec::new();
    if args.json {
        let side = |path: &Path, (tally, complete): &(Tally, bool)| {
            let (calls, failed) = tally.calls();
            Side { file: path.display().to_string(), calls, failed, complete: *complete }
        };
        let report = report(&difference, side(&args.before, &before), side(&args.after, &after));
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        let colored = output::colored(args.color.unwrap_or(color), io::stdout().is_terminal());
        let names = [&args.before, &args.after].map(|path| visible(&path.display().to_string()).into_owned());
        table(&mut out, &difference, [&before.0, &after.0], &names, colored)?;
    }
    let mut stdout = io::stdout().lock();
    super::unless_closed(stdout.write_all(&out).and_then(|()| stdout.flush()).map_err(Into::into))?;
    Ok(u8::from(args.exit_code && !difference.is_empty()))
}

/// A line of the table: its sign, the request with its device, and what there is to say.
struct Line {
    sign: char,
    what: String,
    told: String,
}

fn table(
    out: &mut dyn Write,
    difference: &Difference<'_>,
    tallies: [&Tally; 2],
    names: &[String; 2],
    colored: bool,
) -> io::Result<()> {
    for ((sign, name), tally) in [('-', &names[0]), ('+', &names[1])].into_iter().zip(tallies) {
        let (all, failed) = tally.calls();
        let head = format!("{sign}{sign}{sign} {name}  {}, {failed} failed", calls(all));
        painted(out, style(sign).bold(), &head, colored)?;
    }
    let what = |place: &Place, group: &Group| format!("{}  ({place})", group.label());
    let alone =
        |sign, one: &Alone<'_>| Line { sign, what: what(one.place, one.group), told: summary(one.group) };
    let changed = |one: &Changed<'_>| Line {
        sign: '~',
        what: what(one.place, one.after),
        told: one.changes.iter().map(told).collect::<Vec<_>>().join(", "),
    };
    let mut lines: Vec<_> = difference.removed.iter().map(|one| alone('-', one)).collect();
    lines.extend(difference.added.iter().map(|one| alone('+', one)));
    lines.extend(difference.changed.iter().map(changed));
    let width = lines.iter().map(|line| line.what.chars().count()).max().unwrap_or(0).min(MAX_WIDTH);
    for Line { sign, what, told } in &lines {
        painted(out, style(*sign), &format!("{sign} {what:<width$}  {told}"), colored)?;
    }
    writeln!(
        out,
        "{} only in A, {} only in B, {} changed, {} the same",
        difference.removed.len(),
        difference.added.len(),
        difference.changed.len(),
        difference.same
    )
}

/// Longer names of requests and devices move what follows them.
const MAX_WIDTH: usize = 60;

fn style(sign: char) -> Style {
    let color = match sign {
        '-' => AnsiColor::Red,
        '+' => AnsiColor::Green,
        _ => AnsiColor::Yellow,
    };
    color.on_default()
}

fn painted(out: &mut dyn Write, style: Style, text: &str, colored: bool) -> io::Result<()> {
    if colored { writeln!(out, "{style}{text}{style:#}") } else { writeln!(out, "{text}") }
}

/// What a request of one side came to.
fn summary(group: &Group) -> String {
    let errors = group.named_errors();
    let errors = errors.iter().map(|(name, count)| format!(", {count} {name}")).collect::<String>();
    format!("{}{errors}", calls(group.calls))
}

fn told(change: &Change) -> String {
    match change {
        Change::Calls(old, new) => format!("calls {old} -> {new}"),
        Change::Errors(errno, old, new) => format!("{} {old} -> {new}", errno::name(*errno)),
        Change::Percentile(percent, old, new) => {
            let factor = *new as f64 / (*old).max(1) as f64;
            format!("p{percent} {} -> {} (x{factor:.2})", Human(*old), Human(*new))
        }
    }
}

/// The keys are stable: scripts depend on them.
#[derive(Serialize)]
struct Report {
    a: Side,
    b: Side,
    removed: Vec<OfOne>,
    added: Vec<OfOne>,
    changed: Vec<OfBoth>,
    same: usize,
}

#[derive(Serialize)]
struct Side {
    file: String,
    calls: u64,
    failed: u64,
    complete: bool,
}

#[derive(Serialize)]
struct What {
    request: String,
    number: u32,
    hex: String,
    device: String,
}

#[derive(Serialize)]
struct OfOne {
    #[serde(flatten)]
    what: What,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Serialize)]
struct OfBoth {
    #[serde(flatten)]
    what: What,
    /// What changed: `calls`, names of errors, `p50`, `p99`.
    changes: Vec<String>,
    a: Numbers,
    b: Numbers,
}

#[derive(Serialize)]
struct Numbers {
    calls: u64,
    failed: u64,
    errors: BTreeMap<String, u64>,
    p50_ns: u64,
    p99_ns: u64,
    max_ns: u64,
}

fn report(difference: &Difference<'_>, a: Side, b: Side) -> Report {
    let alone =
        |one: &Alone<'_>| OfOne { what: what(one.place, one.number, one.group), numbers: numbers(one.group) };
    let changed = |one: &Changed<'_>| OfBoth {
        what: what(one.place, one.number, one.after),
        changes: one.changes.iter().map(word).collect(),
        a: numbers(one.before),
        b: numbers(one.after),
    };
    Report {
        a,
        b,
        removed: difference.removed.iter().map(alone).collect(),
        added: difference.added.iter().map(alone).collect(),
        changed: difference.changed.iter().map(changed).collect(),
        same: difference.same,
    }
}

fn what(place: &impl Display, number: u32, group: &Group) -> What {
    What { request: group.label(), number, hex: format!("{number:#x}"), device: place.to_string() }
}

fn numbers(group: &Group) -> Numbers {
    Numbers {
        calls: group.calls,
        failed: group.failed(),
        errors: group.named_errors(),
        p50_ns: group.durations.percentile_ns(50),
        p99_ns: group.durations.percentile_ns(99),
        max_ns: group.durations.max_ns(),
    }
}

fn word(change: &Change) -> String {
    match change {
        Change::Calls(..) => "calls".to_owned(),
        Change::Errors(errno, ..) => errno::name(*errno).into_owned(),
        Change::Percentile(percent, ..) => format!("p{percent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, ns: u64, calls: u64, errors: &[(i32, u64)]) -> Group {
        let mut group = Group { calls, ..Group::default() };
        group.names.insert(name.to_owned());
        (0..calls).for_each(|_| group.durations.add(ns));
        group.errors.extend(errors.iter().copied());
        group
    }

    fn sides() -> [Tally; 2] {
        let before = vec![
            (0x5401, group("TCGETS", 1_000, 120, &[(25, 2)])),
            (0x5402, group("TCSETS", 700, 3, &[])),
            (0x5405, group("TCGETA", 700, 3, &[])),
        ];
        let after = vec![
            (0x5401, group("TCGETS", 4_200, 130, &[(5, 1), (25, 2)])),
            (0x5405, group("TCGETA", 800, 3, &[])),
            (0x5413, group("TIOCGWINSZ", 700, 1, &[(25, 1)])),
        ];
        [Tally::of_terminal(before), Tally::of_terminal(after)]
    }

    fn shown(colored: bool) -> String {
        let [before, after] = sides();
        let difference = diff(&before, &after, Thresholds::default());
        let names = ["a.iotrace", "b.iotrace"].map(str::to_owned);
        let mut out = Vec::new();
        table(&mut out, &difference, [&before, &after], &names, colored).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_table_is_as_agreed() {
        insta::assert_snapshot!(shown(false));
        assert!(shown(true).contains("\u{1b}[31m- TCSETS"), "{}", shown(true));
    }

    #[test]
    fn json_is_as_agreed() {
        let [before, after] = sides();
        let side = |file: &str| Side { file: file.to_owned(), calls: 1, failed: 0, complete: true };
        let difference = diff(&before, &after, Thresholds::default());
        let report = report(&difference, side("a"), side("b"));
        insta::assert_snapshot!(serde_json::to_string_pretty(&report).expect("JSON"));
    }

    #[test]
    fn factors_are_from_one_on() {
        assert_eq!(parse_factor("1.5"), Ok(1.5));
        for wrong in ["0.9", "-2", "x", "NaN", "inf", ""] {
            assert!(parse_factor(wrong).is_err(), "{wrong}");
        }
    }
}
