//! `cargo xtask vm`: real drivers and their clients on Debian's kernels, in emulated machines.

mod arch;
mod fields;
mod judge;
mod kernel;
mod live;
mod machine;
mod scenario;
mod strace;
mod table;
mod userland;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use self::{
    arch::Arch,
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
    /// Run the live tests
    Test {
        /// Only on this kernel
        #[arg(long)]
        kernel: Option<Version>,
        /// Names of tests, and arguments of their program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        tests: Vec<String>,
    },
    /// Run what tests registry, records and decoding for arm64, in no machine: QEMU translates the programs
    Units,
    /// Run the small set of scenarios on every kernel
    Ci,
    /// Run all scenarios on every kernel and write docs/zoo.md
    Zoo {
        /// Judge the results of the last runs, without running anything
        #[arg(long)]
        again: bool,
    },
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
            let outcomes =
                run(&scenarios, &versions(*kernel), *again, &scenario::packages(&scenario::all()?))?;
            summary(&outcomes)
        }
        VmCommand::Zoo { again } => {
            let scenarios = scenario::all()?;
            let outcomes = run(&scenarios, &Version::ALL, *again, &scenario::packages(&scenarios))?;
            table::write(&scenarios, &outcomes)?;
            summary(&outcomes)
        }
        VmCommand::Ci => {
            let mut scenarios = scenario::all()?;
            scenarios.retain(|scenario| scenario.small);
            summary(&run(&scenarios, &Version::ALL, false, &scenario::packages(&scenarios))?)
        }
        VmCommand::Test { kernel, tests } => live::test(&versions(*kernel), tests),
        VmCommand::Units => live::units(),
        VmCommand::Shell { scenario, kernel } => {
            let chosen = scenario::chosen(scenario.as_slice())?;
            shell(scenario.is_some().then(|| chosen.first()).flatten(), *kernel)
        }
    }
}

fn versions(only: Option<Version>) -> Vec<Version> {
    only.map_or_else(|| Version::ALL.to_vec(), |version| vec![version])
}

/// Where kernels, trees and results are.
fn cache() -> PathBuf {
    sh::target().join("vm")
}

/// The tracer of an architecture.
fn tracer(arch: Arch) -> PathBuf {
    arch.programs().join("ioctl-trace")
}

/// Builds the one that judges, and those that go into machines.
fn build(versions: &[Version]) -> Result<()> {
    setup::setup()?;
    let arguments = ["build", "--quiet", "--release", "--package", "ioctl-trace"];
    loudly(cargo().args(arguments))?;
    if let Some(foreign) = versions.iter().map(|version| version.arch()).find(|arch| *arch != Arch::Amd64) {
        userland::tools(foreign)?;
        loudly(&mut foreign.cargo(&cache(), &arguments)?)?;
    }
    Ok(())
}

/// Where the results of a job are.
fn results(name: &str) -> PathBuf {
    cache().join("results").join(name)
}

/// The file in a job's folder that has the kernel's release.
const RELEASE: &str = "release";

/// A folder for a job, with what every job has.
fn job(name: &str, arch: Arch) -> Result<PathBuf> {
    let job = results(name);
    if job.is_dir() {
        fs::remove_dir_all(&job)?;
    }
    fs::create_dir_all(job.join("out"))?;
    fs::write(job.join("start"), include_str!("../../vm/start"))?;
    fs::write(job.join("client"), include_str!("../../vm/client"))?;
    let tracer = tracer(arch);
    fs::copy(&tracer, job.join("ioctl-trace")).with_context(|| tracer.display().to_string())?;
    Ok(job)
}

/// A boot takes this long at most.
const BOOT: Duration = Duration::from_secs(90);

/// What came of one scenario on one kernel.
struct Outcome {
    scenario: String,
    version: Version,
    /// `uname -r`.
    release: String,
    verdict: Result<Verdict>,
}

impl Outcome {
    fn name(&self) -> String {
        format!("{}/{}", self.version.name(), self.scenario)
    }

