//! The architectures that machines have: what emulates them, and what builds for them.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    debian::Package,
    sh::{self, cargo},
};

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    Amd64,
    Arm64,
}

/// The name that `cargo xtask setup` links Debian's compiler by, whose standard library Debian has for arm64 too.
const COMPILER: &str = "+bpf";
/// That standard library.
const LIBRARY: &str = "libstd-rust-web-dev:arm64";

impl Arch {
    /// As Debian calls it.
    pub const fn debian(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// QEMU's program, and its arguments for a machine.
    pub const fn qemu(self) -> (&'static str, &'static [&'static str]) {
        match self {
            // QEMU before 9.1 takes an IRET of a program for one of the kernel's, to which SMAP then forbids the program's
            // stack. Wine uses it.
            Self::Amd64 => ("qemu-system-x86_64", &["-cpu", "max,smap=off"]),
            Self::Arm64 => ("qemu-system-aarch64", &["-M", "virt", "-cpu", "max,pauth-impdef=on"]),
        }
    }

    /// What the kernel is told of its consoles.
    pub const fn console(self) -> &'static str {
        match self {
            Self::Amd64 => "console=tty0 console=ttyS0",
            Self::Arm64 => "console=ttyAMA0",
        }
    }

    /// Programs that must be there, with Debian's packages that have them.
    pub const fn tools(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Amd64 => &[("qemu-system-x86_64", "qemu-system-x86")],
            Self::Arm64 => &[
                ("qemu-system-aarch64", "qemu-system-arm"),
                ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
                ("../aarch64-linux-gnu/include/stdio.h", "libc6-dev-arm64-cross"),
                // These run what packages do when they are unpacked.
                ("qemu-aarch64-static", "qemu-user-static"),
                ("update-binfmts", "binfmt-support"),
                ("arch-test", "arch-test"),
            ],
        }
    }

    /// The packages of what builds programs in a machine, 32-bit ones too.
    pub const fn compilers(self) -> &'static [&'static str] {
        match self {
            Self::Amd64 => &["gcc", "libc6-dev"],
            Self::Arm64 => &["gcc", "gcc-arm-linux-gnueabihf", "libc6-dev"],
        }
    }

    /// The triple of Rust's target.
    const fn target(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => None,
            Self::Arm64 => Some("aarch64-unknown-linux-gnu"),
        }
    }

    /// Where cargo puts optimised programs for it.
    pub fn programs(self) -> PathBuf {
        self.target().map_or_else(sh::target, |target| sh::target().join(target)).join("release")
    }

    /// Cargo, which builds for it what `arguments` name.
    ///
    /// # Errors
    /// When the standard library cannot be had.
    pub fn cargo(self, cache: &Path, arguments: &[&str]) -> Result<std::process::Command> {
        let mut command = cargo();
        let Some(target) = self.target() else {
            command.args(arguments);
            return Ok(command);
        };
        let library = Package::named(LIBRARY)?.unpacked(cache)?;
        let library = library.join("usr/lib/rustlib").join(target).join("lib");
        // A toolchain's name is for rustup's cargo, not for the one that runs us.
        command = std::process::Command::new("cargo");
        command.current_dir(sh::root()).arg(COMPILER).args(arguments).args(["--target", target]);
        for variable in ["CARGO", "RUSTUP_TOOLCHAIN"] {
            command.env_remove(variable);
        }
        command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
        command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", format!("-L {}", library.display()));
        Ok(command)
    }

    /// Makes apt offer its packages.
    ///
    /// # Errors
    /// When it cannot.
    pub fn offer(self) -> Result<()> {
        let known = sh::output_of("dpkg", &["--print-foreign-architectures"]).unwrap_or_default();
        if self == Self::Amd64 || known.lines().any(|line| line == self.debian()) {
            return Ok(());
        }
        let mut add = sh::as_root("dpkg");
        sh::quietly("packages for arm64", add.args(["--add-architecture", self.debian()]))?;
        sh::quietly("apt-get update", sh::as_root("apt-get").args(["-q", "update"]))
    }
}
