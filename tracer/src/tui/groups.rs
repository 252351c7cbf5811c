//! Totals per request and device, and the order they are shown in.

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use ioctl_registry::DeviceKind;

use crate::{
    event::{Event, Target},
    sink::summary::device_label,
    totals::Totals,
};

/// Rows kept; calls of further kinds are added up in one row, for a program could invent requests without end.
pub const CAPACITY: usize = 2_048;
/// Kinds of calls whose row is known without their names; more are looked up by name again.
const KNOWN_KINDS: usize = 8_192;

/// A column to sort by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Calls.
    Calls,
    /// Calls that failed.
    Errors,
    /// Time, summed.
    #[default]
    Total,
    /// Mean time.
    Mean,
    /// The time that 99 of 100 calls do not exceed.
    P99,
    /// The longest time.
    Max,
    /// Name of the request.
    Request,
    /// Name of the device.
    Device,
}

impl SortBy {
    /// All columns, from left to right.
    pub const ALL: [Self; 8] = [
        Self::Calls,
        Self::Errors,
        Self::Total,
        Self::Mean,
        Self::P99,
        Self::Max,
        Self::Request,
        Self::Device,
    ];

    /// The column `steps` to the right, around the end.
    #[must_use]
    pub fn step(self, steps: isize) -> Self {
        let count = Self::ALL.len();
        let place = Self::ALL.iter().position(|&column| column == self).unwrap_or(0);
        let place = place.wrapping_add_signed(steps).wrapping_add(count) % count;
        Self::ALL.get(place).copied().unwrap_or_default()
    }

    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Errors => "errors",
            Self::Total => "total",
            Self::Mean => "mean",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Request => "request",
            Self::Device => "device",
        }
    }
}

/// An order of the table: numbers from large to small and names from A to Z, or the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The column.
    pub by: SortBy,
    /// The other way round.
    pub reversed: bool,
}

/// A row.
#[derive(Clone, Debug)]
pub struct Group {
    /// Name of the request.
    pub request: String,
    /// Its number, for when the name does not fit; `None` if the row stands for several.
    pub number: Option<u32>,
    /// Name of the device.
    pub device: String,
    /// What its calls add up to.
    pub totals: Totals,
}

/// What decides the row of a call, without making its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    request: u32,
    file: Option<FileKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileKind {
    kind: DeviceKind,
    numbers: Option<(u32, u32)>,
    handler: u64,
    magic: u64,
    name: u64,
}

impl Kind {
    fn of(event: &Event) -> Self {
        let file = event.call.target.file().map(|file| FileKind {
            kind: file.kind,
            numbers: file.numbers,
            handler: file.handler,
            magic: file.magic,
            // Files without a place in a directory are told apart by their kind's name.
            name: if file.kind == DeviceKind::AnonInode { hash(&file.target) } else { 0 },
        });
        Self { request: event.call.request, file }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    rows: Vec<Group>,
    kinds: HashMap<Kind, usize>,
    names: HashMap<(String, String), usize>,
    /// Places of rows in the order they are shown in.
    order: Vec<usize>,
    crowded_out: u64,
}

impl Groups {
    /// Adds a call.
    pub fn add(&mut self, event: &Event) {
        let kind = Kind::of(event);
        let place = match self.kinds.get(&kind) {
            Some(&place) => place,
            None => self.place(kind, event),
        };
        if let Some(row) = self.rows.get_mut(place) {
            row.totals.add(event.call.duration_ns, event.call.outcome.value().is_some_and(|v| v < 0));
            self.crowded_out += u64::from(row.number.is_none());
        }
    }

    /// Finds or makes the row of a kind of call.
    fn place(&mut self, kind: Kind, event: &Event) -> usize {
        let mut number = Some(event.call.request);
        let device = match (&event.call.target, event.device()) {
            (_, Some(device)) => device_label(device),
            (Target::NotOpen, None) => "not open".to_owned(),
            (_, None) => "unknown".to_owned(),
        };
        let mut name = (event.request.to_string(), device);
        if self.rows.len() >= CAPACITY && !self.names.contains_key(&name) {
            name = ("(other requests)".to_owned(), String::new());
            number = None;
        }
        let next = self.rows.len();
        let place = *self.names.entry(name.clone()).or_insert(next);
        if place == next {
            let (request, device) = name;
            self.order.push(next);
            self.rows.push(Group { request, number, device, totals: Totals::default() });
        }
        if self.kinds.len() >= KNOWN_KINDS {
            self.kinds.clear();
        }
        self.kinds.insert(kind, place);
        place
    }

