//! Real programs under this tracer and strace at the same time: same calls, same order per thread, same names, same
//! results, same files.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crate::{
    fields,
    trace::{events, have_root, ioctl_trace, number, run, stderr, text},
};

/// One call as both print it.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Seen {
    fd: String,
    name: String,
    result: String,
}

/// Reads `strace -f -y -e trace=ioctl -o`: `PID ioctl(FD<PATH>, NAME, …) = RESULT …`, where a call that another thread
/// interrupts comes in two lines. Gives the thread and what stands behind `ioctl(`.
pub fn strace_calls(path: &Path) -> Vec<(i64, String)> {
    let mut calls = Vec::new();
    let mut begun: BTreeMap<i64, String> = BTreeMap::new();
    for line in fs::read_to_string(path).expect("strace's output").lines() {
        let (tid, rest) = line.trim_start().split_once(' ').expect("thread id");
        let tid: i64 = tid.parse().expect("thread id");
        let rest = rest.trim_start();
        let whole = if let Some(begin) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(tid, begin.to_owned());
            continue;
        } else if let Some(end) = rest.strip_prefix("<... ioctl resumed>") {
            begun.remove(&tid).unwrap_or_default() + end
        } else {
            rest.to_owned()
        };
        calls.extend(whole.strip_prefix("ioctl(").map(|call| (tid, call.to_owned())));
    }
    calls
}

/// The request at the beginning of a text; a name may be an expression with commas.
pub fn request(text: &str) -> &str {
    let end = match text.strip_prefix("_IOC(") {
        Some(_) => text.find(')').expect("end of _IOC") + 1,
        None => text.find([',', ')']).expect("request"),
    };
    &text[..end]
}

/// The calls that strace printed.
fn strace(path: &Path) -> BTreeMap<i64, Vec<Seen>> {
    let mut calls: BTreeMap<i64, Vec<Seen>> = BTreeMap::new();
    for (tid, call) in strace_calls(path) {
        let (fd, after) = call.split_once(", ").expect("fd");
        let result = after.rsplit_once(" = ").expect("result").1;
        let result = result.split(" (").next().unwrap_or(result).trim();
        calls.entry(tid).or_default().push(Seen {
            fd: fd.to_owned(),
            name: request(after).to_owned(),
            result: result.to_owned(),
        });
    }
    calls
}

/// The same calls from our JSON lines, in the words of strace.
fn ours(path: &Path) -> BTreeMap<i64, Vec<Seen>> {
    let mut calls: BTreeMap<i64, Vec<Seen>> = BTreeMap::new();
    for event in events(path) {
        let names: Vec<&str> =
            event["request"]["names"].as_array().expect("names").iter().filter_map(|n| n.as_str()).collect();
        let deleted =
            event["notes"].as_array().is_some_and(|notes| notes.iter().any(|n| n == "file deleted"));
        let fd = number(&event, "/fd").expect("fd");
        let fd = match text(&event, "/path") {
            "" => fd.to_string(),
            path => format!("{fd}<{path}>{}", if deleted { "(deleted)" } else { "" }),
        };
        let result = match (number(&event, "/ret"), text(&event, "/errno")) {
            (Some(_), errno) if errno.starts_with("ERESTART") => format!("? {errno}"),
            (Some(ret), "") => ret.to_string(),
            (Some(_), errno) => format!("-1 {errno}"),
            (None, _) => "?".to_owned(),
        };
        let tid = number(&event, "/tid").expect("tid");
        calls.entry(tid).or_default().push(Seen { fd, name: names.join(" or "), result });
    }
    calls
}

/// strace prints `A or B` for a number that two devices share, whatever the device is. Where we name one of them, that
/// one is taken as strace's too.
fn less_ambiguous(theirs: &Seen, mine: &Seen) -> Seen {
    let mut theirs = theirs.clone();
    if theirs.name.split(" or ").any(|name| name == mine.name) {
        theirs.name.clone_from(&mine.name);
    }
    theirs
}

