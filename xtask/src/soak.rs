//! Tracing for a long time: a load that never ends, tracers that come and go beside one that stays. What must not grow is
//! measured, and what was called is counted on both sides.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    setup,
    sh::{self, as_root, cargo, install_missing, loudly, output_of},
};

/// Options of `cargo xtask soak`.
#[derive(Debug, clap::Args)]
pub struct SoakArgs {
    /// How long, at least
    #[arg(long, default_value_t = 30)]
    minutes: u32,
    /// Also write the figures to docs/soak.md
    #[arg(long)]
    save: bool,
}

/// The rest between calls that fail, in microseconds.
const REST: u32 = 500;
/// So many of them are made by one process, in a minute or so.
const CALLS: u64 = 100_000;
/// Calls that succeed, at once, in each round.
const BURST: u64 = 20_000;
/// What comes and goes: how the load is traced in a round.
const ROUNDS: [&[&str]; 6] = [
    &["-c"],
    &["-o", "round.iotrace"],
    &["-o", "round.parquet"],
    &["-o", "round.csv.zst", "-k"],
    &["-o", "round.pftrace", "--filter", "arg.type == 1"],
    &["-C", "-v", "-o", "round.txt"],
];

/// How much of a thing there was, by rounds.
#[derive(Default)]
struct Series(Vec<u64>);

impl Series {
    /// The medians of the second quarter, when all is warm, and of the last one.
    fn ends(&self) -> (u64, u64) {
        let quarter = self.0.len().div_ceil(4);
        let median = |from: usize| {
            let mut part: Vec<_> = self.0.iter().skip(from).take(quarter).copied().collect();
            part.sort_unstable();
            part.get(part.len() / 2).copied().unwrap_or_default()
        };
        (median(quarter), median(self.0.len().saturating_sub(quarter)))
    }
}

/// Runs it.
///
/// # Errors
/// When something grows, is not accounted for or makes the kernel complain.
pub fn soak(args: &SoakArgs) -> Result<()> {
    setup::setup()?;
    install_missing("the soak", &[("dmesg", "util-linux")])?;
    loudly(cargo().args(["build", "--quiet", "--release", "-p", "ioctl-trace", "--bins", "--examples"]))?;
    let folder = tempfile::Builder::new().prefix("soak-").tempdir_in("/tmp")?;
    fs::copy(sh::target().join("release/examples/exerciser"), folder.path().join(LOAD))?;
    let complaints = warnings()?;
    let mut stays = attach(folder.path(), &STAYS)?;
    let load = || -> Result<Running> {
        let mut load = load_program(folder.path());
        Ok(Running(load.args(["--loop-resting", &REST.to_string(), &CALLS.to_string()]).spawn()?))
    };
    let begin = Instant::now();
    let (mut memory, mut files, mut rounds) = (Series::default(), Series::default(), 0_u64);
    let (mut made, mut said) = (0, Instant::now());
    while begin.elapsed() < Duration::from_secs(60 * u64::from(args.minutes)) {
        let mut load = load()?;
        made += CALLS;
        while load.0.try_wait()?.is_none() {
            let how = ROUNDS.iter().cycle().nth(usize::try_from(rounds)?).copied().unwrap_or_default();
            let done = round(folder.path(), load.0.id(), how, &mut made);
            rounds += 1;
            if load.0.try_wait()?.is_none() {
                // Otherwise the tracer was ending by itself when it was told to.
                done?;
            }
            memory.0.push(resident(stays.0.id())?);
            files.0.push(fs::read_dir(format!("/proc/{}/fd", stays.0.id()))?.count() as u64);
            if said.elapsed() > Duration::from_secs(60) {
                said = Instant::now();
                eprintln!("xtask: {rounds} rounds in {:.0?}, {:?} KiB", begin.elapsed(), memory.0.last());
            }
        }
    }
    let words = interrupt(&mut stays)?;
    let count = |word: &str| number_before(&words, word);
    let (shown, filtered, lost) = (count(" calls in "), count(" filtered out"), count(" lost"));
    let new: Vec<_> = warnings()?.into_iter().filter(|line| !complaints.contains(line)).collect();
    let ((rss, rss_end), (fds, fds_end)) = (memory.ends(), files.ends());
    let report = format!(
        "| | |\n|---|---:|\n| minutes | {} |\n| tracers attached and detached | {rounds} |\n| calls made | {made} |\n\
         | of these delivered | {shown} |\n| filtered out | {filtered} |\n| lost, and counted | {lost} |\n\
         | unexplained | {} |\n| memory of the tracer that stays, warm | {rss} KiB |\n| and at the end | {rss_end} KiB |\n\
         | its descriptors, warm | {fds} |\n| and at the end | {fds_end} |\n| new warnings of the kernel | {} |\n",
        begin.elapsed().as_secs() / 60,
        made.abs_diff(shown + filtered + lost),
        new.len(),
    );
    eprint!("{report}");
    if args.save {
        let path = sh::root().join("docs/soak.md");
        fs::write(path, format!("{HEAD}{report}"))?;
    }
    ensure!(shown + filtered + lost == made, "calls are not accounted for: {words}");
    ensure!(rss_end <= rss + rss / 20 + 1_024, "memory grows: {:?}", memory.0);
    ensure!(fds_end <= fds, "descriptors grow: {:?}", files.0);
    ensure!(new.is_empty(), "the kernel complains: {new:?}");
    Ok(())
}

