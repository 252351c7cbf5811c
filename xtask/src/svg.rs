//! A terminal's screen as a picture.

use std::{fmt::Write as _, num::NonZeroU16};

/// Columns of the screens that pictures are of.
pub const COLUMNS: u16 = 130;
/// Their rows.
pub const ROWS: u16 = 34;

/// A screen of that size.
pub fn parser() -> vt100::Parser {
    let size = |n| NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN);
    vt100::Parser::new(size(ROWS), size(COLUMNS), 0)
}

const CELL_WIDTH: f32 = 8.4;
const CELL_HEIGHT: f32 = 17.0;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d5d8de";
const PALETTE: [&str; 16] = [
    "#1c1f26", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf", "#6b7280",
    "#ff7b86", "#b5e08f", "#ffd98a", "#82c4ff", "#dd94f2", "#77d5e0", "#ffffff",
];

/// A screen as a picture.
pub fn svg(screen: &vt100::Screen) -> String {
    let (width, height) = (f32::from(COLUMNS) * CELL_WIDTH + 20.0, f32::from(ROWS) * CELL_HEIGHT + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for row in 0..ROWS {
        let mut column = 0;
        while column < COLUMNS {
            column = run(screen, row, column, &mut svg);
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Draws cells of one look, beginning at a column; gives the column behind them.
fn run(screen: &vt100::Screen, row: u16, start: u16, svg: &mut String) -> u16 {
    let look = |column: u16| {
        let cell = screen.cell(row, column)?;
        let (front, back) = (color(cell.fgcolor(), FOREGROUND), color(cell.bgcolor(), BACKGROUND));
        let (front, back) = if cell.inverse() { (back, front) } else { (front, back) };
        Some((front, back, cell.bold(), cell.dim()))
    };
    let Some(first) = look(start) else { return COLUMNS };
    let mut text = String::new();
    let mut end = start;
    while end < COLUMNS && look(end).as_ref() == Some(&first) {
        let contents = screen.cell(row, end).map(vt100::Cell::contents).unwrap_or_default();
        text.push_str(if contents.is_empty() { " " } else { contents });
        end += 1;
    }
    let (front, back, bold, dim) = first;
    let (x, y) = (10.0 + f32::from(start) * CELL_WIDTH, 10.0 + f32::from(row) * CELL_HEIGHT);
    let width = f32::from(end - start) * CELL_WIDTH;
    // Writing to a string cannot fail.
    if back != BACKGROUND {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{back}\"/>"
        );
    }
    if !text.trim().is_empty() {
        let weight = if bold { " font-weight=\"bold\"" } else { "" };
        let opacity = if dim { " opacity=\"0.6\"" } else { "" };
        let escaped = text.trim_end().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let drawn = f32::from(u16::try_from(text.trim_end().chars().count()).unwrap_or(0)) * CELL_WIDTH;
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{drawn:.1}\" fill=\"{front}\"{weight}{opacity}>{escaped}</text>",
            y + 13.0
        );
    }
    end
}

fn color(color: vt100::Color, default: &str) -> String {
    match color {
        vt100::Color::Default => default.to_owned(),
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        vt100::Color::Idx(index) => match PALETTE.get(usize::from(index)) {
            Some(named) => (*named).to_owned(),
            None if index >= 232 => {
                let grey = 8 + (index - 232) * 10;
                format!("#{grey:02x}{grey:02x}{grey:02x}")
            }
            None => {
                let level = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
                let cube = index - 16;
                format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_colours_reach_the_picture() {
        let mut terminal = parser();
        terminal.process(b"\x1b[31mred\x1b[0m <b> \x1b[7minverse\x1b[0m\r\nsecond");
        let svg = svg(terminal.screen());
        for expected in ["fill=\"#e06c75\">red<", "&lt;b&gt;", ">inverse<", ">second<"] {
            assert!(svg.contains(expected), "{expected} in {svg}");
        }
    }
}
