//! The live tests on other kernels: the test program that was built here runs in a machine that sees the workspace where it
//! is here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::{
    arch::Arch,
    cache, job,
    kernel::{Kernel, Version},
    machine::{Machine, Share},
    userland,
};
use crate::{setup, sh, test};

/// An emulated machine takes this long at most.
const LIMIT: Duration = Duration::from_secs(3_000);

/// What they trace.
const EXAMPLES: [&str; 3] = ["exerciser", "hostile", "sweep"];

/// Runs the tests, all or those of some names, on some kernels.
///
/// # Errors
/// When they cannot be run, or one fails.
pub fn test(versions: &[Version], arguments: &[String]) -> Result<()> {
    setup::setup()?;
    let mut failed = Vec::new();
    for version in versions {
        userland::tools(version.arch())?;
        let programs = build(version.arch())?;
        let for_windows = if version.arch() == Arch::Amd64 { test::FOR_WINDOWS } else { &[] };
        let tested = test::PROGRAMS.iter().chain(for_windows).map(|(_, package)| package);
        let packages =
            tested.chain(version.arch().compilers()).map(|package| (*package).to_owned()).collect();
        let userland = userland::with(&cache(), version.arch(), &packages)?;
        let kernel = Kernel::fetch(&cache(), *version)?;
        let name = format!("{}/live tests", version.name());
        let job = job(&format!("{}/live-tests", version.name()), kernel.arch)?;
        fs::write(job.join("job"), script(&programs.test, arguments))?;
        let shares = vec![
            Share { tag: "workspace", folder: sh::root(), writable: false },
            Share { tag: "target", folder: programs.copied(&job)?, writable: false },
        ];
        let machine =
            Machine { kernel: &kernel, userland: &userland, job: &job, shares, devices: &[], append: "" };
        if machine.run(&name, LIMIT)? != 0 {
            failed.push(format!("{}: see {}", version.name(), job.join("out/tests").display()));
        }
    }
    if !failed.is_empty() {
        bail!("live tests failed on {}", failed.join(", "));
    }
    Ok(())
}

/// Runs the tests of libraries for arm64.
///
/// # Errors
/// When they cannot be built, or one fails.
pub fn units() -> Result<()> {
    setup::setup()?;
    let arch = Arch::Arm64;
    userland::tools(arch)?;
    let packages = ["ioctl-registry", "ioctl-trace-ebpf", "ioctl-trace"];
    let arguments: Vec<&str> = ["test", "--release", "--lib"]
        .into_iter()
        .chain(packages.iter().flat_map(|package| ["--package", package]))
        .collect();
    let mut tests = arch.cargo(&cache(), &arguments)?;
    // The translator has no seccomp.
    tests.args(["--", "--skip", "nothing_is_started_behind_the_fence"]);
    let runner = "qemu-aarch64-static -L /usr/aarch64-linux-gnu";
    sh::loudly(tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner))
}

/// What the tests run.
struct Programs {
    /// The test program.
    test: PathBuf,
    /// All.
    all: Vec<PathBuf>,
}

impl Programs {
    /// A folder with copies of them, which stay what they are while others are built.
    fn copied(&self, job: &Path) -> Result<PathBuf> {
        let folder = job.join("target");
        for program in &self.all {
            let copy = folder.join(program.strip_prefix(sh::target())?);
            fs::create_dir_all(copy.parent().unwrap_or(&folder))?;
            fs::copy(program, &copy).with_context(|| program.display().to_string())?;
        }
        Ok(folder)
    }
}

/// Builds the test program and the programs that it traces: optimised, since what is emulated is slow enough.
fn build(arch: Arch) -> Result<Programs> {
    let traced = EXAMPLES.iter().flat_map(|name| ["--example", name]);
    let arguments: Vec<&str> = ["build", "--bin", "ioctl-trace"].into_iter().chain(traced).collect();
    let mut all = built(arch, &arguments)?;
    let tests = built(arch, &["test", "--no-run", "--test", "live"])?;
    let is_test = |program: &&PathBuf| {
        program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("live-"))
    };
    let test = tests.iter().find(is_test).context("cargo built no test program")?.clone();
    all.extend(tests);
    Ok(Programs { test, all })
}

/// Runs cargo; gives the programs that it says it has built.
fn built(arch: Arch, arguments: &[&str]) -> Result<Vec<PathBuf>> {
    let mut command = arch.cargo(&cache(), arguments)?;
    command.args(["--quiet", "--release", "--package", "ioctl-trace", "--message-format=json"]);
    let output = command.stderr(Stdio::inherit()).output().context("cargo")?;
    if !output.status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let artifacts = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    Ok(artifacts.filter_map(|artifact| Some(PathBuf::from(artifact["executable"].as_str()?))).collect())
}

/// The test after which nothing works in a machine.
const LAST: &str = "the_kernel_is_locked_down";

/// What the machine does: workspace and programs are mounted where the test program has been told that it is.
fn script(program: &Path, arguments: &[String]) -> String {
    let (root, target) = (sh::root(), sh::target());
    let mount = |tag: &str, path: &Path| {
        let path = path.display();
        format!(
            "mkdir -p '{path}' && mount -t 9p -o ro,cache=loose,trans=virtio,version=9p2000.L,msize=512000 {tag} '{path}'\n"
        )
    };
    // Debian's kernels want more than CAP_PERFMON at the level that they start with.
    // Without udev there are no nodes that load their modules when they are opened.
    let script = String::from("modprobe -a loop tun\nsysctl -qw kernel.perf_event_paranoid=2\n")
        + &mount("workspace", &root)
        + &mount("target", &target);
    let program = |arguments: &str| format!("'{}' --test-threads 1 {arguments}", program.display());
    let tests = if arguments.is_empty() {
        format!("{} && {}", program(&format!("--skip {LAST}")), program(LAST))
    } else {
        let words = arguments.iter().map(|word| format!("'{}'", word.replace('\'', "")));
        program(&words.collect::<Vec<_>>().join(" "))
    };
    script
        + &format!(
            "cd '{}'\n\
             {{ {{ {tests}; }} 2>&1; echo $? >/run/tests.rc; }} | tee /job/out/tests | sed -u 's/^/:: /'\n\
             (exit $(cat /run/tests.rc))\n",
            root.join("tracer").display(),
        )
}
