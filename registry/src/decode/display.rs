//! Values as text, as strace writes them.

use std::{
    fmt::{self, Formatter, Write as _},
    sync::Arc,
};

use super::value::{Member, Show, Value};

/// How values are written.
///
/// ```
/// use ioctl_registry::{Arch, Registry, Style, Xlat};
///
/// let registry = Registry::builtin();
/// let layout = registry.layout("u16[4]", Arch::X86_64).unwrap();
/// let value = registry.decode(&layout, &[1, 0, 2, 0, 3, 0, 4, 0]);
/// assert_eq!(value.display(&Style { limit: 2, ..Style::default() }).to_string(), "[1, 2, ...]");
/// ```
#[derive(Clone, Copy)]
pub struct Style<'s> {
    /// Bytes of each text and elements of each array that are shown; `...` stands for the rest. strace's `-s`.
    pub limit: usize,
    /// Show every field: strace's `-v`.
    pub verbose: bool,
    /// How constants are written: strace's `-X`.
    pub xlat: Xlat,
    /// 1: texts with bytes that are no visible ASCII are written in hexadecimal, 2: all texts; strace's `-x`.
    pub hex_strings: u8,
    /// What a file descriptor leads to, which is written in angle brackets behind it.
    pub descriptors: Option<&'s dyn Fn(i64) -> Option<String>>,
}

/// How constants are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Xlat {
    /// Their names.
    #[default]
    Abbrev,
    /// Numbers.
    Raw,
    /// Numbers, with the names as comments.
    Verbose,
}

impl Default for Style<'_> {
    fn default() -> Self {
        Self { limit: 32, verbose: false, xlat: Xlat::Abbrev, hex_strings: 0, descriptors: None }
    }
}

impl fmt::Debug for Style<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Style")
            .field("limit", &self.limit)
            .field("verbose", &self.verbose)
            .field("xlat", &self.xlat)
            .field("hex_strings", &self.hex_strings)
            .field("descriptors", &self.descriptors.is_some())
            .finish()
    }
}

/// A union with more members that could hold is shown as bytes.
const MAX_MEMBERS: usize = 3;

impl Value {
    /// The value as text.
    ///
    /// What lies behind an address stands in its place, a number there in brackets. Fields that only who wants to see
    /// everything cares for become one `...`, padding is left out unless it is not zero. A union whose member in use is
    /// not known shows those that could be, `{a=1}|{b={x=1, y=0}}`, but for those that are bytes of no meaning; one with
    /// more than three others shows its bytes, and so does one with none.
    #[must_use]
    pub fn display<'v>(&'v self, style: &'v Style<'v>) -> impl fmt::Display + 'v {
        Styled { value: self, style }
    }
}

#[derive(Clone, Copy)]
struct Styled<'v> {
    value: &'v Value,
    style: &'v Style<'v>,
}

