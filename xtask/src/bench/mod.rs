//! What tracing costs: loops of cheap calls, plain and under each tracer, in turns within one run.

mod dashboard;
mod limits;
mod measure;
mod report;
mod rows;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Result, bail};

use self::{
    measure::{Bench, Turn},
    rows::{ALONE, Load, TABLES, Table, Tracer},
};
use crate::{
    setup,
    sh::{self, cargo, install_missing, loudly},
};

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Turns; the median of each measurement's turns counts
    #[arg(long, default_value_t = 7)]
    turns: usize,
    /// Only these tables, `start` and `dashboard` among them
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    only: Vec<String>,
    /// Also write the results to docs/benchmarks.md
    #[arg(long)]
    save: bool,
}

const START: &str = "start";

const PROGRAMS: &[(&str, &str)] =
    &[("strace", "strace"), ("bpftrace", "bpftrace"), ("perf", "linux-perf"), ("strip", "binutils")];

/// What was measured.
struct Results {
    /// Turns asked for.
    turns: usize,
    tables: Vec<&'static Table>,
    /// By the names of load and tracer. Those that failed have none.
    rows: BTreeMap<(&'static str, &'static str), Vec<Turn>>,
    /// Milliseconds to the first call.
    start_ms: Vec<f64>,
    dashboard: dashboard::Figures,
    /// Bytes of the program.
    binary: u64,
}

impl Results {
    fn median(&self, load: &Load, tracer: &Tracer, of: impl Fn(&Turn) -> Option<f64>) -> Option<f64> {
        let turns = self.rows.get(&(load.name, tracer.name))?;
        median(turns.iter().filter_map(of))
    }

    /// Nanoseconds for each call of each thread.
    fn ns(&self, load: &Load, tracer: &Tracer) -> Option<f64> {
        self.median(load, tracer, |turn| Some(turn.ns))
    }

    /// The same without those of the load itself.
    fn added(&self, load: &Load, tracer: &Tracer) -> Option<f64> {
        Some(self.ns(load, tracer)? - self.ns(load, &ALONE)?)
    }

    fn lost(&self, load: &Load, tracer: &Tracer) -> Option<f64> {
        self.median(load, tracer, |turn| Some(turn.lost? as f64))
    }

    /// Calls a second that came through.
    fn rate(&self, load: &Load, tracer: &Tracer) -> Option<f64> {
        let calls = f64::from(tracer.calls.min(load.most));
        self.median(load, tracer, |turn| {
            let delivered = calls - turn.lost? as f64;
            Some(delivered / (turn.ns * calls) * 1e9)
        })
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Builds, measures and prints.
///
/// # Errors
/// When something cannot be built or run.
pub fn bench(args: &BenchArgs) -> Result<()> {
    let known = |name: &&String| {
        ![START, dashboard::NAME].contains(&name.as_str()) && TABLES.iter().all(|table| table.name != **name)
    };
    if let Some(name) = args.only.iter().find(known) {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        bail!("there is no table `{name}`: they are {}, {START}, {}", names.join(", "), dashboard::NAME);
    }
    setup::setup()?;
    install_missing("the benchmark", PROGRAMS)?;
    loudly(cargo().args(["build", "--quiet", "--release", "-p", "ioctl-trace", "--bins", "--examples"]))?;
    let results = measured(args)?;
    let report = report::markdown(&results);
    print(&report);
    if args.save {
        let docs = sh::root().join("docs");
        fs::create_dir_all(&docs)?;
        fs::write(docs.join("benchmarks.md"), report)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the results are this command's output")]
fn print(report: &str) {
    println!("{report}");
}

fn measured(args: &BenchArgs) -> Result<Results> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    // What outputs write would else wait for a disk.
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }?;
    let bench = Bench::new(scratch.path());
    let tables: Vec<&Table> = TABLES.iter().filter(|table| wanted(table.name)).collect();
    let mut pairs: Vec<(&Load, &Tracer)> = Vec::new();
    for table in &tables {
        for pair in
            table.loads.iter().flat_map(|load| table.tracers.iter().map(move |tracer| (*load, *tracer)))
        {
            if !pairs.iter().any(|(load, tracer)| (load.name, tracer.name) == (pair.0.name, pair.1.name)) {
                pairs.push(pair);
            }
        }
    }
    let mut results = Results {
        turns: args.turns,
        tables,
        rows: BTreeMap::new(),
        start_ms: Vec::new(),
        dashboard: dashboard::Figures::default(),
        binary: bench.stripped_bytes()?,
    };
    for turn in 1..=args.turns {
        for (load, tracer) in &pairs {
            let of = format!("turn {turn} of {}: {} of {}", args.turns, tracer.name, load.name);
            match bench.turn(load, tracer) {
                Ok(measured) => {
                    eprintln!("xtask: {of}: {:.0} ns", measured.ns);
                    results.rows.entry((load.name, tracer.name)).or_default().push(measured);
                }
                // One tracer that does not work here is no reason to know nothing of the others.
                Err(error) => eprintln!("xtask: {of}: {error:#}"),
            }
        }
        if wanted(dashboard::NAME) {
            results.dashboard.turn(&bench.dashboard())?;
        }
        if wanted(START) {
            results.start_ms.push(bench.first_call_ms()?);
        }
    }
    Ok(results)
}
