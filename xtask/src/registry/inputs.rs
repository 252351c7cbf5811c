//! Fetches what the generator reads: header trees of several kernels and of mingw-w64, a compiler for every
//! architecture, the source of one kernel and its documentation. Everything is pinned by version and SHA-256.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{export, files_below, overlay::Overlay};
use crate::debian::{Package, fingerprint, keyed, once, succeed};

/// A wheel of the Python package index.
struct Wheel {
    version: &'static str,
    sha256: &'static str,
    platform: &'static str,
    /// Folders of the wheel that are unpacked, and whether its program is.
    folders: &'static [&'static str],
}

/// The newest kernel's headers, those of mingw-w64, and clang for every architecture (`zig clang`).
const ZIG: Wheel = Wheel {
    version: "0.17.0",
    sha256: "97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b",
    platform: "manylinux_2_12_x86_64",
    folders: &["ziglang/zig", "ziglang/lib/include/", "ziglang/lib/libc/include/"],
};

/// The headers of Linux 5.16.
const OLD_ZIG: Wheel = Wheel {
    version: "0.9.1",
    sha256: "fa1d08040e2b9a7aab40b0c14e1baf52097e845ea7a6801462ec593f48cf3431",
    platform: "manylinux_2_12_x86_64",
    folders: &["ziglang/lib/libc/include/"],
};

const LIBC_DEV: Package = Package::pinned(
    "linux-libc-dev",
    "pool/main/l/linux/linux-libc-dev_6.1.176-1_amd64.deb",
    "8bb258735b9dffbb111da778ebdd024750878e435ffd9dfcadcb6762ede6b4cf",
);
const DOC: Package = Package::pinned(
    "linux-doc-6.12",
    "pool/main/l/linux/linux-doc-6.12_6.12.95-1~bpo12+1_all.deb",
    "b861f8113661920841cd3b776d62766179a761e3aca75b36b7cdea17d4a701ef",
);
/// The configuration and the generated headers that belong to the source.
const HEADERS: Package = Package::pinned(
    "linux-headers-6.12-amd64",
    "pool/main/l/linux/linux-headers-6.12.95+deb12-amd64_6.12.95-1~bpo12+1_amd64.deb",
    "4e2a9dcc7c6ac48ec6570957fc17fc7669826159a56a6313bf086ac1acd399dd",
);
const SOURCE: Package = Package::pinned(
    "linux-source-6.12",
    "pool/main/l/linux/linux-source-6.12_6.12.95-1~bpo12+1_all.deb",
    "a7fe4673af74236c99dad9766eca714a198e50a07e5d659e63ec312ae6afccfe",
);

/// A kernel of that version with all of its modules, for its description of types.
const IMAGE: Package = Package::pinned(
    "linux-image-6.1.0-50-amd64",
    "pool/main/l/linux-signed-amd64/linux-image-6.1.0-50-amd64_6.1.176-1_amd64.deb",
    "7b5597492a0a65aee61985a492e6bcc3f2cde830072a0e3b3d8c7e1b90279bd3",
);

/// Unpacks the members of a wheel whose names start as given: `python3 -c UNPACK WHEEL TARGET START...`.
const UNPACK: &str = "\
import os, sys, zipfile
wheel, target, *starts = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.startswith(tuple(starts)):
            path = archive.extract(name, target)
            if name == 'ziglang/zig':
                os.chmod(path, 0o755)
";

/// Writes the decompressed content of an `.xz` file to standard output: `python3 -c UNXZ FILE`.
const UNXZ: &str = "import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)";

/// Writes the kernel inside a bootable image, which its header locates: `python3 -c UNPACK_KERNEL IMAGE TARGET`.
const UNPACK_KERNEL: &str = "\
import lzma, struct, sys
image, target = sys.argv[1:]
with open(image, 'rb') as file:
    data = file.read()
sectors = data[0x1f1] or 4
offset, length = struct.unpack_from('<II', data, 0x248)
start = (sectors + 1) * 512 + offset
with open(target, 'wb') as file:
    file.write(lzma.LZMADecompressor().decompress(data[start:start + length]))
";

/// A kernel and its modules, as files with sections.
pub struct KernelImage {
    /// The kernel.
    pub vmlinux: PathBuf,
    /// The modules, sorted.
    pub modules: Vec<PathBuf>,
}

/// Fetches Debian's 6.1 kernel.
///
/// # Errors
///
/// When it cannot be downloaded or unpacked.
pub fn kernel_image(cache: &Path) -> Result<KernelImage> {
    fs::create_dir_all(cache).with_context(|| cache.display().to_string())?;
    let image = IMAGE.unpacked(cache)?;
    let unpacked = once(cache, &keyed("vmlinux", &IMAGE.sha256), |target| {
        let mut unpack = python();
        unpack
            .args(["-c", UNPACK_KERNEL])
            .arg(image.join("boot/vmlinuz-6.1.0-50-amd64"))
            .arg(target.join("vmlinux"));
        succeed(&mut unpack, "unpacking the kernel")
    })?;
    let mut modules = files_below(&image.join("lib/modules"), "ko")?;
    modules.sort();
    Ok(KernelImage { vmlinux: unpacked.join("vmlinux"), modules })
}

