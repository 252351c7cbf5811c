//! Where things are on the screen; known to the cursor and the mouse as well as to drawing.

use ratatui::layout::{Rect, Size};

use super::{
    keymap::{Keymap, View},
    text,
};

/// Screens of so many columns have panes side by side.
const SIDE_BY_SIDE: u16 = 120;
/// Screens of so many columns have the command's terminal beside the rest.
const BESIDE_PANE: u16 = 160;
/// Beside the command's terminal, a list and a detail share so many rows.
const SHARED_ROWS: u16 = 14;
/// Below so many rows only one pane is shown.
const BOTH_ROWS: u16 = 18;
/// Title and headings of a list.
pub const LIST_TOP: u16 = 2;

/// What the layout depends on.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Size of the screen.
    pub size: Size,
    /// What is shown.
    pub view: View,
    /// The detail of a call is open.
    pub detail: bool,
    /// The detail has the keys.
    pub in_detail: bool,
    /// The command's terminal is on the screen.
    pub pane: bool,
    /// It has the keys.
    pub in_pane: bool,
    /// The pane with the keys is to fill the screen.
    pub zoomed: bool,
    /// Lines of alarms below the header.
    pub banners: u16,
    /// A log line is to be shown.
    pub notice: bool,
    /// Lines of what is being typed.
    pub prompt: u16,
}

/// Parts of the screen; what has no room is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// The first lines.
    pub header: Rect,
    /// The names of the views.
    pub tabs: Rect,
    /// Alarms.
    pub banners: Rect,
    /// The heat map.
    pub heat: Rect,
    /// The list or table.
    pub list: Rect,
    /// The histogram.
    pub histogram: Rect,
    /// The detail of a call.
    pub detail: Rect,
    /// The command's terminal with its title.
    pub pane: Rect,
    /// The last log line.
    pub notice: Rect,
    /// What is being typed.
    pub prompt: Rect,
    /// The keys.
    pub footer: Rect,
}

impl Areas {
    /// Divides the screen. When there is little room, the list goes first and the header stays longest.
    #[must_use]
    pub fn of(wish: Wish) -> Self {
        let mut rest = Rect::new(0, 0, wish.size.width, wish.size.height);
        let mut areas = Self {
            header: take_top(&mut rest, if wish.size.height < 10 { 1 } else { 2 }),
            banners: take_top(&mut rest, wish.banners),
            ..Self::default()
        };
        let pane_alone = wish.in_pane && (wish.zoomed || wish.size.height < BOTH_ROWS);
        if wish.size.height >= 8 && !pane_alone {
            areas.tabs = take_top(&mut rest, 1);
        }
        areas.footer = take_bottom(&mut rest, 1);
        areas.prompt = take_bottom(&mut rest, wish.prompt);
        if wish.notice && rest.height > LIST_TOP + 1 {
            areas.notice = take_bottom(&mut rest, 1);
        }
        if wish.pane {
            areas.share(&mut rest, wish);
        }
        if wish.detail {
            areas.divide(&mut rest, wish);
        }
        if wish.view == View::Latency {
            let rows = if rest.height < 8 { rest.height } else { rest.height * 11 / 20 };
            areas.heat = take_top(&mut rest, rows);
            if rest.width >= 76 {
                let columns = rest.width * 9 / 20;
                areas.list = Rect { width: columns - 1, ..rest };
                areas.histogram = Rect { x: columns, width: rest.width - columns, ..rest };
            } else {
                areas.histogram = rest;
            }
        } else {
            areas.list = rest;
        }
        areas
    }

    /// Where the command's screen is: all of its pane but the title.
    #[must_use]
    pub fn pane_screen(&self) -> Rect {
        let title = 1.min(self.pane.height);
        Rect { y: self.pane.y + title, height: self.pane.height - title, ..self.pane }
    }

    /// Gives the command's terminal its part: beside the rest, below it, or all.
    fn share(&mut self, rest: &mut Rect, wish: Wish) {
        let alone = wish.zoomed || wish.size.height < BOTH_ROWS;
        if alone && wish.in_pane {
            self.pane = *rest;
            *rest = Rect { height: 0, ..*rest };
        } else if !alone && wish.size.width >= BESIDE_PANE {
            let columns = rest.width / 2;
            self.pane = Rect { x: rest.x + columns, width: rest.width - columns, ..*rest };
            rest.width = columns - 1;
        } else if !alone {
            self.pane = take_bottom(rest, rest.height * 11 / 20);
        }
    }

    /// Lines of the detail, its bytes left out.
    #[must_use]
    pub fn detail_rows(&self) -> usize {
        let rows = self.detail.height.saturating_sub(1);
        usize::from(rows - hex_lines(rows))
    }

    /// Whether the list and the detail share the screen.
    #[must_use]
    pub const fn both(&self) -> bool {
        self.list.height > 0 && self.detail.height > 0
    }

