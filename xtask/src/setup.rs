//! The BPF tool chain. There are two ways to a compiler that builds for BPF, and the machine decides which:
//!
//! - Debian has a compiler with a prebuilt `core` for BPF. It is linked as the toolchain `bpf`.
//! - Elsewhere rustup's nightly compiler builds `core` from the sources in its component `rust-src`.

use std::{
    ffi::OsString,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::sh::{self, cargo, install, output_of, quietly, succeeds};

/// Name under which the distribution's compiler is linked; `tracer/build.rs` looks for it.
const LINKED: &str = "bpf";
/// The linker, and the version of LLVM that matches the distribution's compiler.
const LINKER_VERSION: &str = "0.13.0";
const LLVM: &str = "22";

/// Installs what is missing. Does nothing if all is there.
///
/// # Errors
/// When something cannot be installed.
pub fn setup() -> Result<()> {
    if !has_linked_toolchain() && !has_nightly() {
        if debian_offers_compiler() { link_distribution_compiler()? } else { install_nightly()? }
    }
    if !succeeds("bpf-linker", &["--version"]) {
        install_linker()?;
    }
    Ok(())
}

fn has_linked_toolchain() -> bool {
    succeeds("rustup", &["run", LINKED, "rustc", "--version"]) && target_is_installed()
}

/// The distribution's compiler is of no use without its BPF target.
fn target_is_installed() -> bool {
    let sysroot = output_of("rustup", &["run", LINKED, "rustc", "--print", "sysroot"]);
    sysroot.is_some_and(|root| Path::new(&root).join("lib/rustlib/bpfel-unknown-none").is_dir())
}

fn has_nightly() -> bool {
    let sysroot = output_of("rustup", &["run", "nightly", "rustc", "--print", "sysroot"]);
    sysroot.is_some_and(|root| Path::new(&root).join("lib/rustlib/src/rust/library/core").is_dir())
}

const COMPILER_PACKAGE: &str = "libstd-rust-web-dev-bpf";

fn debian_offers_compiler() -> bool {
    let offered = || output_of("apt-cache", &["show", COMPILER_PACKAGE]).is_some_and(|text| !text.is_empty());
    if offered() {
        return true;
    }
    // A fresh machine may not have its package lists yet.
    succeeds("apt-get", &["--version"])
        && quietly("apt-get update", sh::as_root("apt-get").args(["-q", "update"])).is_ok()
        && offered()
}

fn link_distribution_compiler() -> Result<()> {
    let llvm = format!("llvm-{LLVM}-dev");
    let polly = format!("libpolly-{LLVM}-dev");
    let packages = ["rustc-web", "cargo-web", COMPILER_PACKAGE, &llvm, &polly];
    install("the BPF compiler (about 20 s)", &packages)?;
    if !succeeds("rustup", &["--version"]) {
        bail!("rustup is needed to keep two compilers side by side: see https://rustup.rs");
    }
    quietly(
        &format!("linking the distribution's compiler as toolchain `{LINKED}`"),
        std::process::Command::new("rustup").args(["toolchain", "link", LINKED, "/usr"]),
    )
}

fn install_nightly() -> Result<()> {
    let install = ["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"];
    quietly(
        "installing rustup's nightly compiler and its sources",
        std::process::Command::new("rustup").args(install),
    )
}

fn install_linker() -> Result<()> {
    let mut command = cargo();
    // Its build must not see the settings of this workspace.
    command.current_dir("/").args(["install", "bpf-linker", "--version", LINKER_VERSION]);
    if let Some(prefix) = distribution_llvm() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut dirs = vec![prefix.join("bin")];
        dirs.extend(std::env::split_paths(&path));
        command
            .args(["--no-default-features", "--features", &format!("llvm-{LLVM}")])
            .env("LLVM_PREFIX", &prefix)
            .env("RUSTFLAGS", format!("-L {}", prefix.join("lib").display()))
            .env("PATH", std::env::join_paths(dirs)?);
    }
    quietly("installing bpf-linker with cargo (about 60 s)", &mut command)
}

/// The distribution's LLVM, if its development files are installed.
fn distribution_llvm() -> Option<PathBuf> {
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{LLVM}"));
    fs::exists(prefix.join("bin/llvm-config")).unwrap_or(false).then_some(prefix)
}

/// Sets up, builds and runs the program, as root. Gives its exit code, or does not return.
///
/// # Errors
/// When it cannot be built or started.
pub fn run(args: &[OsString]) -> Result<u8> {
    setup()?;
    sh::loudly(cargo().args(["build", "--quiet", "--release", "--package", "ioctl-trace"]))?;
    let error = sh::as_root(sh::target().join("release/ioctl-trace")).args(args).exec();
    bail!("cannot run ioctl-trace: {error}")
}
