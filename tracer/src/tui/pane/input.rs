//! Keys, the mouse and pasted text as a terminal sends them to a program: those of xterm.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use vt100::{MouseProtocolEncoding, MouseProtocolMode};

/// Keys that end in a letter: alone they depend on the mode of the cursor keys.
const LETTERED: [(KeyCode, char); 6] = [
    (KeyCode::Up, 'A'),
    (KeyCode::Down, 'B'),
    (KeyCode::Right, 'C'),
    (KeyCode::Left, 'D'),
    (KeyCode::Home, 'H'),
    (KeyCode::End, 'F'),
];
/// The same for function keys, which know no mode.
const FUNCTIONS: [char; 4] = ['P', 'Q', 'R', 'S'];
/// Keys that have a number.
const NUMBERED: [(KeyCode, u8); 12] = [
    (KeyCode::Insert, 2),
    (KeyCode::Delete, 3),
    (KeyCode::PageUp, 5),
    (KeyCode::PageDown, 6),
    (KeyCode::F(5), 15),
    (KeyCode::F(6), 17),
    (KeyCode::F(7), 18),
    (KeyCode::F(8), 19),
    (KeyCode::F(9), 20),
    (KeyCode::F(10), 21),
    (KeyCode::F(11), 23),
    (KeyCode::F(12), 24),
];
/// Keys that are one byte.
const SINGLE: [(KeyCode, u8); 4] =
    [(KeyCode::Enter, b'\r'), (KeyCode::Tab, b'\t'), (KeyCode::Esc, 0x1b), (KeyCode::Backspace, 0x7f)];

/// The bytes of a key; none for keys that terminals do not send.
#[must_use]
pub fn key(key: &KeyEvent, application_cursor: bool) -> Vec<u8> {
    let code = key.code;
    let number = modifiers(key.modifiers);
    if let Some((_, letter)) = LETTERED.iter().find(|(known, _)| *known == code) {
        return match number {
            1 if application_cursor => format!("\x1bO{letter}"),
            1 => format!("\x1b[{letter}"),
            number => format!("\x1b[1;{number}{letter}"),
        }
        .into_bytes();
    }
    if let Some((_, own)) = NUMBERED.iter().find(|(known, _)| *known == code) {
        return if number == 1 { format!("\x1b[{own}~") } else { format!("\x1b[{own};{number}~") }
            .into_bytes();
    }
    let alone = match code {
        KeyCode::BackTab => return b"\x1b[Z".to_vec(),
        KeyCode::F(n @ 1..=4) => {
            let letter = FUNCTIONS.get(usize::from(n - 1)).copied().unwrap_or('P');
            let text =
                if number == 1 { format!("\x1bO{letter}") } else { format!("\x1b[1;{number}{letter}") };
            return text.into_bytes();
        }
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => control(c),
        KeyCode::Char(c) => c.to_string().into_bytes(),
        code => match SINGLE.iter().find(|(known, _)| *known == code) {
            Some((_, byte)) => vec![*byte],
            None => return Vec::new(),
        },
    };
    if key.modifiers.contains(KeyModifiers::ALT) { [b"\x1b", alone.as_slice()].concat() } else { alone }
}

/// As xterm numbers them: one more than their bits.
fn modifiers(held: KeyModifiers) -> u8 {
    let bit = |modifier, bit| if held.contains(modifier) { bit } else { 0 };
    1 + bit(KeyModifiers::SHIFT, 1) + bit(KeyModifiers::ALT, 2) + bit(KeyModifiers::CONTROL, 4)
}

/// A character together with Ctrl. Terminals have digits for those behind Z.
fn control(c: char) -> Vec<u8> {
    let byte = match c.to_ascii_lowercase() {
        ' ' | '@' | '2' => 0,
        '3' | '[' => 0x1b,
        '4' | '\\' => 0x1c,
        '5' | ']' => 0x1d,
        '6' | '^' => 0x1e,
        '7' | '_' | '/' => 0x1f,
        '8' | '?' => 0x7f,
        letter @ 'a'..='z' => letter as u8 & 0x1f,
        other => return other.to_string().into_bytes(),
    };
    vec![byte]
}

/// The bytes of what the mouse does at a place of the program's screen; none if it did not ask for that.
#[must_use]
pub fn mouse(
    event: &MouseEvent,
    (x, y): (u16, u16),
    mode: MouseProtocolMode,
    encoding: MouseProtocolEncoding,
) -> Vec<u8> {
    use MouseProtocolMode::{AnyMotion, ButtonMotion, None, Press, PressRelease};
    let button = |button| match button {
        MouseButton::Left => 0_u8,
        MouseButton::Middle => 1,
        MouseButton::Right => 2,
    };
    let (code, wanted) = match event.kind {
        MouseEventKind::Down(which) => (button(which), mode != None),
        MouseEventKind::Up(which) => (button(which), matches!(mode, PressRelease | ButtonMotion | AnyMotion)),
        MouseEventKind::Drag(which) => (32 + button(which), matches!(mode, ButtonMotion | AnyMotion)),
        MouseEventKind::Moved => (35, mode == AnyMotion),
        MouseEventKind::ScrollUp => (64, mode != None),
        MouseEventKind::ScrollDown => (65, mode != None),
        MouseEventKind::ScrollLeft => (66, mode != None),
        MouseEventKind::ScrollRight => (67, mode != None),
    };
    if !wanted {
        return Vec::new();
    }
    // The eldest mode knows no modifiers.
    let held = if mode == Press { 0 } else { (modifiers(event.modifiers) - 1) << 2 };
    let up = matches!(event.kind, MouseEventKind::Up(_));
    if encoding == MouseProtocolEncoding::Sgr {
        let end = if up { 'm' } else { 'M' };
        return format!("\x1b[<{};{};{}{end}", code + held, x + 1, y + 1).into_bytes();
    }
    // There, which button it was is not told.
    let code = if up { 3 } else { code } + held;
    let numbers = [u16::from(code), x.saturating_add(1), y.saturating_add(1)].map(|n| n.saturating_add(32));
    let mut bytes = b"\x1b[M".to_vec();
    for number in numbers {
        match (encoding, u8::try_from(number)) {
            (MouseProtocolEncoding::Utf8, _) => {
                let c = char::from_u32(number.into()).unwrap_or(' ');
                bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
            }
            (_, Ok(byte)) => bytes.push(byte),
            // Too far to the right for it.
            (_, Err(_)) => return Vec::new(),
        }
    }
    bytes
}

