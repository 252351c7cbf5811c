//! Beginning and end: exit codes, signals, users, other tracers, attaching and detaching, and what stays behind.

use std::{
    fs,
    process::{Command, Stdio},
    time::Instant,
};

use nix::sys::signal::Signal;

use crate::trace::{
    Running, attached, events, exerciser, finish, have_root, ioctl_trace, number, run, signal_child, stderr,
    stdout, text, until,
};

#[test]
fn the_exit_code_is_the_commands() {
    if !have_root() {
        return;
    }
    let code = |script: &str| run(ioctl_trace(["-q", "--", "sh", "-c", script])).status.code();
    assert_eq!(code("exit 0"), Some(0));
    assert_eq!(code("exit 7"), Some(7));
    assert_eq!(code("kill -TERM $$"), Some(128 + 15));
    assert_eq!(code("kill -KILL $$"), Some(128 + 9));
}

#[test]
fn the_commands_own_streams_are_its_own() {
    if !have_root() {
        return;
    }
    let mut command = ioctl_trace(["-q", "-e", "FIONREAD", "--", "sh", "-c", "cat; echo err >&2"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("spawn");
    std::io::Write::write_all(&mut child.stdin.take().expect("pipe"), b"through\n").expect("write");
    let output = finish(child);
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("through\n", "err\n"));
}

#[test]
fn a_terminating_signal_reaches_the_command() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let ready = dir.path().join("ready");
    let script = format!("trap 'exit 42' TERM; touch {}; while :; do sleep 0.01; done", ready.display());
    let child = ioctl_trace(["-q", "--", "sh", "-c", &script]).stderr(Stdio::null()).spawn().expect("spawn");
    until("the command", || ready.exists().then_some(()));
    signal_child(&child, Signal::SIGTERM);
    assert_eq!(finish(child).status.code(), Some(42));
}

#[test]
fn a_command_runs_as_the_user_behind_sudo() {
    if !have_root() {
        return;
    }
    let id = |command: &mut Command| {
        let output =
            run(command.args(["-q", "--", "sh", "-c", "id -u; echo $HOME; stty -a </dev/ptmx >/dev/null"]));
        (stdout(&output), stderr(&output))
    };
    let (out, _) = id(ioctl_trace([""; 0]).env("SUDO_USER", "nobody"));
    assert_eq!(out, "65534\n/nonexistent\n");
    let (out, _) = id(ioctl_trace(["--user", "root"]).env("SUDO_USER", "nobody"));
    assert!(out.starts_with("0\n"), "{out}");
    let (out, _) = id(&mut ioctl_trace(["--user", "nobody"]));
    assert!(out.starts_with("65534\n"), "{out}");
}

#[test]
fn two_tracers_at_once_see_the_same() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let (outer, inner) = (dir.path().join("outer.jsonl"), dir.path().join("inner.jsonl"));
    let mut command = ioctl_trace(["-q", "-o"]);
    command
        .arg(&outer)
        .arg("--")
        .arg(env!("CARGO_BIN_EXE_ioctl-trace"))
        .args(["-q", "-o"])
        .arg(&inner)
        .arg("--");
    command.arg(exerciser()).args(["--loop", "2000"]);
    let output = run(command);
    assert!(output.status.success(), "{}", stderr(&output));
    let of_load = |path| {
        let mut events = events(path);
        events.retain(|e| text(e, "/comm") == "exerciser");
        events
            .iter()
            .map(|e| (number(e, "/tid"), text(e, "/request/hex").to_owned(), number(e, "/ret")))
            .collect::<Vec<_>>()
    };
    let seen = of_load(&outer);
    assert!(seen.len() >= 2000);
    assert_eq!(seen, of_load(&inner));
}

