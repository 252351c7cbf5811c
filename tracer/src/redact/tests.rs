//! That nothing is left of what is left out, and everything of what is not.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ioctl_registry::{Arch, Registry};
use ioctl_trace_ebpf::{
    CallRecord, ControlFunction, ControlPart, DataRecord, InFlight, RecordHeader, RecordKind, control_flags,
    segment_flags,
};
use proptest::prelude::*;

use super::*;
use crate::{
    assemble::{Assembled, Assembler},
    clock::WallClock,
    decode::Detail,
    families::Families,
    host::RecordedHost,
    pipeline::{Stage, Window},
    recording::{Closing, Meta, Reader, Rotation, Writer},
    select::Selection,
    source::{Batch, Source, scripted::Scripted},
};

const SECRET: &[u8] = b"a secret";

fn segment(kind: SegmentKind) -> Segment<'static> {
    Segment { address: 64, wanted: 8, kind, flags: 0, bytes: SECRET }
}

fn call() -> Vec<u8> {
    let flags = call_flags::INPUT | call_flags::COMPAT;
    let header = RecordHeader { kind: RecordKind::Call as u16, flags, ..RecordHeader::default() };
    let arg = u64::from_ne_bytes(*b"a secret");
    let mut record = raw::bytes_of(&CallRecord { header, arg, request: 7, ..CallRecord::default() });
    for kind in [SegmentKind::Memory, SegmentKind::File, SegmentKind::KernelStack] {
        add(&mut record, &segment(kind));
    }
    record
}

fn data() -> Vec<u8> {
    let header = RecordHeader { kind: RecordKind::Data as u16, ..RecordHeader::default() };
    let mut record = raw::bytes_of(&DataRecord { header, ..DataRecord::default() });
    add(&mut record, &segment(SegmentKind::Memory));
    record
}

#[test]
fn no_byte_of_an_argument_is_left() {
    let (call, data, mut room) = (call(), data(), Vec::new());
    let left = Redaction::All.record(&call, &mut room).expect("a call");
    let Ok(Record::Call(record, segments)) = wire::parse(left) else { panic!("no call") };
    assert_eq!((record.arg, record.request), (0, 7));
    assert_eq!(record.header.flags, call_flags::COMPAT | call_flags::REDACTED);
    assert!(segments.eq([segment(SegmentKind::KernelStack)]), "stacks stay");
    assert_eq!(Redaction::All.record(&data, &mut Vec::new()), None);
    let running = InFlight { arg: 5, flags: u32::from(call_flags::INPUT), ..InFlight::NOTHING };
    let running = recording::running_record(9, &running, 1);
    let left = Redaction::All.record(&running, &mut room).expect("a call");
    let Ok(Record::Running(9, 1, call)) = wire::parse(left) else { panic!("no call") };
    assert_eq!((call.arg, call.flags), (0, u32::from(call_flags::REDACTED)));
    assert_eq!(Redaction::All.record(SECRET, &mut room), Some(&[][..]), "whatever it was");
}

/// Where memory lies.
const PLACE: u64 = 0x10_0000;

fn decoder() -> Decoder {
    Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(RecordedHost::default()))
}

/// The records of a source.
fn records(source: &mut dyn Source) -> Batch {
    let mut batch = Batch::default();
    while source.read(&mut batch, Duration::ZERO) {}
    batch
}

/// The calls of some records.
fn events(batch: &Batch, decoder: &mut Decoder) -> Vec<Event> {
    let mut assembler = Assembler::default();
    let calls = batch.records().filter_map(|record| match assembler.record(record, decoder.host()) {
        Assembled::Call(call) => Some(call),
        _ => None,
    });
    calls.collect::<Vec<_>>().into_iter().map(|call| decoder.call(call)).collect()
}

/// What is shown of a value without its text.
fn without_text(value: Value) -> Value {
    mapped(value, &|value| if value.has_text() { mark() } else { value })
}