const HEAD: &str = "\
# A long time

What `cargo xtask soak --save` measured: more than a thousand calls a second that fail, bursts of 20,000 that succeed, and short-lived processes,
under one tracer of the whole machine that writes JSON lines of what fails, while others are attached to the load and
detached, with every kind of output.

";

/// The tracer that stays.
const STAYS: [&str; 8] = ["-a", "--comm", LOAD, "--filter", "ret < 0", "-o", "/dev/null", "--format=jsonl"];

/// What the load is called: nothing else on the machine is, or its calls would be counted too.
const LOAD: &str = "soak-load";

fn load_program(folder: &Path) -> Command {
    let mut command = Command::new(folder.join(LOAD));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A program that does not outlive what it was started for.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            // Where that fails it has ended meanwhile.
            let _ = loudly(as_root("kill").arg(self.0.id().to_string()));
            let _ = self.0.wait();
        }
    }
}

/// One tracer comes and goes while calls and processes come in numbers. Those of the burst are added to what was `made`.
fn round(folder: &Path, load: u32, how: &[&str], made: &mut u64) -> Result<()> {
    let pid = load.to_string();
    let mut words = vec!["-p", &pid];
    words.extend(how);
    let mut tracer = attach(folder, &words)?;
    loudly(load_program(folder).args(["--loop", &BURST.to_string()]))?;
    *made += BURST;
    let mut processes = Command::new("sh");
    processes.args(["-c", "for i in 1 2 3 4 5 6 7 8 9 10; do stty -a < /dev/ptmx > /dev/null; done"]);
    loudly(&mut processes)?;
    let words = interrupt(&mut tracer)?;
    ensure!(!words.contains("could not be read") && !words.contains("not read"), "{how:?}: {words}");
    Ok(())
}

/// Starts a tracer, and waits until it is attached.
fn attach(folder: &Path, words: &[&str]) -> Result<Running> {
    let program: PathBuf = sh::target().join("release/ioctl-trace");
    let mut command = as_root(program);
    command.args(["--no-tui", "--buffer", "32M"]).args(words).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut tracer = Running(command.spawn().context("cannot start the tracer")?);
    let mut line = String::new();
    let mut errors = BufReader::with_capacity(1, tracer.0.stderr.take().context("no pipe")?);
    errors.read_line(&mut line)?;
    ensure!(line.contains("tracing "), "it is not attached: {line}");
    tracer.0.stderr = Some(errors.into_inner());
    Ok(tracer)
}

/// Ends a tracer. Gives its last words.
fn interrupt(tracer: &mut Running) -> Result<String> {
    loudly(as_root("kill").args(["-INT", &tracer.0.id().to_string()]))?;
    let mut words = String::new();
    tracer.0.stderr.take().context("no pipe")?.read_to_string(&mut words)?;
    let status = tracer.0.wait()?;
    ensure!(status.success(), "{status}: {words}");
    Ok(words)
}

/// KiB of a process that are in memory.
fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// What the kernel has complained of.
fn warnings() -> Result<Vec<String>> {
    let text = if sh::is_root() {
        output_of("dmesg", &["--level=warn,err,crit,alert,emerg"])
    } else {
        output_of("sudo", &["dmesg", "--level=warn,err,crit,alert,emerg"])
    };
    Ok(text.context("dmesg says nothing")?.lines().map(str::to_owned).collect())
}

/// The number before a word of the last words; 0 if it is not there.
fn number_before(words: &str, word: &str) -> u64 {
    let before = words.split_once(word).map_or("", |(before, _)| before);
    before.rsplit([' ', '\n']).next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}
