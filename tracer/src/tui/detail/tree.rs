//! The decoded argument as a tree: every field with what it was before the call and after it, and where its bytes lie.

use std::{collections::HashSet, ops::Range, sync::Arc};

use ioctl_registry::{Fact, Layout, Registry, Shape, Show, Style, Value};

use crate::escape::{escaped, visible};

/// Fields shown; an argument is bounded, and its bytes may be read as many.
const MAX_NODES: usize = 4_000;
/// Fields within fields.
const MAX_DEPTH: usize = 40;

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its path, as filters have it; empty for the argument itself.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Fields that it lies in.
    pub depth: usize,
    /// What it was before the call.
    pub before: Option<String>,
    /// What it is after it.
    pub after: Option<String>,
    /// The call changed it.
    pub changed: bool,
    /// It has fields of its own; whether they are shown.
    pub open: Option<bool>,
    /// Addresses of its bytes, as far as they are known.
    pub bytes: Option<Range<u64>>,
    /// A comparison that holds for calls with the same value.
    pub filter: Option<String>,
}

/// Where a value lies: a type at an address, and a path in it.
#[derive(Clone, Debug)]
pub struct Spot {
    /// The address of the type.
    pub address: u64,
    /// The type.
    pub layout: Arc<Layout>,
    /// The path.
    pub path: String,
}

impl Spot {
    /// A part of it, by the name that it is shown under: headers may have one for it that is not the member's own.
    fn part(&self, step: &str, registry: &Registry, request: Option<&str>) -> Self {
        let plain = self.at(step);
        let Some(whole) = self.layout.place(&self.path) else { return plain };
        if plain.bytes().is_some() || step.starts_with('[') {
            return plain;
        }
        let called = |facts: &[Fact]| facts.iter().any(|fact| matches!(fact, Fact::As(name) if name == step));
        // What is said of a request holds from its argument on.
        let request = request.filter(|_| self.path.is_empty());
        let known = request.into_iter().chain([&*whole.layout.name]).flat_map(|of| registry.facts_of(of));
        known.filter(|(_, facts)| called(facts)).map(|(path, _)| self.at(path)).next().unwrap_or(plain)
    }

    fn at(&self, step: &str) -> Self {
        let path = match (self.path.as_str(), step.starts_with('[')) {
            ("", _) => step.to_owned(),
            (path, true) => format!("{path}{step}"),
            (path, false) => format!("{path}.{step}"),
        };
        Self { path, ..self.clone() }
    }

    fn bytes(&self) -> Option<Range<u64>> {
        let place = self.layout.place(&self.path)?;
        let start = self.address.checked_add(place.offset)?;
        Some(start..start.checked_add(place.layout.size.max(1))?)
    }

    /// What a pointer leads to.
    fn behind(&self, address: u64, registry: &Registry) -> Option<Self> {
        let pointer = self.layout.place(&self.path)?;
        let Shape::Pointer(ty) = &pointer.layout.shape else { return None };
        let layout = registry.layout(ty, self.layout.arch).ok()?;
        Some(Self { address, layout, path: String::new() })
    }
}

/// Makes the lines of a tree.
pub struct Walk<'w> {
    /// Knows the types behind pointers.
    pub registry: &'w Registry,
    /// The request's name, if it has one.
    pub request: Option<&'w str>,
    /// Paths of fields that are folded.
    pub folded: &'w HashSet<String>,
    /// The lines.
    pub nodes: Vec<Node>,
}