impl fmt::Display for Styled<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let style = self.style;
        match self.value {
            Value::Integer(value) => write!(out, "{value}"),
            Value::Hex(value) => hex(out, *value),
            Value::Float(value) => write!(out, "{value}"),
            Value::Bool(value) => write!(out, "{value}"),
            Value::Pointer(0) => out.write_str("NULL"),
            Value::Pointer(address) => write!(out, "{address:#x}"),
            Value::Pointee { value, .. } => pointee(out, value, style),
            Value::Flags { value, names, rest, prefix } => {
                flags(out, *value, names, *rest, prefix, style.xlat)
            }
            Value::Enumeration { value, name, prefix } => {
                constant(out, bits(*value), name.as_deref(), prefix.as_deref(), style.xlat)
            }
            Value::Fourcc { value, name } => fourcc(out, *value, name.as_deref(), style.xlat),
            Value::Descriptor(number) => {
                write!(out, "{number}")?;
                match style.descriptors.and_then(|descriptors| descriptors(*number)) {
                    Some(text) => write!(out, "<{text}>"),
                    None => Ok(()),
                }
            }
            Value::Device { major, minor } if style.xlat == Xlat::Raw => hex(out, device(*major, *minor)),
            Value::Device { major, minor } => write!(out, "makedev({major:#x}, {minor:#x})"),
            Value::Time(seconds) => {
                write!(out, "{seconds}")?;
                match Value::date(*seconds) {
                    Some(date) if *seconds != 0 && style.xlat != Xlat::Raw => {
                        write!(out, " /* {date}+0000 */")
                    }
                    _ => Ok(()),
                }
            }
            Value::Port(port) => write!(out, "htons({port})"),
            Value::Ipv4(address) => write!(out, "inet_addr(\"{address}\")"),
            Value::Ipv6(address) => write!(out, "inet_pton(AF_INET6, \"{address}\")"),
            Value::Mac(_) | Value::Uuid(_) => write!(out, "{}", Named(self.value)),
            Value::Text { bytes, cut } => quoted(out, bytes, *cut, style.limit, is_hex(bytes, style)),
            Value::Bytes { bytes, cut } if bytes.len() > 4 && bytes.iter().all(|byte| *byte == 0) => {
                let dots = if *cut { ", ..." } else { "" };
                write!(out, "[0 /* {} times */{dots}]", bytes.len())
            }
            Value::Bytes { bytes, cut } => quoted(out, bytes, *cut, style.limit, true),
            Value::Array { items, cut } => array(out, items, *cut, style),
            Value::Record(members) => record(out, members, style),
            Value::Variant { .. } => {
                out.write_char('{')?;
                variant(out, "", self.value, style)?;
                out.write_char('}')
            }
            Value::Union { bytes, members } => union(out, bytes, members, style),
            Value::Missing => out.write_str("..."),
        }
    }
}

/// As C's `%#x`.
fn hex(out: &mut Formatter<'_>, value: u64) -> fmt::Result {
    if value == 0 { out.write_char('0') } else { write!(out, "{value:#x}") }
}

/// The bits of a number as the smallest type that C would hold it in.
const fn bits(value: i128) -> u64 {
    if value < 0 && value >= i32::MIN as i128 {
        (value as i32).cast_unsigned() as u64
    } else {
        (value & u64::MAX as i128) as u64
    }
}

fn pointee(out: &mut Formatter<'_>, value: &Value, style: &Style<'_>) -> fmt::Result {
    let styled = Styled { value, style };
    match value {
        Value::Array { .. }
        | Value::Record(_)
        | Value::Text { .. }
        | Value::Bytes { .. }
        | Value::Variant { .. }
        | Value::Union { .. } => write!(out, "{styled}"),
        _ => write!(out, "[{styled}]"),
    }
}

fn constant(
    out: &mut Formatter<'_>,
    value: u64,
    name: Option<&str>,
    prefix: Option<&str>,
    xlat: Xlat,
) -> fmt::Result {
    match (name, prefix, xlat) {
        (Some(name), _, Xlat::Abbrev) => return out.write_str(name),
        (_, _, Xlat::Raw) => return hex(out, value),
        _ => hex(out, value)?,
    }
    match (name, prefix) {
        (Some(name), _) => write!(out, " /* {name} */"),
        (None, Some(prefix)) => write!(out, " /* {prefix}??? */"),
        (None, None) => Ok(()),
    }
}

fn flags(
    out: &mut Formatter<'_>,
    value: u64,
    names: &[Arc<str>],
    rest: u64,
    prefix: &Option<Arc<str>>,
    xlat: Xlat,
) -> fmt::Result {
    if xlat == Xlat::Raw || (value == 0 && names.is_empty()) {
        return hex(out, value);
    }
    if names.is_empty() {
        return constant(out, value, None, prefix.as_deref(), xlat);
    }
    if xlat == Xlat::Verbose {
        hex(out, value)?;
        out.write_str(" /* ")?;
    }
    for (place, name) in names.iter().enumerate() {
        write!(out, "{}{name}", if place == 0 { "" } else { "|" })?;
    }
    if rest != 0 {
        write!(out, "|{rest:#x}")?;
    }
    if xlat == Xlat::Verbose { out.write_str(" */") } else { Ok(()) }
}

