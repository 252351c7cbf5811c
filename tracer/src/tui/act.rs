//! What keys and the mouse do to the model.

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{
    keymap::{Action, Motion, View},
    layout::{self, LIST_TOP, help_rows},
    model::{Effect, Mode, Model, rows},
    picture::ZOOMS,
    sheet::Order,
    stream::Standing,
    tables,
};

impl Model {
    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) {
        let Some(action) = self.keymap.action(key) else { return };
        self.dirty = true;
        match (self.mode, action) {
            (_, Action::Redraw) => self.repaint = true,
            // The letter closes the help, Ctrl-C leaves even from there.
            (Mode::Help(_), Action::Quit) if key.modifiers.is_empty() => self.mode = Mode::Watch,
            (_, Action::Quit) => self.quit = true,
            (Mode::Help(top), Action::Move(motion)) => self.scroll_help(top, motion),
            (Mode::Help(_), Action::Help | Action::Close | Action::Open) => self.mode = Mode::Watch,
            (Mode::Help(_), _) => {}
            (Mode::Watch, action) => self.act(action),
        }
    }

    fn scroll_help(&mut self, top: usize, motion: Motion) {
        let page = help_rows(self.size, &self.keymap);
        let last = self.keymap.bindings().len().saturating_sub(page);
        self.mode = Mode::Help(top.saturating_add_signed(rows(motion, page)).min(last));
    }

    fn act(&mut self, action: Action) {
        let (view, order) = (self.view, self.order());
        match action {
            Action::Help => self.mode = Mode::Help(0),
            Action::Close => self.zoomed = false,
            Action::Move(motion) => self.go(motion),
            Action::Pause => self.pause(),
            Action::Show(view) => self.view = view,
            Action::Next => self.view = view.step(1),
            Action::Previous => self.view = view.step(View::ALL.len() - 1),
            Action::Zoom => self.zoomed = !self.zoomed,
            Action::SortNext => self.sort(tables::next_order(view, order, false)),
            Action::SortPrevious => self.sort(tables::next_order(view, order, true)),
            Action::Reverse => self.sort(Order { reversed: !order.reversed, ..order }),
            Action::Fold => self.fold(true),
            Action::Unfold => self.fold(false),
            Action::Longer => self.heat_zoom(1),
            Action::Shorter => self.heat_zoom(-1),
            Action::Clear => self.clear(),
            Action::Open => self.open(),
            Action::Quit | Action::Redraw => {}
        }
    }

    fn go(&mut self, motion: Motion) {
        let (_, height) = self.list_size();
        if self.view == View::Stream {
            self.standing = self.standing.moved(motion, self.lines(), height);
        } else {
            let step = rows(motion, height);
            self.stand(|place| place.step = place.step.saturating_add(step));
        }
    }

    fn pause(&mut self) {
        if self.held.take().is_none() {
            self.effects.push(Effect::Hold);
        }
    }

    fn clear(&mut self) {
        self.effects.push(Effect::Clear);
        self.standing = Standing::default();
        self.stand(|place| *place = Default::default());
    }

    fn heat_zoom(&mut self, by: isize) {
        let shown = self.picture.latency.as_ref().map_or(1.0, |latency| latency.column_s);
        let now = ZOOMS.iter().position(|&zoom| zoom as f64 * 0.25 >= shown).unwrap_or(2);
        self.heat_zoom = Some(now.saturating_add_signed(by).min(ZOOMS.len() - 1));
    }

    fn fold(&mut self, fold: bool) {
        if self.view != View::Processes {
            return;
        }
        let Some(id) = self.sheet.selected else { return };
        let (pid, tid) = tables::task_of(id);
        if fold {
            self.folded.insert(pid);
            if tid.is_some() {
                // Its row is gone; the cursor goes to that of its process.
                self.stand(|place| place.id = Some(id | u64::from(u32::MAX)));
            }
        } else {
            self.folded.remove(&pid);
        }
    }

    fn open(&mut self) {
        if self.view == View::Processes
            && let Some((pid, _)) = self.sheet.selected.map(tables::task_of)
        {
            let folded = self.folded.contains(&pid);
            self.fold(!folded);
        }
    }

    /// Takes the mouse: a view, a row, a heading, the wheel.
    pub fn mouse(&mut self, mouse: MouseEvent) {
        let at = Position { x: mouse.column, y: mouse.row };
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => self.click(at),
            MouseEventKind::ScrollUp => self.wheel(Motion::Up),
            MouseEventKind::ScrollDown => self.wheel(Motion::Down),
            _ => {}
        }
    }

    fn wheel(&mut self, motion: Motion) {
        self.dirty = true;
        match self.mode {
            Mode::Help(top) => self.scroll_help(top, motion),
            Mode::Watch => (0..3).for_each(|_| self.go(motion)),
        }
    }

    fn click(&mut self, at: Position) {
        if self.mode != Mode::Watch {
            return;
        }
        let areas = self.areas(self.size);
        self.dirty = true;
        if areas.tabs.contains(at) {
            let tabs = layout::tabs(self.view, areas.tabs.width);
            let hit = tabs.iter().rev().find(|(.., x)| *x <= at.x);
            self.view = hit.map_or(self.view, |(view, ..)| *view);
        } else if areas.list.contains(at) {
            self.click_list(areas.list, at);
        }
    }

    fn click_list(&mut self, list: Rect, at: Position) {
        let (x, row) = (at.x - list.x, at.y - list.y);
        let heading = self.sheet.headings.iter().find(|h| h.x <= x && x < h.x + h.width);
        if row == LIST_TOP - 1 {
            let Some(heading) = heading.filter(|heading| heading.sortable).copied() else { return };
            let order = self.order();
            let same = order.column == heading.column;
            self.sort(Order { column: heading.column, reversed: same && !order.reversed });
        } else if let Some(row) = row.checked_sub(LIST_TOP).map(usize::from) {
            let place = self.sheet.top + row;
            if self.view == View::Stream {
                let lines = self.lines();
                let window = self.standing.window(lines, self.list_size().1).0;
                if window.contains(&place) {
                    self.standing = self.standing.to(place, lines, window);
                }
            } else if let Some(id) = self.sheet.rows.get(row).map(|row| row.id) {
                self.stand(|place| place.id = Some(id));
            }
        }
    }
}