    fn passes(&self) -> bool {
        self.verdict.as_ref().is_ok_and(Verdict::passes)
    }
}

/// Runs scenarios, in machines with a tree that has these packages, or judges the last results again.
fn run(
    scenarios: &[Scenario],
    versions: &[Version],
    again: bool,
    packages: &BTreeSet<String>,
) -> Result<Vec<Outcome>> {
    build(versions)?;
    let mut outcomes = Vec::new();
    for version in versions {
        let (kernel, userland) = if again {
            (None, PathBuf::new())
        } else {
            userland::tools(version.arch())?;
            // Unpacking a foreign tree is slow.
            let own = scenario::packages(scenarios);
            let wanted = if version.arch() == Arch::Amd64 { packages } else { &own };
            let userland = userland::with(&cache(), version.arch(), wanted)?;
            (Some(Kernel::fetch(&cache(), *version)?), userland)
        };
        for scenario in scenarios.iter().filter(|scenario| scenario.runs_on(*version)) {
            let (begin, scenario) = (Instant::now(), &scenario.on(version.arch()));
            let folder = results(&format!("{}/{}", version.name(), scenario.name));
            let ran = kernel.as_ref().map_or(Ok(()), |kernel| boot(scenario, *version, kernel, &userland));
            let outcome = Outcome {
                scenario: scenario.name.clone(),
                version: *version,
                verdict: ran.and_then(|()| judge::judge(scenario, &folder, &tracer(Arch::Amd64))),
                release: fs::read_to_string(folder.join(RELEASE)).unwrap_or_default(),
            };
            report(&outcome, begin.elapsed());
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

/// Runs a scenario in a machine.
fn boot(scenario: &Scenario, version: Version, kernel: &Kernel, userland: &Path) -> Result<()> {
    let name = format!("{}/{}", version.name(), scenario.name);
    let job = job(&name, kernel.arch)?;
    fs::write(job.join(RELEASE), &kernel.release)?;
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
    let code = machine.run(&name, limit)?;
    // The tracer is the same for all; results are small.
    fs::remove_file(job.join("ioctl-trace"))?;
    if code != 0 {
        bail!("the job failed ({code}); see {}", job.display());
    }
    Ok(())
}

fn report(outcome: &Outcome, took: Duration) {
    let (name, took) = (outcome.name(), took.as_secs());
    match &outcome.verdict {
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
            for (field, times) in &verdict.other_fields {
                eprintln!("    {times} x {field}");
            }
        }
    }
}

/// The totals; fails if one of them did.
fn summary(outcomes: &[Outcome]) -> Result<()> {
    let judged: Vec<&Verdict> = outcomes.iter().filter_map(|outcome| outcome.verdict.as_ref().ok()).collect();
    let requests: BTreeSet<&String> = judged.iter().flat_map(|verdict| &verdict.requests).collect();
    let total = |of: fn(&Verdict) -> usize| judged.iter().map(|verdict| of(verdict)).sum::<usize>();
    eprintln!(
        "xtask: {} runs: {} calls, {} different requests, {} wrong names, {} of {} arguments decoded",
        outcomes.len(),
        total(|v| v.calls),
        requests.len(),
        total(|v| v.wrong_names),
        total(|v| v.decoded),
        total(|v| v.carrying),
    );
    let failed: Vec<String> =
        outcomes.iter().filter(|outcome| !outcome.passes()).map(Outcome::name).collect();
    if !failed.is_empty() {
        bail!("{} of {} failed: {}", failed.len(), outcomes.len(), failed.join(" "));
    }
    Ok(())
}

fn shell(scenario: Option<&Scenario>, version: Version) -> Result<()> {
    build(&[version])?;
    userland::tools(version.arch())?;
    let userland = userland::with(&cache(), version.arch(), &scenario::packages(&scenario::all()?))?;
    let kernel = Kernel::fetch(&cache(), version)?;
    let job = job("shell", kernel.arch)?;
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
