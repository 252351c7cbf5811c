//! Fields of arguments as ioctl-trace and strace print them: names and values of both, side by side.

use std::collections::BTreeMap;

/// Values by the names that lead to them: `lo_flags`, `msgs.addr`. Elements of an array have one name.
type Leaves = BTreeMap<String, Vec<String>>;

/// Requests, fields, and why strace writes them otherwise.
const EXPLAINED: &str = include_str!("../../vm/fields.tsv");

/// What a comparison finds of one argument.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Fields of which both have a value, and the same one.
    pub same: usize,
    /// Fields that only strace has, or with other values, for a reason that `fields.tsv` has.
    pub explained: usize,
    /// The others, each with both values.
    pub differing: Vec<String>,
}

/// Compares the fields that strace shows with ours of the same call.
///
/// `raw` has our argument with numbers instead of names: strace does not know all names.
pub fn compare(request: &str, [ours, raw]: [&str; 2], theirs: &str) -> Compared {
    let mut compared = Compared::default();
    if !theirs.contains(['{', '[', '"', '|', '=']) {
        return compared;
    }
    let (ours, raw, theirs) = (leaves(ours), leaves(raw), leaves(theirs));
    for (name, values) in &theirs {
        let mine = ours.get(name).map(Vec::as_slice).unwrap_or_default();
        let numbers = raw.get(name).map(Vec::as_slice).unwrap_or_default();
        match values.iter().find(|value| !mine.iter().chain(numbers).any(|mine| same(mine, value))) {
            None => compared.same += 1,
            Some(_) if explained(request, name) => compared.explained += 1,
            Some(value) => {
                let mine = if mine.is_empty() { "nothing".to_owned() } else { mine.join(", ") };
                compared.differing.push(format!("{name} is {mine}, strace has {value}"));
            }
        }
    }
    compared
}

/// Whether a field is written in another way for a reason.
fn explained(request: &str, name: &str) -> bool {
    let rows = EXPLAINED.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.split_once('\t')).any(|(requests, rest)| {
        let fields = rest.split('\t').next().unwrap_or_default();
        ioctl_registry::glob_matches(requests, request) && ioctl_registry::glob_matches(fields, name)
    })
}

fn leaves(text: &str) -> Leaves {
    let mut leaves = Leaves::new();
    collect("", text, &mut leaves);
    leaves
}

/// Takes `{a=1, b=[…]}`, `before => after` and the like apart.
fn collect(name: &str, text: &str, leaves: &mut Leaves) {
    let text = text.trim();
    let sides = split(text, " => ");
    if sides.len() > 1 {
        // What changed may have its name once more.
        let last = name.rsplit('.').next().unwrap_or(name);
        let plain = |side| match field(side) {
            Some((field, value))
                if field == last || field == name || name.ends_with(&format!(".{field}")) =>
            {
                value
            }
            _ => side,
        };
        sides.into_iter().map(plain).for_each(|side| collect(name, side, leaves));
        return;
    }
    let inside = |open: char, close: char| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(inside) = inside('{', '}').or_else(|| inside('[', ']')) {
        for part in split(inside, ", ") {
            match field(part) {
                Some((field, value)) => {
                    let dot = if name.is_empty() { "" } else { "." };
                    collect(&format!("{name}{dot}{field}"), value, leaves);
                }
                None => collect(name, part, leaves),
            }
        }
        return;
    }
    let value = text.split(" /*").next().unwrap_or(text).trim();
    if value != "..." {
        leaves.entry(name.to_owned()).or_default().push(value.to_owned());
    }
}

/// `NAME=VALUE`.
fn field(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.trim().split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    is_name.then_some((name, value))
}

