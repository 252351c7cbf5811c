//! The dashboard: a live list of calls, totals per request and device, and how tracing goes.
//!
//! The session runs on a thread of its own; keys and signals have theirs. All of them send messages through one
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
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, Builder, JoinHandle},
    time::{Duration, Instant},
};

use guard::{Guard, Screen};
use inputs::{Keys, Signals};
use model::{Model, Msg, Over, update};

use crate::{
    clock::{WallClock, monotonic_ns},
    pipeline::End,
    session::{self, Plan, Report, SessionError, Status, Stop},
    source::live::Wanted,
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
    let subject = subject(&plan.setup.wanted);
    plan.sinks.push(Box::new(feed::Feed::new(out.clone())));
    plan.watcher = Some(watcher);
    plan.logger = Some(&notices::NOTICES);
    let signals = Signals::start(out.clone()).map_err(system("cannot receive signals"))?;
    let session = start(plan, stop.clone(), out.clone()).map_err(system("cannot start a thread"))?;
    let mut running = Running {
        stop,
        messages: Some(messages),
        session: Some(session),
        signals: Some(signals),
        keys: None,
    };
    // Without a status the session ended before it could begin.
    let shown = match statuses.recv() {
        Ok(status) => {
            crossterm::style::force_color_output(colors);
            let model = Model::new(
                subject,
                theme::Theme::new(colors),
                WallClock::system(),
                ratatui::layout::Size::default(),
                status,
                monotonic_ns(),
            );
            show(&mut running, &statuses, model, out)
        }
        Err(_) => Ok(()),
    };
    let report = running.finish();
    shown.map_err(system("cannot use the terminal for the dashboard"))?;
    report
}

/// Everything that runs beside the dashboard. Ends with it, in whatever way the dashboard ends.
struct Running {
    stop: Stop,
    messages: Option<Receiver<Msg>>,
    session: Option<JoinHandle<Result<Report, SessionError>>>,
    signals: Option<Signals>,
    keys: Option<Keys>,
}

impl Running {
    /// The next message, if there is one in time.
    fn next(&self, timeout: Duration) -> Option<Msg> {
        match self.messages.as_ref()?.recv_timeout(timeout) {
            Ok(msg) => Some(msg),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Msg::Quit),
        }
    }

    /// Ends tracing and waits for everyone. Other outputs get all that was recorded until now, so what still comes
    /// here is taken and let go.
    fn finish(&mut self) -> Result<Report, SessionError> {
        self.stop.stop();
        if let Some(keys) = &self.keys {
            keys.close();
        }
        let gone = || SessionError::System("the session", io::Error::other("has ended already"));
        let Some(session) = self.session.take() else { return Err(gone()) };
        while !session.is_finished() {
            let _ = self.next(Duration::from_millis(20));
        }
        self.messages = None;
        if let Some(keys) = self.keys.take() {
            keys.join();
        }
        if let Some(signals) = self.signals.take() {
            signals.join();
        }
        match session.join() {
            Ok(report) => report,
            // It was reported when it happened.
            Err(_) if thread::panicking() => Err(gone()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.session.is_some() {
            // Only a panic gets here, and it is what is reported.
            let _ = self.finish();
        }
    }
}

/// Starts the session on a thread of its own, which tells how it ended.
fn start(
    plan: Plan,
    stop: Stop,
    out: SyncSender<Msg>,
) -> io::Result<JoinHandle<Result<Report, SessionError>>> {
    Builder::new().name("session".into()).spawn(move || {
        let result = session::run(plan, &stop);
        let over = match &result {
            Ok(Report { end: End::Output(error), .. }) => {
                Over::Failed(format!("cannot write the output: {error}"))
            }
            Ok(report) => Over::Complete(report.accounts.clone()),
            Err(error) => Over::Failed(error.to_string()),
        };
        // The dashboard may be gone already.
        let _ = out.send(Msg::Over(over));
        result
    })
}

/// Shows the dashboard until the user, or the system, wants to leave.
fn show(
    running: &mut Running,
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
    parts.extend(
        wanted.comms.iter().map(|name| format!("--comm {}", crate::escape::escaped(name.as_bytes()))),
    );
    parts.extend(wanted.uids.iter().map(|uid| format!("--uid {uid}")));
    parts.extend(
        wanted
            .cgroups
            .iter()
            .map(|path| format!("--cgroup {}", crate::escape::escaped(path.as_os_str().as_encoded_bytes()))),
    );
    if parts.is_empty() {
        parts.push("-a".to_owned());
    }
    parts.join(" ")
}
