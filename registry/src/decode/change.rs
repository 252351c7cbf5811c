//! What a call changed of its argument.

use super::value::{Member, Value};

/// What is shown of an argument on either side of `=>`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exchange {
    /// What the program handed over; with what it got back, where that needs no side of its own.
    pub left: Option<Value>,
    /// What the call changed.
    pub right: Option<Value>,
}

impl Value {
    /// The part of `after` that differs: of structs the members that do, of arrays all of it if any element does.
    ///
    /// What is known on one side only is no change, but for what the kernel alone writes: members that are not in
    /// `before`, and what lies behind an address that was not followed there.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry, Value};
    ///
    /// let registry = Registry::builtin();
    /// let layout = registry.layout("struct winsize", Arch::X86_64).unwrap();
    /// let [before, after] = [24, 25].map(|rows| registry.decode(&layout, &[rows, 0, 80, 0, 0, 0, 0, 0]));
    /// assert_eq!(Value::changes(&before, &after).unwrap().to_string(), "{ws_row=25}");
    /// assert_eq!(Value::changes(&before, &before), None);
    /// ```
    #[must_use]
    pub fn changes(before: &Self, after: &Self) -> Option<Self> {
        Self::changed(before, after, true)
    }

    /// The changes that both sides bear witness to: what lies behind an address that was not followed in `before` may
    /// have been there all along.
    ///
    /// ```
    /// use ioctl_registry::Value;
    ///
    /// let [before, now] = [
    ///     Value::Pointer(8),
    ///     Value::Pointee { address: 8, value: Box::new(Value::Integer(1)) },
    /// ];
    /// assert_eq!(Value::changes(&before, &now), Some(now.clone()));
    /// assert_eq!(Value::witnessed_changes(&before, &now), None);
    /// ```
    #[must_use]
    pub fn witnessed_changes(before: &Self, after: &Self) -> Option<Self> {
        Self::changed(before, after, false)
    }

    fn changed(before: &Self, after: &Self, added: bool) -> Option<Self> {
        match (before, after) {
            (_, Self::Missing) => None,
            (Self::Pointee { address: one, .. }, Self::Pointer(other)) if one == other => None,
            (Self::Pointer(one), Self::Pointee { address, .. }) if one == address && !added => None,
            (Self::Pointee { address: one, value: before }, Self::Pointee { address, value })
                if one == address =>
            {
                let value = Box::new(Self::changed(before, value, added)?);
                Some(Self::Pointee { address: *address, value })
            }
            (Self::Variant { name: one, value: before }, Self::Variant { name, value }) if one == name => {
                let value = Box::new(Self::changed(before, value, added)?);
                Some(Self::Variant { name: *name, value })
            }
            (Self::Record(before), Self::Record(after)) => {
                let changed = |(other, member): (Option<&Member>, &Member)| {
                    let value = match other {
                        Some(other) => Self::changed(&other.value, &member.value, added)?,
                        None if member.value == Self::Missing => return None,
                        None => member.value.clone(),
                    };
                    Some(Member { value, ..member.clone() })
                };
                let members: Vec<Member> = pairs(before, after).filter_map(changed).collect();
                if members.is_empty() { None } else { Some(Self::Record(members)) }
            }
            (Self::Array { items: before, .. }, Self::Array { items: after, cut })
                if before.len() == after.len() =>
            {
                let mut pairs = before.iter().zip(after);
                if pairs.all(|(before, after)| Self::changed(before, after, added).is_none()) {
                    return None;
                }
                let items =
                    before.iter().zip(after).map(|(before, after)| Self::merged(before, after)).collect();
                Some(Self::Array { items, cut: *cut })
            }
            (Self::Float(before), Self::Float(after)) if before.to_bits() == after.to_bits() => None,
            (before, after) if before == after => None,
            (_, after) => Some(after.clone()),
        }
    }

