//! What the outputs write for one script of calls, as snapshots.

mod exports;
mod schema;
mod timeline;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use ioctl_registry::{Registry, Xlat};
use ioctl_trace_ebpf::{CallRecord, FileIdentity, FileStatus, call_flags, file_flags};

use super::{
    Sink,
    csv::Csv,
    jsonl::Jsonl,
    out::Output,
    parquet::Parquet,
    perfetto::Perfetto,
    summary::SummarySink,
    table::{Form, SortKey, Table},
    text::{FdStyle, Text, TextStyle, TimeStyle, ValueStyle},
};
use crate::{
    assemble::{Assembled, Assembler},
    clock::WallClock,
    decode::{Decoder, Detail},
    event::Event,
    host::LiveHost,
    process::comm_bytes,
    redact::Redaction,
    source::{Batch, Source, scripted::Scripted},
};

/// Bytes that two owners see.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Shared {}

fn identity(file: u64, mode: u32, rdev: u32, magic: u64) -> FileIdentity {
    FileIdentity { file, ino: 1_000 + file, mode, rdev, magic, ..FileIdentity::default() }
}

/// Every outcome, every kind of file, hostile names.
fn script() -> Scripted {
    let tty = identity(1, libc::S_IFCHR, 136 << 20 | 3, 0x1cd1);
    let socket = identity(2, libc::S_IFSOCK, 0, 0x534f_434b);
    let removed = identity(3, libc::S_IFREG, 0, 0xef53);
    let not_open = FileIdentity { status: FileStatus::NotOpen as u32, ..FileIdentity::default() };
    let unreadable = FileIdentity { status: FileStatus::Unreadable as u32, ..FileIdentity::default() };
    let base = |n: u64, comm: &str, request: u32, ret: i64, file: FileIdentity| {
        let mut call = CallRecord {
            request,
            ret,
            file,
            tgid: 4711,
            tid: 4712,
            uid: 1000,
            comm: comm_bytes(comm),
            ..CallRecord::default()
        };
        call.header.time_ns = n * 1_500_000_000;
        call.duration_ns = 4_021 * n;
        call.arg = 0x7ffe_0000_1000;
        call
    };
    let mut script = Scripted::new();
    script.file(tty, "/dev/pts/3", 0).file(socket, "UDP", file_flags::PSEUDO);
    script.file(removed, "/tmp/a\u{1b}[31m<b>\n\u{202e}\u{9b}", file_flags::DELETED);
    script.call(base(1, "stty", 0x5401, 0, tty));
    script.call(base(2, "stty", 0x5401, -25, tty));
    script.call(base(3, "a b\u{1b}]0;x", 0xc008_dead, i64::MAX, socket));
    script.call(CallRecord { fd: u32::MAX, arg: 0, ..base(4, "stty", 0x5402, -9, not_open) });
    script.call(base(5, "stty", 0x5413, -512, removed));
    let mut killed = base(6, "stty", 0x5413, -4, unreadable);
    killed.header.flags = call_flags::KILLED | call_flags::COMPAT;
    script.call(killed);
    killed.header.flags = call_flags::NO_RESULT;
    script.call(killed);
    arguments(&mut script, tty, &base);
    script
}

/// Calls whose memory is known: one way, both ways, behind pointers, of an unknown request, partly, late.
fn arguments(
    script: &mut Scripted,
    file: FileIdentity,
    base: &dyn Fn(u64, &str, u32, i64, FileIdentity) -> CallRecord,
) {
    let arg = 0x7ffe_0000_1000;
    script.call_returning(base(7, "stty", 0x5413, 0, file), &[(arg, &[24, 0, 80, 0, 0, 0, 0, 0])]);
    let given = |script: &mut Scripted, n, request, ret, memory: &[(u64, &[u8])]| {
        let mut call = base(n, "stty", request, ret, file);
        call.header.flags = call_flags::INPUT;
        script.input(&call, memory);
        call
    };
    let call = given(script, 8, 0x5414, -22, &[(arg, &[25, 0, 80, 0])]);
    script.call(call);
    let unknown = given(script, 9, 0xc008_dead, 0, &[(arg, b"\x01\x1b[2J\0\0\x7f")]);
    script.call_returning(unknown, &[(arg, b"\x02\x1b[2J\0\0\x7f")]);
    let message = [&[0x50, 0, 1, 0, 4, 0, 0, 0][..], &0x1000_u64.to_ne_bytes()].concat();
    let list = [&0x2000_u64.to_ne_bytes()[..], &1_u64.to_ne_bytes()].concat();
    let pointers: [(u64, &[u8]); 2] = [(arg, &list), (0x2000, &message)];
    let mut read = given(script, 10, 0x707, 1, &pointers);
    read.header.flags |= call_flags::INPUT_LATE | call_flags::INCOMPLETE;
    script.call_returning(read, &[pointers[0], pointers[1], (0x1000, b"data")]);
    let mut lost = base(11, "stty", 0x5414, 0, file);
    lost.header.flags = call_flags::INPUT;
    script.call(lost);
}

