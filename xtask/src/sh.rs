//! Running other programs.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Whether a program runs and succeeds.
pub fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

/// What a program prints, if it succeeds.
pub fn output_of(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether we are root.
pub fn is_root() -> bool {
    output_of("id", &["-u"]).as_deref() == Some("0")
}

/// A command that runs as root: through sudo if we are not.
pub fn as_root(program: impl AsRef<OsStr>) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}

/// Runs a command of a set-up, which is silent unless it fails: then its last lines are shown.
///
/// # Errors
/// When it cannot be started or fails.
pub fn quietly(what: &str, command: &mut Command) -> Result<()> {
    eprintln!("xtask: {what} …");
    let begin = Instant::now();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    let log = target().join("xtask.log");
    let text = [output.stdout, output.stderr].concat();
    // The log is a convenience; what matters is shown below.
    let _ = fs::create_dir_all(target()).and_then(|()| fs::write(&log, &text));
    if !output.status.success() {
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n");
        bail!("{what}: {} of {command:?}\n{tail}\n(all of it is in {})", output.status, log.display());
    }
    eprintln!("xtask: {what}: done in {:.0?}", begin.elapsed());
    Ok(())
}

/// Runs a command that shows its own progress.
///
/// # Errors
/// When it cannot be started or fails.
pub fn loudly(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{status} of {command:?}");
    }
    Ok(())
}

/// Cargo, in the workspace.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Installs Debian packages whose programs are missing; says which before it does.
///
/// # Errors
/// When there is no apt-get, or it fails.
pub fn install_missing(what: &str, programs: &[(&str, &str)]) -> Result<()> {
    let found = |program: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let mut dirs: Vec<_> = std::env::split_paths(&paths).collect();
        dirs.extend(["/usr/sbin".into(), "/sbin".into()]);
        dirs.iter().any(|dir| dir.join(program).exists())
    };
    let mut missing: Vec<&str> =
        programs.iter().filter(|(p, _)| !found(p)).map(|(_, package)| *package).collect();
    missing.dedup();
    install(what, &missing)
}

/// Installs Debian packages; says which before it does.
///
/// # Errors
/// When there is no apt-get, or it fails.
pub fn install(what: &str, packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !succeeds("apt-get", &["--version"]) {
        bail!("{what} needs these Debian packages, or your system's like them: {}", packages.join(" "));
    }
    eprintln!("xtask: {what}: installing {} with apt-get", packages.join(" "));
    // apt wants a folder for temporary files that its own user can write to.
    let temp = ["/tmp", "/var/tmp"].into_iter().find(|dir| Path::new(dir).is_dir()).unwrap_or("/");
    let apt = |args: &[&str]| {
        let mut command = as_root("env");
        command.args([&format!("TMPDIR={temp}"), "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]);
        command.args(args);
        command
    };
    quietly("apt-get update", &mut apt(&["update"]))?;
    quietly("apt-get install", apt(&["install", "--no-install-recommends"]).args(packages))
}

/// Where cargo's tools are installed: beside what is built.
pub fn tools() -> PathBuf {
    target().join("tools/bin")
}

/// Tools that are libraries alone without a feature.
const FEATURES: [(&str, &str); 1] = [("cargo-about", "cli")];

/// Installs a tool of cargo's in this version, unless it is there. Gives its path.
///
/// # Errors
/// When it cannot be built.
pub fn cargo_tool(tool: &str, version: &str) -> Result<PathBuf> {
    let program = tools().join(tool);
    let name = program.to_string_lossy();
    let there = output_of(&name, &["--version"])
        .or_else(|| output_of(&name, &[tool.strip_prefix("cargo-").unwrap_or(tool), "--version"]));
    if !there.is_some_and(|text| text.ends_with(version)) {
        let mut install = cargo();
        // Its build must not see the settings of this workspace.
        install
            .current_dir("/")
            .args(["install", "--locked", "--force", "--root"])
            .arg(target().join("tools"));
        for (_, feature) in FEATURES.iter().filter(|(of, _)| *of == tool) {
            install.args(["--features", feature]);
        }
        quietly(
            &format!("installing {tool} {version} in target/tools"),
            install.arg(format!("{tool}@{version}")),
        )?;
    }
    Ok(program)
}
