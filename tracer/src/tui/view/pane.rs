//! The command's terminal: its title, its cells, its cursor.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    style::{Color, Modifier, Style},
};

use super::{put, sheet};
use crate::{
    escape::is_plain,
    tui::{
        model::Model,
        text::{fit, width},
    },
};

/// Draws it.
pub(super) fn draw(model: &Model, area: Rect, screen: Rect, frame: &mut Frame<'_>) {
    let Some(pane) = model.pane.as_ref().filter(|_| !area.is_empty()) else { return };
    let focused = model.focused_pane().is_some();
    let back = pane.screen().scrollback();
    let scrolled = if back > 0 { format!("{back} lines back") } else { String::new() };
    let state = [pane.state(), scrolled].join(" ").trim().to_owned();
    // How it stands matters more than the end of a long command.
    let room = usize::from(area.width).saturating_sub(width(&state) + 5);
    let title = sheet::Title {
        focused,
        name: &fit(&pane.name, room),
        state,
        amounts: [format!("{}×{}", pane.size().width, pane.size().height), String::new()],
    };
    sheet::title(frame.buffer_mut(), area, &model.theme, &title);
    let terminal = pane.screen();
    for row in 0..screen.height {
        for column in 0..screen.width {
            let Some(cell) = terminal.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else {
                continue;
            };
            // A program's cells hold no controls, but may hold what reorders the text around them.
            let text: String = cell.contents().chars().filter(|c| is_plain(*c)).collect();
            let columns = if cell.is_wide() { 2 } else { 1 };
            let place = Rect { x: screen.x + column, y: screen.y + row, width: columns, height: 1 }
                .intersection(screen);
            put(frame.buffer_mut(), place, 0, if text.is_empty() { " " } else { &text }, style(cell));
        }
    }
    let (row, column) = terminal.cursor_position();
    if focused && back == 0 && !terminal.hide_cursor() && row < screen.height {
        let x = screen.x + column.min(screen.width.saturating_sub(1));
        frame.set_cursor_position(Position { x, y: screen.y + row });
    }
}

fn style(cell: &vt100::Cell) -> Style {
    let mut modifier = Modifier::empty();
    for (is, what) in [
        (cell.bold(), Modifier::BOLD),
        (cell.dim(), Modifier::DIM),
        (cell.italic(), Modifier::ITALIC),
        (cell.underline(), Modifier::UNDERLINED),
        (cell.inverse(), Modifier::REVERSED),
    ] {
        modifier.set(what, is);
    }
    Style::new().fg(color(cell.fgcolor())).bg(color(cell.bgcolor())).add_modifier(modifier)
}

const fn color(color: vt100::Color) -> Color {
    match color {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}
