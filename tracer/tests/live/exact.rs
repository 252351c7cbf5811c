//! Every call of a program that writes down what it does is seen once, in order, with the right fields.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::trace::{events, exerciser, have_root, ioctl_trace, number, run, stderr, text};

/// Calls by thread: fd, request, argument, result.
type Calls = BTreeMap<i64, Vec<[String; 4]>>;

fn truth(log: &Path) -> Calls {
    let mut calls = Calls::new();
    for line in fs::read_to_string(log).expect("log").lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [tid, fd, request, arg, result] = fields.as_slice() else { panic!("{line}") };
        let call = [fd, request, arg, result].map(|field| (*field).to_owned());
        calls.entry(tid.parse().expect("tid")).or_default().push(call);
    }
    calls
}

fn traced(events: &[Value]) -> Calls {
    let mut calls = Calls::new();
    for event in events {
        let killed = event["notes"]
            .as_array()
            .is_some_and(|n| n.iter().any(|n| n == "killed before the call returned"));
        let result = match (number(event, "/ret"), killed) {
            (Some(ret), _) => ret.to_string(),
            (None, true) => "killed".to_owned(),
            (None, false) => "none".to_owned(),
        };
        // The truth does not know the address for a call whose maker was killed.
        let arg = if killed { "?".to_owned() } else { text(event, "/arg").to_owned() };
        let fd = number(event, "/fd").expect("fd").to_string();
        let arg = if arg == "0x0" { "0x0".to_owned() } else { arg };
        let call = [fd, text(event, "/request/hex").to_owned(), arg, result];
        calls.entry(number(event, "/tid").expect("tid")).or_default().push(call);
    }
    calls
}

/// Compares thread by thread, so that a difference is shown where it is.
fn assert_same(truth: &Calls, traced: &Calls) {
    assert_eq!(truth.keys().collect::<Vec<_>>(), traced.keys().collect::<Vec<_>>(), "threads");
    for (tid, expected) in truth {
        let found = &traced[tid];
        for (place, (expected, found)) in expected.iter().zip(found).enumerate() {
            assert_eq!(expected, found, "call {place} of thread {tid}");
        }
        assert_eq!(expected.len(), found.len(), "number of calls of thread {tid}");
    }
}

#[test]
fn every_call_of_a_command_is_seen_once_in_order_with_its_fields() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let (log, trace) = (dir.path().join("log"), dir.path().join("trace.jsonl"));
    let output = run(ioctl_trace([Path::new("-o"), &trace, Path::new("--"), &exerciser(), &log]));
    assert!(output.status.success(), "{}", stderr(&output));
    let events = events(&trace);
    let truth = truth(&log);
    assert!(truth.len() >= 8, "parent, child, grandchild, threads and the killed one: {}", truth.len());
    assert_same(&truth, &traced(&events));
    let total: usize = truth.values().map(Vec::len).sum();
    assert!(stderr(&output).contains(&format!("{total} calls in ")), "{}", stderr(&output));
    assert!(stderr(&output).contains(", 0 lost"), "{}", stderr(&output));
    check_fields(&events, &dir.path().to_string_lossy());
}

/// What each kind of file must look like.
fn check_fields(events: &[Value], dir: &str) {
    let one = |path: &str, request: &str| {
        let found =
            events.iter().find(|e| text(e, "/path").contains(path) && text(e, "/request/name") == request);
        found.unwrap_or_else(|| panic!("no {request} on {path}"))
    };
    let ptmx = one("/dev/ptmx", "TIOCGPTN");
    assert_eq!((text(ptmx, "/device/kind"), text(ptmx, "/device/handler")), ("char", "tty_ioctl"));
    assert_eq!((number(ptmx, "/device/major"), number(ptmx, "/device/minor")), (Some(5), Some(2)));
    assert_eq!(text(one("pipe:[", "FIONREAD"), "/device/kind"), "fifo");
    assert_eq!(text(one("socket:[", "FIONREAD"), "/device/handler"), "sock_ioctl");
    assert_eq!(text(one("anon_inode:[eventpoll]", "FIONREAD"), "/device/kind"), "anon");
    assert_eq!(text(one("anon_inode:[userfaultfd]", "UFFDIO_API"), "/device/kind"), "anon");
    let root = events.iter().find(|e| text(e, "/path") == "/").expect("a call on /");
    assert_eq!((text(root, "/device/kind"), text(root, "/request/name")), ("dir", "FS_IOC_GETFLAGS"));
    let bad = events.iter().find(|e| number(e, "/fd") == Some(-1)).expect("a call on fd -1");
    assert_eq!((text(bad, "/errno"), &bad["path"], &bad["device"]), ("EBADF", &Value::Null, &Value::Null));
    let unknown =
        events.iter().find(|e| text(e, "/request/hex") == "0xc008dead").expect("an unknown request");
    assert_eq!((text(unknown, "/request/dir"), number(unknown, "/request/size")), ("read-write", Some(8)));
    assert_eq!((&unknown["request"]["name"], text(unknown, "/device/kind")), (&Value::Null, "char"));
    // Files that were closed, and half of them removed, before anyone could look.
    for n in 0..50 {
        let path = format!("{dir}/short-{n}");
        let on: Vec<_> = events.iter().filter(|e| text(e, "/path") == path).collect();
        assert_eq!(on.len(), 2, "{path}: parent and grandchild");
        for event in on {
            let deleted =
                event["notes"].as_array().is_some_and(|notes| notes.iter().any(|n| n == "file deleted"));
            assert_eq!(deleted, n % 2 == 0, "{path}");
        }
    }
    for event in events {
        assert_eq!(text(event, "/comm"), "exerciser");
        assert_eq!(number(event, "/uid"), Some(0));
        assert!(text(event, "/cgroup").starts_with('/'), "{event}");
        assert_eq!(event["compat"], Value::Bool(false));
    }
}