    /// What to show of an argument before and after a call.
    ///
    /// Nothing stands on the right where the call changed nothing that the program had handed over. What the kernel
    /// added then, members that it alone writes and what lies behind addresses that it fills, stands in its place on the
    /// left: a request that only asks shows one value, `{type=T, fmt.pix={...}}`. One that changes anything else shows
    /// on the left what was handed over, and on the right all that is new.
    #[must_use]
    pub fn exchange(before: Option<Self>, after: Option<Self>) -> Exchange {
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => (before, after),
            (before, after) => return Exchange { left: before.or(after), right: None },
        };
        // A request that only asks: what it was told is all there is.
        if let (Self::Pointer(one), Self::Pointee { address, .. }) = (&before, &after)
            && one == address
        {
            return Exchange { left: Some(after), right: None };
        }
        if Self::only_adds(&before, &after) {
            return Exchange { left: Some(Self::merged(&before, &after)), right: None };
        }
        let right = Self::changes(&before, &after);
        Exchange { left: Some(before), right }
    }

    /// Whether nothing is new but what the kernel adds.
    fn only_adds(before: &Self, after: &Self) -> bool {
        match (before, after) {
            (_, Self::Missing) | (Self::Missing, _) => true,
            (
                Self::Pointer(one) | Self::Pointee { address: one, .. },
                Self::Pointer(other) | Self::Pointee { address: other, .. },
            ) if one != other => false,
            (Self::Pointer(_), Self::Pointee { .. } | Self::Pointer(_))
            | (Self::Pointee { .. }, Self::Pointer(_)) => true,
            (Self::Pointee { value: before, .. }, Self::Pointee { value: after, .. }) => {
                Self::only_adds(before, after)
            }
            (Self::Variant { name: one, value: before }, Self::Variant { name: other, value: after }) => {
                one == other && Self::only_adds(before, after)
            }
            (Self::Record(before), Self::Record(after)) => pairs(before, after).all(|(other, member)| {
                other.is_none_or(|other| Self::only_adds(&other.value, &member.value))
            }),
            (Self::Array { items: before, .. }, Self::Array { items: after, .. }) => {
                before.len() == after.len()
                    && before.iter().zip(after).all(|(before, after)| Self::only_adds(before, after))
            }
            (before, after) => Self::changes(before, after).is_none(),
        }
    }

    /// What is known afterwards, and what is known of the time before alone.
    fn merged(before: &Self, after: &Self) -> Self {
        match (before, after) {
            (before, Self::Missing) => before.clone(),
            (Self::Pointee { address: one, .. }, Self::Pointer(other)) if one == other => before.clone(),
            (Self::Pointee { value: before, .. }, Self::Pointee { address, value }) => {
                Self::Pointee { address: *address, value: Box::new(Self::merged(before, value)) }
            }
            (Self::Variant { name: one, value: before }, Self::Variant { name, value }) if one == name => {
                Self::Variant { name: *name, value: Box::new(Self::merged(before, value)) }
            }
            (Self::Record(before), Self::Record(after)) if after.len() < before.len() => {
                // What a failed call changed: the rest is as it was.
                let merged = |member: &Member| match after.iter().find(|other| other.name == member.name) {
                    Some(other) => {
                        Member { value: Self::merged(&member.value, &other.value), ..member.clone() }
                    }
                    None => member.clone(),
                };
                let added =
                    after.iter().filter(|member| before.iter().all(|other| other.name != member.name));
                Self::Record(before.iter().map(merged).chain(added.cloned()).collect())
            }
            (Self::Record(before), Self::Record(after)) => {
                let merged = |(other, member): (Option<&Member>, &Member)| match other {
                    Some(other) => {
                        Member { value: Self::merged(&other.value, &member.value), ..member.clone() }
                    }
                    None => member.clone(),
                };
                Self::Record(pairs(before, after).map(merged).collect())
            }
            (Self::Array { items: before, .. }, Self::Array { items, cut })
                if before.len() == items.len() =>
            {
                let items =
                    before.iter().zip(items).map(|(before, after)| Self::merged(before, after)).collect();
                Self::Array { items, cut: *cut }
            }
            (_, after) => after.clone(),
        }
    }
}

