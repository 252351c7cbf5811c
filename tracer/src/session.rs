//! One tracing session: attach, run the command, wait for the end, detach, account for everything.

use std::{
    collections::HashSet,
    io,
    process::ExitStatus,
    sync::{Arc, atomic::Ordering, mpsc::SyncSender},
    time::{Duration, Instant},
};

use ioctl_registry::Registry;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    sync::mpsc::{Receiver, channel},
};

use crate::{
    assemble::Assembler,
    clock::monotonic_ns,
    command::{self, CommandError, Spec},
    decode::{Decoder, Detail},
    families::Families,
    filter::Filter,
    host::{Host, LiveHost, Remembering},
    pipeline::{End, News, Pipeline, Progress, Stage, Window},
    privilege::{self, Duty},
    process,
    recording::{self, Closing, Tap, Writer},
    redact::{Redaction, Rewriter},
    select::Selection,
    sink::{Sink, summary::Summary},
    source::{
        Accounts, Batch, ControlCall, InFlightCall,
        live::{KernelLog, Live, LiveError, ensure_tracefs},
        setup::Setup,
        wine,
    },
    symbols::Symbols,
};

/// What to do.
pub struct Plan {
    /// What the requests' numbers mean.
    pub registry: &'static Registry,
    /// How the kernel side is set up.
    pub setup: Setup,
    /// The command to start, if any.
    pub command: Option<Spec>,
    /// The requests that are wanted.
    pub selection: Selection,
    /// The calls that are wanted; `None` for all of them.
    pub filter: Option<Filter>,
    /// Whether the control codes are shown by which Wine keeps house.
    pub housekeeping: bool,
    /// What is left out of calls.
    pub redaction: Redaction,
    /// Whether processes are numbered as in their own namespaces too.
    pub translates: bool,
    /// Where events go.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Keeps the records themselves.
    pub recorder: Option<Writer>,
    /// Keeps them while somebody wants that.
    pub tap: Option<Arc<Tap>>,
    /// How much to find out about each device.
    pub detail: Detail,
    /// Called when tracing has begun.
    pub attached: Option<Box<dyn FnOnce() + Send>>,
    /// Told how things stand, a few times a second.
    pub watcher: Option<SyncSender<Status>>,
    /// Receives warnings and, if they are asked for, the kernel side's diagnostics.
    pub logger: Option<&'static dyn log::Log>,
}

/// A log record as a line for the user; `None` for what libraries have to say.
#[must_use]
pub fn log_line(record: &log::Record<'_>) -> Option<String> {
    /// Module path of the BPF object, which comes with every record of its log.
    const KERNEL_SIDE: &str = "ioctl_trace_bpf";
    let from = record.target();
    let origin = if from.starts_with(KERNEL_SIDE) { "kernel: " } else { "" };
    from.starts_with("ioctl_trace").then(|| format!("{origin}{}", record.args()))
}

/// How things stand.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What happened to every call so far.
    pub accounts: Accounts,
    /// Processes that are traced; `None` if not limited to some.
    pub targets: Option<usize>,
    /// Calls that are inside the kernel.
    pub in_flight: Vec<InFlightCall>,
    /// Control codes that are being carried out.
    pub controls: Vec<ControlCall>,
    /// How the command ended, if it did.
    pub exit: Option<ExitStatus>,
}

/// What a session came to.
#[derive(Debug)]
pub struct Report {
    /// What happened to every call.
    pub accounts: Accounts,
    /// What the user side did.
    pub progress: Arc<Progress>,
    /// How the command ended.
    pub exit: Option<ExitStatus>,
    /// Time from attaching to detaching.
    pub elapsed: Duration,
    /// What the kernel counted, if only totals were asked for.
    pub summary: Option<Summary>,
    /// How the outputs ended.
    pub end: End,
    /// tracefs had to be mounted.
    pub mounted_tracefs: bool,
}

/// Why a session failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The kernel side.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A process to trace is not there.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// Processes have other numbers here than the kernel reports.
    #[error(
        "this is a container with process numbers of its own, which are not those that the kernel reports: run it outside, or give the container the machine's (docker run --pid=host)"
    )]
    Container,
    /// The system refused something else.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
}

/// Anyone may ask a session to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<tokio::sync::Notify>);

