//! What tracing costs: a loop of a cheap ioctl, plain and under each tracer, in turns within one run.

use std::{
    fmt::Write as _,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    setup,
    sh::{self, cargo, install_missing, loudly, output_of},
};

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Turns; the median of each tracer's turns counts
    #[arg(long, default_value_t = 7)]
    turns: usize,
    /// Also write the results to docs/benchmarks.md
    #[arg(long)]
    save: bool,
}

/// A way of tracing the loop.
struct Tracer {
    name: &'static str,
    /// Calls in a turn: fewer where each takes longer.
    calls: u32,
    /// The command line before the loop's own; `{trace}` is our program, `{dir}` a scratch folder.
    argv: &'static [&'static str],
    /// The loop's command line is passed as one argument.
    quoted: bool,
    /// Bytes that each call of the loop hands over; without any it asks how much a pipe holds, which takes 4 bytes back.
    bytes: Option<&'static str>,
}

const TRACERS: &[Tracer] = &[
    Tracer { name: "plain", calls: 2_000_000, argv: &[], quoted: false, bytes: None },
    Tracer {
        name: "ioctl-trace -c",
        calls: 1_000_000,
        argv: &["{trace}", "-q", "-c", "--"],
        quoted: false,
        bytes: None,
    },
    Tracer {
        name: "ioctl-trace -o x.txt",
        calls: 500_000,
        argv: &["{trace}", "-q", "-o", "{dir}/x.txt", "--"],
        quoted: false,
        bytes: None,
    },
    Tracer {
        name: "ioctl-trace -o x.jsonl",
        calls: 500_000,
        argv: &["{trace}", "-q", "-o", "{dir}/x.jsonl", "--"],
        quoted: false,
        bytes: None,
    },
    Tracer {
        name: "ioctl-trace --max-bytes 0 -o x.txt",
        calls: 500_000,
        argv: &["{trace}", "-q", "--max-bytes", "0", "-o", "{dir}/x.txt", "--"],
        quoted: false,
        bytes: None,
    },
    Tracer { name: "plain, 16 bytes", calls: 500_000, argv: &[], quoted: false, bytes: Some("16") },
    Tracer {
        name: "ioctl-trace -o x.txt, 16 bytes",
        calls: 500_000,
        argv: &["{trace}", "-q", "-o", "{dir}/x.txt", "--"],
        quoted: false,
        bytes: Some("16"),
    },
    Tracer { name: "plain, 208 bytes", calls: 500_000, argv: &[], quoted: false, bytes: Some("208") },
    Tracer {
        name: "ioctl-trace -o x.txt, 208 bytes",
        calls: 500_000,
        argv: &["{trace}", "-q", "-o", "{dir}/x.txt", "--"],
        quoted: false,
        bytes: Some("208"),
    },
    Tracer { name: "plain, 4096 bytes", calls: 500_000, argv: &[], quoted: false, bytes: Some("4096") },
    Tracer {
        name: "ioctl-trace -o x.txt, 4096 bytes",
        calls: 500_000,
        argv: &["{trace}", "-q", "-o", "{dir}/x.txt", "--"],
        quoted: false,
        bytes: Some("4096"),
    },
    // What two programs cost that look at the process and do nothing: the tracepoints themselves.
    Tracer {
        name: "bpftrace, two programs that do nothing",
        calls: 500_000,
        argv: &[
            "bpftrace",
            "-q",
            "-o",
            "{dir}/bpftrace.txt",
            "-e",
            "tracepoint:syscalls:sys_enter_ioctl /pid == 1/ { @a = 1; } tracepoint:syscalls:sys_exit_ioctl /pid == 1/ { @a = 2; }",
            "-c",
        ],
        quoted: true,
        bytes: None,
    },
    Tracer {
        name: "bpftrace count",
        calls: 500_000,
        argv: &[
            "bpftrace",
            "-q",
            "-o",
            "{dir}/bpftrace.txt",
            "-e",
            "tracepoint:syscalls:sys_enter_ioctl /pid == cpid/ { @b[tid] = nsecs; } tracepoint:syscalls:sys_exit_ioctl /@b[tid]/ { @n[comm] = count(); @t = hist(nsecs - @b[tid]); delete(@b[tid]); }",
            "-c",
        ],
        quoted: true,
        bytes: None,
    },
    Tracer {
        name: "bpftrace printf",
        calls: 200_000,
        argv: &[
            "bpftrace",
            "-q",
            "-o",
            "{dir}/bpftrace.txt",
            "-e",
            "tracepoint:syscalls:sys_enter_ioctl /pid == cpid/ { @b[tid] = nsecs; } tracepoint:syscalls:sys_exit_ioctl /@b[tid]/ { printf(\"%s %d %d %lld\\n\", comm, tid, args->ret, nsecs - @b[tid]); delete(@b[tid]); }",
            "-c",
        ],
        quoted: true,
        bytes: None,
    },
    Tracer {
        name: "perf trace",
        calls: 200_000,
        argv: &["perf", "trace", "-e", "ioctl", "-o", "{dir}/perf.txt", "--"],
        quoted: false,
        bytes: None,
    },
    Tracer {
        name: "strace -c",
        calls: 20_000,
        argv: &["strace", "-f", "-c", "-e", "trace=ioctl", "-o", "{dir}/strace.txt"],
        quoted: false,
        bytes: None,
    },
    Tracer {
        name: "strace",
        calls: 20_000,
        argv: &["strace", "-f", "-e", "trace=ioctl", "-o", "{dir}/strace.txt"],
        quoted: false,
        bytes: None,
    },
    Tracer {
        name: "strace --seccomp-bpf",
        calls: 20_000,
        argv: &["strace", "-f", "--seccomp-bpf", "-e", "trace=ioctl", "-o", "{dir}/strace.txt"],
        quoted: false,
        bytes: None,
    },
];

