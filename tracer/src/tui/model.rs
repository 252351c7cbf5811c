//! What the dashboard knows, and how messages change it. Nothing here reads a clock or draws.

use std::collections::{HashSet, VecDeque};

use crossterm::event::KeyEvent;
use ratatui::layout::Size;

use super::{
    banners,
    calls::{Calls, Scroll},
    groups::{Groups, Order},
    keymap::{self, Action, Motion},
    layout::{Areas, Wish, help_rows},
    notices::Waiting,
    theme::Theme,
};
use crate::{clock::WallClock, event::Event, recording::Closing, session::Status, source::Accounts};

/// What happens to the dashboard.
#[derive(Debug)]
pub enum Msg {
    /// Calls, in the order they ended.
    Calls(Vec<Event>),
    /// How tracing stands.
    Status(Status),
    /// Log lines.
    Notices(Waiting),
    /// A key.
    Key(KeyEvent),
    /// The terminal's size.
    Resize(Size),
    /// The time, in monotonic nanoseconds: sent before drawing, and now and then when nothing else happens.
    Tick(u64),
    /// Tracing is over.
    Over(Over),
    /// The program is to end: a signal, or the terminal is gone.
    Quit,
}

/// Where calls come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the kernel, now.
    Live,
    /// From a recording, whose own time counts.
    Recording,
}

/// How tracing ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// There is nothing left to trace, or it was stopped.
    Complete(Accounts),
    /// A recording has been read.
    Played {
        /// What it came to; `None` where its writer did not end it.
        closing: Option<Closing>,
        /// Why its end is missing, if it is.
        cut: Option<String>,
        /// Records that could not be read.
        damaged: u64,
    },
    /// Something broke.
    Failed(String),
}

/// What keys mean at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Calls are watched.
    Watch,
    /// The help is open, from this line on.
    Help(usize),
}

/// Parts of the screen that take keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// The list of calls.
    Calls,
    /// The table of requests and devices.
    Groups,
}

impl Pane {
    const fn other(self) -> Self {
        match self {
            Self::Calls => Self::Groups,
            Self::Groups => Self::Calls,
        }
    }
}

/// List and table.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The last calls.
    pub calls: Calls,
    /// Totals.
    pub groups: Groups,
}

/// The picture as it was when it was held.
#[derive(Clone, Debug)]
pub struct Held {
    /// List and table.
    pub picture: Picture,
    /// Calls that had come by then.
    pub calls: u64,
}

/// The last log line.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its text.
    pub line: String,
    /// Lines since the last one that was shown, itself left out.
    pub more: u64,
    /// Shown until then.
    until_ns: u64,
}

/// A log line is shown for this long.
const NOTICE_NS: u64 = 15_000_000_000;
/// Processes told apart; of more, only that there are more is known.
pub const MAX_PROCESSES: usize = 65_536;

/// What the dashboard knows.
#[derive(Debug)]
pub struct Model {
    /// Where calls come from.
    pub origin: Origin,
    /// What is traced, in words.
    pub subject: String,
    /// What things look like.
    pub theme: Theme,
    /// For times of day.
    pub clock: WallClock,
    /// The terminal's size.
    pub size: Size,
    /// What keys mean.
    pub mode: Mode,
    /// The pane that takes the keys.
    pub focus: Pane,
    /// It fills the screen.
    pub maximised: bool,
    /// Where the list stands.
    pub scroll: Scroll,
    /// The table's first row.
    pub groups_top: usize,
    /// The table's order.
    pub order: Order,
    /// List and table, up to now.
    live: Picture,
    /// List and table as they are shown, if not live.
    pub held: Option<Held>,
    /// Calls that came.
    pub calls: u64,
    /// Calls among these that failed.
    pub failed: u64,
    processes: HashSet<u32>,
    last_process: u32,
    rate: Rate,
    /// What the kernel side says.
    pub status: Status,
    /// How tracing ended, if it did.
    pub over: Option<Over>,
    /// The last log line.
    pub notice: Option<Notice>,
    started_ns: u64,
    now_ns: u64,
    /// When the first call began and the last one ended.
    recorded: Option<(u64, u64)>,
    /// The screen is out of date.
    pub dirty: bool,
    /// What is on the screen is not known.
    pub repaint: bool,
    /// The user, or the system, wants to leave.
    pub quit: bool,
}

impl Model {
    /// The model of a session that begins.
    #[must_use]
    pub fn new(
        origin: Origin,
        subject: String,
        theme: Theme,
        clock: WallClock,
        size: Size,
        status: Status,
        now_ns: u64,
    ) -> Self {
        Self {
            origin,
            subject,
            theme,
            clock,
            size,
            mode: Mode::Watch,
            focus: Pane::Calls,
            maximised: false,
            scroll: Scroll::Follow,
            groups_top: 0,
            order: Order::default(),
            live: Picture::default(),
            held: None,
            calls: 0,
            failed: 0,
            processes: HashSet::new(),
            last_process: 0,
            rate: Rate::default(),
            status,
            over: None,
            notice: None,
            started_ns: now_ns,
            now_ns,
            recorded: None,
            dirty: true,
            repaint: false,
            quit: false,
        }
    }

