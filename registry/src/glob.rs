//! A small glob matcher for request names: `*`, `?` and `[]`.

/// Whether all of `text` matches `pattern`: `*` is any run of bytes, `?` any byte, `[a-z]` one of a set and `[!a-z]`
/// one outside it. A `[` that is never closed stands for itself. Case counts.
///
/// ```
/// use ioctl_registry::glob_matches;
///
/// assert!(glob_matches("VIDIOC_?BUF", "VIDIOC_QBUF"));
/// assert!(glob_matches("TC[GS]ETS*", "TCSETSW"));
/// assert!(!glob_matches("TC[!G]ETS", "TCGETS"));
/// ```
#[must_use]
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.as_bytes(), text.as_bytes());
    // Where to resume when the last `*` has to take one byte more; older ones never need to.
    let mut resume: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            resume = Some((rest, text));
            pattern = rest;
        } else if let Some((after, rest)) = step(pattern, text) {
            (pattern, text) = (after, rest);
        } else if pattern.is_empty() && text.is_empty() {
            return true;
        } else {
            let Some((after, [_, shorter @ ..])) = resume else { return false };
            resume = Some((after, shorter));
            (pattern, text) = (after, shorter);
        }
    }
}

/// Matches one byte of text; what is left of both.
fn step<'p, 't>(pattern: &'p [u8], text: &'t [u8]) -> Option<(&'p [u8], &'t [u8])> {
    let ([first, after @ ..], [byte, rest @ ..]) = (pattern, text) else { return None };
    match first {
        b'?' => Some((after, rest)),
        b'[' => match set(after) {
            Some((members, after)) => contains(members, *byte).then_some((after, rest)),
            None => (*byte == b'[').then_some((after, rest)),
        },
        _ => (first == byte).then_some((after, rest)),
    }
}

/// The members of a set and the pattern behind its `]`.
fn set(pattern: &[u8]) -> Option<(&[u8], &[u8])> {
    // A `]` in the first place is a member.
    let skip = 1 + usize::from(pattern.first() == Some(&b'!'));
    let end = skip + pattern.get(skip..)?.iter().position(|byte| *byte == b']')?;
    Some((pattern.get(..end)?, pattern.get(end + 1..)?))
}

fn contains(members: &[u8], byte: u8) -> bool {
    let (negated, mut members) = match members {
        [b'!', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let mut found = false;
    while let [first, rest @ ..] = members {
        if let [b'-', last, rest @ ..] = rest {
            found |= (first..=last).contains(&&byte);
            members = rest;
        } else {
            found |= *first == byte;
            members = rest;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn stars_backtrack() {
        assert!(glob_matches("*", ""));
        assert!(glob_matches("a*b*c", "aXbXbXc"));
        assert!(!glob_matches("a*b*c", "aXbXbX"));
        assert!(glob_matches("*_IOC_*", "EXT4_IOC_GETFLAGS"));
        assert!(!glob_matches("", "a"));
        assert!(glob_matches("a**", "a"));
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        assert!(!glob_matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!glob_matches(&format!("{}b", "a*".repeat(50)), &"a".repeat(5000)));
    }

    #[test]
    fn sets_hold_ranges_and_oddities() {
        assert!(glob_matches("[a-c]x", "bx"));
        assert!(glob_matches("[]a]", "]"));
        assert!(glob_matches("[a-]", "-"));
        assert!(glob_matches("[!]]", "a"));
        assert!(glob_matches("x[", "x["));
        assert!(glob_matches("[kvm]*", "kvm-vcpu"));
    }
}
