//! What keys and the mouse do.

use super::*;

#[test]
fn moving_leaves_the_end_and_comes_back() {
    let mut desk = Desk::live(80, 24);
    let page = desk.model.list_size().1 as u64;
    desk.keys("kkk");
    assert_eq!(desk.model.standing, Standing { cursor: Some(27), top: 30 - page });
    desk.calls(mixed());
    assert_eq!(desk.model.sheet.selected, Some(27), "new calls do not move it");
    assert!(desk.shot().contains("10 more below, G follows"), "{}", desk.shot());
    desk.keys("G");
    assert_eq!(desk.model.standing, Standing::default());
    desk.press(KeyCode::PageUp);
    desk.press(KeyCode::Home);
    assert_eq!(desk.model.sheet.selected, Some(0));
    desk.press(KeyCode::End);
    desk.press(KeyCode::PageUp);
    desk.press(KeyCode::PageDown);
    assert_eq!(desk.model.standing, Standing::default(), "the end is reached");
}

#[test]
fn keys_sort_tables_and_move_in_them() {
    let mut desk = Desk::live(80, 24);
    let title = |desk: &Desk| {
        let order = desk.model.sheet.order.expect("sorted").column;
        desk.model.sheet.headings.iter().find(|h| h.column == order).map_or("", |h| h.title)
    };
    desk.keys("2");
    assert_eq!(title(&desk), "total");
    desk.keys("<<");
    assert_eq!(title(&desk), "per s");
    desk.keys("<r");
    assert_eq!((title(&desk), desk.model.order().reversed), ("calls", true));
    let first = desk.model.sheet.selected;
    desk.keys("j");
    assert_eq!(desk.model.sheet.cursor, Some(1));
    let second = desk.model.sheet.selected;
    desk.keys("r");
    assert_ne!(first, second);
    assert_eq!(desk.model.sheet.cursor, Some(0), "from the top in a new order");
    desk.press(KeyCode::End);
    let last = desk.model.sheet.selected;
    desk.press(KeyCode::Tab);
    desk.press(KeyCode::BackTab);
    assert_eq!(desk.model.sheet.selected, last, "each table keeps its place");
}

#[test]
fn devices_tell_who_has_them_open() {
    let mut desk = Desk::live(200, 40);
    desk.keys("3");
    let of_terminal = vec![(4711, "stty".to_owned()), (9, "less\x1b[2J".to_owned())];
    desk.tell(Msg::Holders([((DeviceKind::Char, 136, 3), of_terminal)].into()));
    let shown = desk.shot();
    assert!(shown.contains("; open in less\\033[2J 9"), "who calls it is not named twice: {shown}");
}

#[test]
fn processes_fold() {
    let mut desk = Desk::live(80, 24);
    desk.calls(vec![call(0).task("helper", 4711, 4712).event()]);
    desk.keys("4");
    let rows = desk.model.sheet.count;
    assert_eq!(rows, 3 + 2, "threads are shown of a process that has several");
    desk.keys("h");
    assert_eq!(desk.model.sheet.count, rows - 2);
    desk.press(KeyCode::Enter);
    desk.keys("jh");
    assert_eq!((desk.model.sheet.count, desk.model.sheet.cursor), (rows - 2, Some(0)), "with its threads");
}

#[test]
fn the_mouse_chooses_views_rows_and_columns() {
    let mut desk = Desk::live(80, 24);
    desk.click(12, 2);
    assert_eq!(desk.model.view, View::Requests);
    let heading = *desk.model.sheet.headings.iter().find(|h| h.title == "calls").expect("shown");
    desk.click(heading.x, 4);
    assert_eq!(desk.model.order().column, heading.column);
    desk.click(heading.x, 4);
    assert!(desk.model.order().reversed, "the other way round");
    desk.click(3, 7);
    assert_eq!(desk.model.sheet.cursor, Some(2));
    desk.keys("1");
    desk.click(3, 8);
    assert_eq!(desk.model.sheet.cursor, Some(desk.model.sheet.top + 3));
    let kind = MouseEventKind::ScrollUp;
    desk.tell(Msg::Mouse(MouseEvent { kind, column: 3, row: 8, modifiers: KeyModifiers::NONE }));
    assert_eq!(desk.model.sheet.cursor, Some(desk.model.sheet.top));
    for (column, row) in [(79, 23), (0, 0), (200, 200), (79, 2)] {
        desk.click(column, row);
    }
}

#[test]
fn the_heat_map_shows_more_or_less_time() {
    let mut desk = Desk::live(80, 24);
    desk.keys("6");
    assert!(desk.shot().contains("1 s a column"), "{}", desk.shot());
    desk.keys("+");
    assert!(desk.shot().contains("2 s a column"), "{}", desk.shot());
    desk.keys("----");
    assert!(desk.shot().contains("0.25 s a column"), "{}", desk.shot());
}

#[test]
fn clearing_keeps_the_totals() {
    let mut desk = Desk::live(80, 24);
    desk.keys(" kc");
    assert_eq!((desk.model.picture.calls.len(), desk.model.sheet.count), (0, 0));
    desk.keys(" ");
    assert_eq!((desk.model.picture.calls.len(), desk.model.calls, desk.model.failed), (0, 30, 9));
    desk.keys("2");
    assert_eq!(desk.model.sheet.count, 0);
}

#[test]
fn leaving() {
    let ctrl_c = || Msg::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    let mut desk = Desk::live(80, 24);
    desk.tell(ctrl_c());
    assert!(desk.model.quit);
    let mut desk = Desk::live(80, 24);
    desk.keys("?");
    desk.tell(ctrl_c());
    assert!(desk.model.quit, "even from the help");
    let mut desk = Desk::live(80, 24);
    desk.tell(Msg::Quit);
    assert!(desk.model.quit);
}

#[test]
fn the_cursor_keeps_its_row_but_at_the_top() {
    let mut desk = Desk::empty(80, 24);
    desk.keys("2");
    desk.calls(vec![call(0).took(1_000).event()]);
    desk.calls(vec![call(1).request(TIOCGWINSZ).took(9_000_000).event()]);
    assert_eq!(
        (desk.model.sheet.cursor, desk.model.sheet.count),
        (Some(0), 2),
        "the largest one is in sight"
    );
    desk.keys("j");
    let chosen = desk.model.sheet.selected;
    desk.calls(vec![call(2).request(FIONREAD).took(99_000_000).event()]);
    assert_eq!((desk.model.sheet.cursor, desk.model.sheet.selected), (Some(2), chosen));
}
