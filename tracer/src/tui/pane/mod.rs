//! The terminal of a command that runs below the dashboard: what its program has drawn, and what keys, the mouse and
//! pasted text do there. Nothing that a program prints leaves it but as cells of its screen.

pub mod input;
pub mod pty;

use std::{num::NonZeroU16, os::unix::process::ExitStatusExt as _, process::ExitStatus};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use nix::sys::signal::Signal;
use ratatui::layout::{Position, Rect, Size};
use vt100::{MouseProtocolMode, Parser, Screen};

use super::{
    keymap::Action,
    model::{Mode, Model},
    msg::{Effect, Over},
};

/// Lines that have left the screen and can be scrolled back to.
const SCROLLBACK: usize = 1_000;
/// Lines that the wheel scrolls by.
const WHEEL: usize = 3;
/// Bytes of answers to a program that asks faster than it reads.
const MAX_ANSWERS: usize = 1 << 10;

/// The terminal of a command.
pub struct Pane {
    /// The command, in words.
    pub name: String,
    /// It takes the keys.
    pub focused: bool,
    /// It is on the screen.
    pub shown: bool,
    /// How the command ended, if it did.
    pub exit: Option<ExitStatus>,
    parser: Parser<Answers>,
}

/// Answers to what a program asks its terminal.
#[derive(Default)]
struct Answers(Vec<u8>);

impl vt100::Callbacks for Answers {
    fn unhandled_csi(
        &mut self,
        screen: &mut Screen,
        i1: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        c: char,
    ) {
        let first = params.first().and_then(|numbers| numbers.first()).copied().unwrap_or(0);
        let answer = match (i1, c, first) {
            (None, 'n', 5) => "\x1b[0n".to_owned(),
            (None, 'n', 6) => {
                let (row, column) = screen.cursor_position();
                format!("\x1b[{};{}R", row.saturating_add(1), column.saturating_add(1))
            }
            (None, 'c', 0) => "\x1b[?62;22c".to_owned(),
            // An xterm that knows places of the mouse beyond column 223.
            (Some(b'>'), 'c', 0) => "\x1b[>41;280;0c".to_owned(),
            _ => return,
        };
        if self.0.len() < MAX_ANSWERS {
            self.0.extend(answer.into_bytes());
        }
    }
}

/// A size that is none is one cell.
fn cells(size: Size) -> (NonZeroU16, NonZeroU16) {
    let at_least_one = |n| NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN);
    (at_least_one(size.height), at_least_one(size.width))
}

impl Pane {
    /// The terminal of a command that is about to start. It has the keys.
    #[must_use]
    pub fn new(name: String, size: Size) -> Self {
        let (rows, columns) = cells(size);
        let parser = Parser::new_with_callbacks(rows, columns, SCROLLBACK, Answers::default());
        Self { name, focused: true, shown: true, exit: None, parser }
    }

    /// What is on it.
    #[must_use]
    pub fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        let (rows, columns) = self.screen().size();
        Size { width: columns.get(), height: rows.get() }
    }

    /// Takes what the program prints; gives what the terminal answers.
    pub fn print(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.parser.process(bytes);
        std::mem::take(&mut self.parser.callbacks_mut().0)
    }

    fn resize(&mut self, size: Size) {
        let (rows, columns) = cells(size);
        self.parser.set_size(rows, columns);
    }

    /// Goes back to lines that have left the screen, or forward again.
    fn scroll(&mut self, back: bool, lines: usize) {
        let screen = self.parser.screen_mut();
        let now = screen.scrollback();
        screen.set_scrollback(if back { now + lines } else { now.saturating_sub(lines) });
    }

    /// How it stands, in words.
    #[must_use]
    pub fn state(&self) -> String {
        match self.exit {
            None => String::new(),
            Some(status) => match (status.code(), status.signal().map(Signal::try_from)) {
                (Some(code), _) => format!("ended with {code}"),
                (None, Some(Ok(signal))) => format!("killed by {signal}"),
                (None, _) => "ended".to_owned(),
            },
        }
    }
}

impl Model {
    /// The command's terminal, if it has the keys.
    #[must_use]
    pub fn focused_pane(&self) -> Option<&Pane> {
        self.pane.as_ref().filter(|pane| pane.focused && pane.shown)
    }

    /// Whether a command still runs below the dashboard.
    #[must_use]
    pub fn command_runs(&self) -> bool {
        // What ends tracing early does not end the command.
        let over = matches!(self.over, Some(Over::Complete(..)));
        !over && self.pane.as_ref().is_some_and(|pane| pane.exit.is_none())
    }

    /// Takes what the command prints.
    pub fn print(&mut self, bytes: &[u8]) {
        let Some(pane) = &mut self.pane else { return };
        let answers = pane.print(bytes);
        self.dirty |= pane.shown;
        self.type_in(answers);
    }

