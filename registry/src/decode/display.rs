//! Values as text, as strace writes them.

use std::fmt::{self, Display as _, Formatter, Write as _};

use super::value::{Member, Show, Value};
use crate::name::Name;

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
    /// Bytes of each text and elements of each array that are shown; `...` stands for the rest. strace's `-s`. Texts in
    /// a room of their own are shown whole.
    pub limit: usize,
    /// Show every field and every element: strace's `-v`.
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
            Value::Integer(value) => decimal(out, *value),
            Value::Hex(value) => hex(out, *value),
            Value::Float(value) => write!(out, "{value}"),
            Value::Bool(value) => write!(out, "{value}"),
            Value::Pointer(0) => out.write_str("NULL"),
            Value::Pointer(address) => hex(out, *address),
            Value::Pointee { value, .. } => pointee(out, value, style),
            Value::Flags { value, names, rest, prefix } => {
                flags(out, *value, names, *rest, prefix, style.xlat)
            }
            Value::Enumeration { value, name, prefix } => {
                constant(out, bits(*value), name.as_deref(), prefix.as_deref(), style.xlat)
            }
            Value::Numbered { value, name } => match name {
                Some(name) if style.xlat != Xlat::Raw => {
                    constant(out, *value, Some(name.as_ref()), None, Xlat::Verbose)
                }
                _ => hex(out, *value),
            },
            Value::Fourcc { value, name } => fourcc(out, *value, name.as_deref(), style.xlat),
            Value::Descriptor(number) => {
                decimal(out, (*number).into())?;
                match style.descriptors.and_then(|descriptors| descriptors(*number)) {
                    Some(text) => write!(out, "<{text}>"),
                    None => Ok(()),
                }
            }
            Value::Device { major, minor } if style.xlat == Xlat::Raw => hex(out, device(*major, *minor)),
            Value::Device { major, minor } => write!(out, "makedev({major:#x}, {minor:#x})"),
            Value::Time(seconds) => {
                write!(out, "{seconds}")?;
                time(out, *seconds, 0)
            }
            Value::Port(port) => write!(out, "htons({port})"),
            Value::Ipv4(address) => write!(out, "inet_addr(\"{address}\")"),
            Value::Ipv6(address) => write!(out, "inet_pton(AF_INET6, \"{address}\")"),
            Value::Mac(_) | Value::Uuid(_) | Value::Guid(_) => write!(out, "{}", Named(self.value)),
            Value::Tone { period, duration } => tone(out, *period, *duration, style.xlat),
            Value::Char(byte) => character(out, *byte),
            Value::Fraction(members) => {
                for (place, Member { value, .. }) in members.iter().enumerate() {
                    out.write_str(if place == 0 { "" } else { "/" })?;
                    Styled { value, style }.fmt(out)?;
                }
                Ok(())
            }
            Value::Kernel(version) => kernel(out, *version, style.xlat),
            Value::Text { bytes, cut, fixed, full } => {
                let limit = if *fixed { usize::MAX } else { style.limit };
                // The last byte is the NUL's, and what is in its place is not part of the text.
                let shown =
                    if *full { bytes.split_last().map_or(&**bytes, |(_, shown)| shown) } else { bytes };
                quoted(out, shown, *cut || *full, limit, is_hex(bytes, style))
            }
            Value::Bytes { bytes, cut } if bytes.len() > 4 && bytes.iter().all(|byte| *byte == 0) => {
                let dots = if *cut { ", ..." } else { "" };
                write!(out, "[0 /* {} times */{dots}]", bytes.len())
            }
            Value::Bytes { bytes, cut } => quoted(out, bytes, *cut, style.limit, true),
            Value::Indexed { members, cut } => {
                out.write_char('[')?;
                for (place, Member { name, value, .. }) in members.iter().enumerate() {
                    write!(out, "{}[{name}]=", if place == 0 { "" } else { ", " })?;
                    Styled { value, style }.fmt(out)?;
                }
                if *cut {
                    write!(out, "{}...", if members.is_empty() { "" } else { ", " })?;
                }
                out.write_char(']')
            }
            Value::Bitmap { names, cut, .. } => bitmap(out, names, *cut, style),
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

/// Nearly all numbers fit into 64 bits, and those are written faster.
fn decimal(out: &mut Formatter<'_>, value: i128) -> fmt::Result {
    match i64::try_from(value) {
        Ok(value) => value.fmt(out),
        Err(_) => value.fmt(out),
    }
}

