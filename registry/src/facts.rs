//! What headers do not say of fields and constants: sets of flags, texts, counts, addresses, sub-commands.

use std::borrow::Cow;

use crate::{arch::Arch, encoding::Direction, parse, set::Set, types::plain_name};

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
    /// It has a bit for each value of this set.
    Bitmap(Cow<'static, str>),
    /// The places of its elements have the names of this set.
    Index(Cow<'static, str>),
    /// It holds text that a NUL ends.
    Text,
    /// It holds the number of elements of this field, a path from the same type; that many times a constant.
    Count(Cow<'static, str>, u64),
    /// It holds the number of bytes of this field, a path from the same type; that many times a constant.
    Bytes(Cow<'static, str>, u64),
    /// It holds the number of bytes of the whole value, whose last field, this one, goes on to that end.
    Tail(Cow<'static, str>),
    /// It holds the place where the contents of this field begin, in bytes from the beginning of the value.
    Start(Cow<'static, str>),
    /// It holds the place of a value of this type, or of several where the type ends in `[]`, in bytes from the beginning
    /// of this other field; without one, from that of the buffer, and 0 stands for none.
    Offset(Cow<'static, str>, Option<Cow<'static, str>>),
    /// It holds the number of a request, whose size is the number of bytes of this field.
    Ioc(Cow<'static, str>),
    /// It holds the distance to the next element of the row, in bytes from the beginning of this one; 0 in the last.
    Next,
    /// The same from the beginning of the first element.
    NextFromFirst,
    /// It holds an address: of a value of this type, or of several where the type ends in `[]`, which travel so. Of
    /// something not known, or not to be looked at, there is no direction, and the type is empty.
    Pointer(Option<Direction>, Cow<'static, str>),
    /// Its bytes are values of this type.
    Of(Cow<'static, str>),
    /// A four-character code.
    Fourcc,
    /// A file descriptor of the program.
    Fd,
    /// The number of a device.
    Dev,
    /// Shown in hexadecimal.
    Hex,
    /// The period of a tone in ticks of the PC's timer.
    Period,
    /// The same in 16 bits, and how many milliseconds it lasts in those above.
    Tone,
    /// Shown as a number, with its name beside it.
    Numeric,
    /// A number that is a character.
    Char,
    /// Two numbers: a fraction.
    Fraction,
    /// Bytes that are numbers, each for itself.
    Numbers,
    /// Its greatest value stands for "no limit", and is shown as the name that C has for it.
    Max,
    /// The version of a kernel, as `KERNEL_VERSION()` puts it together.
    Kernel,
    /// The most significant byte comes first, whatever the type says.
    BigEndian,
    /// A port of TCP or UDP, the most significant byte first.
    Port,
    /// An address of IPv4, in the network's order.
    Ipv4,
    /// An address of IPv6.
    Ipv6,
    /// A hardware address.
    Mac,
    /// A UUID.
    Uuid,
    /// Seconds since the beginning of 1970.
    Time,
    /// Of interest only to who wants to see everything.
    Verbose,
    /// Padding, or reserved: of interest only if it is not zero.
    Reserved,
    /// The kernel alone writes it: what it holds before the call means nothing.
    Out,
    /// The program alone writes it: what it holds after the call means nothing.
    In,
    /// It measures what the kernel fills only if there is room for all of it.
    All,
    /// Headers have a macro of this name for it, by which everybody calls it: of a member of a union, in place of both names.
    As(Cow<'static, str>),
    /// It is shown behind this other field of the same struct.
    After(Cow<'static, str>),
}

/// The words that stand alone.
const PLAIN: [(&str, Fact); 27] = [
    ("string", Fact::Text),
    ("fourcc", Fact::Fourcc),
    ("fd", Fact::Fd),
    ("dev", Fact::Dev),
    ("hex", Fact::Hex),
    ("numbers", Fact::Numbers),
    ("max", Fact::Max),
    ("kernel", Fact::Kernel),
    ("numeric", Fact::Numeric),
    ("period", Fact::Period),
    ("tone", Fact::Tone),
    ("char", Fact::Char),
    ("fraction", Fact::Fraction),
    ("be", Fact::BigEndian),
    ("port", Fact::Port),
    ("ipv4", Fact::Ipv4),
    ("ipv6", Fact::Ipv6),
    ("mac", Fact::Mac),
    ("uuid", Fact::Uuid),
    ("time", Fact::Time),
    ("verbose", Fact::Verbose),
    ("reserved", Fact::Reserved),
    ("out", Fact::Out),
    ("in", Fact::In),
    ("next", Fact::Next),
    ("next-from-first", Fact::NextFromFirst),
    ("all", Fact::All),
];

impl Fact {
    /// A fact by the words of `fields.tsv`: the fact and its detail.
    ///
    /// ```
    /// use ioctl_registry::Fact;
    ///
    /// assert_eq!(Fact::parse("bytes*2352", "buf".into()), Some(Fact::Bytes("buf".into(), 2352)));
    /// assert_eq!(Fact::parse("fd", "".into()), Some(Fact::Fd));
    /// assert_eq!(Fact::parse("fd", "what".into()), None);
    /// ```
    #[must_use]
    pub fn parse(fact: &str, detail: Cow<'static, str>) -> Option<Self> {
        if let Some((_, fact)) = PLAIN.iter().find(|(word, _)| *word == fact) {
            return Some(fact.clone()).filter(|_| detail.is_empty());
        }
        let (word, factor) = match fact.split_once('*') {
            Some((word @ ("count" | "bytes"), factor)) => (word, factor.parse().ok()?),
            Some(_) => return None,
            None => (fact, 1),
        };
        if detail.is_empty() && word != "pointer" {
            return None;
        }
        Some(match word {
            "set" => Self::Set(detail),
            "bitmap" => Self::Bitmap(detail),
            "index" => Self::Index(detail),
            "count" => Self::Count(detail, factor),
            "bytes" => Self::Bytes(detail, factor),
            "tail" => Self::Tail(detail),
            "start" => Self::Start(detail),
            "offset" => match detail.split_once(" from ") {
                Some((ty, base)) => Self::Offset(ty.to_owned().into(), Some(base.to_owned().into())),
                None => Self::Offset(detail, None),
            },
            "ioc" => Self::Ioc(detail),
            "as" => Self::As(detail),
            "after" => Self::After(detail),
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
    /// Name of the request; or of a type, wherever that occurs.
    pub request: &'static str,
    /// The field that tells, such as `ifr_data->cmd`; empty where the request says it all: which member of a union it uses.
    pub selector: &'static str,
    /// The constant's name.
    pub name: &'static str,
    /// The field's value. None without a selector; with one, any value that no other row has.
    pub value: Option<i128>,
    /// What it says of the argument, as [`Subcommand::target`] takes it apart; empty if not known.
    pub arg: &'static str,
    /// How that travels; `None` where it is not known.
    pub dir: Option<Direction>,
}

impl Subcommand {
    fn parse(line: &'static str) -> Option<Self> {
        let [request, selector, name, value, arg, dir] = parse::columns(line)?;
        let dir = if matches!(dir, "" | "?") { None } else { Some(Direction::parse(dir)?) };
        let value = if selector.is_empty() || value == "*" { None } else { Some(parse::integer(value)?) };
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
        self.sets.get(self.set_place(name, arch)?)
    }

    /// The place of a set among all.
    pub fn set_place(&self, name: &str, arch: Arch) -> Option<usize> {
        let start = self.sets.partition_point(|set| *set.name < *name);
        let mut same = self.sets.iter().enumerate().skip(start).take_while(|(_, set)| set.name == name);
        same.find(|(_, set)| arch.is_in(&set.arches)).map(|(place, _)| place)
    }

    pub fn sets(&self) -> &[Set] {
        &self.sets
    }

    /// What is known of a field. Where the tables tell types of one name apart, what they say of the plain name holds for
    /// all of them that have no fact of their own there.
    pub fn of_field(&self, ty: &str, field: &str) -> &[Fact] {
        let of = |ty: &str| {
            let place = self.fields.binary_search_by(|(a, b, _)| (&**a, &**b).cmp(&(ty, field)));
            place.ok().and_then(|place| self.fields.get(place)).map(|(_, _, facts)| &**facts)
        };
        let plain = plain_name(ty);
        of(ty).or_else(|| of(plain).filter(|_| plain.len() < ty.len())).unwrap_or_default()
    }

    /// The fields of a type or a request that something is known of, with what is.
    pub fn of_type<'f>(&'f self, ty: &str) -> impl Iterator<Item = (&'f str, &'f [Fact])> + use<'f> {
        let start = self.fields.partition_point(|(other, _, _)| **other < *ty);
        let fields = self.fields.get(start..).unwrap_or_default();
        let length = fields.iter().take_while(|(other, _, _)| *other == ty).count();
        fields.iter().take(length).map(|(_, field, facts)| (&**field, &**facts))
    }

    /// Every field that something is known of.
    #[cfg(test)]
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str, &[Fact])> {
        self.fields.iter().map(|(ty, field, facts)| (&**ty, &**field, &**facts))
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
        let fields = "struct s\tf\tset\tF\nstruct s\tf\tpointer\tread u32[]\nstruct s\ta.b\tstring\t\nstruct s\tn\twhat\t\n\
                      struct s\tn\tcount\t\n";
        let mut skipped = 0;
        let facts = Facts::new([sets, fields, "R\tcmd\tC\t0x3\tu32\tread\n"], (&[], &[]), &mut skipped);
        assert_eq!(skipped, 3);
        let flags = facts.set("F", Arch::X86_64).unwrap();
        assert_eq!(&*flags.constants()[0].0, "AB");
        assert_eq!(facts.set("E", Arch::Mips).unwrap().value("Y"), Some(-1));
        assert_eq!(facts.set("E", Arch::Arm).unwrap().constant(5), Some("X"));
        assert!(facts.set("G", Arch::Arm).is_none());
        let expected = [Fact::Set("F".into()), Fact::Pointer(Some(Direction::Read), "u32[]".into())];
        assert_eq!(facts.of_field("struct s", "f"), expected);
        assert_eq!(facts.of_field("struct s~5.16", "a.b"), [Fact::Text]);
        assert_eq!((facts.of_type("struct s").count(), facts.of_type("struct").count()), (2, 0));
        assert_eq!(facts.subcommands("R").next().unwrap().value, Some(3));
    }
}