fn fourcc(out: &mut Formatter<'_>, value: u32, name: Option<&str>, xlat: Xlat) -> fmt::Result {
    /// Says that the format's values have their most significant byte first.
    const BIG_ENDIAN: u32 = 1 << 31;
    if xlat == Xlat::Raw || value == 0 {
        return hex(out, value.into());
    }
    out.write_str(match name {
        Some(name) if name.starts_with("DRM_") => "fourcc_code(",
        _ if value & BIG_ENDIAN == 0 => "v4l2_fourcc(",
        _ => "v4l2_fourcc_be(",
    })?;
    for (place, byte) in (value & !BIG_ENDIAN).to_le_bytes().into_iter().enumerate() {
        out.write_str(if place == 0 { "'" } else { ", '" })?;
        match byte {
            b'\'' => out.write_str("\\'")?,
            b'"' => out.write_char('"')?,
            _ => escape(out, byte, None)?,
        }
        out.write_char('\'')?;
    }
    out.write_char(')')?;
    match name {
        Some(name) => write!(out, " /* {name} */"),
        None => Ok(()),
    }
}

/// As `makedev()` puts them together.
const fn device(major: u64, minor: u64) -> u64 {
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xffff_ff00) << 12) | ((major & 0xffff_f000) << 32)
}

/// A value whose text has but one form.
pub struct Named<'v>(pub &'v Value);

