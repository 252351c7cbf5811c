//! What the dashboard shows and how it answers to keys.

use std::{sync::mpsc::sync_channel, thread};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ioctl_registry::DeviceKind;
use ioctl_trace_ebpf::Counters;
use proptest::prelude::*;
use ratatui::{
    Terminal,
    backend::TestBackend,
    layout::Size,
    style::{Color, Modifier},
};

use super::{
    Running,
    calls::{CAPACITY, Scroll},
    fixture::{FIONREAD, TIOCGWINSZ, call},
    groups::SortBy,
    model::{Mode, Model, Msg, Origin, Over, Pane, update},
    notices::Waiting,
    subject,
    theme::Theme,
    view::view,
};
use crate::{
    clock::WallClock,
    event::{Event, Outcome},
    recording::Closing,
    session::{SessionError, Status},
    source::{Accounts, live::Wanted},
};

const SECOND: u64 = 1_000_000_000;
/// 2026-11-19 23:40:01 UTC.
const EPOCH: i64 = 1_795_131_601_000_000_000;

fn status(targets: Option<usize>, total: Counters) -> Status {
    Status { accounts: Accounts { total, lost_per_cpu: Vec::new() }, targets }
}

fn opened(origin: Origin, subject: &str, targets: Option<usize>, width: u16, height: u16) -> Model {
    let (quiet, size) = (status(targets, Counters::default()), Size { width, height });
    Model::new(origin, subject.to_owned(), Theme::new(true), WallClock::fixed(EPOCH), size, quiet, 0)
}

fn empty(width: u16, height: u16) -> Model {
    opened(Origin::Live, "-p 4711", Some(2), width, height)
}

/// A little of everything that can be in a list.
fn mixed() -> Vec<Event> {
    let at = |n: u64| n * 123_456_789;
    vec![
        call(at(0)).event(),
        call(at(1)).request(TIOCGWINSZ).took(890).event(),
        call(at(2))
            .task("python3", 5000, 5003)
            .file(5, DeviceKind::Fifo, "pipe:[1234]")
            .request(FIONREAD)
            .event(),
        call(at(3)).file(1, DeviceKind::Regular, "/tmp/a\x1b[31mred\n").fails(25).took(700).event(),
        call(at(4))
            .request(0xc008_dead)
            .file(7, DeviceKind::Char, "/dev/vendor0")
            .outcome(Outcome::Returned(5))
            .event(),
        call(at(5)).not_open().fails(9).event(),
        call(at(6)).took(2 * SECOND).outcome(Outcome::Returned(-512)).event(),
        call(at(7)).took(3 * SECOND).outcome(Outcome::Killed(-4)).event(),
        call(at(8)).task("a long name 漢字", 7, 7).took(61 * SECOND).outcome(Outcome::Running).event(),
        call(at(9)).file(33, DeviceKind::Char, "/dev/bus/usb/a/very/long/path/to/the/device/001/004").event(),
    ]
}

/// Thirty calls, after one and a half minutes.
fn live(width: u16, height: u16) -> Model {
    let mut model = empty(width, height);
    for round in 0..3 {
        update(&mut model, Msg::Tick((88 + round) * SECOND));
        update(&mut model, Msg::Calls(mixed()));
    }
    let counters = Counters { seen: 31, recorded: 30, ..Counters::default() };
    update(&mut model, Msg::Status(status(Some(2), counters)));
    update(&mut model, Msg::Tick(91 * SECOND));
    model
}

fn screen(model: &Model, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
    terminal.draw(|frame| view(model, frame)).expect("drawn");
    terminal
}

fn shot(model: &Model) -> String {
    screen(model, model.size.width, model.size.height).backend().to_string()
}

