//! Control codes of Windows programs under Wine: what a program of ours prints of its calls is what is seen of them.
#![cfg(target_arch = "x86_64")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use ioctl_registry::Memory as _;
use ioctl_trace::{
    assemble::{Assembled, Assembler},
    event::Call,
    host::RecordedHost,
    recording::Reader,
    source::{Batch, Source as _},
};

use crate::trace::{
    attached, events, finish, have_root, ioctl_trace, number, run, stderr, stdout, text, until,
};

/// What takes long to make is kept there; other machines see the workspace without being able to write to it.
fn scratch() -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if tempfile::tempfile_in(kept).is_ok() { kept.to_owned() } else { std::env::temp_dir() }
}

/// Where Debian has it, which is not in the path of programs.
const WINES: [&str; 2] = ["/usr/lib/wine/wine64", "/usr/bin/wine64"];

/// Wine with a configuration of its own, for one test at a time.
struct Wine {
    program: &'static Path,
    prefix: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Wine {
    fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let program = WINES.into_iter().map(Path::new).find(|path| path.exists());
        let program = program.expect("Debian's package wine64 (`cargo xtask test` installs it)");
        let prefix = scratch().join("wine");
        let wine = Self { program, prefix, _alone: alone };
        if !wine.prefix.join("system.reg").exists() {
            fs::create_dir_all(&wine.prefix).expect("folder");
            // Its server stays, and lists thousands of its objects when it leaves.
            let log = scratch().join("wineboot.log");
            let mut boot = wine.run(Command::new(program));
            boot.args(["wineboot", "-i"]).stderr(fs::File::create(&log).expect("a log"));
            assert!(boot.status().expect("wine").success(), "wineboot: see {}", log.display());
        }
        wine
    }

    /// The command with this Wine's environment.
    fn run(&self, mut command: Command) -> Command {
        command.env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all").env_remove("DISPLAY");
        command
    }

    /// The tracer on our program.
    fn traced(&self, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = ioctl_trace(["--windows"]);
        command.args(options).arg("--").arg(self.program).arg(program()).args(arguments);
        self.run(command)
    }
}

/// Builds our program, once.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = scratch().join("windows.exe");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/windows.c");
        let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
        compiler.args(["-O1", "-o"]).arg(&program).args([source, "-lntdll"]);
        assert!(compiler.status().expect("Debian's package gcc-mingw-w64-x86-64").success());
        program
    })
}

/// A call, as the program tells of it.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    function: String,
    code: u32,
    handle: u64,
    input_len: u32,
    input: Vec<u8>,
    output_len: u32,
    status: u32,
    information: Option<u64>,
    output: Vec<u8>,
}

impl Told {
    fn parse(line: &str) -> Self {
        let words: Vec<_> = line.split(' ').collect();
        let [function, code, handle, input_len, input, output_len, status, information, output] = words[..]
        else {
            panic!("{line}")
        };
        let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hexadecimal");
        let bytes = |text: &str| -> Vec<u8> {
            let pairs = text.as_bytes().as_chunks::<2>().0.iter();
            pairs.map(|pair| u8::try_from(hex(str::from_utf8(pair).expect("ASCII"))).expect("byte")).collect()
        };
        Self {
            function: function.to_owned(),
            code: hex(code) as u32,
            handle: hex(handle),
            input_len: input_len.parse().expect("length"),
            input: bytes(input),
            output_len: output_len.parse().expect("length"),
            status: hex(status) as u32,
            information: information.parse().ok(),
            output: bytes(output),
        }
    }

    /// The same of a call that was seen.
    fn of(call: &Call) -> Self {
        let control = call.control.as_ref().expect("a control code");
        let filled = control.information.unwrap_or(0).min(control.output_len.into());
        Self {
            function: control.function_name().to_owned(),
            code: call.request,
            handle: control.handle,
            input_len: control.input_len,
            input: call.data.input.bytes(call.arg, control.input_len.into()).to_vec(),
            output_len: control.output_len,
            status: call.status().expect("it returned"),
            information: control.information,
            output: call.data.output.bytes(control.output, filled).to_vec(),
        }
    }
}

/// The control codes in a recording that threads of this name sent.
fn recorded(path: &Path, comm: &str) -> Vec<Call> {
    let mut reader = Reader::open(path).expect("recording");
    let (mut assembler, mut host, mut batch) =
        (Assembler::default(), RecordedHost::default(), Batch::default());
    let mut calls = Vec::new();
    loop {
        batch.clear();
        let more = reader.read(&mut batch, Duration::ZERO);
        for record in batch.records() {
            if let Assembled::Call(call) = assembler.record(record, &mut host)
                && call.control.is_some()
                && call.comm.as_bytes() == comm.as_bytes()
            {
                calls.push(call);
            }
        }
        if !more {
            return calls;
        }
    }
}

/// What the program told, and where.
fn told(output: &std::process::Output) -> Vec<Told> {
    stdout(output).lines().map(|line| Told::parse(line.trim_end())).collect()
}

