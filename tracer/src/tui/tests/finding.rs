//! Calls looked into, found, saved.

use crossterm::event::KeyCode;
use ioctl_registry::DeviceKind;

use super::{Desk, SIZES, VIDIOC_S_CTRL, mixed};
use crate::{
    event::Event,
    tui::{
        fixture::{TIOCGWINSZ, call, image},
        keymap::View,
        model::Mode,
        msg::Msg,
        sheet::Cell,
    },
};

/// Calls with arguments: one that failed, one that changed what it was given, one that answered.
fn with_arguments() -> Vec<Event> {
    let at = 0x7ffe_0000_1000;
    let control = |value: u8| image(at, &[0, 9, 0x98, 0, value, 0, 0, 0]);
    let camera = |n| call(n).request(VIDIOC_S_CTRL).file(3, DeviceKind::Char, "/dev/video0");
    vec![
        camera(0).given(at, control(1)).fails(22).event(),
        camera(1).given(at, control(1)).returned(at, control(7)).event(),
        call(2).request(TIOCGWINSZ).returned(at, image(at, &[24, 0, 80, 0, 0, 0, 0, 0])).event(),
    ]
}

#[test]
fn the_detail_of_a_call() {
    for (width, height) in SIZES {
        let mut desk = Desk::empty(width, height);
        desk.calls(with_arguments());
        desk.press(KeyCode::Enter);
        assert!(desk.model.detail.is_some());
        if desk.model.areas(desk.model.size).both() {
            assert!(!desk.model.in_detail(), "the list keeps the keys");
            desk.press(KeyCode::Enter);
        }
        desk.keys("jjjjj");
        insta::assert_snapshot!(format!("detail_{width}x{height}"), desk.shot());
        desk.press(KeyCode::Tab);
        assert!(!desk.model.in_detail());
        desk.press(KeyCode::Esc);
        assert!(desk.model.detail.is_none());
    }
}

#[test]
fn what_is_left_out_cannot_be_asked_for() {
    let mut desk = Desk::empty(100, 40);
    desk.calls(with_arguments());
    desk.model.redacted = true;
    for (text, taken) in [("arg.value == 1", false), ("in exists", false), ("ret < 0", true)] {
        desk.model.filter(text);
        assert_eq!(desk.model.sieve.is_some(), taken, "{text}");
        assert!(
            taken || desk.shot().contains("what --redact leaves out cannot be asked for"),
            "{}",
            desk.shot()
        );
    }
}

#[test]
fn fields_fold_and_light_their_bytes() {
    let mut desk = Desk::empty(100, 40);
    desk.calls(with_arguments());
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Enter);
    desk.keys("jjjjj");
    let lit = |desk: &Desk| {
        let terminal = desk.screen(100, 40);
        let found = desk.model.theme.found.bg;
        terminal.backend().buffer().content().iter().filter(|cell| Some(cell.bg) == found).count()
    };
    // Two bytes, in digits and as text.
    assert_eq!(lit(&desk), 2 * 2 + 2, "{}", desk.shot());
    let lines = desk.model.page.as_ref().expect("shown").lines.len();
    desk.keys("hh");
    assert_eq!(desk.model.page.as_ref().expect("shown").lines.len(), lines - 4, "the struct is folded");
    desk.press(KeyCode::Enter);
    assert_eq!(desk.model.page.as_ref().expect("shown").lines.len(), lines);
    desk.keys("G");
    let detail = desk.model.detail.as_ref().expect("open");
    assert_eq!(detail.cursor, lines - 1, "no further than the end");
}

#[test]
fn changes_are_marked() {
    let mut desk = Desk::empty(120, 40);
    desk.calls(with_arguments());
    desk.press(KeyCode::Enter);
    desk.keys("k");
    let shown = desk.shot();
    assert!(shown.contains("before → after") && shown.contains("→ 7"), "{shown}");
}

#[test]
fn filters_show_what_matches() {
    let mut desk = Desk::live(100, 30);
    desk.keys("ferrno == en");
    desk.press(KeyCode::Tab);
    insta::assert_snapshot!("filter_completed", desk.shot());
    desk.press(KeyCode::Backspace);
    desk.keys("!");
    insta::assert_snapshot!("filter_mistaken", desk.shot());
    desk.press(KeyCode::Enter);
    assert_eq!(desk.model.mode, Mode::Prompt, "a mistake is not taken");
    desk.press(KeyCode::Esc);
    desk.keys("ferrno == ENOTTY");
    desk.press(KeyCode::Enter);
    assert_eq!((desk.model.sheet.count, desk.model.sheet.rows.len()), (3, 3));
    assert!(desk.shot().contains("filter: errno == ENOTTY") && desk.shot().contains("3 of 30 match"));
    desk.calls(mixed());
    assert_eq!(desk.model.sheet.count, 4, "it goes on");
    desk.press(KeyCode::Esc);
    assert_eq!(desk.model.sheet.count, 40);
}

