//! Rows and columns as they are on the screen: the one shape of every list and table.

use std::{cmp::Reverse, collections::HashSet};

use super::{
    holders::Holders,
    store::Store,
    text::{fit, width},
    theme::Tone,
};
use crate::{clock::WallClock, decode::Decoder};

/// What a cell shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text with a meaning.
    Text(String, Tone),
    /// Several of them.
    Parts(Vec<(String, Tone)>),
    /// A sparkline, oldest first.
    Spark(Vec<u32>),
}

impl Cell {
    /// Text without a meaning of its own.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Text(text.into(), Tone::Plain)
    }

    /// A number that matters only if it is not zero.
    pub fn loud(count: u64, text: impl ToString, tone: Tone) -> Self {
        Self::Text(text.to_string(), if count > 0 { tone } else { Tone::Faint })
    }
}

/// How wide a column is.
#[derive(Clone, Copy, Debug)]
pub enum Width {
    /// So many columns of the screen.
    Fixed(u16),
    /// So many, and more of a wide screen.
    Wide(u16, u16),
    /// At least so many, and such a part of what the others leave.
    Share(u16, u16),
}

/// Screens of so many columns are wide.
const WIDE: u16 = 110;

impl Width {
    const fn least(self, total: u16) -> u16 {
        match self {
            Self::Fixed(width) | Self::Share(width, _) => width,
            Self::Wide(narrow, wide) => {
                if total >= WIDE {
                    wide
                } else {
                    narrow
                }
            }
        }
    }
}

/// What rows are sorted by: numbers from large to small, texts from A to Z.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// A number.
    Number(Reverse<u64>),
    /// A text.
    Text(String),
}

/// A sort key of a number.
pub const fn number(number: u64) -> SortKey {
    SortKey::Number(Reverse(number))
}

/// What cells are made with, besides what their row is about.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What other rows a row refers to; `None` where none does.
    pub store: Option<&'a Store>,
    /// For arguments.
    pub decoder: &'a Decoder,
    /// For times of day.
    pub clock: &'a WallClock,
    /// The second that rates end with.
    pub now_s: u64,
    /// Processes whose threads are not shown.
    pub folded: &'a HashSet<u32>,
    /// Who has devices open.
    pub holders: &'a Holders,
    /// A text that the cursor is to go to, if it is.
    pub sought: Option<&'a Needle>,
}

/// A text that rows are searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    /// In lower case.
    pub text: String,
    /// Downwards.
    pub forward: bool,
}

/// A column of a table whose rows are made from an `R`.
pub struct Column<R> {
    /// Its heading.
    pub title: &'static str,
    /// How wide it is.
    pub width: Width,
    /// Its text stands at the right.
    pub right: bool,
    /// When there is no room for all, those of the highest rank go first.
    pub rank: u8,
    /// What it shows in so much room.
    pub cell: fn(&R, &Context<'_>, usize) -> Cell,
    /// What it is sorted by; `None` if it cannot be.
    pub key: Option<fn(&R, &Context<'_>) -> SortKey>,
}

/// Which column rows are sorted by, and whether the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Place of the column in the table's list.
    pub column: usize,
    /// The other way round.
    pub reversed: bool,
}

/// A column with its place on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Its heading.
    pub title: &'static str,
    /// Its place in the table's list.
    pub column: usize,
    /// It can be sorted by.
    pub sortable: bool,
    /// From the left.
    pub x: u16,
    /// How wide it is.
    pub width: u16,
    /// Its text stands at the right.
    pub right: bool,
}

/// What identifies a row, however rows are sorted.
pub type RowId = u64;

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is about.
    pub id: RowId,
    /// One for each heading.
    pub cells: Vec<Cell>,
}

/// What is on the screen of a list or a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// The columns.
    pub headings: Vec<Heading>,
    /// The rows that are seen.
    pub rows: Vec<Row>,
    /// How it is sorted, if it is.
    pub order: Option<Order>,
    /// Rows there are.
    pub count: usize,
    /// Place of the first row that is seen.
    pub top: usize,
    /// Place of the row under the cursor, if there is one.
    pub cursor: Option<usize>,
    /// What that row is about.
    pub selected: Option<RowId>,
    /// Calls that have no row of their own.
    pub crowded_out: u64,
    /// Whether what was sought was found, if something was.
    pub found: Option<bool>,
}

