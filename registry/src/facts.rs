//! What headers do not say of fields and constants: sets of flags, texts, counts, addresses, sub-commands.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use crate::{arch::Arch, encoding::Direction, parse};

/// How the constants of a set go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetKind {
    /// Bits that are combined.
    Flags,
    /// One of several values.
    Enumeration,
}

/// A named set of constants.
///
/// ```
/// use ioctl_registry::{Arch, Registry, SetKind};
///
/// let set = Registry::builtin().set("EV", Arch::X86_64).unwrap();
/// assert_eq!(set.kind, SetKind::Enumeration);
/// assert_eq!(set.constant(1), Some("EV_KEY"));
/// ```
#[derive(Debug)]
pub struct Set {
    /// The set's name.
    pub name: Cow<'static, str>,
    /// How its constants go together.
    pub kind: SetKind,
    arches: Cow<'static, str>,
    text: Cow<'static, str>,
    constants: OnceLock<Vec<(Arc<str>, i128)>>,
}

impl Set {
    /// A line of `sets.tsv`.
    fn parse(line: &'static str) -> Option<Self> {
        let [name, kind, text, arches] = parse::columns(line)?;
        Self::new(name.into(), kind, text.into(), arches.into())
    }

    /// A set by the words of the tables; `None` if a constant cannot be read.
    pub(crate) fn new(
        name: Cow<'static, str>,
        kind: &str,
        text: Cow<'static, str>,
        arches: Cow<'static, str>,
    ) -> Option<Self> {
        let kind = match kind {
            "flags" => SetKind::Flags,
            "enum" => SetKind::Enumeration,
            _ => return None,
        };
        Some(Self { name, kind, arches, text, constants: OnceLock::new() })
    }

    /// Names and values. Of flags those with more bits come first, so that a combination is found before its parts;
    /// otherwise the order is the header's.
    pub fn constants(&self) -> &[(Arc<str>, i128)] {
        self.constants.get_or_init(|| {
            let mut constants: Vec<_> = items(&self.text).flatten().collect();
            if self.kind == SetKind::Flags {
                constants.sort_by_key(|(_, value)| std::cmp::Reverse(value.count_ones()));
            }
            constants
        })
    }

    /// The name of a value.
    #[must_use]
    pub fn constant(&self, value: i128) -> Option<&str> {
        self.constants().iter().find(|(_, other)| *other == value).map(|(name, _)| &**name)
    }

    /// The value of a name.
    #[must_use]
    pub fn value(&self, constant: &str) -> Option<i128> {
        self.constants().iter().find(|(name, _)| **name == *constant).map(|(_, value)| *value)
    }

    /// How many constants cannot be read.
    pub(crate) fn mistakes(&self) -> usize {
        items(&self.text).filter(Option::is_none).count()
    }
}

/// The constants of a list `A=1,B=0x2`.
fn items(text: &str) -> impl Iterator<Item = Option<(Arc<str>, i128)>> {
    text.split(',').filter(|item| !item.is_empty()).map(|item| {
        let (name, value) = item.split_once('=')?;
        Some((name.into(), parse::integer(value)?))
    })
}

