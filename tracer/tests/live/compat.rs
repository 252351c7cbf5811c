//! 32-bit programs, which do not fire the tracepoints of 64-bit system calls.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use crate::trace::{events, have_root, ioctl_trace, number, run, stderr, text};

/// Builds the 32-bit program.
fn compat32(dir: &Path) -> PathBuf {
    let program = dir.join("compat32");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/compat32.c");
    let (gcc, mode) =
        if cfg!(target_arch = "x86_64") { ("gcc", "-m32") } else { ("arm-linux-gnueabihf-gcc", "-marm") };
    let options = ["-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-O1", "-o"];
    let mut compile = Command::new(gcc);
    compile.arg(mode).args(options).arg(&program).arg(source);
    assert!(compile.status().expect("a compiler").success());
    program
}

#[test]
fn calls_of_32_bit_programs_are_seen() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let (program, trace) = (compat32(dir.path()), dir.path().join("trace.jsonl"));
    let mut command = ioctl_trace(["-o"]);
    command.arg(&trace).arg("--").arg(&program);
    let output = run(command);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let events = events(&trace);
    let seen: Vec<_> =
        events.iter().map(|e| (text(e, "/request/name"), number(e, "/fd"), number(e, "/ret"))).collect();
    let fionread = ("FIONREAD", Some(3), Some(0));
    let on_nothing = |name| (name, Some(-1), Some(-9));
    let expected = [fionread, fionread, fionread, on_nothing("TCGETS"), on_nothing("I2C_RDWR")];
    assert_eq!(seen, expected, "{}", stderr(&output));
    // Structures and addresses are those of 32 bits. The first message asks for bytes, so that nothing is handed over.
    let messages = &events[4]["in"]["msgs"];
    let of = |place: usize, field: &str| messages[place][field].clone();
    assert_eq!((of(0, "addr"), of(0, "len")), (0x50.into(), 3.into()), "{messages}");
    assert_eq!(
        (of(1, "addr"), of(1, "len"), of(1, "buf")),
        (0x51.into(), 2.into(), "6263".into()),
        "{messages}"
    );
    assert_eq!(events[4]["in"]["nmsgs"], 2);
    assert!(events.iter().all(|e| e["compat"] == true));
    assert!(text(&events[0], "/path").starts_with("pipe:["));
}

/// A 32-bit program that another one starts is noticed when it is executed, and watched as soon as the tracer has reacted;
/// those after it are seen from their first call.
#[test]
fn children_of_32_bit_are_noticed() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let (program, trace) = (compat32(dir.path()), dir.path().join("trace.jsonl"));
    // The first ones may be too quick.
    let script =
        format!("until [ -s {1} ]; do {0}; done; {0}; {0}; exit 0", program.display(), trace.display());
    let mut command = ioctl_trace(["-o"]);
    command.arg(&trace).args(["--", "sh", "-c", &script]);
    let output = run(command);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut calls = BTreeMap::new();
    for event in events(&trace).iter().filter(|e| e["compat"] == true) {
        *calls.entry(number(event, "/pid")).or_insert(0) += 1;
    }
    let later: Vec<u32> = calls.into_values().rev().take(2).collect();
    assert_eq!(later, [5, 5], "{}", stderr(&output));
}
