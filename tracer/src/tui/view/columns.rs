//! Columns of a pane: fixed widths, and the rest shared.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::put;
use crate::tui::text::{fit, width};

/// How wide a column is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    /// So many columns of the screen.
    Fixed(u16),
    /// Such a part of what the fixed ones leave.
    Share(u16),
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<F> {
    /// What it shows.
    pub(super) field: F,
    /// How wide it is.
    pub(super) width: Width,
    /// Its text stands at the right.
    pub(super) right: bool,
}

/// A column, left-aligned.
pub(super) const fn left<F>(field: F, width: Width) -> Column<F> {
    Column { field, width, right: false }
}

/// A column of numbers.
pub(super) const fn right<F>(field: F, columns: u16) -> Column<F> {
    Column { field, width: Width::Fixed(columns), right: true }
}

/// A column with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<F> {
    pub(super) field: F,
    x: u16,
    width: u16,
    right: bool,
}

/// Gives each column its place, one space apart.
pub(super) fn place<F: Copy>(columns: &[Column<F>], total: u16) -> Vec<Placed<F>> {
    let gaps = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let (mut fixed, mut shares) = (gaps, 0);
    for column in columns {
        match column.width {
            Width::Fixed(width) => fixed += width,
            Width::Share(share) => shares += share,
        }
    }
    let mut rest = total.saturating_sub(fixed);
    let mut x = 0;
    columns
        .iter()
        .map(|column| {
            let width = match column.width {
                Width::Fixed(width) => width,
                Width::Share(share) => {
                    let width = u32::from(rest) * u32::from(share) / u32::from(shares.max(1));
                    shares -= share;
                    u16::try_from(width).unwrap_or(u16::MAX)
                }
            };
            if matches!(column.width, Width::Share(_)) {
                rest -= width;
            }
            let placed = Placed { field: column.field, x, width, right: column.right };
            x = x.saturating_add(width).saturating_add(1);
            placed
        })
        .collect()
}

impl<F> Placed<F> {
    /// Columns there are for a text.
    pub(super) fn room(&self) -> usize {
        usize::from(self.width)
    }

    /// Writes a text in this column of a line.
    pub(super) fn put(&self, buf: &mut Buffer, line: Rect, text: &str, style: Style) {
        let text = fit(text, self.room());
        let free = self.room() - width(&text);
        let indent = if self.right { u16::try_from(free).unwrap_or(0) } else { 0 };
        put(buf, line, self.x + indent, &text, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_take_what_is_left() {
        let columns = [right('a', 5), left('b', Width::Share(2)), left('c', Width::Share(3))];
        let placed: Vec<_> = place(&columns, 37).iter().map(|p| (p.field, p.x, p.width)).collect();
        assert_eq!(placed, [('a', 0, 5), ('b', 6, 12), ('c', 19, 18)]);
        assert_eq!(place(&columns, 3).iter().map(|p| p.width).collect::<Vec<_>>(), [5, 0, 0]);
    }
}
