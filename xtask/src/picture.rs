//! The README's picture, and a recording of a terminal: the real program on a real terminal, in a session that is typed.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    setup,
    sh::{self, cargo, install_missing, loudly},
    svg::{self, COLUMNS, ROWS},
};

/// How long the screen may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// A recording of a terminal is a part of the repository: no larger.
const MAX_BYTES: usize = 300 << 10;
/// The picture is taken when this is on the screen.
const PICTURED: &str = "IFF_NO_PI";

/// What is typed when something is on the screen, after as many tenths of a second as a reader needs. `\u{1b}[24~` is F12.
const SESSION: &[(&str, u64, &str)] = &[
    ("all other keys go to", 15, "stty size\r"),
    ("TIOCGWINSZ", 12, "losetup -f\r"),
    ("LOOP_CTL_GET_FREE", 12, "ip tuntap add dev tap77 mode tap\r"),
    ("TUNSETIFF", 12, "ip tuntap del dev tap77 mode tap\r"),
    ("TUNSETPERSIST 0", 12, "ls --color /etc | head -4; stty -a </dev/null\r"),
    ("Inappropriate", 12, "vim -u NONE notes\r"),
    ("[New", 12, "iEvery ioctl of vim, while it runs."),
    ("while it runs.", 15, "\u{1b}"),
    ("while it runs.", 5, ":q!\r"),
    ("Inappropriate", 10, "\u{1b}[24~"),
    ("q quit", 8, "t"),
    ("q quit", 8, "/TUNSETIFF\r"),
    ("q quit", 10, "\r"),
    ("─ Call ", 12, "\r"),
    ("─ Call ", 8, "j"),
    ("─ Call ", 5, "j"),
    ("─ Call ", 5, "j"),
    ("─ Call ", 5, "j"),
    ("IFF_NO_PI", 20, "\u{1b}"),
    ("q quit", 5, "2"),
    ("by total", 20, "3"),
    ("used by", 20, "6"),
    ("Durations over time", 20, "7"),
    ("meaning", 20, "f"),
    ("filter:", 8, "errno == ENOTTY\r"),
    ("match", 20, "\u{1b}[24~"),
    ("all other keys go to", 10, "exit\r"),
    ("ended with 0", 15, "q"),
];

/// Plays the session, and writes `docs/dashboard.svg` and `docs/dashboard.cast`.
///
/// # Errors
/// When the program cannot be built or does not show what it should.
pub fn picture() -> Result<()> {
    setup::setup()?;
    let programs = [("script", "bsdutils"), ("losetup", "mount"), ("ip", "iproute2"), ("vim", "vim")];
    install_missing("the picture", &programs)?;
    loudly(cargo().args(["build", "--quiet", "--release", "-p", "ioctl-trace"]))?;
    let mut session = Session::start()?;
    let mut pictured = None;
    for (text, tenths, keys) in SESSION {
        session.wait_for(text)?;
        thread::sleep(Duration::from_millis(100 * tenths));
        if *text == PICTURED {
            pictured = Some(session.picture());
        }
        session.type_in(keys)?;
    }
    let cast = session.finish()?;
    if cast.len() > MAX_BYTES {
        bail!("the recording has {} bytes, more than {MAX_BYTES}", cast.len());
    }
    let docs = sh::root().join("docs");
    fs::write(docs.join("dashboard.svg"), pictured.context("nothing was pictured")?)?;
    fs::write(docs.join("dashboard.cast"), cast)?;
    Ok(())
}

/// What a terminal has shown, and when.
struct Shown {
    terminal: vt100::Parser,
    begin: Instant,
    pieces: Vec<(Duration, Vec<u8>)>,
}

/// The program on a terminal.
struct Session {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Shown>>,
    reader: JoinHandle<()>,
}

impl Session {
    fn start() -> Result<Self> {
        let sudo = if sh::is_root() { "" } else { "sudo " };
        let program = sh::target().join("release/ioctl-trace");
        // In an environment that is nobody's own.
        let command = format!(
            "cd /tmp && stty cols {COLUMNS} rows {ROWS} && {sudo}env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
             TERM=xterm-256color HOME=/tmp PS1='$ ' {} --tui -- sh",
            program.display()
        );
        let mut child = Command::new("script")
            .args(["-qefc", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run script")?;
        let (Some(keys), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("script has no input or no output");
        };
        let shown = Shown { terminal: svg::parser(), begin: Instant::now(), pieces: Vec::new() };
        let shown = Arc::new(Mutex::new(shown));
        let taken = Arc::clone(&shown);
        let reader = thread::spawn(move || {
            let mut piece = [0; 1 << 14];
            while let Ok(count @ 1..) = output.read(&mut piece) {
                let bytes = piece.get(..count).unwrap_or_default();
                let mut shown = taken.lock().unwrap_or_else(PoisonError::into_inner);
                shown.terminal.process(bytes);
                let time = shown.begin.elapsed();
                shown.pieces.push((time, bytes.to_vec()));
            }
        });
        Ok(Self { child, keys, shown, reader })
    }

    fn screen(&self) -> String {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).terminal.screen().contents()
    }

    fn wait_for(&self, text: &str) -> Result<()> {
        let begin = Instant::now();
        while !self.screen().contains(text) {
            if begin.elapsed() > PATIENCE {
                bail!("waited too long for `{text}` on the screen:\n{}", self.screen());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn type_in(&mut self, keys: &str) -> Result<()> {
        // As fast as somebody types; a key that begins with an escape is one.
        let single = keys.starts_with('\u{1b}');
        let pieces = if single { vec![keys.to_owned()] } else { keys.chars().map(String::from).collect() };
        for piece in pieces {
            self.keys.write_all(piece.as_bytes())?;
            self.keys.flush()?;
            thread::sleep(Duration::from_millis(45));
        }
        Ok(())
    }

    fn picture(&self) -> String {
        svg::svg(self.shown.lock().unwrap_or_else(PoisonError::into_inner).terminal.screen())
    }

    /// Waits for the program's end; gives what the terminal has shown in asciinema's format.
    fn finish(mut self) -> Result<String> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the program ended with {status}");
        }
        if self.reader.join().is_err() {
            bail!("reading the terminal failed");
        }
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        cast(&shown.pieces)
    }
}

/// Pieces of output in asciinema's format, version 2. A character is not divided between two of them.
fn cast(pieces: &[(Duration, Vec<u8>)]) -> Result<String> {
    let head = serde_json::json!({ "version": 2, "width": COLUMNS, "height": ROWS, "title": "ioctl-trace" });
    let mut cast = format!("{head}\n");
    let mut rest: Vec<u8> = Vec::new();
    for (time, bytes) in pieces {
        rest.extend(bytes);
        let whole = match std::str::from_utf8(&rest) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => rest.len(),
        };
        let text: Vec<u8> = rest.drain(..whole).collect();
        let event = serde_json::json!([time.as_secs_f64(), "o", String::from_utf8_lossy(&text)]);
        cast.push_str(&format!("{event}\n"));
    }
    Ok(cast)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole() {
        let at = Duration::from_millis;
        let cast =
            cast(&[(at(1), b"a\xe6\xbc".to_vec()), (at(2), b"\xa2".to_vec()), (at(3), b"\xff".to_vec())]);
        let cast = cast.expect("text");
        let events: Vec<&str> = cast.lines().skip(1).collect();
        assert_eq!(events, ["[0.001,\"o\",\"a\"]", "[0.002,\"o\",\"漢\"]", "[0.003,\"o\",\"\u{fffd}\"]"]);
    }
}
