//! Which key does what: the one table that input, footer and help are made from.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End tracing and leave.
    Quit,
    /// Hold the picture, or go on.
    Pause,
    /// Scroll.
    Scroll(Motion),
    /// The other pane takes the keys.
    SwitchPane,
    /// The pane with the keys fills the screen, or shares it again.
    Maximise,
    /// The list of calls fills the screen, or shares it again.
    ShowCalls,
    /// The table fills the screen, or shares it again.
    ShowGroups,
    /// Sort the table by the column to the right.
    SortNext,
    /// Sort the table by the column to the left.
    SortPrevious,
    /// Turn the table's order around.
    Reverse,
    /// Empty list and table.
    Clear,
    /// Open the help, or close it.
    Help,
    /// Close what is open.
    Close,
    /// Draw everything anew.
    Redraw,
}

/// A way to scroll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first row.
    Start,
    /// To the last row.
    End,
}

/// A key as it is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A key of its own.
    Plain(KeyCode),
    /// A letter together with Ctrl.
    Ctrl(char),
}

impl Key {
    /// Whether this is the key of an event. Shift is part of a character already.
    fn is(self, event: &KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match self {
            Self::Plain(code) => code == event.code && !ctrl && !alt,
            Self::Ctrl(letter) => {
                matches!(event.code, KeyCode::Char(c) if c.eq_ignore_ascii_case(&letter)) && ctrl && !alt
            }
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ctrl(letter) => write!(f, "Ctrl-{}", letter.to_ascii_uppercase()),
            Self::Plain(KeyCode::Char(' ')) => f.write_str("Space"),
            Self::Plain(KeyCode::Char(c)) => write!(f, "{c}"),
            Self::Plain(KeyCode::Up) => f.write_str("↑"),
            Self::Plain(KeyCode::Down) => f.write_str("↓"),
            Self::Plain(KeyCode::PageUp) => f.write_str("PgUp"),
            Self::Plain(KeyCode::PageDown) => f.write_str("PgDn"),
            Self::Plain(KeyCode::BackTab) => f.write_str("Shift-Tab"),
            Self::Plain(KeyCode::F(n)) => write!(f, "F{n}"),
            Self::Plain(code) => write!(f, "{code:?}"),
        }
    }
}

/// Keys and what they do.
#[derive(Debug)]
pub struct Binding {
    /// Any of these; the first one stands for them in the footer.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// For the help.
    pub help: &'static str,
    /// For the footer, in a word; bindings without one are only in the help.
    pub hint: Option<&'static str>,
}

impl Binding {
    /// The keys as the help shows them.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        names.join(" ")
    }
}

const fn bind(
    keys: &'static [Key],
    action: Action,
    hint: Option<&'static str>,
    help: &'static str,
) -> Binding {
    Binding { keys, action, help, hint }
}

const fn c(letter: char) -> Key {
    Key::Plain(KeyCode::Char(letter))
}

const ESC: Key = Key::Plain(KeyCode::Esc);
const ENTER: Key = Key::Plain(KeyCode::Enter);
const TAB: Key = Key::Plain(KeyCode::Tab);
const BACK_TAB: Key = Key::Plain(KeyCode::BackTab);
const F1: Key = Key::Plain(KeyCode::F(1));
const UP: Key = Key::Plain(KeyCode::Up);
const DOWN: Key = Key::Plain(KeyCode::Down);
const PAGE_UP: Key = Key::Plain(KeyCode::PageUp);
const PAGE_DOWN: Key = Key::Plain(KeyCode::PageDown);
const HOME: Key = Key::Plain(KeyCode::Home);
const END: Key = Key::Plain(KeyCode::End);

