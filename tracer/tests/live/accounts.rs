//! Nothing is lost silently: a million calls are counted to the last one, and with a slow output every call is in the
//! file or in the count of lost ones.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::trace::{attached, exerciser, finish, have_root, ioctl_trace, run, stderr, stdout};

pub const CALLS: u64 = 1_000_000;

/// A process that makes its calls when its input is closed.
pub fn waiting_load() -> Child {
    Command::new(exerciser())
        .args(["--loop-when-told", &CALLS.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("load")
}

/// Attaches to such a process, lets it run to its end; gives standard output and error of the tracer.
fn trace_million(args: &[&str]) -> (String, String) {
    let mut load = waiting_load();
    let tracer = attached(ioctl_trace(["--no-tui", "-p", &load.id().to_string()]).args(args));
    drop(load.stdin.take());
    let output = finish(tracer);
    assert!(load.wait().expect("load").success());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (stdout(&output), stderr(&output))
}

/// The number before a word of the closing totals.
pub fn total(line: &str, word: &str) -> u64 {
    let (before, _) = line.split_once(word).unwrap_or_else(|| panic!("no `{word}` in {line}"));
    let digits = before.rsplit([' ', '\n']).next().unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("no number before `{word}` in {line}"))
}

#[test]
fn a_million_calls_are_counted() {
    if !have_root() {
        return;
    }
    let (table, words) = trace_million(&["-c"]);
    assert_eq!((total(&words, " calls in "), total(&words, " lost")), (CALLS, 0), "{words}");
    let row = table.lines().find(|l| l.contains("FIONREAD  (fifo)")).unwrap_or_else(|| panic!("{table}"));
    assert!(row.split_whitespace().any(|field| field == CALLS.to_string()), "{row}");
}

#[test]
fn a_million_calls_are_written_or_counted_as_lost() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("million.jsonl");
    // A small buffer, so that there is something lost to be counted.
    let (_, words) = trace_million(&["--buffer", "256K", "-o", path.to_str().expect("utf-8")]);
    let (written, lost) = (total(&words, " calls in "), total(&words, " lost"));
    assert_eq!(written + lost, CALLS, "{words}");
    assert_eq!(lines(&path), written, "{words}");
    if lost > 0 {
        assert!(
            words.contains("CPU ") && words.contains("--buffer"),
            "losses are told with the remedy: {words}"
        );
    }
}

#[test]
fn a_large_enough_buffer_loses_nothing() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("all.txt");
    let mut command = ioctl_trace(["--buffer", "64M", "-e", "FIONREAD", "-o"]);
    command.arg(&path).arg("--").arg(exerciser()).args(["--loop", "200000"]);
    let output = run(command);
    let words = stderr(&output);
    assert_eq!(
        (total(&words, " calls in "), total(&words, " lost"), lines(&path)),
        (200_000, 0, 200_000),
        "{words}"
    );
}

fn lines(path: &Path) -> u64 {
    let bytes = std::fs::read(path).expect("trace");
    bytes.iter().filter(|&&b| b == b'\n').count() as u64
}
