//! `record` and `replay`: calls into a file, and from one. They take the options of tracing that make sense for them.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use anyhow::Context as _;
use ioctl_registry::Registry;

use super::{args::Args, output, run, run::Failure, say};
use crate::{
    clock::WallClock,
    pipeline::{End, Window},
    recording::{Meta, Reader, Rotation, Writer, is_recording},
    replay::{self, Plan},
    select::Selection,
    totals::Human,
    tui,
};

/// What the words in front of the options ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// To trace.
    #[default]
    Trace,
    /// To trace into a recording alone.
    Record,
    /// To play a recording.
    Replay(PathBuf),
}

impl Mode {
    /// Takes the words of `record` and `replay` out of a command line: what follows is that of tracing.
    ///
    /// # Errors
    /// When the file of `replay` is missing.
    pub fn take(mut words: Vec<OsString>) -> Result<(Self, Vec<OsString>), String> {
        match words.get(1).and_then(|word| word.to_str()) {
            Some("record") => {
                words.remove(1);
                Ok((Self::Record, words))
            }
            Some("replay") => {
                let is_file = |word: &&OsString| *word == "-h" || *word == "--help" || !is_option(word);
                let file = words.get(2).filter(is_file).cloned();
                words.remove(1);
                match file {
                    Some(file) if is_option(&file) => Ok((Self::Trace, words)),
                    Some(file) => {
                        words.remove(1);
                        Ok((Self::Replay(file.into()), words))
                    }
                    None => {
                        Err("replay needs a recording: `ioctl-trace replay FILE.iotrace [OPTIONS]`"
                            .to_owned())
                    }
                }
            }
            _ => Ok((Self::Trace, words)),
        }
    }
}

fn is_option(word: &OsString) -> bool {
    word.to_str().is_some_and(|word| word.starts_with('-'))
}

/// The recording that the outputs name, if one does.
///
/// # Errors
/// When there are several, or none where `record` asks for one.
pub fn recorder(args: &Args, registry: &Registry, clock: &WallClock) -> Result<Option<Writer>, Failure> {
    let mut files = args.output.iter().filter(|path| is_recording(path));
    let (file, more) = (files.next(), files.next());
    if let Some(more) = more {
        return Err(Failure::Usage(format!(
            "one recording can be written at a time: leave out `{}`",
            more.display()
        )));
    }
    let Some(file) = file else {
        return match args.mode {
            Mode::Record => {
                Err(Failure::Usage("record needs a file for the recording: -o FILE.iotrace".to_owned()))
            }
            _ => Ok(None),
        };
    };
    let rotation =
        Rotation { size: args.rotate_size.map(u64::from), time: args.rotate_time, keep: args.keep };
    if rotation.keep.is_some() && rotation.size.is_none() && rotation.time.is_none() {
        return Err(Failure::Usage("--keep needs --rotate-size or --rotate-time".to_owned()));
    }
    let writer = Writer::create(file, Meta::here(registry, clock), rotation);
    let failed = |error| Failure::Tracing(anyhow::anyhow!("cannot create `{}`: {error}", file.display()));
    writer.map(Some).map_err(failed)
}