impl Stop {
    /// Asks the session to end.
    pub fn stop(&self) {
        self.0.notify_one();
    }
}

/// News that wait for the event loop.
const NEWS: usize = 16;

/// How often the state of the traced processes is looked at, besides when the kernel side tells of their end.
const TICK: Duration = Duration::from_millis(200);

/// Looks for child processes at most this often when tracing starts: a bound against processes that fork endlessly.
const MAX_ROUNDS: usize = 100;

/// Runs a session to its end.
///
/// # Errors
/// When tracing cannot start. What goes wrong later is in the report.
pub fn run(plan: Plan, stop: &Stop) -> Result<Report, SessionError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| SessionError::System("cannot start the event loop", e))?;
    let report = runtime.block_on(trace(plan, stop));
    // An output that was given up may still hang in its thread.
    runtime.shutdown_background();
    report
}

/// Lets the pipeline write what is left. Whoever does not want to wait for a slow output interrupts once more.
async fn drain(pipeline: Pipeline, signals: &mut Signals) -> (Option<Stage>, End) {
    let given_up =
        || End::Output(io::Error::new(io::ErrorKind::Interrupted, "interrupted, it is incomplete"));
    tokio::select! {
        done = tokio::task::spawn_blocking(move || pipeline.finish()) => done.unwrap_or_else(|_| (None, given_up())),
        _ = signals.interrupt.recv() => (None, given_up()),
    }
}

async fn trace(mut plan: Plan, stop: &Stop) -> Result<Report, SessionError> {
    if process::in_own_pid_namespace() {
        return Err(SessionError::Container);
    }
    let mut signals = Signals::new().map_err(|e| SessionError::System("cannot handle signals", e))?;
    let symbols = if plan.detail == Detail::Full { Symbols::preload() } else { Symbols::default() };
    let mounted_tracefs = if process::may_trace() { ensure_tracefs()? } else { false };
    let mut live = Live::load(&plan.setup, plan.registry)?;
    if let Some(logger) = plan.logger {
        // There is one session in a process; a second one keeps the first one's logger.
        let _ = log::set_logger(logger);
        log::set_max_level(if plan.setup.debug { log::LevelFilter::Debug } else { log::LevelFilter::Warn });
    }
    let mut kernel_log = plan.logger.filter(|_| plan.setup.debug).and_then(|logger| live.take_log(logger));
    let progress = Arc::new(Progress::default());
    let mut host = LiveHost::new(symbols);
    if plan.setup.user_stack {
        host.expect_stacks();
    }
    let host: Box<dyn Host> = if plan.recorder.is_some() || plan.tap.is_some() {
        Box::new(Remembering::new(host))
    } else {
        Box::new(host)
    };
    let decoder = Decoder::new(plan.registry, plan.detail, host).translating(plan.translates);
    let stage = Stage {
        assembler: Assembler::default(),
        decoder,
        selection: std::mem::take(&mut plan.selection),
        filter: plan.filter.take(),
        housekeeping: plan.housekeeping,
        families: Families::default(),
        window: Window::default(),
        redaction: plan.redaction,
        rewriter: Rewriter::default(),
        recorder: plan.recorder.take(),
        tap: plan.tap.take(),
        sinks: std::mem::take(&mut plan.sinks),
        progress: Arc::clone(&progress),
    };
    let (told, news) = channel(NEWS);
    let ring = live.take_ring()?;
    let pipeline = Pipeline::start(
        Box::new(ring),
        stage,
        Box::new(move |what| {
            // Nobody listens any more once the session is ending.
            let _ = told.blocking_send(what);
        }),
    )
    .map_err(|e| SessionError::System("cannot start a thread", e))?;
    let begin = Instant::now();
    let attached = live.attach(plan.setup.wanted.pids.is_some());
    let attached = attached.and_then(|()| if plan.setup.windows { live.attach_windows() } else { Ok(()) });
    let exit = match attached.map_err(SessionError::from).and_then(|()| start_targets(&mut live, &plan)) {
        Ok(command) => {
            if let Err(error) = live.prepare_compat()
                // Without a reader there is no ring buffer either, and nobody to be told.
                && !pipeline.has_ended()
            {
                log::warn!("32-bit programs cannot be watched: {error}");
            }
            privilege::keep(if plan.setup.windows { Duty::Probe } else { Duty::Watch });
            if let Some(attached) = plan.attached.take() {
                attached();
            }
            let log = kernel_log.as_mut();
            Control { live: &mut live, plan: &plan, stop, log, signals: &mut signals }
                .until_end(command, news)
                .await
        }
        Err(error) => {
            // The threads end with the programs they read from; they may be waiting to tell something.
            drop(news);
            live.detach();
            let _ = pipeline.finish();
            return Err(error);
        }
    };
    live.detach();
    crate::raw::wait_for_running_programs();
    let elapsed = begin.elapsed();
    let (stage, end) = drain(pipeline, &mut signals).await;
    let mut report =
        Report { accounts: live.accounts()?, progress, exit, elapsed, summary: None, end, mounted_tracefs };
    if let Some(stage) = stage {
        conclude(&mut live, stage, plan.setup.summary_only, &mut report)?;
    }
    Ok(report)
}