const PROGRAMS: &[(&str, &str)] = &[("strace", "strace"), ("bpftrace", "bpftrace"), ("perf", "linux-perf")];

/// Builds, measures and prints.
///
/// # Errors
/// When something cannot be built or run.
pub fn bench(args: &BenchArgs) -> Result<()> {
    setup::setup()?;
    install_missing("the benchmark", PROGRAMS)?;
    loudly(cargo().args(["build", "--quiet", "--release", "-p", "ioctl-trace", "--bins", "--examples"]))?;
    let release = sh::target().join("release");
    let scratch = tempfile::tempdir()?;
    let bench = Bench {
        trace: release.join("ioctl-trace"),
        load: release.join("examples/exerciser"),
        dir: scratch.path().into(),
    };
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); TRACERS.len()];
    for turn in 1..=args.turns {
        eprintln!("xtask: turn {turn} of {}", args.turns);
        for (tracer, times) in TRACERS.iter().zip(&mut times) {
            times.push(bench.turn(tracer).with_context(|| tracer.name)?);
        }
    }
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
    let start = median(&mut (0..args.turns).map(|_| bench.first_call_ms()).collect::<Result<Vec<_>>>()?);
    let report = report(&medians, start, args.turns);
    print(&report);
    if args.save {
        let docs = sh::root().join("docs");
        fs::create_dir_all(&docs)?;
        fs::write(docs.join("benchmarks.md"), report)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the results are this command's output")]
fn print(report: &str) {
    println!("{report}");
}

struct Bench {
    trace: PathBuf,
    load: PathBuf,
    dir: PathBuf,
}

impl Bench {
    /// Nanoseconds per call of the loop under a tracer.
    fn turn(&self, tracer: &Tracer) -> Result<f64> {
        let fill = |text: &str| {
            text.replace("{trace}", &self.trace.to_string_lossy())
                .replace("{dir}", &self.dir.to_string_lossy())
        };
        let mut load = vec![self.load.to_string_lossy().into_owned()];
        match tracer.bytes {
            Some(bytes) => load.extend(["--loop-sized".to_owned(), bytes.to_owned()]),
            None => load.push("--loop".to_owned()),
        }
        load.push(tracer.calls.to_string());
        let mut argv: Vec<String> = tracer.argv.iter().map(|arg| fill(arg)).collect();
        if tracer.quoted {
            argv.push(load.join(" "))
        } else {
            argv.extend(load)
        }
        let (program, rest) = argv.split_first().context("empty command")?;
        let output = Command::new(program).args(rest).stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let nanos: Option<f64> = text.lines().find_map(|line| line.trim().parse().ok());
        match nanos {
            Some(nanos) => Ok(nanos / f64::from(tracer.calls)),
            None => bail!("{argv:?} printed no time: {text}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Milliseconds from starting the program to the first line it shows of a process that calls all the time.
    fn first_call_ms(&self) -> Result<f64> {
        let mut load = Command::new(&self.load).arg("--forever").spawn()?;
        let shown =
            first_byte(Command::new(&self.trace).args(["-q", "--no-tui", "-p", &load.id().to_string()]));
        load.kill()?;
        load.wait()?;
        Ok(shown?.as_secs_f64() * 1e3)
    }
}

/// Time from starting a command to the first byte it writes; waits for its end.
fn first_byte(command: &mut Command) -> Result<Duration> {
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut out = child.stdout.take().context("no output")?;
    out.read_exact(&mut [0])?;
    let elapsed = begin.elapsed();
    // A closed output is what ends the program.
    drop(out);
    child.wait()?;
    Ok(elapsed)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn version(program: &str, args: &[&str]) -> String {
    output_of(program, args).and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default()
}

fn report(medians: &[f64], start_ms: f64, turns: usize) -> String {
    // Against the same load without a tracer.
    let added = |name: &str| {
        let rows = || TRACERS.iter().zip(medians);
        let Some((tracer, ns)) = rows().find(|(t, _)| t.name == name) else { return f64::NAN };
        let plain = rows().find(|(t, _)| t.argv.is_empty() && t.bytes == tracer.bytes);
        plain.map_or(f64::NAN, |(_, plain)| ns - plain)
    };
    let ours = added("ioctl-trace -c");
    let mut text = format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench --save`. The load is one thread that calls `ioctl(pipe, FIONREAD)` in a loop; it times\n\
         itself. Rows with a number of bytes are of a load that hands over as many with an unknown request. All tracers ran in turns within one run; each figure is the median of {turns} turns.\n\n\
         - Machine: {}, {} CPUs, Linux {}\n- {}\n- {}\n- {}\n\n\
         | tracer | ns per call | added | added, relative to `ioctl-trace -c` |\n|---|---:|---:|---:|\n",
        cpu_model(),
        std::thread::available_parallelism().map_or(0, usize::from),
        version("uname", &["-r"]),
        version("strace", &["--version"]),
        version("bpftrace", &["--version"]),
        version("perf", &["--version"]),
    );
    for (tracer, &ns) in TRACERS.iter().zip(medians) {
        let added = added(tracer.name);
        // Writing to a string cannot fail.
        let _ = if tracer.argv.is_empty() {
            writeln!(text, "| {} | {ns:.0} | | |", tracer.name)
        } else {
            writeln!(text, "| {} | {ns:.0} | {added:.0} | {:.2} |", tracer.name, added / ours)
        };
    }
    let _ = writeln!(text, "\nStart of `ioctl-trace -p PID` to the first line: {start_ms:.0} ms.\n");
    let rows: Vec<_> =
        TRACERS.iter().zip(medians).map(|(t, ns)| json!({"tracer": t.name, "ns_per_call": ns})).collect();
    let _ = writeln!(
        text,
        "```json\n{}\n```",
        json!({"load": "FIONREAD on a pipe", "turns": turns, "start_ms": start_ms, "results": rows})
    );
    text
}

fn cpu_model() -> String {
    let info = fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, m)| m.to_owned()));
    model.unwrap_or_else(|| "unknown".to_owned())
}
