//! The last calls, bounded, and where in them the list stands.

use std::{collections::VecDeque, ops::Range};

use crate::event::Event;

/// Calls kept.
pub const CAPACITY: usize = 10_000;

/// The last calls. They are kept as they came: only rows that are shown become text.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    rows: VecDeque<Event>,
    /// Number of the first row; every call has one, and it never changes.
    first: u64,
    dropped: u64,
}

impl Calls {
    /// Adds a call; the oldest one makes room.
    pub fn push(&mut self, event: Event) {
        if self.rows.len() >= CAPACITY {
            self.rows.pop_front();
            self.first += 1;
            self.dropped += 1;
        }
        self.rows.push_back(event);
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.first = self.end();
        self.dropped = 0;
        self.rows.clear();
    }

    /// Calls kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Calls that had to make room.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// One more than the last row's number.
    fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    /// The calls that a list of `height` rows shows.
    pub fn window(&self, scroll: Scroll, height: usize) -> impl Iterator<Item = &Event> {
        self.rows.range(self.places(scroll, height))
    }

    fn places(&self, scroll: Scroll, height: usize) -> Range<usize> {
        let top = usize::try_from(self.top(scroll, height) - self.first).unwrap_or(0);
        top..(top + height).min(self.rows.len())
    }

    /// Number of the top row.
    fn top(&self, scroll: Scroll, height: usize) -> u64 {
        let lowest = self.lowest_top(height);
        match scroll {
            Scroll::Follow => lowest,
            Scroll::At(row) => row.clamp(self.first, lowest),
        }
    }

    /// The top row when the last row is at the bottom.
    fn lowest_top(&self, height: usize) -> u64 {
        self.end().saturating_sub(height as u64).max(self.first)
    }

    /// Scrolls by rows. At the last row, the list follows again.
    #[must_use]
    pub fn scrolled(&self, scroll: Scroll, by: isize, height: usize) -> Scroll {
        let lowest = self.lowest_top(height);
        let top = self.top(scroll, height).saturating_add_signed(by as i64).max(self.first);
        if top >= lowest { Scroll::Follow } else { Scroll::At(top) }
    }

    /// Rows hidden below the window.
    #[must_use]
    pub fn below(&self, scroll: Scroll, height: usize) -> usize {
        self.rows.len() - self.places(scroll, height).end
    }
}

/// Where a list stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scroll {
    /// The newest call is at the bottom.
    #[default]
    Follow,
    /// The call of this number is at the top, however many follow.
    At(u64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::call;

    fn calls(count: u64) -> Calls {
        let mut calls = Calls::default();
        (0..count).for_each(|n| calls.push(call(n).event()));
        calls
    }

    fn shown(calls: &Calls, scroll: Scroll) -> Vec<u64> {
        calls.window(scroll, 3).map(|e| e.call.start_ns).collect()
    }

    #[test]
    fn the_list_follows_until_it_is_scrolled() {
        let mut list = calls(10);
        assert_eq!(shown(&list, Scroll::Follow), [7, 8, 9]);
        let up = list.scrolled(Scroll::Follow, -2, 3);
        assert_eq!((up, shown(&list, up)), (Scroll::At(5), vec![5, 6, 7]));
        list.push(call(10).event());
        assert_eq!((shown(&list, up), list.below(up, 3)), (vec![5, 6, 7], 3));
        assert_eq!(list.scrolled(up, 3, 3), Scroll::Follow);
        assert_eq!(list.scrolled(up, -100, 3), Scroll::At(0));
    }

    #[test]
    fn what_is_dropped_is_counted() {
        let mut list = calls(CAPACITY as u64 + 5);
        assert_eq!((list.len(), list.dropped()), (CAPACITY, 5));
        assert_eq!(shown(&list, Scroll::At(0)), [5, 6, 7], "a row that is gone shows the oldest");
        list.clear();
        assert_eq!((list.len(), list.dropped(), shown(&list, Scroll::At(7)).len()), (0, 0, 0));
    }

    #[test]
    fn short_lists_do_not_scroll() {
        assert_eq!(calls(2).scrolled(Scroll::Follow, -1, 3), Scroll::Follow);
        assert_eq!(shown(&calls(2), Scroll::At(9)), [0, 1]);
    }
}