/// Where a list stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The row under the cursor.
    pub id: Option<RowId>,
    /// Where it was: if it is gone, the cursor stays there.
    pub at: usize,
    /// The first row that is seen.
    pub top: usize,
    /// Rows that the cursor still has to move.
    pub step: isize,
}

impl Place {
    /// Finds the cursor among so many rows, of which `height` are seen. `find` knows where a row is.
    #[must_use]
    pub fn settle(self, count: usize, height: usize, find: impl FnOnce(RowId) -> Option<usize>) -> Self {
        let last = count.saturating_sub(1);
        let at =
            self.id.and_then(find).unwrap_or(self.at).min(last).saturating_add_signed(self.step).min(last);
        let top = self.top.min(count.saturating_sub(height)).min(at).max((at + 1).saturating_sub(height));
        Self { id: self.id, at, top, step: 0 }
    }
}

/// Chooses the columns that there is room for and gives each its place, one space apart.
pub fn headings<R>(columns: &[Column<R>], total: u16) -> Vec<Heading> {
    let mut chosen: Vec<usize> = (0..columns.len()).collect();
    let column = |place: usize| columns.get(place);
    let least = |place: &usize| column(*place).map_or(0, |column| column.width.least(total));
    let taken = |chosen: &[usize]| {
        let gaps = u16::try_from(chosen.len().saturating_sub(1)).unwrap_or(u16::MAX);
        chosen.iter().map(least).fold(gaps, u16::saturating_add)
    };
    while taken(&chosen) > total && chosen.len() > 1 {
        let rank = |place: &usize| column(*place).map(|column| column.rank);
        let Some(worst) = chosen.iter().map(rank).max() else { break };
        chosen.retain(|place| rank(place) != worst);
    }
    let mut rest = total.saturating_sub(taken(&chosen));
    let part = |place: &usize| match column(*place).map(|column| column.width) {
        Some(Width::Share(_, part)) => part,
        _ => 0,
    };
    let mut parts: u16 = chosen.iter().map(part).sum();
    let mut x: u16 = 0;
    let mut headings = Vec::new();
    for place in &chosen {
        let Some(column) = columns.get(*place) else { continue };
        let part = part(place);
        let more = u32::from(rest) * u32::from(part) / u32::from(parts.max(1));
        let more = u16::try_from(more).unwrap_or(u16::MAX);
        (rest, parts) = (rest - more, parts - part);
        let width = (least(place) + more).min(total.saturating_sub(x));
        headings.push(Heading {
            title: column.title,
            column: *place,
            sortable: column.key.is_some(),
            x,
            width,
            right: column.right,
        });
        x = x.saturating_add(width).saturating_add(1);
    }
    headings
}

/// Sorts rows as wished; equal ones stay as they are.
pub fn sort<R>(rows: &mut [(RowId, &R)], columns: &[Column<R>], order: Order, context: &Context<'_>) {
    if let Some(key) = columns.get(order.column).and_then(|column| column.key) {
        rows.sort_by_cached_key(|(_, row)| key(row, context));
    }
    if order.reversed {
        rows.reverse();
    }
}

/// The cells of a row.
pub fn cells<R>(row: &R, columns: &[Column<R>], headings: &[Heading], context: &Context<'_>) -> Vec<Cell> {
    let cell = |heading: &Heading| {
        columns.get(heading.column).map(|column| (column.cell)(row, context, usize::from(heading.width)))
    };
    headings.iter().filter_map(cell).collect()
}

/// Room enough for what a cell has to say.
const WHOLE: usize = 400;

impl Needle {
    /// The next row with the text, in any of its columns, whether there is room for them or not.
    fn find<R>(
        &self,
        rows: &[(RowId, &R)],
        at: usize,
        columns: &[Column<R>],
        context: &Context<'_>,
    ) -> Option<usize> {
        let says = |text: &str| text.to_lowercase().contains(&self.text);
        let has = |row: &R| {
            columns.iter().any(|column| match (column.cell)(row, context, WHOLE) {
                Cell::Text(text, _) => says(&text),
                Cell::Parts(parts) => says(&parts.into_iter().map(|(text, _)| text).collect::<String>()),
                Cell::Spark(_) => false,
            })
        };
        let matches = |place: &usize| rows.get(*place).is_some_and(|(_, row)| has(row));
        if self.forward { (at + 1..rows.len()).find(matches) } else { (0..at).rev().find(matches) }
    }
}