#[test]
fn codes_are_seen_as_the_program_tells_of_them() {
    if !have_root() {
        return;
    }
    let wine = Wine::new();
    // A serial line for it, so that some codes cause calls of Unix.
    let line = nix::pty::openpty(None, None).expect("pseudo-terminal");
    let name = nix::unistd::ttyname(&line.slave).expect("name");
    let device = wine.prefix.join("dosdevices/com9");
    let _ = fs::remove_file(&device);
    std::os::unix::fs::symlink(&name, &device).expect("link");
    let dir = tempfile::tempdir().expect("folder");
    let (recording, lines, json) =
        (dir.path().join("codes.iotrace"), dir.path().join("codes.txt"), dir.path().join("codes.jsonl"));
    let paths = [&recording, &lines, &json].map(|path| path.to_str().expect("path"));
    let mut command = wine.traced(&["-o", paths[0], "-o", paths[1], "-o", paths[2]], &[]);
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(stderr(&output).contains(" 0 lost"), "{}", stderr(&output));

    let told = told(&output);
    let codes: std::collections::BTreeSet<u32> = told.iter().map(|call| call.code).collect();
    assert!(codes.len() >= 30, "{} codes: is the serial line there?", codes.len());
    let calls = recorded(&recording, "windows.exe");
    // The system's own calls are between those of the program.
    let mut seen = calls.iter().map(Told::of);
    for call in &told {
        assert!(seen.any(|seen| seen == *call), "not seen, or not in this order: {call:x?}");
    }

    let text_of = fs::read_to_string(&lines).expect("lines");
    let has = |part: &str| assert!(text_of.contains(part), "{part}\n{text_of}");
    has("<\\??\\C:>, IOCTL_DISK_GET_DRIVE_GEOMETRY, NULL, 0, ");
    has("CTL_CODE(0x8123, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS), ");
    has(") = STATUS_INVALID_HANDLE <");
    has(") = STATUS_PENDING <");
    // The code first, then what it caused, with where both went.
    let events = events(&json);
    let baud = events.iter().position(|event| text(event, "/request/name") == "IOCTL_SERIAL_SET_BAUD_RATE");
    let (code, child) = (&events[baud.expect("code")], &events[baud.expect("code") + 1]);
    let baud_code = number(code, "/request/number").expect("a number") as u32;
    assert_eq!(
        (text(child, "/parent"), text(child, "/path")),
        (text(code, "/ts"), name.to_str().expect("name"))
    );
    assert!(text(child, "/request/name").starts_with("TC"), "{child}");
    assert_eq!((text(code, "/os"), text(code, "/status")), ("windows", "STATUS_SUCCESS"));
    // The same without text: what has no type is gone, numbers and lengths stay.
    let public = dir.path().join("public.iotrace");
    let replayed = run(ioctl_trace(["replay", "--redact=strings", "-o"]).args([&public, &recording]));
    assert!(replayed.status.success(), "{}", stderr(&replayed));
    let left = recorded(&public, "windows.exe");
    assert_eq!(left.len(), calls.len());
    let (mut blank, mut whole) = (0, 0);
    for (left, call) in left.iter().map(Told::of).zip(calls.iter().map(Told::of)) {
        let lengths = |call: &Told| (call.code, call.status, call.input.len(), call.output.len());
        assert_eq!(lengths(&left), lengths(&call));
        if call.code >> 16 == 0x8123 {
            assert!(left.input.iter().chain(&left.output).all(|byte| *byte == 0), "{left:x?}");
            blank += usize::from(left != call);
        } else if call.code == baud_code {
            assert_eq!(left, call);
            whole += 1;
        }
    }
    assert!(blank > 0 && whole > 0, "{blank} {whole}");
    // Nothing of Wine's own is among them.
    assert!(events.iter().all(|event| event["housekeeping"] != true));
    let _ = fs::remove_file(&device);
}

#[test]
fn none_of_many_is_lost() {
    if !have_root() {
        return;
    }
    let wine = Wine::new();
    let dir = tempfile::tempdir().expect("folder");
    let recording = dir.path().join("loop.iotrace");
    let output = run(&mut wine.traced(&["-o", recording.to_str().expect("path")], &["loop", "10000"]));
    assert_eq!(stdout(&output).trim(), "10000", "{}", stderr(&output));
    assert!(stderr(&output).contains(" 0 lost"), "{}", stderr(&output));
    let calls = recorded(&recording, "windows.exe");
    let of_loop = calls.iter().filter(|call| call.request == 0x8123_2400).map(Told::of);
    let numbers: Vec<u32> =
        of_loop.map(|told| u32::from_le_bytes(told.input.try_into().expect("four bytes"))).collect();
    assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());
}

