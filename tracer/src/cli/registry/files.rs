//! Which files add requests to the registry: those of `--registry`, and those that lie in the user's configuration.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use ioctl_registry::{Registry, vendor::Mistake};
use nix::unistd::{User, geteuid};

use crate::{
    cli::{run::Failure, say},
    process,
};

/// Where files lie in a user's configuration.
const FOLDER: &str = "ioctl-trace/registry";

/// The registry with the files that were asked for, and those that load by themselves. It lives as long as the program.
///
/// # Errors
/// Mistakes in a file that was asked for. One that loads by itself is left out with a warning.
pub fn open(asked_for: &[PathBuf]) -> Result<&'static Registry, Failure> {
    for path in asked_for {
        if let Some(uid) = stranger(path) {
            let path = path.display();
            return Err(Failure::Usage(format!(
                "`{path}` belongs to another user ({uid}): copy it, or chown it"
            )));
        }
    }
    let mut own = own_files(&folders());
    own.retain(|path| match stranger(path) {
        Some(uid) => {
            say(&format!("left out: `{}` belongs to another user ({uid})", path.display()));
            false
        }
        None => true,
    });
    if asked_for.is_empty() && own.is_empty() {
        return Ok(Registry::builtin());
    }
    let (registry, mistakes) = with_files(asked_for, &own);
    let (errors, warnings): (Vec<_>, Vec<_>) = mistakes
        .iter()
        .partition(|mistake| asked_for.iter().any(|path| path.display().to_string() == mistake.file));
    for warning in warnings {
        say(&format!("left out: {warning}"));
    }
    match errors.split_last() {
        None => Ok(Box::leak(Box::new(registry))),
        Some((last, others)) => {
            others.iter().for_each(|mistake| say(&mistake.to_string()));
            Err(Failure::Usage(last.to_string()))
        }
    }
}

/// Whose a file is, if not root's, ours or that of the user behind sudo: it could give requests names that mislead.
fn stranger(path: &Path) -> Option<u32> {
    let owner = fs::metadata(path).ok()?.uid();
    (!process::is_trusted(owner)).then_some(owner)
}

/// A registry with all files; one that was asked for and lies in the configuration is read once.
fn with_files(asked_for: &[PathBuf], own: &[PathBuf]) -> (Registry, Vec<Mistake>) {
    let mut seen = BTreeSet::new();
    let all = asked_for.iter().chain(own);
    let new = |path: &&PathBuf| seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
    Registry::with_vendor_files(all.filter(new))
}

/// The folders of the user, and of the one behind sudo.
fn folders() -> Vec<PathBuf> {
    let home = |dir: &Path| dir.join(".config");
    let own = env::var_os("XDG_CONFIG_HOME").filter(|dir| Path::new(dir).is_absolute()).map(PathBuf::from);
    let own = own.or_else(|| env::home_dir().map(|dir| home(&dir)));
    let behind_sudo = || {
        let name = env::var("SUDO_USER").ok().filter(|_| geteuid().is_root())?;
        Some(home(&User::from_name(&name).ok()??.dir))
    };
    let mut folders: Vec<PathBuf> =
        own.into_iter().chain(behind_sudo()).map(|dir| dir.join(FOLDER)).collect();
    folders.dedup();
    folders
}

/// The files of some folders, in the order of the folders and of their names.
fn own_files(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        match fs::read_dir(folder) {
            Ok(entries) => {
                let paths = entries.flatten().map(|entry| entry.path());
                // A pipe would be waited for.
                let mut found: Vec<_> = paths
                    .filter(|path| path.extension().is_some_and(|it| it == "toml") && path.is_file())
                    .collect();
                found.sort();
                files.append(&mut found);
            }
            // Not there, or in a place that this user cannot look into.
            Err(_) if folder.symlink_metadata().is_err() => {}
            Err(error) => say(&format!("cannot read `{}`: {error}", folder.display())),
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_load_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "c.txt"] {
            fs::write(dir.path().join(name), "[vendor]\nname = \"acme\"\n").unwrap();
        }
        fs::create_dir(dir.path().join("d.toml")).unwrap();
        let files = own_files(&[dir.path().join("none"), dir.path().to_owned()]);
        assert_eq!(files, [dir.path().join("a.toml"), dir.path().join("b.toml")]);
    }

    #[test]
    fn a_file_that_is_asked_for_twice_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        fs::write(&path, "[vendor]\nname = \"acme\"\n\n[[request]]\nname = \"ACME_GO\"\nnumber = 0x4601\n")
            .unwrap();
        let (registry, mistakes) = with_files(std::slice::from_ref(&path), std::slice::from_ref(&path));
        assert_eq!(mistakes, []);
        assert_eq!(registry.rows("ACME_GO").len(), 1);
    }
}