impl Walk<'_> {
    /// Adds a value and, unless it is folded, what it is made of.
    pub fn add(
        &mut self,
        (path, name): (&str, &str),
        depth: usize,
        before: Option<&Value>,
        after: Option<&Value>,
        spot: Option<Spot>,
    ) {
        if self.nodes.len() >= MAX_NODES || depth > MAX_DEPTH {
            return;
        }
        // What is not known on the other side is no change.
        let changed = match (before, after) {
            (Some(before), Some(after)) => Value::changes(before, after).is_some(),
            _ => false,
        };
        let children = children(before, after);
        let open = (!children.is_empty()).then(|| !self.folded.contains(path));
        let text = |value: Option<&Value>| value.map(|value| summary(value, open == Some(true)));
        self.nodes.push(Node {
            path: path.to_owned(),
            name: visible(name).into_owned(),
            depth,
            before: text(before),
            after: text(after),
            changed,
            open,
            bytes: spot.as_ref().and_then(Spot::bytes),
            filter: after.or(before).and_then(|value| comparison(path, value)),
        });
        if open != Some(true) {
            return;
        }
        let inner = match pointee(before).or_else(|| pointee(after)) {
            // The argument itself is an address: what lies there has its place already.
            Some(_) if path.is_empty() => spot,
            Some(address) => spot.and_then(|spot| spot.behind(address, self.registry)),
            None => spot,
        };
        for child in children {
            let below = match (path, child.step.starts_with('[')) {
                ("", _) => child.step.clone(),
                (path, true) => format!("{path}{}", child.step),
                (path, false) => format!("{path}.{}", child.step),
            };
            let spot = inner.as_ref().map(|spot| spot.part(&child.step, self.registry, self.request));
            self.add((&below, &child.step), depth + 1, child.before, child.after, spot);
        }
    }
}

/// A part of a value, on both sides.
struct Child<'v> {
    step: String,
    before: Option<&'v Value>,
    after: Option<&'v Value>,
}

fn pointee(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Pointee { address, .. } => Some(*address),
        _ => None,
    }
}

/// The parts of a value by their steps; none if it is shown whole.
fn parts(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Record(members) | Value::Indexed { members, .. } | Value::Union { members, .. } => {
            let shown = members.iter().filter(|m| m.show != Show::NonZero || !m.value.is_zero());
            shown.flat_map(|member| part(&member.name, &member.value)).collect()
        }
        Value::Variant { name, value } => part(name, value),
        Value::Pointee { value, .. } => match parts(value) {
            own if own.is_empty() => vec![("[0]".to_owned(), &**value)],
            own => own,
        },
        Value::Array { items, .. } if items.iter().any(|item| !parts(item).is_empty()) => {
            items.iter().enumerate().map(|(place, item)| (format!("[{place}]"), item)).collect()
        }
        _ => Vec::new(),
    }
}

/// A part under its name; those of one without a name stand for themselves.
fn part<'v>(name: &str, value: &'v Value) -> Vec<(String, &'v Value)> {
    if name.is_empty() { parts(value) } else { vec![(name.to_owned(), value)] }
}

fn children<'v>(before: Option<&'v Value>, after: Option<&'v Value>) -> Vec<Child<'v>> {
    let one = before.map(parts).unwrap_or_default();
    let mut other = after.map(parts).unwrap_or_default();
    let mut children = Vec::new();
    for (step, before) in one {
        let place = other.iter().position(|(of, _)| *of == step);
        let after = place.map(|place| other.remove(place).1);
        children.push(Child { step, before: Some(before), after });
    }
    children.extend(other.into_iter().map(|(step, after)| Child { step, before: None, after: Some(after) }));
    children
}

/// A value in a line: of what is shown below only what it is.
fn summary(value: &Value, open: bool) -> String {
    match value {
        Value::Pointee { address, .. } if open => format!("→ {address:#x}"),
        Value::Array { items, .. } if open => format!("{} elements", items.len()),
        _ if open => String::new(),
        Value::Missing => "not known".to_owned(),
        value => {
            let style = Style { limit: 256, verbose: true, ..Style::default() };
            value.display(&style).to_string()
        }
    }
}

/// A comparison of a field with its value, as filters have it.
fn comparison(path: &str, value: &Value) -> Option<String> {
    let number = match value {
        Value::Integer(number) | Value::Enumeration { value: number, .. } => number.to_string(),
        Value::Hex(number) | Value::Pointer(number) | Value::Flags { value: number, .. } => {
            format!("{number:#x}")
        }
        Value::Numbered { value, .. } => value.to_string(),
        Value::Descriptor(fd) => fd.to_string(),
        Value::Bool(truth) => u8::from(*truth).to_string(),
        Value::Text { bytes, .. } => format!("\"{}\"", escaped(bytes).replace('"', "\\\"")),
        _ => return Some(format!("arg.{path} exists")).filter(|_| !path.is_empty()),
    };
    (!path.is_empty()).then(|| format!("arg.{path} == {number}"))
}

