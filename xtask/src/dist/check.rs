//! A release in the hands of strangers: a Debian that has nothing else, and cargo without a compiler for BPF.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::pack::CRATES;
use crate::sh::{self, as_root, install_missing, loudly, quietly};

/// The system that the package is tried on.
const SUITE: &str = "bookworm";
const ARCHIVE: &str = "http://deb.debian.org/debian";

/// What is done there. Every command must succeed. `stty` speaks to the terminal that `script` makes.
const STEPS: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
find / -xdev ! -path '/tmp/*' ! -path '/var/lib/dpkg/*' ! -path '/var/log/*' | sort > /tmp/before
dpkg -i /tmp/ioctl-trace.deb
ioctl-trace --version
ioctl-trace doctor || true
script -qec 'ioctl-trace -- stty -a' /tmp/traced > /dev/null
grep -a TCGETS /tmp/traced
ioctl-trace --demo --no-tui | tail -1
test -s /usr/share/man/man1/ioctl-trace-replay.1.gz
test -s /usr/share/doc/ioctl-trace/NOTICE
test -s /usr/share/doc/ioctl-trace/docs/guide/src/filters.md
grep -q '^    btf-rs ' /usr/share/doc/ioctl-trace/LICENSES-THIRD-PARTY.txt
bash -c 'source /usr/share/bash-completion/completions/ioctl-trace && complete -p ioctl-trace'
dpkg --purge ioctl-trace
find / -xdev ! -path '/tmp/*' ! -path '/var/lib/dpkg/*' ! -path '/var/log/*' | sort > /tmp/after
diff /tmp/before /tmp/after
"#;

/// Installs the package in a fresh Debian, traces there and purges it.
pub fn deb(package: &Path, base: &Path) -> Result<()> {
    install_missing("trying the package", &[("debootstrap", "debootstrap"), ("unshare", "util-linux")])?;
    let work = tempfile::Builder::new().prefix("debian-").tempdir_in("/var/tmp")?;
    let root = work.path().join("root");
    if !base.exists() {
        let mut make = as_root("debootstrap");
        make.args(["--variant=minbase", SUITE]).arg(&root).arg(ARCHIVE);
        quietly("making a small Debian (about 60 s)", &mut make)?;
        quietly("keeping it", as_root("tar").arg("-cf").arg(base).arg("-C").arg(&root).arg("."))?;
    } else {
        fs::create_dir(&root)?;
        loudly(as_root("tar").arg("-xf").arg(base).arg("-C").arg(&root))?;
    }
    loudly(as_root("cp").arg(package).arg(root.join("tmp/ioctl-trace.deb")))?;
    // The mounts are of a namespace that ends with this shell.
    let script = r#"
        mount -t proc proc "$1/proc" && mount --rbind /sys "$1/sys" && mount --rbind /dev "$1/dev" || exit
        exec chroot "$1" sh -c "$2""#;
    let mut enter = as_root("unshare");
    enter.args(["--mount", "--propagation", "private", "sh", "-c", script, "enter"]).arg(&root).arg(STEPS);
    let done = loudly(enter.stdin(Stdio::null())).context("the package in a fresh Debian");
    let removed = loudly(as_root("rm").arg("-rf").arg(&root));
    done.and(removed)?;
    eprintln!("xtask: the package was installed, used and purged");
    Ok(())
}

/// Builds the packaged crates where there is nothing else, and no compiler for BPF.
pub fn crates(release: &Path) -> Result<()> {
    // Away from this workspace, which would take them for its own.
    let folder = tempfile::Builder::new().prefix("crates-").tempdir_in("/var/tmp")?;
    let work = folder.path();
    let mut patches = String::new();
    for name in CRATES {
        let mut files = fs::read_dir(release)?.flatten().map(|entry| entry.path());
        let file = files.find(|file| {
            let rest = file.file_name().and_then(|it| it.to_str()).and_then(|it| it.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with("-0") || rest.starts_with("-1"))
                && file.extension().is_some_and(|it| it == "crate")
        });
        let file = file.with_context(|| format!("no crate {name}"))?;
        loudly(Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(work))?;
        let folder = work.join(file.file_stem().unwrap_or_default());
        // The others are not on crates.io here.
        patches.push_str(&format!("patch.crates-io.{name}.path = {:?}\n", folder));
    }
    let config = work.join("patches.toml");
    fs::write(&config, patches)?;
    let mut names = fs::read_dir(work)?.flatten().map(|entry| entry.path());
    let program =
        names.find(|path| path.join("prebuilt").is_dir()).context("the BPF object is not packed")?;
    // Without what cargo and rustup say of this workspace, and without bpf-linker, which lies beside cargo.
    let toolchain = sh::output_of("rustc", &["--print", "sysroot"]).context("rustc says nothing")?;
    let mut install = Command::new(Path::new(&toolchain).join("bin/cargo"));
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO") && name != "CARGO_HOME"
            || name.starts_with("RUST") && name != "RUSTUP_HOME"
        {
            install.env_remove(&key);
        }
    }
    install.env("PATH", format!("{toolchain}/bin:/usr/bin:/bin")).current_dir("/");
    install.args(["install", "--debug", "--path"]).arg(&program).arg("--config").arg(&config);
    install.arg("--root").arg(work.join("installed")).env("CARGO_TARGET_DIR", work.join("target"));
    quietly("installing the packaged crate with cargo, without a compiler for BPF", &mut install)?;
    loudly(Command::new(work.join("installed/bin/ioctl-trace")).args(["--demo", "--no-tui", "-c"]))
}