/// Parts between separators that are in no brackets and no text.
fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let (mut parts, mut from, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0_usize, false, false);
    for (place, c) in text.char_indices() {
        if depth == 0
            && !quoted
            && place >= from
            && text.get(place..).is_some_and(|rest| rest.starts_with(separator))
        {
            parts.extend(text.get(from..place));
            from = place + separator.len();
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    parts.extend(text.get(from..).filter(|rest| !rest.trim().is_empty()));
    parts
}

/// Whether two spellings are of one value: numbers in any base, flags in any order, texts that strace cuts short.
fn same(ours: &str, theirs: &str) -> bool {
    let number = |text: &str| {
        let hexadecimal = text.strip_prefix("0x").and_then(|digits| i128::from_str_radix(digits, 16).ok());
        // strace prints nothing where no flag is set.
        if text.is_empty() { Some(0) } else { hexadecimal.or_else(|| text.parse().ok()) }
    };
    let flags = |text: &str| {
        let mut flags: Vec<String> =
            text.split('|').filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
        flags.sort();
        flags
    };
    if ours == theirs || flags(ours) == flags(theirs) {
        return true;
    }
    if let Some(start) = theirs.strip_suffix(" ...") {
        return ours.starts_with(start);
    }
    // `makedev(0x7, 0)`.
    if let (Some((ours, mine)), Some((theirs, other))) = (ours.split_once('('), theirs.split_once('(')) {
        let (mine, other) = (split(mine, ", "), split(other, ", "));
        let mut pairs = mine
            .iter()
            .zip(&other)
            .map(|(mine, other)| (mine.trim_end_matches(')'), other.trim_end_matches(')')));
        return ours == theirs && mine.len() == other.len() && pairs.all(|(mine, other)| same(mine, other));
    }
    match (number(ours), number(theirs), bytes(theirs)) {
        (Some(ours), Some(theirs), _) => ours == theirs,
        // We count bytes that are all alike.
        (Some(ours), _, Some((bytes, _))) => bytes.iter().all(|byte| i128::from(*byte) == ours),
        (None, _, Some((mut theirs, cut))) => bytes(ours).is_some_and(|(mut ours, _)| {
            // Texts may have zeros behind them.
            for bytes in [&mut ours, &mut theirs] {
                while !cut && bytes.last() == Some(&0) {
                    bytes.pop();
                }
            }
            if cut { ours.starts_with(&theirs) } else { ours == theirs }
        }),
        _ => false,
    }
}

/// The bytes of a text in quotes, and whether it is cut short.
fn bytes(text: &str) -> Option<(Vec<u8>, bool)> {
    let inside = text.strip_prefix('"')?;
    let (inside, cut) = match inside.strip_suffix("\"...") {
        Some(inside) => (inside, true),
        None => (inside.strip_suffix('"')?, false),
    };
    let (mut bytes, mut rest) = (Vec::new(), inside.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (kind, after) = rest.split_first()?;
        let (digits, radix, most) = match kind {
            b'x' => (after, 16, 2),
            b'0'..=b'7' => (rest, 8, 3),
            _ => {
                let named = [(b'n', b'\n'), (b't', b'\t'), (b'r', b'\r'), (b'v', 0x0b), (b'f', 0x0c)];
                bytes.push(named.iter().find(|(name, _)| name == kind).map_or(*kind, |(_, byte)| *byte));
                rest = after;
                continue;
            }
        };
        let digit = |byte: &&u8| char::from(**byte).is_digit(radix);
        let length = digits.iter().take(most).take_while(digit).count();
        let (digits, after) = digits.split_at(length);
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?);
        rest = after;
    }
    Some((bytes, cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_compared_whatever_surrounds_them() {
        let theirs = r#"{a=0x10, b=X|Y, c="lo, \"x"..., d=[{e=1}, {e=2}], f=, ...} => {a=5}"#;
        let ours = r#"{a=16 => 5, b=Y|X, c="\x6co, \"xyz", d=[{e=1}, {e=2}], f=0, g=7}"#;
        assert_eq!(compare("X", [ours, ""], theirs), Compared { same: 5, ..Compared::default() });
        let found = compare("X", ["{a=1, b=2}", ""], "{a=1, b=3, c=4}");
        assert_eq!(found.same, 1);
        assert_eq!(found.differing, ["b is 2, strace has 3", "c is nothing, strace has 4"]);
        assert_eq!(compare("X", ["NULL", ""], "0x7ff0"), Compared::default());
        assert_eq!(compare("BTRFS_IOC_DEV_INFO", ["{devid=0}", ""], "{devid=makedev(0, 0)}").explained, 1);
        let renamed = compare(
            "X",
            ["{a=B_C, d.e={f=1 => 2}}", "{a=3, d.e={f=1 => 2}}"],
            "{a=3, d.e={f=1} => d.e={f=2}}",
        );
        assert_eq!(renamed, Compared { same: 2, ..Compared::default() });
        assert!(same("makedev(0xfd, 0x0)", "makedev(0xfd, 0)") && !same("makedev(1, 2)", "makedev(1, 3)"));
        assert!(same("0", r#""\0\x00""#) && !same("0", r#""\0\1""#));
    }
}
