//! The dashboard on a real terminal: it shows what happens, obeys keys, and gives the terminal back.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use crate::{
    terminal::{NOBODY, Terminal, assert_restored, script, script_as},
    trace::{Running, events, exerciser, have_root, ioctl_trace, run, until},
};

#[test]
fn it_shows_calls_obeys_keys_and_restores_the_terminal() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let load = Running::start(Command::new(exerciser()).arg("--forever"));
    let terminal = Terminal::run("keys", &script(dir.path(), &format!("-p {}", load.pid())));
    let screen = terminal.wait_for("FIONREAD");
    assert!(screen.contains("exerci") && screen.contains("pipe:["), "{screen}");
    terminal.tmux(&["send-keys", "?"]);
    terminal.wait_for("this help");
    terminal.tmux(&["send-keys", "Escape"]);
    // Before the next key: directly behind an escape it would be another one.
    until("the help to close", || (!terminal.screen().contains("this help")).then_some(()));
    terminal.tmux(&["send-keys", "Space"]);
    terminal.wait_for("PAUSED");
    terminal.tmux(&["send-keys", "Space"]);
    until("going on", || (!terminal.screen().contains("PAUSED")).then_some(()));
    terminal.tmux(&["send-keys", "q"]);
    let screen = terminal.wait_for("over");
    assert!(
        screen.contains("ioctl-trace: ") && screen.contains(" calls in ") && screen.contains("code 0"),
        "{screen}"
    );
    assert!(screen.contains("% time") && screen.contains("FIONREAD"), "the totals are printed: {screen}");
    assert_restored(&terminal, dir.path());
}

#[test]
fn every_view_shows_live_calls() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let load = Running::start(Command::new(exerciser()).arg("--forever"));
    let stuck = Command::new(exerciser()).arg("--block-when-told").stdin(Stdio::piped()).spawn().map(Running);
    let mut stuck = stuck.expect("a program that hangs");
    let terminal = Terminal::run("views", &script(dir.path(), &format!("-p {},{}", load.pid(), stuck.pid())));
    terminal.wait_for("FIONREAD");
    // It blocks when this is closed.
    drop(stuck.0.stdin.take());
    for (key, shown) in [
        ("2", "by total"),
        ("3", "used by"),
        ("4", "exerciser"),
        ("5", " 1 of 1 "),
        ("6", "FIONREAD on fifo"),
        ("7", "no errors"),
    ] {
        terminal.tmux(&["send-keys", key]);
        terminal.wait_for(shown);
    }
    terminal.tmux(&["resize-window", "-x", "44", "-y", "13"]);
    let screen = terminal.wait_for("1  2  3  4  5  6  7 Errors");
    assert!(screen.lines().all(|line| line.chars().count() <= 44), "{screen}");
    terminal.tmux(&["send-keys", "q"]);
    terminal.wait_for("over");
    assert_restored(&terminal, dir.path());
}