    /// The command has ended. Its terminal stays, and the keys are for the dashboard.
    pub fn command_ended(&mut self, status: Option<ExitStatus>) {
        if let (Some(pane), Some(_)) = (&mut self.pane, status)
            && pane.exit.is_none()
        {
            (pane.exit, pane.focused) = (status, false);
            self.dirty = true;
        }
    }

    /// Makes the command's terminal as large as its place on the screen is now.
    pub fn fit_pane(&mut self) {
        let area = self.areas(self.size).pane_screen();
        let Some(pane) = &mut self.pane else { return };
        if !area.is_empty() && pane.size() != area.as_size() {
            pane.resize(area.as_size());
            self.effects.push(Effect::Resize(area.as_size()));
        }
    }

    fn type_in(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() && self.command_runs() {
            self.effects.push(Effect::Type(bytes));
            self.dirty = true;
        }
    }

    /// The keys go to the command, or to the dashboard again.
    pub fn focus(&mut self) {
        match &mut self.pane {
            Some(pane) => {
                pane.focused = !(pane.focused && pane.shown);
                pane.shown |= pane.focused;
            }
            None => self.say("there is no command here: `--tui -- COMMAND` runs one".to_owned(), 0),
        }
    }

    /// Hides the command's terminal, or shows it again.
    pub fn hide_pane(&mut self) {
        match &mut self.pane {
            Some(pane) => pane.shown = !pane.shown,
            None => self.focus(),
        }
    }

    /// Takes a key for the command. Only the one that leads back is not its own.
    pub fn pane_key(&mut self, key: &KeyEvent) {
        if self.keymap.action(key) == Some(Action::Focus) {
            self.dirty = true;
            return self.focus();
        }
        let Some(pane) = &mut self.pane else { return };
        let page = usize::from(pane.size().height / 2).max(1);
        match (key.code, key.modifiers) {
            (KeyCode::PageUp, KeyModifiers::SHIFT) => pane.scroll(true, page),
            (KeyCode::PageDown, KeyModifiers::SHIFT) => pane.scroll(false, page),
            _ => {
                pane.scroll(false, usize::MAX);
                let bytes = input::key(key, pane.screen().application_cursor());
                self.type_in(bytes);
            }
        }
        self.dirty = true;
    }

    /// Takes pasted text: for the command, or for what is being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(pane) = self.focused_pane() {
            let bytes = input::paste(text, pane.screen().bracketed_paste());
            self.type_in(bytes);
        } else if self.mode == Mode::Prompt {
            // A line is asked for.
            for c in text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()) {
                self.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
            }
        }
    }

    /// Takes what the mouse does on the command's terminal. Says whether it was there.
    pub fn pane_mouse(&mut self, event: &MouseEvent) -> bool {
        let area = self.areas(self.size).pane;
        let at = Position { x: event.column, y: event.row };
        let down = matches!(event.kind, MouseEventKind::Down(_));
        let Some(pane) = self.pane.as_mut().filter(|pane| pane.shown && !area.is_empty()) else {
            return false;
        };
        if !area.contains(at) || self.mode != Mode::Watch {
            pane.focused &= !(down && self.mode == Mode::Watch);
            return false;
        }
        if matches!(event.kind, MouseEventKind::Down(MouseButton::Left)) && !pane.focused {
            pane.focused = true;
            self.dirty = true;
            return true;
        }
        let screen = pane.screen();
        let (mode, encoding) = (screen.mouse_protocol_mode(), screen.mouse_protocol_encoding());
        let (cursor, alternate) = (screen.application_cursor(), screen.alternate_screen());
        let arrow = match event.kind {
            MouseEventKind::ScrollUp => Some(KeyCode::Up),
            MouseEventKind::ScrollDown => Some(KeyCode::Down),
            _ => None,
        };
        let bytes = match (mode, arrow) {
            (MouseProtocolMode::None, Some(arrow)) if alternate => {
                // As xterm does for programs that have the screen to themselves.
                input::key(&KeyEvent::new(arrow, KeyModifiers::NONE), cursor).repeat(WHEEL)
            }
            (MouseProtocolMode::None, Some(arrow)) => {
                pane.scroll(arrow == KeyCode::Up, WHEEL);
                self.dirty = true;
                return true;
            }
            _ => within(area, at).map(|at| input::mouse(event, at, mode, encoding)).unwrap_or_default(),
        };
        self.type_in(bytes);
        true
    }
}

/// A place of the program's screen, which begins below the title.
fn within(area: Rect, at: Position) -> Option<(u16, u16)> {
    Some((at.x.checked_sub(area.x)?, at.y.checked_sub(area.y.checked_add(1)?)?))
}
