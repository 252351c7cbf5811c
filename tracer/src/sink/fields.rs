//! A decoded argument as a flat list of its fields: `c_iflag` is `ICRNL|IXON`, `msgs.0.addr` is `80`.

use std::collections::HashSet;

use ioctl_registry::{Member, Style, Value};

/// The name of an argument that is no struct.
const WHOLE: &str = "value";

/// Every field with a value, by its path; what the data does not hold is left out. No path is there twice.
pub(super) fn fields(value: &Value) -> Vec<(String, String)> {
    let mut fields = Fields { style: style(), path: String::new(), found: Vec::new(), seen: HashSet::new() };
    fields.add(value);
    fields.found
}

/// Values whole, constants by name.
pub(super) fn style() -> Style<'static> {
    Style { limit: usize::MAX, verbose: true, ..Style::default() }
}

struct Fields {
    style: Style<'static>,
    path: String,
    found: Vec<(String, String)>,
    seen: HashSet<String>,
}

impl Fields {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Record(members) | Value::Fraction(members) | Value::Indexed { members, .. } => {
                self.members(members);
            }
            Value::Union { members, .. } => self.members(members),
            Value::Variant { name, value } => self.below(name, value),
            Value::Pointee { value, .. } => self.add(value),
            Value::Array { items, .. } if items.iter().any(has_parts) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(&index.to_string(), item);
                }
            }
            Value::Missing => {}
            leaf => self.leaf(leaf),
        }
    }

    fn members(&mut self, members: &[Member]) {
        for member in members {
            self.below(&member.name, &member.value);
        }
    }

    /// A part of the value; one without a name is as its own parts are.
    fn below(&mut self, name: &str, value: &Value) {
        let length = self.path.len();
        if !name.is_empty() {
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(name);
        }
        self.add(value);
        self.path.truncate(length);
    }

    fn leaf(&mut self, value: &Value) {
        let path = if self.path.is_empty() { WHOLE } else { &self.path };
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        let text = text(value).unwrap_or_else(|| value.display(&self.style).to_string());
        self.found.push((path.to_owned(), text));
    }
}

/// Whether it has fields of its own.
fn has_parts(value: &Value) -> bool {
    match value {
        Value::Record(_)
        | Value::Fraction(_)
        | Value::Indexed { .. }
        | Value::Union { .. }
        | Value::Variant { .. }
        | Value::Array { .. } => true,
        Value::Pointee { value, .. } => has_parts(value),
        _ => false,
    }
}

/// What is simpler than the way in which it is displayed: text without its quotation marks, bytes as digits.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Bytes { .. } => {
            serde_json::to_value(crate::json::Decoded(value.clone())).ok().and_then(string)
        }
        _ => None,
    }
}

fn string(value: serde_json::Value) -> Option<String> {
    if let serde_json::Value::String(text) = value { Some(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
        Value::Record(members.into_iter().map(|(name, value)| Member::new(name, value)).collect())
    }

    #[test]
    fn nested_fields_have_paths() {
        let text = Value::Text { bytes: b"a\"b".to_vec(), cut: false, fixed: false, full: false };
        let flags = Value::Flags { value: 7, names: vec!["A".into(), "B".into()], rest: 4, prefix: None };
        let item = |n| record([("n", Value::Integer(n)), ("p", Value::Pointer(16))]);
        let value = record([
            ("flags", flags),
            ("text", text),
            ("raw", Value::Bytes { bytes: vec![0, 31], cut: false }),
            ("row", Value::Array { items: vec![Value::Integer(1), Value::Integer(2)], cut: false }),
            ("list", Value::Array { items: vec![item(1), item(2)], cut: true }),
            ("gone", Value::Missing),
            (
                "",
                Value::Variant { name: "pix".into(), value: Box::new(record([("w", Value::Integer(640))])) },
            ),
            ("flags", Value::Integer(0)),
        ]);
        let found = fields(&value);
        let lines: Vec<_> = found.iter().map(|(path, text)| format!("{path}={text}")).collect();
        assert_eq!(
            lines,
            [
                "flags=A|B|0x4",
                "text=a\"b",
                "raw=001f",
                "row=[1, 2]",
                "list.0.n=1",
                "list.0.p=0x10",
                "list.1.n=2",
                "list.1.p=0x10",
                "pix.w=640"
            ]
        );
        assert_eq!(fields(&Value::Integer(-5)), [("value".to_owned(), "-5".to_owned())]);
        assert!(fields(&Value::Missing).is_empty());
    }
}
