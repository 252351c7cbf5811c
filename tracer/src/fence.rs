//! System calls that are given up together with capabilities: what none of our duties needs is refused by the kernel, should
//! hostile data ever find a way to make us call it. Landlock cannot be used: whoever it fences in may no longer ask `/proc`
//! for the descriptors of processes outside.

use std::{collections::BTreeMap, io};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// Starting programs, and reaching into other processes and the kernel.
const REFUSED: [i64; 30] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_swapon,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_open_by_handle_at,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
];

/// Opening files, reaching the network and starting threads: reading records needs no more than what is open.
const REFUSED_TO_READERS: [i64; 7] = [
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_kill,
];

/// Older ways to open files, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLDER: [i64; 2] = [libc::SYS_open, libc::SYS_creat];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: [i64; 0] = [];

/// Has these system calls of the calling thread, and of those that it starts, refused from now on.
///
/// # Errors
/// When the kernel has no seccomp.
pub fn raise(reads_only: bool) -> io::Result<()> {
    let more = REFUSED_TO_READERS.iter().chain(&OLDER).filter(|_| reads_only);
    let rules: BTreeMap<_, _> = REFUSED.iter().chain(more).map(|number| (*number, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).map_err(io::Error::other)?;
    let program: BpfProgram = filter.try_into().map_err(io::Error::other)?;
    apply_filter(&program).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command, thread};

    use super::*;

    #[test]
    fn nothing_is_started_behind_the_fence() {
        for reads_only in [false, true] {
            let inside = thread::spawn(move || {
                raise(reads_only).expect("seccomp");
                let started = Command::new("/bin/true").status();
                (started.map_err(|error| error.kind()), fs::read("/proc/self/status").is_ok())
            });
            let (started, opened) = inside.join().expect("a thread");
            assert_eq!(started.expect_err("nothing is started"), io::ErrorKind::PermissionDenied);
            assert_eq!(opened, !reads_only);
        }
        assert!(Command::new("/bin/true").status().expect("out here").success());
    }
}
