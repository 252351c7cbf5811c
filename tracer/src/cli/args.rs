//! The options. Their names and meanings are stable, and those that strace has mean what they mean there.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{ArgAction, Parser, Subcommand, ValueEnum, ValueHint};

use ioctl_trace_ebpf::MAX_CAPTURE;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::{diff, doctor, pages, policy, registry, replay::Mode};
use crate::{redact::Redaction, sink::table::SortKey};

/// Show every ioctl that programs make, live: device, driver, request by name, result and duration.
///
/// Nothing is stopped and nothing is injected: the kernel itself reports, so that a production process can be watched.
#[derive(Debug, Parser)]
#[command(name = "ioctl-trace", version, max_term_width = 110, after_help = EXAMPLES, override_usage = USAGE)]
pub struct Args {
    /// Trace these processes, their threads and children
    #[arg(short, long, value_name = "PID[,PID…]", value_delimiter = ',', help_heading = WHOM)]
    pub pid: Vec<u32>,

    /// Only threads of this name, or of processes of this name
    #[arg(long, value_name = "NAME", help_heading = WHOM)]
    pub comm: Vec<String>,

    /// Only calls of this user (name or number)
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username, help_heading = WHOM)]
    pub uid: Vec<String>,

    /// Only tasks in this cgroup (version 2) or below it
    #[arg(long, value_name = "PATH", help_heading = WHOM)]
    pub cgroup: Vec<PathBuf>,

    /// Trace every process of the machine
    #[arg(short, long, conflicts_with = "pid", help_heading = WHOM)]
    pub all: bool,

    /// Follow child processes (the default)
    #[arg(short, long, overrides_with = "no_follow", help_heading = WHOM)]
    pub follow: bool,

    /// Do not follow child processes
    #[arg(long, overrides_with = "follow", help_heading = WHOM)]
    pub no_follow: bool,

    /// Run COMMAND as this user; without it, as the user behind sudo
    #[arg(short, long, value_name = "USER", value_hint = ValueHint::Username, requires = "command", help_heading = WHOM)]
    pub user: Option<String>,

    /// The control codes of Windows programs under Wine too (DeviceIoControl), with the calls that they cause; =all shows also
    /// those by which Wine keeps house, as --all does
    #[arg(long, value_enum, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "programs", help_heading = WHAT)]
    pub windows: Option<Windows>,

    /// Only these requests: names, globs, numbers, @families; ! negates
    #[arg(short = 'e', long = "requests", value_name = "REQUESTS", allow_hyphen_values = true, help_heading = WHAT)]
    pub requests: Vec<String>,

    /// Only calls that match: an expression such as 'ret < 0 && dur > 1ms', which `fields --help` explains
    #[arg(long = "filter", value_name = "EXPR", allow_hyphen_values = true, help_heading = WHAT)]
    pub filter: Vec<String>,

    /// Write to FILE ("-": standard output); its name ends in the format, .txt .jsonl .csv .parquet .pftrace .iotrace, and in .gz
    /// or .zst to be compressed; repeatable
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: Vec<PathBuf>,

    /// Format of the output, whatever its name; of several, of those whose names do not tell
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = OUTPUT)]
    pub format: Option<Format>,

    /// Print totals per request and device at the end instead of calls; with --format jsonl one JSON object a row, and with
    /// -o FILE.json a file of them
    #[arg(short = 'c', long = "summary-only", conflicts_with = "summary", group = "totals", help_heading = OUTPUT)]
    pub summary_only: bool,

    /// Print calls and, at the end, totals
    #[arg(short = 'C', long = "summary", group = "totals", help_heading = OUTPUT)]
    pub summary: bool,

    /// Sort totals by this, the largest first
    #[arg(short = 'S', long = "summary-sort-by", value_enum, value_name = "KEY", requires = "totals", help_heading = OUTPUT)]
    pub sort: Option<Sort>,

    /// The dashboard for a COMMAND too, which gets a terminal of its own there
    #[arg(long, conflicts_with_all = ["no_tui", "summary_only", "summary"], help_heading = OUTPUT)]
    pub tui: bool,

    /// Print lines even on a terminal, instead of the dashboard
    #[arg(long, help_heading = OUTPUT)]
    pub no_tui: bool,

    /// When to use colours; NO_COLOR is respected
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto, help_heading = OUTPUT)]
    pub color: Color,

    /// Say less: -q leaves out the closing totals
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT)]
    pub quiet: u8,

    /// Show diagnostics of the kernel side
    #[arg(long, help_heading = OUTPUT)]
    pub debug: bool,

    /// Time of day before each line; -tt with microseconds, -ttt in seconds since the epoch
    #[arg(short, action = ArgAction::Count, help_heading = LINES)]
    pub time: u8,

    /// Seconds since the call before
    #[arg(short, long, conflicts_with = "time", help_heading = LINES)]
    pub relative: bool,

    /// Time spent in each call (always shown)
    #[arg(short = 'T', help_heading = LINES)]
    pub duration: bool,

    /// Path of each descriptor (always shown); -yy adds the device numbers
    #[arg(short = 'y', action = ArgAction::Count, help_heading = LINES)]
    pub paths: u8,

    /// Number of each request, in brackets before the call
    #[arg(short = 'n', long = "number", help_heading = LINES)]
    pub number: bool,

    /// Show every field, element and padding that is there
    #[arg(short = 'v', long = "no-abbrev", help_heading = LINES)]
    pub no_abbrev: bool,

    /// Bytes of each text, and elements of each array, at most
    #[arg(short = 's', long, value_name = "SIZE", default_value_t = 32, help_heading = LINES)]
    pub string_limit: usize,

    /// Texts that are not plain in hexadecimal; -xx all texts
    #[arg(short = 'x', action = ArgAction::Count, help_heading = LINES)]
    pub hex: u8,

    /// Constants and flags as numbers, as names, or both
    #[arg(short = 'X', long = "const-print-style", value_enum, value_name = "FORMAT", default_value_t = Constants::Abbrev, help_heading = LINES)]
    pub constants: Constants,

    /// The program's stack below each call; -kk with lines of source
    #[arg(short = 'k', action = ArgAction::Count, help_heading = LINES)]
    pub stack: u8,

    /// The kernel's stack below each call
    #[arg(long, help_heading = LINES)]
    pub kernel_stack: bool,

    /// Number processes as in their own namespaces too, where these are other than the machine's: of containers, in brackets
    #[arg(long, help_heading = OUTPUT)]
    pub pidns_translation: bool,

    /// Leave arguments out of all that is shown and written; with =strings only text, and bytes that may hold some
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "all", help_heading = OUTPUT)]
    pub redact: Option<Redact>,

    /// Memory of each call's input, and of its output, that is read at most (up to 64K); 0 reads none
    #[arg(long, value_name = "SIZE", default_value = "4K", value_parser = parse_capture, help_heading = OUTPUT)]
    pub max_bytes: u32,

    /// Room for calls that wait to be read; more loses less under load
    #[arg(long, value_name = "SIZE", default_value = "8M", value_parser = parse_size, help_heading = OUTPUT)]
    pub buffer: u32,

    /// Begin a new recording when one has this size: run.iotrace, run.1.iotrace, …
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = FILES)]
    pub rotate_size: Option<u32>,

    /// Begin a new recording after this time: 30s, 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_span, help_heading = FILES)]
    pub rotate_time: Option<Duration>,

    /// Keep so many recordings of a series and remove those before
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), help_heading = FILES)]
    pub keep: Option<u32>,

    /// Replay: only calls from this time on, 2026-11-20T23:40:01Z or local 2026-11-20T23:40:01
    #[arg(long, value_name = "TIME", value_parser = parse_moment, help_heading = FILES)]
    pub from: Option<Timestamp>,

    /// Replay: only calls up to this time
    #[arg(long, value_name = "TIME", value_parser = parse_moment, help_heading = FILES)]
    pub to: Option<Timestamp>,

    /// Replay: at the pace of the recording: 1, twice as fast: 2, half as fast: 0.5; without it, at once
    #[arg(long, value_name = "FACTOR", value_parser = parse_speed, help_heading = FILES)]
    pub speed: Option<f64>,

    /// Replay: say what the recording is of, instead of playing it
    #[arg(long, help_heading = FILES)]
    pub info: bool,

    /// Show the dashboard with a recording that is built in: without root
    #[arg(long, help_heading = FILES)]
    pub demo: bool,

    /// Whether to trace, to record or to replay
    #[arg(skip)]
    pub mode: Mode,

    /// Add the requests of this file to those that are known; repeatable
    #[arg(long = "registry", value_name = "FILE", global = true, help_heading = REGISTRY)]
    pub vendor_files: Vec<PathBuf>,

    /// What to do instead of tracing
    #[command(subcommand)]
    pub action: Option<Action>,

    /// The command to run and trace
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What to do instead of tracing.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Compare two recordings: requests, counts, errors, durations
    #[command(after_help = diff::HELP)]
    Diff(diff::DiffArgs),
    /// Make an allow-list of what was recorded: seccomp, SELinux or JSON
    #[command(after_help = policy::HELP)]
    Policy(policy::PolicyArgs),
    /// Say what this machine lacks for tracing, and what to do about it
    #[command(after_help = doctor::HELP)]
    Doctor,
    /// Print what a shell needs to complete command lines
    #[command(after_help = pages::COMPLETIONS)]
    Completions(pages::CompletionsArgs),
    /// Print the manual page, or that of a command
    #[command(after_help = pages::MAN)]
    Man(pages::ManArgs),
    /// To ask what is known
    #[command(flatten)]
    Ask(registry::Action),
}

