//! `record` and `replay`: calls into a file, and from one. They take the options of tracing that make sense for them.

use std::{
    ffi::OsString,
    io::{self, BufReader, IsTerminal, Seek as _, Write},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use anyhow::Context as _;
use clap::{Arg, ArgMatches, Command, CommandFactory, error::ErrorKind, parser::ValueSource, value_parser};
use ioctl_registry::Registry;

use super::{
    args::{Args, Format},
    info, output, run,
    run::Failure,
    say, spelled,
};
use crate::{
    clock::WallClock,
    pipeline::{End, Window},
    privilege::{self, Duty},
    recording::{Meta, Reader, Rotation, Writer},
    replay::{self, Plan},
    select::Selection,
    totals::Human,
    tui,
};

/// A word in front of the options that says what to do with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// To trace: no word at all.
    Trace,
    /// To trace into a recording alone.
    Record,
    /// To play a recording.
    Replay,
}

/// What is done with calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are traced.
    #[default]
    Trace,
    /// They are traced into a recording alone.
    Record,
    /// They come from a recording.
    Replay(PathBuf),
    /// They come from the one that is built in.
    Demo,
}

/// The recording that is built in, which `cargo xtask demo` makes.
const DEMO: &[u8] = include_bytes!("demo.iotrace");
/// The argument of `replay`.
const FILE: &str = "recording";
/// Options that are about tracing alone, by their ids.
const TRACING: [&str; 14] = [
    "pid",
    "comm",
    "uid",
    "cgroup",
    "all",
    "follow",
    "no_follow",
    "user",
    "command",
    "debug",
    "max_bytes",
    "buffer",
    "rotate_size",
    "rotate_time",
];
/// Options that are about replaying alone.
const REPLAYING: [&str; 4] = ["from", "to", "speed", "info"];

const HELP: &str = "\
Examples:
  ioctl-trace record -o run.iotrace -- ./app     keep everything, to look at it later
  ioctl-trace record -a -o all.iotrace --rotate-size 100M --keep 10
  ioctl-trace replay run.iotrace                 the dashboard that the live run would have shown
  ioctl-trace replay run.iotrace --no-tui        or its lines
  ioctl-trace replay run.iotrace --info          when and where it was made
  ioctl-trace replay run.iotrace --speed 2       twice as fast as it was
  ioctl-trace replay run.iotrace -e '@drm' -c    totals of some requests
  ioctl-trace replay run.iotrace --from 2026-11-20T23:40:00 -o rest.parquet
  ioctl-trace replay run.iotrace --redact=strings -o public.iotrace    the same without text
  ssh HOST ioctl-trace record -o - -p 4711 | ioctl-trace replay -";

impl Verb {
    /// Takes the word out of a command line: what follows is that of tracing.
    pub fn take(words: &mut Vec<OsString>) -> Self {
        let verb = match words.get(1).and_then(|word| word.to_str()) {
            Some("record") => Self::Record,
            Some("replay") => Self::Replay,
            _ => return Self::Trace,
        };
        words.remove(1);
        verb
    }

    /// The options there are.
    pub fn command(self) -> Command {
        let command = Args::command();
        match self {
            Self::Trace => command,
            Self::Record => hidden(command, &REPLAYING)
                .about("Trace, and keep all that the kernel reports in a file")
                .override_usage("ioctl-trace record -o FILE.iotrace [OPTIONS] …"),
            Self::Replay => hidden(command, &TRACING)
                .about("Play a recording: on the dashboard, as lines, as totals or into other files, on any machine and without root")
                .mut_arg("command", |command| command.index(2))
                .arg(
                    Arg::new(FILE)
                        .index(1)
                        .value_name("FILE.iotrace")
                        .required(true)
                        .value_parser(value_parser!(PathBuf))
                        .help("The recording; `-` is standard input"),
                )
                .subcommand_negates_reqs(true)
                .override_usage("ioctl-trace replay [OPTIONS] FILE.iotrace"),
        }
    }

