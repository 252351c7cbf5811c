//! What the dashboard knows, and how messages change it. Nothing here reads a clock, waits or draws: what is to be done
//! outside is left as an effect.

use std::collections::HashSet;

use ratatui::layout::Size;

use super::{
    banners,
    config::Looks,
    detail::{Detail, Page},
    finder::{Seek, Sieve},
    holders::Holders,
    keymap::{Keymap, Motion, View},
    layout::{Areas, Wish},
    msg::{Effect, Msg, Over},
    notices::Waiting,
    pane::Pane,
    picture::Picture,
    prompt::Prompt,
    rate::{Rate, SECOND_NS, per_second},
    sheet::{Context, Needle, Order, Place, Sheet},
    store::Store,
    stream::{self, Lines, Standing},
    tables,
    theme::Theme,
};
use crate::{clock::WallClock, decode::Decoder, escape::visible, event::Event, session::Status};

/// Where calls come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the kernel, now.
    Live,
    /// From a recording, whose own time counts.
    Recording,
}

/// What keys mean at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Calls are watched.
    Watch,
    /// The help is open, from this line on.
    Help(usize),
    /// Something is being typed.
    Prompt,
}

/// The store as it was when the picture was held.
#[derive(Debug)]
pub struct Held {
    /// All of it.
    pub store: Box<Store>,
    /// When that was.
    pub moment_ns: u64,
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

/// Who has devices open is found out again after this long, while devices are shown.
const HOLDERS_NS: u64 = 3_000_000_000;
/// A log line is shown for this long.
const NOTICE_NS: u64 = 15_000_000_000;

/// What is shown, and of whom.
pub struct Opening {
    /// Where calls come from.
    pub origin: Origin,
    /// What is traced, in words.
    pub subject: String,
    /// For times of day.
    pub clock: WallClock,
    /// For arguments.
    pub decoder: Decoder,
    /// Arguments are left out.
    pub redacted: bool,
    /// What it looks like, and which key does what.
    pub looks: Looks,
    /// The terminal of the command, if one runs.
    pub pane: Option<Pane>,
}

/// What the dashboard knows.
pub struct Model {
    /// Where calls come from.
    pub origin: Origin,
    /// What is traced, in words.
    pub subject: String,
    /// What things look like.
    pub theme: Theme,
    /// Nothing but ASCII is drawn.
    pub ascii: bool,
    /// Which key does what.
    pub keymap: Keymap,
    /// For times of day.
    pub clock: WallClock,
    /// For arguments.
    pub decoder: Decoder,
    /// Arguments are left out.
    pub redacted: bool,
    /// The terminal's size.
    pub size: Size,
    /// What keys mean.
    pub mode: Mode,
    /// What is shown.
    pub view: View,
    /// The pane with the keys fills the screen.
    pub zoomed: bool,
    /// Where the stream stands.
    pub standing: Standing,
    /// How each table is sorted, and where it stands.
    tables: [(Order, Place); View::ALL.len()],
    /// Processes whose threads are not shown.
    pub folded: HashSet<u32>,
    /// Who has devices open, and when that was found out.
    pub holders: (Holders, u64),
    /// Which zoom of the heat map; `None` for the usual one.
    pub heat_zoom: Option<usize>,
    /// What the store had at the last frame.
    pub picture: Picture,
    /// The list or table that is on the screen.
    pub sheet: Sheet,
    /// What is being typed.
    pub prompt: Option<Prompt>,
    /// The filter of the stream.
    pub sieve: Option<Sieve>,
    /// The text that is looked for.
    pub needle: Option<String>,
    /// A text that the cursor of a table is to go to.
    pub sought: Option<Needle>,
    /// A jump under way.
    pub seek: Option<Seek>,
    /// The detail of the call under the cursor, if it is open.
    pub detail: Option<Detail>,
    /// What it shows.
    pub page: Option<Page>,
    /// Answers taken from the store.
    pub facts_end: usize,
    /// The store, if the picture is held.
    pub held: Option<Held>,
    /// All calls, held or not.
    pub calls: u64,
    /// Calls among these that failed.
    pub failed: u64,
    /// Calls that are inside the kernel.
    pub in_flight: Vec<Event>,
    rate: Rate,
    /// What the kernel side says.
    pub status: Status,
    /// How tracing ended, if it did.
    pub over: Option<Over>,
    /// The last log line.
    pub notice: Option<Notice>,
    started_ns: u64,
    /// The time, which stops when tracing ends.
    now_ns: u64,
    /// The time of the last tick.
    tick_ns: u64,
    /// What is to be done outside.
    pub effects: Vec<Effect>,
    /// The screen is out of date.
    pub dirty: bool,
    /// What is on the screen is not known.
    pub repaint: bool,
    /// The terminal of the command, if there is one.
    pub pane: Option<Pane>,
    /// The user was asked whether to leave while the command runs.
    pub asked_to_quit: bool,
    /// The user, or the system, wants to leave.
    pub quit: bool,
}

impl Model {
    /// The model of a session that begins.
    #[must_use]
    pub fn new(opening: Opening, size: Size, status: Status, now_ns: u64) -> Self {
        let Opening { origin, subject, clock, decoder, redacted, looks, pane } = opening;
        Self {
            origin,
            subject,
            theme: looks.theme,
            ascii: looks.ascii,
            keymap: looks.keymap,
            clock,
            decoder,
            redacted,
            size,
            mode: Mode::Watch,
            view: View::Stream,
            zoomed: false,
            standing: Standing::default(),
            tables: View::ALL.map(|view| (tables::usual_order(view), Place::default())),
            folded: HashSet::new(),
            holders: (Holders::new(), 0),
            heat_zoom: None,
            picture: Picture::empty(),
            sheet: Sheet::default(),
            prompt: None,
            sieve: None,
            needle: None,
            sought: None,
            seek: None,
            detail: None,
            page: None,
            facts_end: 0,
            held: None,
            calls: 0,
            failed: 0,
            in_flight: Vec::new(),
            rate: Rate::default(),
            status,
            over: None,
            notice: None,
            started_ns: now_ns,
            now_ns,
            tick_ns: now_ns,
            effects: Vec::new(),
            dirty: true,
            repaint: false,
            pane,
            asked_to_quit: false,
            quit: false,
        }
    }

