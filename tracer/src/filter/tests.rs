//! Expressions: what they match, what is said of mistakes, and that the kernel's part never leaves out a match.

use std::fmt::Write as _;

use ioctl_registry::{DeviceKind, Registry};
use ioctl_trace_ebpf::SegmentKind;
use proptest::prelude::*;

use super::*;
use crate::{
    decode::Detail,
    event::Outcome,
    host::LiveHost,
    memory::Image,
    source::setup::{Requests, Wanted},
    tui::fixture::{Made, TIOCGWINSZ, call},
    wire::Segment,
};

/// Where arguments lie.
const AT: u64 = 0x1000;
const I2C_RDWR: u32 = 0x707;
const TCGETS: u32 = 0x5401;

fn decoder() -> Decoder {
    Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(LiveHost::default()))
}

fn filter(text: &str) -> Filter {
    let filter = Filter::parse(text, Registry::builtin()).unwrap_or_else(|error| panic!("{error}"));
    filter.with_clock(WallClock::fixed(1_795_131_601_000_000_000))
}

fn matches(text: &str, event: &Event) -> bool {
    filter(text).matches(event, &mut decoder())
}

fn image(pieces: &[(u64, &[u8])]) -> Image {
    let kind = SegmentKind::Memory;
    let segments =
        pieces.iter().map(|&(address, bytes)| Segment { address, wanted: 0, kind, flags: 0, bytes });
    Image::new(segments)
}

/// A call whose argument is known before or after it.
fn with_argument(made: Made, input: &[(u64, &[u8])], output: &[(u64, &[u8])]) -> Event {
    let mut event = made.event();
    event.call.arg = AT;
    event.call.data.input = image(input);
    event.call.data.output = image(output);
    event
}

#[track_caller]
fn all_hold(event: &Event, expressions: &[&str]) {
    for text in expressions {
        assert!(matches(text, event), "{text}");
        assert!(!matches(&format!("not ({text})"), event), "not ({text})");
    }
}

#[track_caller]
fn none_holds(event: &Event, expressions: &[&str]) {
    for text in expressions {
        assert!(!matches(text, event), "{text}");
    }
}

