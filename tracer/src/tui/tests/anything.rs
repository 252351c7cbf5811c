//! Whatever happens, in whatever order and on whatever screen, is drawn.

use super::*;

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
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Esc,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::BackTab,
        KeyCode::F(1),
    ]);
    let letters = prop::sample::select(
        "qphjklgGsrczyYCf/nN=&oeE[]{}<>+-1234567? ".chars().map(KeyCode::Char).collect::<Vec<_>>(),
    );
    let key = prop_oneof![
        named,
        letters,
        any::<char>().prop_filter("files", |c| !"wW".contains(*c)).prop_map(KeyCode::Char)
    ];
    let ctrl = prop_oneof![4 => Just(KeyModifiers::NONE), 1 => Just(KeyModifiers::CONTROL)];
    prop_oneof![
        6 => (key, ctrl).prop_map(|(code, modifiers)| Msg::Key(KeyEvent::new(code, modifiers))),
        1 => (0_u16..210, 0_u16..70, 0_u8..3).prop_map(|(column, row, kind)| {
            let kind = match kind {
                0 => MouseEventKind::ScrollUp,
                1 => MouseEventKind::ScrollDown,
                _ => MouseEventKind::Down(MouseButton::Left),
            };
            Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
        }),
        1 => prop::collection::vec(any_call(), 0..9).prop_map(Msg::InFlight),
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
    let requests = prop_oneof![
        (0_u32..0x6000).boxed(),
        prop::sample::select(vec![VIDIOC_S_CTRL, TIOCGWINSZ, 0xc00c_6400, 0x8927, 0xc0de_ad00]).boxed()
    ];
    let memory = prop::collection::vec(any::<u8>(), 0..300);
    let arg = prop_oneof![Just(0_u64), Just(0x1000), any::<u64>()];
    (
        requests,
        any::<[u32; 2]>(),
        any::<[u64; 2]>(),
        any::<[String; 2]>(),
        outcome,
        (arg, memory.clone(), memory),
    )
        .prop_map(|(request, [pid, tid], [start, took], [comm, path], outcome, (arg, input, output))| {
            let made = call(start).request(request).took(took).outcome(outcome);
            let made = made.given(arg, image(arg, &input)).returned(arg, image(arg, &output));
            made.task(&comm, pid, tid).file(tid.cast_signed(), DeviceKind::Char, &path).event()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn nothing_that_happens_breaks_the_screen(
        script in prop::collection::vec((any_msg(), prop::collection::vec(any_call(), 0..20)), 1..40),
        (width, height) in (1_u16..=200, 1_u16..=60),
    ) {
        let mut desk = Desk::empty(width, height);
        // So little room that calls are dropped.
        desk.outside = outside(30_000);
        for (msg, calls) in script {
            desk.calls(calls);
            desk.tell(msg);
            let Size { width, height } = desk.model.size;
            let control = |c: char| c.is_control();
            let own = desk.screen(width, height);
            prop_assert!(own.backend().buffer().content().iter().all(|cell| !cell.symbol().contains(control)));
        }
        // The terminal may have another size than the model was told.
        desk.screen(width, height);
    }
}

#[test]
fn the_smallest_screens_are_drawn() {
    for (width, height) in [(1, 1), (1, 60), (200, 1), (2, 3), (5, 5), (39, 7)] {
        for view in View::ALL {
            let mut desk = Desk::live(width, height);
            desk.model.view = view;
            desk.tell(Msg::News);
            desk.screen(width, height);
            desk.keys("?j");
            desk.screen(width, height);
        }
    }
}
