//! The files of a release.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{Release, licences};
use crate::sh::{loudly, quietly};

/// The crates, those first that others need.
pub const CRATES: [&str; 4] = ["ioctl-registry", "ioctl-registry-extract", "ioctl-trace-ebpf", "ioctl-trace"];
/// Where their packages lie in the sources.
const FOLDERS: [&str; 4] = ["registry", "registry/extract", "tracer-ebpf", "tracer"];
/// What everything that is given away comes with.
const PAPERS: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "NOTICE"];
/// Completions: the shell, and the file's name.
const SHELLS: [(&str, &str); 3] =
    [("bash", "ioctl-trace.bash"), ("zsh", "_ioctl-trace"), ("fish", "ioctl-trace.fish")];

impl Release {
    /// What the program's own options are made into; `[package.metadata.deb]` takes it from here.
    pub fn dist(&self) -> PathBuf {
        self.src().join("tracer/dist")
    }

    /// The manual's pages and the completions, as the program prints them.
    pub fn pages(&self, program: &Path) -> Result<()> {
        let man = self.dist().join("man");
        fs::create_dir_all(&man)?;
        let said = |args: &[&str]| -> Result<Vec<u8>> {
            let output = Command::new(program).args(args).output().context("cannot run what was built")?;
            ensure!(
                output.status.success() && !output.stdout.is_empty(),
                "ioctl-trace {args:?}: {}",
                output.status
            );
            Ok(output.stdout)
        };
        let main = said(&["man"])?;
        // It names the commands' own pages.
        let text = String::from_utf8_lossy(&main).replace('\\', "");
        let pages = text.lines().filter_map(|line| line.strip_prefix("ioctl-trace-")?.strip_suffix("(1)"));
        for name in pages {
            fs::write(man.join(format!("ioctl-trace-{name}.1")), said(&["man", name])?)?;
        }
        fs::write(man.join("ioctl-trace.1"), main)?;
        for (shell, file) in SHELLS {
            fs::write(self.dist().join(file), said(&["completions", shell])?)?;
        }
        Ok(())
    }

    /// The package for Debian and its like.
    pub fn deb(&self, out: &Path) -> Result<()> {
        let mut command = self.command(&self.tools.join("cargo-deb").to_string_lossy());
        command.args(["--no-build", "--no-strip", "--package", "ioctl-trace", "--output"]).arg(out);
        quietly("packing the .deb", &mut command)
    }

    /// The archive for all others.
    pub fn tar(&self, program: &Path, out: &Path) -> Result<()> {
        let name = format!("ioctl-trace-{}-x86_64-linux", self.version);
        let root = self.work.join(&name);
        fs::create_dir_all(root.join("completions"))?;
        fs::copy(program, root.join("ioctl-trace"))?;
        for paper in PAPERS.iter().chain(&["README.md", "CHANGELOG.md", "SECURITY.md"]) {
            fs::copy(self.src().join(paper), root.join(paper))?;
        }
        fs::copy(self.dist().join(licences::FILE), root.join(licences::FILE))?;
        for (_, file) in SHELLS {
            fs::copy(self.dist().join(file), root.join("completions").join(file))?;
        }
        // README.md leads to what is in docs.
        let folders = [self.dist().join("man"), self.src().join("docs")];
        loudly(Command::new("cp").arg("-r").args(folders).arg(&root))?;
        let file = out.join(format!("{name}.tar.zst"));
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", "-c"]);
        tar.arg(format!("--mtime=@{}", self.epoch)).arg("-C").arg(&self.work).arg(&name);
        let mut tar = tar.stdout(Stdio::piped()).spawn().context("cannot run tar")?;
        let piped = tar.stdout.take().context("tar has no output")?;
        loudly(Command::new("zstd").args(["-q", "-19", "-o"]).arg(&file).stdin(piped))?;
        ensure!(tar.wait()?.success(), "tar failed");
        Ok(())
    }

    /// The crates, with the BPF object in that of the program: whoever installs it needs no compiler for BPF.
    pub fn crates(&self, out: &Path) -> Result<()> {
        let built = self.target().join("release/build");
        let mut objects =
            fs::read_dir(&built)?.flatten().map(|entry| entry.path().join("out/ioctl-trace-bpf"));
        let object = objects.find(|file| file.is_file()).context("no BPF object was built")?;
        let prebuilt = self.src().join("tracer/prebuilt");
        fs::create_dir_all(&prebuilt)?;
        fs::copy(object, prebuilt.join("ioctl-trace-bpf"))?;
        for folder in FOLDERS {
            for paper in PAPERS {
                fs::copy(self.src().join(paper), self.src().join(folder).join(paper))?;
            }
        }
        let mut package = self.cargo();
        // That they build is seen by building them alone.
        package.args(["package", "--quiet", "--locked", "--no-verify", "--allow-dirty"]);
        package.args(CRATES.iter().flat_map(|name| ["--package", name]));
        quietly("packing the crates", &mut package)?;
        for name in CRATES {
            let file = format!("{name}-{}.crate", self.version);
            fs::copy(self.target().join("package").join(&file), out.join(file))?;
        }
        Ok(())
    }

    /// What the program is made of: a CycloneDX bill of materials.
    pub fn bill(&self, out: &Path) -> Result<()> {
        let mut command = self.command(&self.tools.join("cargo-cyclonedx").to_string_lossy());
        command.args([
            "cyclonedx",
            "--quiet",
            "--format",
            "json",
            "--spec-version",
            "1.5",
            "--no-build-deps",
        ]);
        command.args(["--override-filename", "bill", "--manifest-path", "tracer/Cargo.toml"]);
        quietly("listing what the program is made of", &mut command)?;
        let text = fs::read_to_string(self.src().join("tracer/bill.json")).context("no bill was written")?;
        let text = text.replace(&self.src().display().to_string(), "/ioctl-trace");
        fs::write(out.join(format!("ioctl-trace-{}.cdx.json", self.version)), text)?;
        Ok(())
    }

    /// The checksums of all files.
    pub fn sums(&self, out: &Path) -> Result<String> {
        let mut names: Vec<_> = fs::read_dir(out)?.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        let sums = Command::new("sha256sum").current_dir(out).args(&names).output()?;
        ensure!(sums.status.success(), "sha256sum: {}", sums.status);
        let text = String::from_utf8(sums.stdout)?;
        fs::write(out.join("SHA256SUMS"), &text)?;
        Ok(text)
    }
}
