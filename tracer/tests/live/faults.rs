//! What can happen to traced processes, to the tracer and to the machine meanwhile; docs/faults.md has it as a table. Faults that
//! others would notice are for machines that nobody else uses: `cargo xtask vm test`.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::sys::signal::Signal;

use crate::{
    accounts::{CALLS, total, waiting_load},
    trace::{
        Running, attached, events, exerciser, finish, have_root, ioctl_trace, number, run, signal_child,
        stderr, stdout, text, until,
    },
};

/// Whether this machine is emulated for the tests alone.
fn machine_is_ours() -> bool {
    let ours = Path::new("/job/job").exists();
    if !ours {
        eprintln!("skipped: others would notice (run through `cargo xtask vm test`)");
    }
    ours
}

/// The letter of a process's state.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

/// Interrupts a tracer that counts. Gives what it said.
fn interrupted(tracer: Child) -> String {
    signal_child(&tracer, Signal::SIGINT);
    let output = finish(tracer);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn a_process_becomes_another_program() {
    if !have_root() {
        return;
    }
    let script = format!("exec {} --loop 1000", exerciser().display());
    let output = run(ioctl_trace(["-c", "-e", "FIONREAD", "--", "sh", "-c", &script]));
    assert_eq!(total(&stderr(&output), " calls in "), 1_000, "{}", stderr(&output));
}

#[test]
fn a_process_is_killed() {
    if !have_root() {
        return;
    }
    let mut load = Running::start(Command::new(exerciser()).arg("--forever"));
    let tracer = attached(&mut ioctl_trace(["--no-tui", "-c", "-p", &load.pid()]));
    load.0.kill().expect("kill");
    load.0.wait().expect("wait");
    let output = finish(tracer);
    assert_eq!(output.status.code(), Some(0), "it ends with the last process: {}", stderr(&output));
    assert_eq!(total(&stderr(&output), " lost"), 0, "{}", stderr(&output));
}

#[test]
fn a_debugger_has_the_process_too() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let theirs = dir.path().join("strace");
    let mut command = ioctl_trace(["-c", "-e", "FIONREAD", "--", "strace", "-f", "-e", "trace=ioctl", "-o"]);
    let output = run(command.arg(&theirs).arg(exerciser()).args(["--loop", "1000"]));
    let words = stderr(&output);
    assert_eq!((total(&words, " calls in "), total(&words, " lost")), (1_000, 0), "{words}");
    let lines = fs::read_to_string(theirs).expect("strace's lines");
    assert_eq!(lines.lines().filter(|line| line.contains("FIONREAD")).count(), 1_000);
}

/// gdb without what its user has set, whose commands these are.
fn gdb(commands: &[&str]) -> Command {
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch"])
        .args(commands.iter().flat_map(|command| ["-ex", command]))
        .stdin(Stdio::null());
    gdb
}

#[test]
fn gdb_runs_the_process() {
    if !have_root() {
        return;
    }
    // It stops at each call, goes on, and says at how many it was.
    let commands = ["set breakpoint pending on", "break ioctl", "ignore 1 10000", "run", "info breakpoints"];
    let gdb = gdb(&commands);
    let mut command = ioctl_trace(["-c", "-e", "FIONREAD", "--"]);
    let program = command.arg(gdb.get_program()).args(gdb.get_args()).arg("--args").arg(exerciser());
    let output = run(program.args(["--loop", "1000"]));
    let (words, theirs) = (stderr(&output), stdout(&output));
    assert_eq!((total(&words, " calls in "), total(&words, " lost")), (1_000, 0), "{words}");
    assert!(theirs.contains("exited normally") && theirs.contains("already hit 1000 times"), "{theirs}");
}

