//! New files: what programs say to devices can be secret, and whoever traces is often root in a folder of others.

use std::{
    fs::{File, OpenOptions, symlink_metadata},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::unistd::{Gid, Uid, fchown, geteuid};

/// Creates a file that only its owner may read. Under sudo that is the user behind it.
///
/// # Errors
/// When it cannot be created, or is a symbolic link that somebody else has laid there.
pub fn file(path: &Path) -> io::Result<File> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => existing(path),
        Ok(file) => {
            if let (true, Some(uid), Some(gid)) =
                (geteuid().is_root(), behind_sudo("SUDO_UID"), behind_sudo("SUDO_GID"))
            {
                // Where that is not possible it stays root's, as the file of any program would.
                let _ = fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            }
            Ok(file)
        }
        failed => failed,
    }
}

/// Opens what is there to be written anew.
fn existing(path: &Path) -> io::Result<File> {
    let open = |flags| OpenOptions::new().write(true).truncate(true).custom_flags(flags).open(path);
    match open(libc::O_NOFOLLOW) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            // Those of the system, such as /dev/stdout, belong to root.
            let owner = symlink_metadata(path)?.uid();
            let ours = [Some(0), Some(geteuid().as_raw()), behind_sudo("SUDO_UID")];
            if !ours.contains(&Some(owner)) {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("it is a symbolic link of another user ({owner})"),
                ));
            }
            // One that leads nowhere yet is followed too.
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
        }
        opened => opened,
    }
}

/// An id that sudo leaves behind.
fn behind_sudo(name: &str) -> Option<u32> {
    std::env::var(name).ok()?.parse().ok()
}
