//! The dashboard: a list of calls, totals per request and device, and how tracing goes; of a live session, or of a recording.
//!
//! What feeds it runs on a thread of its own and puts calls into a store; keys and signals have threads too. All of them
//! send messages through one bounded queue to the thread that owns the model and draws it. Before a frame it takes out of
//! the store what is on the screen.

mod act;
mod banners;
mod config;
mod detail;
mod feed;
mod find;
mod finder;
#[cfg(test)]
pub(crate) mod fixture;
mod guard;
mod holders;
mod inputs;
mod inside;
mod keymap;
mod layout;
mod model;
mod msg;
mod notices;
pub mod offscreen;
mod outside;
mod pane;
mod picture;
mod prompt;
mod rate;
mod sheet;
mod store;
mod stream;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod view;

use std::{
    ffi::OsString,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, Builder, JoinHandle},
    time::{Duration, Instant},
};

pub use config::Looks;
use feed::Feed;
use guard::{Guard, Screen};
use inputs::{Keys, Signals};
use inside::Inside;
use ioctl_registry::{Arch, Registry};
use model::{Model, Opening, Origin, update};
use msg::{Msg, Over};
use outside::Outside;
pub use outside::{Opened, Outputs};
use pane::{Pane, pty::Pty};
use ratatui::layout::Size;
use store::{Shared, Store};

use crate::{
    clock::{WallClock, monotonic_ns},
    command::Spec,
    decode::{Decoder, Detail},
    escape::escaped,
    host::RecordedHost,
    pipeline::End,
    privilege::{self, Duty},
    recording::{Reader, Tap},
    redact::Redaction,
    replay,
    session::{self, Plan, Report, SessionError, Status, Stop},
    sink::summary::Summary,
    source::setup::Wanted,
};

/// Messages that wait for the dashboard.
const QUEUE: usize = 64;
/// Reports of how tracing stands that wait for the dashboard.
const STATUSES: usize = 4;
/// Time between two frames, at the least.
const FRAME: Duration = Duration::from_millis(40);
/// When nothing happens, time is looked at this often.
const IDLE: Duration = Duration::from_millis(250);

/// Runs a session with the dashboard on the terminal. Gives what it came to, with the totals that were shown. The terminal is taken only once everything is attached, so that
/// an error before that is printed on a screen that was never left.
///
/// # Errors
/// Those of the session, and when the terminal cannot be used.
pub fn run(
    mut plan: Plan,
    stop: Stop,
    looks: Looks,
    outputs: Outputs,
) -> Result<(Report, Summary), SessionError> {
    let system = |what| move |error| SessionError::System(what, error);
    let (out, messages) = sync_channel(QUEUE);
    let (watcher, statuses) = sync_channel(STATUSES);
    let shared = Arc::new(Shared::new(Store::new(looks.memory / 2)));
    let terminal = plan.command.as_mut().map(|spec| terminal_of(spec, &out)).transpose();
    let (terminal, pane) = terminal.map_err(system("cannot make a terminal for the command"))?.unzip();
    let opening = Opening {
        origin: Origin::Live,
        subject: subject(&plan.setup.wanted, plan.command.as_ref()),
        clock: WallClock::system(),
        decoder: decoder(plan.registry, Arch::native()),
        redacted: plan.redaction == Redaction::All,
        looks,
        pane,
    };
    let tap = Arc::<Tap>::default();
    plan.sinks.push(Box::new(Feed::new(Arc::clone(&shared), out.clone()).with(Arc::clone(&tap))));
    plan.tap = Some(tap);
    plan.watcher = Some(watcher);
    plan.logger = Some(&notices::NOTICES);
    let stopping = stop.clone();
    let work = move || session::run(plan, &stopping);
    let signals = Signals::start(out.clone()).map_err(system("cannot receive signals"))?;
    let worker = start(work, over, out.clone()).map_err(system("cannot start a thread"))?;
    // The session has taken its own along.
    privilege::keep(Duty::Write);
    let running = Running::new(Box::new(move || stop.stop()), messages, worker, signals);
    let outside = Outside::new(Arc::clone(&shared), outputs, out, io::stdout()).with(terminal);
    let (shown, report) = open(running, &statuses, opening, &outside);
    shown.map_err(system("cannot use the terminal for the dashboard"))?;
    let report =
        report.unwrap_or_else(|| Err(system("the session")(io::Error::other("has ended already"))))?;
    Ok((report, shared.store().summary()))
}

