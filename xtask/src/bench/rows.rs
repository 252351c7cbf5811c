//! What is measured: loads, ways of tracing them, and the tables that they stand in.

/// What makes the calls.
#[derive(Debug)]
pub struct Load {
    pub name: &'static str,
    /// Arguments of the exerciser before the number of calls.
    pub args: &'static [&'static str],
    /// Calls of each of its threads at most.
    pub most: u32,
    pub threads: u32,
    /// Bytes of the records that we send when a call begins and when it ends.
    pub bytes: [u32; 2],
}

/// How a load is traced.
#[derive(Debug)]
pub struct Tracer {
    pub name: &'static str,
    /// Calls in a turn: fewer where each takes longer.
    pub calls: u32,
    pub how: How,
}

/// Words may hold `{trace}`, our program; `{floor}`, the programs that do nothing else; `{in}` and `{out}`, the load's
/// [bytes](Load::bytes); `{dir}`, a scratch folder; `{pid}`, a process that sleeps.
#[derive(Debug)]
pub enum How {
    /// Not at all.
    Alone,
    /// By a command whose last words are the load's.
    Before(&'static [&'static str]),
    /// The same, with the load's words as one.
    Quoted(&'static [&'static str]),
    /// Not at all, while a command traces something else.
    Beside(&'static [&'static str]),
}

/// Loads under tracers.
#[derive(Debug)]
pub struct Table {
    /// For `--only`.
    pub name: &'static str,
    pub title: &'static str,
    pub loads: &'static [&'static Load],
    pub tracers: &'static [&'static Tracer],
    pub shows: Shows,
}

