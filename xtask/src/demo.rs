//! The recording behind `--demo`: the real program, recording real programs.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    setup,
    sh::{self, cargo, install_missing, loudly},
};

/// What is recorded.
const SCRIPT: &str = include_str!("demo.sh");
/// Programs that it runs, and the Debian packages that have them.
const PROGRAMS: &[(&str, &str)] = &[
    ("script", "bsdutils"),
    ("losetup", "mount"),
    ("fdisk", "fdisk"),
    ("mkfs.ext4", "e2fsprogs"),
    ("ip", "iproute2"),
    ("perf", "linux-perf"),
    ("vim", "vim"),
    ("qemu-system-x86_64", "qemu-system-x86"),
];
/// It is a part of the program: no larger.
const MAX_BYTES: u64 = 300 << 10;

/// Records, and puts the recording where the program is built from.
///
/// # Errors
/// When the program cannot be built or cannot trace, or the recording is too large.
pub fn demo() -> Result<()> {
    setup::setup()?;
    install_missing("the demo", PROGRAMS)?;
    loudly(cargo().args(["build", "--quiet", "--release", "-p", "ioctl-trace"]))?;
    let folder = tempfile::Builder::new().prefix("demo-").tempdir_in("/tmp")?;
    let (script, file) = (folder.path().join("demo.sh"), folder.path().join("demo.iotrace"));
    fs::write(&script, SCRIPT)?;
    // The recording says on which host and with which words it was made: the same ones everywhere.
    let words = format!(
        "hostname demo && cd {} && exec ./ioctl-trace record -q -o {} -- sh {} {}",
        sh::target().join("release").display(),
        file.display(),
        script.display(),
        folder.path().display()
    );
    let mut record = sh::as_root("unshare");
    record.args(["--uts", "sh", "-c", &words]);
    eprintln!("xtask: recording …");
    let status = record.status().with_context(|| format!("cannot run {record:?}"))?;
    if !status.success() {
        bail!("{status} of {record:?}");
    }
    let size = fs::metadata(&file)?.len();
    if size > MAX_BYTES {
        bail!("the recording has {size} bytes; at most {MAX_BYTES} are a part of the program");
    }
    fs::copy(&file, sh::root().join("tracer/src/cli/demo.iotrace"))?;
    eprintln!("xtask: {size} bytes");
    loudly(Command::new(sh::target().join("release/ioctl-trace")).args(["replay", "-c"]).arg(&file))
}
