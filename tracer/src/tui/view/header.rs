//! The first lines: what is traced, how fast calls come, and what they add up to.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::put;
use crate::escape::escaped;
use crate::tui::{
    model::{Model, Origin},
    text::{Clock, Grouped, width},
};

/// A piece of a line. When there is no room for all, those of the highest rank go first.
struct Part {
    rank: u8,
    text: String,
    style: Style,
}

const GAP: usize = 2;

/// Draws the header.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let (mut above, below) = (state(model), totals(model));
    if area.height < 2 {
        above.extend(below);
        line(above, area, buf);
        return;
    }
    line(above, Rect { height: 1, ..area }, buf);
    line(below, super::below(area), buf);
}

fn line(mut parts: Vec<Part>, area: Rect, buf: &mut Buffer) {
    let room = usize::from(area.width);
    let taken =
        |parts: &[Part]| parts.iter().map(|p| width(&p.text) + GAP).sum::<usize>().saturating_sub(GAP);
    while taken(&parts) > room && parts.len() > 1 {
        let Some(worst) = parts.iter().map(|part| part.rank).max() else { break };
        if let Some(place) = parts.iter().rposition(|part| part.rank == worst) {
            parts.remove(place);
        }
    }
    let mut x = 0;
    for part in parts {
        x = put(buf, area, x, &part.text, part.style) + 2;
    }
}

fn state(model: &Model) -> Vec<Part> {
    let theme = &model.theme;
    let mut parts = vec![
        Part { rank: 7, text: "ioctl-trace".to_owned(), style: theme.strong },
        Part { rank: 4, text: model.subject.clone(), style: Style::new() },
        Part { rank: 6, text: processes(model), style: Style::new() },
        Part { rank: 3, text: Clock(model.elapsed_s()).to_string(), style: Style::new() },
        Part { rank: 1, text: format!("{} calls/s", Grouped(model.rate())), style: theme.strong },
    ];
    if model.origin == Origin::Recording {
        let text = if model.over.is_some() { "end of the recording" } else { "reading …" };
        parts.push(Part { rank: 5, text: text.to_owned(), style: theme.faint });
    }
    if let Some(writing) = &model.picture.writing {
        let text = format!(" ● {} in {} ", Grouped(writing.calls), escaped(writing.name.as_bytes()));
        parts.push(Part { rank: 2, text, style: theme.notice });
    }
    if let Some(held) = &model.held {
        let more = model.calls.saturating_sub(held.store.sum.calls);
        let text = format!(" PAUSED, {} more since ", Grouped(more));
        parts.push(Part { rank: 0, text, style: theme.notice });
    }
    parts
}

/// How many processes are traced; of the whole machine, how many made calls.
fn processes(model: &Model) -> String {
    let (count, what, or_more) = match (model.status.targets, model.picture.processes) {
        (Some(count), _) => (count, "traced", ""),
        (None, (seen, more)) => (seen, "seen", if more { "+" } else { "" }),
    };
    let plural = if count == 1 { "" } else { "es" };
    format!("{}{or_more} process{plural} {what}", Grouped(count as u64))
}

fn totals(model: &Model) -> Vec<Part> {
    let theme = &model.theme;
    let accounts = &model.status.accounts;
    let lost = accounts.lost();
    let loud = |count: u64, style: Style| if count > 0 { style } else { theme.faint };
    vec![
        Part { rank: 2, text: format!("{} calls", Grouped(model.calls)), style: theme.strong },
        Part {
            rank: 3,
            text: format!("{} failed", Grouped(model.failed)),
            style: loud(model.failed, theme.failed),
        },
        Part { rank: 1, text: format!("{} lost", Grouped(lost)), style: loud(lost, theme.alarm) },
        Part { rank: 4, text: format!("{} running", Grouped(accounts.in_flight())), style: theme.faint },
    ]
}