    /// Gives the detail its part: beside the list, below it, or all.
    fn divide(&mut self, rest: &mut Rect, wish: Wish) {
        let shared = self.pane.height > 0;
        let alone = wish.zoomed || wish.size.height < BOTH_ROWS || (shared && rest.height < SHARED_ROWS);
        if alone && wish.in_detail {
            self.detail = *rest;
            *rest = Rect { height: 0, ..*rest };
        } else if !alone && rest.width >= SIDE_BY_SIDE {
            let columns = rest.width * 11 / 20;
            self.detail = Rect { x: rest.x + columns, width: rest.width - columns, ..*rest };
            rest.width = columns - 1;
        } else if !alone {
            let height = if shared { rest.height } else { wish.size.height };
            self.detail = take_bottom(rest, height * 11 / 20);
        }
    }

    /// Rows of the list.
    #[must_use]
    pub fn list_rows(&self) -> usize {
        usize::from(self.list.height.saturating_sub(LIST_TOP))
    }
}

/// Lines of bytes below so many lines of detail, theirs included.
#[must_use]
pub const fn hex_lines(rows: u16) -> u16 {
    if rows < 10 {
        0
    } else if rows / 3 < 8 {
        rows / 3
    } else {
        8
    }
}

/// The names of the views with their places in a line of so many columns. When there is little room, only the one that
/// is shown has its name, the others their numbers.
#[must_use]
pub fn tabs(shown: View, columns: u16) -> Vec<(View, String, u16)> {
    let place = |names: Vec<(View, String)>| {
        let mut x = 0;
        names
            .into_iter()
            .map(|(view, name)| {
                let at = x;
                x += text::width(&name) as u16 + 2;
                (view, name, at)
            })
            .collect::<Vec<_>>()
    };
    let named = |short: bool| -> Vec<(View, String)> {
        let name = |(place, view): (usize, View)| {
            let number = place + 1;
            let name = if short && view != shown {
                number.to_string()
            } else {
                format!("{number} {}", view.title())
            };
            (view, name)
        };
        View::ALL.into_iter().enumerate().map(name).collect()
    };
    let long = place(named(false));
    let fits = long.last().is_some_and(|(_, name, x)| x + text::width(name) as u16 <= columns);
    if fits { long } else { place(named(true)) }
}

/// The size of a command's screen when it starts.
#[must_use]
pub fn first_pane(size: Size) -> Size {
    let wish = Wish {
        size,
        view: View::Stream,
        detail: false,
        in_detail: false,
        pane: true,
        in_pane: true,
        zoomed: false,
        banners: 0,
        notice: false,
        prompt: 0,
    };
    Areas::of(wish).pane_screen().as_size()
}

/// Space between the keys and their meaning in the help.
pub const HELP_GAP: u16 = 2;

/// Columns that the longest list of keys takes in the help.
#[must_use]
pub fn help_keys_width(keymap: &Keymap) -> u16 {
    let widest = keymap.bindings().iter().map(|binding| text::width(&binding.names())).max();
    u16::try_from(widest.unwrap_or(0)).unwrap_or(u16::MAX)
}

/// Where the help is, its frame included.
#[must_use]
pub fn help_area(size: Size, keymap: &Keymap) -> Rect {
    let widest = keymap.bindings().iter().map(|binding| text::width(binding.help)).max().unwrap_or(0);
    let columns =
        u16::try_from(widest).unwrap_or(u16::MAX).saturating_add(help_keys_width(keymap) + HELP_GAP);
    let rows = u16::try_from(keymap.bindings().len()).unwrap_or(u16::MAX);
    let width = columns.saturating_add(4).min(size.width);
    let height = rows.saturating_add(2).min(size.height);
    Rect::new((size.width - width) / 2, (size.height - height) / 2, width, height)
}

/// Lines of the help that are seen at once.
#[must_use]
pub fn help_rows(size: Size, keymap: &Keymap) -> usize {
    usize::from(help_area(size, keymap).height.saturating_sub(2))
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

    fn areas(width: u16, height: u16, detail: bool) -> Areas {
        let size = Size { width, height };
        let view = View::Stream;
        let (in_detail, zoomed, banners, notice, prompt) = (false, false, 1, true, 2);
        let (pane, in_pane) = (false, false);
        Areas::of(Wish { size, view, detail, in_detail, pane, in_pane, zoomed, banners, notice, prompt })
    }

    #[test]
    fn both_panes_are_there_on_a_common_terminal() {
        let below = areas(80, 24, true);
        assert_eq!((below.list_rows(), below.detail.height), (1, 13));
        let beside = areas(160, 50, true);
        assert_eq!((beside.list.width, beside.detail.x, beside.detail.right()), (87, 88, 160));
    }

    #[test]
    fn parts_cover_the_screen_without_overlap() {
        for height in 0..60 {
            let a = areas(80, height, true);
            let parts = [a.header, a.tabs, a.banners, a.list, a.detail, a.notice, a.prompt, a.footer];
            assert_eq!(parts.iter().map(|part| part.height).sum::<u16>(), height);
            assert!(parts.iter().all(|part| part.bottom() <= height), "{height}");
        }
    }

    #[test]
    fn tabs_fit() {
        for columns in [40, 80, 200] {
            let tabs = tabs(View::InFlight, columns);
            assert_eq!(tabs.len(), 7);
            let (_, name, x) = tabs.last().expect("seven");
            assert!(x + text::width(name) as u16 <= columns, "{columns}");
        }
    }
}
