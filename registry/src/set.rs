//! Named sets of constants: bits that are combined, or one of several values.

use std::{borrow::Cow, cmp::Reverse, sync::OnceLock};

use crate::{name::Name, parse};

/// How the constants of a set go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetKind {
    /// Bits that are combined.
    Flags,
    /// One of several values.
    Enumeration,
    /// Bits that are combined, of which the constants are the numbers.
    Bits,
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
    pub(crate) arches: Cow<'static, str>,
    text: Cow<'static, str>,
    constants: OnceLock<Constants>,
}

/// The constants of a set, read.
#[derive(Debug)]
struct Constants {
    all: Vec<(Name, i128)>,
    /// Values and places, sorted; of a value with several names the first.
    by_value: Vec<(i128, usize)>,
    /// How many of them, from the first, are each one more than the one before.
    rising: usize,
    /// Bits that stand alone, or combinations of them, these first; each with its place in the table.
    bits: Vec<(usize, Name, u64)>,
    /// Fields of several bits.
    fields: Vec<BitField>,
    prefix: Option<Name>,
}

/// Several bits that hold one of several values.
#[derive(Debug)]
struct BitField {
    /// Of its first value in the table.
    place: usize,
    mask: u64,
    values: Vec<(Name, u64)>,
    /// What the names of its values begin with.
    prefix: Option<Name>,
}

/// A constant as the text has it: name, value, the mask that it lies in.
type Item = (Name, i128, Option<u64>);

