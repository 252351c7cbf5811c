//! Allow-lists of one script of calls, as snapshots.

use std::time::Duration;

use ioctl_registry::Registry;
use ioctl_trace_ebpf::{CallRecord, FileIdentity, FileStatus, file_flags};

use super::*;
use crate::{
    assemble::{Assembled, Assembler},
    decode::{Decoder, Detail},
    host::LiveHost,
    process::comm_bytes,
    source::{Batch, Source, scripted::Scripted},
    tally::Tally,
};

fn identity(file: u64, mode: u32, rdev: u32, magic: u64) -> FileIdentity {
    FileIdentity { file, ino: 1_000 + file, mode, rdev, magic, ..FileIdentity::default() }
}

/// Calls of two programs on every kind of file.
fn script() -> Scripted {
    let tty = identity(1, libc::S_IFCHR, 136 << 20 | 3, 0x1cd1);
    let other = identity(2, libc::S_IFCHR, 136 << 20 | 4, 0x1cd1);
    let socket = identity(3, libc::S_IFSOCK, 0, 0x534f_434b);
    let file = identity(4, libc::S_IFREG, 0, 0xef53);
    let pipe = identity(5, libc::S_IFIFO, 0, 0x5049_5045);
    let anon = identity(6, 0, 0, 0x0904_1934);
    let not_open = FileIdentity { status: FileStatus::NotOpen as u32, ..FileIdentity::default() };
    let mut script = Scripted::new();
    script.file(tty, "/dev/pts/3", 0).file(other, "/dev/pts/4", 0);
    script.file(socket, "UDP", file_flags::PSEUDO).file(file, "/srv/a\u{1b}[31m", 0);
    script.file(pipe, "", file_flags::PSEUDO).file(anon, "[userfaultfd]", file_flags::PSEUDO);
    for (comm, request, ret, file) in [
        ("stty", 0x5401, 0, tty),
        ("stty", 0x5401, 0, other),
        ("stty", 0x5402, 0, tty),
        ("stty", 0x5403, -5, tty),
        ("stty", 0x4b47, -1, tty),
        ("7z/0:1\u{1b}", 0x5401, -25, file),
        ("7z/0:1\u{1b}", 0x8008_6601, 0, file),
        ("7z/0:1\u{1b}", 0x541b, 0, pipe),
        ("stty", 0xc018_aa3f, 0, anon),
        ("stty", 0x8912, 0, socket),
        ("stty", 0xc008_dead, 3, socket),
        ("stty", 0x5421, 0, socket),
        ("stty", 0x5401, -9, not_open),
    ] {
        script.call(CallRecord { request, ret, file, comm: comm_bytes(comm), ..CallRecord::default() });
    }
    script
}

fn tally(by_device: bool) -> Tally {
    let (mut script, mut batch, mut assembler) = (script(), Batch::default(), Assembler::default());
    let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(LiveHost::default()));
    let mut tally = Tally::new(by_device);
    while script.read(&mut batch, Duration::ZERO) {}
    for record in batch.records() {
        if let Assembled::Call(call) = assembler.record(record, decoder.host()) {
            let event = decoder.call(call);
            tally.add(&event, &mut decoder);
        }
    }
    tally
}

#[test]
fn seccomp_rules_are_as_agreed() {
    insta::assert_snapshot!(seccomp(&tally(false), Seccomp::default()).expect("JSON"));
}

#[test]
fn strict_and_masked_rules_have_the_same_numbers() {
    let style = Seccomp { no_comments: true, masked: true };
    let fragment: serde_json::Value =
        serde_json::from_str(&seccomp(&tally(false), style).expect("JSON")).expect("JSON");
    let rules = fragment["syscalls"].as_array().expect("rules");
    let rule = rules.iter().find(|rule| rule["args"][0]["valueTwo"] == 0x8008_6601_u32).expect("a rule");
    let expected = serde_json::json!({
        "names": ["ioctl"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 1, "value": 0xffff_ffff_u32, "valueTwo": 0x8008_6601_u32, "op": "SCMP_CMP_MASKED_EQ"}],
    });
    assert_eq!(*rule, expected);
}

#[test]
fn selinux_rules_are_as_agreed() {
    insta::assert_snapshot!(selinux(&tally(false), &Selinux::default()));
}

#[test]
fn selinux_types_can_be_given() {
    let names = Selinux { domain: Some("app_t".to_owned()), device_type: Some("tty_device_t".to_owned()) };
    let text = selinux(&tally(false), &names);
    assert!(text.contains("allowxperm app_t tty_device_t:chr_file ioctl { 0x5401-0x5403 };"), "{text}");
}

#[test]
fn the_list_of_devices_is_as_agreed() {
    insta::assert_snapshot!(json(&tally(true)).expect("JSON"));
}

#[test]
fn what_nobody_knows_can_be_left_out() {
    let mut tally = tally(false);
    let all = tally.groups().count();
    tally.keep_known();
    let left: Vec<_> = tally.groups().map(|(place, number, _)| (place.to_string(), number)).collect();
    assert_eq!(left.len(), all - 2, "those of the file and of no file");
    assert!(left.contains(&("pts".to_owned(), 0x5403)), "another error is an answer: {left:?}");
}