    /// Where everything is on a screen of some size.
    #[must_use]
    pub fn areas(&self, size: Size) -> Areas {
        Areas::of(Wish {
            size,
            view: self.view,
            detail: self.detail.is_some() && self.has_calls(),
            in_detail: self.in_detail(),
            pane: self.pane.as_ref().is_some_and(|pane| pane.shown),
            in_pane: self.focused_pane().is_some(),
            zoomed: self.zoomed,
            banners: banners::of(self).count() as u16,
            notice: self.notice.is_some(),
            prompt: if self.prompt.is_some() { 2 } else { 0 },
        })
    }

    /// Whether the rows of the view are calls.
    #[must_use]
    pub const fn has_calls(&self) -> bool {
        matches!(self.view, View::Stream | View::InFlight)
    }

    /// Whether the detail has the keys.
    #[must_use]
    pub fn in_detail(&self) -> bool {
        self.has_calls()
            && self.focused_pane().is_none()
            && self.detail.as_ref().is_some_and(|detail| detail.focused)
    }

    /// The call under the cursor: of the stream that follows the newest one.
    #[must_use]
    pub fn chosen(&self) -> Option<&Event> {
        match self.view {
            View::Stream => {
                let lines = self.lines();
                let (_, at) = self.standing.window(lines, 1);
                let place = at.or_else(|| lines.len().checked_sub(1))?;
                self.picture.calls.get(lines.number(place)?)
            }
            View::InFlight => {
                let id = self.sheet.selected?;
                self.in_flight.iter().find(|event| tables::running_id(event) == id)
            }
            _ => None,
        }
    }

    /// Columns and rows of the list.
    #[must_use]
    pub fn list_size(&self) -> (u16, usize) {
        let areas = self.areas(self.size);
        (areas.list.width, areas.list_rows())
    }

