//! Parts of decoded values, by path: `fmt.pix.width`, `msgs[0].len`, `msgs[].len`.

use ioctl_registry::Value;

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The member of this name.
    Name(Box<str>),
    /// The element at this place.
    Index(usize),
    /// Any element.
    Any,
}

/// The steps of a text such as `.msgs[].len`; `None` if it is no path.
pub(super) fn steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(index) = rest.strip_prefix('[') {
            let (index, after) = index.split_once(']')?;
            steps.push(if index.is_empty() { Step::Any } else { Step::Index(index.parse().ok()?) });
            rest = after;
        } else {
            let name = rest.strip_prefix('.')?;
            let (name, after) = name.split_at(name.find(['.', '[']).unwrap_or(name.len()));
            if name.is_empty() {
                return None;
            }
            steps.push(Step::Name(name.into()));
            rest = after;
        }
    }
    Some(steps)
}

/// Whether any value that a path leads to passes.
///
/// What lies behind an address stands in its place. The member in use of a union may be named or left out, and so may
/// the readings of a union of which none is known to be in use. A name on an array means any of its elements. Every
/// part of the value is looked at once at most.
pub(super) fn any(value: &Value, path: &[Step], passes: &mut dyn FnMut(&Value) -> bool) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return match value {
            Value::Pointee { value, .. } => any(value, path, passes),
            Value::Missing => false,
            value => passes(value),
        };
    };
    match (step, value) {
        (_, Value::Pointee { value, .. }) => any(value, path, passes),
        (Step::Name(name), Value::Record(members)) => members.iter().any(|member| {
            if *member.name == **name {
                any(&member.value, rest, passes)
            } else {
                member.name.is_empty() && any(&member.value, path, passes)
            }
        }),
        (Step::Name(name), Value::Variant { name: used, value }) if **used == **name => {
            any(value, rest, passes)
        }
        (_, Value::Variant { value, .. }) => any(value, path, passes),
        (Step::Name(name), Value::Union { members, .. }) => {
            if members.iter().any(|member| *member.name == **name) {
                members
                    .iter()
                    .filter(|member| *member.name == **name)
                    .any(|member| any(&member.value, rest, passes))
            } else {
                members.iter().any(|member| any(&member.value, path, passes))
            }
        }
        (_, Value::Union { members, .. }) => members.iter().any(|member| any(&member.value, path, passes)),
        (Step::Any, Value::Array { items, .. }) => items.iter().any(|item| any(item, rest, passes)),
        (Step::Index(place), Value::Array { items, .. }) => {
            items.get(*place).is_some_and(|item| any(item, rest, passes))
        }
        (Step::Name(_), Value::Array { items, .. }) => items.iter().any(|item| any(item, path, passes)),
        (Step::Any, Value::Bytes { bytes, .. }) => {
            bytes.iter().any(|byte| any(&Value::Integer((*byte).into()), rest, passes))
        }
        (Step::Index(place), Value::Bytes { bytes, .. }) => {
            bytes.get(*place).is_some_and(|byte| any(&Value::Integer((*byte).into()), rest, passes))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use ioctl_registry::Member;

    use super::*;

    fn record(members: Vec<(&str, Value)>) -> Value {
        Value::Record(members.into_iter().map(|(name, value)| Member::new(name, value)).collect())
    }

    fn variant(name: &str, value: Value) -> Value {
        Value::Variant { name: name.into(), value: Box::new(value) }
    }

    #[test]
    fn paths_lead_through_everything() {
        let row = |len| record(vec![("len", Value::Integer(len))]);
        let behind = |value| Value::Pointee { address: 1, value: Box::new(value) };
        let readings = Value::Union {
            bytes: vec![7],
            members: vec![
                Member::new("a", Value::Integer(7)),
                Member::new("b", record(vec![("c", Value::Integer(8))])),
            ],
        };
        let value = behind(record(vec![
            ("fmt", variant("pix", record(vec![("width", Value::Integer(640))]))),
            ("", variant("raw", Value::Integer(9))),
            ("msgs", behind(Value::Array { items: vec![row(1), row(2)], cut: false })),
            ("data", Value::Bytes { bytes: vec![0x12, 0x34], cut: false }),
            ("u", readings),
            ("gone", Value::Missing),
        ]));
        let found = |path: &str| {
            let mut found = Vec::new();
            let path = steps(path).expect("path");
            any(&value, &path, &mut |value| {
                found.extend(if let Value::Integer(number) = value { Some(*number) } else { None });
                false
            });
            found
        };
        assert_eq!((found(".fmt.pix.width"), found(".fmt.width")), (vec![640], vec![640]));
        assert_eq!(found(".raw"), [9]);
        assert_eq!((found(".msgs[1].len"), found(".msgs[2].len")), (vec![2], vec![]));
        assert_eq!((found(".msgs[].len"), found(".msgs.len")), (vec![1, 2], vec![1, 2]));
        assert_eq!((found(".data[1]"), found(".data[]")), (vec![0x34], vec![0x12, 0x34]));
        assert_eq!((found(".u.a"), found(".u.c"), found(".u.b.c")), (vec![7], vec![8], vec![8]));
        assert!(!any(&value, &steps(".gone").expect("path"), &mut |_| true));
        assert!(any(&value, &steps(".fmt").expect("path"), &mut |_| true));
        assert!(!any(&value, &steps(".nowhere[0].x").expect("path"), &mut |_| true));
    }
}