/// Keys while calls are watched.
pub const WATCH: &[Binding] = &[
    bind(&[c('q'), Key::Ctrl('c')], Action::Quit, Some("quit"), "end tracing and print the totals"),
    bind(&[c('?'), F1, c('h')], Action::Help, Some("help"), "this help"),
    bind(&[c(' '), c('p')], Action::Pause, Some("pause"), "hold the picture; counting goes on"),
    bind(&[TAB, BACK_TAB], Action::SwitchPane, Some("pane"), "list or table takes the keys"),
    bind(&[c('s'), c('>')], Action::SortNext, Some("sort"), "sort the table by the next column"),
    bind(&[c('<')], Action::SortPrevious, None, "sort by the column before"),
    bind(&[c('r')], Action::Reverse, None, "turn the order around"),
    bind(&[c('G'), END], Action::Scroll(Motion::End), Some("follow"), "to the end; the list follows again"),
    bind(&[c('g'), HOME], Action::Scroll(Motion::Start), None, "to the beginning"),
    bind(&[c('k'), UP], Action::Scroll(Motion::Up), None, "a row up"),
    bind(&[c('j'), DOWN], Action::Scroll(Motion::Down), None, "a row down"),
    bind(&[PAGE_UP, Key::Ctrl('b')], Action::Scroll(Motion::PageUp), None, "a page up"),
    bind(&[PAGE_DOWN, Key::Ctrl('f')], Action::Scroll(Motion::PageDown), None, "a page down"),
    bind(&[Key::Ctrl('u')], Action::Scroll(Motion::HalfUp), None, "half a page up"),
    bind(&[Key::Ctrl('d')], Action::Scroll(Motion::HalfDown), None, "half a page down"),
    bind(&[ENTER], Action::Maximise, Some("maximise"), "one pane alone, or both"),
    bind(&[c('1')], Action::ShowCalls, None, "the list alone, or both"),
    bind(&[c('2')], Action::ShowGroups, None, "the table alone, or both"),
    bind(&[c('c')], Action::Clear, Some("clear"), "empty list and table; totals stay"),
    bind(&[ESC], Action::Close, None, "back to both panes"),
    bind(&[Key::Ctrl('l')], Action::Redraw, None, "draw the screen anew"),
];

/// Keys while the help is open.
pub const HELP: &[Binding] = &[
    bind(&[ESC, c('q'), c('?'), F1, c('h'), ENTER], Action::Close, Some("close"), "close the help"),
    bind(&[Key::Ctrl('c')], Action::Quit, Some("quit"), "end tracing and print the totals"),
    bind(&[c('k'), UP], Action::Scroll(Motion::Up), None, "a row up"),
    bind(&[c('j'), DOWN], Action::Scroll(Motion::Down), Some("scroll"), "a row down"),
    bind(&[PAGE_UP, Key::Ctrl('b')], Action::Scroll(Motion::PageUp), None, "a page up"),
    bind(&[PAGE_DOWN, Key::Ctrl('f')], Action::Scroll(Motion::PageDown), None, "a page down"),
    bind(&[c('g'), HOME], Action::Scroll(Motion::Start), None, "to the beginning"),
    bind(&[c('G'), END], Action::Scroll(Motion::End), None, "to the end"),
    bind(&[Key::Ctrl('l')], Action::Redraw, None, "draw the screen anew"),
];

/// What a key does according to a table.
#[must_use]
pub fn action(bindings: &[Binding], event: &KeyEvent) -> Option<Action> {
    bindings.iter().find(|binding| binding.keys.iter().any(|key| key.is(event))).map(|b| b.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        for table in [WATCH, HELP] {
            let mut seen: Vec<Key> = Vec::new();
            for key in table.iter().flat_map(|b| b.keys) {
                assert!(!seen.contains(key), "{key} is bound twice");
                seen.push(*key);
            }
        }
    }

    #[test]
    fn modifiers_are_told_apart() {
        let press = |code, modifiers| action(WATCH, &KeyEvent::new(code, modifiers));
        let none = KeyModifiers::NONE;
        assert_eq!(press(KeyCode::Char('c'), none), Some(Action::Clear));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('q'), KeyModifiers::ALT), None);
        let shifted = press(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(shifted, Some(Action::Scroll(Motion::End)));
    }

    #[test]
    fn keys_have_names() {
        let names = |action| WATCH.iter().find(|b| b.action == action).expect("bound").names();
        assert_eq!(names(Action::Quit), "q Ctrl-C");
        assert_eq!(names(Action::Pause), "Space p");
        assert_eq!(names(Action::Help), "? F1 h");
    }
}
