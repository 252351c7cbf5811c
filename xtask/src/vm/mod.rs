//! `cargo xtask vm`: real drivers and their clients on Debian's kernels, in emulated machines.

mod judge;
mod kernel;
mod machine;
mod scenario;
mod strace;
mod userland;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use self::{
    judge::Verdict,
    kernel::{Kernel, Version},
    machine::Machine,
    scenario::Scenario,
};
use crate::{
    setup,
    sh::{self, cargo, loudly},
};

/// What to do with machines.
#[derive(Debug, clap::Subcommand)]
pub enum VmCommand {
    /// List the scenarios
    List,
    /// Run scenarios and judge them: all, if none is named
    Run {
        /// Scenarios, as `list` has them
        scenarios: Vec<String>,
        /// Only on this kernel
        #[arg(long)]
        kernel: Option<Version>,
        /// Judge the results of the last run, without running anything
        #[arg(long)]
        again: bool,
    },
    /// A prompt inside a machine, with the drivers and clients of a scenario (ends with `exit`, or Ctrl-A X)
    Shell {
        /// As `list` has it
        scenario: Option<String>,
        /// The kernel
        #[arg(long, default_value = "6.12")]
        kernel: Version,
    },
    /// Run the small set of scenarios on every kernel
    Ci,
}

/// Does it.
///
/// # Errors
/// When something cannot be made, or a verdict is bad.
pub fn vm(command: &VmCommand) -> Result<()> {
    match command {
        VmCommand::List => {
            for scenario in scenario::all()? {
                eprintln!("{:14} {}: {}", scenario.name, scenario.family, scenario.about);
            }
            Ok(())
        }
        VmCommand::Run { scenarios, kernel, again } => {
            let scenarios = scenario::chosen(scenarios)?;
            run(
                &scenarios,
                &kernel.map_or_else(|| Version::ALL.to_vec(), |version| vec![version]),
                *again,
                false,
            )
        }
        VmCommand::Ci => {
            let mut scenarios = scenario::all()?;
            scenarios.retain(|scenario| scenario.small);
            run(&scenarios, &Version::ALL, false, true)
        }
        VmCommand::Shell { scenario, kernel } => {
            let chosen = scenario::chosen(scenario.as_slice())?;
            shell(scenario.is_some().then(|| chosen.first()).flatten(), *kernel)
        }
    }
}

/// Where kernels, trees and results are.
fn cache() -> PathBuf {
    sh::target().join("vm")
}

/// The tracer that goes into machines.
fn tracer() -> PathBuf {
    sh::target().join("release/ioctl-trace")
}

/// Builds it.
fn build() -> Result<()> {
    setup::setup()?;
    loudly(cargo().args(["build", "--quiet", "--release", "--package", "ioctl-trace"]))
}

/// A folder for a job, with what every job has.
fn job(name: &str) -> Result<PathBuf> {
    let job = cache().join("results").join(name);
    if job.is_dir() {
        fs::remove_dir_all(&job)?;
    }
    fs::create_dir_all(job.join("out"))?;
    fs::write(job.join("start"), include_str!("../../vm/start"))?;
    fs::write(job.join("client"), include_str!("../../vm/client"))?;
    fs::copy(tracer(), job.join("ioctl-trace")).with_context(|| tracer().display().to_string())?;
    Ok(job)
}

/// A boot takes this long at most.
const BOOT: Duration = Duration::from_secs(90);

fn run(scenarios: &[Scenario], versions: &[Version], again: bool, only: bool) -> Result<()> {
    build()?;
    let userland = if again {
        PathBuf::new()
    } else {
        userland::tools()?;
        // One tree for all scenarios, so that the next one needs no other.
        let packages =
            if only { scenario::packages(scenarios) } else { scenario::packages(&scenario::all()?) };
        userland::with(&cache(), &packages)?
    };
    let mut verdicts = Vec::new();
    for version in versions {
        let kernel = (!again).then(|| Kernel::fetch(&cache(), *version)).transpose()?;
        for scenario in scenarios.iter().filter(|scenario| scenario.runs_on(*version)) {
            let name = format!("{}/{}", version.name(), scenario.name);
            let folder = cache().join("results").join(&name);
            let begin = Instant::now();
            let ran = kernel.as_ref().map_or(Ok(()), |kernel| boot(scenario, kernel, &userland, &name));
            let verdict = ran.and_then(|()| judge::judge(scenario, &folder, &tracer()));
            report(&name, &verdict, begin.elapsed());
            verdicts.push((name, verdict));
        }
    }
    summary(&verdicts)
}