    /// What is done, by the options that were given.
    ///
    /// # Errors
    /// When an option does not go with it.
    pub fn mode(self, matches: &ArgMatches) -> Result<Mode, clap::Error> {
        let demo = matches.get_flag("demo");
        let wrong = |message| Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        if demo && self != Self::Trace {
            return wrong("`--demo` is a recording of its own: leave out the word before it".to_owned());
        }
        let (others, about) = match self {
            Self::Trace if demo => (&TRACING[..], "tracing and does not go with `--demo`"),
            Self::Replay => (&TRACING[..], "tracing and does not go with `replay`"),
            Self::Trace | Self::Record => (&REPLAYING[..], "recordings: it goes with `replay FILE.iotrace`"),
        };
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        if let Some(id) = others.iter().find(|id| given(id)) {
            let option = Args::command().get_arguments().find(|option| option.get_id() == *id).map(spelled);
            let message = format!("`{}` is about {about}", option.unwrap_or_default());
            return wrong(message);
        }
        Ok(match self {
            Self::Trace if demo => Mode::Demo,
            Self::Trace => Mode::Trace,
            Self::Record => Mode::Record,
            Self::Replay => matches.get_one(FILE).cloned().map_or(Mode::Trace, Mode::Replay),
        })
    }
}

/// A command whose help does not show these options.
fn hidden(command: Command, ids: &[&str]) -> Command {
    let command = command.mut_subcommands(|other| other.hide(true)).after_help(HELP);
    ids.iter().fold(command, |command, id| command.mut_arg(id, |option| option.hide(true)))
}

/// The recording that the outputs name, if one does.
///
/// # Errors
/// When there are several, or none where `record` asks for one.
pub fn recorder(args: &Args, meta: impl FnOnce() -> Meta) -> Result<Option<Writer>, Failure> {
    let rotation =
        Rotation { size: args.rotate_size.map(u64::from), time: args.rotate_time, keep: args.keep };
    let rotates = rotation.size.is_some() || rotation.time.is_some();
    if rotation.keep.is_some() && !rotates {
        return Err(Failure::Usage("--keep needs --rotate-size or --rotate-time".to_owned()));
    }
    let mut files = output::targets(args)?.into_iter().filter(|target| target.format == Format::Recording);
    let (file, more) = (files.next(), files.next());
    if let Some(more) = more {
        return Err(Failure::Usage(format!(
            "one recording can be written at a time: leave out `{}`",
            more.path.display()
        )));
    }
    let Some(file) = file else {
        return match args.mode {
            Mode::Record => {
                Err(Failure::Usage("record needs a file for the recording: -o FILE.iotrace".to_owned()))
            }
            _ if rotates => Err(Failure::Usage(
                "only recordings begin new files: --rotate-size and --rotate-time need -o FILE.iotrace"
                    .to_owned(),
            )),
            _ => Ok(None),
        };
    };
    if file.stdout && rotates {
        return Err(Failure::Usage(
            "standard output is one file: leave out --rotate-size and --rotate-time".to_owned(),
        ));
    }
    let writer =
        if file.stdout { Writer::to_stdout(meta()) } else { Writer::create(file.path, meta(), rotation) };
    let failed =
        |error| Failure::Tracing(anyhow::anyhow!("cannot create `{}`: {error}", file.path.display()));
    writer.map(Some).map_err(failed)
}

/// Plays a recording as the options say. Gives the exit code.
///
/// # Errors
/// What is wrong with the options or the file.
pub fn run(path: &Path, args: &Args, registry: &'static Registry) -> Result<u8, Failure> {
    if args.info {
        return info::print(path).map(|()| 0);
    }
    let reader = Reader::open(path)
        .map_err(|error| Failure::Tracing(anyhow::anyhow!("`{}` {error}", path.display())))?;
    play(reader, path, None, args, registry)
}

/// Plays the recording that is built in; on the dashboard at the pace that it had, unless another is asked for.
///
/// # Errors
/// What is wrong with the options.
pub fn demo(args: &Args, registry: &'static Registry) -> Result<u8, Failure> {
    if args.info {
        return Err(Failure::Usage("--info says what a file is of: `replay --info FILE.iotrace`".to_owned()));
    }
    // A file like any other, but that nobody else sees.
    let mut file = tempfile::tempfile()?;
    file.write_all(DEMO)?;
    file.rewind()?;
    let reader = Reader::new(BufReader::new(file)).context("the built-in recording")?;
    play(reader, Path::new("demo"), Some(1.0), args, registry)
}