    /// List and table to show.
    #[must_use]
    pub fn picture(&self) -> &Picture {
        self.held.as_ref().map_or(&self.live, |held| &held.picture)
    }

    /// Where everything is on a screen of some size.
    #[must_use]
    pub fn areas(&self, size: Size) -> Areas {
        Areas::of(Wish {
            size,
            focus: self.focus,
            maximised: self.maximised,
            banners: banners::of(self).count() as u16,
            notice: self.notice.is_some(),
        })
    }

    /// Time since tracing began, which stops when it ends; of a recording the time that it took, as far as it is read.
    #[must_use]
    pub fn elapsed_ns(&self) -> u64 {
        match (self.origin, &self.over) {
            (Origin::Live, _) => self.now_ns.saturating_sub(self.started_ns),
            (Origin::Recording, Some(Over::Played { closing: Some(closing), .. })) => closing.elapsed_ns,
            (Origin::Recording, _) => self.recorded.map_or(0, |(first, last)| last.saturating_sub(first)),
        }
    }

    /// The same in seconds.
    #[must_use]
    pub fn elapsed_s(&self) -> u64 {
        self.elapsed_ns() / SECOND_NS
    }

    /// Calls in the last second; of a recording the mean.
    #[must_use]
    pub fn rate(&self) -> u64 {
        match self.origin {
            Origin::Live => self.rate.per_second,
            Origin::Recording => per_second(self.calls, self.elapsed_ns()),
        }
    }

    /// Different processes seen so far.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.processes.len()
    }

    fn add(&mut self, events: Vec<Event>) {
        for event in events {
            self.calls += 1;
            self.failed += u64::from(event.call.outcome.value().is_some_and(|value| value < 0));
            let (begin, end) =
                (event.call.start_ns, event.call.start_ns.saturating_add(event.call.duration_ns));
            let (first, last) = self.recorded.unwrap_or((begin, end));
            self.recorded = Some((first.min(begin), last.max(end)));
            if event.call.pid != self.last_process && self.processes.len() < MAX_PROCESSES {
                self.last_process = event.call.pid;
                self.processes.insert(event.call.pid);
            }
            self.live.groups.add(&event);
            self.live.calls.push(event);
        }
        self.dirty = true;
    }

    fn tick(&mut self, now_ns: u64) {
        let shown = (self.elapsed_s(), self.rate());
        if self.over.is_none() {
            self.now_ns = now_ns.max(self.now_ns);
        }
        self.rate.sample(now_ns, self.calls);
        if self.notice.as_ref().is_some_and(|notice| notice.until_ns <= now_ns) {
            self.notice = None;
            self.dirty = true;
        }
        self.dirty |= shown != (self.elapsed_s(), self.rate());
        if self.dirty && self.held.is_none() {
            self.live.groups.sort(self.order);
        }
    }

    fn notices(&mut self, waiting: Waiting) {
        let more = waiting.dropped + waiting.lines.len().saturating_sub(1) as u64;
        if let Some(line) = waiting.lines.into_iter().next_back() {
            self.notice = Some(Notice { line, more, until_ns: self.now_ns.saturating_add(NOTICE_NS) });
            self.dirty = true;
        }
    }

    fn status(&mut self, status: Status) {
        let changed =
            self.status.accounts.total != status.accounts.total || self.status.targets != status.targets;
        self.dirty |= changed;
        self.status = status;
    }

    fn over(&mut self, over: Over) {
        match &over {
            Over::Complete(accounts) => {
                self.status.accounts = accounts.clone();
                self.status.targets = self.status.targets.map(|_| 0);
            }
            Over::Played { closing: Some(closing), .. } => {
                let total = &mut self.status.accounts.total;
                (total.seen, total.filtered) = (closing.seen, closing.filtered);
                (total.recorded, total.lost_ring) = (closing.delivered, closing.lost);
            }
            Over::Played { .. } | Over::Failed(_) => {}
        }
        self.over = Some(over);
        self.dirty = true;
    }

    fn act(&mut self, action: Action) {
        self.dirty = true;
        match action {
            Action::Quit => self.quit = true,
            Action::Redraw => self.repaint = true,
            Action::Help => self.mode = Mode::Help(0),
            Action::Close if self.mode == Mode::Watch => self.maximised = false,
            Action::Close => self.mode = Mode::Watch,
            Action::Scroll(motion) => self.scroll(motion),
            Action::Pause => self.pause(),
            Action::SwitchPane => self.focus = self.focus.other(),
            Action::Maximise => self.maximised = !self.maximised,
            Action::ShowCalls => self.show(Pane::Calls),
            Action::ShowGroups => self.show(Pane::Groups),
            Action::SortNext => self.sort(Order { by: self.order.by.step(1), reversed: false }),
            Action::SortPrevious => self.sort(Order { by: self.order.by.step(-1), reversed: false }),
            Action::Reverse => self.sort(Order { reversed: !self.order.reversed, ..self.order }),
            Action::Clear => self.clear(),
        }
    }

    fn show(&mut self, pane: Pane) {
        self.maximised = !(self.maximised && self.focus == pane);
        self.focus = pane;
    }

    fn sort(&mut self, order: Order) {
        self.order = order;
        self.groups_top = 0;
        self.live.groups.sort(order);
        if let Some(held) = &mut self.held {
            held.picture.groups.sort(order);
        }
    }

    fn pause(&mut self) {
        match self.held.take() {
            Some(_) => self.live.groups.sort(self.order),
            None => self.held = Some(Held { picture: self.live.clone(), calls: self.calls }),
        }
    }

    fn clear(&mut self) {
        self.live.calls.clear();
        self.live.groups = Groups::default();
        if let Some(held) = &mut self.held {
            held.picture = self.live.clone();
        }
        self.scroll = Scroll::Follow;
        self.groups_top = 0;
    }

    fn scroll(&mut self, motion: Motion) {
        let page = match self.mode {
            Mode::Help(_) => help_rows(self.size),
            Mode::Watch => self.areas(self.size).rows(self.focus),
        };
        let by = rows(motion, page);
        match (self.mode, self.focus) {
            (Mode::Help(top), _) => {
                let last = keymap::WATCH.len().saturating_sub(page);
                self.mode = Mode::Help(top.saturating_add_signed(by).min(last));
            }
            (Mode::Watch, Pane::Calls) => self.scroll = self.picture().calls.scrolled(self.scroll, by, page),
            (Mode::Watch, Pane::Groups) => {
                let last = self.picture().groups.len().saturating_sub(page);
                self.groups_top = self.groups_top.min(last).saturating_add_signed(by).min(last);
            }
        }
    }
}

