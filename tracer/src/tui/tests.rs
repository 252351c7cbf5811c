//! What the dashboard shows and how it answers to keys.

use std::{
    sync::{Arc, mpsc::sync_channel},
    thread,
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
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
    config::Looks,
    fixture::{FIONREAD, TIOCGWINSZ, call, decoder, image},
    keymap::View,
    model::{Mode, Model, Opening, Origin, update},
    msg::{Msg, Over},
    notices::Waiting,
    outside::{Opened, Outputs, Outside},
    store::{Shared, Store},
    stream::Standing,
    subject,
    theme::Theme,
    view::view,
};
use crate::{
    clock::WallClock,
    event::{Event, Outcome},
    recording::Closing,
    session::{SessionError, Status},
    sink::jsonl::Jsonl,
    source::{Accounts, setup::Wanted},
};

mod anything;
mod finding;
mod keys;
mod pane;

const SECOND: u64 = 1_000_000_000;
/// 2026-11-19 23:40:01 UTC.
const EPOCH: i64 = 1_795_131_601_000_000_000;

fn status(targets: Option<usize>, total: Counters) -> Status {
    Status {
        accounts: Accounts { total, lost_per_cpu: Vec::new() },
        targets,
        in_flight: Vec::new(),
        controls: Vec::new(),
        exit: None,
    }
}

/// A dashboard without a terminal: a model, and the store that it shows.
struct Desk {
    model: Model,
    outside: Outside,
}

/// Outputs that are JSON lines.
fn outputs() -> Outputs {
    Box::new(|path| {
        let file = std::fs::File::create(path).map_err(|error| error.to_string())?;
        Ok(Opened::Sink(Box::new(Jsonl::new(file, WallClock::fixed(EPOCH)))))
    })
}

fn outside(limit: usize) -> Outside {
    let (out, _) = sync_channel(1);
    Outside::new(Arc::new(Shared::new(Store::new(limit))), outputs(), out, std::io::sink())
}

impl Desk {
    fn opened(origin: Origin, subject: &str, targets: Option<usize>, (width, height): (u16, u16)) -> Self {
        let opening = Opening {
            origin,
            subject: subject.to_owned(),
            clock: WallClock::fixed(EPOCH),
            decoder: decoder(),
            redacted: false,
            looks: Looks::usual(true),
            pane: None,
        };
        let size = Size { width, height };
        let mut model = Model::new(opening, size, status(targets, Counters::default()), 0);
        let outside = outside(64 << 20);
        outside.refresh(&mut model);
        Self { model, outside }
    }

    fn empty(width: u16, height: u16) -> Self {
        Self::opened(Origin::Live, "-p 4711", Some(2), (width, height))
    }

    /// Thirty calls, after one and a half minutes.
    fn live(width: u16, height: u16) -> Self {
        let mut desk = Self::empty(width, height);
        for round in 0..3 {
            desk.tell(Msg::Tick((88 + round) * SECOND));
            desk.calls(mixed());
        }
        let counters = Counters { seen: 31, recorded: 30, ..Counters::default() };
        desk.tell(Msg::Status(status(Some(2), counters)));
        desk.tell(Msg::Tick(91 * SECOND));
        desk
    }

    fn calls(&mut self, events: Vec<Event>) {
        self.outside.shared.store().add(events);
        self.tell(Msg::News);
    }

    /// Takes a message, and a frame.
    fn tell(&mut self, msg: Msg) {
        update(&mut self.model, msg);
        self.outside.refresh(&mut self.model);
    }

