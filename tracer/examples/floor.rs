//! The least that tracing can cost, for the benchmark: `floor WAY IN OUT COMMAND…` runs a command while programs that do nothing
//! else send IN bytes when a call begins and OUT bytes when it ends. What they send is thrown away.
#![expect(clippy::expect_used, reason = "a fixture of the benchmark: it must stop where it is surprised")]

use std::{
    process::{Command, exit},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use aya::{
    Ebpf, EbpfLoader, include_bytes_aligned,
    maps::{PerfEventArray, RingBuf},
    programs::{RawTracePoint, TracePoint},
    util::online_cpus,
};

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/floor-bpf"));

/// How: its name, and the programs at the beginning and the end of a call.
const WAYS: [(&str, &str, &str); 8] = [
    ("none", "", ""),
    ("empty", "nothing", "nothing"),
    ("raw", "raw_enter", "raw_exit"),
    ("reserve", "begin", "end"),
    ("wake", "begin", "end_waking"),
    ("anew", "begin_anew", "end_anew"),
    ("copy", "begin", "end_copying"),
    ("per-cpu", "begin", "end_per_cpu"),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [way, begin, end, program, rest @ ..] = words.as_slice() else {
        panic!("usage: floor WAY IN OUT COMMAND…");
    };
    let bytes: [u32; 2] = [begin, end].map(|bytes| bytes.parse().expect("a number of bytes"));
    let (_, enter, leave) = WAYS.into_iter().find(|(name, ..)| name == way).expect("a way");
    let mut object = EbpfLoader::new().override_global("BYTES", &bytes, true).load(OBJECT).expect("it loads");
    for (name, raw, point) in [(leave, "sys_exit", "sys_exit_ioctl"), (enter, "sys_enter", "sys_enter_ioctl")]
    {
        match way.as_str() {
            "none" => {}
            "raw" => {
                let program: &mut RawTracePoint = program_of(&mut object, name);
                program.load().expect("it verifies");
                program.attach(raw).expect("it attaches");
            }
            _ => {
                let program: &mut TracePoint = program_of(&mut object, name);
                if program.fd().is_err() {
                    program.load().expect("it verifies");
                }
                program.attach("syscalls", point).expect("it attaches");
            }
        }
    }
    let over = Arc::<AtomicBool>::default();
    let mut ring = RingBuf::try_from(object.take_map("EVENTS").expect("a map")).expect("a ring buffer");
    let mut perf = PerfEventArray::try_from(object.take_map("PERF_EVENTS").expect("a map")).expect("buffers");
    let mut buffers: Vec<_> = online_cpus()
        .expect("CPUs")
        .into_iter()
        .map(|cpu| perf.open(cpu, Some(512)).expect("a buffer"))
        .collect();
    let told = Arc::clone(&over);
    let reader = thread::spawn(move || {
        while !told.load(Ordering::Acquire) {
            while ring.next().is_some() {}
            for buffer in &mut buffers {
                buffer.for_each(|_| ());
            }
            thread::sleep(Duration::from_millis(10));
        }
    });
    let status = Command::new(program).args(rest).status().expect("the command runs");
    over.store(true, Ordering::Release);
    reader.join().expect("the reader");
    exit(status.code().unwrap_or(1));
}

fn program_of<'o, P>(object: &'o mut Ebpf, name: &str) -> &'o mut P
where
    &'o mut P: TryFrom<&'o mut aya::programs::Program>,
{
    let program = object.program_mut(name).expect("a program");
    <&mut P>::try_from(program).ok().expect("of this kind")
}