/// Makes a sheet of rows that are in order.
pub fn build<R>(
    rows: &[(RowId, &R)],
    columns: &[Column<R>],
    order: Option<Order>,
    place: Place,
    (total, height): (u16, usize),
    context: &Context<'_>,
) -> Sheet {
    let place = place.settle(rows.len(), height, |id| rows.iter().position(|(of, _)| *of == id));
    let found = context.sought.map(|sought| sought.find(rows, place.at, columns, context));
    let place = match found {
        Some(Some(at)) => Place { id: None, at, ..place }.settle(rows.len(), height, |_| None),
        _ => place,
    };
    let headings = headings(columns, total);
    let seen = rows.iter().skip(place.top).take(height);
    let seen = seen.map(|(id, row)| Row { id: *id, cells: cells(*row, columns, &headings, context) });
    Sheet {
        rows: seen.collect(),
        headings,
        order,
        count: rows.len(),
        top: place.top,
        cursor: (!rows.is_empty()).then_some(place.at),
        selected: rows.get(place.at).map(|(id, _)| *id),
        crowded_out: 0,
        found: found.map(|place| place.is_some()),
    }
}

/// The request's name. An encoding that does not fit is better read as a number.
#[must_use]
pub fn request_name(name: &str, number: Option<u32>, room: usize) -> String {
    match number {
        Some(number) if name.starts_with("_IOC(") && width(name) > room => format!("{number:#010x}"),
        _ => fit(name, room).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::decoder;

    fn column(title: &'static str, width: Width, rank: u8) -> Column<u64> {
        let cell = |row: &u64, _: &Context<'_>, _| Cell::plain(row.to_string());
        Column { title, width, right: false, rank, cell, key: Some(|row, _| number(*row)) }
    }

    #[test]
    fn shares_take_what_is_left_and_the_least_important_goes_first() {
        let columns = [
            column("a", Width::Fixed(5), 0),
            column("b", Width::Share(4, 2), 1),
            column("c", Width::Share(4, 3), 2),
        ];
        let placed =
            |total| -> Vec<_> { headings(&columns, total).iter().map(|h| (h.title, h.x, h.width)).collect() };
        assert_eq!(placed(35), [("a", 0, 5), ("b", 6, 12), ("c", 19, 16)]);
        assert_eq!(placed(14), [("a", 0, 5), ("b", 6, 8)]);
        assert_eq!(placed(3), [("a", 0, 3)]);
    }

    #[test]
    fn the_cursor_stays_on_its_row_and_in_sight() {
        let columns = [column("a", Width::Fixed(5), 0)];
        let mut values: Vec<u64> = (0..10).collect();
        let (decoder, clock) = (decoder(), WallClock::fixed(0));
        let (folded, holders) = (HashSet::new(), Holders::new());
        let (decoder, clock, folded, holders) = (&decoder, &clock, &folded, &holders);
        let context = Context { store: None, decoder, clock, now_s: 0, folded, holders, sought: None };
        let sheet = |values: &[u64], place, reversed| {
            let mut rows: Vec<_> = values.iter().map(|value| (*value, value)).collect();
            let order = Order { column: 0, reversed };
            sort(&mut rows, &columns, order, &context);
            build(&rows, &columns, Some(order), place, (10, 3), &context)
        };
        let first = sheet(&values, Place::default(), false);
        assert_eq!((first.selected, first.top, first.rows.len()), (Some(9), 0, 3));
        let place = Place { id: Some(9), step: 4, ..Place::default() };
        let moved = sheet(&values, place, false);
        assert_eq!((moved.selected, moved.top, moved.cursor), (Some(5), 2, Some(4)));
        let place = Place { id: Some(5), at: 4, top: 2, step: 0 };
        assert_eq!(sheet(&values, place, true).cursor, Some(5), "it goes with its row");
        values.remove(5);
        assert_eq!(sheet(&values, place, false).cursor, Some(4), "and stays where a row is gone");
        assert_eq!(sheet(&[], place, false).selected, None);
    }
}
