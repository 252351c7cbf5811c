//! Decoded values, and how they are written.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

/// Bytes with a meaning.
///
/// Its `Display` is how strace would write it; [`Value::display`] shortens long texts and arrays.
///
/// ```
/// use ioctl_registry::{Arch, Registry};
///
/// let registry = Registry::builtin();
/// let layout = registry.layout("struct winsize", Arch::X86_64).unwrap();
/// let value = registry.decode(&layout, &[24, 0, 80, 0, 0, 0]);
/// assert_eq!(value.to_string(), "{ws_row=24, ws_col=80, ws_xpixel=0, ...}");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number.
    Integer(i128),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// An address.
    Pointer(u64),
    /// Bits with names.
    Flags {
        /// The whole number.
        value: u64,
        /// The names of the bits that have one.
        names: Vec<Arc<str>>,
        /// The bits that have none.
        rest: u64,
    },
    /// A number that should be one of several.
    Enumeration {
        /// The number.
        value: i128,
        /// Its name, if it has one.
        name: Option<Arc<str>>,
    },
    /// Text, as bytes.
    Text {
        /// Up to the NUL, if there is one.
        bytes: Vec<u8>,
        /// The data ended before the text did.
        cut: bool,
    },
    /// Bytes of no known meaning.
    Bytes {
        /// As they lie in memory.
        bytes: Vec<u8>,
        /// The data ended before they did.
        cut: bool,
    },
    /// A row of elements.
    Array {
        /// In their order.
        items: Vec<Self>,
        /// The data, or what one decoding may yield, ended before the row did.
        cut: bool,
    },
    /// The fields of a struct. Those of anonymous members are among them.
    Record(Vec<(Arc<str>, Self)>),
    /// Several readings of the same bytes, of which the data does not say which holds.
    Union {
        /// The bytes.
        bytes: Vec<u8>,
        /// What each member makes of them.
        members: Vec<(Arc<str>, Self)>,
    },
    /// The data ended before it.
    Missing,
}

/// A union with more members that could hold is shown as bytes.
const MAX_MEMBERS: usize = 3;

impl Value {
    /// The value as text with at most `limit` bytes of each text and elements of each array, and `...` for the rest.
    ///
    /// A union shows its members, `{a=1}|{b={x=1, y=0}}`, but for those that are bytes of no meaning; one with more
    /// than three others shows its bytes, and so does one with none.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let registry = Registry::builtin();
    /// let layout = registry.layout("u16[4]", Arch::X86_64).unwrap();
    /// let value = registry.decode(&layout, &[1, 0, 2, 0, 3, 0, 4, 0]);
    /// assert_eq!(value.display(2).to_string(), "[1, 2, ...]");
    /// ```
    #[must_use]
    pub fn display(&self, limit: usize) -> impl fmt::Display {
        Limited { value: self, limit }
    }

    /// Whether it has no meaning but that of its bytes, as reserved and padding fields do.
    fn is_opaque(&self) -> bool {
        matches!(self, Self::Bytes { .. } | Self::Missing)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(usize::MAX).fmt(formatter)
    }
}

struct Limited<'v> {
    value: &'v Value,
    limit: usize,
}

impl fmt::Display for Limited<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        match self.value {
            Value::Integer(value) => write!(formatter, "{value}"),
            Value::Float(value) => write!(formatter, "{value}"),
            Value::Bool(value) => write!(formatter, "{value}"),
            Value::Pointer(0) => formatter.write_str("NULL"),
            Value::Pointer(address) => write!(formatter, "{address:#x}"),
            Value::Flags { value, names, rest } => flags(formatter, *value, names, *rest),
            Value::Enumeration { name: Some(name), .. } => formatter.write_str(name),
            Value::Enumeration { value, .. } => write!(formatter, "{value}"),
            Value::Text { bytes, cut } => quoted(formatter, bytes, *cut, limit, escape),
            Value::Bytes { bytes, cut } if bytes.len() > 4 && bytes.iter().all(|byte| *byte == 0) => {
                let dots = if *cut { ", ..." } else { "" };
                write!(formatter, "[0 /* {} times */{dots}]", bytes.len())
            }
            Value::Bytes { bytes, cut } => {
                quoted(formatter, bytes, *cut, limit, |out, byte, _| write!(out, "\\x{byte:02x}"))
            }
            Value::Array { items, cut } => array(formatter, items, *cut, limit),
            Value::Record(fields) => record(formatter, fields, limit),
            Value::Union { bytes, members } => union(formatter, bytes, members, limit),
            Value::Missing => formatter.write_str("..."),
        }
    }
}

fn flags(out: &mut fmt::Formatter<'_>, value: u64, names: &[Arc<str>], rest: u64) -> fmt::Result {
    for (place, name) in names.iter().enumerate() {
        write!(out, "{}{name}", if place == 0 { "" } else { "|" })?;
    }
    match (names.is_empty(), rest) {
        (true, _) if value == 0 => out.write_str("0"),
        (true, rest) => write!(out, "{rest:#x}"),
        (false, 0) => Ok(()),
        (false, rest) => write!(out, "|{rest:#x}"),
    }
}