impl Args {
    /// Whether the control codes are shown by which Wine keeps house.
    #[must_use]
    pub fn housekeeping(&self) -> bool {
        self.all || self.windows == Some(Windows::All)
    }

    /// What is left out of calls.
    #[must_use]
    pub fn redaction(&self) -> Redaction {
        match self.redact {
            None => Redaction::Nothing,
            Some(Redact::Strings) => Redaction::Text,
            Some(Redact::All) => Redaction::All,
        }
    }
}

const WHOM: &str = "Whom to trace (conditions of different kinds must all hold)";
const WHAT: &str = "What to trace";
const OUTPUT: &str = "Output";
const LINES: &str = "Lines, as in strace";
const FILES: &str = "Recordings";
const REGISTRY: &str = "What is known";

const USAGE: &str = "ioctl-trace [OPTIONS] -- COMMAND [ARG…]\n       ioctl-trace [OPTIONS] -p PID[,PID…] | -a | --comm NAME | --uid USER | --cgroup PATH\n       ioctl-trace record -o FILE.iotrace [OPTIONS] …\n       ioctl-trace replay [OPTIONS] FILE.iotrace\n       ioctl-trace diff A.iotrace B.iotrace | policy --format seccomp|selinux|json FILE.iotrace…\n       ioctl-trace decode NUMBER… | list [PATTERN] | show NAME… | fields | registry import HEADER -o FILE\n       ioctl-trace doctor | completions SHELL | man [COMMAND]";

