//! What we depend on: licences, sources, what is banned or known to be broken; and the oldest compiler that we name.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    setup,
    sh::{self, loudly, output_of, quietly},
};

/// The tool, whose settings are in deny.toml.
const DENY: (&str, &str) = ("cargo-deny", "0.20.2");

/// Options of `cargo xtask audit`.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// Look for known weaknesses too, in the RustSec database, which is fetched from GitHub
    #[arg(long)]
    advisories: bool,
}

/// Checks all of it.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn audit(args: &AuditArgs) -> Result<()> {
    setup::setup()?;
    let deny = sh::cargo_tool(DENY.0, DENY.1)?;
    let mut checks = vec!["--workspace", "--locked", "check", "bans", "licenses", "sources"];
    checks.extend(args.advisories.then_some("advisories"));
    loudly(Command::new(deny).current_dir(sh::root()).args(checks))?;
    let manifest: toml::Table = fs::read_to_string(sh::root().join("Cargo.toml"))?.parse()?;
    let package = manifest.get("workspace").and_then(|it| it.get("package"));
    let oldest = package.and_then(|it| it.get("rust-version")).and_then(toml::Value::as_str);
    let oldest = oldest.context("Cargo.toml names no rust-version")?;
    let ours = output_of("rustc", &["--version"]).context("rustc says nothing")?;
    if ours.starts_with(&format!("rustc {oldest}")) {
        eprintln!("xtask: this compiler is the oldest that we name: {ours}");
        return Ok(());
    }
    let install = ["toolchain", "install", oldest, "--profile", "minimal"];
    quietly(&format!("installing Rust {oldest}"), Command::new("rustup").args(install))?;
    let mut check = Command::new("rustup");
    check.current_dir(sh::root()).args([
        "run",
        oldest,
        "cargo",
        "check",
        "--workspace",
        "--locked",
        "--target-dir",
    ]);
    loudly(check.arg(sh::target().join("oldest")))
}
