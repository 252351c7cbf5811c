//! The way of a call through assembling, filtering and the outputs takes no memory once it is warm, but for its argument.
#![expect(clippy::expect_used, reason = "a test stops where it is surprised")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io,
    sync::Arc,
    time::Duration,
};

use ioctl_registry::Registry;
use ioctl_trace::{
    assemble::Assembler,
    clock::WallClock,
    decode::{Decoder, Detail},
    families::Families,
    filter::Filter,
    host::LiveHost,
    pipeline::{Stage, Window},
    recording::{Meta, Rotation, Writer},
    redact::{Redaction, Rewriter},
    select::Selection,
    sink::{
        Sink,
        jsonl::Jsonl,
        text::{Text, TextStyle},
    },
    source::{Batch, Source, scripted::Scripted},
};
use ioctl_trace_ebpf::{CallRecord, FileIdentity, file_flags};

thread_local! {
    /// Pieces of memory that this thread has asked for.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts.
struct Counting;

fn count() {
    // A thread that is ending has no counter any more.
    let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(memory, layout, size) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CALLS: u64 = 500;
/// Until buffers have their size: more than the recorder's frame holds.
const WARM: u64 = 60;

/// Calls of `FIONREAD` on a pipe, each with the 4 bytes that it gave back; before them, if wanted, the pipe's name.
fn calls(named: bool) -> Batch {
    const FIONREAD: u32 = 0x541b;
    const ADDRESS: u64 = 0x1000;
    let file =
        FileIdentity { file: 1, ino: 7, magic: 0x5049_5045, mode: 0o10_600, ..FileIdentity::default() };
    let mut script = Scripted::new();
    if named {
        script.file(file, "7", file_flags::PSEUDO);
    }
    for time_ns in 1..=CALLS {
        let mut call = CallRecord {
            request: FIONREAD,
            arg: ADDRESS,
            tgid: 4711,
            tid: 4711,
            fd: 3,
            comm: *b"exerciser\0\0\0\0\0\0\0",
            file,
            ..CallRecord::default()
        };
        call.header.time_ns = time_ns;
        script.call_returning(call, &[(ADDRESS, &5_u32.to_ne_bytes())]);
    }
    let mut batch = Batch::default();
    script.read(&mut batch, Duration::ZERO);
    batch
}

fn stage(sinks: Vec<Box<dyn Sink>>) -> Stage {
    let registry = Registry::builtin();
    Stage {
        assembler: Assembler::default(),
        decoder: Decoder::new(registry, Detail::Full, Box::new(LiveHost::default())),
        selection: Selection::parse(Some("@tty,FIONREAD"), registry).expect("a selection"),
        filter: None,
        housekeeping: false,
        families: Families::default(),
        window: Window::default(),
        redaction: Redaction::default(),
        rewriter: Rewriter::default(),
        sinks,
        recorder: None,
        tap: None,
        progress: Arc::default(),
    }
}

/// Pieces of memory that all calls of a batch take together, once everything is warm.
fn taken(mut stage: Stage) -> u64 {
    let mut pass = |calls: &Batch| stage.batch(calls, &|_| ()).expect("it is written");
    pass(&calls(true));
    let calls = calls(false);
    (0..WARM).for_each(|_| pass(&calls));
    // The least of a few: on a slow machine the recorder may write a frame just then.
    let of_pass = |_| {
        let before = TAKEN.get();
        pass(&calls);
        TAKEN.get() - before
    };
    (0..3).map(of_pass).min().unwrap_or(0)
}

fn text() -> Box<dyn Sink> {
    Box::new(Text::new(io::sink(), TextStyle::default(), WallClock::fixed(0)))
}

fn jsonl() -> Box<dyn Sink> {
    Box::new(Jsonl::new(io::sink(), WallClock::fixed(0)))
}

#[test]
fn assembling_and_naming_take_none() {
    assert_eq!(taken(stage(Vec::new())), 0);
}

#[test]
fn filtering_takes_none() {
    let text = "request == FIONREAD and driver != i915 and ret >= 0 and dur < 1s and path ~ \"pipe*\"";
    let filter = Filter::parse(text, Registry::builtin()).expect("a filter");
    assert_eq!(taken(Stage { filter: Some(filter), ..stage(Vec::new()) }), 0);
}

#[test]
fn lines_take_one_for_the_argument() {
    // What an address leads to is a value in a box of its own.
    assert_eq!(taken(stage(vec![text()])), CALLS);
    assert_eq!(taken(stage(vec![jsonl()])), CALLS);
}

#[test]
fn recording_takes_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let meta = Meta::here(Registry::builtin(), &WallClock::fixed(0));
    let file = dir.path().join("x.iotrace");
    let recorder = Writer::create(&file, meta, Rotation::default()).expect("a recording");
    assert_eq!(taken(Stage { recorder: Some(recorder), ..stage(Vec::new()) }), 0);
}