/// A value whose texts, bytes and readings of a union are replaced. Bytes that are in no reading are not compared.
fn mapped(value: Value, replace: &dyn Fn(Value) -> Value) -> Value {
    let members = |members: Vec<Member>| {
        members.into_iter().map(|member| Member { value: mapped(member.value, replace), ..member }).collect()
    };
    match value {
        Value::Text { .. } | Value::Bytes { .. } | Value::Char(_) => replace(value),
        Value::Union { members, .. } => replace(Value::Union { bytes: Vec::new(), members }),
        Value::Array { items, cut } => {
            let items: Vec<_> = items.into_iter().map(|item| mapped(item, replace)).collect();
            match items.first() {
                Some(first) if *first == mark() && items.iter().all(|item| item == first) => mark(),
                _ => Value::Array { items, cut },
            }
        }
        Value::Indexed { members: all, cut } => Value::Indexed { members: members(all), cut },
        Value::Record(all) => Value::Record(members(all)),
        Value::Pointee { address, value } => {
            Value::Pointee { address, value: Box::new(mapped(*value, replace)) }
        }
        Value::Variant { name, value } => Value::Variant { name, value: Box::new(mapped(*value, replace)) },
        other => other,
    }
}

/// Memory that looks like chance, the same each time; some words of it are addresses in it.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let word = || match next() % 8 {
        0 => 0_u64,
        1 | 2 => PLACE + next() % (length as u64),
        3 => next() % 64,
        4 => ((next() % 64) << 32) | (next() % 64),
        _ => next(),
    };
    std::iter::repeat_with(word).take(length / 8).flat_map(u64::to_ne_bytes).collect()
}

/// A value without what was left out, and without empty text.
fn without_marks(value: Value) -> Option<Value> {
    let members = |members: Vec<Member>| -> Vec<Member> {
        let left = |Member { name, value, show }| Some(Member { name, value: without_marks(value)?, show });
        members.into_iter().filter_map(left).collect()
    };
    match value {
        Value::Text { .. } | Value::Bytes { .. } | Value::Char(_) => None,
        Value::Record(all) => Some(members(all)).filter(|all| !all.is_empty()).map(Value::Record),
        Value::Indexed { members: all, cut } => Some(Value::Indexed { members: members(all), cut }),
        Value::Array { items, cut } => {
            let items: Vec<_> = items.into_iter().filter_map(without_marks).collect();
            (!items.is_empty()).then_some(Value::Array { items, cut })
        }
        Value::Pointee { address, value } => {
            Some(Value::Pointee { address, value: Box::new(without_marks(*value)?) })
        }
        Value::Variant { name, value } => {
            Some(Value::Variant { name, value: Box::new(without_marks(*value)?) })
        }
        other => Some(other),
    }
}

/// Whether all of a value's members are another's too.
fn is_part(value: Option<&Value>, whole: Option<&Value>) -> bool {
    match (value, whole) {
        (None, _) => true,
        (Some(Value::Pointee { value, .. }), Some(Value::Pointee { value: whole, .. }))
        | (Some(Value::Variant { value, .. }), Some(Value::Variant { value: whole, .. })) => {
            is_part(Some(value), Some(whole))
        }
        (Some(Value::Record(members)), Some(Value::Record(all))) => members.iter().all(|member| {
            all.iter()
                .any(|other| member.name == other.name && is_part(Some(&member.value), Some(&other.value)))
        }),
        (value, whole) => format!("{value:?}") == format!("{whole:?}"),
    }
}

