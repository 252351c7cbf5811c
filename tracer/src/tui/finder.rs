//! Finding calls: a filter that the stream shows only what matches of, and jumps to the next call of some kind. Both go
//! through what is kept piece by piece, a piece each frame, so that neither keys nor calls wait for them.

use std::collections::VecDeque;

use super::{store::calls::Calls, stream::Lines};
use crate::{
    clock::WallClock,
    decode::Decoder,
    errno,
    escape::{escaped, visible},
    event::{Event, Target},
    filter::{Filter, FilterError},
    sink::text::{FdStyle, write_target},
};

/// Calls that are looked at in a frame, if that takes no decoding.
const CHEAP: usize = 30_000;
/// Calls whose arguments are decoded in a frame.
const DEAR: usize = 3_000;

/// A filter at work.
#[derive(Debug)]
pub struct Sieve {
    /// As it was written.
    pub text: String,
    filter: Filter,
    /// Numbers of calls that match.
    pub found: VecDeque<u64>,
    /// The first call that has not been looked at.
    next: u64,
    /// Calls that had to make room before they were looked at.
    pub missed: u64,
}

impl Sieve {
    /// An expression in the language of `--filter`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn new(text: &str, decoder: &Decoder, clock: &WallClock) -> Result<Self, FilterError> {
        let filter = Filter::parse(text, decoder.registry())?.with_clock(clock.clone());
        Ok(Self { text: text.to_owned(), filter, found: VecDeque::new(), next: 0, missed: 0 })
    }

    /// Looks at a piece of what is kept.
    pub fn advance(&mut self, calls: &Calls, decoder: &mut Decoder) {
        let first = calls.first();
        while self.found.front().is_some_and(|number| *number < first) {
            self.found.pop_front();
        }
        if self.next < first {
            self.missed += if self.next == 0 { 0 } else { first - self.next };
            self.next = first;
        }
        let piece = if self.filter.needs_argument() { DEAR } else { CHEAP };
        let end = calls.end().min(self.next + piece as u64);
        for number in self.next..end {
            if calls.get(number).is_some_and(|event| self.filter.matches(event, decoder)) {
                self.found.push_back(number);
            }
        }
        self.next = self.next.max(end);
    }

    /// Whether it asks for what `--redact` leaves out.
    #[must_use]
    pub fn asks_what_is_redacted(&self) -> bool {
        self.filter.asks_what_is_redacted()
    }

    /// Calls that have not been looked at.
    #[must_use]
    pub const fn left(&self, calls: &Calls) -> u64 {
        calls.end().saturating_sub(self.next)
    }
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A call that failed.
    Error,
    /// A call of this request.
    Request(u32),
    /// A call of a process on a descriptor.
    Descriptor(u32, i32),
    /// A call that says a text, in lower case.
    Text(String),
}

impl Goal {
    /// What it is called.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Error => "error".to_owned(),
            Self::Request(_) => "call of this request".to_owned(),
            Self::Descriptor(_, fd) => format!("call on descriptor {fd}"),
            Self::Text(text) => format!("call with `{text}`"),
        }
    }

    fn is(&self, event: &Event, decoder: &Decoder) -> bool {
        match self {
            Self::Error => event.call.failed(),
            Self::Request(number) => event.call.request == *number,
            Self::Descriptor(pid, fd) => (event.call.pid, event.call.fd) == (*pid, *fd),
            Self::Text(text) => says(event, text, decoder),
        }
    }

    const fn piece(&self) -> usize {
        if matches!(self, Self::Text(_)) { DEAR } else { CHEAP }
    }
}

/// Whether a call has a text in what the stream shows of it.
fn says(event: &Event, text: &str, decoder: &Decoder) -> bool {
    let call = &event.call;
    let has = |part: &str| part.to_lowercase().contains(text);
    if has(&visible(&event.request.to_string())) || has(&escaped(call.comm.as_bytes())) {
        return true;
    }
    if let Target::File(file) = &call.target {
        let mut path = String::new();
        // Writing to a string cannot fail.
        let _ = write_target(&mut path, file, FdStyle::Path);
        if has(&path) {
            return true;
        }
    }
    if call.error().is_some_and(|errno| has(&errno::name(errno))) {
        return true;
    }
    if has(&format!("{}/{} {:#x}", call.pid, call.tid, call.request)) {
        return true;
    }
    let (before, after) = decoder.arguments(event);
    [before, after].into_iter().flatten().any(|value| has(&value.to_string()))
}

