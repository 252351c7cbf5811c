//! Where strace shows fields of an argument, ours must show the same fields and values.

use std::{collections::BTreeMap, fs, path::Path};

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

/// The calls in lines that hold `ioctl(FD, NAME, ARGUMENT) = RESULT`, by thread, whose id is the last word before.
pub fn calls(path: &Path, text_is_ours: bool) -> BTreeMap<i64, Vec<Call>> {
    let mut calls: BTreeMap<i64, Vec<Call>> = BTreeMap::new();
    let mut begun: BTreeMap<i64, String> = BTreeMap::new();
    for line in fs::read_to_string(path).expect("lines").lines() {
        let tid = |text: &str| text.trim_end().rsplit(' ').next().and_then(|tid| tid.parse::<i64>().ok());
        let whole = if let Some((before, rest)) = line.split_once(" <... ioctl resumed>") {
            let tid = tid(before).expect("thread id");
            begun.remove(&tid).unwrap_or_default() + rest
        } else if let Some(begin) = line.strip_suffix(" <unfinished ...>").filter(|_| !text_is_ours) {
            if let Some(tid) = begin.split_once("ioctl(").and_then(|(before, _)| tid(before)) {
                begun.insert(tid, begin.to_owned());
            }
            continue;
        } else {
            line.to_owned()
        };
        let Some((before, call)) = whole.split_once("ioctl(") else { continue };
        let (Some(tid), Some((_, after))) = (tid(before), call.split_once(", ")) else { continue };
        let Some((call, _)) = after.rsplit_once(") = ") else { continue };
        let (name, argument) = match call.strip_prefix("_IOC(").and_then(|rest| rest.split_once(')')) {
            Some((parts, rest)) => (format!("_IOC({parts})"), rest.trim_start_matches(", ")),
            None => {
                let (name, argument) = call.split_once(", ").unwrap_or((call, ""));
                (name.to_owned(), argument)
            }
        };
        calls.entry(tid).or_default().push((name, argument.to_owned()));
    }
    calls
}

/// Whether strace shows more of an argument than its number.
fn has_fields(argument: &str) -> bool {
    argument.starts_with(['{', '[', '"']) && !argument.contains("/* ") || argument.contains("|")
}

/// Compares what both show of each argument. Gives how many strace had fields of.
pub fn compare(ours: &Path, strace: &Path, command: &[&str]) -> usize {
    let (mine, theirs) = (calls(ours, true), calls(strace, false));
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
