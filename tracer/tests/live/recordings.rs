//! What is made of recordings of live calls: allow-lists, comparisons, totals.

use std::{fs, path::Path, process::Stdio};

use serde_json::Value;

use crate::trace::{exerciser, have_root, ioctl_trace, run, stderr, stdout};

/// Records what a shell does.
fn record(path: &Path, script: &str) {
    let output = run(ioctl_trace(["record", "-o"]).arg(path).args(["--", "sh", "-c", script]));
    assert!(output.status.success() && stderr(&output).contains(" 0 lost"), "{}", stderr(&output));
}

#[test]
fn allow_lists_have_what_was_called() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let paths = ["a.iotrace", "b.iotrace"].map(|name| dir.path().join(name));
    record(&paths[0], "stty -a </dev/ptmx >/dev/null");
    record(&paths[1], "stty rows 5 </dev/ptmx; stty </dev/null 2>/dev/null; true");
    let policy = |options: &[&str]| {
        let output = run(ioctl_trace(["policy"]).args(options).args(&paths));
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
        stdout(&output)
    };

    let fragment: Value = serde_json::from_str(&policy(&["--format", "seccomp"])).expect("JSON");
    let rules = fragment["syscalls"].as_array().expect("rules");
    let allowed = |number: u32| rules.iter().any(|rule| rule["args"][0]["value"] == number);
    assert!(allowed(0x5401) && allowed(0x5413) && allowed(0x5414), "of both recordings: {fragment}");

    let rules = policy(&["--format", "selinux", "-e", "TIOC?WINSZ", "--filter", "comm == stty"]);
    let rule = "allowxperm stty_t ptmx_device_t:chr_file ioctl { 0x5413-0x5414 };";
    assert!(rules.lines().any(|line| line == rule), "{rules}");

    let devices = |options: &[&str]| -> Vec<String> {
        let list: Value =
            serde_json::from_str(&policy(&[&["--format", "json"], options].concat())).expect("JSON");
        let list = list.as_array().expect("devices").iter();
        list.filter_map(|device| Some(device["device"].as_str()?.to_owned())).collect()
    };
    assert!(devices(&[]).contains(&"mem".to_owned()), "/dev/null was asked");
    assert!(!devices(&["--succeeded"]).contains(&"mem".to_owned()), "and knew nothing");
    assert!(devices(&["--by-device"]).contains(&"mem 1:3".to_owned()));

    // A recording whose end is missing says that requests may be.
    let bytes = fs::read(&paths[0]).expect("a file");
    fs::write(&paths[0], bytes.get(..bytes.len() - 10).expect("longer")).expect("written");
    let cut = run(ioctl_trace(["policy", "--format", "json"]).arg(&paths[0]));
    assert!(cut.status.success() && stderr(&cut).contains("the list may lack requests"), "{}", stderr(&cut));
}

#[test]
fn totals_are_json_where_that_is_asked_for() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (recording, totals) = (dir.path().join("a.iotrace"), dir.path().join("totals.json"));
    let rows = |text: &str| -> Vec<(String, u64)> {
        let rows: Vec<Value> = serde_json::from_str(text).expect("JSON");
        let row = |row: &Value| Some((row["request"].as_str()?.to_owned(), row["calls"].as_u64()?));
        rows.iter().filter_map(row).collect()
    };

    // Counted in the kernel.
    let mut live = ioctl_trace(["-c", "-S", "calls", "-o"]);
    live.arg(&totals).arg("--").arg(exerciser()).args(["--loop", "1000"]);
    let output = run(live);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).lines().count() == 1, "no table beside the file: {}", stderr(&output));
    let live = rows(&fs::read_to_string(&totals).expect("a file"));
    assert_eq!(live.first(), Some(&("FIONREAD".to_owned(), 1000)));

    // Counted from a recording.
    let mut record = ioctl_trace(["record", "-o"]);
    record.arg(&recording).arg("--").arg(exerciser()).args(["--loop", "1000"]);
    assert!(run(record).status.success());
    let replay = |options: &[&str]| {
        let output = run(ioctl_trace(["replay"]).arg(&recording).args(["-q", "-c"]).args(options));
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
        stdout(&output)
    };
    let lines = replay(&["--format", "jsonl", "-S", "count"]);
    let replayed = rows(&format!("[{}]", lines.lines().collect::<Vec<_>>().join(",")));
    assert_eq!(replayed, live);
    assert_eq!(replay(&["-o", &totals.display().to_string()]), "");
    assert_eq!(rows(&fs::read_to_string(&totals).expect("a file")).len(), live.len());
}