/// Plays a recording with the dashboard on the terminal, whose other outputs must be none: leaving ends the replay
/// wherever it is.
///
/// # Errors
/// When the terminal cannot be used.
pub fn replay(
    reader: Reader,
    mut plan: replay::Plan,
    file: &Path,
    looks: Looks,
    outputs: Outputs,
) -> io::Result<(replay::Report, Summary)> {
    let (out, messages) = sync_channel(QUEUE);
    let (watcher, statuses) = sync_channel(STATUSES);
    let shared = Arc::new(Shared::new(Store::new(looks.memory / 2)));
    let opening = Opening {
        origin: Origin::Recording,
        subject: format!("replay {}", escaped(file.as_os_str().as_encoded_bytes())),
        clock: WallClock::recorded(reader.meta().epoch_ns),
        decoder: decoder(plan.registry, reader.meta().arch().unwrap_or(Arch::native())),
        redacted: plan.redaction == Redaction::All,
        looks,
        pane: None,
    };
    let tap = Arc::<Tap>::default();
    plan.sinks.push(Box::new(Feed::new(Arc::clone(&shared), out.clone()).with(Arc::clone(&tap))));
    plan.tap = Some(tap);
    let stop = Arc::clone(&plan.stop);
    // There is nothing to wait for.
    let _ = watcher.send(Status::default());
    let signals = Signals::start(out.clone())?;
    let worker = start(move || replay::run(reader, plan), over_replay, out.clone())?;
    let closing = Arc::clone(&shared);
    let close = Box::new(move || {
        stop.store(true, Ordering::Release);
        closing.closed.store(true, Ordering::Release);
    });
    let running = Running::new(close, messages, worker, signals);
    let (shown, report) =
        open(running, &statuses, opening, &Outside::new(Arc::clone(&shared), outputs, out, io::stdout()));
    shown?;
    let report = report.unwrap_or_else(|| Err(io::Error::other("the replay has ended already")))?;
    Ok((report, shared.store().summary()))
}

/// A terminal for a command, and what is shown of it.
fn terminal_of(spec: &mut Spec, out: &SyncSender<Msg>) -> io::Result<(Pty, Pane)> {
    let (columns, rows) = crossterm::terminal::size()?;
    let size = layout::first_pane((columns, rows).into());
    let pty = Pty::open(size, out.clone())?;
    spec.terminal = Some(pty.path().to_owned());
    Ok((pty, Pane::new(words(spec), size)))
}

/// A command as it was typed, nearly.
fn words(spec: &Spec) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./=+:,@%".contains(c);
    let word = |word: &OsString| {
        let text = escaped(word.as_encoded_bytes());
        if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{text}'") }
    };
    spec.argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A decoder for calls that are kept: what only the traced machine knows it is told, numbers of namespaces if they were asked for.
fn decoder(registry: &'static Registry, arch: Arch) -> Decoder {
    Decoder::new(registry, Detail::AsNeeded, Box::new(RecordedHost::default())).of(arch).translating(true)
}

/// Shows the dashboard as soon as it is known how things stand, and ends what runs beside it.
fn open<R>(
    mut running: Running<R>,
    statuses: &Receiver<Status>,
    opening: Opening,
    outside: &Outside,
) -> (io::Result<()>, Option<R>) {
    // Without a status it ended before it could begin.
    let shown = match statuses.recv() {
        Ok(status) => {
            crossterm::style::force_color_output(!opening.looks.theme.is_mono());
            let mouse = opening.looks.mouse;
            let model = Model::new(opening, Size::default(), status, monotonic_ns());
            show(&mut running, statuses, model, outside, mouse)
        }
        Err(_) => Ok(()),
    };
    let result = running.finish();
    outside.finish();
    (shown, result)
}

/// Everything that runs beside the dashboard. Ends with it, in whatever way the dashboard ends.
struct Running<R> {
    /// Asks the worker to end.
    stop: Box<dyn Fn()>,
    messages: Option<Receiver<Msg>>,
    /// What the dashboard shows comes from there.
    worker: Option<JoinHandle<R>>,
    signals: Option<Signals>,
    keys: Option<Keys>,
}

impl<R> Running<R> {
    fn new(stop: Box<dyn Fn()>, messages: Receiver<Msg>, worker: JoinHandle<R>, signals: Signals) -> Self {
        Self { stop, messages: Some(messages), worker: Some(worker), signals: Some(signals), keys: None }
    }

