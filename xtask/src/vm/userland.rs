//! The tree of programs that a virtual machine sees: packages of Debian 12 in one compressed file.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::arch::Arch;
use crate::{
    debian::{fingerprint, once},
    sh,
};

/// What every machine needs.
const BASE: [&str; 9] =
    ["bsdutils", "iproute2", "kmod", "mount", "procps", "psmisc", "strace", "udev", "util-linux"];

const SOURCES: &str = "\
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian-security bookworm-security main
";

/// The file with a tree that has these packages: one that is there already, or a new one.
///
/// # Errors
/// When it cannot be made.
pub fn with(cache: &Path, arch: Arch, packages: &BTreeSet<String>) -> Result<PathBuf> {
    let wanted: BTreeSet<&str> = packages.iter().map(String::as_str).chain(BASE).collect();
    if let Some(tree) = existing(cache, arch, &wanted) {
        return Ok(tree);
    }
    let list: Vec<&str> = wanted.into_iter().collect();
    let key = format!("{}{}", prefix(arch), fingerprint(&format!("{SOURCES}{}", list.join(" "))));
    let folder = once(cache, &key, |target| {
        fs::write(target.join("packages"), list.join("\n"))?;
        fs::write(target.join("sources.list"), SOURCES)?;
        let tree = target.join("tree");
        let mut make = sh::as_root("env");
        // Its steps run as other users, who must be able to write temporary files.
        make.args(["TMPDIR=/tmp", "mmdebstrap", "--quiet", "--mode=root", "--variant=apt"]);
        make.arg(format!("--architectures={}", arch.debian()));
        make.arg(format!("--include={}", list.join(",")));
        make.arg("--aptopt=Apt::Install-Recommends \"false\"");
        for folder in ["man", "doc", "locale", "info"] {
            make.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
        }
        make.arg("bookworm").arg(&tree).arg(target.join("sources.list"));
        let count = list.len();
        sh::quietly(
            &format!("unpacking {count} packages of Debian and what they need (a minute)"),
            &mut make,
        )?;
        let mut pack = sh::as_root("mksquashfs");
        pack.arg(&tree).arg(target.join("tree.squashfs")).args(["-comp", "lz4", "-no-progress", "-quiet"]);
        sh::quietly("packing them", &mut pack)?;
        sh::quietly("removing the unpacked tree", sh::as_root("rm").arg("-rf").arg(&tree))
    })?;
    Ok(folder.join("tree.squashfs"))
}

/// The smallest tree that has all of some packages.
fn existing(cache: &Path, arch: Arch, wanted: &BTreeSet<&str>) -> Option<PathBuf> {
    let folders = fs::read_dir(cache).ok()?.filter_map(Result::ok);
    let folders = folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix(arch)));
    let folders = folders.map(|entry| entry.path());
    let fitting = folders.filter_map(|folder| {
        let list = fs::read_to_string(folder.join("packages")).ok()?;
        let has: BTreeSet<&str> = list.lines().collect();
        wanted.is_subset(&has).then(|| (has.len(), folder.join("tree.squashfs")))
    });
    fitting.min().map(|(_, tree)| tree)
}

/// How names of trees begin.
fn prefix(arch: Arch) -> String {
    format!("userland-{}-", arch.debian())
}

/// Installs what making machines needs.
///
/// # Errors
/// When it cannot be installed.
pub fn tools(arch: Arch) -> Result<()> {
    sh::install_missing("virtual machines", arch.tools())?;
    arch.offer()?;
    sh::install_missing(
        "virtual machines",
        &[
            ("mmdebstrap", "mmdebstrap"),
            ("mksquashfs", "squashfs-tools"),
            ("cpio", "cpio"),
            ("xz", "xz-utils"),
            ("depmod", "kmod"),
        ],
    )?;
    let fixed = Command::new("/bin/busybox").arg("true").status();
    if fixed.is_ok_and(|status| status.success()) && is_static(Path::new("/bin/busybox"))? {
        return Ok(());
    }
    sh::install("virtual machines", &["busybox-static"])
}

/// Whether a program needs no libraries.
fn is_static(program: &Path) -> Result<bool> {
    use object::{Object, ObjectSection};
    let bytes = fs::read(program).with_context(|| program.display().to_string())?;
    let file = object::File::parse(&*bytes).with_context(|| program.display().to_string())?;
    Ok(!file.sections().any(|section| section.name() == Ok(".interp")))
}
