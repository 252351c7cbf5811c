//! What things look like, with colours or without.

use ratatui::style::{Color, Modifier, Style};

/// Styles by what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// The program's name and numbers that matter.
    pub strong: Style,
    /// What is there but seldom read.
    pub faint: Style,
    /// Names of requests.
    pub request: Style,
    /// A result that is no error.
    pub good: Style,
    /// An error.
    pub failed: Style,
    /// A call without a result.
    pub unfinished: Style,
    /// Title of the pane that takes the keys.
    pub focus: Style,
    /// Heading of the column that the table is sorted by.
    pub sorted: Style,
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

impl Theme {
    /// The theme for a terminal with colours, or for one without.
    #[must_use]
    pub const fn new(colors: bool) -> Self {
        let strong = plain(Modifier::BOLD);
        let faint = plain(Modifier::DIM);
        let inverse = plain(Modifier::REVERSED.union(Modifier::BOLD));
        if colors {
            Self {
                strong,
                faint,
                request: color(Color::Cyan),
                good: color(Color::Green),
                failed: color(Color::Red),
                unfinished: color(Color::Yellow),
                focus: color(Color::Cyan).add_modifier(Modifier::BOLD),
                sorted: color(Color::Cyan).add_modifier(Modifier::BOLD),
                alarm: color(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
                notice: color(Color::Black).bg(Color::Yellow),
                key: color(Color::Cyan),
            }
        } else {
            Self {
                strong,
                faint,
                request: Style::new(),
                good: Style::new(),
                failed: strong,
                unfinished: plain(Modifier::ITALIC),
                focus: inverse,
                sorted: plain(Modifier::BOLD.union(Modifier::UNDERLINED)),
                alarm: inverse,
                notice: inverse,
                key: strong,
            }
        }
    }
}