/// Adds the descendants of the processes to trace, and starts the command.
fn start_targets(live: &mut Live, plan: &Plan) -> Result<Option<Child>, SessionError> {
    let wanted = &plan.setup.wanted;
    if let Some(pids) = &wanted.pids {
        if wanted.follow && !pids.is_empty() {
            // The fork probe adds the children of those that are in the set; a round that finds nothing new therefore
            // means that none is missing.
            let mut known = HashSet::new();
            for _ in 0..MAX_ROUNDS {
                let found = process::descendants(pids);
                let before = known.len();
                for pid in found {
                    if known.insert(pid) {
                        live.add_target(pid)?;
                    }
                }
                if known.len() == before {
                    break;
                }
            }
        }
        if process::any_32_bit(Some(&live.targets())) {
            live.attach_compat()?;
        }
        for pid in live.targets() {
            // It may have ended before the exit probe was attached, which would then never remove it.
            if !process::is_alive(pid) {
                live.remove_target(pid);
            }
        }
        if let [pid, ..] = pids.as_slice()
            && live.targets().is_empty()
        {
            return Err(SessionError::NoProcess(*pid));
        }
    }
    if wanted.pids.is_none() && process::any_32_bit(None) {
        live.attach_compat()?;
    }
    if plan.setup.windows {
        let pids = wanted.pids.is_some().then(|| live.targets());
        if !live.attach_mapped(pids.as_deref()) && plan.command.is_none() {
            log::warn!("no process that is traced runs Wine yet: only its ioctls are seen, until one does");
        }
    }
    let Some(spec) = &plan.command else { return Ok(None) };
    if command::is_32_bit(spec) {
        live.attach_compat()?;
    }
    let program = || spec.argv.first().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
    let command = command::prepare(spec)?;
    let child = tokio::process::Command::from(command).spawn();
    child.map(Some).map_err(|source| {
        let (program, missing) = (program(), source.kind() == io::ErrorKind::NotFound);
        if missing && plan.setup.windows {
            return CommandError::NoWine { program }.into();
        }
        CommandError::Spawn { program, source }.into()
    })
}

/// The signals that end a session, or its command.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Waiting for the end.
struct Control<'a> {
    live: &'a mut Live,
    plan: &'a Plan,
    stop: &'a Stop,
    log: Option<&'a mut KernelLog>,
    signals: &'a mut Signals,
}

