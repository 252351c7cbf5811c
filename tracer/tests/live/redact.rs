//! What `--redact` leaves out of every output.

use std::{fs, path::Path, time::Duration};

use ioctl_trace::{
    recording::Reader,
    source::{Batch, Source as _},
};

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
}

/// What a recording has, before it is compressed.
fn unpacked(file: &Path) -> Vec<u8> {
    let mut reader = Reader::open(file).expect("a recording");
    let mut bytes = serde_json::to_vec(reader.meta()).expect("JSON");
    let mut batch = Batch::default();
    while reader.read(&mut batch, Duration::ZERO) {}
    batch.records().for_each(|record| bytes.extend(record));
    bytes
}

#[test]
fn text_is_in_no_recording() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    // Not in the command, which a recording says as well.
    fs::write(path("program"), PROGRAM).expect("written");
    let record = |options: &[&str], name: &str| {
        let mut command = ioctl_trace(options);
        command.args(["-e", "SIOCGIFINDEX", "-o"]).arg(path(name));
        let output = run(command.args(["-o", "-", "--format", "text", "--", "perl"]).arg(path("program")));
        assert!(stderr(&output).contains("1 call "), "{}", stderr(&output));
        // Times and numbers of processes differ.
        let line = stdout(&output);
        line.lines()
            .filter_map(|line| line.split_once("SIOCGIFINDEX"))
            .map(|(_, rest)| rest.to_owned())
            .collect::<String>()
    };
    let replay = |options: &[&str], name: &str| run(ioctl_trace(["replay"]).args(options).arg(path(name)));
    let live = record(&["--redact=strings"], "left.iotrace");
    assert!(live.contains(r#"{ifr_name="[redacted]"}) = -1 ENODEV"#), "{live}");
    assert!(record(&[], "whole.iotrace").contains("a-secret-name"));
    assert!(has(&unpacked(&path("whole.iotrace")), "a-secret-name"));
    let into =
        replay(&["--redact=strings", "-o", &path("public.iotrace").to_string_lossy()], "whole.iotrace");
    assert!(into.status.success() && into.stdout.is_empty(), "{}", stderr(&into));
    for name in ["left.iotrace", "public.iotrace"] {
        let bytes = unpacked(&path(name));
        for part in ["secret", "name\0", "-secr"] {
            assert!(!has(&bytes, part), "{name} has {part:?}");
        }
        let words = stdout(&replay(&[], name));
        assert!(words.contains(r#"SIOCGIFINDEX, {ifr_name="[redacted]"}) = -1 ENODEV"#), "{name}: {words}");
        assert!(
            stdout(&replay(&["--format", "jsonl"], name)).contains(r#""notes":["text redacted"]"#),
            "{name}"
        );
    }

    for (options, why) in [
        (&["-o", &*path("whole.iotrace").to_string_lossy()][..], "cannot be played into itself"),
        (&["-e", "TCGETS", "-o", &*path("b.iotrace").to_string_lossy()], "as a whole: leave out -e"),
    ] {
        let output = replay(options, "whole.iotrace");
        assert_eq!(
            (output.status.code(), stderr(&output).contains(why)),
            (Some(2), true),
            "{}",
            stderr(&output)
        );
    }
    assert!(!path("b.iotrace").exists(), "a mistake makes no file");
}

#[test]
fn what_is_left_out_cannot_be_asked_for() {
    for expression in ["arg.name == 1", "arg == 1", "fds has tty", "in exists"] {
        let output = run(ioctl_trace(["--redact", "-a", "--filter", expression]));
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("--filter: what --redact leaves out"), "{}", stderr(&output));
    }
}
