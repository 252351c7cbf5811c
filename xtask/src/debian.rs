//! Packages of Debian's archive, downloaded, checked by SHA-256 and unpacked into a cache. Nothing is installed.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::sh;

/// A package of Debian's archive.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Path below the archive's root.
    pub path: Cow<'static, str>,
    /// What its bytes must be.
    pub sha256: Cow<'static, str>,
}

impl Package {
    /// A package that is pinned.
    pub const fn pinned(name: &'static str, path: &'static str, sha256: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), path: Cow::Borrowed(path), sha256: Cow::Borrowed(sha256) }
    }

    /// The newest package that the machine's package lists offer, among those whose names begin and end so, with a
    /// version between.
    ///
    /// # Errors
    /// When there is none.
    pub fn newest(start: &str, end: &str) -> Result<Self> {
        let offered = || {
            let names = sh::output_of("apt-cache", &["pkgnames", start]).unwrap_or_default();
            let versions = names.lines().filter_map(|name| name.strip_prefix(start)?.strip_suffix(end));
            // Other flavours have a word between.
            let versions = versions.filter(|version| !version.contains('-'));
            versions.max_by_key(|version| numbers(version)).map(str::to_owned)
        };
        let found = offered().or_else(|| {
            // A fresh machine may not have its package lists yet.
            sh::quietly("apt-get update", sh::as_root("apt-get").args(["-q", "update"])).ok()?;
            offered()
        });
        let version = found.with_context(|| {
            format!(
                "no package {start}*{end}: Debian 12's archives have it; are they in /etc/apt/sources.list?"
            )
        })?;
        Self::named(&format!("{start}{version}{end}"))
    }

    /// The newest version of a package, whose name may end in `:` and an architecture.
    ///
    /// # Errors
    /// When the machine's package lists do not have it.
    pub fn named(name: &str) -> Result<Self> {
        let record = sh::output_of("apt-cache", &["show", "--no-all-versions", name]).unwrap_or_default();
        let field = |key: &str| {
            let line = record.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            line.map(str::to_owned).with_context(|| format!("apt-cache show {name} has no {key}"))
        };
        Ok(Self {
            path: field("Filename")?.into(),
            sha256: field("SHA256")?.into(),
            name: name.replace(':', "-").into(),
        })
    }

    /// The package's files, in a folder of the cache.
    ///
    /// # Errors
    /// When it cannot be downloaded, differs from its hash, or cannot be unpacked.
    pub fn unpacked(&self, cache: &Path) -> Result<PathBuf> {
        once(cache, &keyed(&self.name, &self.sha256), |target| {
            let file = tempfile::NamedTempFile::new_in(cache)?;
            self.download(file.path())?;
            succeed(Command::new("dpkg-deb").arg("-x").arg(file.path()).arg(target), "dpkg-deb -x")
        })
    }

    fn download(&self, target: &Path) -> Result<()> {
        eprintln!("xtask: fetching {} from Debian's archive", self.name);
        let mut download = Command::new("python3");
        download.args(["-c", DOWNLOAD]).arg(target).arg(&*self.sha256);
        download.args(ARCHIVES.map(|archive| format!("{archive}/{}", self.path.replace('+', "%2B"))));
        succeed(&mut download, "the download")
    }
}

/// Where packages are fetched from, in this order. Those that are pinned are the last of a closed suite, which the archive
/// keeps; should it be retired, the last two have them.
const ARCHIVES: [&str; 4] = [
    "https://deb.debian.org/debian",
    "https://deb.debian.org/debian-security",
    "https://archive.debian.org/debian",
    "https://snapshot.debian.org/archive/debian/20261101T000000Z",
];

/// Downloads one file and checks it: `python3 -c DOWNLOAD TARGET SHA256 URL...`.
const DOWNLOAD: &str = "\
import hashlib, shutil, sys, urllib.request
target, wanted, *urls = sys.argv[1:]
reasons = []
for url in urls:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, open(target, 'wb') as file:
            shutil.copyfileobj(answer, file)
    except OSError as error:
        reasons.append(f'{url}: {error}')
        continue
    with open(target, 'rb') as file:
        found = hashlib.file_digest(file, 'sha256').hexdigest()
    if found == wanted:
        sys.exit()
    reasons.append(f'{url}: SHA-256 is {found}')
sys.exit('\\n'.join(reasons))
";

/// The numbers in a version, by which versions are ordered.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// Fills a folder of the cache unless it is there. A rename makes an interrupted run leave nothing that looks complete.
///
/// # Errors
/// When it cannot be filled.
pub fn once(cache: &Path, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = cache.join(name);
    if !folder.is_dir() {
        fs::create_dir_all(cache).with_context(|| cache.display().to_string())?;
        let work = tempfile::tempdir_in(cache)?;
        let partial = work.path().join("partial");
        fs::create_dir(&partial)?;
        fill(&partial).with_context(|| format!("preparing {name}"))?;
        fs::rename(&partial, &folder).with_context(|| folder.display().to_string())?;
    }
    Ok(folder)
}

/// The hash in a name makes changed content be fetched anew.
pub fn keyed(name: &str, hash: &str) -> String {
    format!("{name}-{}", hash.get(..12).unwrap_or(hash))
}

/// A short name for a text: FNV-1a.
pub fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}

/// Runs a command that must succeed.
///
/// # Errors
/// When it cannot be started or fails.
pub fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{what}: cannot start {program}"))?;
    ensure!(status.success(), "{what} failed ({status})");
    Ok(())
}
