//! Reading of the embedded tables.

/// The lines of a table that hold data.
pub fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Exactly `N` columns.
pub fn columns<const N: usize>(line: &'static str) -> Option<[&'static str; N]> {
    let mut fields = line.split('\t');
    let mut columns = [""; N];
    for column in &mut columns {
        *column = fields.next()?;
    }
    fields.next().is_none().then_some(columns)
}

/// `0x5401`.
pub fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// `0x54`.
pub fn hex_byte(text: &str) -> Option<u8> {
    hex(text)?.try_into().ok()
}

/// `3` or `3-9`.
pub fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}