/// Of every request, whichever way it goes, numbers are shown as they are, and text is not.
#[test]
fn numbers_of_every_request_stay() {
    let (mut decoder, given, other) = (decoder(), noise(2048), noise(4096));
    let changed = given.iter().zip(other.iter().skip(9));
    let returned: Vec<u8> = changed.map(|(one, other)| if other % 8 == 0 { *other } else { *one }).collect();
    let numbers: BTreeSet<u32> =
        Registry::builtin().requests().filter_map(|request| request.number(Arch::native())).collect();
    let (mut told, mut exact) = (0, (0, 0));
    for (request, ret) in numbers.iter().flat_map(|number| [(*number, 0), (*number, -22)]) {
        let header = RecordHeader { flags: call_flags::INPUT, ..RecordHeader::default() };
        let mut call = CallRecord { header, request, ret, arg: PLACE, ..CallRecord::default() };
        call.file.status = 1;
        let mut script = Scripted::new();
        script.input(&call, &[(PLACE, &given)]).call_returning(call, &[(PLACE, &returned)]);
        let mut event = events(&records(&mut script), &mut decoder).remove(0);
        let (before, after) = decoder.arguments(&event);
        let (before, after) = (before.map(without_text), after.map(without_text));
        Redaction::Text.event(&mut event, &decoder);
        let (input, output) = decoder.arguments(&event);
        let same = |value| mapped(value, &|value| value);
        let left = (input.map(same), output.map(same));
        // What is a number to one of several is text to another.
        if event.request.named().len() > 1 {
            continue;
        }
        // No number is none but the same: as text.
        let text = |value: &Option<Value>| format!("{value:?}");
        assert_eq!(text(&left.0), text(&before), "{} = {ret}", event.request);
        // Of a call that failed it is not told whether it changed text, or what was text before.
        if ret < 0 {
            let [left, after] = [left.1, after].map(|value| value.and_then(without_marks));
            assert!(is_part(left.as_ref(), after.as_ref()), "{} = {ret}: {left:?}", event.request);
            exact.1 += usize::from(text(&left) == text(&after));
            exact.0 += 1;
        } else {
            assert_eq!(text(&left.1), text(&after), "{} = {ret}", event.request);
        }
        told += usize::from(before.is_some());
    }
    assert!(told > 3_000, "{told}");
    assert!(exact.1 * 100 > exact.0 * 95, "{exact:?}");
}

/// A piece of memory, with a secret in it and numbers around.
fn piece(size: usize, secret: &str, at: usize, numbers: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = numbers.iter().copied().cycle().take(size).collect();
    bytes[at..].iter_mut().zip(secret.as_bytes()).for_each(|(byte, letter)| *byte = *letter);
    bytes
}

/// A control code and its buffers, whose function has this number.
fn control(script: &mut Scripted, call: CallRecord, function: u16, input: &[u8], output: &[u8]) {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short");
    let part = ControlPart {
        input: call.arg,
        output: PLACE + 0x1000,
        information: output.len() as u64,
        input_len: length(input),
        output_len: length(output),
        function,
        flags: control_flags::INFORMATION,
        ..ControlPart::default()
    };
    let header = RecordHeader { kind: RecordKind::Data as u16, ..call.header };
    let mut data = raw::bytes_of(&DataRecord { header, tid: call.tid, control: u32::from(function) + 1 });
    let memory = |address, bytes| Segment { address, wanted: 0, kind: SegmentKind::Memory, flags: 0, bytes };
    add(&mut data, &memory(call.arg, input));
    let header = RecordHeader {
        kind: RecordKind::Call as u16,
        flags: call_flags::CONTROL | call_flags::INPUT,
        ..call.header
    };
    let mut own = raw::bytes_of(&CallRecord { header, ..call });
    let part_bytes = raw::bytes_of(&part);
    add(&mut own, &Segment { kind: SegmentKind::Control, ..memory(0, &part_bytes) });
    add(&mut own, &memory(part.output, output));
    script.raw(data).raw(own);
}

