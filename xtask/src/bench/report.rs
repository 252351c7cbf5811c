//! The report of a benchmark.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::{Value, json};

use super::{
    Results,
    limits::{Bound, Limit, limits},
    median,
    rows::{ALONE, Load, Shows, Table, Tracer},
};
use crate::sh::output_of;

/// The whole of it.
pub fn markdown(results: &Results) -> String {
    let mut text = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench --save`. A load is one thread that makes one cheap call in a loop, and times itself: \
         `ioctl(pipe, FIONREAD)`, which gives back 4 bytes; an unknown request that hands over a number of bytes; \
         `VIDIOC_S_FMT` on a pipe, whose 208 bytes are decoded, as fast as it can and 600,000 times a second; `getppid`. All measurements took their turn within one run, \
         over and over; each figure is the median of {} turns. Outputs were written to memory (tmpfs).\n\n\
         The floor is what tracing cannot do without. “empty” are programs at the beginning and the end of each call that do \
         nothing, “raw” the same at those of every system call. “reserve” are programs that have a place for each thread, in \
         which they remember when its call began, and send as many bytes as our records have to a program that throws them away. \
         “anew” makes a place for each call; “copy” makes its records elsewhere and copies them; “per-cpu” sends them to a perf \
         buffer of each CPU; “wake” wakes the receiver for each. Where calls are lost, the others cost less than they would: \
         nothing is written of a call that is lost.\n\n\
         - Machine: {}, {} CPUs, Linux {}\n- {}\n- {}\n- {}\n",
        results.turns,
        cpu_model(),
        std::thread::available_parallelism().map_or(0, usize::from),
        version("uname", &["-r"]),
        version("strace", &["--version"]),
        version("bpftrace", &["--version"]),
        version("perf", &["--version"]),
    );
    for table in &results.tables {
        // Writing to a string cannot fail.
        let _ = write_table(&mut text, results, table);
    }
    let _ = results.dashboard.write(&mut text);
    let measured = |limit: &Limit| limit.figures.iter().any(|(_, value)| value.is_some());
    let limits: Vec<Limit> = limits(results).into_iter().filter(measured).collect();
    let _ = write_limits(&mut text, &limits);
    let _ = writeln!(text, "\n```json\n{}\n```", as_json(results, &limits));
    text
}

fn write_table(text: &mut String, results: &Results, table: &Table) -> std::fmt::Result {
    write!(text, "\n## {}\n\n", table.title)?;
    match table.shows {
        Shows::Added(base) => writeln!(
            text,
            "Nanoseconds for each call of the load alone; below, those that are added, and how many times those of “{}” they are.\n",
            base.name
        )?,
        Shows::Rate => writeln!(
            text,
            "Thousands of calls a second that came through, how many of {} were lost, the most memory while the load ran, and how long the rest took when it was over.\n",
            table.tracers.first().map_or(0, |tracer| tracer.calls)
        )?,
    }
    let heads: Vec<_> = table.loads.iter().map(|load| load.name).collect();
    writeln!(text, "| | {} |\n|---|{}", heads.join(" | "), "---:|".repeat(heads.len()))?;
    for tracer in table.tracers {
        let cells: Vec<_> = table.loads.iter().map(|load| cell(results, table.shows, load, tracer)).collect();
        let cells: Vec<_> = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".to_owned())).collect();
        writeln!(text, "| {} | {} |", tracer.name, cells.join(" | "))?;
    }
    Ok(())
}

/// What a table says of a measurement, if there was one.
fn cell(results: &Results, shows: Shows, load: &Load, tracer: &Tracer) -> Option<String> {
    match shows {
        Shows::Added(_) if tracer.name == ALONE.name => Some(format!("{:.0}", results.ns(load, tracer)?)),
        Shows::Added(base) => {
            let added = results.added(load, tracer)?;
            let ratio = results.added(load, base).map(|base| format!(" ({:.2})", added / base));
            let lost = results.lost(load, tracer).filter(|lost| *lost > 0.0).map(|lost| {
                let calls = f64::from(tracer.calls.min(load.most)) * f64::from(load.threads);
                format!(", {:.0} % lost", lost / calls * 100.0)
            });
            Some(format!("+{added:.0}{}{}", ratio.unwrap_or_default(), lost.unwrap_or_default()))
        }
        Shows::Rate => Some(format!(
            "{:.0} k/s, {:.0} lost, {:.0} MiB, {:.0} ms",
            results.rate(load, tracer)? / 1e3,
            results.lost(load, tracer)?,
            results.median(load, tracer, |turn| turn.resident.map(|kib| kib as f64 / 1024.0))?,
            results.median(load, tracer, |turn| Some(turn.after.as_secs_f64() * 1e3))?,
        )),
    }
}

fn write_limits(text: &mut String, limits: &[Limit]) -> std::fmt::Result {
    write!(text, "\n## Limits\n\n| limit | | measured | met |\n|---|---:|---|---|\n")?;
    for limit in limits {
        let (sign, bound) = match limit.bound {
            Bound::Most(most) => ("≤", most),
            Bound::Least(least) => ("≥", least),
        };
        let met = match limit.is_met() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        let shown = |(of, value): &(&str, Option<f64>)| match value {
            Some(value) => format!("{of}: {}", short(*value)),
            None => format!("{of}: –"),
        };
        let figures: Vec<_> = limit.figures.iter().map(shown).collect();
        writeln!(text, "| {} | {sign} {bound} | {} | {met} |", limit.what, figures.join(", "))?;
    }
    Ok(())
}

/// Three digits, or a whole number.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 10.0 => format!("{value:.2}"),
        small if small < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn as_json(results: &Results, limits: &[Limit]) -> Value {
    let rows = results.rows.iter().map(|((load, tracer), turns)| {
        json!({
            "load": load,
            "tracer": tracer,
            "ns": median(turns.iter().map(|turn| turn.ns)),
            "ns_of_turns": turns.iter().map(|turn| (turn.ns * 10.0).round() / 10.0).collect::<Vec<_>>(),
            "lost": turns.iter().filter_map(|turn| turn.lost).max(),
        })
    });
    let limits = limits.iter().map(|limit| json!({"limit": limit.what, "met": limit.is_met()}));
    json!({
        "turns": results.turns,
        "rows": rows.collect::<Vec<_>>(),
        "start_ms": results.start_ms,
        "dashboard": results.dashboard.json(),
        "binary_bytes": results.binary,
        "limits": limits.collect::<Vec<_>>(),
    })
}

fn version(program: &str, args: &[&str]) -> String {
    output_of(program, args).and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default()
}

fn cpu_model() -> String {
    let info = fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, m)| m.to_owned()));
    model.unwrap_or_else(|| "unknown".to_owned())
}
