//! From the command line to a session, and from its report to the last words.

use std::{
    io::{self, IsTerminal},
    sync::atomic::Ordering,
};

use ioctl_registry::Registry;
use nix::unistd::User;

use super::{args::Args, output, replay, replay::Mode, say};
use crate::{
    clock::WallClock,
    command::{Spec, exit_code},
    decode::Detail,
    field::FieldId,
    filter::{Filter, FilterError},
    pipeline::{End, Progress},
    privilege::{self, Duty},
    process,
    recording::Meta,
    redact::{OF_REDACTED, Redaction},
    select::Selection,
    session::{self, Plan, Report, Stop},
    source::setup::{MAX_CGROUPS, Requests, Setup, Wanted},
    totals::Human,
    tui,
};

/// Why there is nothing to show.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// An expression is none.
    Filter(FilterError),
    /// Tracing did not work.
    Tracing(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Tracing(error.into())
    }
}

/// Does what the command line says. Gives the exit code.
///
/// # Errors
/// Bad usage, or why tracing failed.
pub fn run(args: Args, registry: &'static Registry) -> Result<u8, Failure> {
    privilege::keep(Duty::Start);
    let selection = Selection::parse(args.requests.iter().map(String::as_str), registry)
        .map_err(|e| Failure::Usage(e.to_string()))?;
    let filter = filter(&args, registry)?;
    let requests = selection.numbers(registry);
    let mut wanted = wanted(&args, requests)?;
    if let Some(filter) = &filter {
        filter.kernel_part(registry).restrict(&mut wanted);
    }
    let dashboard = dashboard(&args)?;
    // The kernel counts by request and device: what else a filter asks about it does not keep.
    let summary_only = output::only_totals(&args) && filter.is_none() && args.windows.is_none();
    let clock = WallClock::system();
    let recorder = replay::recorder(&args, || Meta::here(registry, &clock))?;
    let mut sinks = output::sinks(&args, !dashboard && recorder.is_none(), &clock)?;
    let mut totals = if args.summary_only { output::totals(&args)? } else { None };
    if !summary_only {
        sinks.extend(totals.take().map(output::Totals::sink));
    }
    // Nobody looks into the memory of calls that are only counted.
    let copies = !output::only_totals(&args)
        || filter.as_ref().is_some_and(|filter| filter.needs_argument() || filter.uses(FieldId::Fds));
    let full = recorder.is_some()
        || dashboard
        || output::needs_devices(&args)
        || filter.as_ref().is_some_and(Filter::needs_symbols);
    let command = (!args.command.is_empty()).then(|| Spec {
        argv: args.command.clone(),
        user: args.user.clone(),
        terminal: None,
    });
    let plan = Plan {
        registry,
        setup: Setup {
            wanted,
            summary_only,
            max_bytes: if copies && args.redaction() != Redaction::All { args.max_bytes } else { 0 },
            user_stack: args.stack > 0,
            kernel_stack: args.kernel_stack,
            windows: args.windows.is_some(),
            buffer_bytes: args.buffer,
            debug: args.debug,
        },
        command,
        selection,
        filter,
        housekeeping: args.housekeeping(),
        redaction: args.redaction(),
        translates: args.pidns_translation,
        sinks,
        recorder,
        tap: None,
        detail: if full { Detail::Full } else { Detail::AsNeeded },
        attached: (!dashboard && args.command.is_empty() && args.quiet == 0)
            .then(|| Box::new(greeting(&args)) as _),
        watcher: None,
        logger: Some(&StderrLog),
    };
    let stop = Stop::default();
    let report = if dashboard {
        let looks = tui::Looks::load(output::colored(args.color, true)).map_err(Failure::Usage)?;
        let (report, shown) =
            tui::run(plan, stop, looks, output::opener(&args, &clock, Meta::here(registry, &clock)))?;
        output::shown_totals(&args, &shown)?;
        report
    } else {
        session::run(plan, &stop)?
    };
    conclude(&args, &report, totals)
}