/// Calls that all have the secret, in every place that it can have: names, bytes behind addresses, unknown requests, what is
/// in no field, control codes, a call that never returned.
fn secretive(secret: &str, numbers: &[u8], ret: i64) -> Scripted {
    let request = |name: &str| Registry::builtin().find(name).and_then(|found| found.number(Arch::native()));
    let code =
        |name: &str| Registry::builtin().windows().find(name).and_then(|found| found.number(Arch::Win64));
    let base = |n: u32, request: u32| {
        let header =
            RecordHeader { time_ns: u64::from(n) * 100, flags: call_flags::INPUT, ..RecordHeader::default() };
        let mut call =
            CallRecord { header, request, ret, arg: PLACE, tid: n, tgid: n, ..CallRecord::default() };
        call.file.status = 1;
        call
    };
    let mut script = Scripted::new();
    let mut both = |n, request, given: &[(u64, &[u8])], returned: &[(u64, &[u8])]| {
        let call = base(n, request);
        script.input(&call, given).call_returning(call, returned);
    };
    let name = piece(40, secret, 0, numbers);
    both(1, request("SIOCGIFINDEX").expect("known"), &[(PLACE, &name)], &[(PLACE, &name)]);
    let card = piece(104, secret, 16, numbers);
    both(2, request("VIDIOC_QUERYCAP").expect("known"), &[(PLACE, &card)], &[(PLACE, &card)]);
    let list = [&(PLACE + 64).to_ne_bytes()[..], &1_u64.to_ne_bytes()].concat();
    let message = [&[0x50, 0, 1, 0, 24, 0, 0, 0][..], &(PLACE + 256).to_ne_bytes()].concat();
    let data = piece(24, secret, 3, numbers);
    let given: [(u64, &[u8]); 3] = [(PLACE, &list), (PLACE + 64, &message), (PLACE + 256, &data)];
    both(3, request("I2C_RDWR").expect("known"), &given, &given);
    let unknown = piece(64, secret, 20, numbers);
    both(4, 0xc040_dead, &[(PLACE, &unknown)], &[(PLACE, &unknown)]);
    // More than the argument has.
    let size = piece(64, secret, 32, numbers);
    both(5, request("TIOCSWINSZ").expect("known"), &[(PLACE, &size)], &[(PLACE, &size)]);
    // Behind the end of an empty text, which some readings of a union have.
    let mut vlan = piece(56, secret, 34, numbers);
    vlan[28] = 0;
    both(10, request("SIOCGIFVLAN").expect("known"), &[(PLACE, &vlan)], &[(PLACE, &vlan)]);
    let baud = piece(32, secret, 12, numbers);
    let device = ControlFunction::Device as u16;
    control(&mut script, base(6, code("IOCTL_SERIAL_SET_BAUD_RATE").expect("known")), device, &baud, &baud);
    control(&mut script, base(7, 0x8123_2004), ControlFunction::FileSystem as u16, &baud, &baud);
    let running = base(8, request("I2C_RDWR").expect("known"));
    script.input(&running, &given);
    let call = InFlight {
        enter_ns: running.header.time_ns,
        arg: PLACE,
        request: running.request,
        tgid: 8,
        flags: u32::from(call_flags::INPUT),
        ..InFlight::NOTHING
    };
    script.raw(recording::running_record(8, &call, 5_000));
    // What a call was given that was lost.
    script.input(&base(9, 0xc040_dead), &[(PLACE, &unknown)]);
    // Nobody knows what is in it.
    script.raw([&[99, 0][..], secret.as_bytes(), &[0; 32]].concat());
    script
}

/// Records what a source has. Gives the records that the file has, and the file's bytes as they are before they are packed.
fn recorded(batch: &Batch, redaction: Redaction) -> (Batch, Vec<u8>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("x.iotrace");
    let meta = Meta::here(Registry::builtin(), &WallClock::fixed(0));
    let mut stage = Stage {
        assembler: Assembler::default(),
        decoder: decoder(),
        selection: Selection::default(),
        filter: None,
        housekeeping: false,
        families: Families::default(),
        window: Window::default(),
        redaction,
        rewriter: Rewriter::default(),
        sinks: Vec::new(),
        recorder: Some(Writer::create(&path, meta, Rotation::default()).expect("a file")),
        tap: None,
        progress: Arc::default(),
    };
    stage.batch(batch, &|_| {}).expect("written");
    stage.recorder.expect("a recording").finish(&Closing::default()).expect("written");
    let file = std::fs::read(&path).expect("a file");
    let mut bytes = Vec::new();
    let mut rest = &file[16..];
    while let Some((header, payload)) = rest.split_at_checked(48) {
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("a word")) as usize;
        bytes.extend(zstd::bulk::decompress(&payload[..word(8)], word(12)).expect("a frame"));
        rest = &payload[word(8)..];
    }
    (records(&mut Reader::open(&path).expect("a recording")), bytes)
}

