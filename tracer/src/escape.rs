//! Text of traced processes on its way to people: nothing in it may reach a terminal as a control sequence.

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

/// Writes bytes with everything escaped that is no plain, visible character: `\n` and its like by name, other bytes
/// in octal as strace does. `extra` are characters that would be mistaken for the text around them.
///
/// # Errors
/// Those of the writer.
pub fn write_escaped(out: &mut impl Write, bytes: &[u8], extra: &[char]) -> fmt::Result {
    // Nearly all of it is.
    let plain =
        |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\' && !extra.contains(&char::from(*byte));
    if let (true, Ok(text)) = (bytes.iter().all(plain), std::str::from_utf8(bytes)) {
        return out.write_str(text);
    }
    for chunk in bytes.utf8_chunks() {
        let escapes = |c: char| !is_plain(c) || c == '\\' || extra.contains(&c);
        let mut rest = chunk.valid();
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| escapes(*c)) {
            let (before, behind) = rest.split_at(at);
            out.write_str(before)?;
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                write_byte(out, byte)?;
            }
            rest = behind.get(c.len_utf8()..).unwrap_or_default();
        }
        out.write_str(rest)?;
        for &byte in chunk.invalid() {
            write_byte(out, byte)?;
        }
    }
    Ok(())
}

/// The text with what is no visible character escaped likewise; line breaks too, but no backslash.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_plain(c) {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write_byte(&mut out, byte);
            }
        }
    }
    out.into()
}

fn write_byte(out: &mut impl Write, byte: u8) -> fmt::Result {
    match byte {
        b'\n' => out.write_str("\\n"),
        b'\r' => out.write_str("\\r"),
        b'\t' => out.write_str("\\t"),
        b'\\' => out.write_str("\\\\"),
        _ => write!(out, "\\{byte:03o}"),
    }
}

/// Whether a character shows as itself: no control, no invisible formatting, nothing that reorders text.
pub(crate) fn is_plain(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// [`write_escaped`] into a new string.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    // Writing to a string cannot fail.
    let _ = write_escaped(&mut out, bytes, &[]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_bytes_are_spelled_out() {
        assert_eq!(escaped(b"a\x1b[31mb\n\x07"), "a\\033[31mb\\n\\007");
        assert_eq!(escaped("gr\u{fc}n \u{202e}evil".as_bytes()), "gr\u{fc}n \\342\\200\\256evil");
        assert_eq!(escaped(b"\xff\xc2\x9b\\"), "\\377\\302\\233\\\\");
    }

    #[test]
    fn messages_keep_their_backslashes() {
        assert_eq!(visible("'\\x' \u{1b}[m\n"), "'\\x' \\033[m\\n");
        assert_eq!(visible("plain"), "plain");
    }

    proptest! {
        #[test]
        fn nothing_dangerous_comes_through(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let text = escaped(&bytes);
            prop_assert!(text.chars().all(|c| !c.is_control() && is_plain(c) || c == '\\'));
        }
    }
}