    fn press(&mut self, code: KeyCode) {
        self.tell(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    fn keys(&mut self, script: &str) {
        script.chars().for_each(|c| self.press(KeyCode::Char(c)));
    }

    fn click(&mut self, column: u16, row: u16) {
        let kind = MouseEventKind::Down(MouseButton::Left);
        self.tell(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    }

    fn screen(&self, width: u16, height: u16) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
        terminal.draw(|frame| view(&self.model, frame)).expect("drawn");
        terminal
    }

    fn shot(&self) -> String {
        self.screen(self.model.size.width, self.model.size.height).backend().to_string()
    }
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

/// The sizes that every view is looked at in.
const SIZES: [(u16, u16); 3] = [(80, 24), (140, 40), (40, 12)];

#[test]
fn every_view() {
    for (width, height) in SIZES {
        for (key, view) in ('1'..).zip(View::ALL) {
            let mut desk = Desk::live(width, height);
            desk.tell(Msg::InFlight(inside()));
            desk.keys(&key.to_string());
            assert_eq!(desk.model.view, view);
            let name = view.title().to_lowercase().replace(' ', "_");
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), desk.shot());
        }
    }
}

/// Two calls inside the kernel.
fn inside() -> Vec<Event> {
    let running = |start: u64, took| call(start).took(took).outcome(Outcome::Running);
    vec![
        running(1, 12 * SECOND).task("hung", 666, 667).file(3, DeviceKind::Char, "/dev/vendor0").event(),
        running(13 * SECOND, 4_000).event(),
    ]
}

/// `_IOWR('V', 28, struct v4l2_control)`.
const VIDIOC_S_CTRL: u32 = 0xc008_561c;

#[test]
fn nothing_has_come_yet() {
    insta::assert_snapshot!(Desk::empty(80, 24).shot());
}

#[test]
fn a_held_picture() {
    let mut desk = Desk::live(80, 24);
    desk.keys(" ");
    let before = desk.shot();
    desk.calls(mixed());
    desk.tell(Msg::Tick(92 * SECOND));
    let after = desk.shot();
    let list = |shot: &str| shot.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(list(&before), list(&after), "the list holds");
    insta::assert_snapshot!(after);
    desk.keys("2");
    assert!(desk.shot().contains("12"), "the table is that of the same moment");
    desk.keys("1p");
    assert!(desk.model.held.is_none());
    assert_eq!((desk.model.picture.calls.len(), desk.model.calls), (40, 40), "what came meanwhile is there");
}

#[test]
fn losses_are_loud() {
    let counters =
        Counters { seen: 5_000, recorded: 30, lost_ring: 4_711, lost_slot: 3, ..Counters::default() };
    for (width, height) in [(80, 24), (40, 12)] {
        let mut desk = Desk::live(width, height);
        desk.tell(Msg::Status(status(None, counters)));
        insta::assert_snapshot!(format!("losses_{width}x{height}"), desk.shot());
        let terminal = desk.screen(width, height);
        let cell = terminal.backend().buffer().cell((1, 2)).expect("on the screen").clone();
        assert_eq!((cell.symbol(), cell.bg), ("4", Color::Red));
    }
}

#[test]
fn help_shows_every_key() {
    let mut desk = Desk::live(80, 24);
    desk.keys("?");
    insta::assert_snapshot!("help_80x24", desk.shot());
    let mut desk = Desk::live(40, 12);
    desk.keys("?jj");
    assert_eq!(desk.model.mode, Mode::Help(2));
    insta::assert_snapshot!("help_40x12", desk.shot());
    desk.keys("G");
    let last = desk.model.keymap.bindings().len() - 10;
    assert_eq!(desk.model.mode, Mode::Help(last), "the last line is at the bottom");
    desk.press(KeyCode::Esc);
    assert_eq!(desk.model.mode, Mode::Watch);
    desk.press(KeyCode::F(1));
    desk.keys("q");
    assert!(desk.model.mode == Mode::Watch && !desk.model.quit, "q closes the help first");
}

#[test]
fn the_end_of_every_process() {
    let mut desk = Desk::live(80, 24);
    desk.tell(Msg::Over(Over::Complete(Accounts::default(), None)));
    desk.tell(Msg::Tick(500 * SECOND));
    insta::assert_snapshot!(desk.shot());
    assert!(!desk.model.quit, "the picture stays");
    assert_eq!((desk.model.elapsed_s(), desk.model.rate()), (91, 0), "time stops");
    desk.keys("y");
    desk.tell(Msg::Tick(501 * SECOND));
    assert!(desk.shot().contains("copied as text"), "but not for what is said: {}", desk.shot());
    desk.keys("q");
    assert!(desk.model.quit);
}

/// A recording of ten calls, up to its end.
fn played(width: u16, height: u16, over: Over) -> Desk {
    let mut desk = Desk::opened(Origin::Recording, "replay run.iotrace", None, (width, height));
    desk.tell(Msg::Tick(3 * SECOND));
    desk.calls(mixed());
    desk.tell(Msg::Tick(4 * SECOND));
    let model = &desk.model;
    assert_eq!((model.elapsed_s(), model.rate()), (61, 0), "from the first call to the end of the last");
    desk.tell(Msg::Over(over));
    desk.tell(Msg::Tick(500 * SECOND));
    desk
}

#[test]
fn a_recording_has_its_own_time_and_end() {
    let closing =
        Closing { seen: 2_011, filtered: 1_000, delivered: 10, lost: 1_000, elapsed_ns: 5 * SECOND };
    let whole = Over::Played { closing: Some(closing), cut: None, damaged: 0 };
    let desk = played(80, 24, whole.clone());
    assert_eq!((desk.model.elapsed_s(), desk.model.rate()), (5, 2), "the recording says how long it took");
    insta::assert_snapshot!("recording_80x24", desk.shot());
    insta::assert_snapshot!("recording_40x12", played(40, 12, whole).shot());
    let cut = Over::Played { closing: None, cut: Some("it stops inside a frame".to_owned()), damaged: 3 };
    let mut desk = played(120, 40, cut);
    let shown = desk.shot();
    assert!(shown.contains("THE RECORDING'S END IS MISSING: it stops inside a frame"), "{shown}");
    assert!(shown.contains("3 RECORDS COULD NOT BE READ") && shown.contains("0 lost"), "{shown}");
    desk.keys("5");
    assert!(desk.shot().contains("a recording has no calls that are inside the kernel now"));
}

#[test]
fn an_output_that_breaks_is_said() {
    let mut desk = Desk::live(80, 24);
    desk.tell(Msg::Over(Over::Failed("cannot write the output: No space left on device".to_owned())));
    let shown = desk.shot();
    assert!(shown.contains("TRACING ENDED: cannot write the output: No space left on device"), "{shown}");
}

#[test]
fn log_lines_are_shown_for_a_while() {
    let mut desk = Desk::live(80, 24);
    let lines = ["first".to_owned(), "kernel: second\x1b[2J".to_owned()].into();
    desk.tell(Msg::Notices(Waiting { lines, dropped: 3 }));
    let shown = desk.shot();
    assert!(shown.contains("kernel: second\\033[2J  (and 4 more)"), "{shown}");
    desk.tell(Msg::Tick(107 * SECOND));
    assert!(desk.model.notice.is_none());
}

#[test]
fn only_what_changes_is_drawn() {
    let mut model = Desk::live(80, 24).model;
    model.dirty = false;
    update(&mut model, Msg::Tick(91 * SECOND + 1));
    update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Char('Z'), KeyModifiers::NONE)));
    let unchanged = model.status.clone();
    update(&mut model, Msg::Status(unchanged));
    assert!(!model.dirty);
    update(&mut model, Msg::Tick(92 * SECOND));
    assert!(model.dirty, "the clock has moved");
}

