//! The detail of a call: lines above, bytes below.

use std::ops::Range;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    below, put,
    sheet::{Title, title},
};
use crate::tui::{
    detail::{
        Line, Page,
        hex::{self, Byte, Row},
        tree::Node,
    },
    layout::hex_lines,
    model::Model,
    text::{fit, width},
    theme::{Theme, Tone},
};

/// Columns before a field's name for its mark.
const MARK: u16 = 2;
/// Columns that the words of facts take.
const WORD: u16 = 12;
/// From so many columns on, both sides of the argument's bytes stand beside each other.
const BOTH: u16 = 76;
/// From so many columns on, a row has sixteen bytes.
const LONG: u16 = 80;
/// Columns of an address.
const ADDRESS: u16 = 13;

/// Draws it.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some((detail, page)) = model.detail.as_ref().zip(model.page.as_ref()).filter(|_| !area.is_empty())
    else {
        return;
    };
    let theme = &model.theme;
    let state = if page.both { "before → after".to_owned() } else { String::new() };
    let amount = format!("{} of {}", detail.cursor + 1, page.lines.len());
    let name = Title { focused: model.in_detail(), name: "Call", state, amounts: [amount, String::new()] };
    title(buf, area, theme, &name);
    let body = below(area);
    let hex_rows = hex_lines(body.height);
    let mut lines = Rect { height: body.height - hex_rows, ..body };
    let names = page.lines.iter().filter_map(|line| match line {
        Line::Field(node) => Some(indent(node) + width(&node.name) as u16),
        _ => None,
    });
    let names = names.max().unwrap_or(0).min(area.width * 2 / 5);
    for (place, line) in page.lines.iter().enumerate().skip(detail.top).take(usize::from(lines.height)) {
        let row = Rect { height: 1, ..lines };
        draw_line(line, page.both, names, row, theme, buf);
        if place == detail.cursor {
            let style = if model.in_detail() { theme.cursor } else { Style::new() };
            buf.set_style(row, style);
        }
        lines = below(lines);
    }
    let selected = page.lines.get(detail.cursor).and_then(Line::bytes);
    let bytes = Rect { y: body.bottom() - hex_rows, height: hex_rows, ..body };
    draw_bytes(page, selected, bytes, theme, buf);
}

fn indent(node: &Node) -> u16 {
    u16::try_from(node.depth).unwrap_or(u16::MAX).saturating_mul(2).saturating_add(MARK)
}

fn draw_line(line: &Line, both: bool, names: u16, row: Rect, theme: &Theme, buf: &mut Buffer) {
    match line {
        Line::Text(parts) => {
            let mut x = 0;
            for (text, tone) in parts {
                let room = usize::from(row.width.saturating_sub(x));
                x = put(buf, row, x, &fit(text, room), theme.style(*tone));
            }
        }
        Line::Heading(name) => {
            let end = put(buf, row, 0, &format!("{name} "), theme.strong);
            put(buf, row, end, &"─".repeat(usize::from(row.width.saturating_sub(end))), theme.faint);
        }
        Line::Fact { name, value, .. } => {
            put(buf, row, MARK, name, theme.faint);
            let room = usize::from(row.width.saturating_sub(MARK + WORD));
            put(buf, row, MARK + WORD, &fit(value, room), Style::new());
        }
        Line::Field(node) => draw_field(node, both, names, row, theme, buf),
    }
}

fn draw_field(node: &Node, both: bool, names: u16, row: Rect, theme: &Theme, buf: &mut Buffer) {
    let mark = match node.open {
        Some(true) => "▾",
        Some(false) => "▸",
        None => " ",
    };
    let x = indent(node).min(names.max(MARK));
    put(buf, row, x - MARK, mark, theme.faint);
    let style = if node.open.is_some() { theme.strong } else { Style::new() };
    let room = usize::from(names.saturating_sub(x));
    put(buf, row, x, &fit(&node.name, room), style);
    let start = names + 2;
    let room = row.width.saturating_sub(start);
    let (before, after) =
        (node.before.as_deref().unwrap_or_default(), node.after.as_deref().unwrap_or_default());
    let after_style = if node.changed { theme.style(Tone::Changed) } else { Style::new() };
    if !both {
        let value = if node.after.is_some() { after } else { before };
        put(buf, row, start, &fit(value, usize::from(room)), Style::new());
        return;
    }
    let half = room.saturating_sub(2) / 2;
    put(buf, row, start, &fit(before, usize::from(half)), Style::new());
    // What changed is told apart without colours, too.
    let text =
        if node.changed && node.open.is_none() { format!("→ {after}") } else { format!("  {after}") };
    put(buf, row, start + half, &fit(&text, usize::from(half + 2)), after_style);
}

fn draw_bytes(page: &Page, selected: Option<&Range<u64>>, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let data = &page.event.call.data;
    let sides = !data.input.is_empty() && !data.output.is_empty();
    let (beside, per_row) = match (sides, area.width) {
        (true, BOTH..) => (true, 8),
        (false, LONG..) => (false, 16),
        _ => (false, 8),
    };
    let mut line = area;
    for row in hex::rows(data, selected, per_row, usize::from(area.height)) {
        let here = Rect { height: 1.min(line.height), ..line };
        put(buf, here, 0, &format!("{:012x}", row.address), theme.faint);
        let before =
            if row.before.iter().any(|byte| byte.value.is_some()) { &row.before } else { &row.after };
        let end = draw_row(&row, before, ADDRESS + 1, selected, here, theme, buf);
        line = below(line);
        if sides && beside {
            draw_row(&row, &row.after, end + 2, selected, here, theme, buf);
        } else if row.after.iter().any(|byte| byte.changed) {
            let here = Rect { height: 1.min(line.height), ..line };
            put(buf, here, ADDRESS - 2, "→", theme.faint);
            draw_row(&row, &row.after, ADDRESS + 1, selected, here, theme, buf);
            line = below(line);
        }
    }
}

/// Draws the bytes of one side, and as text behind them. Gives the column behind these.
fn draw_row(
    row: &Row,
    bytes: &[Byte],
    x: u16,
    selected: Option<&Range<u64>>,
    line: Rect,
    theme: &Theme,
    buf: &mut Buffer,
) -> u16 {
    let text = x + 3 * u16::try_from(row.before.len()).unwrap_or(0) + 1;
    for ((place, address), byte) in (0_u16..).zip(row.address..).zip(bytes) {
        let style = match byte.changed {
            _ if selected.is_some_and(|selected| selected.contains(&address)) => theme.found,
            true => theme.changed,
            false => Style::new(),
        };
        let digits = byte.value.map_or("··".to_owned(), |byte| format!("{byte:02x}"));
        put(buf, line, x + 3 * place, &digits, style);
        let visible = byte.value.filter(|byte| (0x20..0x7f).contains(byte)).map_or('·', char::from);
        put(buf, line, text + place, visible.encode_utf8(&mut [0; 4]), style);
    }
    text + u16::try_from(bytes.len()).unwrap_or(0)
}