fn press(model: &mut Model, code: KeyCode) {
    update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

fn keys(model: &mut Model, script: &str) {
    script.chars().for_each(|c| press(model, KeyCode::Char(c)));
}

#[test]
fn live_views() {
    for (width, height) in [(80, 24), (120, 40), (40, 12), (60, 18)] {
        insta::assert_snapshot!(format!("live_{width}x{height}"), shot(&live(width, height)));
    }
}

#[test]
fn nothing_has_come_yet() {
    insta::assert_snapshot!(shot(&empty(80, 24)));
}

#[test]
fn a_held_picture() {
    let mut model = live(80, 24);
    keys(&mut model, " ");
    let before = shot(&model);
    update(&mut model, Msg::Calls(mixed()));
    update(&mut model, Msg::Tick(92 * SECOND));
    let after = shot(&model);
    assert_eq!(
        before.lines().skip(2).collect::<Vec<_>>(),
        after.lines().skip(2).collect::<Vec<_>>(),
        "list and table hold"
    );
    insta::assert_snapshot!(after);
    keys(&mut model, "p");
    assert!(model.held.is_none());
    assert_eq!(model.picture().calls.len(), 40, "what came meanwhile is there");
}

#[test]
fn losses_are_loud() {
    let lossy = || {
        status(
            None,
            Counters { seen: 5_000, recorded: 30, lost_ring: 4_711, lost_slot: 3, ..Counters::default() },
        )
    };
    for (width, height) in [(80, 24), (40, 12)] {
        let mut model = live(width, height);
        update(&mut model, Msg::Status(lossy()));
        insta::assert_snapshot!(format!("losses_{width}x{height}"), shot(&model));
        let terminal = screen(&model, width, height);
        let cell = terminal.backend().buffer().cell((1, 2)).expect("on the screen").clone();
        assert_eq!((cell.symbol(), cell.bg), ("4", Color::Red));
    }
}

#[test]
fn help_shows_every_key() {
    let mut model = live(80, 24);
    keys(&mut model, "?");
    insta::assert_snapshot!("help_80x24", shot(&model));
    let mut model = live(40, 12);
    keys(&mut model, "hjj");
    assert_eq!(model.mode, Mode::Help(2));
    insta::assert_snapshot!("help_40x12", shot(&model));
    keys(&mut model, "G");
    assert_eq!(model.mode, Mode::Help(11), "the last line is at the bottom");
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.mode, Mode::Watch);
    press(&mut model, KeyCode::F(1));
    keys(&mut model, "q");
    assert!(model.mode == Mode::Watch && !model.quit, "q closes the help first");
}

#[test]
fn the_end_of_every_process() {
    let mut model = live(80, 24);
    update(&mut model, Msg::Over(Over::Complete(Accounts::default())));
    update(&mut model, Msg::Tick(500 * SECOND));
    insta::assert_snapshot!(shot(&model));
    assert!(!model.quit, "the picture stays");
    assert_eq!((model.elapsed_s(), model.rate()), (91, 0), "time stops");
    keys(&mut model, "q");
    assert!(model.quit);
}

/// A recording of ten calls, up to its end.
fn played(width: u16, height: u16, over: Over) -> Model {
    let mut model = opened(Origin::Recording, "replay run.iotrace", None, width, height);
    update(&mut model, Msg::Tick(3 * SECOND));
    update(&mut model, Msg::Calls(mixed()));
    update(&mut model, Msg::Tick(4 * SECOND));
    assert_eq!((model.elapsed_s(), model.rate()), (61, 0), "from the first call to the end of the last");
    update(&mut model, Msg::Over(over));
    update(&mut model, Msg::Tick(500 * SECOND));
    model
}

#[test]
fn a_recording_has_its_own_time_and_end() {
    let closing =
        Closing { seen: 2_011, filtered: 1_000, delivered: 10, lost: 1_000, elapsed_ns: 5 * SECOND };
    let whole = Over::Played { closing: Some(closing), cut: None, damaged: 0 };
    let model = played(80, 24, whole.clone());
    assert_eq!((model.elapsed_s(), model.rate()), (5, 2), "the recording says how long it took");
    insta::assert_snapshot!("recording_80x24", shot(&model));
    insta::assert_snapshot!("recording_40x12", shot(&played(40, 12, whole)));
    let cut = Over::Played { closing: None, cut: Some("it stops inside a frame".to_owned()), damaged: 3 };
    let shown = shot(&played(120, 40, cut));
    assert!(shown.contains("THE RECORDING'S END IS MISSING: it stops inside a frame"), "{shown}");
    assert!(shown.contains("3 RECORDS COULD NOT BE READ") && shown.contains("0 lost"), "{shown}");
}

#[test]
fn an_output_that_breaks_is_said() {
    let mut model = live(80, 24);
    update(
        &mut model,
        Msg::Over(Over::Failed("cannot write the output: No space left on device".to_owned())),
    );
    assert!(shot(&model).contains("TRACING ENDED: cannot write the output: No space left on device"));
}

