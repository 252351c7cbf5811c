//! Where strace shows fields of an argument, ours must show the same fields and values.

use std::{collections::BTreeMap, fs, path::Path};

use crate::compare::{request, strace_calls};

/// Requests whose arguments are written in another way on purpose.
const EXPLAINED: [(&str, &str); 6] = [
    ("LOOP_SET_STATUS64", "encryption is shown with -v only: kernels know none since 5.15"),
    ("LOOP_GET_STATUS64", "as LOOP_SET_STATUS64"),
    ("LOOP_CONFIGURE", "as LOOP_SET_STATUS64"),
    ("SIOCGIFCONF", "strace comments the length"),
    ("FS_IOC_FIEMAP", "strace repeats what did not change"),
    ("TIOCSPGRP", "strace may translate process ids"),
];

/// One call: request and argument.
type Call = (String, String);

/// Our lines `NAME TID ioctl(…`: the thread and what stands behind `ioctl(`.
fn our_calls(path: &Path) -> Vec<(i64, String)> {
    let text = fs::read_to_string(path).expect("our lines");
    let calls = text.lines().filter_map(|line| {
        let (before, call) = line.split_once(" ioctl(")?;
        let tid = before.rsplit(' ').next()?.parse().expect("thread id");
        Some((tid, call.to_owned()))
    });
    calls.collect()
}

/// Requests and arguments, by thread.
fn arguments(calls: Vec<(i64, String)>) -> BTreeMap<i64, Vec<Call>> {
    let mut arguments: BTreeMap<i64, Vec<Call>> = BTreeMap::new();
    for (tid, call) in calls {
        let (_, after) = call.split_once(", ").expect("fd");
        // strace fills short lines up to a column.
        let (call, _) = after.rsplit_once(" = ").expect("result");
        let call = call.trim_end().strip_suffix(')').expect("end of the call");
        let name = request(after);
        let argument = call.get(name.len()..).unwrap_or_default().trim_start_matches(", ");
        arguments.entry(tid).or_default().push((name.to_owned(), argument.to_owned()));
    }
    arguments
}

/// Whether strace shows more of an argument than its number.
fn has_fields(argument: &str) -> bool {
    argument.starts_with(['{', '[', '"']) && !argument.contains("/* ") || argument.contains("|")
}

/// Compares what both show of each argument. Gives how many strace had fields of.
pub fn compare(ours: &Path, strace: &Path, command: &[&str]) -> usize {
    let (mine, theirs) = (arguments(our_calls(ours)), arguments(strace_calls(strace)));
    let (mut compared, mut wrong) = (0, Vec::new());
    for (tid, theirs) in &theirs {
        let mine = mine.get(tid).map(Vec::as_slice).unwrap_or_default();
        for ((name, argument), (of, expected)) in mine.iter().zip(theirs) {
            let explained = EXPLAINED.iter().any(|(request, _)| *request == name.as_str());
            if explained
                || !has_fields(expected)
                || !of.split(" or ").any(|of| name.split(" or ").any(|n| n == of))
            {
                continue;
            }
            compared += 1;
            if argument != expected {
                wrong.push(format!("{name}\n  ours   {argument}\n  strace {expected}"));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{command:?}: {} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    compared
}