/// As C's `%#x`.
fn hex(out: &mut Formatter<'_>, value: u64) -> fmt::Result {
    if value == 0 {
        return out.write_char('0');
    }
    out.write_str("0x")?;
    fmt::LowerHex::fmt(&value, out)
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
        | Value::Union { .. } => styled.fmt(out),
        _ => {
            out.write_char('[')?;
            styled.fmt(out)?;
            out.write_char(']')
        }
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
        (Some(name), _) => comment(out, name),
        (None, Some(prefix)) => write!(out, " /* {prefix}??? */"),
        (None, None) => Ok(()),
    }
}

fn comment(out: &mut Formatter<'_>, text: &str) -> fmt::Result {
    out.write_str(" /* ")?;
    out.write_str(text)?;
    out.write_str(" */")
}

fn flags(
    out: &mut Formatter<'_>,
    value: u64,
    names: &[Name],
    rest: u64,
    prefix: &Option<Name>,
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
        out.write_str(if place == 0 { "" } else { "|" })?;
        out.write_str(name)?;
    }
    if rest != 0 {
        write!(out, "|{rest:#x}")?;
        if let (Some(prefix), Xlat::Abbrev) = (prefix, xlat) {
            write!(out, " /* {prefix}??? */")?;
        }
    }
    if xlat == Xlat::Verbose { out.write_str(" */") } else { Ok(()) }
}

fn fourcc(out: &mut Formatter<'_>, value: u32, name: Option<&str>, xlat: Xlat) -> fmt::Result {
    if xlat == Xlat::Raw || value == 0 {
        return hex(out, value.into());
    }
    let drm = name.is_some_and(|name| name.starts_with("DRM_"));
    out.write_str(if drm { "fourcc_code(" } else { "v4l2_fourcc(" })?;
    for (place, byte) in value.to_le_bytes().into_iter().enumerate() {
        out.write_str(if place == 0 { "" } else { ", " })?;
        character(out, byte)?;
    }
    out.write_char(')')?;
    match name {
        Some(name) => comment(out, name),
        None => Ok(()),
    }
}

/// A tone's period, and how high and how long it is.
fn tone(out: &mut Formatter<'_>, period: u64, duration: Option<u64>, xlat: Xlat) -> fmt::Result {
    /// Ticks of the timer in a second.
    const RATE: u64 = 1_193_182;
    if let Some(duration) = duration.filter(|duration| *duration > 0) {
        write!(out, "{duration}<<16|")?;
    }
    write!(out, "{period}")?;
    match (RATE.checked_div(period).filter(|height| *height > 0), duration) {
        _ if xlat == Xlat::Raw => Ok(()),
        (None, _) | (_, Some(0)) => out.write_str(" /* off */"),
        (Some(height), None) => write!(out, " /* {height} Hz */"),
        (Some(height), Some(duration)) => write!(out, " /* {height} Hz, {duration} ms */"),
    }
}

