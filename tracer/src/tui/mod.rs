//! The dashboard: a list of calls, totals per request and device, and how tracing goes; of a live session, or of a recording.
//!
//! What feeds it runs on a thread of its own; keys and signals have theirs. All of them send messages through one
//! bounded queue to the thread that owns the model and draws it.

mod banners;
mod calls;
mod feed;
#[cfg(test)]
pub(crate) mod fixture;
mod groups;
mod guard;
mod inputs;
mod keymap;
mod layout;
mod model;
mod notices;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod view;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, Builder, JoinHandle},
    time::{Duration, Instant},
};

use feed::Feed;
use guard::{Guard, Screen};
use inputs::{Keys, Signals};
use model::{Model, Msg, Origin, Over, update};
use ratatui::layout::Size;

use crate::{
    clock::{WallClock, monotonic_ns},
    escape::escaped,
    pipeline::End,
    recording::Reader,
    replay,
    session::{self, Plan, Report, SessionError, Status, Stop},
    source::{Accounts, live::Wanted},
};

/// Messages that wait for the dashboard. Batches of calls are large, so a few are enough, and keys wait behind few.
const QUEUE: usize = 8;
/// Reports of how tracing stands that wait for the dashboard.
const STATUSES: usize = 4;
/// Time between two frames, at the least.
const FRAME: Duration = Duration::from_millis(40);
/// When nothing happens, time is looked at this often.
const IDLE: Duration = Duration::from_millis(250);

/// Runs a session with the dashboard on the terminal. The terminal is taken only once everything is attached, so that
/// an error before that is printed on a screen that was never left.
///
/// # Errors
/// Those of the session, and when the terminal cannot be used.
pub fn run(mut plan: Plan, stop: Stop, colors: bool) -> Result<Report, SessionError> {
    let system = |what| move |error| SessionError::System(what, error);
    let (out, messages) = sync_channel(QUEUE);
    let (watcher, statuses) = sync_channel(STATUSES);
    let opening = Opening {
        origin: Origin::Live,
        subject: subject(&plan.setup.wanted),
        clock: WallClock::system(),
        colors,
    };
    plan.sinks.push(Box::new(Feed::new(out.clone(), Arc::default())));
    plan.watcher = Some(watcher);
    plan.logger = Some(&notices::NOTICES);
    let stopping = stop.clone();
    let work = move || session::run(plan, &stopping);
    let signals = Signals::start(out.clone()).map_err(system("cannot receive signals"))?;
    let worker = start(work, over, out.clone()).map_err(system("cannot start a thread"))?;
    let running = Running::new(Box::new(move || stop.stop()), messages, worker, signals);
    let (shown, report) = open(running, &statuses, opening, out);
    shown.map_err(system("cannot use the terminal for the dashboard"))?;
    report.unwrap_or_else(|| Err(system("the session")(io::Error::other("has ended already"))))
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
    colors: bool,
) -> io::Result<replay::Report> {
    let (out, messages) = sync_channel(QUEUE);
    let (watcher, statuses) = sync_channel(STATUSES);
    let opening = Opening {
        origin: Origin::Recording,
        subject: format!("replay {}", escaped(file.as_os_str().as_encoded_bytes())),
        clock: WallClock::recorded(reader.meta().epoch_ns),
        colors,
    };
    let closed = Arc::<AtomicBool>::default();
    plan.sinks.push(Box::new(Feed::new(out.clone(), Arc::clone(&closed))));
    plan.stop = Arc::clone(&closed);
    // There is nothing to wait for.
    let _ = watcher.send(Status { accounts: Accounts::default(), targets: None });
    let signals = Signals::start(out.clone())?;
    let worker = start(move || replay::run(reader, plan), over_replay, out.clone())?;
    let close = Box::new(move || closed.store(true, Ordering::Release));
    let (shown, report) = open(Running::new(close, messages, worker, signals), &statuses, opening, out);
    shown?;
    report.unwrap_or_else(|| Err(io::Error::other("the replay has ended already")))
}

/// What is shown, and how.
struct Opening {
    origin: Origin,
    subject: String,
    clock: WallClock,
    colors: bool,
}

/// Shows the dashboard as soon as it is known how things stand, and ends what runs beside it.
fn open<R>(
    mut running: Running<R>,
    statuses: &Receiver<Status>,
    opening: Opening,
    out: SyncSender<Msg>,
) -> (io::Result<()>, Option<R>) {
    // Without a status it ended before it could begin.
    let shown = match statuses.recv() {
        Ok(status) => {
            let Opening { origin, subject, clock, colors } = opening;
            crossterm::style::force_color_output(colors);
            let theme = theme::Theme::new(colors);
            let model = Model::new(origin, subject, theme, clock, Size::default(), status, monotonic_ns());
            show(&mut running, statuses, model, out)
        }
        Err(_) => Ok(()),
    };
    (shown, running.finish())
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
        Ok(report) => Over::Complete(report.accounts.clone()),
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
    out: SyncSender<Msg>,
) -> io::Result<()> {
    let (guard, mut screen) = guard::take_terminal()?;
    running.keys = Some(Keys::start(out)?);
    model.size = screen.size()?;
    let mut due = Instant::now();
    loop {
        let wait = if model.dirty { due.saturating_duration_since(Instant::now()) } else { IDLE };
        let msg = running.next(wait);
        let idle = msg.is_none();
        if let Some(msg) = msg {
            update(&mut model, msg);
        }
        statuses.try_iter().for_each(|status| update(&mut model, Msg::Status(status)));
        let notices = notices::NOTICES.take();
        if !notices.lines.is_empty() {
            update(&mut model, Msg::Notices(notices));
        }
        // After a panic elsewhere the screen is not ours any more.
        if model.quit || !guard.is_active() {
            return Ok(());
        }
        let frame = Instant::now() >= due;
        if idle || (model.dirty && frame) {
            update(&mut model, Msg::Tick(monotonic_ns()));
        }
        if model.dirty && frame {
            draw(&guard, &mut screen, &mut model)?;
            due = Instant::now() + FRAME;
        }
    }
}

fn draw(guard: &Guard, screen: &mut Screen, model: &mut Model) -> io::Result<()> {
    guard.draw(|| {
        if std::mem::take(&mut model.repaint) {
            screen.clear()?;
        }
        model.dirty = false;
        screen.draw(|frame| view::view(model, frame)).map(|_| ())
    })
}

/// What is traced, in words.
fn subject(wanted: &Wanted) -> String {
    let mut parts = Vec::new();
    if let Some(pids) = &wanted.pids {
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
    if parts.is_empty() {
        parts.push("-a".to_owned());
    }
    parts.join(" ")
}