/// Writes the script to a sink; gives what it wrote.
fn written<S: Sink>(make: impl FnOnce(Shared) -> S) -> String {
    String::from_utf8(written_of(script(), make)).expect("utf-8")
}

/// Writes any script to a sink.
fn written_of<S: Sink>(script: Scripted, make: impl FnOnce(Shared) -> S) -> Vec<u8> {
    written_without(Redaction::Nothing, script, make)
}

/// Writes any script to a sink, and leaves something out.
fn written_without<S: Sink>(
    redaction: Redaction,
    mut script: Scripted,
    make: impl FnOnce(Shared) -> S,
) -> Vec<u8> {
    let (mut batch, mut assembler) = (Batch::default(), Assembler::default());
    // Nothing of this machine: a symbol or driver found here would differ elsewhere.
    let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(LiveHost::default()));
    let out = Shared::default();
    let mut sink = make(out.clone());
    loop {
        batch.clear();
        let more = script.read(&mut batch, Duration::ZERO);
        let mut room = Vec::new();
        for record in batch.records() {
            let Some(record) = redaction.record(record, &mut room) else { continue };
            if let Assembled::Call(call) = assembler.record(record, decoder.host()) {
                let mut event: Event = decoder.call(call);
                redaction.event(&mut event, &decoder);
                sink.event(&event, &mut decoder).expect("written");
            }
        }
        sink.flush().expect("flushed");
        if !more {
            break;
        }
    }
    sink.finish().expect("finished");
    out.0.lock().expect("lock").clone()
}

/// 2026-11-20 23:40:00 UTC.
fn clock() -> WallClock {
    WallClock::fixed(1_795_218_000_000_000_000)
}

fn lines(style: TextStyle) -> String {
    written(|out| Text::new(out, style, clock()))
}

#[test]
fn lines_are_as_agreed() {
    let text = lines(TextStyle::default());
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "hostile names stay text");
    insta::assert_snapshot!(text);
}

#[test]
fn lines_with_every_option() {
    let style = |time| TextStyle { time, fd: FdStyle::Device, number: true, ..TextStyle::default() };
    let first = |time| lines(style(time)).lines().take(2).collect::<Vec<_>>().join("\n");
    let all = [TimeStyle::Seconds, TimeStyle::Micros, TimeStyle::Epoch, TimeStyle::Relative].map(first);
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn arguments_are_left_out() {
    let text = |redaction| {
        let bytes = written_without(redaction, script(), |out| Text::new(out, TextStyle::default(), clock()));
        let text = String::from_utf8(bytes).expect("utf-8");
        // The calls whose memory is known.
        text.lines().skip(7).map(|line| format!("{line}\n")).collect::<String>()
    };
    insta::assert_snapshot!(text(Redaction::All));
    insta::assert_snapshot!(text(Redaction::Text));
    let outputs: [fn(Redaction) -> Vec<u8>; 4] = [
        |what| written_without(what, script(), |out| Jsonl::new(out, clock())),
        |what| written_without(what, script(), |out| Csv::new(out, clock()).expect("written")),
        |what| written_without(what, script(), |out| Parquet::new(out, clock()).expect("written")),
        |what| written_without(what, script(), |out| Perfetto::new(out, clock())),
    ];
    for written in outputs {
        let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        let all = written(Redaction::All);
        assert!(has(&all, b"argument redacted") && !has(&all, b"ws_row") && !has(&all, b"7ffe00001000"));
        assert!(has(&written(Redaction::Text), b"text redacted"));
    }
}

#[test]
fn requests_are_written_as_constants_are() {
    let requests = |xlat| {
        let values = ValueStyle { xlat, ..ValueStyle::default() };
        let text = lines(TextStyle { values, ..TextStyle::default() });
        let request = |line: &str| Some(line.split_once(", ")?.1.split_once([',', ')'])?.0.to_owned());
        let number = |line: &str| line.contains("TCGETS") || line.contains("0x5401");
        text.lines().find(|line| number(line)).and_then(request)
    };
    assert_eq!(requests(Xlat::Abbrev).as_deref(), Some("TCGETS"));
    assert_eq!(requests(Xlat::Raw).as_deref(), Some("0x5401"));
    assert_eq!(requests(Xlat::Verbose).as_deref(), Some("0x5401 /* TCGETS */"));
}

#[test]
fn coloured_lines_are_the_same_text() {
    let coloured = lines(TextStyle { color: true, ..TextStyle::default() });
    assert!(coloured.contains("\u{1b}[31m-1 ENOTTY"), "{coloured}");
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').expect("end of a colour").1;
    }
    assert_eq!(plain + rest, lines(TextStyle::default()));
}

