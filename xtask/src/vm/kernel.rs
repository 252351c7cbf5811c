//! Debian's kernels for virtual machines, and the initial file system that finds the clients' tree.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::arch::Arch;
use crate::debian::{Package, fingerprint, keyed, once, succeed};

/// A kernel that scenarios run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Version {
    /// Debian 12's own
    #[value(name = "6.1")]
    V6_1,
    /// Debian 12's newer one
    #[value(name = "6.12")]
    V6_12,
    /// Debian 12's own for arm64, only if it is named
    #[value(name = "6.1-arm64")]
    V6_1Arm64,
}

impl Version {
    /// Those that scenarios and tests run on if none is named.
    pub const ALL: [Self; 2] = [Self::V6_1, Self::V6_12];

    /// As its series is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::V6_1Arm64 => "6.1-arm64",
        }
    }

    /// What it runs on.
    pub const fn arch(self) -> Arch {
        match self {
            Self::V6_1 | Self::V6_12 => Arch::Amd64,
            Self::V6_1Arm64 => Arch::Arm64,
        }
    }

    /// How the names of its packages begin and end.
    const fn packages(self) -> (&'static str, &'static str) {
        match self {
            Self::V6_1 => ("linux-image-6.1.0-", "-amd64-unsigned"),
            Self::V6_12 => ("linux-image-6.12.", "+deb12-amd64-unsigned"),
            Self::V6_1Arm64 => ("linux-image-6.1.0-", "-arm64-unsigned"),
        }
    }
}

/// A kernel, unpacked.
#[derive(Debug)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// The bootable image.
    pub image: PathBuf,
    /// The folder `lib/modules`.
    pub modules: PathBuf,
    /// The initial file system.
    pub initrd: PathBuf,
    /// What it runs on.
    pub arch: Arch,
}

/// What the initial file system has to load, in no order.
const EARLY: [&str; 6] = ["virtio_pci", "virtio_blk", "squashfs", "overlay", "9pnet_virtio", "9p"];

impl Kernel {
    /// Fetches the newest kernel of a series.
    ///
    /// # Errors
    /// When it cannot be downloaded or unpacked.
    pub fn fetch(cache: &Path, version: Version) -> Result<Self> {
        let (start, end) = version.packages();
        let package = Package::newest(start, end)?;
        let unpacked = package.unpacked(cache)?;
        let modules = unpacked.join("lib/modules");
        let release = fs::read_dir(&modules)
            .with_context(|| modules.display().to_string())?
            .find_map(|entry| entry.ok()?.file_name().into_string().ok())
            .with_context(|| format!("{}: no modules", package.name))?;
        let tree = modules.join(&release);
        if !tree.join("modules.dep").is_file() {
            succeed(Command::new("depmod").arg("-b").arg(&unpacked).arg(&release), "depmod")?;
        }
        let init = include_str!("../../vm/init");
        let arch = version.arch();
        let busybox = match arch {
            Arch::Amd64 => PathBuf::from("/bin/busybox"),
            Arch::Arm64 => Package::named("busybox-static:arm64")?.unpacked(cache)?.join("bin/busybox"),
        };
        let key = keyed(&format!("initrd-{release}"), &fingerprint(&format!("{init}{}", package.sha256)));
        let initrd = once(cache, &key, |target| initial_file_system(&tree, init, &busybox, target))?;
        let image = unpacked.join(format!("boot/vmlinuz-{release}"));
        Ok(Self { release, image, modules, initrd: initrd.join("initrd"), arch })
    }
}

/// Writes `initrd` into a folder: busybox, the script, and modules in the order of their dependencies.
fn initial_file_system(modules: &Path, init: &str, busybox: &Path, target: &Path) -> Result<()> {
    let root = target.join("root");
    for folder in ["bin", "dev", "lower", "memory", "tree", "proc", "sys", "m"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy(busybox, root.join("bin/busybox")).with_context(|| busybox.display().to_string())?;
    fs::write(root.join("init"), init)?;
    let mut list = String::new();
    for path in in_order(&fs::read_to_string(modules.join("modules.dep"))?) {
        let file = Path::new(&path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let plain = file.trim_end_matches(".xz");
        let bytes = if plain == file {
            fs::read(modules.join(&path))?
        } else {
            let output = Command::new("xz").arg("-dc").arg(modules.join(&path)).output().context("xz")?;
            ensure!(output.status.success(), "xz -d {path} failed");
            output.stdout
        };
        fs::write(root.join("m").join(plain), bytes)?;
        list += &format!("/m/{plain}\n");
    }
    fs::write(root.join("load"), list)?;
    succeed(Command::new("chmod").arg("+x").arg(root.join("init")).arg(root.join("bin/busybox")), "chmod")?;
    let mut find = Command::new("find").arg(".").current_dir(&root).stdout(Stdio::piped()).spawn()?;
    let image = fs::File::create(target.join("initrd"))?;
    let mut cpio = Command::new("cpio");
    cpio.args(["--quiet", "-o", "-H", "newc", "-R", "0:0"]).current_dir(&root);
    cpio.stdin(find.stdout.take().context("no list of files")?).stdout(image);
    succeed(&mut cpio, "cpio")?;
    ensure!(find.wait()?.success(), "find failed");
    Ok(fs::remove_dir_all(root)?)
}

/// The early modules and what they need, by `modules.dep`, whose lines have the nearest dependency first. What is built in
/// is not there.
fn in_order(dependencies: &str) -> Vec<String> {
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    for wanted in EARLY {
        let line = dependencies.lines().find(|line| {
            let file = line.split(':').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            file.split('.').next() == Some(wanted)
        });
        let Some((path, needs)) = line.and_then(|line| line.split_once(':')) else { continue };
        for module in needs.split_whitespace().rev().chain([path]) {
            if seen.insert(module.to_owned()) {
                order.push(module.to_owned());
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn what_a_module_needs_is_loaded_before_it() {
        let dependencies = "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko kernel/fs/netfs.ko\n\
                            kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko kernel/v.ko\nkernel/v.ko:\n";
        assert_eq!(
            in_order(dependencies),
            [
                "kernel/v.ko",
                "kernel/net/9p/9pnet.ko",
                "kernel/net/9p/9pnet_virtio.ko",
                "kernel/fs/netfs.ko",
                "kernel/fs/9p/9p.ko.xz"
            ]
        );
    }
}
