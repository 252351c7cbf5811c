//! Calls as rows: the stream, and those that are inside the kernel.

use std::{collections::VecDeque, ops::Range};

use ioctl_registry::{Style, Value};

use super::{
    keymap::Motion,
    sheet::{self, Cell, Column, Context, Row, Sheet, Width, number, request_name},
    store::calls::Calls,
    text::{fit, fit_end, width},
    theme::{Tone, family},
};
use crate::{
    errno,
    escape::{escaped, visible},
    event::{Call, Event, Outcome, Target},
    sink::text::{FdStyle, write_target},
    totals::Human,
};

/// From this width on, times have microseconds.
const MICROS: usize = 15;

#[rustfmt::skip]
const STREAM: &[Column<Event>] = &[
    Column { title: "time", width: Width::Wide(8, 15), right: false, rank: 5,
        cell: |e, c, room| Cell::Text(time(c, e.call.start_ns, room), Tone::Faint), key: None },
    Column { title: "process", width: Width::Wide(14, 22), right: false, rank: 3,
        cell: |e, _, room| Cell::plain(task(e, room)), key: None },
    Column { title: "fd", width: Width::Share(12, 1), right: false, rank: 4,
        cell: |e, _, room| Cell::plain(file(e, room)), key: None },
    Column { title: "request", width: Width::Share(15, 3), right: false, rank: 0,
        cell: request, key: None },
    Column { title: "result", width: Width::Wide(9, 14), right: false, rank: 1,
        cell: |e, _, _| result(&e.call), key: None },
    Column { title: "took", width: Width::Fixed(7), right: true, rank: 2,
        cell: |e, _, _| Cell::Text(Human(e.call.duration_ns).to_string(), Tone::Faint), key: None },
];

/// Columns of the calls that are inside the kernel.
#[rustfmt::skip]
pub const IN_FLIGHT: &[Column<Event>] = &[
    Column { title: "age", width: Width::Fixed(8), right: true, rank: 0,
        cell: |e, _, _| Cell::Text(Human(e.call.duration_ns).to_string(), age(e.call.duration_ns)),
        key: Some(|e, _| number(e.call.duration_ns)) },
    Column { title: "process", width: Width::Wide(13, 24), right: false, rank: 1,
        cell: |e, _, room| Cell::plain(task(e, room)),
        key: Some(|e, _| sheet::SortKey::Text(escaped(e.call.comm.as_bytes()))) },
    Column { title: "fd", width: Width::Share(12, 1), right: false, rank: 3,
        cell: |e, _, room| Cell::plain(file(e, room)), key: None },
    Column { title: "request", width: Width::Share(14, 2), right: false, rank: 2,
        cell: request, key: Some(|e, _| sheet::SortKey::Text(e.request.to_string())) },
    Column { title: "since", width: Width::Wide(8, 15), right: false, rank: 4,
        cell: |e, c, room| Cell::Text(time(c, e.call.start_ns, room), Tone::Faint), key: None },
];

/// A call that lasts a second is worth a look; one that lasts ten seconds hangs.
const fn age(ns: u64) -> Tone {
    match ns {
        10_000_000_000.. => Tone::Failed,
        1_000_000_000.. => Tone::Unfinished,
        _ => Tone::Plain,
    }
}

/// The time of day, to the second.
pub fn second(context: &Context<'_>, ns: u64) -> String {
    context.clock.local_second(context.clock.epoch(ns).0)
}

fn time(context: &Context<'_>, ns: u64, room: usize) -> String {
    let mut text = second(context, ns);
    if room >= MICROS {
        text.push_str(&format!(".{:06}", context.clock.epoch(ns).1 / 1_000));
    }
    text
}

/// Name and number of the task; the number stays when there is little room.
fn task(event: &Event, room: usize) -> String {
    let call = &event.call;
    let id = if call.pid == call.tid { call.pid.to_string() } else { format!("{}/{}", call.pid, call.tid) };
    let name = escaped(call.comm.as_bytes());
    match room.checked_sub(width(&id) + 1) {
        Some(left @ 1..) => format!("{} {id}", fit(&name, left)),
        _ => id,
    }
}

/// Descriptor and file in so much room.
#[must_use]
pub fn file(event: &Event, room: usize) -> String {
    let fd = event.call.descriptor();
    match &event.call.target {
        Target::NotOpen => format!("{fd} not open"),
        Target::Unreadable => format!("{fd} unreadable"),
        Target::Handle => fd.to_string(),
        Target::File(file) if file.target.is_empty() => match event.device() {
            Some(device) => format!("{fd}<{}>", device.kind_name()),
            None => fd.to_string(),
        },
        Target::File(file) => {
            let mut path = String::new();
            // Writing to a string cannot fail.
            let _ = write_target(&mut path, file, FdStyle::Path);
            let around = format!("{fd}<>");
            format!("{fd}<{}>", fit_end(&path, room.saturating_sub(width(&around))))
        }
    }
}