/// How many rows a motion moves; far enough for any end.
fn rows(motion: Motion, page: usize) -> isize {
    const FAR: isize = 1 << 30;
    let page = isize::try_from(page).unwrap_or(FAR).max(1);
    match motion {
        Motion::Up => -1,
        Motion::Down => 1,
        Motion::HalfUp => -(page / 2).max(1),
        Motion::HalfDown => (page / 2).max(1),
        Motion::PageUp => -page,
        Motion::PageDown => page,
        Motion::Start => -FAR,
        Motion::End => FAR,
    }
}

/// Takes a message.
pub fn update(model: &mut Model, msg: Msg) {
    match msg {
        Msg::Calls(events) => model.add(events),
        Msg::Status(status) => model.status(status),
        Msg::Notices(waiting) => model.notices(waiting),
        Msg::Tick(now_ns) => model.tick(now_ns),
        Msg::Over(over) => model.over(over),
        Msg::Quit => model.quit = true,
        Msg::Resize(size) => {
            model.size = size;
            model.dirty = true;
        }
        Msg::Key(key) => {
            let bindings = match model.mode {
                Mode::Watch => keymap::WATCH,
                Mode::Help(_) => keymap::HELP,
            };
            if let Some(action) = keymap::action(bindings, &key) {
                model.act(action);
            }
        }
    }
}

/// Calls per second over the last second.
#[derive(Debug, Default)]
struct Rate {
    /// Times, and calls up to then; the first one is at least a second old, if there is any that old.
    samples: VecDeque<(u64, u64)>,
    per_second: u64,
}

const SECOND_NS: u64 = 1_000_000_000;

/// The rate of so many in some time, rounded; 0 in no time.
fn per_second(count: u64, span_ns: u64) -> u64 {
    let count = u128::from(count) * u128::from(SECOND_NS) + u128::from(span_ns) / 2;
    count.checked_div(span_ns.into()).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

/// Over a shorter time a rate says nothing.
const SHORTEST_NS: u64 = 100_000_000;
/// Samples closer together than this are one.
const APART_NS: u64 = 30_000_000;

impl Rate {
    fn sample(&mut self, now_ns: u64, calls: u64) {
        if self.samples.back().is_none_or(|&(then, _)| now_ns.saturating_sub(then) >= APART_NS) {
            self.samples.push_back((now_ns, calls));
        }
        while self.samples.get(1).is_some_and(|&(then, _)| now_ns.saturating_sub(then) >= SECOND_NS) {
            self.samples.pop_front();
        }
        let Some(&(then, before)) = self.samples.front() else { return };
        let span = now_ns.saturating_sub(then);
        if span >= SHORTEST_NS {
            self.per_second = per_second(calls.saturating_sub(before), span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let mut rate = Rate::default();
        for step in 0..=30 {
            rate.sample(step * SECOND_NS / 10, step * 50);
        }
        assert_eq!(rate.per_second, 500);
        for step in 31..=41 {
            rate.sample(step * SECOND_NS / 10, 30 * 50);
        }
        assert_eq!(rate.per_second, 0);
        assert!(rate.samples.len() < 40);
    }
}
