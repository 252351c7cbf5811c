//! A real terminal for programs that want one.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::trace::until;

/// A terminal of its own, gone when out of sight.
pub struct Terminal {
    server: String,
}

impl Terminal {
    /// Runs a shell command on a terminal of 100 × 30.
    pub fn run(name: &str, script: &str) -> Self {
        let terminal = Self { server: format!("ioctl-trace-{name}-{}", std::process::id()) };
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", script]);
        terminal
    }

    pub fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.server]).args(args).stdin(Stdio::null()).output();
        String::from_utf8_lossy(&output.expect("tmux").stdout).into_owned()
    }

    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows a text; gives the screen.
    pub fn wait_for(&self, text: &str) -> String {
        until(&format!("`{text}` on the screen"), || {
            Some(self.screen()).filter(|screen| screen.contains(text))
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the screen of `{}` at the end:\n{}", self.server, self.screen());
        }
        self.tmux(&["kill-server"]);
    }
}

/// Runs the dashboard between two looks at the terminal's settings, and then waits for a key.
pub fn script(dir: &Path, args: &str) -> String {
    script_as("", dir, args)
}

/// Puts a command in front that runs as somebody without rights.
pub const NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";

/// The same with a command in front of the program.
pub fn script_as(runner: &str, dir: &Path, args: &str) -> String {
    let dir = dir.display();
    let program = env!("CARGO_BIN_EXE_ioctl-trace");
    format!(
        "stty -g >{dir}/before; {runner} {program} {args}; echo code $?; stty -g >{dir}/after; echo over; read wait"
    )
}

pub fn assert_restored(terminal: &Terminal, dir: &Path) {
    let settings = |name: &str| fs::read_to_string(dir.join(name)).expect("settings");
    assert_eq!(settings("before"), settings("after"));
    let flags = terminal.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"]);
    assert_eq!(flags.trim(), "0 1 0", "normal screen, cursor shown, no mouse");
}