/// Pasted text, in brackets if the program asked for them. A control character in it could end the brackets, or be a
/// key that nobody pressed.
#[must_use]
pub fn paste(text: &str, brackets: bool) -> Vec<u8> {
    let text = text.replace("\r\n", "\r").replace('\n', "\r");
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\r' | '\t')).collect();
    if brackets { format!("\x1b[200~{text}\x1b[201~") } else { text }.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_xterm() {
        let none = KeyModifiers::NONE;
        let (ctrl, alt, shift) = (KeyModifiers::CONTROL, KeyModifiers::ALT, KeyModifiers::SHIFT);
        for (code, held, application, bytes) in [
            (KeyCode::Char('a'), none, false, &b"a"[..]),
            (KeyCode::Char('G'), shift, false, b"G"),
            (KeyCode::Char('\u{e4}'), none, false, "\u{e4}".as_bytes()),
            (KeyCode::Char('c'), ctrl, false, b"\x03"),
            (KeyCode::Char(' '), ctrl, false, b"\0"),
            (KeyCode::Char('5'), ctrl, false, b"\x1d"),
            (KeyCode::Char('x'), alt, false, b"\x1bx"),
            (KeyCode::Enter, none, false, b"\r"),
            (KeyCode::Enter, alt, false, b"\x1b\r"),
            (KeyCode::Backspace, none, false, b"\x7f"),
            (KeyCode::BackTab, shift, false, b"\x1b[Z"),
            (KeyCode::Up, none, false, b"\x1b[A"),
            (KeyCode::Up, none, true, b"\x1bOA"),
            (KeyCode::Left, ctrl, true, b"\x1b[1;5D"),
            (KeyCode::F(1), none, false, b"\x1bOP"),
            (KeyCode::F(4), shift, false, b"\x1b[1;2S"),
            (KeyCode::F(10), none, false, b"\x1b[21~"),
            (KeyCode::Delete, ctrl, false, b"\x1b[3;5~"),
            (KeyCode::CapsLock, none, false, b""),
        ] {
            assert_eq!(key(&KeyEvent::new(code, held), application), bytes, "{code:?} {held:?}");
        }
    }

    #[test]
    fn the_mouse_is_told_as_it_was_asked_for() {
        use MouseProtocolEncoding::{Default, Sgr, Utf8};
        use MouseProtocolMode::{AnyMotion, None, Press, PressRelease};
        let (down, up) = (MouseEventKind::Down(MouseButton::Left), MouseEventKind::Up(MouseButton::Left));
        for (kind, mode, encoding, bytes) in [
            (down, None, Sgr, &b""[..]),
            (down, Press, Default, b"\x1b[M +("),
            (up, Press, Sgr, b""),
            (up, PressRelease, Sgr, b"\x1b[<0;11;8m"),
            (up, PressRelease, Default, b"\x1b[M#+("),
            (MouseEventKind::Moved, PressRelease, Sgr, b""),
            (MouseEventKind::Moved, AnyMotion, Sgr, b"\x1b[<35;11;8M"),
            (MouseEventKind::ScrollDown, PressRelease, Utf8, b"\x1b[Ma+("),
        ] {
            let event = MouseEvent { kind, column: 0, row: 0, modifiers: KeyModifiers::NONE };
            assert_eq!(mouse(&event, (10, 7), mode, encoding), bytes, "{kind:?} {mode:?}");
        }
        let event = MouseEvent { kind: down, column: 0, row: 0, modifiers: KeyModifiers::CONTROL };
        assert_eq!(mouse(&event, (0, 0), PressRelease, Sgr), b"\x1b[<16;1;1M");
        assert_eq!(mouse(&event, (300, 0), PressRelease, Default), b"", "it has no number for that");
        assert_eq!(mouse(&event, (300, 0), PressRelease, Utf8), "\x1b[M0\u{14d}!".as_bytes());
    }

    #[test]
    fn pasted_text_cannot_break_out_of_its_brackets() {
        assert_eq!(paste("a\x1b[201~rm\n", true), b"\x1b[200~a[201~rm\r\x1b[201~");
        assert_eq!(paste("a\r\nb\tc\x03", false), b"a\rb\tc");
    }
}