/// Plays a recording as the options say. Gives the exit code.
///
/// # Errors
/// What is wrong with the options or the file.
pub fn run(path: &Path, args: &Args, registry: &'static Registry) -> Result<u8, Failure> {
    if let Some(option) = about_tracing(args) {
        return Err(Failure::Usage(format!("`{option}` is about tracing and does not go with `replay`")));
    }
    let selection = Selection::parse(args.requests.iter().map(String::as_str), registry)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let filter = run::filter(args, registry)?;
    let reader = Reader::open(path)
        .map_err(|error| Failure::Tracing(anyhow::anyhow!("`{}` {error}", path.display())))?;
    let clock = WallClock::recorded(reader.meta().epoch_ns);
    let filter = filter.map(|filter| filter.with_clock(clock.clone()));
    let dashboard = !args.no_tui
        && !args.summary_only
        && !args.summary
        && args.output.is_empty()
        && args.format.is_none()
        && io::stdout().is_terminal();
    let mut sinks = output::sinks(args, !args.summary_only && !dashboard, &clock)?;
    if args.summary_only {
        sinks.extend(output::totals(args)?.map(output::Totals::sink));
    }
    let window = Window {
        first_ns: args.from.map_or(0, |time| clock.monotonic(time)),
        last_ns: args.to.map_or(u64::MAX, |time| clock.monotonic(time)),
    };
    let plan = Plan { registry, selection, filter, window, sinks };
    let report = if dashboard {
        tui::replay(reader, plan, path, output::colored(args.color, true))
            .context("cannot use the terminal for the dashboard")?
    } else {
        replay::run(reader, plan)?
    };
    closing(path, args, &report);
    match report.end {
        End::Output(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Tracing(anyhow::anyhow!("cannot write the output: {error}")))
        }
        _ => Ok(0),
    }
}

/// An option that makes no sense for a recording.
fn about_tracing(args: &Args) -> Option<&'static str> {
    let given = [
        (!args.pid.is_empty(), "--pid"),
        (!args.comm.is_empty(), "--comm"),
        (!args.uid.is_empty(), "--uid"),
        (!args.cgroup.is_empty(), "--cgroup"),
        (args.all, "--all"),
        (args.user.is_some(), "--user"),
        (!args.command.is_empty(), "--"),
        (args.output.iter().any(|path| is_recording(path)), "-o FILE.iotrace"),
    ];
    given.into_iter().find_map(|(given, option)| given.then_some(option))
}

/// The last words.
fn closing(path: &Path, args: &Args, report: &replay::Report) {
    let progress = &report.progress;
    let shown = progress.shown.load(Ordering::Relaxed);
    if args.quiet == 0 {
        let mut line = format!("{shown} call{}", if shown == 1 { "" } else { "s" });
        if let Some(closing) = &report.closing {
            line.push_str(&format!(" in {}", Human(closing.elapsed_ns)));
        }
        for (count, what) in [
            (progress.failed.load(Ordering::Relaxed), "failed"),
            (progress.filtered.load(Ordering::Relaxed), "filtered out"),
        ] {
            if count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        if let Some(closing) = &report.closing {
            line.push_str(&format!(", {} lost", closing.lost));
        }
        say(&line);
    }
    if let Some(cut) = &report.cut {
        say(&format!("the end of `{}` is missing: {cut}", path.display()));
    }
    let damaged = progress.damaged.load(Ordering::Relaxed);
    if damaged > 0 {
        say(&format!("{damaged} records could not be read"));
    }
    // Whoever closed standard error does not want to know.
    let _ = io::stderr().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(words: &[&str]) -> Result<(Mode, Vec<String>), String> {
        let (mode, rest) = Mode::take(words.iter().map(OsString::from).collect())?;
        Ok((mode, rest.into_iter().map(|word| word.into_string().expect("text")).collect()))
    }

    #[test]
    fn the_words_in_front_are_taken_out() {
        let strings = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(taken(&["x", "-p", "1"]), Ok((Mode::Trace, strings(&["x", "-p", "1"]))));
        assert_eq!(taken(&["x", "record", "-o", "a"]), Ok((Mode::Record, strings(&["x", "-o", "a"]))));
        let replay = Mode::Replay("a.iotrace".into());
        assert_eq!(taken(&["x", "replay", "a.iotrace", "-c"]), Ok((replay, strings(&["x", "-c"]))));
        assert_eq!(taken(&["x", "replay", "--help"]), Ok((Mode::Trace, strings(&["x", "--help"]))));
        assert!(taken(&["x", "replay"]).is_err() && taken(&["x", "replay", "-c"]).is_err());
        assert_eq!(taken(&["x", "--", "record"]), Ok((Mode::Trace, strings(&["x", "--", "record"]))));
    }
}
