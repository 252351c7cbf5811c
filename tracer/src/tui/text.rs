//! Text that must fit: cut by width on the screen, and numbers for people.

use std::{borrow::Cow, fmt};

use ratatui::{style::Style, text::Span};

const ELLIPSIS: &str = "…";

/// Columns that a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text if it fits, else its beginning.
#[must_use]
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let span = Span::raw(text);
    let mut cut = String::new();
    let mut left = columns.saturating_sub(1);
    for grapheme in span.styled_graphemes(Style::default()) {
        let Some(rest) = left.checked_sub(width(grapheme.symbol)) else { break };
        left = rest;
        cut.push_str(grapheme.symbol);
    }
    if columns > 0 {
        cut.push_str(ELLIPSIS);
    }
    Cow::Owned(cut)
}

/// The text if it fits, else its end: of a path, the last components say most.
#[must_use]
pub fn fit_end(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let span = Span::raw(text);
    let graphemes: Vec<&str> = span.styled_graphemes(Style::default()).map(|g| g.symbol).collect();
    let mut kept = Vec::new();
    let mut left = columns.saturating_sub(1);
    for grapheme in graphemes.into_iter().rev() {
        let Some(rest) = left.checked_sub(width(grapheme)) else { break };
        left = rest;
        kept.push(grapheme);
    }
    if columns > 0 {
        kept.push(ELLIPSIS);
    }
    Cow::Owned(kept.into_iter().rev().collect())
}

/// A number with its thousands apart.
#[derive(Clone, Copy, Debug)]
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() * 4 / 3);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// A number in at most seven characters.
#[derive(Clone, Copy, Debug)]
pub struct Short(pub u64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["M", "G", "T", "P", "E"];
        if self.0 < 1_000_000 {
            return Grouped(self.0).fmt(f);
        }
        let mut value = self.0 as f64 / 1e6;
        let mut unit = 0;
        while value >= 999.5 && unit + 1 < UNITS.len() {
            value /= 1e3;
            unit += 1;
        }
        let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        f.pad(&format!("{value:.decimals$}{}", UNITS.get(unit).unwrap_or(&"")))
    }
}

/// A number of bytes, for people.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ 0..1_024 => write!(f, "{bytes} B"),
            bytes @ 1_024..1_048_576 => write!(f, "{} KiB", bytes / 1_024),
            bytes => write!(f, "{} MiB", bytes / 1_048_576),
        }
    }
}

/// Seconds as `00:01:23`.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub u64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0 / 3_600, self.0 / 60 % 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_cut_by_columns() {
        assert_eq!(fit("TIOCGWINSZ", 10), "TIOCGWINSZ");
        assert_eq!(fit("TIOCGWINSZ", 6), "TIOCG…");
        assert_eq!(fit_end("/dev/pts/3", 6), "…pts/3");
        assert_eq!(fit("漢字漢字", 6), "漢字…", "half a character is none");
        assert_eq!((fit("abc", 0), fit_end("abc", 1)), ("".into(), "…".into()));
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            [1, 999, 1_000, 1_234_567].map(|n| Grouped(n).to_string()),
            ["1", "999", "1,000", "1,234,567"]
        );
        let short = [999_999, 1_000_000, 45_600_000, 123_456_789, 999_600_000, u64::MAX];
        assert_eq!(
            short.map(|n| Short(n).to_string()),
            ["999,999", "1.00M", "45.6M", "123M", "1.00G", "18.4E"]
        );
        assert_eq!([7, 2_047, 64 << 20].map(|n| Bytes(n).to_string()), ["7 B", "1 KiB", "64 MiB"]);
        assert_eq!(Clock(3_723).to_string(), "01:02:03");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_column(text in any::<String>(), columns in 0_usize..20) {
            prop_assert!(width(&fit(&text, columns)) <= columns);
            prop_assert!(width(&fit_end(&text, columns)) <= columns);
        }
        #[test]
        fn short_is_short(n in any::<u64>()) {
            prop_assert!(Short(n).to_string().len() <= 7);
        }
    }
}
