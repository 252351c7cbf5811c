//! What tracing may cost, and whether it does not cost more.

use super::{
    Results, median,
    rows::{
        ASIDE, BPFTRACE_PRINTF, COUNT, CSV, DECODED, DECODED_600K, EMPTY, JSONL, LINES, Load, NONE, OTHER,
        PARQUET, PERF_RECORD, PERF_TRACE, PERFETTO, RECORD, RESERVE, SIZES, STRACE, TEXT, Tracer,
    },
};

/// A limit, and the figures that it holds for.
pub struct Limit {
    pub what: String,
    pub bound: Bound,
    /// What each figure is of, and the figure.
    pub figures: Vec<(&'static str, Option<f64>)>,
}

#[derive(Clone, Copy, Debug)]
pub enum Bound {
    Most(f64),
    Least(f64),
}

impl Limit {
    /// Whether every figure keeps it; `None` if one is missing.
    pub fn is_met(&self) -> Option<bool> {
        let keeps = |value: f64| match self.bound {
            Bound::Most(most) => value <= most,
            Bound::Least(least) => value >= least,
        };
        self.figures.iter().map(|(_, value)| value.map(keeps)).try_fold(true, |all, one| Some(all && one?))
    }
}

/// How many times what we add others add at least.
const RIVALS: &[(&Tracer, f64)] =
    &[(&STRACE, 100.0), (&BPFTRACE_PRINTF, 6.0), (&PERF_TRACE, 10.0), (&PERF_RECORD, 1.0)];
/// Calls a second, and of which load; and the load that comes no faster, of which none may be lost.
const RATES: &[(&Tracer, &Load, f64, &Load)] = &[
    (&RECORD, &NONE, 1e6, &NONE),
    (&JSONL, &DECODED, 6e5, &DECODED_600K),
    (&TEXT, &DECODED, 6e5, &DECODED_600K),
];

/// All of them.
pub fn limits(results: &Results) -> Vec<Limit> {
    let ratio = |load: &Load, one: &Tracer, other: &Tracer| {
        Some(results.added(load, one)? / results.added(load, other)?)
    };
    let mut limits = Vec::new();
    let mut limit = |what: String, bound, figures| limits.push(Limit { what, bound, figures });
    for tracer in LINES {
        limit(
            format!("{}: added, as a multiple of the floor with the same bytes", tracer.name),
            Bound::Most(1.5),
            SIZES.iter().map(|load| (load.name, ratio(load, tracer, &RESERVE))).collect(),
        );
    }
    for (rival, least) in RIVALS {
        limit(
            format!("{}: added, as a multiple of what we add", rival.name),
            Bound::Least(*least),
            LINES.iter().map(|tracer| (tracer.name, ratio(&NONE, rival, tracer))).collect(),
        );
    }
    limit(
        "an ioctl that is not traced: added, as a multiple of two programs that do nothing".to_owned(),
        Bound::Most(1.6),
        vec![(NONE.name, ratio(&NONE, &ASIDE, &EMPTY))],
    );
    limit(
        "another system call: added, ns".to_owned(),
        Bound::Most(30.0),
        vec![(OTHER.name, results.added(&OTHER, &ASIDE))],
    );
    limit(
        "ioctl-trace -c: added, ns".to_owned(),
        Bound::Most(150.0),
        vec![(NONE.name, results.added(&NONE, &COUNT))],
    );
    for (tracer, load, least, _) in RATES {
        limit(
            format!("{}: thousands of calls a second", tracer.name),
            Bound::Least(least / 1e3),
            vec![(load.name, results.rate(load, tracer).map(|rate| rate / 1e3))],
        );
    }
    limit(
        "calls lost at these rates".to_owned(),
        Bound::Most(0.0),
        RATES.iter().map(|(tracer, _, _, load)| (tracer.name, results.lost(load, tracer))).collect(),
    );
    limit(
        "from the start to the first call, ms".to_owned(),
        Bound::Most(150.0),
        vec![("-p", median(results.start_ms.iter().copied()))],
    );
    limits.extend(results.dashboard.limits());
    let mut limit = |what: String, bound, figures| limits.push(Limit { what, bound, figures });
    let resident = |tracer| {
        let most = results.median(&DECODED, tracer, |turn| turn.resident.map(|kib| kib as f64 / 1024.0));
        (tracer.name, most)
    };
    limit(
        "memory, MiB".to_owned(),
        Bound::Most(64.0),
        [&TEXT, &JSONL, &CSV, &PARQUET, &PERFETTO, &RECORD].map(resident).into(),
    );
    limit(
        "the program without symbols, MiB".to_owned(),
        Bound::Most(12.0),
        vec![("x86-64", Some(results.binary as f64 / f64::from(1 << 20)))],
    );
    limits
}