#[test]
fn log_lines_are_shown_for_a_while() {
    let mut model = live(80, 24);
    let lines = ["first".to_owned(), "kernel: second\x1b[2J".to_owned()].into();
    update(&mut model, Msg::Notices(Waiting { lines, dropped: 3 }));
    let shown = shot(&model);
    assert!(shown.contains("kernel: second\\033[2J  (and 4 more)"), "{shown}");
    update(&mut model, Msg::Tick(107 * SECOND));
    assert!(model.notice.is_none());
}

#[test]
fn scrolling_leaves_the_end_and_comes_back() {
    let mut model = live(80, 24);
    let page = model.areas(model.size).rows(Pane::Calls);
    keys(&mut model, "kk");
    assert_eq!(model.scroll, Scroll::At(30 - page as u64 - 2));
    update(&mut model, Msg::Calls(mixed()));
    assert_eq!(model.scroll, Scroll::At(30 - page as u64 - 2), "new calls do not move it");
    assert!(shot(&model).contains("12 more below, G follows"));
    keys(&mut model, "G");
    assert_eq!(model.scroll, Scroll::Follow);
    press(&mut model, KeyCode::PageUp);
    press(&mut model, KeyCode::Home);
    assert_eq!(model.scroll, Scroll::At(0));
    press(&mut model, KeyCode::End);
    press(&mut model, KeyCode::PageUp);
    press(&mut model, KeyCode::PageDown);
    assert_eq!(model.scroll, Scroll::Follow, "the end is reached");
}

#[test]
fn keys_sort_switch_and_maximise() {
    let mut model = live(80, 24);
    keys(&mut model, "s");
    assert_eq!(model.order.by, SortBy::Mean);
    keys(&mut model, "<<r");
    assert_eq!((model.order.by, model.order.reversed), (SortBy::Errors, true));
    press(&mut model, KeyCode::Tab);
    assert_eq!(model.focus, Pane::Groups);
    keys(&mut model, "j");
    assert_eq!((model.groups_top, model.scroll), (1, Scroll::Follow), "the table has the keys");
    press(&mut model, KeyCode::Enter);
    insta::assert_snapshot!(shot(&model));
    keys(&mut model, "1");
    assert_eq!((model.focus, model.maximised), (Pane::Calls, true));
    assert_eq!(model.areas(model.size).groups.height, 0);
    press(&mut model, KeyCode::Esc);
    assert!(!model.maximised);
    keys(&mut model, "22");
    assert_eq!((model.focus, model.maximised), (Pane::Groups, false));
}

#[test]
fn clearing_keeps_the_totals() {
    let mut model = live(80, 24);
    keys(&mut model, " kc");
    assert_eq!((model.picture().calls.len(), model.picture().groups.len()), (0, 0));
    keys(&mut model, " ");
    assert_eq!((model.picture().calls.len(), model.calls, model.failed), (0, 30, 9));
}

#[test]
fn leaving() {
    let mut model = live(80, 24);
    update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(model.quit);
    let mut model = live(80, 24);
    keys(&mut model, "?");
    update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(model.quit, "even from the help");
    let mut model = live(80, 24);
    update(&mut model, Msg::Quit);
    assert!(model.quit);
}

#[test]
fn only_what_changes_is_drawn() {
    let mut model = live(80, 24);
    model.dirty = false;
    update(&mut model, Msg::Tick(91 * SECOND + 1));
    press(&mut model, KeyCode::Char('z'));
    let unchanged = model.status.clone();
    update(&mut model, Msg::Status(unchanged));
    assert!(!model.dirty);
    update(&mut model, Msg::Tick(92 * SECOND));
    assert!(model.dirty, "the clock has moved");
}

#[test]
fn dropped_rows_are_said() {
    let mut model = live(120, 40);
    let many = (0..CAPACITY as u64).map(|n| call(n).event()).collect();
    update(&mut model, Msg::Calls(many));
    assert!(shot(&model).contains("last 10,000 kept, 30 older dropped"), "{}", shot(&model));
}