#[test]
fn what_is_dropped_is_said() {
    let mut desk = Desk::live(120, 40);
    desk.outside = outside(100_000);
    (0..40).for_each(|_| desk.calls((0..10).map(|n| call(n).event()).collect()));
    let shown = desk.shot();
    assert!(shown.contains(" of 97 KiB, ") && shown.contains(" older dropped"), "{shown}");
}

#[test]
fn results_are_coloured_unless_colours_are_off() {
    let mut desk = Desk::live(80, 24);
    let find = |desk: &Desk| {
        let terminal = desk.screen(80, 24);
        let buffer = terminal.backend().buffer().clone();
        let row = |y| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        let y = (0..24).find(|&y| row(y).contains("ENOTTY")).expect("a call that failed");
        let x = row(y).find("ENOTTY").map(|at| row(y)[..at].chars().count());
        let x = x.and_then(|x| u16::try_from(x).ok()).expect("its result");
        (buffer[(x, y)].fg, buffer[(x, y)].modifier, buffer)
    };
    assert_eq!(find(&desk).0, Color::Red);
    desk.model.theme = Theme::new(false);
    let (color, modifier, buffer) = find(&desk);
    assert_eq!((color, modifier), (Color::Reset, Modifier::BOLD));
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn ascii_is_enough() {
    for view in View::ALL {
        let mut desk = Desk::live(100, 30);
        desk.model.ascii = true;
        desk.tell(Msg::InFlight(inside()));
        desk.model.view = view;
        desk.tell(Msg::News);
        assert!(desk.shot().is_ascii(), "{}", desk.shot());
    }
}

#[test]
fn every_theme_shows_every_view() {
    for (theme, view) in Theme::ALL.into_iter().flat_map(|theme| View::ALL.map(|view| (theme, view))) {
        let mut desk = Desk::live(80, 24);
        desk.model.theme = theme;
        assert_eq!(Theme::named(theme.name), Some(theme));
        desk.model.view = view;
        desk.tell(Msg::News);
        desk.shot();
    }
}

#[test]
fn leaving_takes_what_still_comes() {
    let (out, messages) = sync_channel(1);
    let session = thread::spawn(move || {
        for n in 0..200 {
            out.send(Msg::Tick(n)).expect("the dashboard is still there");
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
    assert_eq!(subject(&wanted, None), "-p 1,2 --comm a\\033b --uid 1000");
    assert_eq!(subject(&Wanted::default(), None), "-a");
}