const EXAMPLES: &str = "\
Examples:
  ioctl-trace -- stty -a                       what does stty say to its terminal?
  ioctl-trace -p $(pidof qemu-system-x86_64)   watch a running process on a dashboard
  ioctl-trace --demo                           what the dashboard looks like, without root
  ioctl-trace --tui -- vim notes.txt           a program in a terminal of its own, with the dashboard beside it
  ioctl-trace -p 4711 -c                       count until ^C or its end
  ioctl-trace -c -S p99 -o totals.json -- ./app
                                               the slowest requests first, as JSON
  ioctl-trace -a -e '@drm,!DRM_IOCTL_VERSION'  every graphics call of the machine but one
  ioctl-trace -a --filter 'driver == i915 && ret < 0 && dur > 1ms'
                                               only calls that match; `ioctl-trace fields` lists what there is
  ioctl-trace -o calls.jsonl -- ./app          one JSON object a call
  ioctl-trace --windows -- wine app.exe        the control codes of a Windows program, and what they cause
  ioctl-trace record -o run.iotrace -- ./app   keep everything, to look at it later
  ioctl-trace replay run.iotrace -e '@drm' -c  without root, on any machine
  ioctl-trace diff a.iotrace b.iotrace         what does one run do that the other did not?
  ioctl-trace policy --format seccomp run.iotrace
                                               the requests that a sandbox must allow
  ioctl-trace -a -o all.pftrace -o all.csv.zst a time line and a table, at once
  ioctl-trace decode 0x5413                    what does this number mean?
  ioctl-trace show VIDIOC_G_FMT                all that is known of a request";

/// Formats of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line a call, in the shape of strace
    #[value(alias = "txt")]
    Text,
    /// One JSON object a call
    #[value(alias = "json")]
    Jsonl,
    /// One row a call, comma-separated
    Csv,
    /// One row a call, for DuckDB, Polars and the like
    Parquet,
    /// A time line for ui.perfetto.dev
    #[value(alias = "pftrace")]
    Perfetto,
    /// A recording, to be replayed
    #[value(alias = "iotrace")]
    Recording,
}

/// How constants and flags are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Constants {
    /// Numbers
    Raw,
    /// Names
    Abbrev,
    /// Numbers and names
    Verbose,
}

/// What is left out of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Redact {
    /// Everything
    All,
    /// Text, and bytes that may hold some
    Strings,
}

/// Which control codes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Windows {
    /// Those of programs
    Programs,
    /// Those by which Wine keeps house, too
    All,
}

/// What totals are sorted by. Those that strace has mean what they mean there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// The sum of durations; the default
    #[value(aliases = ["time-percent", "time-total", "total-time"])]
    Time,
    /// The same
    Total,
    /// The number of calls
    #[value(alias = "count")]
    Calls,
    /// The number of calls that failed
    #[value(alias = "error")]
    Errors,
    /// The shortest call
    #[value(aliases = ["min-time", "shortest"])]
    Min,
    /// The mean
    #[value(aliases = ["avg-time", "mean"])]
    Avg,
    /// The median
    P50,
    /// What nine of ten calls do not exceed
    P90,
    /// What 99 of 100 calls do not exceed
    P99,
    /// The longest call
    #[value(aliases = ["max-time", "longest"])]
    Max,
    /// The request's name, from A to Z
    #[value(aliases = ["syscall", "syscall-name"])]
    Name,
}

