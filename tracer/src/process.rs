//! Facts about processes from `/proc`, and our own privileges. `/proc` is read as hostile text: a process writes its own
//! name, and can be gone at any moment.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use ioctl_trace_ebpf::COMM_LEN;
use nix::unistd::geteuid;

/// `CAP_SYS_ADMIN`, which stands for the two below on kernels before 5.8 and still grants everything.
const CAP_SYS_ADMIN: u64 = 21;
const CAP_PERFMON: u64 = 38;
const CAP_BPF: u64 = 39;

/// Whether our capabilities suffice for loading and attaching tracing programs.
#[must_use]
pub fn may_trace() -> bool {
    has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))
}

/// Whether the running thread has a capability; if that cannot be told, it is for the kernel to refuse.
fn has(capability: u64) -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let held = status_field(&status, "CapEff").and_then(|value| u64::from_str_radix(value, 16).ok());
    held.is_none_or(|held| held & (1 << capability) != 0)
}

/// The level of `kernel.perf_event_paranoid`, if it is one at which Debian's kernels want `CAP_SYS_ADMIN` for what needs
/// `CAP_PERFMON` elsewhere, and we do not have it.
#[must_use]
pub fn restricted_perf_events() -> Option<i32> {
    let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok()?.trim().parse().ok()?;
    (level > 2 && !has(CAP_SYS_ADMIN)).then_some(level)
}

/// Whether the kernel is locked down so far that BPF may not read memory. If securityfs is not mounted it cannot be told.
#[must_use]
pub fn locked_down() -> bool {
    fs::read_to_string("/sys/kernel/security/lockdown").is_ok_and(|modes| modes.contains("[confidentiality]"))
}

/// Whether we are in a container whose processes have numbers of their own. The machine's namespace has this inode on every
/// kernel (`PROC_PID_INIT_INO`).
#[must_use]
pub fn in_own_pid_namespace() -> bool {
    const MACHINE: &str = "pid:[4026531836]";
    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link != Path::new(MACHINE))
}

/// The user behind sudo, if there is one and it is not root. Behind what is typed in a shell of root's there is none but root.
#[must_use]
pub fn behind_sudo() -> Option<u32> {
    who_called_sudo().filter(|_| !in_shell_of_root())
}

/// Whether sudo was called for a shell, in which its user is root from then on.
#[must_use]
pub fn in_shell_of_root() -> bool {
    let command = std::env::var("SUDO_COMMAND").unwrap_or_default();
    is_shell(&command, &fs::read_to_string("/etc/shells").unwrap_or_default())
}

/// Whether sudo's command is a shell to be typed into: one with arguments is a script, behind which somebody else stands.
fn is_shell(command: &str, shells: &str) -> bool {
    let su = ["/bin/su", "/usr/bin/su"];
    su.contains(&command) || (command.starts_with('/') && shells.lines().any(|line| line.trim() == command))
}

/// Who called sudo, be it for this or for a shell.
fn who_called_sudo() -> Option<u32> {
    let uid = std::env::var("SUDO_UID").ok().filter(|_| geteuid().is_root())?;
    uid.parse().ok().filter(|uid| *uid != 0)
}

/// Whether files of this user can be trusted: root's, ours, and those of who called sudo.
#[must_use]
pub fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw() || who_called_sudo() == Some(uid)
}

/// The numbers that a thread has in its own namespace of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NsIds {
    /// That of its process.
    pub pid: u32,
    /// Its own.
    pub tid: u32,
}

/// A thread that was found in `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// When it began, in nanoseconds of `CLOCK_BOOTTIME`, cut to the kernel's ticks.
    pub began_ns: u64,
    /// Its numbers there; `None` where they are those of the machine.
    pub ids: Option<NsIds>,
}

/// Looks up a thread by the machine's numbers.
#[must_use]
pub fn find(pid: u32, tid: u32) -> Option<Found> {
    use std::os::fd::AsRawFd as _;
    // Through the open folder both files are of one thread, even if another gets its number meanwhile.
    let folder = fs::File::open(format!("/proc/{pid}/task/{tid}")).ok()?;
    let file = |name: &str| fs::read_to_string(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd())).ok();
    found(&file("status")?, &file("stat")?, tid)
}

fn found(status: &str, stat: &str, tid: u32) -> Option<Found> {
    // The name of a program may hold anything.
    let (_, behind) = stat.rsplit_once(')')?;
    let ticks: u64 = behind.split_whitespace().nth(19)?.parse().ok()?;
    let ticks_per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    let tick_ns = 1_000_000_000_u64.checked_div(u64::try_from(ticks_per_second).ok()?)?;
    // From the machine's number to the innermost one.
    let inner = |name: &str| {
        let mut numbers = status_field(status, name)?.split_whitespace().map(str::parse);
        let (outer, inner) = (numbers.next()?.ok()?, numbers.next_back()?.ok()?);
        Some((outer, inner))
    };
    let ids = match (inner("NStgid"), inner("NSpid")) {
        (Some((_, pid)), Some((outer, own))) if outer == tid => Some(NsIds { pid, tid: own }),
        _ => None,
    };
    Some(Found { began_ns: ticks.checked_mul(tick_ns)?, ids })
}

/// The value of a line `Name:\tvalue` of a `status` file.
fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

/// A name as the kernel keeps it in `comm`: cut to 15 bytes, padded with NUL.
#[must_use]
pub fn comm_bytes(name: &str) -> [u8; COMM_LEN] {
    let mut comm = [0; COMM_LEN];
    for (slot, byte) in comm.iter_mut().take(COMM_LEN - 1).zip(name.bytes()) {
        *slot = byte;
    }
    comm
}