/// Whether two members are one: of what has no name, unions of other members are others.
fn is_same(one: &Member, other: &Member) -> bool {
    let others = match (&one.value, &other.value) {
        (Value::Union { members: some, .. }, Value::Union { members, .. }) => {
            one.name.is_empty()
                && !members.iter().any(|member| some.iter().any(|one| one.name == member.name))
        }
        _ => false,
    };
    one.name == other.name && !others
}

/// The members of the later side, each with the one of its name on the earlier side, where some may be left out.
fn pairs<'m>(
    before: &'m [Member],
    after: &'m [Member],
) -> impl Iterator<Item = (Option<&'m Member>, &'m Member)> {
    let mut rest = before;
    after.iter().map(move |member| {
        let Some(place) = rest.iter().position(|other| is_same(other, member)) else {
            return (None, member);
        };
        let (found, behind) = rest.split_at(place + 1);
        rest = behind;
        (found.last(), member)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(members: &[(&str, Value)]) -> Value {
        Value::Record(members.iter().map(|(name, value)| Member::new(*name, value.clone())).collect())
    }

    fn at(value: Value) -> Value {
        Value::Pointee { address: 16, value: Box::new(value) }
    }

    fn number(value: i128) -> Value {
        Value::Integer(value)
    }

    #[track_caller]
    fn assert_exchange(before: Value, after: Value, left: &str, right: Option<&str>) {
        let Exchange { left: found, right: other } = Value::exchange(Some(before), Some(after));
        assert_eq!(found.unwrap().to_string(), left);
        assert_eq!(other.map(|value| value.to_string()).as_deref(), right);
    }

    #[test]
    fn what_differs_is_kept() {
        let before = record(&[("a", number(1)), ("b", record(&[("c", number(2)), ("d", number(3))]))]);
        let after = record(&[("a", number(1)), ("b", record(&[("c", number(2)), ("d", number(4))]))]);
        assert_eq!(Value::changes(&before, &after).unwrap().to_string(), "{b={d=4}}");
        assert_eq!(Value::changes(&before, &before), None);
        let row = |last| Value::Array { items: vec![number(1), number(last)], cut: false };
        assert_eq!(Value::changes(&row(2), &row(3)).unwrap().to_string(), "[1, 3]");
        assert_eq!(Value::changes(&row(2), &row(2)), None);
        assert_eq!(Value::changes(&Value::Float(f64::NAN), &Value::Float(f64::NAN)), None);
    }

    #[test]
    fn what_one_side_alone_knows_is_no_change() {
        let before = record(&[("p", at(number(5))), ("q", number(1))]);
        let after = record(&[("p", Value::Pointer(16)), ("q", Value::Missing)]);
        assert_eq!(Value::changes(&before, &after), None);
        assert_exchange(before.clone(), after, "{p=[5], q=1}", None);
        let after = record(&[("p", Value::Pointer(16)), ("q", number(2))]);
        assert_exchange(before, after, "{p=[5], q=1}", Some("{q=2}"));
    }

    #[test]
    fn what_the_kernel_adds_stands_in_its_place() {
        let asked = record(&[("type", number(1))]);
        let told = record(&[("type", number(1)), ("fmt", number(7))]);
        assert_exchange(asked.clone(), told.clone(), "{type=1, fmt=7}", None);
        let changed = record(&[("type", number(2)), ("fmt", number(7))]);
        assert_exchange(asked, changed, "{type=1}", Some("{type=2, fmt=7}"));
        let asked = record(&[("id", number(1)), ("addr", Value::Pointer(16))]);
        let told = record(&[("id", number(1)), ("addr", at(number(5)))]);
        assert_exchange(asked, told, "{id=1, addr=[5]}", None);
        assert_exchange(Value::Pointer(16), at(record(&[("a", number(1))])), "{a=1}", None);
        assert_exchange(at(number(1)), at(number(2)), "[1]", Some("[2]"));
        assert_exchange(at(number(1)), at(number(1)), "[1]", None);
    }

    #[test]
    fn one_side_is_enough() {
        let only = Value::exchange(None, Some(number(1)));
        assert_eq!((only.left, only.right), (Some(number(1)), None));
        let only = Value::exchange(Some(number(2)), None);
        assert_eq!((only.left, only.right), (Some(number(2)), None));
    }
}
