//! What `--redact` leaves out of every output.

use std::fs;

use crate::trace::{have_root, ioctl_trace, run, stderr, stdout};

/// Asks for an interface of this name.
const PROGRAM: &str =
    r#"socket(my $s, 2, 2, 0); my $name = "a-secret-name" . "\0" x 64; ioctl($s, 0x8933, $name)"#;

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn arguments_are_in_no_output() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let trace = |options: &[&str], names: &[&str]| {
        let mut command = ioctl_trace(options);
        for name in names {
            command.arg("-o").arg(dir.path().join(name));
        }
        let output = run(command.args(["-e", "SIOCGIFINDEX", "--", "perl", "-e", PROGRAM]));
        assert!(stderr(&output).contains("1 call "), "{}", stderr(&output));
        names.iter().map(|name| fs::read(dir.path().join(name)).expect("a file")).collect::<Vec<_>>()
    };
    let names = ["a.txt", "a.jsonl", "a.csv", "a.parquet", "a.pftrace"];
    let recording = "a.iotrace";
    let plain = trace(&[], &names);
    assert!(plain.iter().take(3).all(|bytes| has(bytes, "secret") || has(bytes, "612d736563726574")));
    for bytes in trace(&["--redact=strings"], &names) {
        assert!(!has(&bytes, "a-secret") && !has(&bytes, "612d736563726574"));
        assert!(has(&bytes, "redacted") && has(&bytes, "SIOCGIFINDEX"));
    }
    for bytes in trace(&["--redact"], &[&names[..], &[recording]].concat()) {
        assert!(!has(&bytes, "a-secret") && !has(&bytes, "612d736563726574"));
    }
    let file = dir.path().join(recording);
    let replayed = run(ioctl_trace(["replay"]).arg(&file));
    assert!(stdout(&replayed).contains("SIOCGIFINDEX, [redacted]) = -1 ENODEV"), "{}", stdout(&replayed));

    // A recording that has it is played without it.
    trace(&[], &[recording]);
    for (option, shown) in [("--redact", false), ("--redact=strings", false), ("--quiet", true)] {
        let replayed = run(ioctl_trace(["replay", option]).arg(&file));
        assert_eq!(has(&replayed.stdout, "a-secret-name"), shown, "{}", stdout(&replayed));
    }
    let text = run(ioctl_trace(["--redact=strings", "-o"]).arg(&file).args(["--", "true"]));
    assert!(stderr(&text).contains("a recording holds bytes"), "{}", stderr(&text));
}

#[test]
fn what_is_left_out_cannot_be_asked_for() {
    for expression in ["arg.name == 1", "arg == 1", "fds has tty", "in exists"] {
        let output = run(ioctl_trace(["--redact", "-a", "--filter", expression]));
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("--filter: what --redact leaves out"), "{}", stderr(&output));
    }
}
