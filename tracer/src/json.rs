//! Decoded arguments as JSON.
//!
//! Structs become objects, numbers numbers (strings where a double cannot hold them), flags
//! `{"value":3,"flags":["A","B"]}` with what has no name under `rest`, constants `{"value":1,"name":"A"}`, addresses,
//! numbers whose bits matter and bytes hexadecimal strings, and what the data does not hold `null`. What lies behind an
//! address stands in its place. The member in use of a union is an object of that one, `{"pix":{...}}`; of a union without
//! a name it is among its parent's members. Four-character codes are `{"value":n,"text":"YUYV"}`, devices `"8:1"`, times
//! `{"value":n,"time":"1970-01-01T00:00:00Z"}`, network addresses and UUIDs strings. Every field is there.

use std::fmt::Write as _;

use ioctl_registry::{Member, Value};
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
            Value::Hex(bits) => Integer((*bits).into()).serialize(to),
            Value::Pointee { value, .. } => Tree(value).serialize(to),
            Value::Flags { value, names, rest, .. } => {
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("value", &Integer((*value).into()))?;
                map.serialize_entry("flags", &names.iter().map(|name| &**name).collect::<Vec<_>>())?;
                if *rest != 0 {
                    map.serialize_entry("rest", &Integer((*rest).into()))?;
                }
                map.end()
            }
            Value::Enumeration { value, name, .. } => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("value", &Integer(*value))?;
                map.serialize_entry("name", &name.as_deref())?;
                map.end()
            }
            Value::Fourcc { value, name } => {
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("value", value)?;
                map.serialize_entry("text", &characters(*value))?;
                if let Some(name) = name {
                    map.serialize_entry("name", &**name)?;
                }
                map.end()
            }
            Value::Time(seconds) => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("value", &Integer((*seconds).into()))?;
                map.serialize_entry("time", &Value::date(*seconds).map(|date| date + "Z"))?;
                map.end()
            }
            Value::Descriptor(number) => Integer((*number).into()).serialize(to),
            Value::Device { major, minor } => to.collect_str(&format_args!("{major}:{minor}")),
            Value::Port(port) => to.serialize_u16(*port),
            Value::Ipv4(address) => to.collect_str(address),
            Value::Ipv6(address) => to.collect_str(address),
            Value::Mac(_) | Value::Uuid(_) | Value::Guid(_) => to.collect_str(self.0),
            Value::Text { bytes, .. } => to.serialize_str(&String::from_utf8_lossy(bytes)),
            Value::Kernel(version) => {
                to.collect_str(&format_args!("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff))
            }
            Value::Bitmap { names, .. } => to.collect_seq(names.iter().map(|name| &**name)),
            Value::Bytes { bytes, .. } => to.serialize_str(&hex(bytes)),
            Value::Array { items, .. } => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Tree(item)))?;
                list.end()
            }
            Value::Tone { period, duration } => {
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("period", period)?;
                if let Some(duration) = duration {
                    map.serialize_entry("duration_ms", duration)?;
                }
                map.end()
            }
            Value::Numbered { value, name } => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("value", &Integer((*value).into()))?;
                map.serialize_entry("name", &name.as_deref())?;
                map.end()
            }
            Value::Char(byte) => to.serialize_u8(*byte),
            Value::Record(members) | Value::Fraction(members) | Value::Indexed { members, .. } => {
                let mut map = to.serialize_map(None)?;
                entries(&mut map, members)?;
                map.end()
            }
            Value::Variant { name, value } => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry(&**name, &Tree(value))?;
                map.end()
            }
            Value::Union { bytes, members } => {
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("bytes", &hex(bytes))?;
                entries(&mut map, members)?;
                map.end()
            }
            // What is missing, and what is not known here.
            _ => to.serialize_unit(),
        }
    }
}

/// The members of an object, with that in use of a union without a name.
fn entries<M: SerializeMap>(map: &mut M, members: &[Member]) -> Result<(), M::Error> {
    members.iter().try_for_each(|member| match &member.value {
        Value::Variant { name, value } if member.name.is_empty() => {
            map.serialize_entry(&**name, &Tree(value))
        }
        value => map.serialize_entry(&*member.name, &Tree(value)),
    })
}