#[test]
fn gdb_attaches_to_the_process() {
    if !have_root() {
        return;
    }
    let mut load = waiting_load();
    let tracer = attached(&mut ioctl_trace(["--no-tui", "-c", "-p", &load.id().to_string()]));
    let mut gdb = gdb(&["continue"]);
    let gdb = gdb.args(["-p", &load.id().to_string()]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let gdb = gdb.spawn().expect("Debian's package gdb-minimal");
    let debugger = format!("TracerPid:\t{}\n", gdb.id());
    until("gdb to let it go on", || {
        let status = fs::read_to_string(format!("/proc/{}/status", load.id())).expect("it waits");
        (status.contains(&debugger) && state(load.id()) == Some('S')).then_some(())
    });
    drop(load.stdin.take());
    let (words, theirs) = (stderr(&finish(tracer)), finish(gdb));
    assert!(load.wait().expect("load").success());
    assert!(stdout(&theirs).contains("exited normally"), "{}", stderr(&theirs));
    assert_eq!((total(&words, " calls in "), total(&words, " lost")), (CALLS, 0), "{words}");
}

#[test]
fn a_process_is_stopped_and_goes_on() {
    if !have_root() {
        return;
    }
    let mut load = waiting_load();
    let tracer = attached(&mut ioctl_trace(["--no-tui", "-c", "-p", &load.id().to_string()]));
    drop(load.stdin.take());
    signal_child(&load, Signal::SIGSTOP);
    until("the process to stop", || (state(load.id()) == Some('T')).then_some(()));
    assert_eq!(state(tracer.id()).filter(|state| "SR".contains(*state)), state(tracer.id()), "we do not");
    signal_child(&load, Signal::SIGCONT);
    let words = stderr(&finish(tracer));
    assert!(load.wait().expect("load").success());
    assert_eq!((total(&words, " calls in "), total(&words, " lost")), (CALLS, 0), "{words}");
}

#[test]
fn five_thousand_children_at_once() {
    if !have_root() {
        return;
    }
    let output = run(ioctl_trace(["-c", "-e", "FIONREAD", "--"]).arg(exerciser()).args(["--forks", "5000"]));
    let words = stderr(&output);
    assert_eq!((total(&words, " calls in "), total(&words, " lost")), (5_000, 0), "{words}");
    assert!(!words.contains("not followed"), "{words}");
}

#[test]
fn ten_thousand_descriptors() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("calls.jsonl");
    let mut command = ioctl_trace(["-e", "FIONREAD", "-o"]);
    command.arg(&path).arg("--").arg(exerciser()).args(["--descriptors", "10000"]);
    let output = run(command);
    let events = events(&path);
    let fds: HashSet<_> = events.iter().map(|event| number(event, "/fd")).collect();
    assert_eq!((events.len(), fds.len()), (10_000, 10_000), "{}", stderr(&output));
    assert!(events.iter().all(|event| text(event, "/path").starts_with("pipe:")), "each is known");
}

#[test]
fn another_process_gets_the_number_of_one_that_ended() {
    if !have_root() {
        return;
    }
    let (stays, mut ends) = (waiting_load(), waiting_load());
    let pids = format!("{},{}", stays.id(), ends.id());
    let tracer = attached(&mut ioctl_trace(["--no-tui", "-c", "-p", &pids]));
    let number = ends.id();
    ends.kill().expect("kill");
    ends.wait().expect("wait");
    // Others take numbers too: try again.
    let mut other = until("the number to be given again", || {
        fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).expect("root may");
        let mut child = waiting_load();
        if child.id() == number {
            return Some(child);
        }
        child.kill().expect("kill");
        child.wait().expect("wait");
        None
    });
    drop(other.stdin.take());
    assert!(other.wait().expect("wait").success(), "it makes all of its calls");
    let words = interrupted(tracer);
    assert!(words.contains("0 calls in "), "they are not those of a process that was asked for: {words}");
    drop(Running(stays));
}

