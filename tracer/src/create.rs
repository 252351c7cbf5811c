//! New files: what programs say to devices can be secret, and whoever traces is often root in a folder of others. Under
//! sudo files are created with the rights of the user behind it, and are that user's.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt as _, MetadataExt, OpenOptionsExt},
    path::{Component, Path},
    thread,
};

use nix::unistd::{Gid, Uid, User, getgrouplist};

use crate::{process, raw};

/// Creates a file that only its owner may read, or empties one of ours.
///
/// # Errors
/// When it cannot be created, is a symbolic link, or belongs to somebody else.
pub fn file(path: &Path) -> io::Result<File> {
    as_invoker(|| match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => existing(path),
        done => done,
    })
}

/// Removes a file.
///
/// # Errors
/// When the system does not.
pub fn remove(path: &Path) -> io::Result<()> {
    as_invoker(|| fs::remove_file(path))
}

/// Opens what is there to be written anew.
fn existing(path: &Path) -> io::Result<File> {
    let denied = |message| Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    let follow = if is_stream(path) { 0 } else { libc::O_NOFOLLOW };
    let file = match OpenOptions::new().write(true).custom_flags(follow).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return denied("it is a symbolic link: name the file that it leads to".to_owned());
        }
        opened => opened?,
    };
    let known = file.metadata()?;
    // A terminal, or /dev/null, is whoever's.
    if !known.file_type().is_char_device() && !process::is_trusted(known.uid()) {
        return denied(format!(
            "it belongs to another user ({}): remove it, or name another file",
            known.uid()
        ));
    }
    if known.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Whether it is a name of the system for an open file, such as `/dev/stdout`, where nobody else can lay a link.
fn is_stream(path: &Path) -> bool {
    let Some(folder) = path.parent() else { return false };
    let of_process =
        folder.starts_with("/proc") && !path.components().any(|part| part == Component::ParentDir);
    of_process || [Path::new("/dev"), Path::new("/dev/fd")].contains(&folder)
}

/// Does something with the rights that the user behind sudo has for files.
fn as_invoker<T: Send>(act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let Some(uid) = process::behind_sudo() else { return act() };
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let gid = user.as_ref().map_or(Gid::from_raw(uid), |user| user.gid);
    let name = user.and_then(|user| std::ffi::CString::new(user.name).ok());
    let groups = name.and_then(|name| getgrouplist(&name, gid).ok()).unwrap_or_else(|| vec![gid]);
    // These rights are a thread's: this one ends with them.
    let done = thread::scope(|scope| {
        let limited = scope.spawn(|| {
            raw::limit_thread_to(Uid::from_raw(uid), gid, &groups)?;
            act()
        });
        limited.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
    });
    done.map_err(|error| match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "user {uid}, who called sudo, may not write there: name another place, or unset SUDO_UID"
            ),
        ),
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_the_system_are_followed() {
        for (path, follows) in [
            ("/dev/stdout", true),
            ("/dev/fd/3", true),
            ("/proc/self/fd/1", true),
            ("/dev/shm/calls.txt", false),
            ("/proc/../tmp/calls.txt", false),
            ("/tmp/calls.txt", false),
            ("calls.txt", false),
        ] {
            assert_eq!(is_stream(Path::new(path)), follows, "{path}");
        }
    }
}