/// As C writes it.
fn character(out: &mut Formatter<'_>, byte: u8) -> fmt::Result {
    match byte {
        b'\'' | b'\\' => write!(out, "'\\{}'", char::from(byte)),
        0x20..=0x7e => {
            out.write_char('\'')?;
            out.write_char(char::from(byte))?;
            out.write_char('\'')
        }
        _ => write!(out, "'\\x{byte:02x}'"),
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
            Value::Guid([a, b, c, d, e, f, g, h, rest @ ..]) => {
                let [first, second, third] =
                    [[*d, *c, *b, *a], [0, 0, *f, *e], [0, 0, *h, *g]].map(u32::from_be_bytes);
                write!(out, "{{{first:08x}-{second:04x}-{third:04x}-")?;
                for (place, byte) in rest.iter().enumerate() {
                    write!(out, "{}{byte:02x}", if place == 2 { "-" } else { "" })?;
                }
                out.write_char('}')?;
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

/// As `KERNEL_VERSION()` puts it together.
fn kernel(out: &mut Formatter<'_>, version: u32, xlat: Xlat) -> fmt::Result {
    if xlat != Xlat::Abbrev {
        hex(out, version.into())?;
    }
    let named =
        format_args!("KERNEL_VERSION({}, {}, {})", version >> 16, version >> 8 & 0xff, version & 0xff);
    match xlat {
        Xlat::Abbrev => write!(out, "{named}"),
        Xlat::Raw => Ok(()),
        Xlat::Verbose => write!(out, " /* {named} */"),
    }
}

/// The names of bits, of which few tell what there is.
fn bitmap(out: &mut Formatter<'_>, names: &[Name], cut: bool, style: &Style<'_>) -> fmt::Result {
    const FEW: usize = 4;
    out.write_char('[')?;
    let shown = if style.verbose { names.len() } else { FEW };
    for (place, name) in names.iter().take(shown).enumerate() {
        out.write_str(if place == 0 { "" } else { " " })?;
        out.write_str(name)?;
    }
    if cut || names.len() > shown {
        out.write_str(" ...")?;
    }
    out.write_char(']')
}

fn array(out: &mut Formatter<'_>, items: &[Value], cut: bool, style: &Style<'_>) -> fmt::Result {
    let zero = |item: &Value| *item == Value::Integer(0);
    if items.len() > 4 && !cut && items.iter().all(zero) {
        return write!(out, "[0 /* {} times */]", items.len());
    }
    out.write_char('[')?;
    let mut separator = "";
    let limit = if style.verbose { usize::MAX } else { style.limit };
    for value in items.iter().take(limit) {
        out.write_str(std::mem::replace(&mut separator, ", "))?;
        Styled { value, style }.fmt(out)?;
    }
    if cut || items.len() > limit {
        write!(out, "{separator}...")?;
    }
    out.write_char(']')
}

/// The day of a time that is one, as a comment.
fn time(out: &mut Formatter<'_>, seconds: i64, nanos: u32) -> fmt::Result {
    match Value::date(seconds) {
        Some(date) if (seconds, nanos) != (0, 0) && nanos > 0 => write!(out, " /* {date}.{nanos:09}+0000 */"),
        Some(date) if seconds != 0 => write!(out, " /* {date}+0000 */"),
        _ => Ok(()),
    }
}

/// The time that a struct of seconds and nanoseconds stands for.
fn moment(members: &[Member]) -> Option<(i64, u32)> {
    let [Member { value: Value::Time(seconds), .. }, Member { name, value: Value::Integer(nanos), .. }, ..] =
        members
    else {
        return None;
    };
    let nanos = u32::try_from(*nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    name.ends_with("nsec").then_some((*seconds, nanos))
}

fn record(out: &mut Formatter<'_>, members: &[Member], style: &Style<'_>) -> fmt::Result {
    let moment = moment(members);
    out.write_char('{')?;
    let (mut separator, mut hidden) = ("", false);
    for Member { name, value, show } in members {
        match (show, value) {
            // What lies behind it is missing too, but may be shown before it.
            (_, Value::Missing) => {
                hidden = true;
                continue;
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
            Value::Time(seconds) if moment.is_some() => write!(out, "{name}={seconds}")?,
            value => {
                if !name.is_empty() {
                    out.write_str(name)?;
                    out.write_char('=')?;
                }
                Styled { value, style }.fmt(out)?;
            }
        }
    }
    if hidden {
        write!(out, "{separator}...")?;
    }
    out.write_char('}')?;
    match moment {
        Some((seconds, nanos)) => time(out, seconds, nanos),
        None => Ok(()),
    }
}

/// `fmt.pix={...}`: the names of unions and of their members in use, and what these hold.
fn variant(out: &mut Formatter<'_>, name: &str, mut value: &Value, style: &Style<'_>) -> fmt::Result {
    out.write_str(name)?;
    let mut dot = if name.is_empty() { "" } else { "." };
    while let Value::Variant { name, value: inner } = value {
        out.write_str(dot)?;
        out.write_str(name)?;
        (dot, value) = (".", inner);
    }
    out.write_char('=')?;
    Styled { value, style }.fmt(out)
}

fn union(out: &mut Formatter<'_>, bytes: &[u8], members: &[Member], style: &Style<'_>) -> fmt::Result {
    let telling: Vec<_> = members.iter().filter(|member| !member.value.is_opaque()).collect();
    if telling.is_empty() || (telling.len() > MAX_MEMBERS && !bytes.is_empty()) {
        let value = &Value::Bytes { bytes: bytes.to_vec(), cut: false };
        return Styled { value, style }.fmt(out);
    }
    for (place, Member { name, value, .. }) in telling.into_iter().enumerate() {
        let styled = Styled { value, style };
        out.write_str(if place == 0 { "" } else { "|" })?;
        if name.is_empty() { write!(out, "{styled}")? } else { write!(out, "{{{name}={styled}}}")? }
    }
    Ok(())
}

#[cfg(test)]
#[path = "display_tests.rs"]
mod tests;
