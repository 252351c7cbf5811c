//! Decoded arguments as JSON.
//!
//! Structs become objects, numbers numbers (strings where a double cannot hold them), flags
//! `{"value":3,"flags":["A","B"]}` with what has no name under `rest`, constants `{"value":1,"name":"A"}`, addresses and
//! bytes hexadecimal strings, and what the data does not hold `null`.

use std::fmt::Write as _;

use ioctl_registry::Value;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

/// A decoded value that serialises as this module says.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded(pub Value);

impl Serialize for Decoded {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Tree(&self.0).serialize(to)
    }
}

/// A part of a value.
struct Tree<'v>(&'v Value);

/// Beyond it a double cannot hold every integer.
const EXACT: u128 = 1 << 53;

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Integer(value) => Integer(*value).serialize(to),
            Value::Float(value) => to.serialize_f64(*value),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Pointer(address) => to.serialize_str(&format!("{address:#x}")),
            Value::Flags { value, names, rest } => {
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("value", &Integer((*value).into()))?;
                map.serialize_entry("flags", &names.iter().map(|name| &**name).collect::<Vec<_>>())?;
                if *rest != 0 {
                    map.serialize_entry("rest", &Integer((*rest).into()))?;
                }
                map.end()
            }
            Value::Enumeration { value, name } => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("value", &Integer(*value))?;
                map.serialize_entry("name", &name.as_deref())?;
                map.end()
            }
            Value::Text { bytes, .. } => to.serialize_str(&String::from_utf8_lossy(bytes)),
            Value::Bytes { bytes, .. } => to.serialize_str(&hex(bytes)),
            Value::Array { items, .. } => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Tree(item)))?;
                list.end()
            }
            Value::Record(fields) => {
                let mut map = to.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(&**name, &Tree(value)))?;
                map.end()
            }
            Value::Union { bytes, members } => {
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("bytes", &hex(bytes))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(&**name, &Tree(value)))?;
                map.end()
            }
            // What is missing, and what is not known here.
            _ => to.serialize_unit(),
        }
    }
}

/// An integer of any size.
struct Integer(i128);

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(value) if self.0.unsigned_abs() <= EXACT => to.serialize_i64(value),
            _ => to.collect_str(&self.0),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_has_its_shape() {
        let fields = [
            ("small", Value::Integer(-1)),
            ("large", Value::Integer(1 << 60)),
            ("flags", Value::Flags { value: 7, names: vec!["A".into(), "B".into()], rest: 4 }),
            ("one", Value::Enumeration { value: 9, name: None }),
            ("at", Value::Pointer(4096)),
            ("text", Value::Text { bytes: b"a\xff".to_vec(), cut: false }),
            ("raw", Value::Bytes { bytes: vec![0, 31], cut: true }),
            ("list", Value::Array { items: vec![Value::Bool(true), Value::Missing], cut: false }),
            ("either", Value::Union { bytes: vec![1], members: vec![("a".into(), Value::Integer(1))] }),
        ];
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let text = serde_json::to_string(&Decoded(Value::Record(fields))).unwrap();
        assert_eq!(
            text,
            "{\"small\":-1,\"large\":\"1152921504606846976\",\"flags\":{\"value\":7,\"flags\":[\"A\",\"B\"],\"rest\":4},\
             \"one\":{\"value\":9,\"name\":null},\"at\":\"0x1000\",\"text\":\"a\u{fffd}\",\"raw\":\"001f\",\
             \"list\":[true,null],\"either\":{\"bytes\":\"01\",\"a\":1}}"
        );
    }
}