/// Stands before the control codes of Windows programs.
const WINDOWS: &str = "⊞ ";
/// Stands before the calls that a control code caused.
const CHILD: &str = "└ ";

/// The request, and as much of its argument as there is room for.
fn request(event: &Event, context: &Context<'_>, room: usize) -> Cell {
    let named = event.request.named().first();
    let tone = named.map_or(Tone::Plain, |named| family(named.request.family()));
    // What a control code caused stands below it.
    let mark = match (&event.call.control, event.call.parent_ns) {
        (Some(_), _) => WINDOWS,
        (None, Some(_)) => CHILD,
        (None, None) => "",
    };
    let room = room.saturating_sub(width(mark));
    let name = request_name(&visible(&event.request.to_string()), Some(event.call.request), room);
    let left = room.saturating_sub(width(&name) + 1);
    let mut parts = vec![(mark.to_owned(), Tone::Faint), (name, tone)];
    // Less than this says nothing.
    if left >= 6
        && let Some((left, right)) = argument(event, context)
    {
        parts.push((format!(" {left}"), Tone::Faint));
        if let Some(right) = right {
            parts.push((" → ".to_owned(), Tone::Faint));
            parts.push((right, Tone::Changed));
        }
    }
    Cell::Parts(parts)
}

/// The argument as in the lines: what was handed over, and what changed of it.
fn argument(event: &Event, context: &Context<'_>) -> Option<(String, Option<String>)> {
    let (before, after) = context.decoder.arguments(event);
    let style = Style { limit: 16, ..Style::default() };
    if event.call.control.is_some() {
        // Two buffers: what came back is no change of what was given.
        let known = |value: Option<Value>| value.filter(|value| !matches!(value, Value::Pointer(_)));
        let shown = |value: Option<Value>| known(value).map(|value| value.display(&style).to_string());
        let (left, right) = (shown(before), shown(after));
        return (left.is_some() || right.is_some()).then(|| (left.unwrap_or_default(), right));
    }
    let exchange = Value::exchange(before, after);
    let left = exchange.left?;
    let right = exchange.right.map(|right| right.display(&style).to_string());
    Some((left.display(&style).to_string(), right))
}

/// What came back.
#[must_use]
pub fn outcome(outcome: Outcome) -> Cell {
    let (text, tone) = match (outcome, outcome.errno()) {
        (_, Some(number)) if errno::is_restart(number) => {
            (format!("? {}", errno::name(number)), Tone::Unfinished)
        }
        (_, Some(number)) => (errno::name(number).into_owned(), Tone::Failed),
        (Outcome::Returned(value), None) => {
            (value.to_string(), if value < 0 { Tone::Failed } else { Tone::Good })
        }
        (Outcome::Killed(_), _) => ("? killed".into(), Tone::Unfinished),
        (Outcome::Ended, _) => ("? ended".into(), Tone::Unfinished),
        (Outcome::Running, _) => ("? running".into(), Tone::Unfinished),
    };
    Cell::Text(text, tone)
}

/// What came back of any call.
#[must_use]
pub fn result(call: &Call) -> Cell {
    match call.status() {
        Some(status) => {
            let tone = if call.failed() { Tone::Failed } else { Tone::Good };
            let name = errno::status_name(status);
            Cell::Text(name.strip_prefix("STATUS_").unwrap_or(&name).to_owned(), tone)
        }
        None => outcome(call.outcome),
    }
}

/// The calls that the stream shows: all that are kept, or those that were found.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    /// All of them.
    pub calls: &'a Calls,
    /// Numbers of those that were found.
    pub found: Option<&'a VecDeque<u64>>,
}

impl Lines<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.map_or_else(|| self.calls.len(), VecDeque::len)
    }

    /// The call's number at a place.
    #[must_use]
    pub fn number(&self, place: usize) -> Option<u64> {
        match self.found {
            Some(found) => found.get(place).copied(),
            None => Some(self.calls.first() + place as u64).filter(|number| *number < self.calls.end()),
        }
    }

    /// The place of a call, or where it would be.
    #[must_use]
    pub fn place(&self, number: u64) -> usize {
        match self.found {
            Some(found) => found.partition_point(|&of| of < number),
            None => usize::try_from(number.saturating_sub(self.calls.first())).unwrap_or(usize::MAX),
        }
    }
}

/// Where the stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The call under the cursor; `None` follows the newest one.
    pub cursor: Option<u64>,
    /// The call at the top, if it does not follow.
    pub top: u64,
}

