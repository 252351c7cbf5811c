//! Fetches the kernel headers: the `ziglang` wheel, pinned by hash, from the Python package index.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::compiler;

const VERSION: &str = "0.17.0";
const SHA256: &str = "97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b";
/// The headers are the same on every machine, so the wheel of one platform serves all.
const PLATFORM: &str = "manylinux_2_12_x86_64";

/// Unpacks the members of a wheel below the folders named: `python3 -c UNPACK WHEEL TARGET FOLDER...`.
const UNPACK: &str = "\
import sys, zipfile
wheel, target, *folders = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.startswith(tuple(f'ziglang/lib/libc/include/{folder}/' for folder in folders)):
            archive.extract(name, target)
";

/// The folder with the header trees, fetched and unpacked on first use.
pub fn headers(cache: &Path) -> Result<PathBuf> {
    // The hash in the name makes a changed pin fetch anew.
    let unpacked = cache.join(format!("ziglang-{VERSION}-{}", SHA256.get(..12).unwrap_or(SHA256)));
    let include = unpacked.join("ziglang/lib/libc/include");
    if include.is_dir() {
        return Ok(include);
    }
    fs::create_dir_all(cache).with_context(|| cache.display().to_string())?;
    let work = tempfile::tempdir_in(cache)?;
    let wheel = download(work.path())?;
    let partial = work.path().join("unpacked");
    let folders = compiler::KERNEL_ROOTS.into_iter().chain(compiler::GLIBC_ROOTS);
    let mut unpack = Command::new("python3");
    unpack.args(["-c", UNPACK]).arg(&wheel).arg(&partial).args(folders);
    succeed(&mut unpack, "unpacking the ziglang wheel")?;
    // A rename makes an interrupted run leave nothing that looks complete.
    fs::rename(&partial, &unpacked).with_context(|| unpacked.display().to_string())?;
    Ok(include)
}

fn download(folder: &Path) -> Result<PathBuf> {
    let pinned = folder.join("requirements.txt");
    fs::write(&pinned, format!("ziglang=={VERSION} --hash=sha256:{SHA256}\n"))?;
    eprintln!("registry: fetching ziglang {VERSION}");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"])
        .args(["--platform", PLATFORM, "--dest"])
        .arg(folder)
        .arg("--requirement")
        .arg(&pinned);
    succeed(&mut pip, "fetching the ziglang wheel with pip")?;
    fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip reported success but left no wheel")
}

fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: cannot start python3"))?;
    ensure!(status.success(), "{what} failed ({status})");
    Ok(())
}