#[test]
fn results_are_coloured_unless_colours_are_off() {
    let mut model = live(80, 24);
    let find = |model: &Model| {
        let terminal = screen(model, 80, 24);
        let buffer = terminal.backend().buffer().clone();
        let row = |y| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        let y = (0..24).find(|&y| row(y).contains("ENOTTY")).expect("a call that failed");
        let x = row(y).find("ENOTTY").map(|at| row(y)[..at].chars().count());
        let x = x.and_then(|x| u16::try_from(x).ok()).expect("its result");
        (buffer[(x, y)].fg, buffer[(x, y)].modifier, buffer)
    };
    assert_eq!(find(&model).0, Color::Red);
    model.theme = Theme::new(false);
    let (color, modifier, buffer) = find(&model);
    assert_eq!((color, modifier), (Color::Reset, Modifier::BOLD));
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

fn any_msg() -> impl Strategy<Value = Msg> {
    let named = prop::sample::select(vec![
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Tab,
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::F(1),
    ]);
    let letters = prop::sample::select("qphjkgGsrc<>12? ".chars().map(KeyCode::Char).collect::<Vec<_>>());
    let key = prop_oneof![named, letters, any::<char>().prop_map(KeyCode::Char)];
    let ctrl = prop_oneof![4 => Just(KeyModifiers::NONE), 1 => Just(KeyModifiers::CONTROL)];
    prop_oneof![
        6 => (key, ctrl).prop_map(|(code, modifiers)| Msg::Key(KeyEvent::new(code, modifiers))),
        3 => prop::collection::vec(any_call(), 0..40).prop_map(Msg::Calls),
        1 => (1_u16..=200, 1_u16..=60).prop_map(|(width, height)| Msg::Resize(Size { width, height })),
        1 => any::<u64>().prop_map(Msg::Tick),
        1 => (any::<u32>(), any::<u32>(), prop::option::of(0_usize..9)).prop_map(|(lost, seen, targets)| {
            let counters = Counters { seen: seen.into(), lost_ring: lost.into(), lost_slot: lost.into(), not_followed: 1, ..Counters::default() };
            Msg::Status(status(targets, counters))
        }),
        1 => any::<String>().prop_map(|line| Msg::Notices(Waiting { lines: [line].into(), dropped: 1 })),
        1 => any::<String>().prop_map(|why| Msg::Over(Over::Failed(why))),
    ]
}

fn any_call() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        any::<i64>().prop_map(Outcome::Returned),
        (-600_i64..0).prop_map(Outcome::Returned),
        Just(Outcome::Ended),
        Just(Outcome::Running),
    ];
    (any::<[u32; 3]>(), any::<u64>(), any::<u64>(), any::<String>(), any::<String>(), outcome).prop_map(
        |([request, pid, tid], start, took, comm, path, outcome)| {
            let made = call(start).request(request % 0x6000).took(took).outcome(outcome);
            made.task(&comm, pid, tid).file(tid.cast_signed(), DeviceKind::Char, &path).event()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn nothing_that_happens_breaks_the_screen(
        script in prop::collection::vec(any_msg(), 1..40),
        (width, height) in (1_u16..=200, 1_u16..=60),
    ) {
        let mut model = empty(width, height);
        for msg in script {
            update(&mut model, msg);
            let Size { width, height } = model.size;
            let control = |c: char| c.is_control();
            let own = screen(&model, width, height);
            prop_assert!(own.backend().buffer().content().iter().all(|cell| !cell.symbol().contains(control)));
        }
        // The terminal may have another size than the model was told.
        screen(&model, width, height);
    }
}

#[test]
fn the_smallest_screens_are_drawn() {
    for (width, height) in [(1, 1), (1, 60), (200, 1), (2, 3), (5, 5), (39, 7)] {
        let mut model = live(width, height);
        screen(&model, width, height);
        keys(&mut model, "?j");
        screen(&model, width, height);
    }
}

#[test]
fn leaving_takes_what_still_comes() {
    let (out, messages) = sync_channel(1);
    let session = thread::spawn(move || {
        for n in 0..200 {
            out.send(Msg::Calls(vec![call(n).event()])).expect("the dashboard is still there");
        }
        Err(SessionError::NoProcess(7))
    });
    let stop = Box::new(|| {});
    let mut running =
        Running { stop, messages: Some(messages), worker: Some(session), signals: None, keys: None };
    let ended: Option<Result<(), SessionError>> = running.finish();
    assert!(matches!(ended, Some(Err(SessionError::NoProcess(7)))));
    assert!(running.finish().is_none(), "once");
}

#[test]
fn what_is_traced_is_said_as_options() {
    let wanted = Wanted {
        pids: Some(vec![1, 2]),
        comms: vec!["a\u{1b}b".to_owned()],
        uids: vec![1000],
        ..Wanted::default()
    };
    assert_eq!(subject(&wanted), "-p 1,2 --comm a\\033b --uid 1000");
    assert_eq!(subject(&Wanted::default()), "-a");
}
