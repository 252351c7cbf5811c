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
    cache, job,
    kernel::{Kernel, Version},
    machine::{Machine, Share},
    userland,
};
use crate::{
    setup,
    sh::{self, cargo, loudly},
    test,
};

/// An emulated machine takes this long at most.
const LIMIT: Duration = Duration::from_secs(3_000);

/// What 32-bit test programs are built with.
const COMPILER: &str = "gcc";

/// Runs the tests, all or those of some names, on some kernels.
///
/// # Errors
/// When they cannot be run, or one fails.
pub fn test(versions: &[Version], arguments: &[String]) -> Result<()> {
    setup::setup()?;
    loudly(cargo().args(["build", "--quiet", "--release", "--package", "ioctl-trace"]))?;
    let program = build()?;
    userland::tools()?;
    let packages = test::PROGRAMS.iter().map(|(_, package)| *package).chain([COMPILER]);
    let userland = userland::with(&cache(), &packages.map(str::to_owned).collect())?;
    let mut failed = Vec::new();
    for version in versions {
        let kernel = Kernel::fetch(&cache(), *version)?;
        let name = format!("{}/live tests", version.name());
        let job = job(&format!("{}/live-tests", version.name()))?;
        fs::write(job.join("job"), script(&program, arguments))?;
        let mut shares = vec![Share { tag: "workspace", folder: sh::root(), writable: false }];
        if !sh::target().starts_with(sh::root()) {
            shares.push(Share { tag: "target", folder: sh::target(), writable: false });
        }
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

/// Builds the test program and the programs that it traces.
fn build() -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--package", "ioctl-trace", "--no-run", "--message-format=json"]);
    command.args(["--test", "live", "--examples", "--bins"]);
    let output = command.stderr(Stdio::inherit()).output().context("cargo test")?;
    if !output.status.success() {
        bail!("the tests cannot be built");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let artifacts = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = artifacts.filter(|it| it["target"]["name"] == "live" && it["executable"].is_string());
    let program = programs.next().context("cargo built no test program")?;
    Ok(PathBuf::from(program["executable"].as_str().unwrap_or_default()))
}

/// What the machine does: the workspace is mounted where the test program has been told that it is.
fn script(program: &Path, arguments: &[String]) -> String {
    let (root, target) = (sh::root(), sh::target());
    let mount = |tag: &str, path: &Path| {
        let path = path.display();
        format!(
            "mkdir -p '{path}' && mount -t 9p -o ro,cache=loose,trans=virtio,version=9p2000.L,msize=512000 {tag} '{path}'\n"
        )
    };
    // Without udev there are no nodes that load their modules when they are opened.
    let mut script = String::from("modprobe -a loop tun\n") + &mount("workspace", &root);
    if !target.starts_with(&root) {
        script += &mount("target", &target);
    }
    let words: Vec<String> = arguments.iter().map(|word| format!("'{}'", word.replace('\'', ""))).collect();
    script
        + &format!(
            "cd '{}'\n\
             {{ '{}' --test-threads 1 {} 2>&1; echo $? >/run/tests.rc; }} | tee /job/out/tests | sed -u 's/^/:: /'\n\
             (exit $(cat /run/tests.rc))\n",
            root.join("tracer").display(),
            program.display(),
            words.join(" ")
        )
}
