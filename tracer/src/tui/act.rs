//! What keys and the mouse do to the model.

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{
    detail::{
        Line,
        copy::{self, Form},
        tree::Node,
    },
    finder::Goal,
    keymap::{Action, Motion, View},
    layout::{self, LIST_TOP, help_rows},
    model::{Mode, Model, rows},
    msg::Effect,
    picture::ZOOMS,
    prompt::Question,
    sheet::Order,
    stream::Standing,
    tables,
};

impl Model {
    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) {
        if self.focused_pane().is_some() {
            return self.pane_key(key);
        }
        let asked = std::mem::take(&mut self.asked_to_quit);
        if let Some(prompt) = &mut self.prompt {
            self.dirty = true;
            let (question, answer) = (prompt.question, prompt.key(key, self.decoder.registry()));
            return self.answer(question, answer);
        }
        let Some(action) = self.keymap.action(key) else { return };
        self.dirty = true;
        match (self.mode, action) {
            (_, Action::Redraw) => self.repaint = true,
            // The letter closes the help, Ctrl-C leaves even from there.
            (Mode::Help(_), Action::Quit) if key.modifiers.is_empty() => self.mode = Mode::Watch,
            (_, Action::Quit) => self.leave(asked),
            (Mode::Help(top), Action::Move(motion)) => self.scroll_help(top, motion),
            (Mode::Help(_), Action::Help | Action::Close | Action::Open) => self.mode = Mode::Watch,
            (Mode::Help(_), _) => {}
            (Mode::Watch | Mode::Prompt, action) => self.act(action),
        }
    }

    /// Leaves; while a command runs, it is asked for twice.
    fn leave(&mut self, asked: bool) {
        if asked || !self.command_runs() {
            self.quit = true;
            return;
        }
        self.asked_to_quit = true;
        let name = self.pane.as_ref().map(|pane| pane.name.clone()).unwrap_or_default();
        self.say(format!("still running: once more hangs it up and leaves: `{name}`"), 0);
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
            Action::Close => self.close(),
            Action::Move(motion) => self.go(motion),
            Action::Pause => self.pause(),
            Action::Show(view) => self.view = view,
            Action::Next if self.detail.is_some() && self.has_calls() => self.switch(),
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
            Action::Filter => self.ask(Question::Filter),
            Action::Search => self.ask(Question::Search),
            Action::FilterByThis => self.filter_by_this(false),
            Action::FilterByThisToo => self.filter_by_this(true),
            Action::Follow => self.follow(),
            Action::Find(forward) => self.search(forward),
            Action::FindError(forward) => self.jump(Goal::Error, forward),
            Action::FindRequest(forward) => self.jump_request(forward),
            Action::FindDescriptor(forward) => self.jump_descriptor(forward),
            Action::Write if self.picture.writing.is_some() => self.effects.push(Effect::StopWriting),
            Action::Write if self.over.is_some() => {
                self.say("no further calls come: `W` saves those that are shown".to_owned(), 0);
            }
            Action::Write => self.ask(Question::Write),
            Action::Save => self.ask(Question::Save),
            Action::CopyText => self.copy(Form::Text),
            Action::CopyJson => self.copy(Form::Json),
            Action::CopyC => self.copy(Form::C),
            Action::Focus => self.focus(),
            Action::HidePane => self.hide_pane(),
            Action::Quit | Action::Redraw => {}
        }
    }

    fn go(&mut self, motion: Motion) {
        let (_, height) = self.list_size();
        if self.in_detail() {
            let page = self.areas(self.size).detail_rows();
            if let Some(detail) = &mut self.detail {
                // What is beyond the end is known when the lines are made.
                detail.cursor = detail.cursor.saturating_add_signed(rows(motion, page));
            }
        } else if self.view == View::Stream {
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
        if self.in_detail() {
            self.fold_field(fold);
        } else if self.view == View::Processes {
            self.fold_process(fold);
        }
    }

    /// Folds the field under the cursor, or the one that it lies in.
    fn fold_field(&mut self, fold: bool) {
        let (Some(detail), Some(page)) = (&mut self.detail, &self.page) else { return };
        let Some(Line::Field(node)) = page.lines.get(detail.cursor) else { return };
        match node.open {
            Some(true) if fold => _ = detail.folded.insert(node.path.clone()),
            Some(false) if !fold => _ = detail.folded.remove(&node.path),
            _ if fold => {
                let above = page
                    .lines
                    .iter()
                    .take(detail.cursor)
                    .rposition(|line| matches!(line, Line::Field(above) if above.depth < node.depth));
                detail.cursor = above.unwrap_or(detail.cursor);
            }
            _ => {}
        }
    }

    fn fold_process(&mut self, fold: bool) {
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
        match self.view {
            View::Processes => {
                let pid = self.sheet.selected.map(|id| tables::task_of(id).0);
                self.fold_process(!pid.is_some_and(|pid| self.folded.contains(&pid)));
            }
            View::Stream | View::InFlight => self.open_detail(),
            View::Requests | View::Devices | View::Latency | View::Errors => self.filter_by_this(false),
        }
    }

    /// Opens the detail; when it is open, goes into it, and then into the field under the cursor.
    fn open_detail(&mut self) {
        if self.in_detail() {
            let (Some(detail), Some(page)) = (&self.detail, &self.page) else { return };
            let folded =
                matches!(page.lines.get(detail.cursor), Some(Line::Field(Node { open: Some(false), .. })));
            self.fold(!folded);
            return;
        }
        if self.view == View::Stream {
            self.standing = self.standing.held(self.lines(), self.list_size().1);
        }
        let focused = self.detail.is_some();
        self.detail.get_or_insert_default().focused = focused;
        // Where there is no room for both, the list would hide it.
        if !self.areas(self.size).both() {
            self.switch();
        }
    }

    /// The other pane takes the keys.
    fn switch(&mut self) {
        if let Some(detail) = &mut self.detail {
            detail.focused = !detail.focused;
        }
    }

    fn close(&mut self) {
        if self.zoomed {
            self.zoomed = false;
        } else if self.has_calls() && self.detail.take().is_none() {
            self.seek = None;
            self.sieve = None;
        }
    }

    fn copy(&mut self, form: Form) {
        let Some(event) = self.chosen().cloned() else { return };
        match copy::text(&event, form, &mut self.decoder, &self.clock) {
            Some(text) => {
                self.effects.push(Effect::Copy(text));
                self.say(format!("copied as {}", form.title()), 0);
            }
            None => self.say(format!("there is no argument to copy as {}", form.title()), 0),
        }
    }

    /// Takes the mouse: a view, a row, a heading, the wheel.
    pub fn mouse(&mut self, mouse: MouseEvent) {
        if self.pane_mouse(&mouse) {
            return;
        }
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
            Mode::Watch | Mode::Prompt => (0..3).for_each(|_| self.go(motion)),
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
        } else if areas.detail.contains(at)
            && let Some(detail) = &mut self.detail
        {
            detail.focused = true;
            let row = usize::from(at.y - areas.detail.y);
            if (1..=areas.detail_rows()).contains(&row) {
                detail.cursor = detail.top + row - 1;
            }
        }
    }

    fn click_list(&mut self, list: Rect, at: Position) {
        let (x, row) = (at.x - list.x, at.y - list.y);
        if let Some(detail) = &mut self.detail {
            detail.focused = false;
        }
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