fn play(
    reader: Reader,
    path: &Path,
    pace: Option<f64>,
    args: &Args,
    registry: &'static Registry,
) -> Result<u8, Failure> {
    privilege::keep(Duty::Replay);
    let into = output::targets(args)?.into_iter().find(|target| target.format == Format::Recording);
    if into.as_ref().is_some_and(|into| !into.stdout && same_file(into.path, path)) {
        return Err(Failure::Usage(format!("`{}` cannot be played into itself", path.display())));
    }
    let chooses = !args.requests.is_empty() || !args.filter.is_empty();
    if into.is_some() && (chooses || args.from.is_some() || args.to.is_some()) {
        return Err(Failure::Usage(
            "a recording is played into another as a whole: leave out -e, --filter, --from and --to"
                .to_owned(),
        ));
    }
    let selection = Selection::parse(args.requests.iter().map(String::as_str), registry)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let filter = run::filter(args, registry)?;
    let clock = WallClock::recorded(reader.meta().epoch_ns);
    let filter = filter.map(|filter| filter.with_clock(clock.clone()));
    let dashboard = !args.no_tui
        && !args.summary_only
        && !args.summary
        && args.output.is_empty()
        && args.format.is_none()
        && io::stdout().is_terminal();
    let recorder = recorder(args, || reader.meta().clone())?;
    let mut sinks = output::sinks(args, !args.summary_only && !dashboard && recorder.is_none(), &clock)?;
    if args.summary_only {
        sinks.extend(output::totals(args)?.map(output::Totals::sink));
    }
    let window = Window {
        first_ns: args.from.map_or(0, |time| clock.monotonic(time)),
        last_ns: args.to.map_or(u64::MAX, |time| clock.monotonic(time)),
    };
    let stop = Arc::default();
    // Nobody watches the others.
    let speed = args.speed.or(pace.filter(|_| dashboard));
    let plan = Plan {
        registry,
        selection,
        filter,
        window,
        housekeeping: args.housekeeping(),
        redaction: args.redaction(),
        translates: args.pidns_translation,
        speed,
        stop,
        sinks,
        recorder,
        tap: None,
    };
    let report = if dashboard {
        let looks = tui::Looks::load(output::colored(args.color, true)).map_err(Failure::Usage)?;
        let outputs = output::opener(args, &clock, reader.meta().clone());
        let (report, shown) = tui::replay(reader, plan, path, looks, outputs)
            .context("cannot use the terminal for the dashboard")?;
        output::shown_totals(args, &shown)?;
        report
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

/// Whether two names are of one file.
fn same_file(one: &Path, other: &Path) -> bool {
    let file = |path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    file(one).is_some_and(|one| Some(one) == file(other))
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
        line.push_str(&run::hidden(progress));
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

    fn mode(words: &[&str]) -> Result<Mode, String> {
        let mut words = words.iter().map(OsString::from).collect();
        let verb = Verb::take(&mut words);
        let matches = verb.command().try_get_matches_from(words);
        matches.and_then(|matches| verb.mode(&matches)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_word_says_what_to_do() {
        assert_eq!(mode(&["x", "-p", "1"]), Ok(Mode::Trace));
        assert_eq!(mode(&["x", "record", "-o", "a"]), Ok(Mode::Record));
        assert_eq!(mode(&["x", "--", "record"]), Ok(Mode::Trace));
        let replay = Ok(Mode::Replay("a.iotrace".into()));
        assert_eq!(mode(&["x", "replay", "a.iotrace", "-c"]), replay);
        assert_eq!(mode(&["x", "replay", "-e", "@drm", "-c", "a.iotrace"]), replay);
        assert_eq!(mode(&["x", "--demo", "--speed", "2"]), Ok(Mode::Demo));
        assert!(mode(&["x", "replay", "-c"]).is_err_and(|error| error.contains("<FILE.iotrace>")));
    }

    #[test]
    fn options_go_with_what_is_done() {
        for (words, says) in [
            (&["replay", "a", "-p", "1"][..], "`--pid` is about tracing and does not go with `replay`"),
            (&["replay", "a", "--buffer", "1M"], "`--buffer` is about tracing"),
            (&["--demo", "-p", "1"], "`--pid` is about tracing and does not go with `--demo`"),
            (&["replay", "--demo", "a"], "`--demo` is a recording of its own"),
            (&["-a", "--speed", "2"], "`--speed` is about recordings: it goes with `replay FILE.iotrace`"),
            (&["record", "-a", "--from", "2026-11-20T23:40:01Z"], "`--from` is about recordings"),
        ] {
            let words = [&["x"], words].concat();
            assert!(mode(&words).is_err_and(|error| error.contains(says)), "{words:?}");
        }
        for id in TRACING.iter().chain(&REPLAYING) {
            assert!(Args::command().get_arguments().any(|option| option.get_id() == *id), "{id}");
        }
    }
}
