//! The table of requests and devices.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Title, below,
    columns::{Column, Placed, Width, left, place, right},
    title,
};
use crate::{
    totals::Human,
    tui::{
        groups::{Group, SortBy},
        model::{Model, Pane},
        text::{Grouped, Short, width},
    },
};

const REQUEST: Column<SortBy> = left(SortBy::Request, Width::Share(3));
const DEVICE: Column<SortBy> = left(SortBy::Device, Width::Share(2));
/// Times have at most seven characters; the arrow of the sorted column needs room too.
const TIME: u16 = 7;

/// Columns for a screen of at least so many columns, widest first.
const LAYOUTS: [(u16, &[Column<SortBy>]); 3] = [
    (
        90,
        &[
            right(SortBy::Calls, 9),
            right(SortBy::Errors, 8),
            right(SortBy::Total, TIME),
            right(SortBy::Mean, TIME),
            right(SortBy::P99, TIME),
            right(SortBy::Max, TIME),
            REQUEST,
            DEVICE,
        ],
    ),
    (
        60,
        &[
            right(SortBy::Calls, 7),
            right(SortBy::Errors, 7),
            right(SortBy::Total, TIME),
            right(SortBy::P99, TIME),
            right(SortBy::Max, TIME),
            REQUEST,
            DEVICE,
        ],
    ),
    (0, &[right(SortBy::Calls, 7), right(SortBy::Total, TIME), REQUEST]),
];

/// Draws the table.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let (theme, groups) = (&model.theme, &model.picture().groups);
    let arrow = arrow(model);
    let state = format!("by {} {arrow}", model.order.by.title());
    let mut amount = format!("{} rows", Grouped(groups.len() as u64));
    if groups.crowded_out() > 0 {
        amount.push_str(&format!(", {} calls without a row", Grouped(groups.crowded_out())));
    }
    let focused = model.focus == Pane::Groups;
    title(buf, area, theme, Title { focused, name: "Requests × devices", state, amount });
    let columns =
        LAYOUTS.iter().find(|(from, _)| area.width >= *from).map_or(&[][..], |(_, columns)| columns);
    let columns = place(columns, area.width);
    let heading = below(area);
    for column in columns.iter().filter(|_| !heading.is_empty()) {
        let name = column.field.title();
        if column.field == model.order.by {
            column.put(buf, heading, &format!("{name}{arrow}"), theme.sorted);
        } else {
            column.put(buf, heading, name, theme.faint);
        }
    }
    let mut lines = below(heading);
    let top = model.groups_top.min(groups.len().saturating_sub(usize::from(lines.height)));
    for group in groups.rows(top).take(usize::from(lines.height)) {
        for column in &columns {
            let (text, style) = cell(model, group, column);
            column.put(buf, Rect { height: 1, ..lines }, &text, style);
        }
        lines = below(lines);
    }
}

/// Which way the order goes: names begin small, numbers large.
const fn arrow(model: &Model) -> &'static str {
    let names = matches!(model.order.by, SortBy::Request | SortBy::Device);
    if names == model.order.reversed { "↓" } else { "↑" }
}

fn cell(model: &Model, group: &Group, column: &Placed<SortBy>) -> (String, Style) {
    let (t, theme) = (&group.totals, &model.theme);
    let time = |ns| (Human(ns).to_string(), Style::new());
    match column.field {
        SortBy::Calls => (Short(t.calls()).to_string(), theme.strong),
        SortBy::Errors => {
            (Short(t.errors()).to_string(), if t.errors() > 0 { theme.failed } else { theme.faint })
        }
        SortBy::Total => time(t.total_ns()),
        SortBy::Mean => time(t.mean_ns()),
        SortBy::P99 => time(t.percentile_ns(99)),
        SortBy::Max => time(t.max_ns()),
        SortBy::Request => (request(group, column.room()), theme.request),
        SortBy::Device => (group.device.clone(), Style::new()),
    }
}

/// The request's name. An encoding that does not fit is better read as a number.
fn request(group: &Group, room: usize) -> String {
    match group.number {
        Some(number) if group.request.starts_with("_IOC(") && width(&group.request) > room => {
            format!("{number:#010x}")
        }
        _ => group.request.clone(),
    }
}
