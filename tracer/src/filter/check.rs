//! What is asked of a value, and the answer. The names in it are known and its kinds fit.

use std::borrow::Cow;

use ioctl_registry::{Set, Value, glob_matches};
use regex::bytes::Regex;

use super::path;
use crate::{
    errno,
    json::{characters, hex},
};

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum Check {
    /// It is there, and true where it is a truth value.
    Exists,
    /// It is one of these.
    Is(Vec<Wanted>),
    /// It is comparable with each of these, and none of them.
    IsNot(Vec<Wanted>),
    /// It is a number in this relation to another.
    Order(Relation, Number),
    Glob(String),
    Regex(Regex),
    /// It has these bits, or contains this text.
    Has(Wanted),
}

/// A relation of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A number of either kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Integer(i128),
    Float(f64),
}

/// What a value is compared with.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Number(Number),
    Text(Vec<u8>),
    Constants(Constants),
}

/// Constants by name, and bits without names.
#[derive(Clone, Debug)]
pub(super) struct Constants {
    pub names: Vec<Constant>,
    pub bits: u64,
}

/// A constant.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub name: Box<str>,
    /// The sets that it is in.
    pub sets: Vec<&'static Set>,
}

impl Number {
    fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(&right)),
            (left, right) => left.float().partial_cmp(&right.float()),
        }
    }

    const fn float(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

impl Relation {
    fn holds(self, left: Number, right: Number) -> bool {
        left.compare(right).is_some_and(|order| match self {
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        })
    }
}

impl Check {
    /// What takes longer than a comparison.
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Regex(_) | Self::Glob(_))
    }

    /// The answer for a plain number.
    pub fn integer(&self, value: i128) -> bool {
        let value = Number::Integer(value);
        let is = |wanted: &Wanted| matches!(wanted, Wanted::Number(other) if value.compare(*other).is_some_and(std::cmp::Ordering::is_eq));
        match self {
            Self::Exists => true,
            Self::Is(wanted) => wanted.iter().any(is),
            Self::IsNot(unwanted) => !unwanted.iter().any(is),
            Self::Order(relation, other) => relation.holds(value, *other),
            Self::Has(Wanted::Number(Number::Integer(bits))) => {
                matches!(value, Number::Integer(value) if *bits != 0 && value & bits == *bits)
            }
            Self::Has(Wanted::Constants(constants)) => {
                let bits = i128::from(constants.bits);
                constants.names.is_empty()
                    && bits != 0
                    && matches!(value, Number::Integer(value) if value & bits == bits)
            }
            Self::Glob(_) | Self::Regex(_) | Self::Has(_) => false,
        }
    }

    /// The answer for a text.
    pub fn text(&self, text: &[u8]) -> bool {
        let is = |wanted: &Wanted| matches!(wanted, Wanted::Text(other) if other == text);
        match self {
            Self::Exists => true,
            Self::Is(wanted) => wanted.iter().any(is),
            Self::IsNot(unwanted) => !unwanted.iter().any(is),
            Self::Glob(pattern) => glob_matches(pattern, &String::from_utf8_lossy(text)),
            Self::Regex(regex) => regex.is_match(text),
            Self::Has(Wanted::Text(part)) => contains(text, part),
            Self::Order(..) | Self::Has(_) => false,
        }
    }

    /// The answer for an error number, which is a number and a name.
    pub fn errno(&self, value: i128) -> bool {
        match (self, i32::try_from(value)) {
            (Self::Glob(_) | Self::Regex(_), Ok(number)) => self.text(errno::name(number).as_bytes()),
            _ => self.integer(value),
        }
    }

    /// The answer for what a decoded value holds; of several elements any.
    pub fn value(&self, value: &Value) -> bool {
        match value {
            Value::Missing => false,
            _ if matches!(self, Self::Exists) => true,
            Value::Pointee { value, .. } | Value::Variant { value, .. } => self.value(value),
            Value::Array { items, .. } => items.iter().any(|item| self.value(item)),
            value => self.leaf(value),
        }
    }

    fn leaf(&self, value: &Value) -> bool {
        match self {
            Self::Exists => true,
            Self::Is(wanted) => wanted.iter().any(|wanted| wanted.equals(value) == Some(true)),
            Self::IsNot(unwanted) => unwanted.iter().all(|unwanted| unwanted.equals(value) == Some(false)),
            Self::Order(relation, other) => {
                number(value).is_some_and(|number| relation.holds(number, *other))
            }
            Self::Glob(_) | Self::Regex(_) => any_text(value, &mut |text| self.text(text)),
            Self::Has(Wanted::Constants(constants)) => constants.within(value),
            Self::Has(Wanted::Text(part)) => match value {
                // A flag in quotes is the flag, not a part of its name.
                Value::Flags { names, .. } => names.iter().any(|name| name.as_bytes() == part),
                value => any_text(value, &mut |text| contains(text, part)),
            },
            Self::Has(Wanted::Number(_)) => match number(value) {
                Some(Number::Integer(number)) => self.integer(number),
                _ => false,
            },
        }
    }

    /// The answer for a part of a decoded value.
    pub fn part(&self, whole: &Value, steps: &[path::Step]) -> bool {
        path::any(whole, steps, &mut |value| self.value(value))
    }
}