#[test]
fn calls_are_filtered_looked_into_written_and_counted_alike_everywhere() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let (written, saved) = (dir.path().join("written.jsonl"), dir.path().join("saved.csv"));
    let mut load = Command::new(exerciser());
    load.args(["--loop-when-told", "1234"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut load = Running(load.spawn().expect("spawn"));
    let terminal = Terminal::run("all", &script(dir.path(), &format!("-p {}", load.pid())));
    terminal.wait_for("waiting for calls");
    let keys = |keys: &[&str]| terminal.tmux(&[&["send-keys"], keys].concat());
    let type_in = |text: &str| terminal.tmux(&["send-keys", "-l", text]);
    keys(&["w"]);
    terminal.wait_for("write calls to: ");
    keys(&["C-u"]);
    type_in(written.to_str().expect("text"));
    keys(&["Enter"]);
    terminal.wait_for("● 0 in ");
    drop(load.0.stdin.take());
    terminal.wait_for("every traced process has ended");
    let screen = terminal.wait_for("1,234 calls  0 failed  0 lost");
    assert!(screen.contains("FIONREAD [0]"), "{screen}");

    keys(&["f"]);
    type_in("request == FION");
    keys(&["Tab", "Tab", "Tab"]);
    terminal.wait_for("FIONREAD");
    keys(&["C-u"]);
    type_in("request == FIONREAD && dur >= 0 &");
    terminal.wait_for("request == FIONREAD && dur >= 0 &");
    type_in("& fd < 0");
    keys(&["Enter"]);
    terminal.wait_for("no call matches");
    keys(&["f", "C-u"]);
    type_in("request == FIONREAD");
    keys(&["Enter"]);
    terminal.wait_for("1,234 of 1,234 match");
    keys(&["W", "C-u"]);
    type_in(saved.to_str().expect("text"));
    keys(&["Enter"]);
    terminal.wait_for("/saved.csv`");

    keys(&["Enter"]);
    let screen = terminal.wait_for("─ Call ");
    assert!(screen.contains("▾ argument") && screen.contains("such calls: p50 "), "{screen}");
    keys(&["Enter"]);
    terminal.wait_for(" Call ");
    keys(&["y"]);
    terminal.wait_for("copied as text");
    keys(&["z"]);
    until("the detail alone", || (!terminal.screen().contains("─ Stream")).then_some(()));
    keys(&["q"]);
    let screen = terminal.wait_for("over");
    let total = screen.lines().find(|line| line.ends_with("  total")).unwrap_or_default();
    assert!(total.contains("1234"), "the totals are printed: {screen}");
    assert!(screen.contains("ioctl-trace: 1234 calls in "), "{screen}");
    assert_restored(&terminal, dir.path());
    assert_eq!(events(&written).len(), 1234);
    let rows = fs::read_to_string(&saved).expect("saved").lines().count();
    assert_eq!(rows, 1234 + 1, "with a line of names");
}

#[test]
fn it_stays_when_everyone_has_ended_and_leaves_on_a_signal() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let load = Running::start(Command::new(exerciser()).arg("--forever"));
    let terminal = Terminal::run("end", &script(dir.path(), &format!("-p {}", load.pid())));
    terminal.wait_for("FIONREAD");
    drop(load);
    let screen = terminal.wait_for("ended");
    assert!(screen.contains("FIONREAD"), "what was seen stays: {screen}");
    let pid = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", pid.trim())).expect("children");
    let tracer: i32 = children.trim().parse().expect("the tracer is the shell's only child");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(tracer), nix::sys::signal::Signal::SIGTERM)
        .expect("signal");
    terminal.wait_for("over");
    assert_restored(&terminal, dir.path());
}

#[test]
fn a_recording_is_shown_to_anyone_and_left_in_its_middle() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let file = dir.path().join("run.iotrace");
    let record = |calls: &str| {
        let mut record = ioctl_trace(["record", "-q", "-o"]);
        record.arg(&file).arg("--").arg(exerciser()).args(["--loop", calls]);
        assert!(run(record).status.success());
        for (path, mode) in [(dir.path(), 0o777), (&file, 0o644)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
        }
    };
    let replay = format!("replay {} -e FIONREAD --filter 'ret >= 0'", file.display());
    let script = script_as(NOBODY, dir.path(), &replay);

    record("1234");
    let terminal = Terminal::run("replay", &script);
    let screen = terminal.wait_for("end of the recording");
    assert!(screen.contains(" 1,234 calls ") || screen.contains("\n1,234 calls "), "{screen}");
    assert!(screen.contains("0 lost") && screen.contains("pipe:["), "{screen}");
    terminal.tmux(&["send-keys", "q"]);
    let screen = terminal.wait_for("over");
    assert!(screen.contains("ioctl-trace: 1234 calls in ") && screen.contains("code 0"), "{screen}");
    assert_restored(&terminal, dir.path());

    // A thousand times slower than it was, it would take minutes.
    record("100000");
    let terminal = Terminal::run("slow", &script_as(NOBODY, dir.path(), &format!("{replay} --speed 0.001")));
    let screen = terminal.wait_for("FIONREAD");
    assert!(!screen.contains("end of the recording"), "{screen}");
    terminal.tmux(&["send-keys", "q"]);
    let screen = terminal.wait_for("over");
    assert!(screen.contains("code 0") && !screen.contains(": 100000 calls"), "left in its middle: {screen}");
    assert_restored(&terminal, dir.path());

    // Half of it has its first frames for certain; without them it is no recording.
    let bytes = fs::read(&file).expect("a file");
    fs::write(&file, bytes.get(..bytes.len() / 2).expect("longer")).expect("written");
    let terminal = Terminal::run("cut", &script);
    terminal.wait_for("THE RECORDING'S END IS MISSING");
    drop(terminal);
    fs::write(&file, bytes.get(..20).expect("longer")).expect("written");
    let terminal = Terminal::run("stump", &script);
    let screen = terminal.wait_for("over");
    assert!(screen.contains("cannot be read: it ends within a frame"), "{screen}");
    assert_restored(&terminal, dir.path());
}