    /// The next message, if there is one in time.
    fn next(&self, timeout: Duration) -> Option<Msg> {
        match self.messages.as_ref()?.recv_timeout(timeout) {
            Ok(msg) => Some(msg),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Msg::Quit),
        }
    }

    /// Ends tracing and waits for everyone. Other outputs get all that was recorded until now, so what still comes
    /// here is taken and let go. Gives what the worker came to; nothing the second time.
    fn finish(&mut self) -> Option<R> {
        (self.stop)();
        if let Some(keys) = &self.keys {
            keys.close();
        }
        let worker = self.worker.take()?;
        while !worker.is_finished() {
            let _ = self.next(Duration::from_millis(20));
        }
        self.messages = None;
        if let Some(keys) = self.keys.take() {
            keys.join();
        }
        if let Some(signals) = self.signals.take() {
            signals.join();
        }
        match worker.join() {
            Ok(result) => Some(result),
            // It was reported when it happened.
            Err(_) if thread::panicking() => None,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl<R> Drop for Running<R> {
    fn drop(&mut self) {
        if self.worker.is_some() {
            // Only a panic gets here, and it is what is reported.
            let _ = self.finish();
        }
    }
}

/// Starts the work on a thread of its own, which tells how it ended.
fn start<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
    over: fn(&R) -> Over,
    out: SyncSender<Msg>,
) -> io::Result<JoinHandle<R>> {
    Builder::new().name("session".into()).spawn(move || {
        let result = work();
        // The dashboard may be gone already.
        let _ = out.send(Msg::Over(over(&result)));
        result
    })
}

fn over(result: &Result<Report, SessionError>) -> Over {
    match result {
        Ok(Report { end: End::Output(error), .. }) => {
            Over::Failed(format!("cannot write the output: {error}"))
        }
        Ok(report) => Over::Complete(report.accounts.clone(), report.exit),
        Err(error) => Over::Failed(error.to_string()),
    }
}

fn over_replay(result: &io::Result<replay::Report>) -> Over {
    match result {
        Ok(report) => Over::Played {
            closing: report.closing.clone(),
            cut: report.cut.clone(),
            damaged: report.progress.damaged.load(Ordering::Relaxed),
        },
        Err(error) => Over::Failed(error.to_string()),
    }
}

/// Shows the dashboard until the user, or the system, wants to leave.
fn show<R>(
    running: &mut Running<R>,
    statuses: &Receiver<Status>,
    mut model: Model,
    outside: &Outside,
    mouse: bool,
) -> io::Result<()> {
    let (guard, mut screen) = guard::take_terminal(mouse)?;
    running.keys = Some(Keys::start(outside.out.clone())?);
    model.size = screen.size()?;
    let mut inside = Inside::new(model.decoder.registry());
    let running = &*running;
    let beside = |model: &mut Model| {
        for status in statuses.try_iter() {
            update(model, Msg::InFlight(inside.calls(&status, monotonic_ns())));
            update(model, Msg::Status(status));
        }
        let notices = notices::NOTICES.take();
        if !notices.lines.is_empty() {
            update(model, Msg::Notices(notices));
        }
        // After a panic elsewhere the screen is not ours any more.
        guard.is_active()
    };
    attend(&mut model, outside, |wait| running.next(wait), beside, |model| draw(&guard, &mut screen, model))
}

/// Takes messages and draws, until the model wants to leave or what is beside it says that it is over.
fn attend(
    model: &mut Model,
    outside: &Outside,
    mut next: impl FnMut(Duration) -> Option<Msg>,
    mut beside: impl FnMut(&mut Model) -> bool,
    mut draw: impl FnMut(&mut Model) -> io::Result<()>,
) -> io::Result<()> {
    let mut due = Instant::now();
    loop {
        let wait = if model.dirty { due.saturating_duration_since(Instant::now()) } else { IDLE };
        let msg = next(wait);
        let idle = msg.is_none();
        if let Some(msg) = msg {
            update(model, msg);
        }
        if !beside(model) || model.quit {
            return Ok(());
        }
        let frame = Instant::now() >= due;
        if idle || (model.dirty && frame) {
            update(model, Msg::Tick(monotonic_ns()));
        }
        if model.dirty && frame {
            outside.refresh(model);
            draw(model)?;
            due = Instant::now() + FRAME;
        }
    }
}

fn draw(guard: &Guard, screen: &mut Screen, model: &mut Model) -> io::Result<()> {
    guard.draw(|| {
        if std::mem::take(&mut model.repaint) {
            screen.clear()?;
        }
        screen.draw(|frame| view::view(model, frame)).map(|_| ())
    })
}

/// What is traced, in words.
fn subject(wanted: &Wanted, command: Option<&Spec>) -> String {
    let mut parts = Vec::new();
    if let Some(pids) = wanted.pids.as_ref().filter(|pids| !pids.is_empty()) {
        let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
        parts.push(format!("-p {}", pids.join(",")));
    }
    parts.extend(wanted.comms.iter().map(|name| format!("--comm {}", escaped(name.as_bytes()))));
    parts.extend(wanted.uids.iter().map(|uid| format!("--uid {uid}")));
    parts.extend(
        wanted
            .cgroups
            .iter()
            .map(|path| format!("--cgroup {}", escaped(path.as_os_str().as_encoded_bytes()))),
    );
    parts.extend(command.map(|spec| format!("-- {}", words(spec))));
    if parts.is_empty() {
        parts.push("-a".to_owned());
    }
    parts.join(" ")
}