impl fmt::Display for Named<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Mac(bytes) => {
                for (place, byte) in bytes.iter().enumerate() {
                    write!(out, "{}{byte:02x}", if place == 0 { "" } else { ":" })?;
                }
            }
            Value::Uuid(bytes) => {
                for (place, byte) in bytes.iter().enumerate() {
                    write!(out, "{}{byte:02x}", if matches!(place, 4 | 6 | 8 | 10) { "-" } else { "" })?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a text is written in hexadecimal.
fn is_hex(bytes: &[u8], style: &Style<'_>) -> bool {
    let plain = |byte: &u8| matches!(byte, b'\t'..=b'\r' | 0x20..=0x7e);
    style.hex_strings > 1 || (style.hex_strings == 1 && !bytes.iter().all(plain))
}

fn quoted(out: &mut Formatter<'_>, bytes: &[u8], cut: bool, limit: usize, hex: bool) -> fmt::Result {
    out.write_char('"')?;
    let shown = bytes.get(..limit).unwrap_or(bytes);
    for (place, byte) in shown.iter().enumerate() {
        if hex {
            write!(out, "\\x{byte:02x}")?;
        } else {
            escape(out, *byte, shown.get(place + 1).copied())?;
        }
    }
    out.write_str(if cut || shown.len() < bytes.len() { "\"..." } else { "\"" })
}

/// C's escapes, as strace writes them: octal ones as short as the byte behind them allows.
fn escape(out: &mut Formatter<'_>, byte: u8, next: Option<u8>) -> fmt::Result {
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

fn array(out: &mut Formatter<'_>, items: &[Value], cut: bool, style: &Style<'_>) -> fmt::Result {
    let zero = |item: &Value| *item == Value::Integer(0);
    if items.len() > 4 && !cut && items.iter().all(zero) {
        return write!(out, "[0 /* {} times */]", items.len());
    }
    out.write_char('[')?;
    let mut separator = "";
    for value in items.iter().take(style.limit) {
        write!(out, "{separator}{}", Styled { value, style })?;
        separator = ", ";
    }
    if cut || items.len() > style.limit {
        write!(out, "{separator}...")?;
    }
    out.write_char(']')
}

fn record(out: &mut Formatter<'_>, members: &[Member], style: &Style<'_>) -> fmt::Result {
    out.write_char('{')?;
    let (mut separator, mut hidden) = ("", false);
    for Member { name, value, show } in members {
        match (show, value) {
            // What lies behind it is missing too.
            (_, Value::Missing) => {
                hidden = true;
                break;
            }
            (Show::Verbose, _) if !style.verbose => {
                hidden = true;
                continue;
            }
            (Show::NonZero, value) if value.is_zero() => continue,
            _ => {}
        }
        out.write_str(std::mem::replace(&mut separator, ", "))?;
        match value {
            Value::Variant { .. } => variant(out, name, value, style)?,
            value if name.is_empty() => write!(out, "{}", Styled { value, style })?,
            value => write!(out, "{name}={}", Styled { value, style })?,
        }
    }
    if hidden {
        write!(out, "{separator}...")?;
    }
    out.write_char('}')
}

/// `fmt.pix={...}`: the names of unions and of their members in use, and what these hold.
fn variant(out: &mut Formatter<'_>, name: &str, mut value: &Value, style: &Style<'_>) -> fmt::Result {
    out.write_str(name)?;
    let mut dot = if name.is_empty() { "" } else { "." };
    while let Value::Variant { name, value: inner } = value {
        write!(out, "{dot}{name}")?;
        (dot, value) = (".", inner);
    }
    write!(out, "={}", Styled { value, style })
}

fn union(out: &mut Formatter<'_>, bytes: &[u8], members: &[Member], style: &Style<'_>) -> fmt::Result {
    let telling: Vec<_> = members.iter().filter(|member| !member.value.is_opaque()).collect();
    if telling.is_empty() || telling.len() > MAX_MEMBERS {
        let value = &Value::Bytes { bytes: bytes.to_vec(), cut: false };
        return write!(out, "{}", Styled { value, style });
    }
    for (place, Member { name, value, .. }) in telling.into_iter().enumerate() {
        let styled = Styled { value, style };
        out.write_str(if place == 0 { "" } else { "|" })?;
        if name.is_empty() { write!(out, "{styled}")? } else { write!(out, "{{{name}={styled}}}")? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_shows(value: &Value, style: &Style<'_>, expected: &str) {
        assert_eq!(value.display(style).to_string(), expected);
    }

    fn record(members: impl IntoIterator<Item = (&'static str, Value, Show)>) -> Value {
        let member = |(name, value, show): (&str, _, _)| Member { name: name.into(), value, show };
        Value::Record(members.into_iter().map(member).collect())
    }

    #[test]
    fn texts_are_escaped_and_cut() {
        let text = |bytes: &[u8], cut| Value::Text { bytes: bytes.to_vec(), cut };
        let style = Style::default();
        assert_eq!(text(b"a\"\\\n\x01z\x012\xff", false).to_string(), r#""a\"\\\n\1z\0012\377""#);
        assert_shows(&text(b"abcdef", false), &Style { limit: 3, ..style }, "\"abc\"...");
        assert_eq!(text(b"ab", true).to_string(), "\"ab\"...");
        let hex = |hex_strings| Style { hex_strings, ..style };
        assert_shows(&text(b"a\n", false), &hex(1), r#""a\n""#);
        assert_shows(&text(b"a\x01", false), &hex(1), r#""\x61\x01""#);
        assert_shows(&text(b"a\n", false), &hex(2), r#""\x61\x0a""#);
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
        let bytes = vec![1, 0];
        let raw = Value::Bytes { bytes: bytes.clone(), cut: false };
        let members = vec![
            Member::new("a", Value::Integer(1)),
            Member::new("raw", raw),
            Member::new("b", Value::Bool(true)),
        ];
        let union = Value::Union { bytes: bytes.clone(), members };
        assert_eq!(union.to_string(), "{a=1}|{b=true}");
        let many = (0..4).map(|_| Member::new("x", Value::Integer(1))).collect();
        assert_eq!(Value::Union { bytes, members: many }.to_string(), r#""\x01\x00""#);
    }

    #[test]
    fn constants_are_written_as_wished() {
        let style = |xlat| Style { xlat, ..Style::default() };
        let name = |value, name: Option<&str>| {
            let prefix = if name.is_none() { Some("X_".into()) } else { None };
            Value::Enumeration { value, name: name.map(Into::into), prefix }
        };
        assert_shows(&name(1, Some("X_A")), &style(Xlat::Raw), "0x1");
        assert_shows(&name(1, Some("X_A")), &style(Xlat::Verbose), "0x1 /* X_A */");
        assert_shows(&name(7, None), &style(Xlat::Abbrev), "0x7 /* X_??? */");
        assert_shows(&name(-1, None), &style(Xlat::Raw), "0xffffffff");
        assert_shows(&name(0, None), &style(Xlat::Abbrev), "0 /* X_??? */");
        let flags = |value, names: &[&str], rest| {
            let prefix = if names.is_empty() { Some("F_".into()) } else { None };
            Value::Flags { value, names: names.iter().map(|&name| name.into()).collect(), rest, prefix }
        };
        assert_shows(&flags(0x43, &["A", "B"], 0x40), &style(Xlat::Abbrev), "A|B|0x40");
        assert_shows(&flags(0x43, &["A", "B"], 0x40), &style(Xlat::Verbose), "0x43 /* A|B|0x40 */");
        assert_shows(&flags(0x43, &["A", "B"], 0x40), &style(Xlat::Raw), "0x43");
        assert_shows(&flags(0x40, &[], 0x40), &style(Xlat::Abbrev), "0x40 /* F_??? */");
        assert_shows(&flags(0, &[], 0), &style(Xlat::Verbose), "0");
    }

    #[test]
    fn fields_are_hidden_or_not() {
        let zero = || Value::Integer(0);
        let value = record([
            ("a", Value::Integer(1), Show::Always),
            ("b", zero(), Show::Verbose),
            ("pad", zero(), Show::NonZero),
            ("pad2", Value::Integer(2), Show::NonZero),
        ]);
        assert_shows(&value, &Style::default(), "{a=1, pad2=2, ...}");
        assert_shows(&value, &Style { verbose: true, ..Style::default() }, "{a=1, b=0, pad2=2}");
        assert_shows(&record([("b", zero(), Show::Verbose)]), &Style::default(), "{...}");
    }

    #[test]
    fn members_in_use_are_named() {
        let variant = |name: &str, value| Value::Variant { name: name.into(), value: Box::new(value) };
        let pix = || variant("pix", record([("w", Value::Integer(1), Show::Always)]));
        let named = record([("fmt", pix(), Show::Always)]);
        assert_eq!(named.to_string(), "{fmt.pix={w=1}}");
        let anonymous = record([("", pix(), Show::Always)]);
        assert_eq!(anonymous.to_string(), "{pix={w=1}}");
        assert_eq!(variant("u", variant("x", Value::Integer(3))).to_string(), "{u.x=3}");
    }

    #[test]
    fn kinds_have_their_forms() {
        let at = |value| Value::Pointee { address: 16, value: Box::new(value) };
        let name = Some("V4L2_PIX_FMT_YUYV".into());
        for (value, expected) in [
            (Value::Hex(31), "0x1f"),
            (Value::Hex(0), "0"),
            (
                Value::Fourcc { value: 0x5659_5559, name },
                "v4l2_fourcc('Y', 'U', 'Y', 'V') /* V4L2_PIX_FMT_YUYV */",
            ),
            (
                Value::Fourcc { value: 0x3432_5258, name: Some("DRM_FORMAT_XRGB8888".into()) },
                "fourcc_code('X', 'R', '2', '4') /* DRM_FORMAT_XRGB8888 */",
            ),
            (Value::Fourcc { value: 0x8000_2731, name: None }, r"v4l2_fourcc_be('1', '\'', '\0', '\0')"),
            (Value::Device { major: 8, minor: 1 }, "makedev(0x8, 0x1)"),
            (Value::Time(1_795_131_601), "1795131601 /* 2026-11-19T23:40:01+0000 */"),
            (Value::Time(i64::MIN), "-9223372036854775808"),
            (Value::Port(80), "htons(80)"),
            (Value::Ipv4([127, 0, 0, 1].into()), "inet_addr(\"127.0.0.1\")"),
            (Value::Ipv6(1_u128.into()), "inet_pton(AF_INET6, \"::1\")"),
            (Value::Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]), "52:54:00:12:34:56"),
            (Value::Uuid([0xab; 16]), "abababab-abab-abab-abab-abababababab"),
            (Value::Descriptor(-1), "-1"),
            (at(Value::Integer(5)), "[5]"),
            (at(record([("a", Value::Integer(1), Show::Always)])), "{a=1}"),
            (at(Value::Text { bytes: b"x".to_vec(), cut: false }), "\"x\""),
            (at(at(Value::Integer(5))), "[[5]]"),
        ] {
            assert_eq!(value.to_string(), expected);
        }
        let names = |number| (number == 3).then(|| "/dev/null".to_owned());
        let style = Style { descriptors: Some(&names), ..Style::default() };
        assert_shows(&Value::Descriptor(3), &style, "3</dev/null>");
        assert_shows(&Value::Descriptor(4), &style, "4");
        let raw = Style { xlat: Xlat::Raw, ..Style::default() };
        assert_shows(&Value::Device { major: 8, minor: 1 }, &raw, "0x801");
    }
}
