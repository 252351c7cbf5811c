//! The everyday test run.

use anyhow::Result;

use crate::{
    fuzz, setup,
    sh::{self, cargo, install_missing, loudly},
};

/// Programs that the live tests trace or compare with, and the Debian packages that have them.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("strace", "strace"),
    ("gdb", "gdb-minimal"),
    ("bpftool", "bpftool"),
    ("tmux", "tmux"),
    ("script", "bsdutils"),
    ("vim.basic", "vim"),
    ("ip", "iproute2"),
    ("losetup", "mount"),
    ("fdisk", "fdisk"),
    ("mkfs.ext4", "e2fsprogs"),
    ("setpriv", "util-linux"),
];
/// The same, to trace Windows programs, which is done on x86 alone.
pub const FOR_WINDOWS: &[(&str, &str)] =
    &[("/usr/lib/wine/wine64", "wine64"), ("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64")];

/// Installs what the tests need and runs them.
///
/// # Errors
/// The first thing that fails.
pub fn test() -> Result<()> {
    setup::setup()?;
    install_missing("the tests", &[PROGRAMS, FOR_WINDOWS].concat())?;
    let step = |what: &str| eprintln!("xtask: {what}");
    step("format");
    loudly(cargo().args(["fmt", "--all", "--check"]))?;
    step("lints");
    loudly(cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    for folder in fuzz::FOLDERS {
        // They are of no use to this compiler, which lacks the sanitizers, but must not be left behind.
        let manifest = sh::root().join(folder).join("fuzz/Cargo.toml");
        let mut check = cargo();
        check.args(["check", "--quiet", "--target-dir"]).arg(sh::target().join("fuzz/checked"));
        // What they are linked with is not needed, nor the compiler that it would take.
        check.env("CUSTOM_LIBFUZZER_PATH", "/dev/null").env("RUSTFLAGS", "--cfg fuzzing -D warnings");
        loudly(check.arg("--manifest-path").arg(manifest))?;
    }
    step("documentation");
    loudly(cargo().env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--quiet", "--workspace", "--no-deps"]))?;
    step("tests");
    let mut tests = cargo();
    tests.args(["test", "--workspace"]);
    if !sh::is_root() {
        // Live tests need root; the runner gives it to all tests, which is harmless.
        tests.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", "sudo -E");
    }
    loudly(&mut tests)
}
