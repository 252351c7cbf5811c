//! A release: what is committed, built alone in a folder of its own, packed for Debian, for others and for cargo. The same commit
//! gives the same bytes, wherever it is built with the same tools.

mod check;
mod licences;
mod pack;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    setup,
    sh::{self, install_missing, loudly},
};

/// Tools of cargo's, and the versions that a release is made with: another one may write other bytes.
const CARGO_TOOLS: [(&str, &str); 3] =
    [("cargo-about", "0.9.3"), ("cargo-deb", "3.8.0"), ("cargo-cyclonedx", "0.5.9")];
/// Programs that packing needs, and the Debian packages that have them.
const PROGRAMS: &[(&str, &str)] = &[("zstd", "zstd"), ("dpkg-shlibdeps", "dpkg-dev")];
/// What the stripped program may have at most: it is copied to small machines.
const MAX_PROGRAM: u64 = 12 << 20;

/// What to do beyond making a release.
#[derive(Debug, clap::Args)]
pub struct DistArgs {
    /// Make it twice, in two folders, and compare the bytes
    #[arg(long)]
    twice: bool,

    /// Use it as strangers do: install the .deb in a fresh Debian, trace, purge; and build the packaged crates alone
    #[arg(long)]
    check: bool,
}

/// Makes a release in `target/dist`.
///
/// # Errors
/// When something of it cannot be made, or does not do what it should.
pub fn dist(args: &DistArgs) -> Result<()> {
    setup::setup()?;
    install_missing("a release", PROGRAMS)?;
    let dist = sh::target().join("dist");
    fs::create_dir_all(&dist).with_context(|| dist.display().to_string())?;
    for (tool, version) in CARGO_TOOLS {
        sh::cargo_tool(tool, version)?;
    }
    let tools = sh::tools();
    let release = Release::of_head(&dist.join("work"), tools.clone())?;
    let made = release.make(&dist.join("release"))?;
    if args.twice {
        let again = Release::of_head(&dist.join("work-again"), tools)?;
        let second = again.make(&dist.join("release-again"))?;
        ensure!(made == second, "two builds of one commit differ:\n{made}\n{second}");
        eprintln!("xtask: made twice, with the same bytes");
        fs::remove_dir_all(dist.join("work-again"))?;
    }
    if args.check {
        check::deb(&release.file("deb", &dist.join("release"))?, &dist.join("debian.tar"))?;
        check::crates(&dist.join("release"))?;
    }
    eprint!("xtask: in {}:\n{made}", dist.join("release").display());
    Ok(())
}

/// A compiler that says of no file where it lies here, for the BPF object too, whose build has flags of its own.
const WRAPPER: &str = "rustc";

/// Writes it.
fn write_wrapper(work: &Path) -> Result<()> {
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))
        .unwrap_or_default();
    let maps = [(work.join("src").display().to_string(), "/ioctl-trace"), (home, "/cargo")];
    let maps = maps.map(|(from, to)| format!(" '--remap-path-prefix={from}={to}'"));
    let file = work.join(WRAPPER);
    fs::write(&file, format!("#!/bin/sh\nexec \"$@\"{}\n", maps.concat()))?;
    Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?)
}

/// A release that is being made.
struct Release {
    /// Where it is built: `src` and `target`.
    work: PathBuf,
    /// Cargo's tools.
    tools: PathBuf,
    /// `0.1.0`.
    version: String,
    /// When its commit was made, in seconds since 1970: the time of all that is packed.
    epoch: String,
}

impl Release {
    /// The release of what is committed, in a fresh folder.
    fn of_head(work: &Path, tools: PathBuf) -> Result<Self> {
        if work.exists() {
            fs::remove_dir_all(work).with_context(|| work.display().to_string())?;
        }
        fs::create_dir_all(work)?;
        let root = sh::root();
        let git = |args: &[&str]| {
            let mut command = Command::new("git");
            command.arg("-C").arg(&root).args(args);
            command
        };
        let says = |args: &[&str]| -> Result<String> {
            let output = git(args).output().context("cannot run git")?;
            ensure!(output.status.success(), "git {args:?}: {}", output.status);
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        if !says(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
            eprintln!("xtask: the release is of the last commit: what has been changed since is not in it");
        }
        let archive = work.join("src.tar");
        loudly(git(&["archive", "--prefix=src/", "HEAD", "-o"]).arg(&archive))?;
        loudly(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(work))?;
        fs::remove_file(&archive)?;
        write_wrapper(work)?;
        let id = says(&["rev-parse", "--short", "HEAD"])?;
        let manifest: toml::Table = fs::read_to_string(work.join("src/Cargo.toml"))?.parse()?;
        let package = manifest.get("workspace").and_then(|it| it.get("package"));
        let version = package.and_then(|it| it.get("version")).and_then(toml::Value::as_str);
        let version = version.context("Cargo.toml has no version")?.to_owned();
        eprintln!("xtask: release {version} of {id}, in {}", work.display());
        Ok(Self { work: work.to_owned(), tools, version, epoch: says(&["log", "-1", "--format=%ct"])? })
    }

    fn src(&self) -> PathBuf {
        self.work.join("src")
    }

    fn target(&self) -> PathBuf {
        self.work.join("target")
    }

    /// Runs something in the sources. Where they lie is in no file that comes of it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.src())
            .env("CARGO_TARGET_DIR", self.target())
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .env("RUSTC_WRAPPER", self.work.join(WRAPPER))
            .env("CFLAGS", format!("-ffile-prefix-map={}=/ioctl-trace", self.work.display()))
            .env("SOURCE_DATE_EPOCH", &self.epoch)
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    fn cargo(&self) -> Command {
        // What this cargo was told about this workspace is not about that one.
        let mut command = self.command("cargo");
        command.env_remove("CARGO_MANIFEST_DIR");
        command
    }

    /// Builds and packs. Gives the checksums of what it made.
    fn make(&self, out: &Path) -> Result<String> {
        if out.exists() {
            fs::remove_dir_all(out)?;
        }
        fs::create_dir_all(out)?;
        eprintln!("xtask: building …");
        loudly(self.cargo().args(["build", "--quiet", "--locked", "--release", "--package", "ioctl-trace"]))?;
        let program = self.target().join("release/ioctl-trace");
        let size = fs::metadata(&program)?.len();
        ensure!(size <= MAX_PROGRAM, "the program has {size} bytes, more than {MAX_PROGRAM}");
        self.pages(&program)?;
        self.licences()?;
        self.deb(out)?;
        self.tar(&program, out)?;
        self.crates(out)?;
        self.bill(out)?;
        self.sums(out)
    }

    /// The file of a kind, by the end of its name.
    fn file(&self, end: &str, out: &Path) -> Result<PathBuf> {
        let mut files = fs::read_dir(out)?.flatten().map(|entry| entry.path());
        match files.find(|file| file.extension().is_some_and(|it| it == end)) {
            Some(file) => Ok(file),
            None => bail!("there is no .{end} in {}", out.display()),
        }
    }
}