#[test]
fn fields_of_the_call() {
    let event = call(0).took(2_500_000).fails(25).event();
    all_hold(
        &event,
        &[
            "ret < 0 && dur > 1ms && driver == \"pts\"",
            "ret == -25 and errno == ENOTTY and errno == 25 and errno ~ 'ENO*'",
            "dur == 2.5ms and dur_ns == 2500000 and dur <= 1s",
            "request == TCGETS and request == 0x5401 and request ~ TC?ETS and request =~ '^TC'",
            "request in (TCSETS, TCGETS) and request not in (TCSETS, TIOCGWINSZ) and request != TCSETS",
            "comm == stty and comm != 'sttx' and comm has tt and comm =~ '^s.*y$'",
            "path ~ /dev/pts/* and path == '/dev/pts/\\063'",
            "kind == char and major == 136 and minor in (1, 3)",
            "type == 'T' and type == 0x54 and nr == 1 and size == 0 and dir == read",
            "family == tty and header ~ 'asm*'",
            "pid in (4711, 4712) and tid == 4711 and uid == root and not compat and compat == false",
            "ts > '2026-11-19T23:40:00Z' and ts < 1795131602 and ts >= '2026-11-20T00:40:01+01:00'",
            "errno and ret exists and driver",
            "fd == 0 or false",
            "arg == 0 and true",
        ],
    );
    none_holds(
        &event,
        &["module", "module == kvm", "module != kvm", "filesystem exists", "compat", "notes", "ret has 0"],
    );
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_than_both() {
    let event = call(0).event();
    all_hold(
        &event,
        &[
            "true or false and false",
            "not (true and false) and not false",
            "!false && (false || true)",
            "not fd == 1 and fd == 0",
            "!!true",
        ],
    );
    none_holds(&event, &["(true or false) and false", "not true or false"]);
}

#[test]
fn what_is_missing_compares_as_false() {
    let running = call(0).outcome(Outcome::Running).event();
    none_holds(&running, &["ret == 0", "ret != 0", "ret < 0", "errno != ENOTTY", "ret", "arg.ws_row != 1"]);
    all_hold(&running, &["not ret == 0", "not ret exists", "notes has 'still running'"]);
    let closed = call(0).not_open().event();
    none_holds(&closed, &["path", "driver != i915", "kind", "major != 1"]);
    all_hold(&closed, &["notes has \"fd not open\"", "not path ~ *"]);
}

#[test]
fn arguments_before_and_after() {
    let window = [24, 0, 80, 0, 0, 0, 0, 0];
    let event = with_argument(call(0).request(TIOCGWINSZ), &[], &[(AT, &window)]);
    all_hold(
        &event,
        &[
            "arg.ws_row == 24",
            "out.ws_col >= 80 and out.ws_col < 0x51",
            "arg.ws_col in (1, 80)",
            "arg.ws_row != 25",
            "arg.ws_row has 8",
            "out and out.ws_row exists and not in.ws_row exists",
            "arg == 0x1000",
        ],
    );
    none_holds(
        &event,
        &[
            "in.ws_row == 24",
            "in",
            "arg.c_lflag",
            "arg.ws_row == 'x'",
            "arg.ws_row != 'x'",
            "arg.ws_row has ICANON",
        ],
    );
}

#[test]
fn flags_and_constants_have_names() {
    // The flags of input, output, control and line modes, then the discipline and the characters.
    let modes: [u32; 4] = [0x500, 0x5, 0xbf, 0x8a3b];
    let mut bytes: Vec<u8> = modes.iter().flat_map(|mode| mode.to_le_bytes()).collect();
    bytes.resize(36, 0);
    let event = with_argument(call(0), &[], &[(AT, &bytes)]);
    all_hold(
        &event,
        &[
            "arg.c_lflag has ICANON",
            "arg.c_lflag has ICANON|ECHO",
            "arg.c_lflag has ECHO | 0x2",
            "arg.c_iflag == ICRNL|IXON and arg.c_iflag == IXON|ICRNL",
            "arg.c_iflag == 0x500 and arg.c_iflag != ICRNL",
            "arg.c_cflag has CS8 and not arg.c_cflag has CS7",
            "arg.c_iflag ~ 'IX*' and arg.c_iflag has 'IXON' and arg.c_iflag has 0x400",
            "arg.c_cc[0] == 0 or arg.c_cc exists",
        ],
    );
    none_holds(
        &event,
        &[
            "arg.c_lflag has XCASE",
            "arg.c_lflag has ICANON|XCASE",
            "arg.c_iflag == ICRNL",
            // The same bit, in another set.
            "arg.c_iflag has O_APPEND",
            "arg.c_iflag has 0",
        ],
    );
}

#[test]
fn elements_behind_pointers() {
    let messages = 0x2000_u64;
    let mut head = messages.to_le_bytes().to_vec();
    head.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    let mut rows = Vec::new();
    for (address, flags, length, buffer) in [(0x50_u16, 0_u16, 1_u16, 0x3000_u64), (0x51, 1, 2, 0x3100)] {
        [address, flags, length, 0].iter().for_each(|field| rows.extend(field.to_le_bytes()));
        rows.extend(buffer.to_le_bytes());
    }
    let event = with_argument(
        call(0).request(I2C_RDWR).file(3, DeviceKind::Char, "/dev/i2c-1"),
        &[(AT, &head), (messages, &rows), (0x3000, &[0x10])],
        &[],
    );
    all_hold(
        &event,
        &[
            "arg.msgs[0].addr == 0x50",
            "arg.msgs[].addr == 0x51 and arg.msgs.addr == 0x51",
            "arg.msgs[].flags has I2C_M_RD",
            "in.msgs[1].len > 1",
            "arg.nmsgs == 2",
        ],
    );
    none_holds(&event, &["arg.msgs[0].flags has I2C_M_RD", "arg.msgs[2].addr", "out.msgs[0].addr"]);
}

#[test]
fn arguments_are_decoded_only_when_nothing_cheaper_decides() {
    let first = |text: &str| match filter(text).root {
        Node::All(parts) | Node::Any(parts) => match parts.first() {
            Some(Node::Test(test)) => test.field(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(first("arg.flags and driver == x and ret < 0"), FieldId::Ret);
    assert_eq!(first("stack has x or arg.flags or request == TCGETS"), FieldId::Request);
    assert_eq!(first("path =~ x and path == y"), FieldId::Path);
    assert!(
        filter("arg.flags or fd == 1").needs_argument() && !filter("arg == 1 or fd == 1").needs_argument()
    );
}

#[test]
fn mistakes_show_where_they_are() {
    let mistakes = [
        "",
        "drvier == i915 && ret < 0",
        "nothing_like_it == 1",
        "arg.flgas has O_CLOEXEC",
        "flags has O_CLOEXEC",
        "foo.bar == 1",
        "arg.flags has O_CLOXEC",
        "arg.name == eth0",
        "out.len < in.len",
        "arg.timeout > 1s",
        "ret < 0 &&",
        "ret < 0 dur > 1ms",
        "(ret < 0",
        "ret < 0)",
        "ret = 0",
        "ret !~ 0",
        "ret & 1",
        "ret | 1",
        "ret < ",
        "ret == (1, 2)",
        "ret in 1",
        "ret in (1 2)",
        "0 < ret",
        "and ret",
        "ret not 5",
        "ret == ENOTTY",
        "ret == -1x",
        "ret == 1.5.2",
        "ret < 'x'",
        "errno == ENOTTTY",
        "dur > 5",
        "dur > 5parsec",
        "fd == 1ms",
        "comm < 5",
        "comm == 5",
        "comm == a-very-long-program-name",
        "comm == 'stty",
        "comm == 'st\\qty'",
        "comm == $x",
        "kind == disk",
        "compat > 0",
        "ts > yesterday",
        "ts > 'yesterday'",
        "uid == no-such-user-here",
        "path =~ 'a('",
        "path =~ '(a{1000}){1000}'",
        "request == TCGTES",
        "request == VIDIOC_*",
        "request == 'VIDIOC_*'",
        "request ~ NOTHING_*",
        "request < TCGETS",
        "request == 0x100000000",
        "family == ttty",
        "arg.msgs[x] == 1",
        "ret < 0 and\n  drvier == i915 and\n  dur > 1ms",
        "ret == '\u{1b}[31m' and path == x",
    ];
    let mut text = String::new();
    for mistake in mistakes {
        let error = Filter::parse(mistake, Registry::builtin()).expect_err(mistake);
        assert!(
            error.span().end <= mistake.len() && mistake.get(error.span().clone()).is_some(),
            "{mistake}"
        );
        writeln!(text, "{error}\n").expect("a string");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_too_much_is_refused() {
    let error =
        |text: &str| Filter::parse(text, Registry::builtin()).expect_err("too much").message().to_owned();
    assert_eq!(error(&"(".repeat(5_000)), "the expression is longer than 4096 bytes");
    assert_eq!(error(&"(".repeat(4_000)), "more than 64 parentheses and negations within each other");
    assert_eq!(error(&"!".repeat(4_000)), "more than 64 parentheses and negations within each other");
    let regexes = vec!["path=~'a'"; 65].join(" or ");
    assert_eq!(error(&regexes), "more than 64 regular expressions");
    let long = format!("{}x == 1", "fd == 1 and ".repeat(50));
    let shown = Filter::parse(&long, Registry::builtin()).expect_err("no field").to_string();
    assert!(shown.lines().all(|line| line.chars().count() < 140), "{shown}");
    assert!(Filter::parse(&format!("fd in ({}1)", "1,".repeat(2_000)), Registry::builtin()).is_ok());
}

#[test]
fn the_kernel_takes_what_it_can() {
    let part = |text| filter(text).kernel_part(Registry::builtin());
    let set = |numbers: &[u32]| Some(numbers.iter().copied().collect());
    assert_eq!(part("pid == 5 and ret < 0").processes, set(&[5]));
    assert_eq!(part("pid in (5, 6) and pid != 5").processes, set(&[5, 6]));
    assert_eq!(part("pid == 5 or pid == 6").processes, set(&[5, 6]));
    assert_eq!(part("pid == 5 or ret < 0"), KernelPart::default());
    assert_eq!(part("not (pid != 5 or uid == 1)"), KernelPart::default());
    assert_eq!(
        (part("uid == root").uids, part("comm in (a, b)").comms.map(|it| it.len())),
        (set(&[0]), Some(2))
    );
    assert_eq!(part("request == TIOCGWINSZ").requests, Requests::Only(vec![TIOCGWINSZ]));
    assert_eq!(part("request == 5 and request == 6").requests, Requests::Only(vec![]));
    assert_eq!(part("not request == TIOCGWINSZ and fd == 1").requests, Requests::Except(vec![TIOCGWINSZ]));
    // This number has another name on other devices.
    assert_eq!(part("request != TCSETS").requests, Requests::Any);
    assert!(part("family == tty").requests.wants(TCGETS) && !part("family == tty").requests.wants(0x1277));
    assert!(
        !part("request ~ TIOC*").requests.wants(TCGETS) && part("not request ~ TIOC*").requests.wants(TCGETS)
    );
    // Requests with parameters have too many numbers.
    assert_eq!(part("request == EVIOCGBIT").requests, Requests::Any);
}

#[test]
fn what_was_asked_for_otherwise_stays() {
    let restricted = |text: &str, mut wanted: Wanted| {
        filter(text).kernel_part(Registry::builtin()).restrict(&mut wanted);
        wanted
    };
    let before = Wanted { pids: Some(vec![7]), follow: true, own_children: true, ..Wanted::default() };
    let after = restricted("pid == 5", before);
    assert_eq!(
        (after.pids, after.follow, after.own_children, after.processes),
        (Some(vec![7]), true, true, vec![5])
    );
    let named = Wanted { comms: vec!["main".to_owned()], uids: vec![1, 2], ..Wanted::default() };
    let after = restricted("comm == worker and uid in (2, 3)", named.clone());
    assert_eq!((after.comms, after.uids), (vec!["main".to_owned()], vec![2]));
    assert_eq!(restricted("uid == 3", named).requests, Requests::Only(vec![]));
    let some = Wanted { requests: Requests::Except(vec![TCGETS]), ..Wanted::default() };
    assert_eq!(restricted("request in (0x5401, 0x5413)", some).requests, Requests::Only(vec![TIOCGWINSZ]));
}

/// Whether the kernel side would record a call.
fn recorded(wanted: &Wanted, event: &Event) -> bool {
    let call = &event.call;
    let comm = |name: &String| crate::process::comm_bytes(name).starts_with(call.comm.as_bytes());
    (wanted.processes.is_empty() || wanted.processes.contains(&call.pid))
        && (wanted.uids.is_empty() || wanted.uids.contains(&call.uid))
        && (wanted.comms.is_empty() || wanted.comms.iter().any(comm))
        && wanted.requests.wants(call.request)
}

/// A question, and its answer found in another way.
type Question = (&'static str, fn(&Event) -> bool);

const QUESTIONS: [Question; 22] = [
    ("pid == 1", |e| e.call.pid == 1),
    ("pid in (1, 2)", |e| e.call.pid <= 2),
    ("pid != 3", |e| e.call.pid != 3),
    ("pid > 1", |e| e.call.pid > 1),
    ("uid == 0", |e| e.call.uid == 0),
    ("uid not in (0, 1)", |e| e.call.uid > 1),
    ("comm == a", |e| e.call.comm.as_bytes() == b"a"),
    ("comm in (a, b)", |e| matches!(e.call.comm.as_bytes(), b"a" | b"b")),
    ("comm ~ '?'", |e| e.call.comm.as_bytes().len() == 1),
    ("ret < 0", |e| e.call.outcome.value().is_some_and(|ret| ret < 0)),
    ("ret == 0", |e| e.call.outcome.value() == Some(0)),
    ("errno", |e| e.call.outcome.errno().is_some()),
    ("request == TCGETS", |e| named(e, "TCGETS")),
    ("request != TCGETS", |e| !named(e, "TCGETS")),
    ("request in (TCSETS, 0x5413)", |e| named(e, "TCSETS") || e.call.request == 0x5413),
    ("request not in (TCSETS, 0x5413)", |e| !named(e, "TCSETS") && e.call.request != 0x5413),
    ("request ~ 'SNDCTL_*'", |e| e.request.named().iter().any(|it| it.name().starts_with("SNDCTL_"))),
    ("family == tty", |e| e.request.named().iter().any(|it| it.family() == "tty")),
    ("number == 0x5402", |e| e.call.request == 0x5402),
    ("request == FIONREAD and compat", |e| named(e, "FIONREAD") && e.call.compat),
    ("false", |_| false),
    ("true", |_| true),
];

fn named(event: &Event, name: &str) -> bool {
    event.request.named().iter().any(|named| named.name() == name)
}

/// An expression, and how to answer it otherwise.
#[derive(Clone, Debug)]
enum Asked {
    Question(usize),
    Not(Box<Asked>),
    All(Vec<Asked>),
    Any(Vec<Asked>),
}

impl Asked {
    fn text(&self) -> String {
        let joined = |parts: &[Self], word: &str| {
            parts.iter().map(|part| format!("({})", part.text())).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::Question(place) => QUESTIONS[*place].0.to_owned(),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::All(parts) => joined(parts, " and "),
            Self::Any(parts) => joined(parts, " || "),
        }
    }

    fn answer(&self, event: &Event) -> bool {
        match self {
            Self::Question(place) => QUESTIONS[*place].1(event),
            Self::Not(inner) => !inner.answer(event),
            Self::All(parts) => parts.iter().all(|part| part.answer(event)),
            Self::Any(parts) => parts.iter().any(|part| part.answer(event)),
        }
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let question = (0..QUESTIONS.len()).prop_map(Asked::Question);
    question.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Asked::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Asked::All),
            prop::collection::vec(inner, 1..4).prop_map(Asked::Any),
        ]
    })
}

fn events() -> impl Strategy<Value = Event> {
    let request = prop::sample::select(vec![TCGETS, 0x5402, TIOCGWINSZ, 0x541b, 0xdead, 0x1277]);
    let outcome = prop::sample::select(vec![Outcome::Returned(0), Outcome::Returned(-25), Outcome::Running]);
    let kind = prop::sample::select(vec![DeviceKind::Char, DeviceKind::Block, DeviceKind::Fifo]);
    let name = prop::sample::select(vec!["a", "b", "cc"]);
    (request, outcome, kind, name, 1_u32..4, 0_u32..3, any::<bool>()).prop_map(
        |(request, outcome, kind, name, pid, uid, compat)| {
            let made = call(0).request(request).outcome(outcome).task(name, pid, pid).file(1, kind, "/x");
            let mut event = made.compat(compat).event();
            event.call.uid = uid;
            event
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Filtering in the kernel first changes nothing, and expressions mean what they say.
    #[test]
    fn the_kernel_part_and_the_rest_are_the_whole(
        asked in asked(), events in prop::collection::vec(events(), 1..20),
    ) {
        let filter = filter(&asked.text());
        let mut wanted = Wanted::default();
        filter.kernel_part(Registry::builtin()).restrict(&mut wanted);
        for event in events {
            let whole = filter.matches(&event, &mut decoder());
            prop_assert_eq!(whole, asked.answer(&event), "{}", asked.text());
            prop_assert!(!whole || recorded(&wanted, &event), "{} drops {:?}", asked.text(), event.call);
        }
    }

    /// Any text is an expression or a mistake somewhere in it.
    #[test]
    fn any_text_ends_well(
        words in prop::collection::vec(prop::sample::select(vec![
            "ret", "dur", "comm", "arg.flags", "arg.c_cc[0]", "in", "out", "request", "errno", "==", "!=", "<", "~", "=~", "has",
            "in", "not", "and", "or", "(", ")", ",", "|", "!", "1", "-1", "1ms", "4K", "'x'", "\"a*", "TCGETS", "ICANON",
            "exists", "true", "\u{e4}", ".", "[", "]", "\\", "'", "\n",
        ]), 0..12),
        other: String,
        spaces: bool,
    ) {
        for text in [words.join(if spaces { " " } else { "" }), other] {
            match Filter::parse(&text, Registry::builtin()) {
                Ok(filter) => {
                    let event = call(0).event();
                    filter.matches(&event, &mut decoder());
                }
                Err(error) => {
                    prop_assert!(text.get(error.span().clone()).is_some(), "{text:?} {:?}", error.span());
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}
