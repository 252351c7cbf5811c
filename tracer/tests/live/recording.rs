//! Recordings on the live kernel: what is replayed is what was written live, and whatever kills the tracer leaves what it had.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::trace::{PATIENCE, attached, exerciser, have_root, ioctl_trace, run, signal_child, stderr};

#[test]
fn a_replay_writes_what_the_live_run_wrote() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str| dir.path().join(name).display().to_string();
    let script = format!(
        "stty -a </dev/ptmx; ls --color=auto / >/dev/ptmx; {} {}; fdisk -l >/dev/null 2>&1; exit 0",
        exerciser().display(),
        file("log")
    );
    let mut live = ioctl_trace(["-k", "--kernel-stack", "-v", "-tt", "-yy"]);
    for name in ["run.iotrace", "live.txt", "live.jsonl", "live.csv"] {
        live.args(["-o", &file(name)]);
    }
    live.args(["--", "sh", "-c", &script]);
    let output = run(live.stdout(Stdio::null()));
    assert!(output.status.success() && stderr(&output).contains(" 0 lost"), "{}", stderr(&output));

    let mut replay = ioctl_trace(["replay", &file("run.iotrace"), "-v", "-tt", "-yy"]);
    for name in ["replayed.txt", "replayed.jsonl", "replayed.csv"] {
        replay.args(["-o", &file(name)]);
    }
    let replayed = run(replay);
    assert!(replayed.status.success(), "{}", stderr(&replayed));
    for ending in ["txt", "jsonl", "csv"] {
        let read = |name| fs::read(file(&format!("{name}.{ending}"))).expect("a file");
        let (live, replayed) = (read("live"), read("replayed"));
        assert!(live.len() > 10_000 && live == replayed, "{ending} differs");
    }
    // Last words are the same too.
    let last = |output| stderr(output).lines().last().map(str::to_owned);
    assert_eq!(last(&output), last(&replayed));
}

#[test]
fn a_killed_tracer_leaves_what_it_had_written() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut load = Command::new(exerciser()).arg("--forever").spawn().expect("a load");
    let pid = load.id().to_string();
    for turn in 0..10_u32 {
        let path = dir.path().join(format!("{turn}.iotrace"));
        let mut tracer = attached(ioctl_trace(["record", "-p", &pid, "-o"]).arg(&path));
        // Killed at other points each time, once there is something to lose.
        let begin = Instant::now();
        while fs::metadata(&path).map_or(0, |file| file.len()) < 1_000 + 20_000 * u64::from(turn) {
            assert!(begin.elapsed() < PATIENCE, "nothing is written");
            std::thread::sleep(Duration::from_millis(1 + u64::from(turn)));
        }
        signal_child(&tracer, Signal::SIGKILL);
        tracer.wait().expect("its end");
        let replayed = run(ioctl_trace(["replay".as_ref(), path.as_os_str(), "-c".as_ref()]));
        let words = stderr(&replayed);
        assert!(replayed.status.success() && words.contains("is missing"), "{words}");
        let calls: u64 = words
            .split("ioctl-trace: ")
            .nth(1)
            .and_then(|text| text.split(' ').next()?.parse().ok())
            .expect("a count");
        assert!(calls > 1_000, "{words}");
    }
    load.kill().expect("killed");
    load.wait().expect("its end");
}