/// The characters of a code; `.` for those that cannot be seen.
pub(crate) fn characters(code: u32) -> String {
    let visible = |byte: u8| if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' };
    // The highest bit tells the order of the bytes.
    (code & (u32::MAX >> 1)).to_le_bytes().map(visible).iter().collect()
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

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
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
            ("flags", Value::Flags { value: 7, names: vec!["A".into(), "B".into()], rest: 4, prefix: None }),
            ("one", Value::Enumeration { value: 9, name: None, prefix: Some("A_".into()) }),
            ("at", Value::Pointer(4096)),
            ("text", Value::Text { bytes: b"a\xff".to_vec(), cut: false, fixed: false, full: false }),
            ("char", Value::Char(b'S')),
            ("key", Value::Numbered { value: 0x100, name: Some("K_F1".into()) }),
            ("tone", Value::Tone { period: 440, duration: Some(1) }),
            ("version", Value::Kernel(0x0006_0c01)),
            ("bitmap", Value::Bitmap { bytes: vec![3], names: vec!["A".into(), "B".into()], cut: false }),
            (
                "rate",
                Value::Fraction(vec![
                    Member::new("n", Value::Integer(1)),
                    Member::new("d", Value::Integer(2)),
                ]),
            ),
            ("chars", Value::Indexed { members: vec![Member::new("VINTR", Value::Hex(3))], cut: false }),
            ("raw", Value::Bytes { bytes: vec![0, 31], cut: true }),
            ("list", Value::Array { items: vec![Value::Bool(true), Value::Missing], cut: false }),
            ("either", Value::Union { bytes: vec![1], members: vec![Member::new("a", Value::Integer(1))] }),
        ];
        let fields = fields.into_iter().map(|(name, value)| Member::new(name, value)).collect();
        let text = serde_json::to_string(&Decoded(Value::Record(fields))).unwrap();
        assert_eq!(
            text,
            "{\"small\":-1,\"large\":\"1152921504606846976\",\"flags\":{\"value\":7,\"flags\":[\"A\",\"B\"],\"rest\":4},\
             \"one\":{\"value\":9,\"name\":null},\"at\":\"0x1000\",\"text\":\"a\u{fffd}\",\"char\":83,\
             \"key\":{\"value\":256,\"name\":\"K_F1\"},\"tone\":{\"period\":440,\"duration_ms\":1},\"version\":\"6.12.1\",\"bitmap\":[\"A\",\"B\"],\
             \"rate\":{\"n\":1,\"d\":2},\"chars\":{\"VINTR\":3},\"raw\":\"001f\",\
             \"list\":[true,null],\"either\":{\"bytes\":\"01\",\"a\":1}}"
        );
    }
    #[test]
    fn kinds_have_their_shapes() {
        let variant = |name: &str, value| Value::Variant { name: name.into(), value: Box::new(value) };
        let fields = [
            ("", variant("pix", Value::Hex(31))),
            ("fmt", variant("raw", Value::Integer(2))),
            ("p", Value::Pointee { address: 16, value: Box::new(Value::Integer(5)) }),
            ("code", Value::Fourcc { value: 0x5659_5559, name: None }),
            ("dev", Value::Device { major: 8, minor: 1 }),
            ("when", Value::Time(60)),
            ("never", Value::Time(i64::MAX)),
            ("fd", Value::Descriptor(-1)),
            ("port", Value::Port(80)),
            ("ip", Value::Ipv4([127, 0, 0, 1].into())),
            ("ip6", Value::Ipv6(1_u128.into())),
            ("mac", Value::Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56])),
            ("id", Value::Uuid([0xab; 16])),
        ];
        let fields = fields.into_iter().map(|(name, value)| Member::new(name, value)).collect();
        let text = serde_json::to_string(&Decoded(Value::Record(fields))).unwrap();
        assert_eq!(
            text,
            "{\"pix\":31,\"fmt\":{\"raw\":2},\"p\":5,\"code\":{\"value\":1448695129,\"text\":\"YUYV\"},\
             \"dev\":\"8:1\",\"when\":{\"value\":60,\"time\":\"1970-01-01T00:01:00Z\"},\
             \"never\":{\"value\":\"9223372036854775807\",\"time\":null},\"fd\":-1,\"port\":80,\
             \"ip\":\"127.0.0.1\",\"ip6\":\"::1\",\"mac\":\"52:54:00:12:34:56\",\
             \"id\":\"abababab-abab-abab-abab-abababababab\"}"
        );
    }
}
