//! Outputs in files: all formats of one run agree, are complete however it ends, and are nobody else's.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::trace::{
    Running, attached, events, exerciser, finish, have_root, ioctl_trace, run, signal_child, stderr, stdout,
    until,
};

/// Runs the program that makes known calls, with these outputs.
fn trace(dir: &Path, outputs: &[&str]) -> std::process::Output {
    let mut args = vec!["-q".to_owned()];
    for name in outputs {
        args.extend(["-o".to_owned(), dir.join(name).display().to_string()]);
    }
    let mut command = ioctl_trace(args);
    command.arg("--").arg(exerciser()).arg(dir.join("log"));
    run(command)
}

fn rows(path: &Path) -> i64 {
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("a complete table");
    reader.metadata().file_metadata().num_rows()
}

#[test]
fn all_formats_of_one_run_agree() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let names =
        ["a.jsonl", "a.txt", "a.csv", "a.parquet", "a.pftrace", "b.jsonl.zst", "b.csv.gz", "b.pftrace.zst"];
    let output = trace(dir.path(), &names);
    assert!(output.status.success() && stderr(&output).is_empty(), "{}", stderr(&output));
    let calls = events(&path("a.jsonl")).len();
    assert!(calls > 50, "{calls} calls");
    let read = |name: &str| fs::read(path(name)).expect("a file");
    assert_eq!(read("a.txt").split(|byte| *byte == b'\n').count(), calls + 1);
    assert_eq!(rows(&path("a.parquet")), i64::try_from(calls).expect("a count"));
    let mut table = csv::Reader::from_path(path("a.csv")).expect("a table");
    let table: Vec<_> = table.records().map(|row| row.expect("a row")).collect();
    assert_eq!(table.len(), calls);
    assert_eq!(zstd::decode_all(&*read("b.jsonl.zst")).expect("complete"), read("a.jsonl"));
    assert_eq!(zstd::decode_all(&*read("b.pftrace.zst")).expect("complete"), read("a.pftrace"));
    let mut csv = Vec::new();
    flate2::read::GzDecoder::new(&*read("b.csv.gz")).read_to_end(&mut csv).expect("complete");
    assert_eq!(csv, read("a.csv"));
    for name in names {
        assert_eq!(fs::metadata(path(name)).expect("a file").mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn json_lines_are_as_the_schema_says() {
    if !have_root() {
        return;
    }
    let schema = include_str!("../../../docs/jsonl.schema.json");
    let schema = serde_json::from_str(schema).expect("valid JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("calls.jsonl");
    let mut command = ioctl_trace(["-k", "--kernel-stack", "-o"]);
    command.arg(&file).arg("--").arg(exerciser()).arg(dir.path().join("log"));
    assert!(run(command).status.success());
    for line in events(&file) {
        let errors: Vec<_> = schema.iter_errors(&line).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    }
}

#[test]
fn an_interrupted_run_leaves_complete_files() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let target = Running::start(Command::new(exerciser()).arg("--forever"));
    let (table, lines) = (dir.path().join("a.parquet"), dir.path().join("a.jsonl.zst"));
    let mut command = ioctl_trace(["-p", &target.pid()]);
    command.arg("-o").arg(&table).arg("-o").arg(&lines);
    // What is not compressed is seen to come.
    let plain = dir.path().join("a.log");
    command.arg("-o").arg(&plain);
    let tracer = attached(&mut command);
    until("calls", || fs::metadata(&plain).is_ok_and(|file| file.len() > 0).then_some(()));
    signal_child(&tracer, Signal::SIGINT);
    assert!(finish(tracer).status.success());
    let text = zstd::decode_all(File::open(&lines).expect("a file")).expect("complete");
    let calls = text.iter().filter(|byte| **byte == b'\n').count();
    assert!(calls > 0);
    assert_eq!(rows(&table), i64::try_from(calls).expect("a count"));
}

#[test]
fn an_output_that_fails_does_not_take_the_others_along() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let table = dir.path().join("a.parquet");
    let script = format!(
        "{} -q -o - -o {} -- {} --loop 100000 | head -1",
        env!("CARGO_BIN_EXE_ioctl-trace"),
        table.display(),
        exerciser().display()
    );
    let output = run(Command::new("sh").args(["-c", &script]));
    assert_eq!(stdout(&output).lines().count(), 1);
    assert!(rows(&table) > 0);
}

#[test]
fn devices_and_descriptors_are_files_too() {
    if !have_root() {
        return;
    }
    for (name, format) in [("/dev/stdout", "csv"), ("/dev/fd/1", "csv"), ("-", "csv"), ("-", "parquet")] {
        let mut command = ioctl_trace(["-q", "--format", format, "-o", name, "--"]);
        let output = run(command.arg(exerciser()).arg("/dev/null"));
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let start = if format == "csv" { &b"ts,pid,"[..] } else { b"PAR1" };
        assert!(output.stdout.starts_with(start), "{name}");
        assert!(output.stdout.ends_with(if format == "csv" { b"\n" } else { b"PAR1" }), "{name}");
    }
    let mut command = ioctl_trace(["-q", "-o", "/dev/null", "--", "true"]);
    assert!(run(command.stdin(Stdio::null())).status.success());
}

#[test]
fn nothing_is_written_through_links_or_into_files_of_others() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (victim, link) = (dir.path().join("victim"), dir.path().join("calls.txt"));
    fs::write(&victim, "precious").expect("a file");
    symlink(&victim, &link).expect("a link");
    let refused = |says: &str| {
        let output = trace(dir.path(), &["calls.txt"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
    };
    refused("it is a symbolic link: name the file that it leads to");
    fs::remove_file(&link).expect("removed");
    fs::hard_link(&victim, &link).expect("a second name");
    std::os::unix::fs::chown(&victim, Some(65_534), None).expect("an owner");
    refused("it belongs to another user (65534)");
    std::os::unix::fs::chown(&victim, Some(0), None).expect("an owner");
    assert!(trace(dir.path(), &["calls.txt"]).status.success());
    assert!(fs::read_to_string(&victim).expect("a file").contains("ioctl("));
}

#[test]
fn files_are_written_with_the_rights_of_the_user_behind_sudo() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (theirs, roots) = (dir.path().join("new.iotrace"), dir.path().join("old.txt"));
    fs::write(&roots, "root's").expect("a file");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
    let trace = |path: &Path| {
        let mut command = ioctl_trace(["-q", "-u", "root", "-o"]);
        command.arg(path).args(["--", "true"]).env("SUDO_UID", "65534").env("SUDO_GID", "65534");
        run(command.stdin(Stdio::null()))
    };
    let output = trace(&theirs);
    assert!(output.status.success(), "{}", stderr(&output));
    let known = fs::metadata(&theirs).expect("a file");
    assert_eq!((known.uid(), known.permissions().mode() & 0o777), (65_534, 0o600));
    let output = trace(&roots);
    assert!(
        stderr(&output).contains("user 65534, who called sudo, may not write there"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_to_string(&roots).expect("a file"), "root's");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    let more = dir.path().join("more.txt");
    assert_eq!(trace(&more).status.code(), Some(1), "it is root's folder");
    // In a shell that sudo opened it is root who types.
    let mut command = ioctl_trace(["-q", "-o"]);
    command.arg(&more).args(["--", "true"]).env("SUDO_UID", "65534").env("SUDO_COMMAND", "/bin/sh");
    assert!(run(command.stdin(Stdio::null())).status.success());
    assert_eq!(fs::metadata(&more).expect("a file").uid(), 0);
}
