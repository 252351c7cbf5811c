//! `--filter`: what it lets through is what the program says that it did, wherever the filtering happens.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::trace::{
    Running, attached, events, exerciser, finish, have_root, ioctl_trace, number, run, signal_child, stderr,
    stdout, text, until,
};

/// A call as the exerciser wrote it down.
struct Done {
    fd: i64,
    request: u32,
    /// Unless it was killed inside.
    result: Option<i64>,
}

fn log(path: &Path) -> Vec<Done> {
    let text = fs::read_to_string(path).expect("log");
    let done = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let mut next = || fields.next().expect("a field");
        let fd = next().parse().expect("fd");
        let request = u32::from_str_radix(next().trim_start_matches("0x"), 16).expect("request");
        next();
        Done { fd, request, result: next().parse().ok() }
    };
    text.lines().map(done).collect()
}

#[test]
fn what_matches_is_what_was_done() {
    if !have_root() {
        return;
    }
    type Case = (&'static str, fn(&Done) -> bool);
    let cases: [Case; 6] = [
        // The kernel decides, the user side decides, and both do.
        ("request == TCGETS", |done| done.request == 0x5401),
        ("ret == 0 || not ret exists", |done| done.result.is_none_or(|result| result == 0)),
        ("request == TCGETS and errno == EBADF and fd != -1", |done| {
            done.request == 0x5401 && done.result == Some(-9) && done.fd != -1
        }),
        ("not request in (FIONREAD, TCGETS)", |done| !matches!(done.request, 0x5401 | 0x541b)),
        ("comm == exerciser && request.size >= 8K", |done| done.request >> 16 & 0x3fff >= 8192),
        ("out.c_lflag has ICANON|ECHO and driver ~ \"p*\"", |done| {
            done.request == 0x5401 && done.result == Some(0)
        }),
    ];
    for (filter, expected) in cases {
        let dir = tempfile::tempdir().expect("directory");
        let (trace, written) = (dir.path().join("t.jsonl"), dir.path().join("log"));
        let mut tracer = ioctl_trace(["--buffer", "64M", "--filter", filter, "-o"]);
        tracer.arg(&trace).arg("--").arg(exerciser()).arg(&written);
        let output = run(tracer);
        assert!(output.status.success(), "{filter}: {}", stderr(&output));
        let key = |fd: i64, request: i64| (request, fd);
        let wanted = log(&written).into_iter().filter(expected);
        let mut wanted: Vec<_> = wanted.map(|done| key(done.fd, done.request.into())).collect();
        let found = events(&trace);
        let field = |event, pointer: &str| number(event, pointer).expect("a number");
        let mut found: Vec<_> =
            found.iter().map(|event| key(field(event, "/fd"), field(event, "/request/number"))).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        assert!(!wanted.is_empty() && found == wanted, "{filter}:\n{found:?}\n{wanted:?}");
    }
}

#[test]
fn filtered_calls_are_counted() {
    if !have_root() {
        return;
    }
    let mut tracer = ioctl_trace(["--buffer", "64M", "--filter", "ret != 0", "--"]);
    tracer.arg(exerciser()).args(["--loop", "1000"]);
    let output = run(tracer);
    let words = stderr(&output);
    assert!(
        words.contains("ioctl-trace: 0 calls in ") && words.contains(", 1000 filtered out, 0 lost"),
        "{words}"
    );
    // Totals are of what matches.
    let mut tracer = ioctl_trace(["-c", "--filter", "out == 0 and ret == 0", "--"]);
    tracer.arg(exerciser()).args(["--loop", "1000"]);
    let output = run(tracer);
    let row = stderr(&output);
    assert!(row.lines().any(|line| line.contains(" 1000 ") && line.contains("FIONREAD")), "{row}");
}

#[test]
fn a_process_is_filtered_while_its_relatives_are_followed() {
    if !have_root() {
        return;
    }
    // A shell that makes no calls, with a child that does.
    let script = format!("{} --forever; true", exerciser().display());
    let parent = Running::start(Command::new("sh").args(["-c", &script]));
    let child = until("the child", || {
        let pid = parent.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    });
    let mut wanted =
        ioctl_trace(["--no-tui", "-q", "-p", &parent.pid(), "--filter", &format!("pid == {child}")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("tracer");
    let other = format!("pid == {}", parent.pid());
    let mut unwanted = attached(&mut ioctl_trace(["--no-tui", "-p", &parent.pid(), "--filter", &other]));
    let mut line = String::new();
    BufReader::new(wanted.stdout.take().expect("pipe")).read_line(&mut line).expect("line");
    assert!(line.starts_with(&format!("exerciser {child} ioctl(")), "{line}");
    // One of them does not read any more; the other has to notice by itself that all that it follows has ended.
    kill(Pid::from_raw(child.parse().expect("pid")), Signal::SIGKILL).expect("kill");
    assert_eq!(finish(wanted).status.code(), Some(0));
    let mut lines = String::new();
    unwanted.stdout.take().expect("pipe").read_to_string(&mut lines).expect("lines");
    assert_eq!((finish(unwanted).status.code(), lines.as_str()), (Some(0), ""));
}

#[test]
fn everything_is_watched_for_one_process() {
    if !have_root() {
        return;
    }
    let load = || {
        let mut load = Command::new(exerciser());
        load.args(["--loop-when-told", "1000"]).stdin(Stdio::piped()).stdout(Stdio::null());
        load.spawn().expect("load")
    };
    let (mut one, mut other) = (load(), load());
    let filter = format!("pid in ({}, 4194304) and request == FIONREAD", one.id());
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("t.jsonl");
    let tracer = attached(ioctl_trace(["--no-tui", "-a", "--filter", &filter, "-o"]).arg(&path));
    for load in [&mut other, &mut one] {
        drop(load.stdin.take());
        assert!(load.wait().expect("load").success());
    }
    signal_child(&tracer, Signal::SIGINT);
    let output = finish(tracer);
    let words = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""), "{words}");
    // All others stayed in the kernel.
    assert!(words.contains("ioctl-trace: 1000 calls in ") && !words.contains("filtered out"), "{words}");
    let events = events(&path);
    assert_eq!(events.len(), 1000);
    for event in &events {
        assert_eq!(number(event, "/pid"), Some(one.id().into()), "{event}");
        assert_eq!(text(event, "/request/name"), "FIONREAD");
    }
}
