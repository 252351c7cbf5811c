//! Any bytes as a recording: they give calls or a reason, and the calls can be written.
#![no_main]

use std::{io::Cursor, time::Duration};

use ioctl_registry::Registry;
use ioctl_trace::{
    assemble::{Assembled, Assembler},
    decode::{Decoder, Detail},
    host::RecordedHost,
    recording::Reader,
    source::{Batch, Source},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(Cursor::new(bytes)) else { return };
    let mut decoder = Decoder::new(Registry::builtin(), Detail::Full, Box::new(RecordedHost::default()));
    let (mut assembler, mut batch) = (Assembler::default(), Batch::default());
    let mut more = true;
    while more {
        batch.clear();
        more = reader.read(&mut batch, Duration::ZERO);
        for record in batch.records() {
            if let Assembled::Call(call) = assembler.record(record, decoder.host()) {
                let event = decoder.call(call);
                let _ = decoder.arguments(&event);
            }
        }
    }
});
