//! Reading of the embedded tables.

/// The lines of a table that hold data.
pub fn lines(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// At most `N` columns. Empty ones at the end of a line may be missing.
pub fn columns<const N: usize>(line: &str) -> Option<[&str; N]> {
    let mut fields = line.split('\t');
    let mut columns = [""; N];
    for column in &mut columns {
        *column = fields.next().unwrap_or_default();
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

/// `0x54`, `84` or `-84`.
pub fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let value: u64 = match digits.strip_prefix("0x") {
        Some(_) => hex(digits)?,
        None => digits.parse().ok()?,
    };
    Some(if negative { -i128::from(value) } else { i128::from(value) })
}

/// `3` or `3-9`.
pub fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}