    /// Puts the rows in order.
    pub fn sort(&mut self, order: Order) {
        let (rows, places) = (&self.rows, &mut self.order);
        let name = |place: &usize| rows.get(*place).map(|row| (row.request.as_str(), row.device.as_str()));
        let by_name = |a: &usize, b: &usize| name(a).cmp(&name(b));
        // Equal rows stay in the order of their names, whatever the column.
        places.sort_unstable_by(by_name);
        let number = |of: fn(&Totals) -> u64| {
            move |place: &usize| Reverse(rows.get(*place).map_or(0, |row| of(&row.totals)))
        };
        match order.by {
            SortBy::Calls => places.sort_by_cached_key(number(Totals::calls)),
            SortBy::Errors => places.sort_by_cached_key(number(Totals::errors)),
            SortBy::Total => places.sort_by_cached_key(number(Totals::total_ns)),
            SortBy::Mean => places.sort_by_cached_key(number(Totals::mean_ns)),
            SortBy::P99 => places.sort_by_cached_key(number(|t| t.percentile_ns(99))),
            SortBy::Max => places.sort_by_cached_key(number(Totals::max_ns)),
            SortBy::Request => {}
            SortBy::Device => places.sort_by(|a, b| {
                let device = |place| name(place).map(|(_, device)| device);
                device(a).cmp(&device(b))
            }),
        }
        if order.reversed {
            places.reverse();
        }
    }

    /// Rows in order, from the `top`-th on.
    pub fn rows(&self, top: usize) -> impl Iterator<Item = &Group> {
        self.order.iter().skip(top).filter_map(|&place| self.rows.get(place))
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
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

    fn shown(groups: &Groups) -> Vec<(&str, &str, u64)> {
        groups.rows(0).map(|g| (g.request.as_str(), g.device.as_str(), g.totals.calls())).collect()
    }

    #[test]
    fn calls_are_grouped_by_request_and_device() {
        let mut groups = Groups::default();
        for n in 0..4 {
            groups.add(&call(n).request(TCGETS).took(100).event());
        }
        groups.add(&call(9).request(TIOCGWINSZ).took(5_000).fails(25).event());
        groups.add(&call(9).request(TCGETS).took(50).not_open().fails(9).event());
        groups.sort(Order::default());
        assert_eq!(shown(&groups)[..2], [("TIOCGWINSZ", "pts 136:3", 1), ("TCGETS", "pts 136:3", 4)]);
        groups.sort(Order { by: SortBy::Calls, reversed: false });
        assert_eq!(shown(&groups)[0], ("TCGETS", "pts 136:3", 4));
        groups.sort(Order { by: SortBy::Device, reversed: false });
        assert_eq!(shown(&groups)[0].1, "not open");
        groups.sort(Order { by: SortBy::Calls, reversed: true });
        assert_eq!(shown(&groups)[2], ("TCGETS", "pts 136:3", 4));
    }

    #[test]
    fn kinds_without_end_share_a_row() {
        let mut groups = Groups::default();
        let count = CAPACITY as u32 + 100;
        for n in 0..count {
            groups.add(&call(0).request(0xde00_0000 + n).event());
        }
        assert_eq!((groups.len(), groups.crowded_out()), (CAPACITY + 1, 100));
        assert_eq!(groups.rows(0).map(|g| g.totals.calls()).sum::<u64>(), u64::from(count));
    }

    #[test]
    fn columns_go_around() {
        assert_eq!(SortBy::Device.step(1), SortBy::Calls);
        assert_eq!(SortBy::Calls.step(-1), SortBy::Device);
        assert_eq!(SortBy::Total.step(1), SortBy::Mean);
    }
}
