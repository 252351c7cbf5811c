//! Totals per request and device.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use ioctl_registry::{Arch, DeviceKind};

use super::series::Series;
use crate::{
    event::Event,
    sink::summary::{EXACT_ROWS, OTHERS, Row, device_label, windows_label},
    tui::find,
};

/// Rows kept; calls of further kinds are added up in one row, for a program could invent requests without end.
pub const CAPACITY: usize = 4_096;
/// Kinds of calls whose row is known without their names; more are looked up by name again.
const KNOWN_KINDS: usize = 8_192;

/// A row.
#[derive(Clone, Debug)]
pub struct Group {
    /// Name of the request.
    pub request: String,
    /// Its number, for when the name does not fit; `None` if the row stands for several.
    pub number: Option<u32>,
    /// Its family; empty if not known.
    pub family: &'static str,
    /// Name of the device.
    pub device: String,
    /// Expressions that hold for its calls: their request, and their device.
    pub filters: [String; 2],
    /// What its calls add up to.
    pub row: Row,
    /// Calls per second.
    pub series: Series,
    /// Durations are kept exactly.
    exact: bool,
}

/// What decides the row of a call, without making its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    request: u32,
    arch: Arch,
    file: Option<FileKind>,
    /// What a control code is sent to.
    windows: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileKind {
    kind: DeviceKind,
    numbers: Option<(u32, u32)>,
    handler: u64,
    magic: u64,
    domain: Option<u32>,
    name: u64,
}

impl Kind {
    fn of(event: &Event) -> Self {
        let file = event.call.target.file().filter(|_| event.call.control.is_none());
        let file = file.map(|file| FileKind {
            kind: file.kind,
            numbers: file.numbers,
            handler: file.handler,
            magic: file.magic,
            domain: file.domain,
            // Files without a place in a directory are told apart by their kind's name.
            name: if file.kind == DeviceKind::AnonInode { hash(&file.target) } else { 0 },
        });
        Self {
            request: event.call.request,
            arch: event.call.arch,
            file,
            windows: event.call.windows_device().map(hash),
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The label of what a call was made on, as `-c` has it.
pub fn device_of(event: &Event) -> String {
    match event.call.windows_device() {
        Some(device) => windows_label(device),
        None => event.device().map_or_else(|| "not open".to_owned(), device_label),
    }
}

/// All rows, in the order in which they came up.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    rows: Vec<Group>,
    kinds: HashMap<Kind, usize>,
    names: HashMap<(String, String), usize>,
    /// The row of the last call: the next one is likely to be of its kind.
    last: Option<(Kind, usize)>,
    all: Row,
    crowded_out: u64,
}

impl Groups {
    /// Adds a call that ended in a second. Gives the place of its row.
    pub fn add(&mut self, event: &Event, second: u64) -> usize {
        let kind = Kind::of(event);
        let place = match self.last {
            Some((last, place)) if last == kind => place,
            _ => match self.kinds.get(&kind) {
                Some(&place) => place,
                None => self.place(kind, event),
            },
        };
        self.last = Some((kind, place));
        let duration_ns = event.call.duration_ns;
        let failed = event.call.failed();
        self.all.add_call(duration_ns, failed, true);
        if let Some(group) = self.rows.get_mut(place) {
            group.row.add_call(duration_ns, failed, group.exact);
            group.series.add(second);
            self.crowded_out += u64::from(group.number.is_none());
        }
        place
    }

    /// Finds or makes the row of a kind of call.
    fn place(&mut self, kind: Kind, event: &Event) -> usize {
        let mut number = Some(event.call.request);
        let mut name = (event.request.to_string(), device_of(event));
        if self.rows.len() >= CAPACITY && !self.names.contains_key(&name) {
            name = (OTHERS.to_owned(), String::new());
            number = None;
        }
        let next = self.rows.len();
        let place = *self.names.entry(name.clone()).or_insert(next);
        if place == next {
            let (request, device) = name;
            let family = event.request.named().first().map_or("", |named| named.request.family());
            let (row, series) = (Row::default(), Series::default());
            let exact = next < EXACT_ROWS;
            let filters = [find::request_of(event), find::device_of(event)];
            self.rows.push(Group { request, number, family, device, filters, row, series, exact });
        }
        if self.kinds.len() >= KNOWN_KINDS {
            self.kinds.clear();
        }
        self.kinds.insert(kind, place);
        place
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> &[Group] {
        &self.rows
    }

    /// A row by its place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Group> {
        self.rows.get(place)
    }

    /// All calls together.
    #[must_use]
    pub const fn all(&self) -> &Row {
        &self.all
    }

    /// The row of calls like this one.
    #[must_use]
    pub fn of(&self, event: &Event) -> Option<&Group> {
        self.rows.get(*self.kinds.get(&Kind::of(event))?)
    }

    /// Calls that found no row of their own.
    #[must_use]
    pub const fn crowded_out(&self) -> u64 {
        self.crowded_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::{TCGETS, TIOCGWINSZ, call};

    #[test]
    fn calls_are_grouped_by_request_and_device() {
        let mut groups = Groups::default();
        for n in 0..4 {
            groups.add(&call(n).request(TCGETS).took(100).event(), 1);
        }
        groups.add(&call(9).request(TIOCGWINSZ).took(5_000).fails(25).event(), 1);
        groups.add(&call(9).request(TCGETS).took(50).not_open().fails(9).event(), 2);
        let shown: Vec<_> = groups
            .rows()
            .iter()
            .map(|g| (g.request.as_str(), g.device.as_str(), g.row.totals().calls(), g.row.totals().errors()))
            .collect();
        assert_eq!(
            shown,
            [("TCGETS", "pts 136:3", 4, 0), ("TIOCGWINSZ", "pts 136:3", 1, 1), ("TCGETS", "not open", 1, 1)]
        );
        assert_eq!(groups.all().totals().calls(), 6);
        let same = groups.of(&call(7).request(TCGETS).event());
        assert_eq!(same.map(|g| g.row.percentile_ns(50)), Some(100));
    }

    #[test]
    fn kinds_without_end_share_a_row() {
        let mut groups = Groups::default();
        let count = CAPACITY as u32 + 100;
        for n in 0..count {
            groups.add(&call(0).request(0xde00_0000 + n).event(), 0);
        }
        assert_eq!((groups.rows().len(), groups.crowded_out()), (CAPACITY + 1, 100));
        let sum: u64 = groups.rows().iter().map(|g| g.row.totals().calls()).sum();
        assert_eq!(sum, u64::from(count));
    }
}
