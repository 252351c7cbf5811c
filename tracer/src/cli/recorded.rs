//! Recordings as input of the commands that sum them up: which calls of them are wanted, and what is missing.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use ioctl_registry::Registry;

use super::{run, run::Failure};
use crate::{
    clock::WallClock,
    pipeline::Window,
    recording::{ReadError, Reader},
    redact::Redaction,
    replay::{self, Plan},
    select::Selection,
    tally::{Tally, TallySink},
};

/// Which calls of a recording are wanted.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Chosen {
    /// Only these requests: names, globs, numbers, @families; ! negates
    #[arg(short = 'e', long = "requests", value_name = "REQUESTS", allow_hyphen_values = true)]
    pub requests: Vec<String>,

    /// Only calls that match, as in tracing: `comm == ffmpeg`, `ret >= 0`
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    pub filter: Vec<String>,
}

/// Adds the calls of a recording to a tally. Gives what is missing of it, in words.
///
/// # Errors
/// What is wrong with the options or the file.
pub fn add(
    tally: Tally,
    path: &Path,
    chosen: &Chosen,
    registry: &'static Registry,
) -> Result<(Tally, Vec<String>), Failure> {
    let selection = Selection::parse(chosen.requests.iter().map(String::as_str), registry)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let filter = run::parsed(&chosen.filter, registry)?;
    let reader = Reader::open(path).map_err(|error| {
        let path = path.display();
        Failure::Usage(match error {
            ReadError::Io(error) => format!("cannot read `{path}`: {error}"),
            other => format!("`{path}` {other}"),
        })
    })?;
    let clock = WallClock::recorded(reader.meta().epoch_ns);
    let filter = filter.map(|filter| filter.with_clock(clock));
    let before = tally.left_out;
    let sink = TallySink::into(tally);
    let plan = Plan {
        registry,
        selection,
        filter,
        window: Window::default(),
        housekeeping: false,
        redaction: Redaction::default(),
        translates: true,
        speed: None,
        stop: Arc::default(),
        sinks: vec![Box::new(sink.clone())],
        recorder: None,
        tap: None,
    };
    let report = replay::run(reader, plan)?;
    let tally = sink.take();
    let mut missing = Vec::new();
    if let Some(closing) = report.closing.filter(|closing| closing.lost > 0) {
        missing.push(format!("{} were lost when it was made", calls(closing.lost)));
    }
    if let Some(cut) = report.cut {
        missing.push(format!("its end is missing: {cut}"));
    }
    let damaged = report.progress.damaged.load(Ordering::Relaxed);
    if damaged > 0 {
        missing.push(format!("{damaged} records could not be read"));
    }
    if tally.left_out > before {
        missing.push(format!("{} of more requests than can be kept", calls(tally.left_out - before)));
    }
    Ok((tally, missing))
}

/// Adds up several recordings. Whoever reads on standard error is told what is missing, and what that means.
///
/// # Errors
/// What is wrong with the options or a file.
pub fn all(
    tally: Tally,
    paths: &[PathBuf],
    chosen: &Chosen,
    registry: &'static Registry,
    meaning: &str,
) -> Result<Tally, Failure> {
    paths.iter().try_fold(tally, |tally, path| {
        let (tally, missing) = add(tally, path, chosen, registry)?;
        warn(path, &missing, meaning);
        Ok(tally)
    })
}

/// Tells what is missing of a recording.
pub fn warn(path: &Path, missing: &[String], meaning: &str) {
    for what in missing {
        super::say(&format!("`{}`: {what}: {meaning}", path.display()));
    }
}

/// So many calls.
pub fn calls(count: u64) -> String {
    format!("{count} call{}", if count == 1 { "" } else { "s" })
}
