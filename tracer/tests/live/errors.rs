//! What goes wrong is said in one line that names the cause and the remedy, with the right exit code.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use crate::trace::{exerciser, finish, have_root, ioctl_trace, run, stderr, stdout};

/// Exit code and the single line of standard error.
fn failure(args: &[&str]) -> (i32, String) {
    let output = run(ioctl_trace(args));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 1, "one line: {text}");
    assert!(text.starts_with("ioctl-trace: "), "{text}");
    (output.status.code().expect("exit code"), text.trim_end().to_owned())
}

/// The program where anyone can reach it.
fn reachable() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::Builder::new().prefix("ioctl-trace").tempdir_in("/tmp").expect("directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    let program = dir.path().join("ioctl-trace");
    fs::copy(env!("CARGO_BIN_EXE_ioctl-trace"), &program).expect("copy");
    (dir, program)
}

#[test]
fn bad_usage() {
    for (args, words) in [
        (&[][..], "nothing to trace"),
        (&["-a", "-e", "TCGTES"], "did you mean `TCGETS`?"),
        (&["-a", "-e", "@nope"], "no family is named `nope`"),
        (&["-a", "-o", "trace.dat"], "the format of `trace.dat` is not clear"),
        (&["-a", "-o", "trace.dat"], ".txt, .jsonl, .csv, .parquet, .pftrace or .iotrace"),
        (&["-a", "-o", "a.parquet.gz"], "a .parquet is compressed by itself"),
        (&["-a", "-o", "a.iotrace.zst"], "a .iotrace is compressed by itself"),
        (&["-a", "-o", "/dev/null", "-o", "/dev/null"], "`/dev/null` is given twice"),
        (&["--format", "parquet", "--", "true"], "add -o FILE.parquet"),
        (&["-a", "--uid", "no-such-user"], "there is no user `no-such-user`"),
        (&["-a", "--", "true"], "leave out the command, or -a"),
    ] {
        let (code, line) = failure(args);
        assert_eq!(code, 2, "{line}");
        assert!(line.contains(words), "{line}");
    }
    let output = run(ioctl_trace(["-p", "abc"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("invalid value 'abc' for '--pid"), "{}", stderr(&output));
}

#[test]
fn processes_that_are_not_there() {
    let (code, line) = failure(&["--no-tui", "-p", "4194304"]);
    assert_eq!((code, line.as_str()), (1, "ioctl-trace: there is no process 4194304"));
}

#[test]
fn commands_that_do_not_run() {
    if !have_root() {
        return;
    }
    let (code, line) = failure(&["--", "/no/such/program"]);
    assert_eq!(code, 1);
    assert_eq!(line, "ioctl-trace: cannot run `/no/such/program`: No such file or directory (os error 2)");
    let (code, line) = failure(&["--user", "no-such-user", "--", "true"]);
    assert_eq!((code, line.as_str()), (1, "ioctl-trace: there is no user `no-such-user`"));
}

#[test]
fn without_privileges() {
    if !have_root() {
        return;
    }
    let (_dir, program) = reachable();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--clear-groups", "--"]).arg(&program).args(["--", "true"]);
    let output = run(command);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("needs CAP_BPF and CAP_PERFMON") && text.contains("sudo") && text.contains("setcap"),
        "{text}"
    );
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    if !have_root() {
        return;
    }
    let script = format!(
        "{} -- {} --loop 100000 2>&1 >/dev/null | head -1",
        env!("CARGO_BIN_EXE_ioctl-trace"),
        exerciser().display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let output = run(command);
    assert!(stdout(&output).starts_with("exerciser "), "{}", stdout(&output));
    assert_eq!(stdout(&output).lines().count(), 1);
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_full_disk_is_told() {
    if !have_root() {
        return;
    }
    let child = ioctl_trace(["-q", "--format", "text", "-o", "/dev/full", "--"])
        .arg(exerciser())
        .args(["--loop", "1000"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("spawn");
    let output = finish(child);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "ioctl-trace: cannot write the output: No space left on device (os error 28)\n"
    );
}

#[test]
fn the_doctor_finds_what_is_missing() {
    if !have_root() {
        return;
    }
    let output = run(ioctl_trace(["doctor"]));
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!text.contains("!!") && text.contains("they can be attached"), "{text}");
    assert!(!text.contains("cannot be seen"), "{text}");
    // The same machine without privileges.
    let mut command = Command::new("setpriv");
    let (_dir, program) = reachable();
    command.args(["--reuid", "65534", "--clear-groups", "--"]).arg(program).arg("doctor");
    let output = run(command);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let wanting: Vec<&str> = text.lines().filter(|line| line.starts_with("!!")).collect();
    assert!(wanting.len() == 1 && wanting[0].contains("run with sudo, or `setcap"), "{text}");
}