impl Set {
    /// A line of `sets.tsv`.
    pub(crate) fn parse(line: &'static str) -> Option<Self> {
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
            "bits" => SetKind::Bits,
            _ => return None,
        };
        Some(Self { name, kind, arches, text, constants: OnceLock::new() })
    }

    /// Names and values. Of flags those with more bits come first, so that a combination is found before its parts;
    /// otherwise the order is the header's.
    pub fn constants(&self) -> &[(Name, i128)] {
        &self.read().all
    }

    fn read(&self) -> &Constants {
        self.constants.get_or_init(|| {
            let mut items: Vec<Item> = items(&self.text).flatten().collect();
            // A set's name is mostly what those of its constants begin with; few of them may have more in common.
            let named = format!("{}_", self.name);
            let mut prefix = if items.iter().all(|(name, ..)| name.starts_with(&named)) {
                Some(named.into())
            } else {
                prefix(items.iter().map(|(name, ..)| &**name))
            };
            if self.kind == SetKind::Bits {
                let shifted = |name: &str| format!("1<<{name}").into();
                prefix = prefix.map(|prefix| shifted(&prefix));
                items.retain(|(_, bit, mask)| mask.is_some() || (0..64).contains(bit));
                for (name, value, _) in items.iter_mut().filter(|(_, _, mask)| mask.is_none()) {
                    (*name, *value) = (shifted(name), 1 << *value);
                }
            }
            let (mut bits, mut fields) = (Vec::new(), Vec::<BitField>::new());
            for (place, (name, value, mask)) in items.iter().enumerate() {
                let (name, value) = (*name, low(*value));
                match (mask, fields.iter_mut().find(|field| Some(field.mask) == *mask)) {
                    (None, _) => bits.push((place, name, value)),
                    (Some(_), Some(field)) => field.values.push((name, value)),
                    (Some(mask), None) => fields.push(BitField {
                        place,
                        mask: *mask,
                        values: vec![(name, value)],
                        prefix: None,
                    }),
                }
            }
            for field in fields.iter_mut().filter(|field| field.values.len() > 1) {
                field.prefix = self::prefix(field.values.iter().map(|(name, _)| &**name));
            }
            if self.kind != SetKind::Enumeration {
                items.sort_by_key(|(_, value, _)| Reverse(value.count_ones()));
                bits.sort_by_key(|(_, _, value)| Reverse(value.count_ones()));
            }
            let all: Vec<_> = items.into_iter().map(|(name, value, _)| (name, value)).collect();
            let mut by_value: Vec<_> =
                all.iter().enumerate().map(|(place, (_, value))| (*value, place)).collect();
            by_value.sort_unstable();
            by_value.dedup_by_key(|(value, _)| *value);
            let first = by_value.first().map_or(0, |(value, _)| *value);
            let rising = (first..).zip(&by_value).take_while(|(next, (value, _))| next == value).count();
            Constants { all, by_value, rising, bits, fields, prefix }
        })
    }

    /// The name of a value.
    #[must_use]
    pub fn constant(&self, value: i128) -> Option<&str> {
        self.named(value).map(|name| &**name)
    }

    pub(crate) fn named(&self, value: i128) -> Option<&Name> {
        let Constants { all, by_value, rising, .. } = self.read();
        let first = by_value.first().map_or(0, |(value, _)| *value);
        let near = value.checked_sub(first).and_then(|near| usize::try_from(near).ok());
        let at = near
            .filter(|near| near < rising)
            .unwrap_or_else(|| by_value.partition_point(|(other, _)| *other < value));
        let (found, place) = by_value.get(at)?;
        all.get(*place).filter(|_| *found == value).map(|(name, _)| name)
    }

    /// The value of a name.
    #[must_use]
    pub fn value(&self, constant: &str) -> Option<i128> {
        self.constants().iter().find(|(name, _)| **name == *constant).map(|(_, value)| *value)
    }

    /// Whether a value has the bits of a constant: all of them, and of a field of several bits exactly those. A constant
    /// without bits is held by nothing but 0.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let modes = Registry::builtin().set("TERMIOS_CFLAG", Arch::X86_64).unwrap();
    /// assert!(modes.holds(0x30, "CS8") && !modes.holds(0x30, "CS7"));
    /// ```
    #[must_use]
    pub fn holds(&self, value: u64, constant: &str) -> bool {
        let Constants { bits, fields, .. } = self.read();
        let plain = bits.iter().filter(|(_, name, _)| **name == *constant);
        let mut plain = plain.map(|(_, _, flag)| if *flag == 0 { value == 0 } else { value & flag == *flag });
        let of_fields = || {
            fields.iter().any(|field| {
                let wanted = field.values.iter().find(|(name, _)| **name == *constant);
                wanted.is_some_and(|(_, wanted)| value & field.mask == *wanted)
            })
        };
        plain.next().unwrap_or_else(of_fields)
    }

    /// The names of the bits of a value in the order of the table, and the bits that have none.
    pub(crate) fn flags(&self, value: u64) -> (Vec<Name>, u64) {
        let Constants { bits, fields, .. } = self.read();
        let (mut names, mut rest) = (Vec::<(usize, &Name)>::new(), value);
        for field in fields {
            let held = value & field.mask;
            if let Some((name, _)) = field.values.iter().find(|(_, other)| *other == held) {
                names.push((field.place, name));
                rest &= !field.mask;
            }
        }
        for (place, name, flag) in bits {
            if (*flag != 0 && rest & flag == *flag) || (*flag == 0 && value == 0) {
                names.push((*place, name));
                rest &= !flag;
            }
        }
        names.sort_unstable_by_key(|(place, _)| *place);
        (names.into_iter().map(|(_, name)| *name).collect(), rest)
    }

    /// What the names begin with, up to an underscore.
    pub(crate) fn prefix(&self) -> Option<&Name> {
        self.read().prefix.as_ref()
    }

    /// What the names of values begin with, one of which should stand where these bits are that have no name.
    pub(crate) fn prefix_of(&self, rest: u64) -> Option<&Name> {
        let mut fields = self.read().fields.iter();
        fields.find(|field| rest != 0 && rest & !field.mask == 0)?.prefix.as_ref()
    }

    /// How many constants cannot be read.
    pub(crate) fn mistakes(&self) -> usize {
        items(&self.text).filter(Option::is_none).count()
    }
}

/// What all names begin with, up to an underscore: `V4L2_BUF_TYPE_`.
pub(crate) fn prefix<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Name> {
    let mut names = names.into_iter();
    let first = names.next()?;
    let length = names.fold(first.len(), |length, name| {
        first.bytes().zip(name.bytes()).take(length).take_while(|(a, b)| a == b).count()
    });
    let end = first.get(..length)?.rfind('_')?;
    first.get(..=end).map(Into::into)
}

