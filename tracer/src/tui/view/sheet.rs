//! Lists and tables: titles, headings and rows.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{below, graph, put};
use crate::tui::{
    sheet::{Cell, Heading, Order, Sheet},
    text::{fit, width},
    theme::Theme,
};

/// The line above a pane: its name, how it stands and, at the right, how much is in it.
pub(super) struct Title<'a> {
    pub(super) focused: bool,
    pub(super) name: &'a str,
    pub(super) state: String,
    /// At length and shorter.
    pub(super) amounts: [String; 2],
}

/// Draws it.
pub(super) fn title(buf: &mut Buffer, area: Rect, theme: &Theme, parts: &Title<'_>) {
    let line = Rect { height: 1.min(area.height), ..area };
    put(buf, line, 0, &"─".repeat(usize::from(area.width)), theme.faint);
    let style = if parts.focused { theme.focus } else { theme.strong };
    let end = put(buf, line, 1, &format!(" {} ", parts.name), style);
    let state = if parts.state.is_empty() { String::new() } else { format!("{} ", parts.state) };
    let end = put(buf, line, end, &state, theme.faint);
    for amount in &parts.amounts {
        let amount = format!(" {amount} ");
        let taken = u16::try_from(width(&amount)).unwrap_or(u16::MAX);
        // The amount must not cut into the rest.
        if let Some(x) = area.width.checked_sub(taken.saturating_add(1)).filter(|&x| x > end) {
            put(buf, line, x, &amount, theme.faint);
            return;
        }
    }
}

/// Draws headings and rows.
pub(super) fn rows(buf: &mut Buffer, area: Rect, theme: &Theme, sheet: &Sheet) {
    let line = Rect { height: 1.min(area.height), ..area };
    for heading in &sheet.headings {
        let sorted = sheet.order.filter(|order| order.column == heading.column);
        match sorted {
            Some(order) => {
                put_text(buf, line, heading, &format!("{}{}", heading.title, arrow(order)), theme.sorted);
            }
            None => put_text(buf, line, heading, heading.title, theme.faint),
        }
    }
    let mut lines = below(area);
    for (place, row) in (sheet.top..).zip(&sheet.rows) {
        let line = Rect { height: 1.min(lines.height), ..lines };
        for (heading, cell) in sheet.headings.iter().zip(&row.cells) {
            put_cell(buf, line, heading, cell, theme);
        }
        if sheet.cursor == Some(place) {
            buf.set_style(line, theme.cursor);
        }
        lines = below(lines);
    }
}

/// Which way the order goes.
const fn arrow(order: Order) -> &'static str {
    if order.reversed { "↑" } else { "↓" }
}

fn put_text(buf: &mut Buffer, line: Rect, heading: &Heading, text: &str, style: Style) {
    let text = fit(text, usize::from(heading.width));
    let free = usize::from(heading.width) - width(&text);
    let indent = if heading.right { u16::try_from(free).unwrap_or(0) } else { 0 };
    put(buf, line, heading.x + indent, &text, style);
}

fn put_cell(buf: &mut Buffer, line: Rect, heading: &Heading, cell: &Cell, theme: &Theme) {
    match cell {
        Cell::Text(text, tone) => put_text(buf, line, heading, text, theme.style(*tone)),
        Cell::Parts(parts) => {
            let mut left = usize::from(heading.width);
            let mut x = heading.x;
            for (text, tone) in parts {
                if left == 0 {
                    break;
                }
                let text = fit(text, left);
                left -= width(&text);
                x = put(buf, line, x, &text, theme.style(*tone));
            }
        }
        Cell::Spark(counts) => put_text(buf, line, heading, &graph::spark(counts), theme.graph),
    }
}

/// Marks a text, in lower case, wherever it is seen.
pub(super) fn mark(buf: &mut Buffer, area: Rect, theme: &Theme, needle: &str) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        // The column of each byte.
        let mut columns = Vec::new();
        for x in area.left()..area.right() {
            let symbol = buf.cell((x, y)).map_or("", |cell| cell.symbol()).to_lowercase();
            columns.extend(symbol.bytes().map(|_| x));
            line.push_str(&symbol);
        }
        for (at, _) in line.match_indices(needle) {
            for &x in columns.get(at..at + needle.len()).unwrap_or_default() {
                if let Some(cell) = buf.cell_mut((x, y)) {
                    cell.set_style(theme.found);
                }
            }
        }
    }
}
