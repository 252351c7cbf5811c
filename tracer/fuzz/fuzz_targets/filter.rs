//! Any text is an expression or a mistake that is told in its place, and an expression has an answer for any call, which
//! the kernel's part does not contradict. `cd tracer && cargo +nightly fuzz run filter`
#![no_main]

use std::time::Duration;

use ioctl_registry::Registry;
use ioctl_trace::{
    assemble::{Assembled, Assembler},
    decode::{Decoder, Detail},
    filter::Filter,
    source::{Batch, Source, scripted::Scripted, setup::Wanted},
    host::RecordedHost,
};
use ioctl_trace_ebpf::CallRecord;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u32, i64, u32, u32, Vec<u8>)| {
    let (text, request, ret, tgid, uid, memory) = input;
    let filter = match Filter::parse(text, Registry::builtin()) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(text.get(error.span().clone()).is_some() && !error.to_string().is_empty());
            return;
        }
    };
    let mut script = Scripted::new();
    let mut call = CallRecord { request, ret, tgid, uid, arg: 0x1000, ..CallRecord::default() };
    call.file.status = 1;
    script.call_returning(call, &[(0x1000, &memory)]);
    let (mut batch, mut assembler) = (Batch::default(), Assembler::default());
    script.read(&mut batch, Duration::ZERO);
    let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(RecordedHost::default()));
    for record in batch.records() {
        let Assembled::Call(call) = assembler.record(record, decoder.host()) else { continue };
        let event = decoder.call(call);
        if filter.matches(&event, &mut decoder) {
            let mut wanted = Wanted::default();
            filter.kernel_part(Registry::builtin()).restrict(&mut wanted);
            let passes = wanted.requests.wants(request)
                && (wanted.processes.is_empty() || wanted.processes.contains(&tgid))
                && (wanted.uids.is_empty() || wanted.uids.contains(&uid));
            assert!(passes, "{text} drops {request:#x} of {tgid}");
        }
    }
});
