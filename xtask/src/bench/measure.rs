//! Runs a load under a tracer, and the program by itself.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::rows::{How, Load, Tracer};
use crate::sh::{self, output_of};

/// The programs, and where they may write.
pub struct Bench {
    trace: PathBuf,
    floor: PathBuf,
    exerciser: PathBuf,
    dir: PathBuf,
}

/// A load under a tracer, once.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Nanoseconds for each call of each thread.
    pub ns: f64,
    /// Calls that the tracer says it lost.
    pub lost: Option<u64>,
    /// KiB that the tracer had in memory at most while the load ran.
    pub resident: Option<u64>,
    /// From the load's end to the tracer's.
    pub after: Duration,
}

impl Bench {
    /// With what was built for release.
    pub fn new(dir: &Path) -> Self {
        let release = sh::target().join("release");
        Self {
            trace: release.join("ioctl-trace"),
            floor: release.join("examples/floor"),
            exerciser: release.join("examples/exerciser"),
            dir: dir.into(),
        }
    }

    /// A load under a tracer.
    pub fn turn(&self, load: &Load, tracer: &Tracer) -> Result<Turn> {
        let calls = tracer.calls.min(load.most);
        let mut of_load = vec![self.exerciser.to_string_lossy().into_owned()];
        of_load.extend(load.args.iter().map(|word| (*word).to_owned()));
        of_load.push(calls.to_string());
        let turn = match tracer.how {
            How::Alone => self.timed(&of_load),
            How::Before(words) => self.timed(&[self.filled(words, load, 0), of_load].concat()),
            How::Quoted(words) => {
                let mut words = self.filled(words, load, 0);
                words.push(of_load.join(" "));
                self.timed(&words)
            }
            How::Beside(words) => {
                let mut sleeping = Command::new("sleep").arg("600").spawn()?;
                let turn = self.beside(&self.filled(words, load, sleeping.id()), &of_load, &mut sleeping);
                end(&mut sleeping)?;
                turn
            }
        };
        // What it wrote takes memory.
        for entry in fs::read_dir(&self.dir)? {
            fs::remove_file(entry?.path())?;
        }
        let turn = turn?;
        Ok(Turn { ns: turn.ns / f64::from(calls), ..turn })
    }

    fn filled(&self, words: &[&str], load: &Load, pid: u32) -> Vec<String> {
        let [begin, end] = load.bytes.map(|bytes| bytes.to_string());
        let fill = |word: &&str| {
            word.replace("{trace}", &self.trace.to_string_lossy())
                .replace("{floor}", &self.floor.to_string_lossy())
                .replace("{dir}", &self.dir.to_string_lossy())
                .replace("{pid}", &pid.to_string())
                .replace("{in}", &begin)
                .replace("{out}", &end)
        };
        words.iter().map(fill).collect()
    }

    /// Runs a command that prints how long it took; the time is that of all calls.
    fn timed(&self, words: &[String]) -> Result<Turn> {
        let (program, rest) = words.split_first().context("no command")?;
        let errors = self.dir.join("errors");
        let mut child = Command::new(program)
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?)
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        let (mut nanos, mut ended, mut resident) = (None, Instant::now(), None);
        for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
            if let Ok(value) = line?.trim().parse::<f64>() {
                (nanos, ended, resident) = (Some(value), Instant::now(), most_resident(child.id()));
            }
        }
        let status = child.wait()?;
        let after = ended.elapsed();
        let said = fs::read_to_string(&errors).unwrap_or_default();
        match nanos {
            Some(ns) if status.success() => Ok(Turn { ns, lost: lost(&said), resident, after }),
            _ => bail!("{words:?}: {status}: {said}"),
        }
    }

    /// Times a load while a command traces a process that sleeps, whose end ends it.
    fn beside(&self, tracer: &[String], load: &[String], sleeping: &mut Child) -> Result<Turn> {
        let (program, rest) = tracer.split_first().context("no command")?;
        let mut tracing = Command::new(program)
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut said = BufReader::new(tracing.stderr.take().context("no output")?);
        let mut greeting = String::new();
        said.read_line(&mut greeting)?;
        let turn = if greeting.contains("tracing process") {
            self.timed(load)
        } else {
            Err(anyhow::anyhow!("{tracer:?}: {greeting}"))
        };
        end(sleeping)?;
        said.read_to_string(&mut greeting)?;
        tracing.wait()?;
        turn
    }

    /// Milliseconds from starting the program to the first line it shows of a process that calls all the time.
    pub fn first_call_ms(&self) -> Result<f64> {
        let mut load = Command::new(&self.exerciser).arg("--forever").spawn()?;
        let pid = load.id().to_string();
        let shown = first_byte(Command::new(&self.trace).args(["-q", "--no-tui", "-p", &pid]));
        end(&mut load)?;
        Ok(shown?.as_secs_f64() * 1e3)
    }

    /// The program that measures the dashboard.
    pub fn dashboard(&self) -> PathBuf {
        self.exerciser.with_file_name("dashboard")
    }

    /// Bytes of the program without its symbols.
    pub fn stripped_bytes(&self) -> Result<u64> {
        let stripped = self.dir.join("stripped");
        let (from, to) = (self.trace.to_string_lossy(), stripped.to_string_lossy());
        output_of("strip", &["-o", &to, &from]).context("strip fails")?;
        let bytes = fs::metadata(&stripped)?.len();
        fs::remove_file(stripped)?;
        Ok(bytes)
    }
}

fn end(child: &mut Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
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

/// KiB that a process has had in memory at most.
fn most_resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    value.split_whitespace().next()?.parse().ok()
}

/// The number of last words such as `… in 1.2s, 5 failed, 7 lost`.
fn lost(said: &str) -> Option<u64> {
    let mut parts = said.lines().flat_map(|line| line.split([',', ':']));
    parts.find_map(|part| part.trim().strip_suffix(" lost")?.parse().ok())
}