/// A fact about a field.
///
/// ```
/// use ioctl_registry::{Fact, Registry};
///
/// let facts = Registry::builtin().facts("struct v4l2_capability", "capabilities");
/// assert!(matches!(facts, [Fact::Set(_)]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// Its value is of this set.
    Set(Cow<'static, str>),
    /// It holds text that a NUL ends.
    Text,
    /// It holds the number of elements of this field, a path from the same type.
    Count(Cow<'static, str>),
    /// It holds the number of bytes of this field, a path from the same type.
    Bytes(Cow<'static, str>),
    /// It holds an address: of a value of this type, or of several where the type ends in `[]`, which travel so. Of
    /// something not known, there is no direction, and the type is empty.
    Pointer(Option<Direction>, Cow<'static, str>),
    /// Its bytes are values of this type.
    Of(Cow<'static, str>),
}

impl Fact {
    /// The words of `fields.tsv`.
    pub(crate) fn parse(fact: &str, detail: Cow<'static, str>) -> Option<Self> {
        Some(match fact {
            "set" => Self::Set(detail),
            "string" => Self::Text,
            "count" => Self::Count(detail),
            "bytes" => Self::Bytes(detail),
            "of" => Self::Of(detail),
            "pointer" if detail.is_empty() => Self::Pointer(None, detail),
            "pointer" => {
                let (dir, ty) = detail.split_once(' ')?;
                Self::Pointer(Some(Direction::parse(dir)?), ty.to_owned().into())
            }
            _ => return None,
        })
    }
}

/// A sub-command: a value of one field of an argument, which says what lies behind it.
///
/// ```
/// use ioctl_registry::Registry;
///
/// let registry = Registry::builtin();
/// let request = registry.find("SIOCETHTOOL").unwrap();
/// let command = registry.subcommands(request).find(|command| command.name == "ETHTOOL_GDRVINFO").unwrap();
/// assert_eq!((command.value, command.arg), (Some(3), "struct ethtool_drvinfo"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subcommand {
    /// Name of the request.
    pub request: &'static str,
    /// The field that tells, such as `ifr_data->cmd`; empty where the request says it all: which member of a union it uses.
    pub selector: &'static str,
    /// The constant's name.
    pub name: &'static str,
    /// The field's value; none without a selector.
    pub value: Option<i128>,
    /// The type of what lies behind the argument; empty if not known.
    pub arg: &'static str,
    /// How that travels; `None` where it is not known.
    pub dir: Option<Direction>,
}

impl Subcommand {
    fn parse(line: &'static str) -> Option<Self> {
        let [request, selector, name, value, arg, dir] = parse::columns(line)?;
        let dir = if matches!(dir, "" | "?") { None } else { Some(Direction::parse(dir)?) };
        let value = if selector.is_empty() { None } else { Some(parse::integer(value)?) };
        Some(Self { request, selector, name, value, arg, dir })
    }
}

/// A set as a vendor file has it: name, kind, constants.
pub(crate) type MoreSet = [String; 3];
/// A fact as a vendor file has it.
pub(crate) type MoreFact = (String, String, Fact);

/// All facts.
#[derive(Debug, Default)]
pub struct Facts {
    /// By name.
    sets: Vec<Set>,
    /// By type and field.
    fields: Vec<(Cow<'static, str>, Cow<'static, str>, Vec<Fact>)>,
    /// By request.
    subcommands: Vec<Subcommand>,
}

impl Facts {
    /// The rows of three tables, and those of vendor files.
    pub fn new(
        [sets, fields, subcommands]: [&'static str; 3],
        (more_sets, more_facts): (&[MoreSet], &[MoreFact]),
        skipped: &mut usize,
    ) -> Self {
        let mut sets = collect(sets, Set::parse, skipped);
        for [name, kind, text] in more_sets {
            sets.extend(Set::new(name.clone().into(), kind, text.clone().into(), "".into()));
        }
        // Stable: a vendor's set does not hide one of the registry's.
        sets.sort_by(|a, b| a.name.cmp(&b.name));
        let field = |line: &'static str| {
            let [ty, field, fact, detail] = parse::columns(line)?;
            Some((ty.into(), field.into(), Fact::parse(fact, detail.into())?))
        };
        let mut facts: Vec<(Cow<'static, str>, Cow<'static, str>, Fact)> = collect(fields, field, skipped);
        facts.extend(
            more_facts
                .iter()
                .map(|(ty, field, fact)| (ty.clone().into(), field.clone().into(), fact.clone())),
        );
        facts.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        let mut fields: Vec<(_, _, Vec<Fact>)> = Vec::with_capacity(facts.len());
        for (ty, field, fact) in facts {
            match fields.last_mut() {
                Some(last) if last.0 == ty && last.1 == field => last.2.push(fact),
                _ => fields.push((ty, field, vec![fact])),
            }
        }
        let mut subcommands = collect(subcommands, Subcommand::parse, skipped);
        subcommands.sort_by(|a, b| a.request.cmp(b.request));
        Self { sets, fields, subcommands }
    }

    pub fn set(&self, name: &str, arch: Arch) -> Option<&Set> {
        let start = self.sets.partition_point(|set| *set.name < *name);
        let same = self.sets.iter().skip(start).take_while(|set| set.name == name);
        same.into_iter().find(|set| arch.is_in(&set.arches))
    }

    pub fn sets(&self) -> &[Set] {
        &self.sets
    }

    pub fn of_field(&self, ty: &str, field: &str) -> &[Fact] {
        let place = self.fields.binary_search_by(|(a, b, _)| (&**a, &**b).cmp(&(ty, field)));
        place.ok().and_then(|place| self.fields.get(place)).map_or(&[], |(_, _, facts)| facts)
    }

    /// Every field that something is known of.
    #[cfg(test)]
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str, &[Fact])> {
        self.fields.iter().map(|(ty, field, facts)| (&**ty, &**field, &**facts))
    }

    /// Whether anything is known of any field of a type.
    pub fn knows(&self, ty: &str) -> bool {
        let start = self.fields.partition_point(|(other, _, _)| **other < *ty);
        self.fields.get(start).is_some_and(|(other, _, _)| other == ty)
    }

    pub fn subcommands(&self, request: &str) -> impl Iterator<Item = &Subcommand> {
        let start = self.subcommands.partition_point(|command| command.request < request);
        self.subcommands.iter().skip(start).take_while(move |command| command.request == request)
    }
}

/// Parses the lines of a table; those that cannot be read are counted.
pub(crate) fn collect<T>(
    table: &'static str,
    parse: impl Fn(&'static str) -> Option<T>,
    skipped: &mut usize,
) -> Vec<T> {
    let mut items = Vec::new();
    for line in parse::lines(table) {
        match parse(line) {
            Some(item) => items.push(item),
            None => *skipped += 1,
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let sets = "F\tflags\tA=1,B=0x2,AB=3\nE\tenum\tX=0,Y=-1\tmips\nE\tenum\tX=5\nbad\tlist\tA=1\n";
        let fields = "struct s\tf\tset\tF\nstruct s\tf\tpointer\tread u32[]\nstruct s\ta.b\tstring\t\nstruct s\tn\twhat\t\n";
        let mut skipped = 0;
        let facts = Facts::new([sets, fields, "R\tcmd\tC\t0x3\tu32\tread\n"], (&[], &[]), &mut skipped);
        assert_eq!(skipped, 2);
        let flags = facts.set("F", Arch::X86_64).unwrap();
        assert_eq!(&*flags.constants()[0].0, "AB");
        assert_eq!(facts.set("E", Arch::Mips).unwrap().value("Y"), Some(-1));
        assert_eq!(facts.set("E", Arch::Arm).unwrap().constant(5), Some("X"));
        assert!(facts.set("G", Arch::Arm).is_none());
        let expected = [Fact::Set("F".into()), Fact::Pointer(Some(Direction::Read), "u32[]".into())];
        assert_eq!(facts.of_field("struct s", "f"), expected);
        assert!(facts.knows("struct s") && !facts.knows("struct"));
        assert_eq!(facts.subcommands("R").next().unwrap().value, Some(3));
    }
}