#[test]
fn the_built_in_recording_needs_no_rights() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
    let terminal = Terminal::run("demo", &script_as(NOBODY, dir.path(), "--demo"));
    let screen = terminal.wait_for("reading …");
    assert!(screen.contains("replay demo"), "{screen}");
    terminal.tmux(&["send-keys", "2"]);
    terminal.wait_for("KVM_RUN");
    terminal.tmux(&["send-keys", "q"]);
    terminal.wait_for("code 0");
    terminal.wait_for("over");
    assert_restored(&terminal, dir.path());
}

#[test]
fn errors_are_told_on_the_screen_that_was_there() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let terminal = Terminal::run("error", &script(dir.path(), "-a --cgroup /tmp"));
    let screen = terminal.wait_for("over");
    assert!(screen.contains("ioctl-trace: cgroup /tmp: ") && screen.contains("code 1"), "{screen}");
    assert_restored(&terminal, dir.path());
}

/// Figures of a line, thousands not grouped.
fn numbers(line: &str) -> Vec<u64> {
    line.split_whitespace().filter_map(|word| word.replace(',', "").parse().ok()).collect()
}

#[test]
fn every_number_is_that_of_the_files_and_the_totals() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let file = dir.path().join("calls.jsonl");
    // Errors, two devices, several processes; the counts are below a thousand, so that none is shortened.
    let command =
        "sh -c 'for n in 1 2 3 4 5 6 7; do stty -a; stty </dev/null; stty </dev/zero; done; exit 4'";
    let args = format!("--tui -o {} -- {command}", file.display());
    let terminal = Terminal::run("agree", &script(dir.path(), &args));
    terminal.wait_for("ended with 4");
    terminal.wait_for("every traced process has ended");
    terminal.tmux(&["resize-window", "-x", "160", "-y", "60"]);
    terminal.tmux(&["send-keys", "t"]);
    until("the terminal to be hidden", || (!terminal.screen().contains("ended with 4")).then_some(()));

    let events = events(&file);
    let count =
        |wanted: &dyn Fn(&serde_json::Value) -> bool| events.iter().filter(|e| wanted(e)).count() as u64;
    let (all, failed) = (events.len() as u64, count(&|event| !event["errno"].is_null()));
    assert!(all > 20 && failed == 14, "{all} {failed}");
    let mut header = String::new();
    let mut view = |key: &str, shows: &str| {
        terminal.tmux(&["send-keys", key]);
        // Until as many rows are there as the title says: the size may be news to it.
        let screen = until(&format!("every row of {shows}"), || {
            let screen = Some(terminal.screen()).filter(|screen| screen.contains(shows))?;
            let title = screen.lines().find(|line| line.contains(" of "))?;
            let rows = numbers(title.split(" of ").nth(1)?).first().copied()?;
            let shown = screen.lines().skip(6).filter(|line| !line.trim().is_empty()).count() as u64;
            // The last line has the keys.
            (shown > rows).then_some(screen)
        });
        header = screen.lines().nth(1).expect("a second line").to_owned();
        screen
    };
    let requests = view("2", "by total");
    let (devices, processes, errors) =
        (view("3", "used by"), view("4", "Processes by"), view("7", "meaning"));
    assert!(header.starts_with(&format!("{all} calls  {failed} failed  0 lost")), "{header}");

    let name =
        |event: &serde_json::Value, of: &str, key: &str| event[of][key].as_str().unwrap_or("").to_owned();
    let row = |screen: &str, parts: &[&str]| -> String {
        let lines = screen.lines().skip(5);
        let found: Vec<_> = lines.filter(|line| parts.iter().all(|part| line.contains(part))).collect();
        assert_eq!(found.len(), 1, "one row with {parts:?} in {screen}");
        found[0].to_owned()
    };
    for request in ["TCGETS", "TIOCGWINSZ"] {
        for device in [" pts ", " mem 1:3 ", " mem 1:5 "] {
            let minor = device.trim().rsplit(':').next().and_then(|minor| minor.parse::<u64>().ok());
            let is = |event: &serde_json::Value| {
                name(event, "request", "name") == request
                    && match minor {
                        None => name(event, "device", "driver") == "pts",
                        Some(minor) => {
                            event["device"]["minor"].as_u64() == Some(minor) && event["device"]["major"] == 1
                        }
                    }
            };
            let (calls, bad) = (count(&is), count(&|event| is(event) && !event["errno"].is_null()));
            if calls == 0 {
                continue;
            }
            let device = if device == " pts " { "pts 136:" } else { device };
            let numbers = numbers(&row(&requests, &[&format!("{request} "), device.trim_end()]));
            assert!(
                numbers.contains(&calls) && (bad == 0 || numbers.contains(&bad)),
                "{calls} {bad} {numbers:?}"
            );
            if bad > 0 {
                let row = row(&errors, &["ENOTTY", request, device.trim_end()]);
                assert!(super::dashboard::numbers(&row).contains(&bad), "{bad}: {row}");
            }
        }
    }
    for minor in [3, 5] {
        let calls = count(&|event| event["device"]["major"] == 1 && event["device"]["minor"] == minor);
        let row = row(&devices, &[&format!("mem 1:{minor} ")]);
        assert!(numbers(&row).contains(&calls), "{calls}: {row}");
    }
    let mut pids: Vec<u64> = events.iter().filter_map(|event| event["pid"].as_u64()).collect();
    pids.sort_unstable();
    pids.dedup();
    for pid in pids {
        let row = row(&processes, &[&format!(" {pid} ")]);
        let calls = count(&|event| event["pid"] == pid);
        assert!(numbers(&row).contains(&calls), "{calls} of {pid}: {row}");
    }

    terminal.tmux(&["send-keys", "q"]);
    let screen = terminal.wait_for("over");
    assert!(screen.contains(&format!("ioctl-trace: {all} calls in ")), "{screen}");
    assert!(screen.contains(&format!(", {failed} failed, 0 lost")) && screen.contains("code 4"), "{screen}");
    let total = screen.lines().find(|line| line.ends_with("  total")).unwrap_or_default();
    assert_eq!(
        numbers(total).iter().rev().take(2).rev().copied().collect::<Vec<_>>(),
        [all, failed],
        "{total}"
    );
}

