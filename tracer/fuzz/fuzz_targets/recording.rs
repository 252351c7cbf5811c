//! Any bytes as a recording, as the payload of a frame or as packed records: they give calls or a reason, the calls can be
//! written, and what was packed is unpacked. `cd tracer && cargo +nightly fuzz run recording`
#![no_main]

use std::{io::Cursor, time::Duration};

use ioctl_registry::Registry;
use ioctl_trace::{
    assemble::{Assembled, Assembler},
    decode::{Decoder, Detail},
    host::RecordedHost,
    recording::{Reader, around, packed},
    source::{Batch, Source},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<u8>, Vec<(u8, Vec<u8>)>)| {
    let (as_what, bytes, records) = input;
    let records = (as_what % 3 == 2).then(|| records.into_iter().map(record).collect::<Vec<_>>());
    let bytes = match &records {
        Some(records) => around(&packed(records)),
        None if as_what % 3 == 1 => around(&bytes),
        None => bytes,
    };
    let Ok(mut reader) = Reader::new(Cursor::new(bytes)) else { return };
    let mut decoder = Decoder::new(Registry::builtin(), Detail::Full, Box::new(RecordedHost::default()));
    let (mut assembler, mut batch) = (Assembler::default(), Batch::default());
    let mut read = Vec::new();
    let mut more = true;
    while more {
        batch.clear();
        more = reader.read(&mut batch, Duration::ZERO);
        for record in batch.records() {
            if records.is_some() {
                read.push(record.to_vec());
            }
            if let Assembled::Call(call) = assembler.record(record, decoder.host()) {
                let event = decoder.call(call);
                let _ = decoder.arguments(&event);
            }
        }
    }
    if let Some(records) = records {
        assert_eq!(read, records);
    }
});

/// A record of a kind that exists, as long as most are: the fuzzer need not find these.
fn record((kind, mut bytes): (u8, Vec<u8>)) -> Vec<u8> {
    if kind & 0x80 == 0 {
        let mut whole = u16::from(kind % 9).to_ne_bytes().to_vec();
        whole.append(&mut bytes);
        whole.resize(whole.len().max(256), 0);
        return whole;
    }
    bytes
}
