//! The command's terminal on the dashboard.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::layout::{Position, Size};

use super::{Desk, SECOND};
use crate::{
    session::Status,
    tui::{
        model::update,
        msg::{Effect, Msg, Over},
        pane::Pane,
    },
};

/// A dashboard with a command, whose terminal has the keys. What it does outside is left to be looked at.
fn desk(width: u16, height: u16) -> Desk {
    let mut desk = Desk::live(width, height);
    desk.model.pane = Some(Pane::new("vim notes".to_owned(), Size { width: 1, height: 1 }));
    desk.tell(Msg::Tick(92 * SECOND));
    desk
}

/// The bytes that a message sends to the command.
fn typed(desk: &mut Desk, msg: Msg) -> Vec<u8> {
    update(&mut desk.model, msg);
    let effects = std::mem::take(&mut desk.model.effects);
    let bytes = effects.into_iter().filter_map(|effect| match effect {
        Effect::Type(bytes) => Some(bytes),
        _ => None,
    });
    bytes.flatten().collect()
}

fn key(code: KeyCode) -> Msg {
    Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn the_command_has_a_part_of_every_screen() {
    for (width, height, screen) in [
        (80, 24, Some((80, 10))),
        (40, 12, Some((40, 8))),
        (200, 50, Some((100, 45))),
        (10, 3, Some((10, 0))),
    ] {
        let mut desk = desk(width, height);
        desk.tell(Msg::Printed(b"\x1b[31mred\x1b[m \x1b[7minverse\x1b[m \xe6\xbc\xa2\xe5\xad\x97".to_vec()));
        let size = desk.model.areas(desk.model.size).pane_screen();
        assert_eq!(Some((size.width, size.height)), screen);
        if height >= 12 {
            let pane = desk.model.pane.as_ref().expect("a pane");
            assert_eq!(pane.size(), size.as_size());
            let mut shown = desk.screen(width, height);
            assert!(desk.shot().contains("red inverse 漢字"), "{}", desk.shot());
            let cursor = shown.get_cursor_position().expect("a cursor");
            assert_eq!(cursor, Position { x: size.x + 16, y: size.y });
        }
        insta::with_settings!({ snapshot_suffix => format!("{width}x{height}") }, {
            insta::assert_snapshot!("a_command", desk.shot());
        });
    }
}

#[test]
fn keys_go_to_the_command_until_it_is_left_or_ends() {
    let mut desk = desk(80, 24);
    assert_eq!(typed(&mut desk, key(KeyCode::Char('q'))), b"q");
    let interrupt = Msg::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(typed(&mut desk, interrupt), b"\x03");
    desk.tell(Msg::Printed(b"\x1b[?1h\x1b[?2004h".to_vec()));
    assert_eq!(typed(&mut desk, key(KeyCode::Up)), b"\x1bOA");
    assert_eq!(typed(&mut desk, Msg::Paste("a\nb".to_owned())), b"\x1b[200~a\rb\x1b[201~");
    assert_eq!(typed(&mut desk, Msg::Printed(b"\x1b[3;4H\x1b[6n".to_vec())), b"\x1b[3;4R");

    desk.press(KeyCode::F(12));
    assert_eq!(typed(&mut desk, key(KeyCode::Char('7'))), b"", "to the dashboard");
    desk.keys("q");
    assert!(!desk.model.quit && desk.shot().contains("leaves: `vim notes`"), "{}", desk.shot());
    desk.keys("2");
    desk.keys("q");
    assert!(!desk.model.quit, "another key came between");
    desk.press(KeyCode::F(12));
    assert_eq!(typed(&mut desk, key(KeyCode::Char('x'))), b"x");

    let exit = Some(ExitStatus::from_raw(3 << 8));
    desk.tell(Msg::Status(Status { exit, ..Status::default() }));
    assert!(desk.shot().contains("vim notes ended with 3"), "{}", desk.shot());
    desk.tell(Msg::Over(Over::Complete(Default::default(), exit)));
    desk.keys("q");
    assert!(desk.model.quit, "nothing runs any more");
}

#[test]
fn a_command_outlives_tracing_that_fails() {
    let mut desk = desk(80, 24);
    desk.tell(Msg::Over(Over::Failed("the disk is full".to_owned())));
    assert_eq!(typed(&mut desk, key(KeyCode::Char('x'))), b"x");
    desk.press(KeyCode::F(12));
    desk.keys("q");
    assert!(!desk.model.quit);
    desk.keys("q");
    assert!(desk.model.quit);
}

#[test]
fn a_killed_command_says_by_what() {
    let mut desk = desk(80, 24);
    desk.tell(Msg::Over(Over::Complete(Default::default(), Some(ExitStatus::from_raw(11)))));
    assert!(desk.shot().contains("killed by SIGSEGV"), "{}", desk.shot());
}

#[test]
fn the_terminal_is_hidden_and_fills_the_screen() {
    let mut desk = desk(80, 24);
    desk.press(KeyCode::F(12));
    desk.keys("t");
    assert!(!desk.shot().contains("vim notes ─"), "{}", desk.shot());
    desk.press(KeyCode::F(12));
    assert!(desk.shot().contains("vim notes ─") && desk.model.focused_pane().is_some());
    desk.press(KeyCode::F(12));
    desk.keys("z");
    assert!(!desk.shot().contains("vim notes ─"), "the dashboard alone");
    desk.press(KeyCode::F(12));
    assert!(!desk.shot().contains("─ Stream"), "the terminal alone: {}", desk.shot());
    desk.tell(Msg::Tick(93 * SECOND));
    assert_eq!(desk.model.pane.as_ref().expect("a pane").size(), Size { width: 80, height: 20 });
}

#[test]
fn the_mouse_is_the_programs_if_it_asked_for_it() {
    let mut desk = desk(80, 24);
    let area = desk.model.areas(desk.model.size).pane;
    let at = |kind, row| Msg::Mouse(MouseEvent { kind, column: 4, row, modifiers: KeyModifiers::NONE });
    let down = MouseEventKind::Down(crossterm::event::MouseButton::Left);
    assert_eq!(typed(&mut desk, at(down, area.y + 2)), b"");
    desk.tell(Msg::Printed(b"\x1b[?1000h\x1b[?1006h".to_vec()));
    assert_eq!(typed(&mut desk, at(down, area.y + 2)), b"\x1b[<0;5;2M");
    desk.tell(at(down, 6));
    assert!(desk.model.focused_pane().is_none(), "the dashboard was clicked");
    desk.tell(at(down, area.y + 2));
    assert!(desk.model.focused_pane().is_some());
    // Without it the wheel goes back, or moves the cursor of a program that has the screen to itself.
    let lines: String = (0..40).map(|n| format!("line {n}\r\n")).collect();
    desk.tell(Msg::Printed(format!("\x1b[?1000l{lines}").into_bytes()));
    assert_eq!(typed(&mut desk, at(MouseEventKind::ScrollUp, area.y + 2)), b"");
    assert!(desk.shot().contains("3 lines back"), "{}", desk.shot());
    desk.tell(Msg::Printed(b"\x1b[?1049h".to_vec()));
    assert_eq!(typed(&mut desk, at(MouseEventKind::ScrollUp, area.y + 2)), b"\x1b[A\x1b[A\x1b[A");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_printed_stays_within_its_cells(
        pieces in proptest::collection::vec((
            prop_oneof![
                any::<Vec<u8>>(),
                "[\u{1b}\\[\\]?;0-9A-Za-z\u{202e}\u{9b}\u{7}\u{301}漢\r\n\t ]{0,60}".prop_map(String::into_bytes),
            ],
            (1..120_u16, 1..40_u16),
        ), 1..12),
    ) {
        let mut desk = desk(80, 24);
        for (bytes, (width, height)) in pieces {
            desk.tell(Msg::Printed(bytes));
            desk.tell(Msg::Resize(Size { width, height }));
            desk.tell(Msg::Tick(93 * SECOND));
            let shown = desk.screen(width, height);
            for cell in shown.backend().buffer().content() {
                prop_assert!(cell.symbol().chars().all(crate::escape::is_plain), "{:?}", cell.symbol());
            }
        }
    }
}