fn quoted(
    out: &mut fmt::Formatter<'_>,
    bytes: &[u8],
    cut: bool,
    limit: usize,
    write: impl Fn(&mut fmt::Formatter<'_>, u8, Option<u8>) -> fmt::Result,
) -> fmt::Result {
    out.write_char('"')?;
    let shown = bytes.get(..limit).unwrap_or(bytes);
    for (place, byte) in shown.iter().enumerate() {
        write(out, *byte, shown.get(place + 1).copied())?;
    }
    out.write_str(if cut || shown.len() < bytes.len() { "\"..." } else { "\"" })
}

/// C's escapes, as strace writes them: octal ones as short as the byte behind them allows.
fn escape(out: &mut fmt::Formatter<'_>, byte: u8, next: Option<u8>) -> fmt::Result {
    match byte {
        b'"' => out.write_str("\\\""),
        b'\\' => out.write_str("\\\\"),
        b'\n' => out.write_str("\\n"),
        b'\r' => out.write_str("\\r"),
        b'\t' => out.write_str("\\t"),
        0x0b => out.write_str("\\v"),
        0x0c => out.write_str("\\f"),
        0x20..=0x7e => out.write_char(char::from(byte)),
        _ if next.is_some_and(|next| next.is_ascii_digit()) => write!(out, "\\{byte:03o}"),
        _ => write!(out, "\\{byte:o}"),
    }
}

fn array(out: &mut fmt::Formatter<'_>, items: &[Value], cut: bool, limit: usize) -> fmt::Result {
    let zero = |item: &Value| *item == Value::Integer(0);
    if items.len() > 4 && !cut && items.iter().all(zero) {
        return write!(out, "[0 /* {} times */]", items.len());
    }
    out.write_char('[')?;
    let mut separator = "";
    for value in items.iter().take(limit) {
        write!(out, "{separator}{}", Limited { value, limit })?;
        separator = ", ";
    }
    if cut || items.len() > limit {
        write!(out, "{separator}...")?;
    }
    out.write_char(']')
}

fn record(out: &mut fmt::Formatter<'_>, fields: &[(Arc<str>, Value)], limit: usize) -> fmt::Result {
    out.write_char('{')?;
    let mut separator = "";
    for (name, value) in fields {
        out.write_str(std::mem::replace(&mut separator, ", "))?;
        match value {
            // What lies behind it is missing too.
            Value::Missing => {
                out.write_str("...")?;
                break;
            }
            value if name.is_empty() => write!(out, "{}", Limited { value, limit })?,
            value => write!(out, "{name}={}", Limited { value, limit })?,
        }
    }
    out.write_char('}')
}

fn union(
    out: &mut fmt::Formatter<'_>,
    bytes: &[u8],
    members: &[(Arc<str>, Value)],
    limit: usize,
) -> fmt::Result {
    let telling: Vec<_> = members.iter().filter(|(_, value)| !value.is_opaque()).collect();
    if telling.is_empty() || telling.len() > MAX_MEMBERS {
        let value = &Value::Bytes { bytes: bytes.to_vec(), cut: false };
        return write!(out, "{}", Limited { value, limit });
    }
    for (place, (name, value)) in telling.into_iter().enumerate() {
        let value = Limited { value, limit };
        out.write_str(if place == 0 { "" } else { "|" })?;
        if name.is_empty() { write!(out, "{value}")? } else { write!(out, "{{{name}={value}}}")? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_cut() {
        let text = |bytes: &[u8], cut| Value::Text { bytes: bytes.to_vec(), cut };
        assert_eq!(text(b"a\"\\\n\x01z\x012\xff", false).to_string(), r#""a\"\\\n\1z\0012\377""#);
        assert_eq!(text(b"abcdef", false).display(3).to_string(), "\"abc\"...");
        assert_eq!(text(b"ab", true).to_string(), "\"ab\"...");
    }

    #[test]
    fn zeros_are_counted() {
        assert_eq!(Value::Bytes { bytes: vec![0; 9], cut: false }.to_string(), "[0 /* 9 times */]");
        assert_eq!(Value::Bytes { bytes: vec![0, 31], cut: false }.to_string(), r#""\x00\x1f""#);
        let items = vec![Value::Integer(0); 5];
        assert_eq!(Value::Array { items, cut: false }.to_string(), "[0 /* 5 times */]");
    }

    #[test]
    fn unions_show_what_could_be_meant() {
        let one = |name: &str, value| (name.into(), value);
        let bytes = vec![1, 0];
        let raw = Value::Bytes { bytes: bytes.clone(), cut: false };
        let members = vec![one("a", Value::Integer(1)), one("raw", raw), one("b", Value::Bool(true))];
        let union = Value::Union { bytes: bytes.clone(), members };
        assert_eq!(union.to_string(), "{a=1}|{b=true}");
        let many = (0..4).map(|_| one("x", Value::Integer(1))).collect();
        assert_eq!(Value::Union { bytes, members: many }.to_string(), r#""\x01\x00""#);
    }
}