impl Control<'_> {
    /// Returns when there is nothing left to trace or someone wants to stop. Gives the command's exit status.
    async fn until_end(
        &mut self,
        mut command: Option<Child>,
        mut news: Receiver<News>,
    ) -> Option<ExitStatus> {
        let mut tick = tokio::time::interval(TICK);
        let mut exit = None;
        let mut interrupted = false;
        loop {
            tokio::select! {
                status = wait(&mut command) => {
                    exit = status;
                    command = None;
                    if self.all_gone() { break }
                }
                _ = self.signals.interrupt.recv() => {
                    // A terminal interrupts the command as well: it decides what comes of that. A second time is for us.
                    if command.is_none() || interrupted { break }
                    interrupted = true;
                }
                _ = self.signals.terminate.recv() => match &command {
                    Some(child) if !interrupted => {
                        interrupted = true;
                        forward(child, Signal::SIGTERM);
                    }
                    _ => break,
                },
                _ = self.signals.hangup.recv() => break,
                () = self.stop.0.notified() => break,
                told = news.recv() => match told {
                    // The outputs are gone, so nobody would see what comes.
                    Some(News::OutputsEnded) | None => break,
                    Some(News::Library(pid, path)) => {
                        if let Err(error) = self.live.attach_wine(&wine::of_process(pid, &path)) {
                            log::warn!("{} of process {pid}: {error}", path.display());
                        }
                    }
                    Some(News::ProcessEnded) => if command.is_none() && self.all_gone() { break },
                    Some(News::Compat) => if let Err(error) = self.live.attach_compat() {
                        log::warn!("32-bit programs are not watched: {error}");
                    },
                },
                _ = tick.tick() => {
                    self.tell(exit);
                    if command.is_none() && self.all_gone() { break }
                }
            }
        }
        if exit.is_none() {
            exit = command.as_mut().and_then(|child| child.try_wait().ok().flatten());
        }
        self.tell(exit);
        exit
    }

    /// Whether tracing is limited to processes, and all of them have ended.
    fn all_gone(&mut self) -> bool {
        self.plan.setup.wanted.pids.is_some() && self.live.targets().is_empty()
    }

    fn tell(&mut self, exit: Option<ExitStatus>) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        let Some(watcher) = &self.plan.watcher else { return };
        let Ok(accounts) = self.live.accounts() else { return };
        let targets = self.plan.setup.wanted.pids.is_some().then(|| self.live.targets().len());
        // A watcher that does not keep up sees the next one.
        let redacted = |(tid, call)| (tid, self.plan.redaction.in_flight(call));
        let in_flight = self.live.in_flight().into_iter().map(redacted).collect();
        let controls = if self.plan.setup.windows { self.live.controls() } else { Vec::new() };
        let _ = watcher.try_send(Status { accounts, targets, in_flight, controls, exit });
    }
}

async fn wait(command: &mut Option<Child>) -> Option<ExitStatus> {
    match command {
        Some(child) => child.wait().await.ok(),
        None => std::future::pending().await,
    }
}

fn forward(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // It may have ended just now.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Adds what is known only after detaching: calls that never came back, and what the kernel counted.
fn conclude(
    live: &mut Live,
    mut stage: Stage,
    summary_only: bool,
    report: &mut Report,
) -> Result<(), SessionError> {
    if matches!(report.end, End::Output(_)) {
        // What the other outputs hold is complete as far as it goes: a table needs its end to be read at all.
        let _ = finish(&mut stage, &Closing::of(&report.accounts, elapsed_ns(report)));
        return Ok(());
    }
    let now = monotonic_ns();
    let mut running = Batch::default();
    for (tid, call) in live.in_flight() {
        running.push(&recording::running_record(tid, &call, now));
    }
    for (tid, begun) in live.controls() {
        running.push(&recording::running_control(tid, &begun, now));
    }
    let received = report.progress.received.load(Ordering::Relaxed);
    let written = stage.batch(&running, &|_| {}).and_then(|()| stage.rest());
    // They were not delivered: they did not end.
    report.progress.received.store(received, Ordering::Relaxed);
    if summary_only {
        let mut summary = Summary::default();
        for (key, value) in live.summary()? {
            summary.add_counted(&key, value, &mut stage.decoder, &stage.selection);
        }
        let shown = summary.all().totals();
        report.progress.shown.store(shown.calls(), Ordering::Relaxed);
        report.progress.failed.store(shown.errors(), Ordering::Relaxed);
        report.summary = Some(summary);
    }
    let closing = Closing::of(&report.accounts, elapsed_ns(report));
    if let Err(error) = written.and(finish(&mut stage, &closing)) {
        report.end = End::Output(error);
    }
    Ok(())
}

/// Completes every output, whatever becomes of the others. Gives the first error.
fn finish(stage: &mut Stage, closing: &Closing) -> io::Result<()> {
    let written = stage.sinks.iter_mut().map(|sink| sink.finish()).fold(Ok(()), io::Result::and);
    written.and(stage.recorder.as_mut().map_or(Ok(()), |recorder| recorder.finish(closing)))
}

/// Nanoseconds from attaching to detaching.
fn elapsed_ns(report: &Report) -> u64 {
    u64::try_from(report.elapsed.as_nanos()).unwrap_or(u64::MAX)
}