#[test]
fn attach_and_detach_fifty_times_under_load() {
    if !have_root() {
        return;
    }
    let load = Running::start(Command::new(exerciser()).arg("--forever"));
    for round in 0..50 {
        let mut tracer = attached(&mut ioctl_trace(["--no-tui", "-C", "-p", &load.pid()]));
        let mut out = tracer.stdout.take().expect("pipe");
        // Something was seen; then it is told to end while calls pour in.
        let mut first = [0_u8; 10];
        std::io::Read::read_exact(&mut out, &mut first).expect("a line");
        assert_eq!(&first, b"exerciser ", "round {round}");
        let rest = std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        signal_child(&tracer, Signal::SIGINT);
        let output = finish(tracer);
        rest.join().expect("reader").expect("output");
        assert_eq!(output.status.code(), Some(0), "round {round}: {}", stderr(&output));
        let words = stderr(&output);
        assert!(
            !words.contains("not read") && !words.contains("could not be read"),
            "round {round}: {words}"
        );
    }
    let state = fs::read_to_string(format!("/proc/{}/stat", load.pid())).expect("the load lives");
    assert!(state.contains(" R ") || state.contains(" S "), "{state}");
}

#[test]
fn nothing_stays_attached() {
    if !have_root() {
        return;
    }
    let load = Running::start(Command::new(exerciser()).arg("--forever"));
    let tracer = attached(&mut ioctl_trace(["--no-tui", "-c", "-p", &load.pid()]));
    let fdinfo = format!("/proc/{}/fdinfo", tracer.id());
    let programs: Vec<String> = fs::read_dir(fdinfo)
        .expect("descriptors")
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter_map(|info| {
            info.lines().find_map(|l| l.strip_prefix("prog_id:").map(|id| id.trim().to_owned()))
        })
        .collect();
    let exists = |id: &String| {
        Command::new("bpftool").args(["prog", "show", "id", id]).output().expect("bpftool").status.success()
    };
    assert!(programs.len() >= 5, "enter, exit and the process events: {programs:?}");
    assert!(programs.iter().all(exists));
    signal_child(&tracer, Signal::SIGINT);
    assert!(finish(tracer).status.success());
    // The kernel frees programs after a grace period.
    until("the programs to go", || (!programs.iter().any(exists)).then_some(()));
}

#[test]
fn a_missing_tracefs_is_mounted() {
    if !have_root() {
        return;
    }
    let without = |arguments: &str| {
        let script = format!(
            "umount -l /sys/kernel/tracing 2>/dev/null; umount -l /sys/kernel/debug 2>/dev/null; test ! -e /sys/kernel/tracing/events || exit 99; \
             {} {arguments}",
            env!("CARGO_BIN_EXE_ioctl-trace")
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]);
        run(command)
    };
    let output = without("doctor");
    assert!(stdout(&output).contains("tracefs was not mounted, and is now"), "{}", stdout(&output));
    let output = without("-e TCGETS -- stty -a </dev/ptmx >/dev/null");
    let words = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{words}");
    assert!(
        words.contains("ioctl-trace: mounted tracefs on /sys/kernel/tracing") && words.contains("TCGETS"),
        "{words}"
    );
}

#[test]
fn a_call_that_does_not_return_is_reported_when_tracing_ends() {
    if !have_root() {
        return;
    }
    let mut load = Running::start(Command::new(exerciser()).arg("--block-when-told").stdin(Stdio::piped()));
    let tracer = attached(&mut ioctl_trace(["--no-tui", "-p", &load.pid()]));
    drop(load.0.stdin.take());
    let syscall = format!("/proc/{}/syscall", load.pid());
    let number = format!("{} ", libc::SYS_ioctl);
    // The calls before it are over in no time; this one stays.
    let mut since = None;
    until("the call", || {
        let inside = fs::read_to_string(&syscall).unwrap_or_default().starts_with(&number);
        let since =
            *if inside { since.get_or_insert_with(Instant::now) } else { since.insert(Instant::now()) };
        (inside && since.elapsed().as_millis() > 100).then_some(())
    });
    signal_child(&tracer, Signal::SIGINT);
    let output = finish(tracer);
    let lines = stdout(&output);
    assert_eq!(lines.lines().count(), 3, "{lines}");
    let last = lines.lines().last().expect("lines");
    assert!(last.contains("</dev/ptmx>, TCSETS, 0x") && last.contains(" = ? <still running> <0."), "{lines}");
    assert!(stderr(&output).contains(", 0 lost, 1 still running"), "{}", stderr(&output));
}