/// The process that a thread belongs to; a process is its own main thread. `None` if there is no such thread.
#[must_use]
pub fn process_of(tid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    status_field(&status, "Tgid")?.parse().ok()
}

/// The name of a process, as it calls itself.
#[must_use]
pub fn comm_of(pid: u32) -> Option<String> {
    let comm = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&comm).trim_end_matches('\n').to_owned())
}

/// The real user id of a task.
#[must_use]
pub fn uid_of(tid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    status_field(&status, "Uid")?.split_whitespace().next()?.parse().ok()
}

/// Whether a process exists and has a thread that has not ended.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status_field(&status, "State").is_some_and(|state| !state.starts_with(['Z', 'X']))
    })
}

/// Whether a file is a 32-bit program: an ELF file of class 32 (`e_ident[EI_CLASS]` is 1).
#[must_use]
pub fn is_32_bit(program: &Path) -> bool {
    let mut ident = [0; 5];
    let read = fs::File::open(program).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut ident));
    read.is_ok() && ident == *b"\x7fELF\x01"
}

/// Whether one of these processes runs a 32-bit program; `None` stands for all processes.
#[must_use]
pub fn any_32_bit(pids: Option<&[u32]>) -> bool {
    let runs = |pid: u32| is_32_bit(Path::new(&format!("/proc/{pid}/exe")));
    match pids {
        Some(pids) => pids.iter().any(|pid| runs(*pid)),
        None => all_pids().any(runs),
    }
}

/// All descendants of `roots` that exist now.
#[must_use]
pub fn descendants(roots: &[u32]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in all_pids() {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if let Some(parent) = status_field(&status, "PPid").and_then(|v| v.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = HashSet::new();
    let mut queue = roots.to_vec();
    while let Some(pid) = queue.pop() {
        for &child in children.get(&pid).into_iter().flatten() {
            if found.insert(child) {
                queue.push(child);
            }
        }
    }
    found.into_iter().filter(|pid| !roots.contains(pid)).collect()
}

fn all_pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Where the cgroup v2 hierarchy is mounted.
#[must_use]
pub fn cgroup_mount() -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, target, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| target.to_owned())
    })
}

/// Path of a process's cgroup below the v2 hierarchy's root.
#[must_use]
pub fn cgroup_of(pid: u32) -> Option<String> {
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    cgroups.lines().find_map(|line| line.strip_prefix("0::").map(str::to_owned))
}

/// The target of a descriptor's link in `/proc`, if it still is the file with inode `ino`.
#[must_use]
pub fn fd_target(pid: u32, fd: u32, ino: u64) -> Option<Vec<u8>> {
    use std::os::unix::{ffi::OsStringExt, fs::MetadataExt};
    let link = format!("/proc/{pid}/fd/{fd}");
    let link = Path::new(&link);
    if fs::metadata(link).ok()?.ino() != ino {
        return None;
    }
    Some(fs::read_link(link).ok()?.into_os_string().into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_as_the_kernel_cuts_them() {
        assert_eq!(&comm_bytes("stty")[..6], b"stty\0\0");
        assert_eq!(&comm_bytes("a-very-long-program-name")[..], b"a-very-long-pro\0");
    }

    #[test]
    fn a_shell_of_root_is_none_with_arguments() {
        let shells = "# /etc/shells\n/bin/sh\n/bin/bash\n";
        for (command, is) in [
            ("/bin/bash", true),
            ("/usr/bin/su", true),
            ("/bin/bash -c x", false),
            ("/usr/bin/ioctl-trace", false),
            ("# /etc/shells", false),
            ("", false),
        ] {
            assert_eq!(is_shell(command, shells), is, "{command}");
        }
    }

    #[test]
    fn numbers_of_both_namespaces_are_found() {
        let stat = format!("4711 (a) 7) S {} 250 0", "1 ".repeat(18));
        let of = |lines: &str| found(&format!("Name:\ta) 7\n{lines}"), &stat, 4712).expect("a thread");
        let inner = of("NStgid:\t4711\t30\t1\nNSpid:\t4712\t31\t2\n");
        assert_eq!(inner.ids, Some(NsIds { pid: 1, tid: 2 }), "those of the innermost");
        assert_eq!(of("NStgid:\t4711\nNSpid:\t4712\n").ids, None, "the machine's own");
        assert_eq!(of("NStgid:\t4711\t1\nNSpid:\t9\t2\n").ids, None, "not as the machine numbers them");
        assert_eq!(of("NStgid:\t\nNSpid:\tx\ty\n").ids, None);
        assert!(inner.began_ns >= 250_000_000, "{inner:?}");
        assert_eq!(found("", "4711 (a", 1), None);
        let pid = std::process::id();
        assert!(find(pid, pid).is_some() && find(pid, u32::MAX).is_none());
    }

    #[test]
    fn our_own_process_is_found() {
        let pid = std::process::id();
        assert_eq!(process_of(pid), Some(pid));
        assert_eq!(process_of(nix::unistd::gettid().as_raw().cast_unsigned()), Some(pid));
        assert!(is_alive(pid));
        assert!(!is_alive(u32::MAX));
        assert_eq!(process_of(u32::MAX), None);
    }

    #[test]
    fn children_are_descendants() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let found = descendants(&[std::process::id()]);
        child.kill().expect("kill");
        child.wait().expect("wait");
        assert!(found.contains(&child.id()));
    }
}
