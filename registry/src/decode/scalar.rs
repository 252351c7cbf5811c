//! What numbers and short runs of bytes mean.

use super::{
    number::{extend, truncated},
    plan::{Kind, Known},
    value::Value,
};
use crate::{
    facts::Facts,
    name::Name,
    set::{Set, SetKind},
    types::{Enumeration, Scalar, ScalarKind},
};

/// What `width` bits mean. `name` is that of a sub-command.
pub fn number(
    facts: &Facts,
    known: &Known,
    scalar: ScalarKind,
    raw: u128,
    width: u64,
    name: Option<&Name>,
) -> Value {
    match scalar {
        ScalarKind::Float if width == 32 => {
            return Value::Float(f64::from(f32::from_bits(truncated(raw) as u32)));
        }
        ScalarKind::Float => return Value::Float(f64::from_bits(truncated(raw))),
        ScalarKind::Bool => return Value::Bool(raw != 0),
        ScalarKind::Guid => return Value::Guid(raw.to_le_bytes()),
        ScalarKind::Wide if raw < 0x80 => return Value::Char(truncated(raw) as u8),
        ScalarKind::Wide => {
            let unit = truncated(raw).to_le_bytes();
            return wide_text(unit.get(..2).unwrap_or_default(), false, true, false);
        }
        _ => {}
    }
    let low = truncated(raw);
    let signed = |width| extend(raw, width, true).and_then(|value| i64::try_from(value).ok()).unwrap_or(0);
    match known.kind {
        Kind::Fourcc => {
            let set = known.set.and_then(|place| facts.sets().get(place));
            let name = set.and_then(|set| set.named(i128::from(low))).cloned();
            return Value::Fourcc { value: (low & u64::from(u32::MAX)) as u32, name };
        }
        Kind::Fd => return Value::Descriptor(signed(width.min(64))),
        Kind::Dev => return device(low, width),
        Kind::Hex if known.set.is_none() && width <= 64 => return Value::Hex(low),
        Kind::Period => return Value::Tone { period: low, duration: None },
        Kind::Tone => return Value::Tone { period: low & 0xffff, duration: Some(low >> 16 & 0xffff) },
        Kind::Char if low <= 0xff => return Value::Char((low & 0xff) as u8),
        Kind::Port => return Value::Port((low & 0xffff) as u16),
        Kind::Time if scalar == ScalarKind::Signed || width < 64 => {
            let value = if scalar == ScalarKind::Signed { signed(width) } else { low.cast_signed() };
            return Value::Time(value);
        }
        Kind::Time => return Value::Time(low.cast_signed()),
        Kind::Kernel if width <= 32 => return Value::Kernel((low & u64::from(u32::MAX)) as u32),
        _ => {}
    }
    // Larger than any number that has a name.
    let Some(value) = extend(raw, width, scalar == ScalarKind::Signed) else {
        return Value::Bytes { bytes: raw.to_be_bytes().to_vec(), cut: false };
    };
    let Some(set) = known.set.and_then(|place| facts.sets().get(place)) else {
        return match name {
            Some(name) => Value::Enumeration { value, name: Some(*name), prefix: None },
            None if known.max && low == u64::MAX >> 64_u64.saturating_sub(width) => greatest(value, width),
            None => Value::Integer(value),
        };
    };
    if known.max && low == u64::MAX >> 64_u64.saturating_sub(width) {
        return greatest(value, width);
    }
    if known.numeric {
        return Value::Numbered { value: low, name: set.named(value).cloned() };
    }
    if set.kind == SetKind::Enumeration {
        return enumeration(value, set.named(value).or(name).cloned(), known);
    }
    let (names, rest) = set.flags(low);
    let own = set.prefix_of(rest).cloned();
    let prefix = if names.is_empty() { own.or(known.prefix) } else { own };
    Value::Flags { value: low, names, rest, prefix }
}

/// A number of a C enumeration.
pub fn named(facts: &Facts, of: &Enumeration, known: &Known, raw: u128, width: u64) -> Value {
    match number(facts, known, of.scalar.kind(), raw, width, None) {
        Value::Integer(value) => {
            let found = of.constants.iter().find(|(_, other)| *other == value);
            enumeration(value, found.map(|(name, _)| *name), known)
        }
        other => other,
    }
}