#[test]
fn comparisons_tell_what_changed() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let paths = ["a.iotrace", "b.iotrace"].map(|name| dir.path().join(name));
    record(&paths[0], "stty -a </dev/ptmx >/dev/null");
    record(&paths[1], "stty rows 5 </dev/ptmx; stty -a </dev/ptmx >/dev/null");
    let diff = |options: &[&str], files: [&Path; 2]| {
        let output = run(ioctl_trace(["diff", "--filter", "comm == stty"]).args(options).args(files));
        assert_eq!(stderr(&output), "");
        (output.status.code(), stdout(&output))
    };
    let [a, b] = [paths[0].as_path(), &paths[1]];

    let (code, text) = diff(&[], [a, b]);
    assert_eq!(code, Some(0));
    let line =
        |sign: &str, name: &str| text.lines().any(|line| line.starts_with(sign) && line.contains(name));
    assert!(line("+ ", "TIOCSWINSZ  (ptmx)") && line("~ ", "TCGETS  (ptmx)"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe: {text}");
    assert!(diff(&["--color", "always"], [a, b]).1.contains("\u{1b}[32m+ TIOCSWINSZ"));

    let report: Value = serde_json::from_str(&diff(&["--json"], [b, a]).1).expect("JSON");
    assert_eq!(report["removed"][0]["request"], "TIOCSWINSZ", "{report}");
    assert_eq!(report["b"]["complete"], true, "{report}");

    let codes = [[a, b], [a, a]].map(|files| diff(&["--exit-code"], files).0);
    assert_eq!(codes, [Some(1), Some(0)]);
    assert!(diff(&[], [a, a]).1.contains("0 only in A, 0 only in B, 0 changed"));
}

#[test]
fn recordings_go_through_pipes_and_say_what_they_are_of() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("run.iotrace");
    let script = "stty -F /dev/ptmx size >/dev/null; stty -F /dev/ptmx -a >/dev/null";
    let recorded =
        run(ioctl_trace(["record", "-q", "-o", "-", "--", "sh", "-c", script]).stdout(Stdio::piped()));
    assert!(recorded.status.success(), "{}", stderr(&recorded));
    fs::write(&path, &recorded.stdout).expect("written");

    let totals = |from: &str| {
        // Options may stand in front of the file.
        let mut replay = ioctl_trace(["replay", "-c", "-e", "TIOCGWINSZ", "--format", "jsonl", from]);
        let output = run(replay.stdin(fs::File::open(&path).expect("a file")).stdout(Stdio::piped()));
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    let piped = totals("-");
    assert!(
        piped.contains("\"request\":\"TIOCGWINSZ\"") && piped == totals(&path.display().to_string()),
        "{piped}"
    );

    let info = run(ioctl_trace(["replay", "--info"]).arg(&path).stdout(Stdio::piped()));
    let info = String::from_utf8(info.stdout).expect("text");
    let machine = nix::sys::utsname::uname().expect("a name");
    let machine =
        format!("machine    {}, Linux {}", machine.nodename().display(), machine.release().display());
    for line in [machine.as_str(), "end        its writer ended it"] {
        assert!(info.contains(line), "{line}: {info}");
    }
    let count = info.lines().find_map(|line| line.strip_prefix("calls")?.trim().parse::<usize>().ok());
    let lines = run(ioctl_trace(["replay", "-q", "--speed", "1000"]).arg(&path).stdout(Stdio::piped()));
    let lines = String::from_utf8(lines.stdout).expect("text").lines().count();
    assert!(lines > 3 && count == Some(lines), "{lines}: {info}");
}
