//! What comes from outside while the dashboard runs: keys, the terminal's size, signals.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread::{self, Builder, JoinHandle},
    time::{Duration, Instant},
};

use crossterm::event::{self, Event, KeyEventKind};
use ratatui::layout::Size;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use super::msg::Msg;

/// How often the thread that reads keys looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// The thread that reads keys.
pub struct Keys {
    closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Keys {
    /// Starts reading.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(out: SyncSender<Msg>) -> io::Result<Self> {
        let closing = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&closing);
        let thread = Builder::new().name("keys".into()).spawn(move || {
            while !told.load(Ordering::Acquire) {
                // The terminal is gone if reading fails, and so is the reason to go on.
                let msg = match event::poll(LOOK).and_then(|any| any.then(event::read).transpose()) {
                    Ok(None) => continue,
                    Ok(Some(event)) => message(event),
                    Err(_) => Some(Msg::Quit),
                };
                let quit = matches!(msg, Some(Msg::Quit));
                if msg.is_some_and(|msg| out.send(msg).is_err()) || quit {
                    return;
                }
            }
        })?;
        Ok(Self { closing, thread })
    }
}

fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Msg::Key(key)),
        Event::Mouse(mouse) => Some(Msg::Mouse(mouse)),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize(Size { width, height })),
        _ => None,
    }
}

impl Keys {
    /// Tells the thread to end: what is typed from now on is for others.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Waits for its end. The queue must be gone or have room by then.
    ///
    /// Not for long: reading from a terminal that has hung up may never come back, and then only the end of the
    /// program ends it.
    pub fn join(self) {
        let begin = Instant::now();
        while !self.thread.is_finished() && begin.elapsed() < 2 * LOOK {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The thread that waits for signals.
///
/// The session listens to the same signals, but only while it runs; the dashboard may stay longer.
pub struct Signals {
    closing: Arc<Notify>,
    thread: JoinHandle<()>,
}

impl Signals {
    /// Starts listening.
    ///
    /// # Errors
    /// When signals cannot be received.
    pub fn start(out: SyncSender<Msg>) -> io::Result<Self> {
        let closing = Arc::new(Notify::new());
        let told = Arc::clone(&closing);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut terminate, mut hangup, mut interrupt) = {
            let _entered = runtime.enter();
            (
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::interrupt())?,
            )
        };
        let thread = Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                    _ = interrupt.recv() => {}
                    () = told.notified() => return,
                }
                // The dashboard may have ended just now.
                let _ = out.send(Msg::Quit);
            });
        })?;
        Ok(Self { closing, thread })
    }
}

impl Signals {
    /// Tells the thread to end and waits for it. The queue must be gone or have room by then.
    pub fn join(self) {
        self.closing.notify_one();
        // A panic has been reported already.
        let _ = self.thread.join();
    }
}
