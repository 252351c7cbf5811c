//! Whom and what to trace: the kernel-side filters, each for itself and together.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::trace::{
    Running, attached, events, exerciser, finish, have_root, ioctl_trace, run, signal_child, stderr, stdout,
    text, until,
};

const STTY_LOOP: &str = "for i in 1 2 3; do stty -a </dev/ptmx >/dev/null; done";

/// Runs a script beside the tracer with these arguments, once it is attached; gives its lines.
fn beside(args: &[&str], script: &str) -> String {
    let mut tracer = attached(ioctl_trace(["--no-tui"]).args(args));
    let status = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).status().expect("sh");
    assert!(status.success());
    signal_child(&tracer, Signal::SIGINT);
    let mut lines = String::new();
    tracer.stdout.take().expect("pipe").read_to_string(&mut lines).expect("lines");
    assert_eq!(finish(tracer).status.code(), Some(0), "^C is a normal end");
    lines
}

#[test]
fn everything_by_comm_and_by_user() {
    if !have_root() {
        return;
    }
    // Whatever else calls all the time on this machine is left out.
    let all = beside(&["-a", "-e", "TCGETS"], STTY_LOOP);
    assert!(all.lines().filter(|l| l.starts_with("stty ")).count() >= 3, "{all}");
    let comm = beside(&["--comm", "stty"], &format!("{STTY_LOOP}; ls --color=auto >/dev/ptmx"));
    assert!(!comm.is_empty() && comm.lines().all(|l| l.starts_with("stty ")), "{comm}");
    let nobody = format!("setpriv --reuid 65534 --clear-groups sh -c '{STTY_LOOP}'");
    let mut tracer = ioctl_trace(["--no-tui", "--uid", "nobody"]);
    tracer.args(["--", "sh", "-c", &format!("stty -a </dev/ptmx >/dev/null; {nobody}")]);
    let output = run(tracer);
    let lines = stderr(&output);
    let stty =
        lines.lines().filter(|l| l.starts_with("stty ") && l.contains("(0</dev/ptmx>, TCGETS")).count();
    assert_eq!(stty, 3, "only those of the other user: {lines}");
}

#[test]
fn by_cgroup() {
    if !have_root() {
        return;
    }
    let mount = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    let mount =
        mount.lines().find(|l| l.split(' ').nth(2) == Some("cgroup2")).expect("a cgroup v2 hierarchy");
    let mount = mount.split(' ').nth(1).expect("mount point");
    let group = format!("{mount}/ioctl-trace-test-{}", std::process::id());
    std::fs::create_dir_all(format!("{group}/inner")).expect("cgroup");
    let dir = tempfile::tempdir().expect("directory");
    let trace = dir.path().join("t.jsonl");
    let script = format!(
        "stty -a </dev/ptmx >/dev/null; (echo 0 >{group}/inner/cgroup.procs; exec stty -a </dev/ptmx >/dev/null); stty -a </dev/ptmx >/dev/null"
    );
    let mut tracer = ioctl_trace(["--cgroup", &group, "-o"]);
    tracer.arg(&trace).args(["--", "sh", "-c", &script]);
    let output = run(tracer);
    let _ = std::fs::remove_dir(format!("{group}/inner"));
    let _ = std::fs::remove_dir(&group);
    assert!(output.status.success(), "{}", stderr(&output));
    let events = events(&trace);
    assert!(!events.is_empty(), "{}", stderr(&output));
    for event in &events {
        assert!(text(event, "/cgroup").ends_with("/inner"), "{event}");
    }
    let wrong = run(ioctl_trace(["--cgroup", "/tmp", "-a"]));
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        stderr(&wrong).contains("cgroup /tmp: not a directory of the cgroup v2 hierarchy"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
fn by_request() {
    if !have_root() {
        return;
    }
    let lines = |requests: &str| {
        let script = "stty -a </dev/ptmx; stty rows 5 </dev/ptmx";
        stderr(&run(ioctl_trace(["-q", "-e", requests, "--", "sh", "-c", script])))
    };
    let names = |requests: &str| -> Vec<String> {
        let mut names: Vec<_> = lines(requests)
            .lines()
            .filter_map(|l| {
                Some(l.split_once("ioctl(")?.1.split_once(", ")?.1.split([',', ')']).next()?.to_owned())
            })
            .collect();
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(names("TIOCGWINSZ"), ["TIOCGWINSZ"]);
    assert_eq!(names("0x5413"), ["TIOCGWINSZ"]);
    assert_eq!(names("TIOC?WINSZ"), ["TIOCGWINSZ", "TIOCSWINSZ"]);
    assert!(names("!TIOC*").iter().all(|n| !n.starts_with("TIOC")), "{:?}", names("!TIOC*"));
    assert!(names("!TIOC*").contains(&"TCGETS".to_owned()));
    assert!(names("@tty").contains(&"TCGETS".to_owned()));
    assert_eq!(names("@loop"), [""; 0]);
}

#[test]
fn children_are_followed_or_not() {
    if !have_root() {
        return;
    }
    let calls = |flag: &str| {
        let output =
            run(ioctl_trace([flag, "--", "bash", "-c", "stty -a </dev/ptmx; (stty -a </dev/ptmx); true"]));
        stderr(&output)
            .lines()
            .filter(|l| l.starts_with("stty ") && l.contains("(0</dev/ptmx>, TCGETS"))
            .count()
    };
    assert_eq!(calls("-f"), 2);
    assert_eq!(calls("--no-follow"), 0);
}

#[test]
fn attaching_takes_present_children() {
    if !have_root() {
        return;
    }
    // A shell whose grandchild was there before us.
    let script = format!("sh -c '{} --forever; true'; true", exerciser().display());
    let parent = Running::start(Command::new("sh").args(["-c", &script]));
    let child_of = |pid: &str| {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    };
    let child = until("the child", || child_of(&parent.pid()));
    let grandchild = until("the grandchild", || child_of(&child));
    let mut tracer =
        ioctl_trace(["--no-tui", "-q", "-p", &parent.pid()]).stdout(Stdio::piped()).spawn().expect("tracer");
    let mut line = String::new();
    BufReader::new(tracer.stdout.take().expect("pipe")).read_line(&mut line).expect("line");
    kill(Pid::from_raw(grandchild.parse().expect("pid")), Signal::SIGKILL).expect("kill");
    assert!(line.starts_with(&format!("exerciser {grandchild} ioctl(")), "{line}");
    assert!(line.contains(">, FIONREAD, [0]) = 0"), "{line}");
    // Its output is closed, and everyone it traced has ended.
    assert_eq!(finish(tracer).status.code(), Some(0));
}

#[test]
fn several_processes_add_up_and_their_end_is_the_tracers() {
    if !have_root() {
        return;
    }
    let load = || Running::start(Command::new(exerciser()).arg("--forever"));
    let (a, b) = (load(), load());
    let tracer = attached(&mut ioctl_trace(["--no-tui", "-c", "-p", &format!("{},{}", a.pid(), b.pid())]));
    let counted_since = std::time::Instant::now();
    until("some calls", || (counted_since.elapsed().as_millis() > 100).then_some(()));
    drop(a);
    drop(b);
    let output = finish(tracer);
    assert!(output.status.success());
    let rows = stdout(&output);
    assert!(rows.contains("FIONREAD  (fifo)"), "{rows}");
}