#[test]
fn a_recording_is_begun_and_ended_from_within() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let (file, other) = (dir.path().join("part.iotrace"), dir.path().join("again.iotrace"));
    let load = Running::start(Command::new(exerciser()).arg("--forever"));
    let terminal = Terminal::run("tap", &script(dir.path(), &format!("-p {}", load.pid())));
    let write = |terminal: &Terminal, file: &std::path::Path| {
        terminal.tmux(&["send-keys", "w"]);
        terminal.wait_for("write calls to: ");
        terminal.tmux(&["send-keys", "C-u"]);
        terminal.tmux(&["send-keys", "-l", file.to_str().expect("text")]);
        terminal.tmux(&["send-keys", "Enter"]);
    };
    // What it says of files was sent by the kernel before, once.
    terminal.wait_for("FIONREAD");
    write(&terminal, &file);
    let written = |terminal: &Terminal| {
        let screen = terminal.screen();
        screen.split("● ").nth(1)?.split(' ').next()?.replace(',', "").parse::<u64>().ok()
    };
    until("calls to be written", || (written(&terminal)? > 100).then_some(()));
    terminal.tmux(&["send-keys", "w"]);
    let screen = terminal.wait_for("calls are in `");
    let line = screen.lines().find(|line| line.contains("calls are in `")).expect("a line");
    let calls = numbers(line)[0];
    terminal.tmux(&["send-keys", "q"]);
    terminal.wait_for("over");

    let replayed = |file: &std::path::Path| {
        let jsonl = file.with_extension("jsonl");
        let mut replay = ioctl_trace(["replay"]);
        replay.arg(file).arg("-o").arg(&jsonl);
        let output = run(replay);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (events(&jsonl), said)
    };
    let (events, said) = replayed(&file);
    assert!(said.contains(&format!("{calls} calls in ")), "{said}");
    assert_eq!(events.len() as u64, calls);
    for event in &events {
        assert!(event["path"].as_str().is_some_and(|path| path.starts_with("pipe:[")), "{event}");
        assert!(
            event["device"]["handler"].as_str().is_some() && event["cgroup"].as_str().is_some(),
            "{event}"
        );
    }

    // And from a replay, which knows what it is of.
    let replay = format!("replay {} --speed 0.001", file.display());
    let terminal = Terminal::run("again", &script(dir.path(), &replay));
    terminal.wait_for("FIONREAD");
    write(&terminal, &other);
    until("calls to be written", || (written(&terminal)? > 0).then_some(()));
    terminal.tmux(&["send-keys", "q"]);
    terminal.wait_for("over");
    let (again, said) = replayed(&other);
    assert!(!again.is_empty() && said.contains(&format!("{} call", again.len())), "{said}");
    assert!(again.iter().all(|event| events.contains(event)), "{again:?}");
}