#[cfg(test)]
mod tests {
    use ioctl_registry::{Arch, Member};

    use super::*;

    fn record(members: Vec<(&'static str, Value)>) -> Value {
        Value::Record(members.into_iter().map(|(name, value)| Member::new(name, value)).collect())
    }

    fn walk(folded: &[&str], before: Option<&Value>, after: Option<&Value>, spot: Option<Spot>) -> Vec<Node> {
        let folded = folded.iter().map(|&path| path.to_owned()).collect();
        let registry = Registry::builtin();
        let mut walk = Walk { registry, request: Some("SIOCSIFMETRIC"), folded: &folded, nodes: Vec::new() };
        walk.add(("", "argument"), 0, before, after, spot);
        walk.nodes
    }

    #[test]
    fn both_sides_stand_beside_each_other() {
        let side = |n| {
            let items =
                vec![record(vec![("len", Value::Integer(n))]), record(vec![("len", Value::Integer(7))])];
            let row = Value::Array { items, cut: false };
            record(vec![
                ("n", Value::Integer(2)),
                ("msgs", Value::Pointee { address: 64, value: Box::new(row) }),
            ])
        };
        let (before, after) = (side(1), side(3));
        let lines = |nodes: Vec<Node>| -> Vec<_> {
            let line =
                |n: Node| (n.path, n.before.unwrap_or_default(), n.after.unwrap_or_default(), n.changed);
            nodes.into_iter().map(line).collect()
        };
        let text = |path: &str, before: &str, after: &str, changed| {
            (path.to_owned(), before.to_owned(), after.to_owned(), changed)
        };
        assert_eq!(
            lines(walk(&[], Some(&before), Some(&after), None)),
            [
                text("", "", "", true),
                text("n", "2", "2", false),
                text("msgs", "→ 0x40", "→ 0x40", true),
                text("msgs[0]", "", "", true),
                text("msgs[0].len", "1", "3", true),
                text("msgs[1]", "", "", false),
                text("msgs[1].len", "7", "7", false),
            ]
        );
        let folded = walk(&["msgs"], Some(&before), None, None);
        assert_eq!((folded.len(), folded[2].open), (3, Some(false)));
        assert_eq!(folded[2].before.as_deref(), Some("[{len=1}, {len=7}]"));
    }

    #[test]
    fn fields_know_their_bytes_and_filters() {
        let layout = Registry::builtin().layout("struct winsize", Arch::X86_64).expect("known");
        let value = Registry::builtin().decode(&layout, &[24, 0, 80, 0, 0, 0, 0, 0]);
        let spot = Spot { address: 0x1000, layout, path: String::new() };
        let nodes = walk(&[], None, Some(&value), Some(spot));
        let columns = nodes.iter().find(|node| node.name == "ws_col").expect("a field");
        assert_eq!(
            (columns.bytes.clone(), columns.filter.as_deref()),
            (Some(0x1002..0x1004), Some("arg.ws_col == 80"))
        );
        assert_eq!(nodes[0].bytes, Some(0x1000..0x1008));
    }

    #[test]
    fn fields_have_bytes_under_the_names_of_macros_too() {
        let layout = Registry::builtin().layout("struct ifreq", Arch::X86_64).expect("known");
        let value = record(vec![
            ("ifr_name", Value::Integer(1)),
            ("ifr_flags", Value::Integer(2)),
            ("ifr_map", record(vec![("irq", Value::Integer(3))])),
            ("ifr_metric", Value::Integer(4)),
            ("ifr_nothing", Value::Integer(5)),
        ]);
        let spot = Spot { address: 0x1000, layout, path: String::new() };
        let nodes = walk(&[], Some(&value), None, Some(spot));
        let bytes: Vec<_> =
            nodes.iter().skip(1).map(|node| (node.name.as_str(), node.bytes.clone())).collect();
        let expected = [
            ("ifr_name", Some(0x1000..0x1010)),
            ("ifr_flags", Some(0x1010..0x1012)),
            ("ifr_map", Some(0x1010..0x1028)),
            ("irq", Some(0x1022..0x1023)),
            ("ifr_metric", Some(0x1010..0x1014)),
            ("ifr_nothing", None),
        ];
        assert_eq!(bytes, expected);
    }
}
