//! What the program may still do while it runs, and how little it needs.

use std::{fs, process::Command};

use nix::sys::signal::Signal;

use crate::trace::{attached, finish, have_root, ioctl_trace, run, signal_child, stderr, until};

/// The value of a line of a thread's status.
fn field<'s>(status: &'s str, name: &str) -> &'s str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("a line").trim()
}

/// `CAP_SYS_MODULE`, `CAP_SYS_RAWIO`, `CAP_SYS_ADMIN`, `CAP_NET_ADMIN`.
const OF_NO_USE: u64 = 1 << 16 | 1 << 17 | 1 << 21 | 1 << 12;

#[test]
fn what_is_not_needed_is_given_up() {
    if !have_root() {
        return;
    }
    let tracer = attached(&mut ioctl_trace(["-a", "-c"]));
    let threads = format!("/proc/{}/task", tracer.id());
    let statuses = || -> Vec<String> {
        let threads = fs::read_dir(&threads).expect("threads").flatten();
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok()).collect()
    };
    // The thread that reads the kernel's symbols ends by itself.
    let all = until("all threads to be limited", || {
        Some(statuses()).filter(|all| {
            all.iter().all(|status| field(status, "NoNewPrivs") == "1" && field(status, "Seccomp") == "2")
        })
    });
    let held = |status: &String| u64::from_str_radix(field(status, "CapPrm"), 16).expect("a number");
    assert!(all.len() >= 3 && all.iter().all(|status| held(status) & OF_NO_USE == 0));
    let reader = all.iter().find(|status| field(status, "Name") == "reader").expect("a reader");
    assert_eq!(held(reader), 0);
    signal_child(&tracer, Signal::SIGINT);
    assert!(finish(tracer).status.success());
}

#[test]
fn two_capabilities_and_access_to_tracefs_suffice() {
    if !have_root() {
        return;
    }
    // Nobody may look into the folder where the program was built.
    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join("ioctl-trace");
    fs::copy(ioctl_trace([""; 0]).get_program(), &program).expect("a copy");
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(dir.path(), open).expect("permissions");
    let trace = |capabilities: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.args(["--inh-caps", capabilities, "--ambient-caps", capabilities]).arg(&program);
        run(command.args(["--", "stty", "-F", "/dev/ptmx", "size"]).current_dir("/"))
    };
    let output = trace("+bpf,+perfmon,+dac_read_search");
    assert!(stderr(&output).contains("TIOCGWINSZ, {ws_row=0"), "{}", stderr(&output));
    let output = trace("+bpf,+dac_read_search");
    assert!(stderr(&output).contains("needs CAP_BPF and CAP_PERFMON"), "{}", stderr(&output));
}
