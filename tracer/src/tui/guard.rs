//! The terminal while the dashboard has it, and its return on every way out.

use std::{
    io::{self, BufWriter, Stdout, Write},
    mem::ManuallyDrop,
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use crossterm::{
    cursor::{Hide, Show},
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Terminal, backend::CrosstermBackend};

/// A panic elsewhere waits this long for a frame that is being written.
const FRAME_PATIENCE: Duration = Duration::from_millis(200);

/// Puts something back in order, once: when dropped, or when any thread panics, before the panic is reported.
pub struct Guard(Arc<Restore>);

struct Restore {
    active: AtomicBool,
    drawing: AtomicBool,
    owner: ThreadId,
    leave: Box<dyn Fn() + Send + Sync>,
}

impl Restore {
    fn run(&self) {
        if !self.active.swap(false, Ordering::SeqCst) {
            return;
        }
        // Half a frame must not be written after the restored screen; our own frame is over if we get here.
        let begin = Instant::now();
        while self.owner != thread::current().id()
            && self.drawing.load(Ordering::SeqCst)
            && begin.elapsed() < FRAME_PATIENCE
        {
            thread::sleep(Duration::from_millis(1));
        }
        (self.leave)();
    }
}

impl Guard {
    /// Calls `enter`, and `leave` when it is time; also if `enter` fails half-way.
    ///
    /// # Errors
    /// Those of `enter`.
    pub fn enter(
        enter: impl FnOnce() -> io::Result<()>,
        leave: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let restore = Arc::new(Restore {
            active: AtomicBool::new(true),
            drawing: AtomicBool::new(false),
            owner: thread::current().id(),
            leave: Box::new(leave),
        });
        let guard = Self(Arc::clone(&restore));
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore.run();
            report(info);
        }));
        enter()?;
        Ok(guard)
    }

    /// Whether nothing has been put back yet.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.0.active.load(Ordering::SeqCst)
    }

    /// Draws, unless the screen is not ours any more.
    ///
    /// # Errors
    /// Those of `draw`.
    pub fn draw(&self, draw: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.0.drawing.store(true, Ordering::SeqCst);
        let drawn = if self.is_active() { draw() } else { Ok(()) };
        self.0.drawing.store(false, Ordering::SeqCst);
        drawn
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.run();
    }
}

/// The terminal to draw on. A frame is written at once. It is never dropped, as it would then write to a terminal that
/// has been put back already, or is gone.
pub type Screen = ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>;

/// Room for a frame.
const FRAME_BYTES: usize = 64 * 1024;

/// Takes the terminal: raw mode, the alternate screen, no cursor, pasted text in one piece, and the mouse if that is wanted.
///
/// # Errors
/// When the terminal does not let us.
pub fn take_terminal(mouse: bool) -> io::Result<(Guard, Screen)> {
    let guard = Guard::enter(
        || {
            enable_raw_mode()?;
            execute!(io::stdout(), EnterAlternateScreen, Hide, EnableBracketedPaste)?;
            if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) }
        },
        move || {
            // Nothing more can be done if the terminal is gone; each step is tried even if another one failed.
            if mouse {
                let _ = execute!(io::stdout(), DisableMouseCapture);
            }
            let _ = execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
            let _ = disable_raw_mode();
            let _ = io::stdout().flush();
        },
    )?;
    let out = BufWriter::with_capacity(FRAME_BYTES, io::stdout());
    let screen = ManuallyDrop::new(Terminal::new(CrosstermBackend::new(out))?);
    Ok((guard, screen))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn counting() -> (Arc<AtomicUsize>, impl Fn() + Send + Sync + 'static) {
        let count = Arc::new(AtomicUsize::new(0));
        let leave = Arc::clone(&count);
        (count, move || {
            leave.fetch_add(1, Ordering::SeqCst);
        })
    }

    #[test]
    fn leaving_happens_once_on_every_way_out() {
        let (left, leave) = counting();
        let guard = Guard::enter(|| Ok(()), leave).expect("entered");
        assert!(guard.is_active());
        drop(guard);
        assert_eq!(left.load(Ordering::SeqCst), 1, "dropped");

        let (left, leave) = counting();
        assert!(Guard::enter(|| Err(io::ErrorKind::BrokenPipe.into()), leave).is_err());
        assert_eq!(left.load(Ordering::SeqCst), 1, "entering failed half-way");
    }

    #[test]
    fn a_panic_in_any_thread_puts_the_terminal_back_before_it_is_reported() {
        let (left, leave) = counting();
        let reported = Arc::new(AtomicUsize::new(0));
        let (left_then, report) = (Arc::clone(&left), Arc::clone(&reported));
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |_| {
            report.store(10 + left_then.load(Ordering::SeqCst), Ordering::SeqCst);
        }));
        let guard = Guard::enter(|| Ok(()), leave).expect("entered");
        let other = thread::spawn(|| panic!("on purpose"));
        assert!(other.join().is_err());
        assert_eq!(left.load(Ordering::SeqCst), 1);
        assert_eq!(reported.load(Ordering::SeqCst), 11, "restored first, then reported");
        assert!(!guard.is_active());
        guard.draw(|| panic!("must not draw any more")).expect("nothing is drawn");
        drop(guard);
        panic::set_hook(usual);
        assert_eq!(left.load(Ordering::SeqCst), 1, "once");
    }

    #[test]
    fn a_panic_while_drawing_puts_the_terminal_back() {
        let (left, leave) = counting();
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            let guard = Guard::enter(|| Ok(()), leave).expect("entered");
            guard.draw(|| panic!("on purpose")).expect("unreachable");
        }));
        assert!(outcome.is_err());
        assert_eq!(left.load(Ordering::SeqCst), 1);
    }
}