/// Traces `strace COMMAND` and compares both views of the command. Gives the number of calls.
fn compare(command: &[&str]) -> usize {
    let dir = tempfile::tempdir().expect("directory");
    let (mine, theirs) = (dir.path().join("ours.jsonl"), dir.path().join("strace.txt"));
    let lines = dir.path().join("ours.txt");
    let mut traced = ioctl_trace(["-q", "-o"]);
    traced.arg(&mine).arg("-o").arg(&lines).args([
        "--",
        "strace",
        "-f",
        "-y",
        "-e",
        "trace=ioctl",
        "-e",
        "signal=none",
        "-o",
    ]);
    traced.arg(&theirs).args(command).env("TERM", "xterm");
    let output = run(traced);
    let compared = fields::compare(&lines, &theirs, command);
    eprintln!("{compared} arguments compared");
    let (mine, theirs) = (ours(&mine), strace(&theirs));
    for (tid, theirs) in &theirs {
        let mine = mine.get(tid).map(Vec::as_slice).unwrap_or_default();
        for (place, (mine, theirs)) in mine.iter().zip(theirs).enumerate() {
            let theirs = &less_ambiguous(theirs, mine);
            assert_eq!(
                mine, theirs,
                "call {place} of thread {tid} of {command:?} (left: ours, right: strace's)"
            );
        }
        assert_eq!(mine.len(), theirs.len(), "calls of thread {tid} of {command:?}: {}", stderr(&output));
    }
    theirs.values().map(Vec::len).sum()
}

/// On a terminal of its own, where programs ask more.
fn compare_on_terminal(command: &str) -> usize {
    compare(&["script", "-qefc", command, "/dev/null"])
}

#[test]
fn stty() {
    if have_root() {
        assert!(compare_on_terminal("stty -a; stty rows 30 cols 90; stty -echo; stty sane") >= 10);
    }
}

#[test]
fn ls_in_colour() {
    if have_root() {
        assert!(compare_on_terminal("ls --color=auto /etc") >= 3);
    }
}

#[test]
fn vim() {
    if have_root() {
        let dir = tempfile::tempdir().expect("directory");
        let file = dir.path().join("text");
        let quit = format!("vim -N -u NONE -es {} -c 'normal ihello' -c wq", file.display());
        assert!(compare_on_terminal(&quit) >= 3);
        assert_eq!(fs::read_to_string(file).expect("text"), "hello\n");
    }
}

#[test]
fn shells_with_jobs_and_pipes() {
    if have_root() {
        assert!(
            compare_on_terminal("bash -ic 'ls | sort | head -1; sleep 0.05 & wait; (exit 3)'; true") >= 5
        );
    }
}

#[test]
fn ip_in_a_namespace_of_its_own() {
    if have_root() {
        let script = "ip link add veth0 type veth peer name veth1; ip addr add 10.9.8.7/24 dev veth0; ip link set veth0 up; \
                      ip -s link; ip addr; ip tuntap add dev tap9 mode tap; ip tuntap; ip link del tap9";
        // Most of what it does goes through netlink; tun devices are made with ioctls.
        assert!(compare(&["unshare", "--net", "sh", "-c", script]) >= 2);
    }
}

#[test]
fn losetup_fdisk_and_mkfs() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let image = dir.path().join("image");
    fs::File::create(&image).and_then(|f| f.set_len(16 << 20)).expect("image");
    let script = format!(
        "set -e; d=$(losetup --find --show {image}); losetup -l >/dev/null; echo ',,L' | sfdisk -q $d; fdisk -l $d >/dev/null; \
         mkfs.ext4 -Fq $d; blockdev --getsz --getro --getss $d >/dev/null; losetup -d $d",
        image = image.display()
    );
    assert!(compare(&["sh", "-c", &script]) >= 30);
}

#[test]
fn fdisk_of_the_whole_machine() {
    if have_root() {
        compare(&["fdisk", "-l"]);
        // What it says goes to no terminal; that it works at all is checked here.
        assert!(Command::new("fdisk").arg("-l").output().expect("fdisk").status.success());
    }
}