    const fn table(&self) -> usize {
        self.view as usize
    }

    /// How the table is sorted.
    #[must_use]
    pub fn order(&self) -> Order {
        self.tables.get(self.table()).map_or_else(Order::default, |table| table.0)
    }

    /// Where the table stands.
    #[must_use]
    pub fn place(&self) -> Place {
        self.tables.get(self.table()).map_or_else(Place::default, |table| table.1)
    }

    /// Sorts the table.
    pub fn sort(&mut self, order: Order) {
        let place = self.table();
        if let Some(table) = self.tables.get_mut(place) {
            // From the top, wherever its row goes.
            *table = (order, Place::default());
        }
    }

    /// Changes where the table stands.
    pub fn stand(&mut self, change: impl FnOnce(&mut Place)) {
        let place = self.table();
        if let Some(table) = self.tables.get_mut(place) {
            change(&mut table.1);
        }
    }

    /// What cells are made with.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context {
            store: None,
            decoder: &self.decoder,
            clock: &self.clock,
            now_s: self.last_second(),
            folded: &self.folded,
            holders: &self.holders.0,
            sought: self.sought.as_ref(),
        }
    }

    /// The calls that the stream shows.
    #[must_use]
    pub fn lines(&self) -> Lines<'_> {
        Lines { calls: &self.picture.calls, found: self.sieve.as_ref().map(|sieve| &sieve.found) }
    }

    /// The moment that the picture is of.
    #[must_use]
    pub fn moment_ns(&self) -> u64 {
        match (&self.held, self.origin) {
            (Some(held), Origin::Live) => held.moment_ns,
            (None, Origin::Live) => self.now_ns,
            (_, Origin::Recording) => self.picture.span.map_or(0, |(_, last)| last),
        }
    }

    /// The last second that is complete; of a recording its last one.
    fn last_second(&self) -> u64 {
        let second = self.moment_ns() / SECOND_NS;
        if self.origin == Origin::Live { second.saturating_sub(1) } else { second }
    }

    /// Time since tracing began, which stops when it ends; of a recording the time that it took, as far as it is read.
    #[must_use]
    pub fn elapsed_ns(&self) -> u64 {
        match (self.origin, &self.over) {
            (Origin::Live, _) => self.now_ns.saturating_sub(self.started_ns),
            (Origin::Recording, Some(Over::Played { closing: Some(closing), .. })) => closing.elapsed_ns,
            (Origin::Recording, _) => self.picture.span.map_or(0, |(first, last)| last.saturating_sub(first)),
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
            Origin::Live => self.rate.per_second(),
            Origin::Recording => per_second(self.calls, self.elapsed_ns()),
        }
    }

    fn tick(&mut self, now_ns: u64) {
        let shown = (self.elapsed_s(), self.rate());
        self.tick_ns = now_ns.max(self.tick_ns);
        if self.over.is_none() {
            self.now_ns = now_ns.max(self.now_ns);
        }
        self.rate.sample(now_ns, self.calls);
        if self.notice.as_ref().is_some_and(|notice| notice.until_ns <= now_ns) {
            self.notice = None;
            self.dirty = true;
        }
        self.dirty |= shown != (self.elapsed_s(), self.rate());
        self.fit_pane();
        let old = now_ns.saturating_sub(self.holders.1) >= HOLDERS_NS;
        if self.view == View::Devices && self.origin == Origin::Live && old {
            // Not again before the answer is there, or has had time to come.
            self.holders.1 = now_ns;
            self.effects.push(Effect::FindHolders);
            self.dirty = true;
        }
    }

    fn take(&mut self, picture: Picture) {
        for fact in &picture.facts {
            self.decoder.host().learn(fact.clone());
        }
        self.facts_end = picture.facts_end;
        if let Some((line, more)) = picture.said.split_last() {
            self.say(line.clone(), more.len() as u64);
        }
        (self.calls, self.failed) = (picture.sum.calls, picture.sum.errors);
        self.picture = picture;
        self.go_on();
        self.sheet = match self.picture.sheet.take() {
            Some(sheet) => {
                if let (Some(sought), Some(false)) = (self.sought.take(), sheet.found) {
                    self.say(format!("no further row with `{}`", visible(&sought.text)), 0);
                }
                let (at, top) = (sheet.cursor.unwrap_or(0), sheet.top);
                // At the top it stays there, whatever comes to stand above the row.
                let id = sheet.selected.filter(|_| at > 0);
                self.stand(|place| *place = Place { id, at, top, step: 0 });
                sheet
            }
            None => stream::sheet(self.lines(), self.standing, self.list_size(), &self.context()),
        };
        self.turn();
    }

    /// Makes the detail that of the call under the cursor.
    fn turn(&mut self) {
        let rows = self.areas(self.size).detail_rows();
        let (event, timing) = (self.chosen().cloned(), self.picture.timing);
        self.page = None;
        let (Some(detail), Some(event)) = (&mut self.detail, event) else { return };
        let page = Page::new(event, &detail.folded, timing.as_ref(), &mut self.decoder, &self.clock);
        let last = page.lines.len().saturating_sub(1);
        detail.cursor = detail.cursor.min(last);
        detail.top = detail.top.min(detail.cursor).max((detail.cursor + 1).saturating_sub(rows));
        self.page = Some(page);
    }

    fn notices(&mut self, waiting: Waiting) {
        let more = waiting.dropped + waiting.lines.len().saturating_sub(1) as u64;
        if let Some(line) = waiting.lines.into_iter().next_back() {
            self.say(line, more);
        }
    }

    /// Shows a line for a while.
    pub fn say(&mut self, line: String, more: u64) {
        self.notice = Some(Notice { line, more, until_ns: self.tick_ns.saturating_add(NOTICE_NS) });
        self.dirty = true;
    }

    fn status(&mut self, status: Status) {
        let changed =
            self.status.accounts.total != status.accounts.total || self.status.targets != status.targets;
        self.dirty |= changed;
        self.command_ended(status.exit);
        self.status = status;
    }

    fn over(&mut self, over: Over) {
        match &over {
            Over::Complete(accounts, exit) => {
                let exit = *exit;
                self.status.accounts = accounts.clone();
                self.command_ended(exit);
                self.status.targets = self.status.targets.map(|_| 0);
            }
            Over::Played { closing: Some(closing), .. } => {
                let total = &mut self.status.accounts.total;
                (total.seen, total.filtered) = (closing.seen, closing.filtered);
                (total.recorded, total.lost_ring) = (closing.delivered, closing.lost);
            }
            Over::Played { .. } | Over::Failed(_) => {}
        }
        self.in_flight.clear();
        self.over = Some(over);
        self.dirty = true;
    }
}

/// How many rows a motion moves; far enough for any end.
#[must_use]
pub fn rows(motion: Motion, page: usize) -> isize {
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
        Msg::News => model.dirty = true,
        Msg::Picture(picture) => model.take(*picture),
        Msg::Held(store) => {
            model.held = Some(Held { store, moment_ns: model.now_ns });
            model.dirty = true;
        }
        Msg::Status(status) => model.status(status),
        Msg::InFlight(calls) => {
            model.dirty |= model.view == View::InFlight && (calls.len(), model.in_flight.len()) != (0, 0);
            model.in_flight = calls;
        }
        Msg::Holders(holders) => {
            model.holders = (holders, model.tick_ns);
            model.dirty = true;
        }
        Msg::Notices(waiting) => model.notices(waiting),
        Msg::Tick(now_ns) => model.tick(now_ns),
        Msg::Over(over) => model.over(over),
        Msg::Quit => model.quit = true,
        Msg::Resize(size) => {
            model.size = size;
            model.dirty = true;
        }
        Msg::Key(key) => model.key(&key),
        Msg::Paste(text) => model.paste(&text),
        Msg::Printed(bytes) => model.print(&bytes),
        Msg::Mouse(mouse) => model.mouse(mouse),
    }
}
