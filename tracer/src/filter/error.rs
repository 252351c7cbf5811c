//! What is wrong with an expression, and where.

use std::{fmt, ops::Range};

use crate::escape::visible;

/// Why an expression is none.
///
/// Its `Display` is a message, the line that it is about, and carets below the place:
///
/// ```text
/// there is no field `drvier`; did you mean `driver`?
///   drvier == "i915" && ret < 0
///   ^^^^^^
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", Place { text, span })]
pub struct FilterError {
    message: String,
    text: String,
    span: Range<usize>,
}

/// Characters of an expression that are shown on each side of the place.
const SHOWN: usize = 60;

impl FilterError {
    pub(super) fn new(text: &str, mistake: Mistake) -> Self {
        Self { message: visible(&mistake.message).into_owned(), text: text.to_owned(), span: mistake.span }
    }

    /// What is wrong and what to do, in one line without control characters.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where, in bytes of the expression. It may be empty at the end of the expression.
    #[must_use]
    pub const fn span(&self) -> &Range<usize> {
        &self.span
    }
}

/// A mistake at a place of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub span: Range<usize>,
    pub message: String,
}

impl Mistake {
    pub fn new(span: &Range<usize>, message: impl Into<String>) -> Self {
        Self { span: span.clone(), message: message.into() }
    }
}

/// The line of an expression with a place, and the carets.
struct Place<'e> {
    text: &'e str,
    span: &'e Range<usize>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.trim().is_empty() {
            return Ok(());
        }
        let before = self.text.get(..self.span.start).unwrap_or_default();
        let place = self.text.get(self.span.clone()).unwrap_or_default();
        let after = self.text.get(self.span.end..).unwrap_or_default();
        // Of an expression of several lines that one; of a long one what is near.
        let before = before.rsplit('\n').next().unwrap_or_default();
        let place = place.split('\n').next().unwrap_or_default();
        let after = after.split('\n').next().unwrap_or_default();
        let skipped = before.chars().count().saturating_sub(SHOWN);
        let start = before.char_indices().nth(skipped).map_or(0, |(start, _)| start);
        let (before, cut) = (before.get(start..).unwrap_or_default(), skipped > 0);
        let before = format!("{}{}", if cut { "..." } else { "" }, visible(before));
        let (place, more) = shortened(place);
        let place = visible(place);
        let (after, rest) = if more { ("", true) } else { shortened(after) };
        let dots = if rest { "..." } else { "" };
        let carets = "^".repeat(place.chars().count().max(1));
        let indent = " ".repeat(before.chars().count());
        write!(formatter, "\n  {before}{place}{}{dots}\n  {indent}{carets}", visible(after))
    }
}

/// The beginning of a text, and whether there is more.
fn shortened(text: &str) -> (&str, bool) {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), true),
        None => (text, false),
    }
}
