//! Arguments on the live kernel: what is shown is what was in the program's memory, whatever that was.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use ioctl_registry::{
    Arch, Device, Field, Layout, Lookup, Memory, Registry, ScalarKind, Shape, Value as Held, When,
};
use ioctl_trace::json::Decoded;
use serde_json::Value;

use crate::trace::{events, exerciser, have_root, ioctl_trace, number, run, stderr, text};

/// A program beside the exerciser.
fn example(name: &str) -> PathBuf {
    exerciser().with_file_name(name)
}

/// Runs a program under trace and gives its calls.
fn trace(args: &[&str], command: &mut Command) -> Vec<Value> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("calls.jsonl");
    let mut all: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    all.extend(["-o".to_owned(), file.display().to_string(), "--".to_owned()]);
    all.push(command.get_program().to_string_lossy().into_owned());
    all.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    let output = run(ioctl_trace(all));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains(" 0 lost"), "{}", stderr(&output));
    events(&file)
}

/// Bytes at an address, and nothing else.
struct Buffer {
    address: u64,
    bytes: Vec<u8>,
}

impl Memory for Buffer {
    fn bytes(&self, address: u64, length: u64) -> &[u8] {
        let start = address.checked_sub(self.address).and_then(|start| usize::try_from(start).ok());
        let rest = start.and_then(|start| self.bytes.get(start..)).unwrap_or_default();
        rest.get(..usize::try_from(length).unwrap_or(usize::MAX)).unwrap_or(rest)
    }
}

/// The bytes that the program `sweep` makes from a number.
fn filled(number: u32) -> Vec<u8> {
    let mut state = u64::from(number) | 1 << 32;
    let mut word = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    (0..64 * 1024 / 8).flat_map(|_| word().to_ne_bytes()).collect()
}

/// The plain integers of a type that are part of it for certain: path and bytes.
fn integers(layout: &Layout, path: &str, offset: usize, found: &mut Vec<(String, usize, usize, bool)>) {
    match &layout.shape {
        Shape::Record(record) if !record.is_union => {
            for Field { name, offset: within, bits, layout } in &record.fields {
                if bits.is_none() && !name.is_empty() {
                    let within = usize::try_from(*within).expect("small");
                    integers(layout, &format!("{path}/{name}"), offset + within, found);
                }
            }
        }
        Shape::Scalar(scalar) if matches!(scalar.kind(), ScalarKind::Signed | ScalarKind::Unsigned) => {
            let size = usize::try_from(layout.size).expect("small");
            if !scalar.is_big_endian(Arch::native()) {
                found.push((path.to_owned(), offset, size, scalar.kind() == ScalarKind::Signed));
            }
        }
        _ => {}
    }
}

/// A number of the program's own byte order, as JSON has it.
fn plain(bytes: &[u8], signed: bool) -> String {
    let value = bytes.iter().rev().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    let unused = 128 - 8 * u32::try_from(bytes.len()).expect("small");
    if signed { ((value << unused) as i128 >> unused).to_string() } else { value.to_string() }
}

