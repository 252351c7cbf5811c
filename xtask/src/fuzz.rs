//! Fuzzing: what is kept of earlier runs once more, or new inputs for as long as one likes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    setup,
    sh::{self, cargo_tool, loudly, quietly, succeeds},
};

/// The tool that builds with sanitizers.
const TOOL: (&str, &str) = ("cargo-fuzz", "0.13.2");
/// Where targets are.
pub const FOLDERS: [&str; 2] = ["registry", "tracer"];

/// Options of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub struct FuzzArgs {
    /// Only these targets
    targets: Vec<String>,
    /// Look for new inputs for so long, each; without it, those that are kept run once
    #[arg(long, default_value_t = 0)]
    minutes: u32,
}

/// A target: the folder of its package, and its name.
struct Target {
    folder: PathBuf,
    name: String,
}

/// Runs targets, one after another.
///
/// # Errors
/// When one finds something, or cannot be built.
pub fn fuzz(args: &FuzzArgs) -> Result<()> {
    setup::setup()?;
    if !succeeds("rustup", &["run", "nightly", "rustc", "--version"]) {
        let mut install = Command::new("rustup");
        quietly("installing a nightly compiler", install.args(["toolchain", "install", "nightly"]))?;
    }
    let tool = cargo_tool(TOOL.0, TOOL.1)?;
    let all = targets()?;
    if let Some(name) = args.targets.iter().find(|name| all.iter().all(|target| target.name != **name)) {
        let known: Vec<_> = all.iter().map(|target| target.name.as_str()).collect();
        bail!("there is no target `{name}`; there are {}", known.join(", "));
    }
    for target in all.iter().filter(|it| args.targets.is_empty() || args.targets.contains(&it.name)) {
        // What is found new is not for the repository as it is: there is too much of it.
        let found = sh::target().join("fuzz").join(&target.name);
        fs::create_dir_all(&found).with_context(|| found.display().to_string())?;
        let kept = target.folder.join("fuzz/seeds").join(&target.name);
        eprintln!("xtask: fuzzing {}", target.name);
        let mut run = Command::new("rustup");
        run.args(["run", "nightly", "cargo"]);
        run.current_dir(&target.folder).env("CARGO_TARGET_DIR", sh::target().join("fuzz/build"));
        run.env("PATH", with_tools(&tool)?);
        run.args(["fuzz", "run", &target.name]).arg(&found);
        run.args(kept.is_dir().then_some(&kept)).args(["--", "-rss_limit_mb=3000"]);
        run.arg(match args.minutes {
            0 => "-runs=0".to_owned(),
            minutes => format!("-max_total_time={}", u64::from(minutes) * 60),
        });
        loudly(&mut run)?;
    }
    Ok(())
}

/// The search path, with the folder of the tool in front.
fn with_tools(tool: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = tool.parent().map(Path::to_path_buf);
    Ok(std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path)))?)
}

/// Every target there is.
fn targets() -> Result<Vec<Target>> {
    let mut all = Vec::new();
    for folder in FOLDERS {
        let folder = sh::root().join(folder);
        for entry in fs::read_dir(folder.join("fuzz/fuzz_targets"))? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).context("a name")?.to_owned();
            all.push(Target { folder: folder.clone(), name });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}