#[test]
fn the_tracer_is_stopped_until_nothing_fits_any_more() {
    if !have_root() {
        return;
    }
    let mut load = waiting_load();
    let mut command = ioctl_trace(["--no-tui", "--buffer", "1M", "-p", &load.id().to_string()]);
    let tracer = attached(command.args(["-o", "/dev/null", "--format", "text"]));
    signal_child(&tracer, Signal::SIGSTOP);
    drop(load.stdin.take());
    assert!(load.wait().expect("load").success(), "whom it traces does not wait for it");
    signal_child(&tracer, Signal::SIGCONT);
    let words = stderr(&finish(tracer));
    let (shown, lost) = (total(&words, " calls in "), total(&words, " lost"));
    assert!(lost > CALLS / 2 && shown + lost == CALLS, "{words}");
}

#[test]
fn the_terminal_goes_away() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("calls.parquet");
    let load = Running::start(Command::new(exerciser()).arg("--forever"));
    let tracer = attached(ioctl_trace(["--no-tui", "-p", &load.pid(), "-o"]).arg(&path));
    signal_child(&tracer, Signal::SIGHUP);
    let output = finish(tracer);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let file = fs::read(&path).expect("the table");
    assert!(file.len() > 8 && file.ends_with(b"PAR1"), "it is complete");
}

#[test]
fn the_kernel_does_not_describe_its_types() {
    if !have_root() {
        return;
    }
    let script =
        format!("mount -t tmpfs none /sys/kernel/btf && exec {} -- true", env!("CARGO_BIN_EXE_ioctl-trace"));
    let output = run(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    let words = stderr(&output);
    assert_eq!((output.status.code(), words.lines().count()), (Some(1), 1), "{words}");
    assert!(words.contains("CONFIG_DEBUG_INFO_BTF"), "{words}");
}

#[test]
fn containers_are_traced_from_outside() {
    if !have_root() {
        return;
    }
    let container = ["unshare", "--pid", "--fork", "--mount-proc"];
    let mut command = ioctl_trace(["-e", "FIONREAD", "--"]);
    let output = run(command.args(container).arg(exerciser()).args(["--loop", "10"]));
    assert_eq!(total(&stderr(&output), " calls in "), 10, "{}", stderr(&output));
    // Inside, numbers mean other processes.
    let mut command = Command::new(container[0]);
    command.args(&container[1..]).arg(env!("CARGO_BIN_EXE_ioctl-trace")).args(["--", "true"]);
    let output = run(command);
    let words = stderr(&output);
    assert_eq!((output.status.code(), words.lines().count()), (Some(1), 1), "{words}");
    assert!(words.contains("--pid=host"), "{words}");
}

/// There is no way back, so nothing can be traced there afterwards.
#[test]
fn the_kernel_is_locked_down() {
    if !have_root() || !machine_is_ours() {
        return;
    }
    let mode = Path::new("/sys/kernel/security/lockdown");
    if !mode.exists() {
        let mount = ["-t", "securityfs", "securityfs", "/sys/kernel/security"];
        assert!(Command::new("mount").args(mount).status().expect("mount").success());
    }
    let trace = || {
        let output = run(ioctl_trace(["-c", "--"]).arg(exerciser()).args(["--loop", "10"]));
        (output.status.code(), stderr(&output))
    };
    fs::write(mode, "integrity").expect("locked down");
    let (code, words) = trace();
    assert_eq!((code, total(&words, " calls in ")), (Some(0), 10), "{words}");
    fs::write(mode, "confidentiality").expect("locked down");
    let (code, words) = trace();
    assert_eq!((code, words.lines().count()), (Some(1), 1), "{words}");
    assert!(words.contains("boot with lockdown=integrity"), "{words}");
    let doctor = run(ioctl_trace(["doctor"]));
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("boot with lockdown=integrity"), "{said}");
}

