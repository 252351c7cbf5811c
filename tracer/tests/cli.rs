//! The program as it is called: what it prints where, and how it exits. Nothing here traces.

#![expect(clippy::expect_used, reason = "tests")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

/// A vendor file with one request.
const ACME: &str =
    "[vendor]\nname = \"acme\"\n\n[[request]]\nname = \"ACME_GO\"\nnumber = 0xec01\narg = \"u32\"\n";

/// The program, with a configuration of its own.
fn program(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ioctl-trace"));
    command.env("XDG_CONFIG_HOME", config).env_remove("SUDO_USER").env_remove("CC").stdin(Stdio::null());
    command
}

fn output(config: &Path, args: &[&str]) -> Output {
    program(config).args(args).output().expect("the program starts")
}

/// Exit code, standard output, standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let config = tempfile::tempdir().expect("folder");
    said(&output(config.path(), args))
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_is_asked_goes_to_standard_output() {
    let (code, out, err) = run(&["decode", "0x5413"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("0x5413 TIOCGWINSZ\n"), "{out}");
    let (code, out, err) = run(&["list", "tiocgwinsz"]);
    assert_eq!((code, err.as_str()), (Some(0), "ioctl-trace: 1 request\n"));
    assert!(out.starts_with("0x5413  TIOCGWINSZ"), "{out}");
}

#[test]
fn mistakes_are_one_line_and_exit_with_two() {
    for (args, line) in [
        (
            &["decode", "TIOCGWINZS"][..],
            "no ioctl request is named `TIOCGWINZS`; did you mean `TIOCGWINSZ`, `TIOCSWINSZ`?",
        ),
        (&["show", "\u{1b}]0;x"], "no ioctl request or type is named `\\033]0;x`"),
        (
            &["decode", "0", "--bytes", "x"],
            "`x` is no hexadecimal text, such as 18005000 or '18 00 50 00', and no file of that name exists",
        ),
        (&["list", "--family", "nope"], "no family is named `nope`; `list --families` shows all"),
        (
            &["--registry", "/no/such.toml", "decode", "0"],
            "/no/such.toml: cannot be read: No such file or directory (os error 2); check its name and who may read it",
        ),
        (
            &["registry", "import", "/no/such.h", "-o", "-"],
            "cannot read `/no/such.h`: No such file or directory (os error 2)",
        ),
        (
            &["policy", "--format", "json", "/no/such.iotrace"],
            "cannot read `/no/such.iotrace`: No such file or directory (os error 2)",
        ),
        (&["policy", "--format", "json", "/dev/null"], "`/dev/null` is no recording"),
        (&["policy", "--format", "json", "--masked", "x.iotrace"], "`--masked` is about another --format"),
    ] {
        let (code, out, err) = run(args);
        assert_eq!((code, out.as_str(), err), (Some(2), "", format!("ioctl-trace: {line}\n")), "{args:?}");
    }
}

#[test]
fn commands_do_not_mix_with_tracing() {
    let (code, _, err) = run(&["-p", "1", "decode", "0x5413"]);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error: `--pid` is about tracing and does not go with `decode`\n"), "{err}");
    let (code, _, err) = run(&["decode"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("<NUMBER>"), "{err}");
    // Behind two dashes every word is a command's.
    let (code, _, err) = run(&["-a", "--", "decode"]);
    assert_eq!(
        (code, err.as_str()),
        (Some(2), "ioctl-trace: -a traces every process already: leave out the command, or -a\n")
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_mistake() {
    let config = tempfile::tempdir().expect("folder");
    let camera = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/recordings/camera.iotrace");
    for args in [
        &["list"][..],
        &["decode", "TCGETS"],
        &["show", "struct termios"],
        &["fields"],
        &["man"],
        &["completions", "bash"],
        &["doctor"],
        &["diff", camera, camera],
        &["policy", "--format", "json", camera],
        &["replay", "--info", camera],
        &["replay", "-q", "--no-tui", camera],
        &["replay", "-q", "-c", camera],
        &["replay", "-q", "-o", "-", "--format", "csv", camera],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = program(config.path()).args(args).stdout(writer).stderr(Stdio::piped()).output();
        let (code, _, err) = said(&output.expect("the program starts"));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn bytes_come_from_files_and_standard_input() {
    let dir = tempfile::tempdir().expect("folder");
    let file = dir.path().join("argument");
    fs::write(&file, [24, 0, 80, 0, 0, 0, 0, 0]).expect("file");
    let words = ["decode", "_IOR('t', 90, struct winsize)", "TIOCGWINSZ", "--json", "--bytes"];
    let text = format!("@{}", file.display());
    let from_file = output(dir.path(), &[&words[..], &[&text]].concat());
    let input = fs::File::open(&file).expect("file");
    let from_input =
        program(dir.path()).args(words).arg("-").stdin(input).output().expect("the program starts");
    assert_eq!(said(&from_file), said(&from_input));
    assert_eq!(from_file.status.code(), Some(0));
}

#[test]
fn files_of_requests_are_loaded() {
    let dir = tempfile::tempdir().expect("folder");
    let own = dir.path().join("ioctl-trace/registry");
    fs::create_dir_all(&own).expect("folder");
    fs::write(own.join("acme.toml"), ACME).expect("file");
    fs::write(own.join("broken.toml"), "[vendor]\nnam = 3\n").expect("file");
    let (code, out, err) = said(&output(dir.path(), &["decode", "ACME_GO"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("0xec01 ACME_GO\n"), "{out}");
    let broken = own.join("broken.toml").display().to_string();
    assert!(
        !err.is_empty()
            && err.lines().all(|line| line.starts_with(&format!("ioctl-trace: left out: {broken}:"))),
        "{err}"
    );
    // What was asked for must be right.
    let (code, out, err) = said(&output(dir.path(), &["decode", "0", "--registry", &broken]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.lines().all(|line| line.starts_with(&format!("ioctl-trace: {broken}:"))), "{err}");
}

#[test]
fn an_imported_header_names_its_requests() {
    let dir = tempfile::tempdir().expect("folder");
    let (header, file) = (dir.path().join("acme.h"), dir.path().join("acme.toml"));
    let text = "#include <linux/ioctl.h>\nstruct acme_job { int count; };\n#define ACME_SUBMIT _IOW(0xec, 7, struct acme_job)\n";
    fs::write(&header, text).expect("header");
    let (header, file) = (header.display().to_string(), file.display().to_string());
    let imported = said(&output(dir.path(), &["registry", "import", &header, "-o", &file]));
    assert_eq!(
        imported,
        (Some(0), String::new(), format!("ioctl-trace: 1 request and 1 type in `{file}`\n"))
    );
    let words = ["decode", "0x4004ec07", "--arch", "x86_64", "--bytes", "05 00 00 00", "--registry", &file];
    let (code, out, _) = said(&output(dir.path(), &words));
    assert_eq!(code, Some(0));
    assert!(out.starts_with("0x4004ec07 ACME_SUBMIT\n") && out.contains("value      {count=5}"), "{out}");
    // Without privileges a trace ends there at the latest, with its request known.
    let (code, _, err) = said(&output(dir.path(), &["--registry", &file, "-e", "ACME_SUBMTI", "--", "true"]));
    assert_eq!(
        (code, err.as_str()),
        (Some(2), "ioctl-trace: no ioctl request is named `ACME_SUBMTI`; did you mean `ACME_SUBMIT`?\n")
    );
}

#[test]
fn a_mistake_in_a_filter_is_shown_in_its_place() {
    let (code, out, err) = run(&["--filter", "ret < 0 && drvier == i915", "-a"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    let place = "  ret < 0 && drvier == i915\n             ^^^^^^\n";
    assert_eq!(
        err,
        format!("ioctl-trace: --filter: there is no field `drvier`; did you mean `driver`?\n{place}")
    );
    let (code, _, err) = run(&["--filter", "stack has main", "-a"]);
    assert_eq!(
        (code, err.as_str()),
        (Some(2), "ioctl-trace: --filter: `stack` is known with -k only: add it\n")
    );
    let (code, out, _) = run(&["fields"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("example: arg.flags has O_CLOEXEC"), "{out}");
}

#[test]
fn the_built_in_recording_is_of_several_families() {
    let (code, out, err) = run(&["--demo", "-c"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.ends_with(", 0 lost\n"), "{err}");
    for request in ["TIOCGWINSZ", "LOOP_CONFIGURE", "BLKGETSIZE64", "FS_IOC_FIEMAP", "TUNSETIFF", "KVM_RUN"] {
        assert!(out.contains(request), "{request}: {out}");
    }
    for (args, line) in [
        (&["--demo", "-p", "1"][..], "`--pid` is about tracing and does not go with `--demo`"),
        (&["--demo", "--info"], "--info says what a file is of: `replay --info FILE.iotrace`"),
        (&["record", "--demo"], "`--demo` is a recording of its own: leave out the word before it"),
    ] {
        let (code, _, err) = run(args);
        assert_eq!(code, Some(2), "{args:?}");
        assert!(err.contains(line), "{args:?}: {err}");
    }
}