impl Wanted {
    /// Whether a value is this; `None` if the two cannot be compared.
    fn equals(&self, value: &Value) -> Option<bool> {
        match self {
            Self::Number(wanted) => Some(number(value)?.compare(*wanted)?.is_eq()),
            Self::Text(wanted) => {
                let (mut any, mut equal) = (false, false);
                any_text(value, &mut |text| {
                    any = true;
                    equal = text == wanted.as_slice();
                    equal
                });
                // A constant without a name is none of those with one.
                (any || matches!(value, Value::Enumeration { .. } | Value::Flags { .. })).then_some(equal)
            }
            Self::Constants(constants) => constants.equals(value),
        }
    }
}

impl Constants {
    /// Whether a value is exactly these.
    fn equals(&self, value: &Value) -> Option<bool> {
        match (value, self.names.as_slice()) {
            (Value::Flags { value, names, rest, .. }, _) => {
                let same = names.len() == self.names.len()
                    && self.names.iter().all(|wanted| names.iter().any(|name| **name == *wanted.name))
                    && *rest == self.bits;
                // Names that overlap can be written in several ways.
                let sum = |set: &Set| {
                    let values = self.names.iter().map(|wanted| set.value(&wanted.name));
                    values.sum::<Option<i128>>().is_some()
                        && self.names.iter().all(|wanted| set.holds(*value, &wanted.name))
                        && self.names.iter().try_fold(self.bits, |bits, wanted| {
                            Some(bits | u64::try_from(set.value(&wanted.name)? & i128::from(u64::MAX)).ok()?)
                        }) == Some(*value)
                };
                Some(same || self.shared(names).any(sum))
            }
            (Value::Enumeration { value, name, .. }, [wanted]) if self.bits == 0 => Some(match name {
                Some(name) if **name == *wanted.name => true,
                // Several names may have one value.
                Some(name) => wanted
                    .sets
                    .iter()
                    .any(|set| set.value(&wanted.name) == Some(*value) && set.value(name) == Some(*value)),
                None => false,
            }),
            (Value::Fourcc { name, .. }, [wanted]) if self.bits == 0 => {
                Some(name.as_deref() == Some(&*wanted.name))
            }
            _ => None,
        }
    }

    /// Whether a value has all of these.
    fn within(&self, value: &Value) -> bool {
        match value {
            Value::Flags { value, names, .. } => {
                value & self.bits == self.bits
                    && self.names.iter().all(|wanted| {
                        names.iter().any(|name| **name == *wanted.name)
                            || self.shared(names).any(|set| set.holds(*value, &wanted.name))
                    })
            }
            Value::Enumeration { .. } | Value::Fourcc { .. } => self.equals(value) == Some(true),
            value if self.names.is_empty() => match number(value) {
                Some(Number::Integer(number)) => {
                    let bits = i128::from(self.bits);
                    bits != 0 && number & bits == bits
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// The sets that hold these constants and those of a value: a bit has another name in another set.
    fn shared<'a>(&'a self, names: &'a [ioctl_registry::Name]) -> impl Iterator<Item = &'static Set> + 'a {
        let sets = self.names.first().map(|wanted| wanted.sets.as_slice()).unwrap_or_default();
        sets.iter().copied().filter(move |set| {
            !names.is_empty()
                && names.iter().all(|name| set.value(name).is_some())
                && self.names.iter().all(|wanted| set.value(&wanted.name).is_some())
        })
    }
}

/// The number that a value is.
fn number(value: &Value) -> Option<Number> {
    Some(Number::Integer(match value {
        Value::Integer(number) => *number,
        Value::Enumeration { value, .. } => *value,
        Value::Hex(number) | Value::Pointer(number) | Value::Flags { value: number, .. } => (*number).into(),
        Value::Descriptor(number) | Value::Time(number) => (*number).into(),
        Value::Bool(value) => (*value).into(),
        Value::Fourcc { value, .. } => (*value).into(),
        Value::Port(port) => (*port).into(),
        Value::Float(number) => return Some(Number::Float(*number)),
        _ => return None,
    }))
}

/// Whether any text that a value is passes.
fn any_text(value: &Value, passes: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    match value {
        Value::Text { bytes, .. } => passes(bytes),
        Value::Bytes { bytes, .. } | Value::Union { bytes, .. } => passes(hex(bytes).as_bytes()),
        Value::Enumeration { name, .. } => name.as_deref().is_some_and(|name| passes(name.as_bytes())),
        Value::Flags { names, .. } => names.iter().any(|name| passes(name.as_bytes())),
        Value::Fourcc { value, name } => {
            passes(characters(*value).as_bytes())
                || name.as_deref().is_some_and(|name| passes(name.as_bytes()))
        }
        Value::Device { major, minor } => passes(format!("{major}:{minor}").as_bytes()),
        Value::Ipv4(address) => passes(address.to_string().as_bytes()),
        Value::Ipv6(address) => passes(address.to_string().as_bytes()),
        Value::Mac(_) | Value::Uuid(_) | Value::Guid(_) => passes(value.to_string().as_bytes()),
        _ => false,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// A check of names, for what holds them as text.
pub(super) fn texts<'t>(check: &Check, mut texts: impl Iterator<Item = &'t Cow<'t, [u8]>>) -> bool {
    texts.any(|text| check.text(text))
}
