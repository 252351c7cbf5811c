//! Error numbers in words, as strace prints them.

use std::{borrow::Cow, io, sync::LazyLock};

use ioctl_registry::windows;

/// Error numbers that only the kernel uses inside itself; a tracer sees them. Names and texts from the kernel's
/// `include/linux/errno.h`.
const INTERNAL: &[(i32, &str, &str)] = &[
    (512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"),
    (513, "ERESTARTNOINTR", "To be restarted"),
    (514, "ERESTARTNOHAND", "To be restarted if no handler"),
    (515, "ENOIOCTLCMD", "No ioctl command"),
    (516, "ERESTART_RESTARTBLOCK", "Interrupted by signal"),
    (517, "EPROBE_DEFER", "Driver requests probe retry"),
    (518, "EOPENSTALE", "open found a stale dentry"),
    (519, "ENOPARAM", "Parameter not supported"),
    (524, "ENOTSUPP", "Operation is not supported"),
    (530, "EIOCBQUEUED", "iocb queued, will get completion event"),
];

/// Name and text of those that programs see, by number: calls fail by the million.
static KNOWN: LazyLock<Vec<(Cow<'static, str>, Cow<'static, str>)>> =
    LazyLock::new(|| (0..KNOWN_ERRNOS).map(|errno| (find_name(errno), find_text(errno))).collect());
/// More than any error number that programs see.
const KNOWN_ERRNOS: i32 = 256;

fn known(errno: i32) -> Option<&'static (Cow<'static, str>, Cow<'static, str>)> {
    KNOWN.get(usize::try_from(errno).ok()?)
}

/// Whether the call will be made again by the kernel, so that the number is no result.
#[must_use]
pub const fn is_restart(errno: i32) -> bool {
    matches!(errno, 512 | 513 | 514 | 516)
}

/// The name of an `NTSTATUS`, or its number.
#[must_use]
pub fn status_name(status: u32) -> Cow<'static, str> {
    windows::status_name(status).map_or_else(|| format!("{status:#x}").into(), Cow::Borrowed)
}

/// `ENOTTY` for 25; `errno 999` for a number without a name. A number below zero is an `NTSTATUS`.
#[must_use]
pub fn name(errno: i32) -> Cow<'static, str> {
    if errno < 0 {
        return status_name(errno.cast_unsigned());
    }
    known(errno).map_or_else(|| find_name(errno), |(name, _)| Cow::Borrowed(name))
}

fn find_name(errno: i32) -> Cow<'static, str> {
    if let Some((_, name, _)) = INTERNAL.iter().find(|(number, ..)| *number == errno) {
        return Cow::Borrowed(name);
    }
    match nix::errno::Errno::from_raw(errno) {
        nix::errno::Errno::UnknownErrno => Cow::Owned(format!("errno {errno}")),
        known => Cow::Owned(format!("{known:?}")),
    }
}

/// The C library's words for it. An `NTSTATUS` says how severe it is.
#[must_use]
pub fn text(errno: i32) -> Cow<'static, str> {
    if errno < 0 {
        return if errno.cast_unsigned() >= 0xc000_0000 { "error" } else { "warning" }.into();
    }
    known(errno).map_or_else(|| find_text(errno), |(_, text)| Cow::Borrowed(text))
}

fn find_text(errno: i32) -> Cow<'static, str> {
    if let Some((_, _, text)) = INTERNAL.iter().find(|(number, ..)| *number == errno) {
        return Cow::Borrowed(text);
    }
    let text = io::Error::from_raw_os_error(errno).to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => Cow::Owned(words.to_owned()),
        None => Cow::Owned(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_strace() {
        assert_eq!((name(25), text(25)), ("ENOTTY".into(), "Inappropriate ioctl for device".into()));
        assert_eq!((name(512), is_restart(512)), ("ERESTARTSYS".into(), true));
        assert_eq!(name(999), "errno 999");
        assert!(!is_restart(25));
    }
}