#[test]
fn json_lines_are_as_agreed() {
    let text = written(|out| Jsonl::new(out, clock()));
    for line in text.lines() {
        let _: serde_json::Value = serde_json::from_str(line).expect("valid JSON");
        assert!(line.chars().all(crate::escape::is_plain), "nothing invisible: {line}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_table_of_totals_is_as_agreed() {
    insta::assert_snapshot!(written(|out| SummarySink::new(out, Table::default())));
}

#[test]
fn totals_are_sorted_as_asked() {
    let table = |sort, form| written(|out| SummarySink::new(out, Table { sort, form }));
    let rows = |sort| {
        let text = table(sort, Form::Lines);
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<serde_json::Value>>()
    };
    let keys = [
        (SortKey::Total, "total_ns"),
        (SortKey::Calls, "calls"),
        (SortKey::Errors, "errors"),
        (SortKey::Min, "min_ns"),
        (SortKey::Mean, "mean_ns"),
        (SortKey::Percentile(50), "p50_ns"),
        (SortKey::Percentile(90), "p90_ns"),
        (SortKey::Percentile(99), "p99_ns"),
        (SortKey::Max, "max_ns"),
    ];
    for (sort, key) in keys {
        let values: Vec<_> = rows(sort).iter().map(|row| row[key].as_u64().expect("a number")).collect();
        assert!(values.is_sorted_by(|a, b| a >= b), "{key}: {values:?}");
        assert!(values.first() > values.last(), "{key} is not put to the test: {values:?}");
    }
    let names: Vec<_> = rows(SortKey::Name).iter().map(|row| row["request"].to_string()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let array: Vec<serde_json::Value> =
        serde_json::from_str(&table(SortKey::Name, Form::Array)).expect("JSON");
    assert_eq!(array, rows(SortKey::Name));
    insta::assert_snapshot!(table(SortKey::Calls, Form::Lines));
}

mod hostile {
    use ioctl_trace_ebpf::{FileRecord, RecordKind};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever a ring buffer or a file holds: no panic, and nothing invisible in what is written.
        #[test]
        fn any_records_become_visible_text(
            records in prop::collection::vec((0_u16..8, prop::collection::vec(any::<u8>(), 0..size_of::<FileRecord>() + 8)), 0..12)
        ) {
            let mut assembler = Assembler::default();
            let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(LiveHost::default()));
            let (lines, json, table) = (Shared::default(), Shared::default(), Shared::default());
            let mut sinks: Vec<Box<dyn Sink>> = vec![
                Box::new(Text::new(lines.clone(), TextStyle { fd: FdStyle::Device, ..TextStyle::default() }, clock())),
                Box::new(Jsonl::new(json.clone(), clock())),
                Box::new(Csv::new(table.clone(), clock()).expect("written")),
                Box::new(Parquet::new(Shared::default(), clock()).expect("written")),
                Box::new(Perfetto::new(Shared::default(), clock())),
                Box::new(SummarySink::new(Shared::default(), Table::default())),
            ];
            for (kind, mut bytes) in records {
                if let Some(slot) = bytes.get_mut(..2) {
                    slot.copy_from_slice(&kind.to_ne_bytes());
                }
                if let Assembled::Call(mut call) = assembler.record(&bytes, decoder.host()) {
                    // An address that means something on this machine must not make the test depend on it.
                    call.cgroup = 0;
                    let event = decoder.call(call);
                    for sink in &mut sinks {
                        sink.event(&event, &mut decoder).expect("written");
                    }
                }
                prop_assert!(RecordKind::from_raw(kind).is_some() || kind == 0 || kind > 6);
            }
            sinks.iter_mut().for_each(|sink| sink.finish().expect("finished"));
            for written in [lines, json, table] {
                let bytes = written.0.lock().expect("lock").clone();
                let text = String::from_utf8(bytes).expect("utf-8");
                prop_assert!(text.chars().all(|c| c == '\n' || crate::escape::is_plain(c)), "{text:?}");
            }
        }
    }
}