/// Whether calls are shown on the dashboard.
fn dashboard(args: &Args) -> Result<bool, Failure> {
    let fits = args.mode == Mode::Trace && !args.summary_only && !args.summary;
    let to_stdout = output::targets(args)?.iter().any(|target| target.stdout);
    let why_not = match (args.mode == Mode::Record, to_stdout, io::stdout().is_terminal()) {
        (true, ..) => "`record` shows nothing: leave it out, and write -o FILE.iotrace --tui …",
        (_, true, _) => "the dashboard and `-o -` need the same terminal: write to a file",
        (_, _, false) => "the dashboard needs a terminal, and standard output is none",
        _ => return Ok(fits && !args.no_tui && (args.tui || args.command.is_empty())),
    };
    if args.tui { Err(Failure::Usage(format!("--tui: {why_not}"))) } else { Ok(false) }
}

/// What all `--filter` options want together.
pub fn filter(args: &Args, registry: &'static Registry) -> Result<Option<Filter>, Failure> {
    let all = parsed(&args.filter, registry)?;
    let missing = [
        (FieldId::NsPid, !args.pidns_translation, "`ns_pid` is known with --pidns-translation only: add it"),
        (FieldId::NsTid, !args.pidns_translation, "`ns_tid` is known with --pidns-translation only: add it"),
        (FieldId::Stack, args.stack == 0, "`stack` is known with -k only: add it"),
        (
            FieldId::KernelStack,
            !args.kernel_stack,
            "`kernel_stack` is known with --kernel-stack only: add it",
        ),
    ];
    let needs = |field| all.as_ref().is_some_and(|filter| filter.uses(field));
    if let Some((_, _, remedy)) = missing.into_iter().find(|(field, missing, _)| *missing && needs(*field)) {
        return Err(Failure::Usage(format!("--filter: {remedy}")));
    }
    if args.redaction() == Redaction::All && all.as_ref().is_some_and(Filter::asks_what_is_redacted) {
        return Err(Failure::Usage(format!("--filter: {OF_REDACTED}")));
    }
    Ok(all)
}

/// One filter of several expressions that must all hold.
///
/// # Errors
/// When one of them is none.
pub fn parsed(texts: &[String], registry: &'static Registry) -> Result<Option<Filter>, Failure> {
    texts.iter().try_fold(None, |all: Option<Filter>, text| {
        let filter = Filter::parse(text, registry).map_err(Failure::Filter)?;
        Ok(Some(match all {
            Some(before) => before.and(filter),
            None => filter,
        }))
    })
}

/// Says that tracing has begun.
fn greeting(args: &Args) -> impl FnOnce() + Send + use<> {
    let whom = match args.pid.as_slice() {
        [] if args.all => "every process".to_owned(),
        [] => "every process that fits".to_owned(),
        [pid] => format!("process {pid}"),
        several => format!("{} processes", several.len()),
    };
    move || say(&format!("tracing {whom}; ^C ends it"))
}

/// Prints the totals and finds the exit code.
fn conclude(args: &Args, report: &Report, totals: Option<output::Totals>) -> Result<u8, Failure> {
    if report.mounted_tracefs && args.quiet == 0 {
        say("mounted tracefs on /sys/kernel/tracing");
    }
    if let (Some(summary), Some(mut totals)) = (&report.summary, totals)
        && let Err(error) = totals.table.write(summary, &mut totals.out).and_then(|()| totals.out.end())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(error.into());
    }
    for line in closing(report, args.quiet) {
        say(&line);
    }
    if let End::Output(error) = &report.end
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(Failure::Tracing(anyhow::anyhow!("cannot write the output: {error}")));
    }
    Ok(report.exit.map_or(0, exit_code))
}

/// What is not shown of Wine's own, for the last words.
pub fn hidden(progress: &Progress) -> String {
    match progress.hidden.load(Ordering::Relaxed) {
        0 => String::new(),
        hidden => format!(", {hidden} of Wine's own hidden (--windows=all shows them)"),
    }
}