fn has(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// What is shown of the arguments of some calls.
fn shown(events: &[Event], decoder: &Decoder) -> Vec<(Option<Value>, Option<Value>)> {
    events.iter().map(|event| decoder.arguments(event)).collect()
}

/// Whatever a later registry makes of them.
#[test]
fn what_was_left_out_is_no_number() {
    let mut decoder = decoder();
    let request = Registry::builtin().find("TIOCSWINSZ").and_then(|found| found.number(Arch::native()));
    let header = RecordHeader { kind: RecordKind::Data as u16, ..RecordHeader::default() };
    let mut data = raw::bytes_of(&DataRecord { header, ..DataRecord::default() });
    let flags = [0, segment_flags::REDACTED, 0];
    let pieces = [&[25, 0][..], &[0, 0], &[7, 0, 0, 0]];
    let mut address = PLACE;
    for (flags, bytes) in flags.into_iter().zip(pieces) {
        add(&mut data, &Segment { address, wanted: 0, kind: SegmentKind::Memory, flags, bytes });
        address += bytes.len() as u64;
    }
    let header =
        RecordHeader { flags: call_flags::INPUT | call_flags::TEXT_REDACTED, ..RecordHeader::default() };
    let mut call =
        CallRecord { header, request: request.expect("known"), arg: PLACE, ..CallRecord::default() };
    call.file.status = 1;
    let mut script = Scripted::new();
    script.raw(data).call(call);
    let event = events(&records(&mut script), &mut decoder).remove(0);
    let (before, _) = decoder.arguments(&event);
    assert_eq!(
        before.expect("known").to_string(),
        r#"{ws_row=25, ws_col="[redacted]", ws_xpixel=7, ws_ypixel=0}"#
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn recordings_have_no_text_and_all_numbers(
        secret in "[a-zA-Z]{12}",
        numbers in prop::collection::vec(prop_oneof![Just(0_u8), 1_u8..0x20, 0x80_u8..], 1..40),
        ret in prop_oneof![Just(0_i64), Just(-5)],
    ) {
        let mut decoder = decoder();
        let batch = records(&mut secretive(&secret, &numbers, ret));
        let (whole, bytes) = recorded(&batch, Redaction::Nothing);
        prop_assert!(batch.records().eq(whole.records()));
        prop_assert!(whole.records().any(|record| has(record, &secret)) && !bytes.is_empty());

        let (left, bytes) = recorded(&batch, Redaction::Text);
        // Any four letters of it.
        for part in 0..=secret.len() - 4 {
            let part = &secret[part..part + 4];
            prop_assert!(!has(&bytes, part), "{part} in the file");
            prop_assert!(!left.records().any(|record| has(record, part)), "{part} in a record");
        }
        let mut live = events(&batch, &mut decoder);
        let plain: Vec<_> = shown(&live, &decoder);
        live.iter_mut().for_each(|event| Redaction::Text.event(event, &decoder));
        let replayed = events(&left, &mut decoder);
        prop_assert_eq!(replayed.len(), 9);
        prop_assert!(replayed.iter().all(|event| event.call.data.redaction == Redaction::Text));
        let shown_then = shown(&replayed, &decoder);
        prop_assert_eq!(&shown_then, &shown(&live, &decoder));
        for (event, (left, plain)) in replayed.iter().zip(shown_then.iter().zip(&plain)) {
            let (wanted, same) = (plain.0.clone().map(without_text), |value| mapped(value, &|value| value));
            prop_assert_eq!(left.0.clone().map(same), wanted, "{}", event.request);
        }
        // Once more changes nothing.
        let (again, _) = recorded(&left, Redaction::Text);
        prop_assert_eq!(&shown(&events(&again, &mut decoder), &decoder), &shown_then);
    }
}
