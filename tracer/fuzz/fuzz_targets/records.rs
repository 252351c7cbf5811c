//! Whatever a ring buffer or a file holds, reading, naming and writing it must not panic.
//! `cd tracer && cargo +nightly fuzz run records`
#![no_main]

use ioctl_trace::{
    assemble::{Assembled, Assembler},
    clock::WallClock,
    decode::{Decoder, Detail},
    host::RecordedHost,
    redact::Redaction,
    sink::{
        Sink,
        csv::Csv,
        jsonl::Jsonl,
        parquet::Parquet,
        perfetto::Perfetto,
        summary::SummarySink,
        table::Table,
        text::{FdStyle, Text, TextStyle},
    },
};
use ioctl_registry::Registry;
use ioctl_trace_ebpf::FileRecord;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<(u16, Vec<u8>)>)| {
    let (which, records) = input;
    let clock = WallClock::fixed(0);
    let mut assembler = Assembler::default();
    let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(RecordedHost::default()));
    let style = TextStyle { fd: FdStyle::Device, number: true, ..TextStyle::default() };
    // One of them: making all takes longer than what they are made for.
    let mut sink: Box<dyn Sink> = match which % 16 {
        0..5 => Box::new(Text::new(Vec::new(), style, clock)),
        5..10 => Box::new(Jsonl::new(Vec::new(), clock)),
        10..12 => Box::new(Csv::new(Vec::new(), clock).expect("writing to memory")),
        12..14 => Box::new(Perfetto::new(Vec::new(), clock)),
        14 => Box::new(SummarySink::new(Vec::new(), Table::default())),
        _ => Box::new(Parquet::new(Vec::new(), clock).expect("writing to memory")),
    };
    let redaction = if which < 0x80 { Redaction::Nothing } else { Redaction::Text };
    for (kind, bytes) in records {
        // A kind that exists, and enough bytes for it, or the fuzzer spends its time on finding these.
        let mut record = (kind % 9).to_ne_bytes().to_vec();
        record.extend(bytes);
        record.resize(record.len().max(size_of::<FileRecord>()), 0);
        if let Assembled::Call(mut call) = assembler.record(&record, decoder.host()) {
            call.cgroup = 0; // Looking it up would search this machine's cgroups each time.
            let mut event = decoder.call(call);
            redaction.event(&mut event, &decoder);
            sink.event(&event, &mut decoder).expect("writing to memory");
        }
    }
    sink.finish().expect("writing to memory");
});