impl Sort {
    /// As those who write totals know it.
    #[must_use]
    pub const fn key(self) -> SortKey {
        match self {
            Self::Time | Self::Total => SortKey::Total,
            Self::Calls => SortKey::Calls,
            Self::Errors => SortKey::Errors,
            Self::Min => SortKey::Min,
            Self::Avg => SortKey::Mean,
            Self::P50 => SortKey::Percentile(50),
            Self::P90 => SortKey::Percentile(90),
            Self::P99 => SortKey::Percentile(99),
            Self::Max => SortKey::Max,
            Self::Name => SortKey::Name,
        }
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

const PAGE: u64 = 4096;
const MAX_BUFFER: u64 = 1 << 30;

/// Bytes of a size such as `512`, `512K`, `8M` or `1G`.
fn bytes_of(text: &str) -> Option<u64> {
    let (digits, unit) = match text.char_indices().last() {
        Some((end, 'k' | 'K')) => (&text[..end], 1 << 10),
        Some((end, 'm' | 'M')) => (&text[..end], 1 << 20),
        Some((end, 'g' | 'G')) => (&text[..end], 1 << 30),
        _ => (text, 1),
    };
    digits.parse().ok().and_then(|n: u64| n.checked_mul(unit))
}

/// A number of bytes that can be copied of a call.
fn parse_capture(text: &str) -> Result<u32, String> {
    let bytes = bytes_of(text).and_then(|bytes| u32::try_from(bytes).ok());
    bytes
        .filter(|bytes| *bytes <= MAX_CAPTURE)
        .ok_or_else(|| "a number of bytes up to 64K is expected".to_owned())
}

/// A size such as `512K`, `8M` or `1G`, rounded up to what a ring buffer may have.
fn parse_size(text: &str) -> Result<u32, String> {
    match bytes_of(text) {
        Some(bytes @ 1..=MAX_BUFFER) => {
            u32::try_from(bytes.max(PAGE).next_power_of_two()).map_err(|_| "at most 1G".to_owned())
        }
        _ => Err("a number of bytes up to 1G is expected, such as 512K or 64M".to_owned()),
    }
}

/// A time as `10m` or `1h 30m`.
fn parse_span(text: &str) -> Result<Duration, String> {
    let span: Option<SignedDuration> = text.parse().ok();
    let span = span.and_then(|span| Duration::try_from(span).ok()).filter(|span| !span.is_zero());
    span.ok_or_else(|| format!("`{text}` is no time: write 30s, 10m or 2h"))
}

/// How many times faster than it was: `1`, `2x`, `0.5`.
fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.strip_suffix('x').unwrap_or(text).parse().ok();
    speed
        .filter(|speed: &f64| (0.001..=1e6).contains(speed))
        .ok_or_else(|| format!("`{text}` is no pace: write 1, 2x or 0.5"))
}

/// A moment with its zone, or in the local one.
fn parse_moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let local: Option<DateTime> = text.parse().ok();
    let moment = local.and_then(|local| local.to_zoned(TimeZone::system()).ok());
    moment
        .map(|moment| moment.timestamp())
        .ok_or_else(|| format!("`{text}` is no time: write 2026-11-20T23:40:01, with Z for UTC"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn help_is_as_agreed() {
        insta::assert_snapshot!(Args::command().term_width(100).render_long_help());
    }

    #[test]
    fn help_of_the_commands_is_as_agreed() {
        let mut command = Args::command().term_width(100);
        command.build();
        let mut help = String::new();
        for path in [
            &["decode"][..],
            &["list"],
            &["show"],
            &["registry"],
            &["registry", "import"],
            &["fields"],
            &["diff"],
            &["policy"],
        ] {
            let command =
                path.iter().try_fold(&mut command, |command, name| command.find_subcommand_mut(name));
            help += &format!("{}\n\n", command.expect("a command").render_help());
        }
        insta::assert_snapshot!(help);
    }

    #[test]
    fn sizes_become_powers_of_two() {
        assert_eq!(parse_size("8M"), Ok(8 << 20));
        assert_eq!(parse_size("3m"), Ok(4 << 20));
        assert_eq!(parse_size("1"), Ok(4096));
        for wrong in ["", "0", "M", "-1", "2G", "8Mb", "99999999999999999999"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_after_two_dashes_is_the_command() {
        let args =
            Args::try_parse_from(["ioctl-trace", "-c", "--", "stty", "-a", "--", "-p"]).expect("valid");
        assert_eq!(args.command, ["stty", "-a", "--", "-p"]);
        assert!(args.summary_only && args.pid.is_empty());
    }
}