#[test]
fn filters_come_from_what_is_under_the_cursor() {
    let mut desk = Desk::live(100, 30);
    let text = |desk: &Desk| desk.model.sieve.as_ref().map(|sieve| sieve.text.clone()).unwrap_or_default();
    desk.keys("k=");
    assert_eq!((text(&desk).as_str(), desk.model.sheet.count), ("request == TCGETS", 21));
    desk.press(KeyCode::Esc);
    desk.keys("o");
    assert_eq!(text(&desk), "pid == 4711 && fd == 33");
    // Every row of every table leads to as many calls as it says.
    for (key, column) in [('2', "calls"), ('3', "calls"), ('4', "calls"), ('7', "calls")] {
        let mut desk = Desk::live(140, 30);
        desk.keys(&key.to_string());
        for row in 0..desk.model.sheet.count {
            desk.keys(&key.to_string());
            desk.press(KeyCode::Home);
            desk.keys(&"j".repeat(row));
            let heading = desk.model.sheet.headings.iter().position(|h| h.title == column).expect("shown");
            let Cell::Text(calls, _) = &desk.model.sheet.rows[row].cells[heading] else { panic!("no text") };
            let calls: usize = calls.parse().expect("a number");
            desk.keys("=");
            assert_eq!(desk.model.view, View::Stream);
            assert_eq!(desk.model.sheet.count, calls, "{key} {row}: {}", text(&desk));
        }
    }
    let mut desk = Desk::empty(100, 40);
    desk.calls(with_arguments());
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Enter);
    desk.keys("jjjjj=");
    assert_eq!((text(&desk).as_str(), desk.model.sheet.count), ("arg.ws_col == 80", 1));
    desk.press(KeyCode::Tab);
    desk.keys("&");
    assert_eq!(text(&desk), "(arg.ws_col == 80) && request == TIOCGWINSZ");
}

#[test]
fn what_is_shown_is_saved() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("saved.jsonl");
    let mut desk = Desk::live(100, 30);
    desk.model.filter("ret < 0");
    desk.tell(Msg::News);
    desk.keys("W");
    assert!(desk.shot().contains("save these calls to: ioctl-trace-234132.jsonl"), "{}", desk.shot());
    let path = file.to_str().expect("text");
    desk.press(KeyCode::End);
    (0..40).for_each(|_| desk.press(KeyCode::Backspace));
    desk.keys(path);
    desk.press(KeyCode::Enter);
    desk.outside.finish();
    let lines = std::fs::read_to_string(&file).expect("written");
    assert_eq!(lines.lines().count(), 9);
    desk.tell(Msg::News);
    assert!(desk.shot().contains("9 calls are in `"), "{}", desk.shot());
    desk.keys("W");
    desk.keys("/nowhere/");
    desk.press(KeyCode::Enter);
    assert!(desk.shot().contains("No such file"), "{}", desk.shot());
}

#[test]
fn searches_and_jumps_find_calls() {
    let mut desk = Desk::live(100, 30);
    desk.keys("E");
    assert_eq!(desk.model.sheet.selected, Some(26), "the last error");
    desk.keys("EE");
    assert_eq!(desk.model.sheet.selected, Some(23));
    desk.keys("e");
    assert_eq!(desk.model.sheet.selected, Some(25));
    desk.keys("[");
    assert_eq!(desk.model.sheet.selected, Some(23), "the same request");
    desk.keys("/vendor");
    desk.press(KeyCode::Enter);
    assert_eq!(desk.model.sheet.selected, Some(24));
    desk.keys("N");
    assert_eq!(desk.model.sheet.selected, Some(14));
    let marked = desk.screen(100, 30);
    let found = desk.model.theme.found.bg;
    let cells = marked.backend().buffer().content().iter().filter(|cell| Some(cell.bg) == found).count();
    assert_eq!(cells, 2 * "vendor".len(), "in both rows that are seen");
    desk.keys("NN");
    assert_eq!(desk.model.sheet.selected, Some(4));
    assert!(desk.shot().contains("no further call with `vendor`"), "{}", desk.shot());
    desk.keys("}");
    assert!(desk.model.sheet.selected > Some(4), "the same descriptor");
}

#[test]
fn tables_are_searched_row_by_row() {
    let mut desk = Desk::live(80, 24);
    desk.keys("2");
    let names = |desk: &Desk| -> Vec<String> {
        desk.shot().lines().skip(5).map(|line| line.trim_matches(['"', ' ']).to_owned()).collect()
    };
    let selected = |desk: &Desk| desk.model.sheet.cursor.expect("a row");
    let rows = names(&desk);
    let with: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].contains("TCGETS")).collect();
    assert!(with.len() > 1, "{rows:?}");
    desk.keys("/tcgets");
    desk.press(KeyCode::Enter);
    let first = with.iter().copied().find(|row| *row > 0).expect("another one than the first row");
    assert_eq!(selected(&desk), first);
    desk.keys("n");
    let second = with.iter().copied().find(|row| *row > first);
    assert_eq!(selected(&desk), second.unwrap_or(first));
    desk.keys("N");
    assert!(selected(&desk) <= first);
    desk.keys("/no such text");
    desk.press(KeyCode::Enter);
    assert!(desk.shot().contains("no further row with `tcgetsno such text`"), "{}", desk.shot());
}
