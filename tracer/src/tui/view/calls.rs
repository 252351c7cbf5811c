//! The list of calls.

use std::borrow::Cow;

use ioctl_registry::Lookup;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Title, below,
    columns::{Column, Placed, Width, left, place, right},
    put, title,
};
use crate::{
    clock::SecondCache,
    errno,
    escape::escaped,
    event::{Event, Outcome, Target},
    sink::text::{FdStyle, write_target},
    totals::Human,
    tui::{
        calls::Scroll,
        model::{Model, Pane},
        text::{Grouped, fit, fit_end, width},
        theme::Theme,
    },
};

#[derive(Clone, Copy, Debug)]
enum Field {
    Time,
    Task,
    File,
    Request,
    Result,
    Took,
}

impl Field {
    const fn title(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Task => "process",
            Self::File => "fd",
            Self::Request => "request",
            Self::Result => "result",
            Self::Took => "took",
        }
    }
}

const fn fixed(field: Field, columns: u16) -> Column<Field> {
    left(field, Width::Fixed(columns))
}

const fn share(field: Field, part: u16) -> Column<Field> {
    left(field, Width::Share(part))
}

/// Columns for a screen of at least so many columns, widest first.
const LAYOUTS: [(u16, &[Column<Field>]); 4] = [
    (
        110,
        &[
            fixed(Field::Time, 15),
            fixed(Field::Task, 22),
            share(Field::File, 1),
            share(Field::Request, 1),
            fixed(Field::Result, 14),
            right(Field::Took, 7),
        ],
    ),
    (
        70,
        &[
            fixed(Field::Time, 8),
            fixed(Field::Task, 14),
            share(Field::File, 2),
            share(Field::Request, 3),
            fixed(Field::Result, 10),
            right(Field::Took, 7),
        ],
    ),
    (50, &[fixed(Field::Task, 13), share(Field::Request, 1), fixed(Field::Result, 9), right(Field::Took, 7)]),
    (0, &[share(Field::Request, 1), fixed(Field::Result, 9), right(Field::Took, 7)]),
];

/// From this width on, times have microseconds.
const MICROS_COLUMNS: usize = 15;

/// Draws the list.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let (theme, calls) = (&model.theme, &model.picture().calls);
    let mut lines = below(below(area));
    let height = usize::from(lines.height);
    let (focused, amount) = (model.focus == Pane::Calls, amount(calls.len(), calls.dropped()));
    let state = match model.scroll {
        Scroll::Follow if model.held.is_some() => "held".to_owned(),
        Scroll::Follow => "following".to_owned(),
        Scroll::At(_) => {
            format!("{} more below, G follows", Grouped(calls.below(model.scroll, height) as u64))
        }
    };
    title(buf, area, theme, Title { focused, name: "Calls", state, amount });
    let columns =
        LAYOUTS.iter().find(|(from, _)| area.width >= *from).map_or(&[][..], |(_, columns)| columns);
    let columns = place(columns, area.width);
    let heading = below(area);
    for column in columns.iter().filter(|_| !heading.is_empty()) {
        column.put(buf, heading, column.field.title(), theme.faint);
    }
    if calls.len() == 0 && !lines.is_empty() {
        let text = if model.over.is_some() { "no calls" } else { "waiting for calls …" };
        put(buf, lines, 0, text, theme.faint);
    }
    let mut seconds = SecondCache::default();
    for event in calls.window(model.scroll, height) {
        let line = Rect { height: 1, ..lines };
        for column in &columns {
            let (text, style) = cell(model, event, column, &mut seconds);
            column.put(buf, line, &text, style);
        }
        lines = below(lines);
    }
}

fn amount(kept: usize, dropped: u64) -> String {
    match dropped {
        0 => format!("{} kept", Grouped(kept as u64)),
        _ => format!("last {} kept, {} older dropped", Grouped(kept as u64), Grouped(dropped)),
    }
}

fn cell<'e>(
    model: &Model,
    event: &'e Event,
    column: &Placed<Field>,
    seconds: &mut SecondCache,
) -> (Cow<'e, str>, Style) {
    let (call, theme) = (&event.call, &model.theme);
    match column.field {
        Field::Time => {
            let (second, nanos) = model.clock.epoch(call.start_ns);
            let mut text = seconds.get(second, |s| model.clock.local_second(s)).to_owned();
            if column.room() >= MICROS_COLUMNS {
                text.push_str(&format!(".{:06}", nanos / 1_000));
            }
            (text.into(), theme.faint)
        }
        Field::Task => (task(event, column.room()).into(), Style::new()),
        Field::File => (file(event, column.room()).into(), Style::new()),
        Field::Request => (request(event, column.room()), theme.request),
        Field::Result => outcome(call.outcome, theme),
        Field::Took => (Human(call.duration_ns).to_string().into(), theme.faint),
    }
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

fn file(event: &Event, room: usize) -> String {
    let fd = event.call.fd;
    match &event.call.target {
        Target::NotOpen => format!("{fd} not open"),
        Target::Unreadable => format!("{fd} unreadable"),
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

/// The request's name. An encoding that does not fit is better read as a number.
fn request(event: &Event, room: usize) -> Cow<'_, str> {
    match &event.request {
        Lookup::Exact(_) | Lookup::Ambiguous(_) => event.request.to_string().into(),
        Lookup::Resized(..) | Lookup::Block(..) | Lookup::Unknown(_) => {
            let text = event.request.to_string();
            if width(&text) <= room { text.into() } else { format!("{:#010x}", event.call.request).into() }
        }
    }
}

fn outcome(outcome: Outcome, theme: &Theme) -> (Cow<'static, str>, Style) {
    match (outcome, outcome.errno()) {
        (_, Some(number)) if errno::is_restart(number) => {
            (format!("? {}", errno::name(number)).into(), theme.unfinished)
        }
        (_, Some(number)) => (errno::name(number), theme.failed),
        (Outcome::Returned(value), None) => {
            (value.to_string().into(), if value < 0 { theme.failed } else { theme.good })
        }
        (Outcome::Killed(_), _) => ("? killed".into(), theme.unfinished),
        (Outcome::Ended, _) => ("? ended".into(), theme.unfinished),
        (Outcome::Running, _) => ("? running".into(), theme.unfinished),
    }
}
