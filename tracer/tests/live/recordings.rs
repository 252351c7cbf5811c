//! What is made of recordings of live calls: allow-lists.

use std::{fs, path::Path};

use serde_json::Value;

use crate::trace::{have_root, ioctl_trace, run, stderr, stdout};

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