/// It is found by what it has mapped already.
#[test]
fn running_programs_are_found() {
    if !have_root() {
        return;
    }
    let wine = Wine::new();
    let dir = tempfile::tempdir().expect("folder");
    let (sign, trace) = (dir.path().join("sign"), dir.path().join("trace.jsonl"));
    let out = dir.path().join("out");
    let mut command = Command::new(wine.program);
    command.arg(program()).args(["wait", sign.to_str().expect("path")]);
    let mut child = wine.run(command);
    child.stdin(std::process::Stdio::null()).stdout(fs::File::create(&out).expect("file"));
    let mut child = child.spawn().expect("wine");
    until("the program to start", || {
        fs::read_to_string(&out).expect("output").contains("ready").then_some(())
    });
    let mut tracer = ioctl_trace(["--windows", "-o"]);
    tracer.arg(&trace).args(["-p", &child.id().to_string()]);
    let tracer = attached(&mut tracer);
    fs::write(&sign, "").expect("sign");
    assert!(child.wait().expect("wait").success());
    let output = finish(tracer);
    assert!(output.status.success(), "{}", stderr(&output));
    let events = events(&trace);
    let named = events.iter().find(|event| text(event, "/request/name") == "IOCTL_DISK_GET_DRIVE_GEOMETRY");
    let named = named.unwrap_or_else(|| panic!("{events:?}"));
    assert_eq!((number(named, "/out_len"), number(named, "/information")), (Some(24), Some(24)));
    assert_eq!(number(named, "/pid"), Some(child.id().into()));
}

/// What is not over when tracing ends is told, too.
#[test]
fn codes_without_end_are_told() {
    if !have_root() {
        return;
    }
    let wine = Wine::new();
    let dir = tempfile::tempdir().expect("folder");
    let (out, lines) = (dir.path().join("out"), dir.path().join("lines.txt"));
    let mut tracer = wine.traced(&["-o", lines.to_str().expect("path")], &["listen"]);
    let errors = dir.path().join("errors");
    // No pipe: what outlives the tracer would keep it open.
    let file = |path: &Path| fs::File::create(path).expect("file");
    let mut tracer = tracer.stdout(file(&out)).stderr(file(&errors)).spawn().expect("spawn");
    until("the program to start", || {
        fs::read_to_string(&out).expect("output").contains("ready").then_some(())
    });
    // It is inside when it sleeps for its server's answer, as the kernel tells.
    let inside = || {
        let is_it = |pid: &String| {
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let sleeps = fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|place| place != "0");
            command.contains("windows.exe\0listen") && !command.contains("wine64") && sleeps
        };
        let all = fs::read_dir("/proc").expect("processes").flatten();
        let mut pids = all.filter_map(|entry| entry.file_name().into_string().ok());
        pids.find(is_it)
    };
    let program = until("the program to wait", inside);
    let pid = nix::unistd::Pid::from_raw(tracer.id().cast_signed());
    // The command's own end is nothing that it waits for then.
    nix::sys::signal::kill(pid, nix::sys::signal::SIGHUP).expect("signal");
    until("the tracer to end", || tracer.try_wait().expect("wait"));
    let program = nix::unistd::Pid::from_raw(program.parse().expect("number"));
    let _ = nix::sys::signal::kill(program, nix::sys::signal::SIGKILL);
    let text = fs::read_to_string(&lines).expect("lines");
    assert!(
        text.contains("FSCTL_PIPE_LISTEN, NULL, 0, NULL, 0) = ?"),
        "{text}\n{}",
        fs::read_to_string(&errors).expect("errors")
    );
}

/// A Wine that lies elsewhere is noticed when a program opens its library.
#[test]
fn other_wines_are_noticed() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("folder");
    let library = dir.path().join("ntdll.so");
    let installed = "/usr/lib/x86_64-linux-gnu/wine/x86_64-unix/ntdll.so";
    fs::copy(installed, &library).expect("Debian's package wine64");
    // It stays until it is told that the library is watched: by then a Windows program would have sent nothing yet.
    let mut tracer = ioctl_trace(["--windows", "--debug", "--", "sh", "-c"]);
    tracer.arg(format!("exec 3<{}; read line", library.display())).stdin(std::process::Stdio::piped());
    let errors = dir.path().join("errors");
    tracer.stdout(std::process::Stdio::null()).stderr(fs::File::create(&errors).expect("file"));
    let mut tracer = tracer.spawn().expect("spawn");
    let said = || fs::read_to_string(&errors).expect("errors");
    let place = format!("root{}: watched", library.display());
    until("the library to be watched", || said().contains(&place).then_some(()));
    drop(tracer.stdin.take());
    let status = until("the tracer to end", || tracer.try_wait().expect("wait"));
    // `read` met the end of its input.
    assert_eq!(status.code(), Some(1), "{}", said());
}

/// Nothing is attached to Wine when nobody asks for it.
#[test]
fn nothing_is_seen_without_the_option() {
    if !have_root() {
        return;
    }
    let wine = Wine::new();
    let dir = tempfile::tempdir().expect("folder");
    let trace = dir.path().join("trace.jsonl");
    let mut command = ioctl_trace(["-o"]);
    command.arg(&trace).arg("--").arg(wine.program).arg(program()).args(["loop", "1"]);
    let output = run(wine.run(command));
    assert_eq!(stdout(&output).trim(), "1", "{}", stderr(&output));
    assert!(events(&trace).iter().all(|event| event.get("os").is_none()));
}