fn enumeration(value: i128, name: Option<Name>, known: &Known) -> Value {
    let prefix = if name.is_none() { known.prefix } else { None };
    Value::Enumeration { value, name, prefix }
}

/// The greatest value of so many bits.
fn greatest(value: i128, width: u64) -> Value {
    Value::Enumeration { value, name: Some(format!("UINT{width}_MAX").into()), prefix: None }
}

/// A device's number: the old form in 16 bits, and the one that grew out of it.
fn device(number: u64, width: u64) -> Value {
    if width <= 16 {
        return Value::Device { major: number >> 8 & 0xff, minor: number & 0xff };
    }
    let major = (number >> 8 & 0xfff) | (number >> 32 & 0xffff_f000);
    let minor = (number & 0xff) | (number >> 12 & 0xffff_ff00);
    Value::Device { major, minor }
}

/// Bytes that are an address or an identifier; `None` for too few.
pub fn address(kind: Kind, bytes: &[u8]) -> Option<Value> {
    Some(match kind {
        Kind::Ipv4 => Value::Ipv4(bytes.first_chunk::<4>().copied()?.into()),
        Kind::Ipv6 => Value::Ipv6(bytes.first_chunk::<16>().copied()?.into()),
        Kind::Mac => Value::Mac(bytes.first_chunk::<6>().copied()?),
        Kind::Uuid => Value::Uuid(bytes.first_chunk::<16>().copied()?),
        _ => return None,
    })
}

/// Bytes that such a value is made of.
pub const fn address_bytes(value: &Value) -> Option<usize> {
    Some(match value {
        Value::Ipv4(_) => 4,
        Value::Mac(_) => 6,
        Value::Ipv6(_) | Value::Uuid(_) => 16,
        _ => return None,
    })
}

/// Bits with names, the lowest first.
pub fn bitmap(set: &Set, bytes: &[u8], cut: bool) -> Value {
    let bits = (0..).zip(bytes).flat_map(|(place, byte)| {
        (0..8).filter(move |bit| byte >> bit & 1 != 0).map(move |bit: i128| place * 8 + bit)
    });
    let name = |bit: i128| set.named(bit).map_or_else(|| format!("{bit:#x}").into(), Name::clone);
    Value::Bitmap { bytes: bytes.to_vec(), names: bits.map(name).collect(), cut }
}

/// Whether its most significant byte comes first.
pub fn is_big_endian(known: &Known, scalar: Scalar, arch: crate::Arch) -> bool {
    known.big_endian || known.kind == Kind::Port || scalar.is_big_endian(arch)
}

/// The same in UTF-16. What is no character there becomes U+FFFD.
pub fn wide_text(bytes: &[u8], cut: bool, known: bool, fixed: bool) -> Value {
    let (units, odd) = bytes.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let end = units.iter().position(|unit| *unit == 0);
    let all = units.as_slice();
    let (text, behind) = all.split_at_checked(end.unwrap_or(all.len())).unwrap_or((all, &[]));
    let whole = !known && behind.iter().any(|unit| *unit != 0);
    let shown = if whole { all } else { text };
    let cut = (cut || !odd.is_empty()) && (whole || end.is_none());
    let bytes = String::from_utf16_lossy(shown).into_bytes();
    Value::Text { bytes, cut, fixed, full: false }
}

/// Text with the NUL that ends it, and nothing behind that.
pub fn up_to_end(bytes: &[u8], wide: bool) -> &[u8] {
    let size = if wide { 2 } else { 1 };
    let end = bytes.chunks_exact(size).position(|unit| unit.iter().all(|byte| *byte == 0));
    end.and_then(|end| bytes.get(..(end + 1) * size)).unwrap_or(bytes)
}

/// Text ends with its first NUL. A field that is not known to be text keeps what lies behind that, unless it is nothing.
/// `fixed`: it has a room of its own.
pub fn text(bytes: &[u8], cut: bool, known: bool, fixed: bool) -> Value {
    let end = bytes.iter().position(|byte| *byte == 0);
    let (text, behind) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
    let whole = !known && behind.iter().any(|byte| *byte != 0);
    let bytes = if whole { bytes } else { text };
    let unended = whole || end.is_none();
    let fixed = known && fixed;
    let full = fixed && unended && !cut && !bytes.is_empty();
    Value::Text { bytes: bytes.to_vec(), cut: cut && unended, fixed, full }
}