/// The last words: totals unless they are not wanted, losses always.
fn closing(report: &Report, quiet: u8) -> Vec<String> {
    let (a, p) = (&report.accounts, &report.progress);
    let mut lines = Vec::new();
    let count = |n: u64, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    if quiet == 0 {
        let shown = p.shown.load(Ordering::Relaxed);
        let elapsed = u64::try_from(report.elapsed.as_nanos()).unwrap_or(u64::MAX);
        let mut line = format!("{} in {}", count(shown, "call"), Human(elapsed));
        let failed = p.failed.load(Ordering::Relaxed);
        if failed > 0 {
            line.push_str(&format!(", {failed} failed"));
        }
        let filtered = p.filtered.load(Ordering::Relaxed);
        if filtered > 0 {
            line.push_str(&format!(", {filtered} filtered out"));
        }
        line.push_str(&hidden(p));
        line.push_str(&format!(", {} lost", a.lost()));
        if a.in_flight() > 0 {
            line.push_str(&format!(", {} still running", a.in_flight()));
        }
        lines.push(line);
    }
    let per_cpu: Vec<_> = a.lost_per_cpu.iter().map(|(cpu, lost)| format!("CPU {cpu}: {lost}")).collect();
    if a.total.lost_ring > 0 {
        lines.push(format!(
            "{} lost because they came faster than they could be written ({}): try a larger --buffer, fewer requests with -e, or -c",
            count(a.total.lost_ring, "call"),
            per_cpu.join(", ")
        ));
    }
    if a.total.lost_slot > 0 {
        lines.push(format!(
            "{} lost because too many were inside the kernel at once",
            count(a.total.lost_slot, "call")
        ));
    }
    if a.total.lost_summary > 0 {
        lines.push(format!(
            "{} not counted: too many kinds of requests and devices",
            count(a.total.lost_summary, "call")
        ));
    }
    if a.total.lost_data > 0 {
        lines.push(format!(
            "the input of {} is lost because it came faster than it could be written: try a larger --buffer, a smaller --max-bytes or fewer requests with -e",
            count(a.total.lost_data, "call")
        ));
    }
    if a.total.not_followed > 0 {
        lines
            .push(format!("{} not followed: too many at once", count(a.total.not_followed, "child process")));
    }
    let damaged = p.damaged.load(Ordering::Relaxed);
    if damaged > 0 {
        lines.push(format!("{} of the kernel side could not be read", count(damaged, "record")));
    }
    let unread = a.total.recorded.saturating_sub(p.received.load(Ordering::Relaxed));
    if unread > 0 && matches!(report.end, End::Complete) {
        lines.push(format!("{} recorded but not read", count(unread, "call")));
    }
    lines
}

/// The kernel side's filter.
fn wanted(args: &Args, requests: Requests) -> Result<Wanted, Failure> {
    let usage = |message: String| Err(Failure::Usage(message));
    let chosen =
        !args.pid.is_empty() || !args.comm.is_empty() || !args.uid.is_empty() || !args.cgroup.is_empty();
    if !chosen && !args.all && args.command.is_empty() {
        return usage(
            "nothing to trace: give a command after `--`, or -p PID, --comm NAME, --uid USER, --cgroup PATH or -a (see --help)"
                .to_owned(),
        );
    }
    if args.all && !args.command.is_empty() {
        return usage("-a traces every process already: leave out the command, or -a".to_owned());
    }
    if args.cgroup.len() > MAX_CGROUPS {
        return usage(format!("at most {MAX_CGROUPS} --cgroup can be given"));
    }
    let mut pids = Vec::new();
    for &pid in &args.pid {
        let process = process::process_of(pid).filter(|&pid| process::is_alive(pid));
        let process = process.ok_or(session::SessionError::NoProcess(pid))?;
        if process == std::process::id() {
            return usage(format!("{pid} is this program itself, which is never traced"));
        }
        pids.push(process);
    }
    let by_process = !pids.is_empty() || !args.command.is_empty();
    Ok(Wanted {
        pids: by_process.then_some(pids),
        own_children: !args.command.is_empty(),
        follow: !args.no_follow,
        processes: Vec::new(),
        comms: args.comm.clone(),
        uids: args.uid.iter().map(|name| uid(name)).collect::<Result<_, _>>()?,
        cgroups: args.cgroup.clone(),
        requests,
    })
}

/// The number of a user given by name or number.
fn uid(name: &str) -> Result<u32, Failure> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        _ => Err(Failure::Usage(format!("there is no user `{name}`"))),
    }
}

/// Prints warnings, and what the kernel side logs.
struct StderrLog;

impl log::Log for StderrLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        if let Some(line) = session::log_line(record) {
            say(&line);
        }
    }
    fn flush(&self) {}
}
