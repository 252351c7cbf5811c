//! What each stage of the user side costs, without a kernel: records of a script through parsing, assembling, decoding,
//! filtering, the outputs and recordings.
#![expect(clippy::expect_used, reason = "a benchmark stops where it is surprised")]

use std::{fs::File, hint::black_box, io, time::Duration};

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use ioctl_registry::Registry;
use ioctl_trace::{
    assemble::{Assembled, Assembler},
    clock::WallClock,
    decode::{Decoder, Detail},
    event::Event,
    filter::Filter,
    host::LiveHost,
    recording::{Closing, Meta, Reader, Rotation, Writer},
    sink::{
        Sink,
        csv::Csv,
        jsonl::Jsonl,
        parquet::Parquet,
        perfetto::Perfetto,
        text::{Text, TextStyle},
    },
    source::{Batch, Source, scripted::Scripted},
    wire,
};
use ioctl_trace_ebpf::{CallRecord, FileIdentity, call_flags, file_flags};

const CALLS: u64 = 500;
const ADDRESS: u64 = 0x1000;

/// What is called, on a pipe: a request that gives back a number, and one that is refused with all that it was given.
type Load = (&'static str, fn() -> Batch);
const LOADS: [Load; 2] = [("FIONREAD", fionread), ("VIDIOC_S_FMT", video_format)];

fn fionread() -> Batch {
    calls(|script, call| {
        let call = CallRecord { request: 0x541b, ..call };
        script.call_returning(call, &[(ADDRESS, &5_u32.to_ne_bytes())]);
    })
}

fn video_format() -> Batch {
    let mut format = [0_u32; 52];
    format[0] = 1;
    format[2..9].copy_from_slice(&[640, 480, u32::from_le_bytes(*b"YUYV"), 1, 1280, 614_400, 8]);
    let format: Vec<u8> = format.into_iter().flat_map(u32::to_ne_bytes).collect();
    calls(|script, mut call| {
        call.request = 0xc0d0_5605;
        call.ret = -25;
        call.header.flags = call_flags::INPUT;
        script.input(&call, &[(ADDRESS, &format)]).call_returning(call, &[(ADDRESS, &format)]);
    })
}

fn calls(add: impl Fn(&mut Scripted, CallRecord)) -> Batch {
    let file =
        FileIdentity { file: 1, ino: 7, magic: 0x5049_5045, mode: 0o10_600, ..FileIdentity::default() };
    let mut script = Scripted::new();
    script.file(file, "7", file_flags::PSEUDO);
    for time_ns in 1..=CALLS {
        let mut call =
            CallRecord { arg: ADDRESS, tgid: 4711, tid: 4711, fd: 3, file, ..CallRecord::default() };
        call.comm[..9].copy_from_slice(b"exerciser");
        call.header.time_ns = time_ns * 1_000;
        add(&mut script, call);
    }
    let mut batch = Batch::default();
    script.read(&mut batch, Duration::ZERO);
    batch
}

fn decoder() -> Decoder {
    Decoder::new(Registry::builtin(), Detail::Full, Box::new(LiveHost::default()))
}

fn events(batch: &Batch, decoder: &mut Decoder) -> Vec<Event> {
    let mut assembler = Assembler::default();
    let mut event = |record| match assembler.record(record, decoder.host()) {
        Assembled::Call(call) => Some(decoder.call(call)),
        _ => None,
    };
    batch.records().filter_map(&mut event).collect()
}

fn stages(criterion: &mut Criterion) {
    for (name, load) in LOADS {
        let batch = load();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(CALLS));
        group.bench_function("wire", |b| {
            b.iter(|| batch.records().filter(|record| wire::parse(black_box(record)).is_ok()).count());
        });
        group.bench_function("assemble", |b| assemble(b, &batch));
        let mut decoder = decoder();
        let events = events(&batch, &mut decoder);
        group.bench_function("name", |b| {
            b.iter(|| {
                for event in &events {
                    let call = &event.call;
                    let file = call.target.file().expect("a file");
                    black_box(decoder.request(call.request, call.arch(), file));
                }
            });
        });
        group.bench_function("arguments", |b| {
            b.iter(|| events.iter().for_each(|event| drop(black_box(decoder.arguments(event)))));
        });
        for (name, text) in [
            ("filter", "driver != i915 and ret > -99 and dur < 1s and path ~ \"pipe*\""),
            ("filter-arg", "arg.fmt.pix.width == 640 or arg.value > 4"),
        ] {
            let filter = Filter::parse(text, Registry::builtin()).expect("a filter");
            group.bench_function(name, |b| {
                b.iter(|| events.iter().filter(|event| filter.matches(event, &mut decoder)).count());
            });
        }
        for (name, mut sink) in sinks() {
            group.bench_function(name, |b| {
                b.iter(|| events.iter().for_each(|event| sink.event(event, &mut decoder).expect("written")));
            });
        }
    }
}

fn assemble(b: &mut Bencher<'_>, batch: &Batch) {
    let (mut assembler, mut host) = (Assembler::default(), LiveHost::default());
    b.iter(|| {
        for record in batch.records() {
            if let Assembled::Call(call) = black_box(assembler.record(record, &mut host)) {
                assembler.recycle(call);
            }
        }
    });
}

fn sinks() -> [(&'static str, Box<dyn Sink>); 5] {
    let clock = || WallClock::fixed(0);
    [
        ("text", Box::new(Text::new(io::sink(), TextStyle::default(), clock()))),
        ("jsonl", Box::new(Jsonl::new(io::sink(), clock()))),
        ("csv", Box::new(Csv::new(io::sink(), clock()).expect("a table"))),
        ("parquet", Box::new(Parquet::new(io::sink(), clock()).expect("a table"))),
        ("perfetto", Box::new(Perfetto::new(io::sink(), clock()))),
    ]
}

fn recordings(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("x.iotrace");
    for (name, load) in LOADS {
        let batch = load();
        let write = || {
            let meta = Meta::here(Registry::builtin(), &WallClock::fixed(0));
            let mut writer = Writer::create(&path, meta, Rotation::default()).expect("a recording");
            batch.records().for_each(|record| writer.record(record).expect("written"));
            writer.finish(&Closing::default()).expect("written");
        };
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(CALLS));
        group.bench_function("record", |b| b.iter(write));
        let recording = {
            let mut bytes = Vec::new();
            io::copy(&mut File::open(&path).expect("a recording"), &mut bytes).expect("a recording");
            bytes
        };
        group.bench_function("read", |b| {
            b.iter(|| {
                let mut reader = Reader::new(recording.as_slice()).expect("a recording");
                let (mut batch, mut records) = (Batch::default(), 0);
                while reader.read(&mut batch, Duration::ZERO) {
                    records += batch.records().count();
                    batch.clear();
                }
                records
            });
        });
    }
}

criterion_group!(benches, stages, recordings);
criterion_main!(benches);
