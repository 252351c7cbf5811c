//! What things look like: styles by what they mean, in several themes.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// The program's name and numbers that matter.
    Strong,
    /// What is there but seldom read.
    Faint,
    /// A request of a family; the number tells families apart.
    Request(u8),
    /// A result that is no error.
    Good,
    /// An error.
    Failed,
    /// A call without a result.
    Unfinished,
    /// What a call changed.
    Changed,
}

/// Colours that tell families apart.
pub const FAMILIES: usize = 6;
/// Steps of the heat map.
pub const HEAT: usize = 6;

/// Styles by what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Its name in the configuration.
    pub name: &'static str,
    /// See [`Tone`].
    pub strong: Style,
    /// See [`Tone`].
    pub faint: Style,
    /// Requests, by family.
    pub families: [Style; FAMILIES],
    /// See [`Tone`].
    pub good: Style,
    /// See [`Tone`].
    pub failed: Style,
    /// See [`Tone`].
    pub unfinished: Style,
    /// See [`Tone`].
    pub changed: Style,
    /// Sparklines and bars.
    pub graph: Style,
    /// The heat map, from few to many.
    pub heat: [Style; HEAT],
    /// Title of the pane that takes the keys.
    pub focus: Style,
    /// The name of the view that is shown.
    pub tab: Style,
    /// Heading of the column that a table is sorted by.
    pub sorted: Style,
    /// The row under the cursor.
    pub cursor: Style,
    /// What a search has found.
    pub found: Style,
    /// Calls are lost.
    pub alarm: Style,
    /// The picture is not live.
    pub notice: Style,
    /// A key in the footer.
    pub key: Style,
}

const fn plain(modifier: Modifier) -> Style {
    Style::new().add_modifier(modifier)
}

const fn color(color: Color) -> Style {
    Style::new().fg(color)
}

const fn on(front: Color, back: Color) -> Style {
    Style::new().fg(front).bg(back)
}

const fn fixed(number: u8) -> Style {
    color(Color::Indexed(number))
}

const STRONG: Style = plain(Modifier::BOLD);
const FAINT: Style = plain(Modifier::DIM);
const INVERSE: Style = plain(Modifier::REVERSED.union(Modifier::BOLD));

const DARK: Theme = Theme {
    name: "dark",
    strong: STRONG,
    faint: FAINT,
    families: [
        color(Color::Cyan),
        color(Color::LightBlue),
        color(Color::Magenta),
        color(Color::LightCyan),
        color(Color::LightMagenta),
        color(Color::Blue),
    ],
    good: color(Color::Green),
    failed: color(Color::Red),
    unfinished: color(Color::Yellow),
    changed: color(Color::LightYellow).add_modifier(Modifier::BOLD),
    graph: color(Color::Cyan),
    heat: [fixed(23), fixed(30), fixed(37), fixed(142), fixed(214), fixed(202)],
    focus: color(Color::Cyan).add_modifier(Modifier::BOLD),
    tab: on(Color::Black, Color::Cyan),
    sorted: color(Color::Cyan).add_modifier(Modifier::BOLD),
    cursor: Style::new().bg(Color::Indexed(237)),
    found: on(Color::Black, Color::LightYellow),
    alarm: on(Color::White, Color::Red).add_modifier(Modifier::BOLD),
    notice: on(Color::Black, Color::Yellow),
    key: color(Color::Cyan),
};

const LIGHT: Theme = Theme {
    name: "light",
    families: [color(Color::Blue), color(Color::Magenta), fixed(24), fixed(54), fixed(90), fixed(61)],
    good: fixed(28),
    failed: fixed(160),
    unfinished: fixed(130),
    changed: fixed(130).add_modifier(Modifier::BOLD),
    graph: color(Color::Blue),
    heat: [fixed(153), fixed(111), fixed(69), fixed(178), fixed(172), fixed(160)],
    focus: color(Color::Blue).add_modifier(Modifier::BOLD),
    tab: on(Color::White, Color::Blue),
    sorted: color(Color::Blue).add_modifier(Modifier::BOLD),
    cursor: Style::new().bg(Color::Indexed(253)),
    key: color(Color::Blue),
    ..DARK
};

/// Blue and orange are told apart by everybody; what fails is bold as well.
const COLOUR_BLIND: Theme = Theme {
    name: "colour-blind",
    families: [fixed(117), fixed(75), fixed(153), fixed(110), fixed(189), fixed(111)],
    good: fixed(75),
    failed: fixed(208).add_modifier(Modifier::BOLD),
    unfinished: fixed(222),
    changed: fixed(222).add_modifier(Modifier::BOLD),
    graph: fixed(75),
    heat: [fixed(19), fixed(25), fixed(32), fixed(39), fixed(222), fixed(231)],
    focus: fixed(75).add_modifier(Modifier::BOLD),
    tab: on(Color::Black, Color::Indexed(75)),
    sorted: fixed(75).add_modifier(Modifier::BOLD),
    found: on(Color::Black, Color::Indexed(222)),
    alarm: on(Color::Black, Color::Indexed(208)).add_modifier(Modifier::BOLD),
    notice: on(Color::Black, Color::Indexed(222)),
    key: fixed(75),
    ..DARK
};

/// Without colours: for terminals that have none, and who does not want any.
const MONO: Theme = Theme {
    name: "mono",
    families: [Style::new(); FAMILIES],
    good: Style::new(),
    failed: STRONG,
    unfinished: plain(Modifier::ITALIC),
    changed: plain(Modifier::BOLD.union(Modifier::UNDERLINED)),
    graph: Style::new(),
    heat: [Style::new(); HEAT],
    focus: INVERSE,
    tab: INVERSE,
    sorted: plain(Modifier::BOLD.union(Modifier::UNDERLINED)),
    cursor: plain(Modifier::REVERSED),
    found: plain(Modifier::REVERSED.union(Modifier::UNDERLINED)),
    alarm: INVERSE,
    notice: INVERSE,
    key: STRONG,
    ..DARK
};

impl Theme {
    /// All of them; the first is the usual one.
    pub const ALL: [Self; 4] = [DARK, LIGHT, COLOUR_BLIND, MONO];

    /// A theme by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name == name)
    }

    /// Whether it is the one without colours.
    #[must_use]
    pub fn is_mono(&self) -> bool {
        self.name == MONO.name
    }

    /// The usual theme for a terminal with colours, or for one without.
    #[must_use]
    pub const fn new(colors: bool) -> Self {
        if colors { DARK } else { MONO }
    }

    /// The style of a meaning.
    #[must_use]
    pub fn style(&self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Strong => self.strong,
            Tone::Faint => self.faint,
            Tone::Request(family) => {
                self.families.get(usize::from(family) % FAMILIES).copied().unwrap_or_default()
            }
            Tone::Good => self.good,
            Tone::Failed => self.failed,
            Tone::Unfinished => self.unfinished,
            Tone::Changed => self.changed,
        }
    }
}

/// A colour for a family; unknown ones share the first.
#[must_use]
pub fn family(name: &str) -> Tone {
    let sum = name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    Tone::Request((sum % FAMILIES as u32) as u8)
}
