//! Which key does what: the one table that input, footer, help and configuration are made from.

use std::{fmt, str::FromStr};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End tracing and leave.
    Quit,
    /// Open the help, or close it.
    Help,
    /// Hold the picture, or go on.
    Pause,
    /// Show a view.
    Show(View),
    /// The next view, or the other pane.
    Next,
    /// The view before.
    Previous,
    /// Move the cursor.
    Move(Motion),
    /// Look into what is under the cursor.
    Open,
    /// The pane with the keys fills the screen, or shares it again.
    Zoom,
    /// The keys go to the command's terminal, or to the dashboard.
    Focus,
    /// Hide the command's terminal, or show it.
    HidePane,
    /// Close what is open.
    Close,
    /// Fold what is under the cursor; of the heat map, shorter time.
    Fold,
    /// Unfold it.
    Unfold,
    /// Sort by the next column.
    SortNext,
    /// Sort by the column before.
    SortPrevious,
    /// Turn the order around.
    Reverse,
    /// The heat map shows more time.
    Longer,
    /// The heat map shows less time.
    Shorter,
    /// Ask for a filter.
    Filter,
    /// Ask for a text to look for.
    Search,
    /// Filter by what is under the cursor.
    FilterByThis,
    /// The same, in addition to the filter that there is.
    FilterByThisToo,
    /// Follow the descriptor of the call under the cursor.
    Follow,
    /// Jump to the next call with the text, or to the one before.
    Find(bool),
    /// To the next error, or the one before.
    FindError(bool),
    /// To the next call of the same request, or the one before.
    FindRequest(bool),
    /// To the next call on the same descriptor, or the one before.
    FindDescriptor(bool),
    /// Begin to write calls into a file, or end it.
    Write,
    /// Save the calls that the stream shows.
    Save,
    /// Put the call into the clipboard as a line.
    CopyText,
    /// The same as JSON.
    CopyJson,
    /// Its argument as a C initialiser.
    CopyC,
    /// Empty list and tables.
    Clear,
    /// Draw everything anew.
    Redraw,
}

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Calls as they come.
    #[default]
    Stream,
    /// Totals per request and device.
    Requests,
    /// Totals per device.
    Devices,
    /// Totals per process and thread.
    Processes,
    /// Calls inside the kernel.
    InFlight,
    /// Durations over time.
    Latency,
    /// Errors per request.
    Errors,
}

impl View {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 7] = [
        Self::Stream,
        Self::Requests,
        Self::Devices,
        Self::Processes,
        Self::InFlight,
        Self::Latency,
        Self::Errors,
    ];

    /// Its name.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Stream => "Stream",
            Self::Requests => "Requests",
            Self::Devices => "Devices",
            Self::Processes => "Processes",
            Self::InFlight => "In flight",
            Self::Latency => "Latency",
            Self::Errors => "Errors",
        }
    }

    /// The view `steps` further, around the end.
    #[must_use]
    pub fn step(self, steps: usize) -> Self {
        let place = Self::ALL.iter().position(|&view| view == self).unwrap_or(0);
        Self::ALL.get((place + steps) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// A way to move.
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

/// Keys with names of their own.
const NAMED: [(&str, KeyCode); 14] = [
    ("Space", KeyCode::Char(' ')),
    ("↑", KeyCode::Up),
    ("↓", KeyCode::Down),
    ("←", KeyCode::Left),
    ("→", KeyCode::Right),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("Tab", KeyCode::Tab),
    ("Shift-Tab", KeyCode::BackTab),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Backspace", KeyCode::Backspace),
];
/// Other names of some of them, for who writes a configuration.
const ALIASES: [(&str, KeyCode); 4] =
    [("Up", KeyCode::Up), ("Down", KeyCode::Down), ("Left", KeyCode::Left), ("Right", KeyCode::Right)];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ctrl(letter) => write!(f, "Ctrl-{}", letter.to_ascii_uppercase()),
            Self::Plain(code) => match (NAMED.iter().find(|(_, named)| named == code), code) {
                (Some((name, _)), _) => f.write_str(name),
                (None, KeyCode::Char(c)) => write!(f, "{c}"),
                (None, KeyCode::F(n)) => write!(f, "F{n}"),
                (None, code) => write!(f, "{code:?}"),
            },
        }
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut characters = name.chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            return Ok(Self::Plain(KeyCode::Char(only)));
        }
        if let Some((_, code)) =
            NAMED.iter().chain(&ALIASES).find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            return Ok(Self::Plain(*code));
        }
        if let Some(letter) = name.strip_prefix("Ctrl-").filter(|letter| letter.chars().count() == 1) {
            return Ok(Self::Ctrl(letter.chars().next().unwrap_or_default().to_ascii_lowercase()));
        }
        let number = name.strip_prefix('F').and_then(|number| number.parse().ok());
        match number.filter(|number| (1..=12).contains(number)) {
            Some(number) => Ok(Self::Plain(KeyCode::F(number))),
            None => Err(format!(
                "there is no key `{name}`: a character, Ctrl-X, F1 to F12, Space, Enter, Esc, Tab, PgUp, …"
            )),
        }
    }
}