/// A search under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seek {
    /// What is looked for.
    pub goal: Goal,
    /// Towards newer calls.
    pub forward: bool,
    /// The number of the next call to look at.
    pub next: u64,
}

/// What a piece of a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// It is at this place of the stream.
    At(usize),
    /// There is none.
    Nowhere,
    /// There are calls left.
    Unknown,
}

impl Seek {
    /// Looks at a piece of what the stream shows.
    #[must_use]
    pub fn advance(&mut self, lines: Lines<'_>, decoder: &Decoder) -> Sought {
        for _ in 0..self.goal.piece() {
            let place = lines.place(self.next);
            let Some(number) = lines.number(place).filter(|number| self.forward || *number <= self.next)
            else {
                return Sought::Nowhere;
            };
            if lines.calls.get(number).is_some_and(|event| self.goal.is(event, decoder)) {
                return Sought::At(place);
            }
            let next = if self.forward { place.checked_add(1) } else { place.checked_sub(1) };
            match next.and_then(|place| lines.number(place)) {
                Some(number) => self.next = number,
                None => return Sought::Nowhere,
            }
        }
        Sought::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::{TCGETS, TIOCGWINSZ, call, decoder, image};

    fn calls() -> Calls {
        let mut calls = Calls::new(usize::MAX);
        let event = |n: u64| {
            let made = call(n).request(if n.is_multiple_of(3) { TIOCGWINSZ } else { TCGETS });
            if n.is_multiple_of(5) { made.fails(25).event() } else { made.event() }
        };
        calls.add((0..20).map(event).collect());
        calls
    }

    #[test]
    fn a_sieve_keeps_up_with_what_comes_and_goes() {
        let (mut calls, mut decoder) = (calls(), decoder());
        let mut sieve = Sieve::new("errno == ENOTTY", &decoder, &WallClock::fixed(0)).expect("valid");
        sieve.advance(&calls, &mut decoder);
        assert_eq!((sieve.found.make_contiguous(), sieve.missed), (&mut [0, 5, 10, 15][..], 0));
        calls.add(vec![call(20).fails(25).event()]);
        assert_eq!(sieve.left(&calls), 1);
        sieve.advance(&calls, &mut decoder);
        assert_eq!((sieve.found.back(), sieve.left(&calls)), (Some(&20), 0));
        calls.clear();
        sieve.advance(&calls, &mut decoder);
        assert!(sieve.found.is_empty());
        assert!(Sieve::new("errno = 5", &decoder, &WallClock::fixed(0)).is_err());
    }

    #[test]
    fn jumps_go_both_ways() {
        let (calls, decoder) = (calls(), decoder());
        let lines = Lines { calls: &calls, found: None };
        let seek = |goal, forward, next| Seek { goal, forward, next }.advance(lines, &decoder);
        assert_eq!(seek(Goal::Error, true, 6), Sought::At(10));
        assert_eq!(seek(Goal::Error, false, 9), Sought::At(5));
        assert_eq!(seek(Goal::Error, true, 16), Sought::Nowhere);
        assert_eq!(seek(Goal::Request(TIOCGWINSZ), false, 8), Sought::At(6));
        assert_eq!(seek(Goal::Descriptor(1, 1), true, 0), Sought::Nowhere);
        let found: VecDeque<u64> = [2, 5, 9].into();
        let some = Lines { calls: &calls, found: Some(&found) };
        let mut seek = Seek { goal: Goal::Error, forward: false, next: 9 };
        assert_eq!(seek.advance(some, &decoder), Sought::At(1));
    }

    #[test]
    fn texts_are_found_wherever_they_are_shown() {
        let decoder = decoder();
        let output = image(0x1000, &[24, 0, 80, 0, 0, 0, 0, 0]);
        let event = call(0).request(TIOCGWINSZ).returned(0x1000, output).event();
        for text in ["tiocg", "stty", "pts/3", "4711", "ws_col=80"] {
            assert!(says(&event, text, &decoder), "{text}");
        }
        assert!(!says(&event, "enotty", &decoder));
        assert!(says(&call(0).fails(25).event(), "enotty", &decoder));
    }
}