/// The constants of a list `A=1,B=0x2,C=0x10/0x30`.
fn items(text: &str) -> impl Iterator<Item = Option<Item>> {
    text.split(',').filter(|item| !item.is_empty()).map(|item| {
        let (name, value) = item.split_once('=')?;
        let (value, mask) = match value.split_once('/') {
            Some((value, mask)) => (value, Some(low(parse::integer(mask)?))),
            None => (value, None),
        };
        Some((name.into(), parse::integer(value)?, mask))
    })
}

/// The lowest 64 bits.
const fn low(value: i128) -> u64 {
    (value & u64::MAX as i128) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(kind: &str, text: &'static str) -> Set {
        Set::new("S".into(), kind, text.into(), "".into()).unwrap()
    }

    #[test]
    fn names_come_in_the_order_of_the_table() {
        let set =
            set("flags", "CS5=0/0x30,B0=0/0x100f,CSTOPB=0x40,CS8=0x30/0x30,CS6=0x10/0x30,B38400=0xf/0x100f");
        let flags = |value| {
            let (names, rest) = set.flags(value);
            (names.join("|"), rest)
        };
        assert_eq!(flags(0), ("CS5|B0".into(), 0));
        assert_eq!(flags(0x7f), ("CS8|B38400|CSTOPB".into(), 0));
        // A value without a name stays as it is.
        assert_eq!(flags(0x1020), ("".into(), 0x1020));
    }

    #[test]
    fn values_in_some_bits_have_a_prefix_of_their_own() {
        let set = set("flags", "A_NEXT=0x80,B_C_ONE=1/0xf,B_C_TWO=2/0xf,D_ONE=0x10/0x10");
        let prefix = |rest| set.prefix_of(rest).map(|prefix| &**prefix);
        assert_eq!((prefix(3), prefix(0), prefix(0x13), prefix(0x10)), (Some("B_C_"), None, None, None));
    }

    #[test]
    fn bits_are_held_or_not() {
        let set = set("flags", "CS7=0x20/0x30,CS8=0x30/0x30,SYNC=0x101000,DSYNC=0x1000,NONE=0");
        assert!(set.holds(0x30, "CS8") && !set.holds(0x30, "CS7"));
        assert!(set.holds(0x10_1030, "DSYNC") && !set.holds(0x1000, "SYNC"));
        assert!(set.holds(0, "NONE") && !set.holds(1, "NONE") && !set.holds(u64::MAX, "OTHER"));
    }

    #[test]
    fn names_share_what_they_begin_with() {
        let prefix = |names: &[&str]| prefix(names.iter().copied()).as_deref().map(str::to_owned);
        assert_eq!(prefix(&["A_B_ONE", "A_B_TWO"]).as_deref(), Some("A_B_"));
        assert_eq!(prefix(&["A_BC", "A_BD"]).as_deref(), Some("A_"));
        assert_eq!(prefix(&["A_B"]).as_deref(), Some("A_"));
        assert_eq!((prefix(&["A", "B"]), prefix(&[])), (None, None));
    }

    #[test]
    fn a_set_is_named_by_what_its_constants_begin_with() {
        assert_eq!(set("enum", "S_A_ONE=1,S_A_TWO=2").prefix().map(|prefix| &**prefix), Some("S_"));
        assert_eq!(set("enum", "T_A_ONE=1,T_A_TWO=2").prefix().map(|prefix| &**prefix), Some("T_A_"));
    }

    #[test]
    fn bits_have_numbers() {
        let set = set("bits", "NONE=0/0xff,BIT_A=0,BIT_B=3,FAR=64");
        let flags = |value| (set.flags(value).0.join("|"), set.flags(value).1);
        assert_eq!(flags(0), ("NONE".into(), 0));
        assert_eq!(flags(0b1011), ("1<<BIT_A|1<<BIT_B".into(), 2));
        assert_eq!(set.constants().len(), 3);
    }

    #[test]
    fn what_cannot_be_read_is_counted() {
        assert_eq!(set("flags", "A=1,B,C=1/x,D=2/3").mistakes(), 2);
    }
}