impl Standing {
    /// Where it is among the calls: the places that are seen, and that of the cursor.
    #[must_use]
    pub fn window(&self, lines: Lines<'_>, height: usize) -> (Range<usize>, Option<usize>) {
        let (count, last) = (lines.len(), lines.len().saturating_sub(1));
        let lowest = count.saturating_sub(height);
        let Some(cursor) = self.cursor.filter(|_| count > 0) else { return (lowest..count, None) };
        let at = lines.place(cursor).min(last);
        let top = lines.place(self.top).min(lowest).min(at).max((at + 1).saturating_sub(height));
        (top..(top + height).min(count), Some(at))
    }

    /// The same with the cursor moved. From the newest call it goes no further than following.
    #[must_use]
    pub fn moved(&self, motion: Motion, lines: Lines<'_>, height: usize) -> Self {
        let (window, at) = self.window(lines, height);
        let count = lines.len();
        // While it follows, the cursor is below the newest call.
        let target = at.unwrap_or(count).saturating_add_signed(super::model::rows(motion, height));
        if target >= count {
            return Self::default();
        }
        self.to(target, lines, window)
    }

    /// The same with what is seen held in place: the newest call under the cursor.
    #[must_use]
    pub fn held(&self, lines: Lines<'_>, height: usize) -> Self {
        let (window, at) = self.window(lines, height);
        self.to(at.unwrap_or(lines.len().saturating_sub(1)), lines, window)
    }

    /// The same with the cursor at a place.
    #[must_use]
    pub fn to(&self, place: usize, lines: Lines<'_>, window: Range<usize>) -> Self {
        Self { cursor: lines.number(place), top: lines.number(window.start).unwrap_or(0) }
    }
}

/// What the stream shows.
pub fn sheet(lines: Lines<'_>, standing: Standing, size: (u16, usize), context: &Context<'_>) -> Sheet {
    let headings = sheet::headings(STREAM, size.0);
    let (window, cursor) = standing.window(lines, size.1);
    let row = |place| {
        let id = lines.number(place)?;
        Some(Row { id, cells: sheet::cells(lines.calls.get(id)?, STREAM, &headings, context) })
    };
    let rows = window.clone().filter_map(row).collect();
    let selected = cursor.and_then(|place| lines.number(place));
    Sheet {
        rows,
        order: None,
        count: lines.len(),
        top: window.start,
        cursor,
        selected,
        crowded_out: 0,
        found: None,
        headings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::call;

    fn calls(count: u64) -> Calls {
        let mut calls = Calls::new(usize::MAX);
        calls.add((0..count).map(|n| call(n).event()).collect());
        calls
    }

    #[test]
    fn the_stream_follows_until_the_cursor_moves() {
        let mut calls = calls(10);
        let window = |standing: Standing, calls: &Calls| {
            let (range, at) = standing.window(Lines { calls, found: None }, 3);
            (range.start, range.end, at)
        };
        let follow = Standing::default();
        assert_eq!(window(follow, &calls), (7, 10, None));
        let lines = Lines { calls: &calls, found: None };
        let up = follow.moved(Motion::Up, lines, 3);
        assert_eq!(window(up, &calls), (7, 10, Some(9)), "the newest call is held first");
        let up = (0..4).fold(up, |standing, _| standing.moved(Motion::Up, lines, 3));
        assert_eq!(window(up, &calls), (5, 8, Some(5)));
        assert_eq!(up.moved(Motion::Down, lines, 3).cursor, Some(6));
        assert_eq!(up.moved(Motion::End, lines, 3), follow);
        assert_eq!(window(up.moved(Motion::Start, lines, 3), &calls), (0, 3, Some(0)));
        calls.add(vec![call(10).event()]);
        assert_eq!(window(up, &calls), (5, 8, Some(5)), "new calls do not move it");
    }

    #[test]
    fn what_was_found_has_places_of_its_own() {
        let calls = calls(10);
        let found: VecDeque<u64> = [1, 4, 8].into();
        let lines = Lines { calls: &calls, found: Some(&found) };
        assert_eq!((lines.len(), lines.number(1), lines.place(4), lines.place(5)), (3, Some(4), 1, 2));
        let standing = Standing { cursor: Some(4), top: 1 };
        assert_eq!(standing.window(lines, 2), (0..2, Some(1)));
        assert_eq!(standing.moved(Motion::Down, lines, 2).cursor, Some(8));
    }

    #[test]
    fn short_and_empty_lists_do_not_scroll() {
        let (none, two) = (calls(0), calls(2));
        let empty = Lines { calls: &none, found: None };
        assert_eq!(Standing::default().moved(Motion::Up, empty, 3), Standing::default());
        assert_eq!(Standing { cursor: Some(7), top: 7 }.window(empty, 3), (0..0, None));
        let two = Lines { calls: &two, found: None };
        assert_eq!(Standing { cursor: Some(9), top: 9 }.window(two, 3), (0..2, Some(1)));
    }
}
