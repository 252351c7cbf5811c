//! Running the program and reading what it wrote.

use std::{
    ffi::OsStr,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Nothing here takes this long unless it hangs, in a machine that is emulated neither.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// `false`, with a word about it, when these tests cannot run for want of root.
pub fn have_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: needs root (run through `cargo xtask test`)");
    }
    root
}

/// The program, with arguments.
pub fn ioctl_trace<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ioctl-trace"));
    command.args(args).stdin(Stdio::null()).env_remove("SUDO_USER");
    command
}

/// The program that makes known calls.
pub fn exerciser() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_ioctl-trace"));
    program.parent().expect("target directory").join("examples/exerciser")
}

/// Runs to the end; fails if it takes too long.
pub fn run(mut command: impl std::borrow::BorrowMut<Command>) -> Output {
    let command = command.borrow_mut();
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("spawn"))
}

/// Starts the tracer with its outputs as pipes and returns once it says that it is attached.
pub fn attached(command: &mut Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("spawn");
    let mut line = Vec::new();
    let stderr = child.stderr.as_mut().expect("pipe");
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        stderr.read_exact(&mut byte).expect("what the tracer says");
        line.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&line);
    assert!(line.starts_with("ioctl-trace: tracing "), "{line}");
    child
}

/// Waits for a child whose outputs are pipes, or not ours to read; fails if it takes too long.
pub fn finish(mut child: Child) -> Output {
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            bytes
        })
    };
    let stdout = read(child.stdout.take().map(|p| Box::new(p) as _));
    let stderr = read(child.stderr.take().map(|p| Box::new(p) as _));
    let status = until("a child to end", || child.try_wait().expect("wait"));
    Output { status, stdout: stdout.join().expect("reader"), stderr: stderr.join().expect("reader") }
}

/// Asks again until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The objects of a JSONL file.
pub fn events(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("trace");
    text.lines().map(|line| serde_json::from_str(line).expect("valid JSON")).collect()
}

/// What an event's string field holds, `""` if it is null.
pub fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What an event's number field holds, if it is a number.
pub fn number(event: &Value, pointer: &str) -> Option<i64> {
    event.pointer(pointer).and_then(Value::as_i64)
}

/// A running program that is killed when it goes out of sight.
pub struct Running(pub Child);

impl Running {
    /// Starts it without outputs.
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("spawn"))
    }

    /// Its process id.
    pub fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal to a child.
pub fn signal_child(child: &Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, signal).expect("signal");
}
