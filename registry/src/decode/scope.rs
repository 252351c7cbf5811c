//! What an outer type, or a request, says of the fields within.

use std::sync::Arc;

use super::{
    plan::{Length, Next, Unit, steps},
    tag::Spot,
    value::Show,
};
use crate::{
    facts::Fact,
    types::{Layout, Shape},
};

/// What an outer type, or a request, says of the fields within.
#[derive(Default, Clone)]
pub struct Scope<'f> {
    pub facts: Vec<(&'f str, &'f [Fact])>,
    pub lengths: Vec<Measure<'f>>,
    /// What says where the contents of a field begin.
    pub starts: Vec<Measure<'f>>,
    /// What the places that a field states are counted from.
    pub bases: Vec<Measure<'f>>,
}

/// `from` measures `to`; both are within `path`.
#[derive(Clone, Copy)]
pub struct Measure<'f> {
    pub path: &'f str,
    pub from: &'f str,
    pub to: &'f str,
    pub in_bytes: bool,
    pub factor: u64,
    pub unit: Unit,
}

impl<'f> Scope<'f> {
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.lengths.is_empty() && self.starts.is_empty() && self.bases.is_empty()
    }

    /// What it says of a member.
    pub fn here(&self, name: &str) -> &'f [Fact] {
        self.facts.iter().find(|(path, _)| *path == name).map_or(&[], |(_, facts)| facts)
    }

    /// What it says within a member.
    pub fn within(&self, name: &str) -> Self {
        let inner = |path: &'f str| path.strip_prefix(name)?.strip_prefix('.');
        let facts = self.facts.iter().filter_map(|(path, facts)| Some((inner(path)?, *facts))).collect();
        let length = |measure: &Measure<'f>| {
            let path = if measure.path == name { "" } else { inner(measure.path)? };
            Some(Measure { path, ..*measure })
        };
        let within = |measures: &[Measure<'f>]| measures.iter().filter_map(length).collect();
        Self {
            facts,
            lengths: within(&self.lengths),
            starts: within(&self.starts),
            bases: within(&self.bases),
        }
    }
}

/// Whether a row is of the whole argument, not of a field.
pub fn is_whole(field: &str) -> bool {
    field.starts_with(['@', '*'])
}

/// The members that two paths share, and what is left of each.
pub fn common<'f>(one: &'f str, other: &'f str) -> (&'f str, &'f str, &'f str) {
    let mut end = 0;
    for (place, _) in one.match_indices('.') {
        if other.get(..=place) != one.get(..=place) {
            break;
        }
        end = place + 1;
    }
    let path = one.get(..end.saturating_sub(1)).unwrap_or_default();
    (path, one.get(end..).unwrap_or_default(), other.get(end..).unwrap_or_default())
}

/// Adds facts; of one word these win, and an address is no text.
pub fn merge(facts: &mut Vec<Fact>, more: &[Fact]) {
    if more.is_empty() {
        return;
    }
    facts.retain(|fact| !more.iter().any(|more| excludes(more, fact)));
    facts.extend(more.iter().cloned());
}

/// Whether a fact takes another's place.
fn excludes(one: &Fact, other: &Fact) -> bool {
    let address = |fact: &Fact| matches!(fact, Fact::Pointer(..) | Fact::Text);
    std::mem::discriminant(one) == std::mem::discriminant(other) || (address(one) && address(other))
}

/// When a member is shown.
pub fn show(name: &str, facts: &[Fact]) -> Show {
    if facts.contains(&Fact::Verbose) {
        return Show::Verbose;
    }
    if facts.contains(&Fact::Reserved) || (is_padding(name) && facts.iter().all(|fact| *fact == Fact::Out)) {
        return Show::NonZero;
    }
    Show::Always
}

/// Whether a field's name says that it means nothing.
fn is_padding(name: &str) -> bool {
    let name = name.trim_end_matches(|symbol: char| symbol.is_ascii_digit() || symbol == '_');
    matches!(
        name,
        "pad"
            | "_pad"
            | "__pad"
            | "reserved"
            | "__reserved"
            | "_reserved"
            | "unused"
            | "__unused"
            | "res"
            | "rsv"
            | "padding"
            | "filler"
            | "spare"
            | "Reserved"
    )
}

/// The rule by which one field of a record measures another; `None` if it has no such fields.
pub fn length(layout: &Arc<Layout>, measure: &Measure<'_>, facts: &[Fact]) -> Option<Length> {
    let (from, to) = (layout.place(measure.from)?, layout.place(measure.to)?);
    let (element, room) = match &to.layout.shape {
        Shape::Array(element, length) => (element.size, *length),
        _ => (0, None),
    };
    let Shape::Record(record) = &layout.shape else { return None };
    let is_last = record.fields.last().is_some_and(|last| last.offset == to.offset && !record.is_union);
    let Measure { in_bytes, factor, unit, .. } = *measure;
    let grows = is_last && (room == Some(1) || (room.is_some() && unit == Unit::Whole));
    let fixed = room.is_some() && !grows;
    let (from, to, offset) = (Spot::of(&from), steps(measure.to)?, to.offset);
    let (out, all) = (facts.contains(&Fact::Out), facts.contains(&Fact::All));
    let arch = layout.arch;
    Some(Length { from, out, all, to, offset, element, in_bytes, factor, unit, arch, fixed, grows })
}

/// The field of a record that says how far away the next one is.
pub fn next(layout: &Arc<Layout>, scopes: &[&Scope<'_>]) -> Option<Next> {
    let mut facts = scopes.iter().flat_map(|scope| scope.facts.iter());
    facts.find_map(|(path, facts)| {
        let from_first = facts.contains(&Fact::NextFromFirst);
        if !from_first && !facts.contains(&Fact::Next) {
            return None;
        }
        Some(Next { from: Spot::of(&layout.place(path)?), from_first })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_where_they_part() {
        assert_eq!(common("a.b.n", "a.b.items"), ("a.b", "n", "items"));
        assert_eq!(common("n", "a.items"), ("", "n", "a.items"));
        assert_eq!(common("ab.n", "a.items"), ("", "ab.n", "a.items"));
    }

    #[test]
    fn names_tell_padding() {
        for name in ["pad", "__pad2", "reserved", "__reserved_1", "_pad_", "unused3", "res", "spare0"] {
            assert!(is_padding(name), "{name}");
        }
        for name in ["padding_size", "result", "reserved_bytes", "p", ""] {
            assert!(!is_padding(name), "{name}");
        }
        assert_eq!(show("res", &[Fact::Hex]), Show::Always);
        assert_eq!(show("res", &[]), Show::NonZero);
    }
}