/// Runs a scenario in a machine.
fn boot(scenario: &Scenario, kernel: &Kernel, userland: &Path, name: &str) -> Result<()> {
    let job = job(name)?;
    scenario.write(&job)?;
    let devices = scenario.devices(&job);
    let machine = Machine {
        kernel,
        userland,
        job: &job,
        shares: Vec::new(),
        devices: &devices,
        append: &scenario.append,
    };
    let clients = u32::try_from(scenario.clients.len()).unwrap_or(u32::MAX);
    let limit = BOOT + Duration::from_secs(scenario.seconds) * clients;
    let code = machine.run(name, limit)?;
    // The tracer is the same for all; results are small.
    fs::remove_file(job.join("ioctl-trace"))?;
    if code != 0 {
        bail!("the job failed ({code}); see {}", job.display());
    }
    Ok(())
}

fn report(name: &str, verdict: &Result<Verdict>, took: Duration) {
    let took = took.as_secs();
    match verdict {
        Err(error) => eprintln!("xtask: {name}: FAILED after {took} s: {error:#}"),
        Ok(verdict) => {
            let word = if verdict.passes() { "passes" } else { "FAILED" };
            eprintln!(
                "xtask: {name}: {word} in {took} s: {} calls, {} requests, {} of {} arguments decoded",
                verdict.calls,
                verdict.requests.len(),
                verdict.decoded,
                verdict.carrying
            );
            for (problem, times) in &verdict.problems {
                eprintln!("    {times} x {problem}");
            }
            for (request, times) in &verdict.undecoded {
                eprintln!("    {times} x argument of {request} not decoded");
            }
        }
    }
}

/// The totals; fails if one of them did.
fn summary(verdicts: &[(String, Result<Verdict>)]) -> Result<()> {
    let judged: Vec<&Verdict> = verdicts.iter().filter_map(|(_, verdict)| verdict.as_ref().ok()).collect();
    let requests: BTreeSet<&String> = judged.iter().flat_map(|verdict| &verdict.requests).collect();
    let total = |of: fn(&Verdict) -> usize| judged.iter().map(|verdict| of(verdict)).sum::<usize>();
    eprintln!(
        "xtask: {} runs: {} calls, {} different requests, {} wrong names, {} of {} arguments decoded",
        verdicts.len(),
        total(|v| v.calls),
        requests.len(),
        total(|v| v.wrong_names),
        total(|v| v.decoded),
        total(|v| v.carrying),
    );
    let failed: Vec<&str> = verdicts
        .iter()
        .filter(|(_, verdict)| !verdict.as_ref().is_ok_and(Verdict::passes))
        .map(|(name, _)| name.as_str())
        .collect();
    if !failed.is_empty() {
        bail!("{} of {} failed: {}", failed.len(), verdicts.len(), failed.join(" "));
    }
    Ok(())
}

fn shell(scenario: Option<&Scenario>, version: Version) -> Result<()> {
    build()?;
    userland::tools()?;
    let userland = userland::with(&cache(), &scenario::packages(&scenario::all()?))?;
    let kernel = Kernel::fetch(&cache(), version)?;
    let job = job("shell")?;
    let mut script = String::from("PATH=$PATH:/job\n");
    for module in scenario.into_iter().flat_map(|scenario| &scenario.modules) {
        script += &format!("modprobe {module}\n");
    }
    if let Some(scenario) = scenario {
        scenario.write(&job)?;
        script += "sh /job/setup.sh\n";
    }
    script += "setsid -c bash -i </dev/ttyS0 >/dev/ttyS0 2>&1\n";
    fs::write(job.join("job"), script)?;
    let devices = scenario.map(|scenario| scenario.devices(&job)).unwrap_or_default();
    let append = scenario.map(|scenario| scenario.append.as_str()).unwrap_or_default();
    Machine { kernel: &kernel, userland: &userland, job: &job, shares: Vec::new(), devices: &devices, append }
        .interactive()
}