#[test]
fn containers_have_numbers_of_their_own() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let path = |name: &str| dir.path().join(name);
    let load = format!("{} --loop-resting 50000 5", exerciser().display());
    // In the container, where the shell is the first, and outside.
    let script = format!("unshare --pid --fork --mount-proc sh -c '{load}; true'; {load}");
    let mut command = ioctl_trace(["--pidns-translation", "-e", "VIDIOC_S_FMT"]);
    for name in ["calls.jsonl", "calls.txt", "calls.csv", "calls.iotrace"] {
        command.arg("-o").arg(path(name));
    }
    let output = run(command.args(["--", "sh", "-c", &script]));
    assert_eq!(total(&stderr(&output), " calls in "), 10, "{}", stderr(&output));
    let calls = events(&path("calls.jsonl"));
    let (inside, outside) = calls.split_at(5);
    for call in inside {
        let of = |name| number(call, name);
        assert_eq!((of("/ns_pid"), of("/ns_tid")), (Some(2), Some(2)), "{call}");
        assert_ne!(of("/pid"), Some(2));
    }
    assert!(outside.iter().all(|call| call.get("ns_pid").is_none()), "they have the machine's");
    let lines = fs::read_to_string(path("calls.txt")).expect("lines");
    assert_eq!(lines.lines().filter(|line| line.contains(" (2) ioctl(")).count(), 5, "{lines}");
    let table = fs::read_to_string(path("calls.csv")).expect("a table");
    let ends = |end: &str| table.lines().filter(|line| line.ends_with(end)).count();
    assert_eq!((ends(",ns_pid,ns_tid"), ends(",2,2"), ends(",,")), (1, 5, 5), "{table}");
    // A recording says it too, to those who ask.
    let replayed = |options: &[&str]| {
        stdout(&run(ioctl_trace(["replay", "--format", "jsonl"]).args(options).arg(path("calls.iotrace"))))
    };
    let asked = replayed(&["--pidns-translation", "--filter", "ns_pid == 2 && ns_tid < 3"]);
    assert_eq!((asked.lines().count(), asked.matches(r#""ns_tid":2"#).count()), (5, 5), "{asked}");
    assert!(!replayed(&[]).contains("ns_pid"));
    let refused = run(&mut ioctl_trace(["-a", "--filter", "ns_pid == 2"]));
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("with --pidns-translation only"), "{}", stderr(&refused));
}

#[test]
fn the_clock_jumps() {
    if !have_root() || !machine_is_ours() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("calls.jsonl");
    let script = format!(
        "{0} --loop 500 && date -s '+1 hour' && {0} --loop 500 && date -s '-2 hours' && {0} --loop 500 && date -s '+1 hour'",
        exerciser().display()
    );
    let mut command = ioctl_trace(["-e", "FIONREAD", "-o"]);
    let output = run(command.arg(&path).args(["--", "sh", "-c", &script]));
    assert!(output.status.success(), "{}", stderr(&output));
    let events = events(&path);
    assert_eq!(events.len(), 1_500, "{}", stderr(&output));
    let minute = 60_000_000_000;
    assert!(events.iter().all(|event| number(event, "/dur_ns").is_some_and(|ns| ns < minute)));
    let times: Vec<_> = events.iter().map(|event| text(event, "/ts")).collect();
    assert!(times.is_sorted(), "time goes on as it did when tracing began");
}

#[test]
fn a_processor_goes_and_comes_back() {
    if !have_root() || !machine_is_ours() {
        return;
    }
    let online =
        |value: &str| fs::write("/sys/devices/system/cpu/cpu1/online", value).expect("two processors");
    let mut load = Command::new(exerciser());
    let mut load = load.args(["--loop-threads", "4", "100000"]).stdout(Stdio::null()).spawn().expect("load");
    let tracer = attached(&mut ioctl_trace(["--no-tui", "-c", "-a", "--comm", "exerciser"]));
    online("0");
    online("1");
    assert!(load.wait().expect("load").success());
    // Another one, on both.
    let again = run(Command::new(exerciser()).args(["--loop-threads", "4", "1000"]));
    assert!(again.status.success() && !stdout(&again).is_empty());
    let words = interrupted(tracer);
    assert!(total(&words, " calls in ") >= 4_000 && total(&words, " lost") == 0, "{words}");
}