#[test]
fn every_request_that_writes_shows_the_fields_of_its_buffer() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    // Room for all of them at once: nothing is lost, however slowly they are written.
    let calls = trace(&["--max-bytes", "64K", "--buffer", "256M"], Command::new(example("sweep")).arg(&log));
    let calls: Vec<&Value> = calls.iter().filter(|call| text(call, "/comm") == "sweep").collect();
    let made = fs::read_to_string(&log).expect("the log");
    let made: Vec<(&str, &str)> = made.lines().filter_map(|line| line.split_once(' ')).collect();
    assert!(made.len() > 2_000, "{} requests write", made.len());
    assert_eq!(calls.len(), made.len());

    let (registry, arch) = (Registry::builtin(), Arch::native());
    let (mut compared, mut fields, mut truncated, mut wrong) = (0, 0, 0, Vec::new());
    for (call, (hex, name)) in calls.iter().zip(&made) {
        assert_eq!(text(call, "/request/hex"), *hex);
        let number = u32::try_from(number(call, "/request/number").expect("a number")).expect("32 bits");
        let arg = u64::from_str_radix(text(call, "/arg").trim_start_matches("0x"), 16).expect("an address");
        let Lookup::Exact(named) = registry.lookup(number, arch, &Device::default()) else { continue };
        let memory = Buffer { address: arg, bytes: filled(number) };
        let expected = registry.argument(&named, arch, arg, &memory, When::Before);
        // What the kernel alone fills is an address before, which stands in `arg` already.
        let expected = expected.filter(|value| !matches!(value, Held::Pointer(_))).map(Decoded);
        let expected = serde_json::to_value(&expected).expect("JSON");
        compared += 1;
        let differs = call["in"] != expected;
        // Of what has no end within the buffer the last elements may be missing; that is said then.
        let cut = differs && call["notes"].to_string().contains("input truncated");
        truncated += usize::from(cut);
        if differs && !cut {
            wrong.push(format!("{name}: {} for {expected}", call["in"]));
        }
        // The same without the decoder: each plain number against the bytes where the type has it.
        let mut plains = Vec::new();
        if let Some(layout) = named.arg().ty().and_then(|ty| registry.layout(ty, arch).ok()) {
            integers(&layout, "", 0, &mut plains);
        }
        for (path, offset, size, signed) in plains {
            let shown = match call.pointer(&format!("/in{path}")) {
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::String(text)) if !text.starts_with("0x") && text.parse::<i128>().is_ok() => {
                    text.clone()
                }
                // Of a set, an address, or something else that is not shown as a number.
                _ => continue,
            };
            fields += 1;
            let bytes = &memory.bytes[offset..offset + size];
            // Descriptors are signed whatever their type says, and what is shown in hexadecimal is not.
            if shown != plain(bytes, false) && shown != plain(bytes, true) {
                let held = plain(bytes, signed);
                wrong.push(format!("{name}{path}: {shown} for {held}"));
            }
        }
    }
    println!("{compared} requests, {fields} plain numbers compared; {truncated} truncated");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(compared > 1_900 && fields > 5_000, "{compared} requests, {fields} fields");
    assert!(truncated < 20, "{truncated} of {compared} truncated");
}

#[test]
fn memory_that_is_a_trap_is_shown_as_far_as_it_goes() {
    if !have_root() {
        return;
    }
    let calls = trace(&[], &mut Command::new(example("hostile")));
    let calls: Vec<&Value> = calls.iter().filter(|call| text(call, "/comm") == "hostile").collect();
    let output = run(Command::new(example("hostile")));
    let labels = String::from_utf8(output.stdout).expect("text");
    let labels: Vec<&str> = labels.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(calls.len(), labels.len());
    let mut by_label: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (label, call) in labels.iter().zip(&calls) {
        by_label.entry(label).or_default().push(call);
    }
    let first = |label: &str| by_label[label][0];

    // The first 20 bytes of a termios, whose last field begins at 17.
    let end = &first("page-end")["in"];
    assert_eq!(end["c_iflag"]["value"], 0x1111_1111_u32);
    let characters = [("VINTR", 0x11), ("VQUIT", 0x11), ("VERASE", 0x11)];
    assert_eq!(end["c_cc"].as_object().expect("names").len(), characters.len(), "{end}");
    for (name, value) in characters {
        assert_eq!(end["c_cc"][name], value, "{end}");
    }
    assert!(first("page-end")["notes"].to_string().contains("input not readable as a whole"));

    for label in
        ["null", "first-page", "kernel-text", "kernel-memory", "last-byte", "non-canonical", "no-access"]
    {
        for call in &by_label[label] {
            assert_eq!((&call["in"], &call["out"]), (&Value::Null, &Value::Null), "{label}: {call}");
        }
    }

    let circle = &first("circle")["in"];
    assert_eq!(circle["nmsgs"], u32::MAX, "{circle}");
    assert!(circle["msgs"].is_array(), "{circle}");
    let messages = &first("messages-in-kernel")["in"];
    assert_eq!(messages["msgs"], "0xffffffff81000000", "{messages}");
    let bytes = &first("bytes-in-kernel")["in"]["msgs"];
    assert_eq!(bytes[0]["buf"], "0xffffffff81000000", "{bytes}");
    assert_eq!(bytes[1]["buf"], "41424344", "{bytes}");

    let late = first("untouched");
    assert_eq!(late["ret"], 0, "{late}");
    assert_eq!(late["in"]["ws_row"], 0x0707, "{late}");
    assert!(late["notes"].to_string().contains("input read after the call"), "{late}");

    assert_eq!(by_label["rewritten"].len(), 200);
}