/// The inputs, unpacked.
pub struct Inputs {
    /// The ziglang wheel of Linux 7.2: `zig`, `lib/include`, `lib/libc/include`.
    pub zig: PathBuf,
    /// The ziglang wheel of Linux 5.16: `lib/libc/include`.
    pub old_zig: PathBuf,
    /// User-space headers of Linux 6.1 on x86.
    pub headers_6_1: PathBuf,
    /// User-space headers of Linux 6.12 on x86.
    pub headers_6_12: PathBuf,
    /// Headers of the source tree of Linux 6.12, and the files of `private.tsv`.
    pub source: PathBuf,
    /// The headers that Debian's build of that kernel generated.
    pub generated: PathBuf,
    /// The kernel's ioctl-number document, edition 6.12.
    pub block_table: PathBuf,
}

impl Inputs {
    /// Fetches and unpacks what is not in the cache yet.
    ///
    /// # Errors
    ///
    /// When something cannot be downloaded, differs from its pin, or cannot be unpacked.
    pub fn fetch(cache: &Path, overlay: &Overlay) -> Result<Self> {
        fs::create_dir_all(cache).with_context(|| cache.display().to_string())?;
        let zig = wheel(cache, &ZIG)?;
        let old_zig = wheel(cache, &OLD_ZIG)?;
        let libc_dev = LIBC_DEV.unpacked(cache)?;
        let doc = DOC.unpacked(cache)?;
        let headers = HEADERS.unpacked(cache)?;
        let generated = headers.join("usr/src/linux-headers-6.12.95+deb12-amd64");
        let source = source(cache, overlay)?;
        let headers_6_1 = once(cache, "linux-6.1", |target| {
            let include = libc_dev.join("usr/include");
            // Debian keeps the architecture's own headers apart.
            export::copy(&[include.join("x86_64-linux-gnu"), include], target)
        })?;
        let headers_6_12 = once(cache, "linux-6.12", |target| {
            let roots = ["arch/x86/include/uapi", "include/uapi"].map(|root| source.join(root));
            let made = ["arch/x86/include/generated/uapi", "include/generated/uapi"]
                .map(|root| generated.join(root));
            export::copy(&[roots, made].concat(), target)
        })?;
        let block_table =
            doc.join("usr/share/doc/linux-doc-6.12/html/_sources/userspace-api/ioctl/ioctl-number.rst.txt");
        Ok(Self { zig, old_zig, headers_6_1, headers_6_12, source, generated, block_table })
    }
}

fn wheel(cache: &Path, wheel: &Wheel) -> Result<PathBuf> {
    let folder = once(cache, &keyed(&format!("ziglang-{}", wheel.version), wheel.sha256), |target| {
        let work = tempfile::tempdir_in(cache)?;
        let pinned = work.path().join("requirements.txt");
        fs::write(&pinned, format!("ziglang=={} --hash=sha256:{}\n", wheel.version, wheel.sha256))?;
        eprintln!("registry: fetching ziglang {} from the Python package index", wheel.version);
        let mut pip = python();
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
        ])
        .args(["--platform", wheel.platform, "--dest"])
        .arg(work.path())
        .arg("--requirement")
        .arg(&pinned);
        succeed(&mut pip, "pip download")?;
        let file = fs::read_dir(work.path())?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .context("pip reported success but left no wheel")?;
        let mut unpack = python();
        unpack.args(["-c", UNPACK]).arg(&file).arg(target).args(wheel.folders);
        succeed(&mut unpack, "unpacking the wheel")
    })?;
    Ok(folder.join("ziglang"))
}

/// The part of the source tree that is read: all headers but other architectures', and the files of `private.tsv`.
fn source(cache: &Path, overlay: &Overlay) -> Result<PathBuf> {
    let files = overlay.private_files().join("\n");
    // The list decides what is unpacked, so it is part of the key.
    let key = format!("{}-{}", keyed(&SOURCE.name, &SOURCE.sha256), fingerprint(&files));
    once(cache, &key, |target| {
        let unpacked = SOURCE.unpacked(cache)?;
        let archive = unpacked.join("usr/src/linux-source-6.12.tar.xz");
        eprintln!("registry: unpacking {}", SOURCE.name);
        let mut unxz = python().args(["-c", UNXZ]).arg(&archive).stdout(Stdio::piped()).spawn()?;
        let mut tar = Command::new("tar");
        tar.args(["-x", "--strip-components=1", "--wildcards", "-C"]).arg(target);
        for skipped in ["*/tools/*", "*/samples/*", "*/asic_reg/*"] {
            tar.arg(format!("--exclude={skipped}"));
        }
        tar.args([
            "*/include/*.h",
            "*/arch/x86/*.h",
            "*/drivers/*.h",
            "*/fs/*.h",
            "*/sound/*.h",
            "*/net/*.h",
        ]);
        tar.args(["*/mm/*.h", "*/lib/*.h", "*/kernel/*.h", "*/block/*.h", "*/security/*.h", "*/crypto/*.h"]);
        tar.args(files.lines().filter(|file| file.ends_with(".c")).map(|file| format!("*/{file}")));
        tar.stdin(unxz.stdout.take().context("no output to read")?);
        succeed(&mut tar, "tar")?;
        ensure!(unxz.wait()?.success(), "decompressing {} failed", archive.display());
        Ok(())
    })
}

fn python() -> Command {
    Command::new("python3")
}
