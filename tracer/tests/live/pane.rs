//! A command with a terminal of its own on the dashboard.

use std::{fs, path::Path};

use crate::{
    terminal::{Terminal, assert_restored, script, script_as},
    trace::{events, have_root, until},
};

/// Programs that the shells below run.
fn requests(file: &Path) -> Vec<String> {
    let name = |event: &serde_json::Value| {
        Some(format!("{} {}", event["comm"].as_str()?, event["request"]["name"].as_str()?))
    };
    events(file).iter().filter_map(name).collect()
}

#[test]
fn keys_and_sizes_reach_the_command_and_its_status_is_ours() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let calls = dir.path().join("calls.jsonl");
    let args = format!("--tui -o {} -- sh", calls.display());
    let terminal = Terminal::run("pane", &script(dir.path(), &args));
    terminal.wait_for("all other keys go to `sh`");
    let line = |text: &str| {
        terminal.tmux(&["send-keys", "-l", text]);
        terminal.tmux(&["send-keys", "Enter"]);
    };
    line("stty size");
    terminal.wait_for("13 100");
    terminal.tmux(&["resize-window", "-x", "120", "-y", "40"]);
    terminal.wait_for("120×18");
    line("stty size");
    terminal.wait_for("18 120");
    // What it prints stays in its cells.
    line("printf '\\033[?1049l\\033[2J\\033[Hgone\\n'");
    let screen = terminal.wait_for("gone");
    assert!(screen.contains("1 Stream") && screen.contains("stty"), "{screen}");
    terminal.tmux(&["send-keys", "F12"]);
    terminal.wait_for("q quit");
    terminal.tmux(&["send-keys", "2"]);
    terminal.wait_for("by total");
    terminal.tmux(&["send-keys", "F12"]);
    terminal.wait_for("all other keys go to `sh`");
    line("exit 7");
    terminal.wait_for("sh ended with 7");
    terminal.wait_for("every traced process has ended");
    terminal.tmux(&["send-keys", "q"]);
    let screen = terminal.wait_for("over");
    assert!(screen.contains("TIOCGWINSZ") && screen.contains("code 7"), "{screen}");
    assert_restored(&terminal, dir.path());
    let requests = requests(&calls);
    assert_eq!(requests.iter().filter(|request| *request == "stty TIOCGWINSZ").count(), 4, "{requests:?}");
    assert!(!requests.iter().any(|request| request.starts_with("ioctl-trace")), "{requests:?}");
}

#[test]
fn vim_writes_a_file_there() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let (notes, calls) = (dir.path().join("notes"), dir.path().join("calls.jsonl"));
    let args = format!("--tui -o {} -- vim -u NONE {}", calls.display(), notes.display());
    let terminal = Terminal::run("vim", &script(dir.path(), &args));
    terminal.wait_for("[New");
    terminal.tmux(&["send-keys", "-l", "iwritten there"]);
    terminal.wait_for("written there");
    terminal.tmux(&["send-keys", "Escape"]);
    terminal.tmux(&["send-keys", "-l", ":wq"]);
    terminal.tmux(&["send-keys", "Enter"]);
    terminal.wait_for("ended with 0");
    terminal.tmux(&["send-keys", "q"]);
    let screen = terminal.wait_for("over");
    assert!(screen.contains("code 0"), "{screen}");
    assert_restored(&terminal, dir.path());
    assert_eq!(fs::read_to_string(&notes).expect("a file"), "written there\n");
    assert!(requests(&calls).iter().any(|request| request.ends_with(" TCSETS")), "it made its terminal raw");
}

#[test]
fn leaving_hangs_the_command_up() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let hung_up = dir.path().join("hung-up");
    let command =
        format!("sh -c 'trap \"touch {}; exit\" HUP; tty; while :; do read x; done'", hung_up.display());
    let terminal = Terminal::run("leave", &script(dir.path(), &format!("--tui -- {command}")));
    terminal.wait_for("/dev/pts/");
    terminal.tmux(&["send-keys", "F12"]);
    terminal.wait_for("q quit");
    terminal.tmux(&["send-keys", "q"]);
    terminal.wait_for("still running: once more hangs it up");
    terminal.tmux(&["send-keys", "q"]);
    terminal.wait_for("over");
    assert_restored(&terminal, dir.path());
    until("the command to be hung up", || hung_up.exists().then_some(()));
}

#[test]
fn the_command_is_of_the_user_behind_sudo_and_so_is_its_terminal() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let command = "sh -c 'id -un; test -O \"$(tty)\" && echo its own; : </dev/tty && echo controls'";
    let script = script_as("env SUDO_USER=nobody", dir.path(), &format!("--tui -- {command}"));
    let terminal = Terminal::run("sudo", &script);
    terminal.wait_for("ended with 0");
    // The last words may come behind the news.
    let screen = terminal.wait_for("controls\n");
    for line in ["nobody", "its own", "controls"] {
        assert!(screen.lines().any(|shown| shown.trim() == line), "{line}: {screen}");
    }
    terminal.tmux(&["send-keys", "q"]);
    let screen = terminal.wait_for("over");
    assert!(screen.contains("code 0"), "{screen}");
    assert_restored(&terminal, dir.path());
}

#[test]
fn what_cannot_be_is_said_on_the_screen_that_was_there() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("directory");
    let terminal = Terminal::run("none", &script(dir.path(), "--tui -- /no/such/program"));
    let screen = terminal.wait_for("over");
    assert!(
        screen.contains("cannot run `/no/such/program`: No such file") && screen.contains("code 1"),
        "{screen}"
    );
    assert_restored(&terminal, dir.path());
}