/// What a table shows of each measurement.
#[derive(Clone, Copy, Debug)]
pub enum Shows {
    /// What is added to each call, and how often what this tracer adds.
    Added(&'static Tracer),
    /// Calls a second, and how many were lost.
    Rate,
}

const fn load(name: &'static str, args: &'static [&'static str], most: u32, begin: u32, end: u32) -> Load {
    Load { name, args, most, threads: 1, bytes: [begin, end] }
}

/// A `DataRecord`, a `SegmentHeader` and as many bytes.
const fn given(bytes: u32) -> u32 {
    (24 + 24 + bytes).next_multiple_of(8)
}

/// A `CallRecord`, by itself and with a `SegmentHeader` and up to 8 bytes.
const CALL: u32 = 160;
const CALL_RETURNING: u32 = CALL + 24 + 8;

pub const NONE: Load = load("FIONREAD", &["--loop"], 1_000_000, 0, CALL_RETURNING);
const B16: Load = load("16 bytes", &["--loop-sized", "16"], 1_000_000, given(16), CALL);
const B208: Load = load("208 bytes", &["--loop-sized", "208"], 1_000_000, given(208), CALL);
const B4096: Load = load("4096 bytes", &["--loop-sized", "4096"], 500_000, given(4096), CALL);
const CALL_RETURNING_208: u32 = CALL + 24 + 208;
pub const DECODED: Load =
    load("VIDIOC_S_FMT, 208 bytes decoded", &["--loop-decoded"], 1_000_000, given(208), CALL_RETURNING_208);
/// Calls that the outputs should keep up with.
pub const DECODED_600K: Load =
    load("the same, 600 k/s", &["--loop-decoded-at", "600000"], 1_000_000, given(208), CALL_RETURNING_208);
pub const OTHER: Load = load("getppid", &["--loop-getppid"], 2_000_000, 0, CALL);
const fn threads(name: &'static str, args: &'static [&'static str], threads: u32, most: u32) -> Load {
    Load { threads, ..load(name, args, most, 0, CALL_RETURNING) }
}

const THREADS_1: Load = threads("1 thread", &["--loop-threads", "1"], 1, 800_000);
const THREADS_2: Load = threads("2 threads", &["--loop-threads", "2"], 2, 400_000);
const THREADS_8: Load = threads("8 threads", &["--loop-threads", "8"], 8, 100_000);

/// Loads by the bytes that each call hands over.
pub const SIZES: &[&Load] = &[&NONE, &B16, &B208, &B4096];

const fn before(name: &'static str, calls: u32, words: &'static [&'static str]) -> Tracer {
    Tracer { name, calls, how: How::Before(words) }
}

const fn quoted(name: &'static str, calls: u32, words: &'static [&'static str]) -> Tracer {
    Tracer { name, calls, how: How::Quoted(words) }
}

/// Enough to outlast what the buffers hold.
const MANY: u32 = 1_000_000;

pub const ALONE: Tracer = Tracer { name: "plain", calls: 2_000_000, how: How::Alone };

pub const COUNT: Tracer = before("ioctl-trace -c", MANY, &["{trace}", "-c", "--"]);
pub const TEXT: Tracer = before("ioctl-trace, text", MANY, &["{trace}", "-o", "{dir}/x.txt", "--"]);
pub const JSONL: Tracer = before("ioctl-trace, JSONL", MANY, &["{trace}", "-o", "{dir}/x.jsonl", "--"]);
pub const CSV: Tracer = before("ioctl-trace, CSV", MANY, &["{trace}", "-o", "{dir}/x.csv", "--"]);
pub const PARQUET: Tracer = before("ioctl-trace, Parquet", MANY, &["{trace}", "-o", "{dir}/x.parquet", "--"]);
pub const PERFETTO: Tracer =
    before("ioctl-trace, Perfetto", MANY, &["{trace}", "-o", "{dir}/x.pftrace", "--"]);
pub const RECORD: Tracer =
    before("ioctl-trace, .iotrace", MANY, &["{trace}", "record", "-o", "{dir}/x.iotrace", "--"]);
pub const ASIDE: Tracer = Tracer {
    name: "ioctl-trace -p, of another process",
    calls: 2_000_000,
    how: How::Beside(&["{trace}", "--no-tui", "-p", "{pid}"]),
};

/// Those whose records or lines hold every call.
pub const LINES: &[&Tracer] = &[&TEXT, &JSONL, &RECORD];

const fn floor(name: &'static str, words: &'static [&'static str]) -> Tracer {
    before(name, MANY, words)
}

pub const EMPTY: Tracer = floor("floor: empty", &["{floor}", "empty", "0", "0"]);
pub const RESERVE: Tracer = floor("floor: reserve", &["{floor}", "reserve", "{in}", "{out}"]);
const RAW: Tracer = floor("floor: raw", &["{floor}", "raw", "0", "0"]);
const ANEW: Tracer = floor("floor: anew", &["{floor}", "anew", "{in}", "{out}"]);
const COPY: Tracer = floor("floor: copy", &["{floor}", "copy", "{in}", "{out}"]);
const PER_CPU: Tracer = floor("floor: per-cpu", &["{floor}", "per-cpu", "{in}", "{out}"]);
const WAKE: Tracer = floor("floor: wake", &["{floor}", "wake", "{in}", "{out}"]);

pub const STRACE: Tracer =
    before("strace", 20_000, &["strace", "-f", "-e", "trace=ioctl", "-o", "{dir}/strace.txt"]);
const STRACE_COUNT: Tracer =
    before("strace -c", 20_000, &["strace", "-f", "-c", "-e", "trace=ioctl", "-o", "{dir}/strace.txt"]);
const STRACE_SECCOMP: Tracer = before(
    "strace --seccomp-bpf",
    20_000,
    &["strace", "-f", "--seccomp-bpf", "-e", "trace=ioctl", "-o", "{dir}/strace.txt"],
);
pub const PERF_TRACE: Tracer =
    before("perf trace", 100_000, &["perf", "trace", "-e", "ioctl", "-o", "{dir}/perf.txt", "--"]);
pub const PERF_RECORD: Tracer = before(
    "perf record",
    500_000,
    &[
        "perf",
        "record",
        "-q",
        "-e",
        "syscalls:sys_enter_ioctl,syscalls:sys_exit_ioctl",
        "-o",
        "{dir}/perf.data",
        "--",
    ],
);
const BPFTRACE_COUNT: Tracer = quoted(
    "bpftrace count",
    500_000,
    &[
        "bpftrace",
        "-q",
        "-o",
        "{dir}/bpftrace.txt",
        "-e",
        "tracepoint:syscalls:sys_enter_ioctl /pid == cpid/ { @b[tid] = nsecs; } tracepoint:syscalls:sys_exit_ioctl /@b[tid]/ { @n[comm] = count(); @t = hist(nsecs - @b[tid]); delete(@b[tid]); }",
        "-c",
    ],
);
pub const BPFTRACE_PRINTF: Tracer = quoted(
    "bpftrace printf",
    100_000,
    &[
        "bpftrace",
        "-q",
        "-o",
        "{dir}/bpftrace.txt",
        "-e",
        "tracepoint:syscalls:sys_enter_ioctl /pid == cpid/ { @b[tid] = nsecs; } tracepoint:syscalls:sys_exit_ioctl /@b[tid]/ { printf(\"%s %d %d %lld\\n\", comm, tid, args->ret, nsecs - @b[tid]); delete(@b[tid]); }",
        "-c",
    ],
);

pub const TABLES: &[Table] = &[
    Table {
        name: "cost",
        title: "A traced ioctl, by what it hands over",
        loads: SIZES,
        tracers: &[&ALONE, &EMPTY, &RESERVE, &COUNT, &TEXT, &JSONL, &RECORD],
        shows: Shows::Added(&RESERVE),
    },
    Table {
        name: "rivals",
        title: "Other tracers",
        loads: &[&NONE],
        tracers: &[
            &ALONE,
            &COUNT,
            &TEXT,
            &JSONL,
            &RECORD,
            &PERF_RECORD,
            &BPFTRACE_COUNT,
            &BPFTRACE_PRINTF,
            &PERF_TRACE,
            &STRACE,
            &STRACE_COUNT,
            &STRACE_SECCOMP,
        ],
        shows: Shows::Added(&TEXT),
    },
    Table {
        name: "untraced",
        title: "A process that is not traced, while another is",
        loads: &[&NONE, &OTHER],
        tracers: &[&ALONE, &EMPTY, &ASIDE],
        shows: Shows::Added(&EMPTY),
    },
    Table {
        name: "rates",
        title: "One busy thread, through to each output",
        loads: &[&NONE, &DECODED, &DECODED_600K],
        tracers: &[&TEXT, &JSONL, &CSV, &PARQUET, &PERFETTO, &RECORD],
        shows: Shows::Rate,
    },
    Table {
        name: "threads",
        title: "Threads that call at once; for each call of each thread",
        loads: &[&THREADS_1, &THREADS_2, &THREADS_8],
        tracers: &[&ALONE, &EMPTY, &RESERVE, &COUNT, &TEXT, &RECORD],
        shows: Shows::Added(&RESERVE),
    },
    Table {
        name: "ways",
        title: "Ways in which the kernel side could work, with the bytes of our records",
        loads: &[&NONE],
        tracers: &[&ALONE, &EMPTY, &RAW, &RESERVE, &ANEW, &COPY, &PER_CPU, &WAKE],
        shows: Shows::Added(&RESERVE),
    },
];
