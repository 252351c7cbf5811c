//! Log lines while the dashboard has the screen: kept for its footer instead of written over it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Lines that wait to be shown; of more, only the newest are kept.
const CAPACITY: usize = 64;

/// A logger whose lines are taken away by the dashboard.
#[derive(Debug, Default)]
pub struct Notices(Mutex<Waiting>);

/// Lines, and how many had to make room.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Newest last.
    pub lines: VecDeque<String>,
    /// Lines that had to make room.
    pub dropped: u64,
}

/// The logger of the dashboard: the kernel side wants one that lives as long as the program.
pub static NOTICES: Notices = Notices::new();

impl Notices {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Waiting { lines: VecDeque::new(), dropped: 0 }))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is left half done when a thread panics here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: String) {
        let mut waiting = self.waiting();
        if waiting.lines.len() >= CAPACITY {
            waiting.lines.pop_front();
            waiting.dropped += 1;
        }
        waiting.lines.push_back(line);
    }

    /// Takes what has come.
    #[must_use]
    pub fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting())
    }
}

impl log::Log for Notices {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        if let Some(line) = crate::session::log_line(record) {
            self.add(line);
        }
    }
    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept() {
        let notices = Notices::new();
        (0..CAPACITY + 3).for_each(|n| notices.add(n.to_string()));
        let taken = notices.take();
        assert_eq!((taken.lines.len(), taken.dropped), (CAPACITY, 3));
        assert_eq!(taken.lines.front().map(String::as_str), Some("3"));
        assert_eq!(notices.take(), Waiting::default());
    }
}
