//! Where things are on the screen; known to scrolling as well as to drawing.

use ratatui::layout::{Rect, Size};

use super::{keymap, model::Pane, text};

/// From these sizes on both panes are shown.
const BOTH_COLUMNS: u16 = 60;
const BOTH_ROWS: u16 = 18;
/// Title and headings of a pane.
const PANE_TOP: u16 = 2;

/// What the layout depends on.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Size of the screen.
    pub size: Size,
    /// The pane that takes the keys.
    pub focus: Pane,
    /// It is to fill the screen.
    pub maximised: bool,
    /// Lines of alarms below the header.
    pub banners: u16,
    /// A log line is to be shown.
    pub notice: bool,
}

/// Parts of the screen; what has no room is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// The first lines.
    pub header: Rect,
    /// Alarms.
    pub banners: Rect,
    /// The list of calls.
    pub calls: Rect,
    /// The table.
    pub groups: Rect,
    /// The last log line.
    pub notice: Rect,
    /// The keys.
    pub footer: Rect,
}

impl Areas {
    /// Divides the screen. When there is little room, the list goes first and the header stays longest.
    #[must_use]
    pub fn of(wish: Wish) -> Self {
        let mut rest = Rect::new(0, 0, wish.size.width, wish.size.height);
        let mut areas = Self {
            header: take_top(&mut rest, if wish.size.height < 8 { 1 } else { 2 }),
            banners: take_top(&mut rest, wish.banners),
            footer: take_bottom(&mut rest, 1),
            ..Self::default()
        };
        if wish.notice && rest.height > PANE_TOP + 1 {
            areas.notice = take_bottom(&mut rest, 1);
        }
        let both = !wish.maximised && wish.size.width >= BOTH_COLUMNS && wish.size.height >= BOTH_ROWS;
        match (both, wish.focus) {
            (true, _) => {
                let calls = rest.height - rest.height * 2 / 5;
                areas.calls = take_top(&mut rest, calls);
                areas.groups = rest;
            }
            (false, Pane::Calls) => areas.calls = rest,
            (false, Pane::Groups) => areas.groups = rest,
        }
        areas
    }

    /// Rows of a pane that hold calls.
    #[must_use]
    pub fn rows(&self, pane: Pane) -> usize {
        let area = match pane {
            Pane::Calls => self.calls,
            Pane::Groups => self.groups,
        };
        usize::from(area.height.saturating_sub(PANE_TOP))
    }
}

/// Space between the keys and their meaning in the help.
pub const HELP_GAP: u16 = 2;

/// Columns that the longest list of keys takes in the help.
#[must_use]
pub fn help_keys_width() -> u16 {
    let widest = keymap::WATCH.iter().map(|binding| text::width(&binding.names())).max();
    u16::try_from(widest.unwrap_or(0)).unwrap_or(u16::MAX)
}

/// Where the help is, its frame included.
#[must_use]
pub fn help_area(size: Size) -> Rect {
    let widest = keymap::WATCH.iter().map(|binding| text::width(binding.help)).max().unwrap_or(0);
    let columns = u16::try_from(widest).unwrap_or(u16::MAX).saturating_add(help_keys_width() + HELP_GAP);
    let rows = u16::try_from(keymap::WATCH.len()).unwrap_or(u16::MAX);
    let width = columns.saturating_add(4).min(size.width);
    let height = rows.saturating_add(2).min(size.height);
    Rect::new((size.width - width) / 2, (size.height - height) / 2, width, height)
}

/// Lines of the help that are seen at once.
#[must_use]
pub fn help_rows(size: Size) -> usize {
    usize::from(help_area(size).height.saturating_sub(2))
}

fn take_top(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let taken = Rect { height: rows, ..*rest };
    rest.y += rows;
    rest.height -= rows;
    taken
}

fn take_bottom(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    rest.height -= rows;
    Rect { y: rest.y + rest.height, height: rows, ..*rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(width: u16, height: u16) -> Areas {
        let size = Size { width, height };
        Areas::of(Wish { size, focus: Pane::Calls, maximised: false, banners: 1, notice: true })
    }

    #[test]
    fn both_panes_are_there_on_a_common_terminal() {
        let areas = areas(80, 24);
        assert_eq!((areas.rows(Pane::Calls), areas.rows(Pane::Groups)), (10, 5));
    }

    #[test]
    fn parts_cover_the_screen_without_overlap() {
        for height in 0..60 {
            let a = areas(80, height);
            let parts = [a.header, a.banners, a.calls, a.groups, a.notice, a.footer];
            assert_eq!(parts.iter().map(|part| part.height).sum::<u16>(), height);
            assert!(parts.iter().all(|part| part.bottom() <= height), "{height}");
        }
    }
}