/// Keys and what they do.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Any of these; the first one stands for them in the footer.
    pub keys: Vec<Key>,
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

/// Name, keys, action, hint and help of a binding.
type Usual = (&'static str, &'static [&'static str], Action, Option<&'static str>, &'static str);

/// Every binding. What matters most stands first: the footer takes what fits.
#[rustfmt::skip]
const BINDINGS: &[Usual] = &[
    ("quit", &["q", "Ctrl-C"], Action::Quit, Some("quit"), "end tracing and print the totals"),
    ("help", &["?", "F1"], Action::Help, Some("help"), "this help"),
    ("pause", &["Space", "p"], Action::Pause, Some("pause"), "hold the picture; counting goes on"),
    ("terminal", &["F12"], Action::Focus, Some("terminal"), "keys go to the command's terminal; there, back to the dashboard"),
    ("open", &["Enter"], Action::Open, Some("open"), "look into what is under the cursor: the detail of a call"),
    ("filter", &["f"], Action::Filter, Some("filter"), "show only calls that match, as --filter does; Tab completes"),
    ("search", &["/"], Action::Search, Some("search"), "look for a text in calls, or in the rows of a table"),
    ("find-next", &["n"], Action::Find(true), None, "the next call or row with that text"),
    ("find-previous", &["N"], Action::Find(false), None, "the one before"),
    ("filter-by", &["="], Action::FilterByThis, Some("by this"), "filter by what is under the cursor"),
    ("filter-by-too", &["&"], Action::FilterByThisToo, None, "the same, within what is filtered already"),
    ("follow-fd", &["o"], Action::Follow, None, "only calls on the same descriptor"),
    ("next-error", &["e"], Action::FindError(true), Some("error"), "the next call that failed"),
    ("previous-error", &["E"], Action::FindError(false), None, "the one before"),
    ("next-request", &["]"], Action::FindRequest(true), None, "the next call of the same request"),
    ("previous-request", &["["], Action::FindRequest(false), None, "the one before"),
    ("next-fd", &["}"], Action::FindDescriptor(true), None, "the next call on the same descriptor"),
    ("previous-fd", &["{"], Action::FindDescriptor(false), None, "the one before"),
    ("next", &["Tab"], Action::Next, Some("next"), "the next view; the other pane, if two are open"),
    ("previous", &["Shift-Tab"], Action::Previous, None, "the view before"),
    ("stream", &["1"], Action::Show(View::Stream), None, "calls as they come"),
    ("requests", &["2"], Action::Show(View::Requests), None, "totals per request and device"),
    ("devices", &["3"], Action::Show(View::Devices), None, "devices, and who uses them"),
    ("processes", &["4"], Action::Show(View::Processes), None, "processes and their threads"),
    ("in-flight", &["5"], Action::Show(View::InFlight), None, "calls inside the kernel, the oldest first"),
    ("latency", &["6"], Action::Show(View::Latency), None, "durations over time, and per request"),
    ("errors", &["7"], Action::Show(View::Errors), None, "errors per request"),
    ("sort", &["s", ">"], Action::SortNext, Some("sort"), "sort by the next column"),
    ("sort-back", &["<"], Action::SortPrevious, None, "sort by the column before"),
    ("reverse", &["r"], Action::Reverse, None, "turn the order around"),
    ("end", &["G", "End"], Action::Move(Motion::End), Some("follow"), "to the end; the stream follows again"),
    ("start", &["g", "Home"], Action::Move(Motion::Start), None, "to the beginning"),
    ("up", &["k", "↑"], Action::Move(Motion::Up), None, "a row up"),
    ("down", &["j", "↓"], Action::Move(Motion::Down), None, "a row down"),
    ("page-up", &["PgUp", "Ctrl-B"], Action::Move(Motion::PageUp), None, "a page up"),
    ("page-down", &["PgDn", "Ctrl-F"], Action::Move(Motion::PageDown), None, "a page down"),
    ("half-up", &["Ctrl-U"], Action::Move(Motion::HalfUp), None, "half a page up"),
    ("half-down", &["Ctrl-D"], Action::Move(Motion::HalfDown), None, "half a page down"),
    ("fold", &["h", "←"], Action::Fold, Some("fold"), "fold what is under the cursor"),
    ("unfold", &["l", "→"], Action::Unfold, None, "unfold it"),
    ("zoom", &["z"], Action::Zoom, None, "the pane with the keys alone, or all"),
    ("hide-terminal", &["t"], Action::HidePane, None, "hide the command's terminal, or show it"),
    ("write", &["w"], Action::Write, Some("write"), "write what comes from now on into a file; end that"),
    ("save", &["W"], Action::Save, None, "save the calls that are shown into a file"),
    ("copy-text", &["y"], Action::CopyText, Some("copy"), "copy the call as a line"),
    ("copy-json", &["Y"], Action::CopyJson, None, "copy it as JSON"),
    ("copy-c", &["C"], Action::CopyC, None, "copy its argument as a C initialiser"),
    ("longer", &["+"], Action::Longer, Some("more time"), "more time in the heat map"),
    ("shorter", &["-"], Action::Shorter, Some("less"), "less time in the heat map"),
    ("clear", &["c"], Action::Clear, Some("clear"), "empty list, tables and totals; the sums above stay"),
    ("close", &["Esc"], Action::Close, None, "close what is open; the filter last"),
    ("redraw", &["Ctrl-L"], Action::Redraw, None, "draw the screen anew"),
];

/// The keys of a user.
#[derive(Clone, Debug)]
pub struct Keymap(Vec<Binding>);

impl Default for Keymap {
    fn default() -> Self {
        let binding = |&(name, keys, action, hint, help): &Usual| Binding {
            name,
            keys: keys.iter().filter_map(|key| key.parse().ok()).collect(),
            action,
            help,
            hint,
        };
        Self(BINDINGS.iter().map(binding).collect())
    }
}

impl Keymap {
    /// Every binding, in the order of the help.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.0
    }

    /// What a key does.
    #[must_use]
    pub fn action(&self, event: &KeyEvent) -> Option<Action> {
        self.0.iter().find(|binding| binding.keys.iter().any(|key| key.is(event))).map(|b| b.action)
    }

    /// Gives an action other keys, which lose what they did before.
    ///
    /// # Errors
    /// When there is no such action, or no such key.
    pub fn bind(&mut self, name: &str, keys: &[String]) -> Result<(), String> {
        let keys = keys.iter().map(|key| key.parse()).collect::<Result<Vec<Key>, _>>()?;
        if !self.0.iter().any(|binding| binding.name == name) {
            let names: Vec<_> = self.0.iter().map(|binding| binding.name).collect();
            return Err(format!("there is no action `{name}`: {}", names.join(", ")));
        }
        for binding in &mut self.0 {
            if binding.name == name {
                binding.keys.clone_from(&keys);
            } else {
                binding.keys.retain(|key| !keys.contains(key));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_and_every_key_has_a_name() {
        let keymap = Keymap::default();
        let mut seen: Vec<Key> = Vec::new();
        for (binding, row) in keymap.bindings().iter().zip(BINDINGS) {
            assert_eq!(binding.keys.len(), row.1.len(), "{}", binding.name);
            for key in &binding.keys {
                assert!(!seen.contains(key), "{key} is bound twice");
                assert_eq!(key.to_string().parse(), Ok(*key));
                seen.push(*key);
            }
        }
    }

    #[test]
    fn modifiers_are_told_apart() {
        let keymap = Keymap::default();
        let press = |code, modifiers| keymap.action(&KeyEvent::new(code, modifiers));
        let none = KeyModifiers::NONE;
        assert_eq!(press(KeyCode::Char('c'), none), Some(Action::Clear));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('q'), KeyModifiers::ALT), None);
        let shifted = press(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(shifted, Some(Action::Move(Motion::End)));
    }

    #[test]
    fn keys_can_be_given_to_other_actions() {
        let mut keymap = Keymap::default();
        keymap.bind("zoom", &["q".to_owned(), "ctrl-x".to_owned().replace("ctrl", "Ctrl")]).expect("bound");
        let action = |keymap: &Keymap, c| keymap.action(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        assert_eq!((action(&keymap, 'q'), action(&keymap, 'z')), (Some(Action::Zoom), None));
        assert!(
            keymap.bind("zom", &[]).expect_err("no action").starts_with("there is no action `zom`: quit,")
        );
        assert!(keymap.bind("zoom", &["Hyper".to_owned()]).expect_err("no key").contains("`Hyper`"));
    }
}
