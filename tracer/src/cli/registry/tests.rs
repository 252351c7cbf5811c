//! What the commands print, with requests of a file that no change of the tables touches.

use clap::Parser;
use ioctl_registry::Registry;

use super::{Visible, perform};
use crate::cli::{args::Args, run::Failure};

/// Two requests share a number; one has a type, with a flexible array, and facts about its fields.
const ACME: &str = r#"
[vendor]
name = "acme"
source = "acme.h"
devices = ["char:240", "handler:acme_ioctl"]

[types]
"enum acme_kind" = "enum u32{ACME_SYNC=1,ACME_LAST=2}"
"struct acme_job" = "struct{enum acme_kind kind;u32 count;char name[8];u64 at;}"
"struct acme_list" = "struct{u16 count;u16 ids[];}"

[fields]
"struct acme_job.name" = "string"

[[request]]
name = "ACME_SUBMIT"
ioc = "_IOWR(0xec, 0x2a, struct acme_job)"

[[request]]
name = "ACME_LIST"
ioc = "_IOR(0xec, 0x2b, struct acme_list)"

[[request]]
name = "ACME_RESET"
number = 0xec01
arg = "=u32"
dir = "none"

[[request]]
name = "ACME_STOP"
number = 0xec01
arg = "void"
devices = ["anon:acme"]
"#;

/// Its driver for Windows.
const ACME_WINDOWS: &str = r#"
[vendor]
name = "acme"
source = "acme.h"
os = "windows"

[types]
ACME_STATUS = "struct{ULONG State;HANDLE Owner;WCHAR Name[8];}"

[[request]]
name = "IOCTL_ACME_GET_STATUS"
code = "CTL_CODE(0x8000, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)"
input = "void"
output = "ACME_STATUS"
"#;

fn registry() -> Registry {
    let files = [("acme.toml", ACME), ("acme-windows.toml", ACME_WINDOWS)];
    let (registry, mistakes) = Registry::with_vendor_texts(files);
    assert_eq!(mistakes, []);
    registry
}

/// What a command prints; its mistake, if it makes one.
fn outcome(words: &[&str]) -> Result<String, String> {
    let args = Args::try_parse_from([&["ioctl-trace"], words].concat()).map_err(|error| error.to_string())?;
    let mut out = Visible(Vec::new());
    let Some(crate::cli::args::Action::Ask(action)) = &args.action else { panic!("another command") };
    match perform(action, &registry(), &mut out) {
        Ok(()) => Ok(String::from_utf8(out.0).expect("text")),
        Err(Failure::Usage(message)) => Err(message),
        Err(Failure::Filter(error)) => panic!("{error}"),
        Err(Failure::Tracing(error)) => panic!("{error}"),
    }
}

fn output(words: &[&str]) -> String {
    outcome(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// Less what the headers of the next kernel change.
fn stable(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("kernels"));
    let line = |line: &str| match line.rsplit_once(".h:") {
        Some((before, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{before}.h\n")
        }
        _ => format!("{line}\n"),
    };
    lines.map(line).collect()
}

#[test]
fn exact_requests() {
    insta::assert_snapshot!(output(&[
        "decode",
        "ACME_SUBMIT",
        "0xc018ec2a",
        "ACME_LIST",
        "--arch",
        "x86_64"
    ]));
}

#[test]
fn shared_numbers() {
    insta::assert_snapshot!(output(&["decode", "0xec01", "--bytes", "5"]));
    assert!(output(&["decode", "0xec01", "--device", "char:240:1"]).starts_with("0xec01 ACME_RESET\n"));
    assert!(output(&["decode", "0xec01", "--device", "anon:acme"]).starts_with("0xec01 ACME_STOP\n"));
}

#[test]
fn resized_requests() {
    insta::assert_snapshot!(output(&[
        "decode",
        "_IOW(0xec, 0x2a, 16)",
        "--bytes",
        "03000000 09",
        "--arch",
        "x86_64"
    ]));
}

#[test]
fn blocks_and_unknown_numbers() {
    insta::assert_snapshot!(output(&[
        "decode",
        "_IO(0xf3, 0x3f)",
        "0xc008dead",
        "--bytes",
        "00",
        "--arch",
        "x86_64"
    ]));
}

#[test]
fn parameters() {
    let text = output(&["decode", "EVIOCGBIT(EV_KEY, 96)", "--arch", "x86_64"]);
    insta::assert_snapshot!(stable(&text));
}

#[test]
fn bytes_of_an_argument() {
    let value = |words: &[&str]| {
        let text = output(&[&["decode"], words].concat());
        let lines = text.lines().skip_while(|line| !line.starts_with("    value"));
        lines.map(|line| line.trim_start()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        value(&[
            "ACME_SUBMIT",
            "--arch",
            "x86_64",
            "--bytes",
            "0200 0000 01000000 6a6f 6200 00000000 1000 0000 0000 0000"
        ]),
        "value      {kind=ACME_LAST, count=1, name=\"job\", at=16}"
    );
    assert_eq!(
        value(&["ACME_SUBMIT", "--arch", "arm", "--bytes", "01"]),
        "value      {...}\ntoo short: 1 of 24 bytes are given"
    );
    assert_eq!(
        value(&["ACME_LIST", "--arch", "arm", "--bytes", "02000500 0600"]),
        "value      {count=2, ids=[5, 6]}"
    );
    assert_eq!(
        value(&["ACME_RESET", "--arch", "arm", "--device", "char:240:0", "--bytes", "0500000000"]),
        "value      5\ntoo long: 1 byte more than the type has are left out"
    );
    assert_eq!(
        value(&["ACME_SUBMIT", "--arch", "s390x", "--bytes", "00000002 00000001"]).lines().next(),
        Some("value      {kind=ACME_LAST, count=1, ...}")
    );
}

#[test]
fn json_of_numbers() {
    let words = ["decode", "--json", "--arch", "x86_64", "--bytes", "01000000 02000000"];
    let numbers = ["ACME_SUBMIT", "0xec01", "_IOR(0xec, 0x2a, 4)", "_IO(0xf3, 0x3f)", "0xc008dead"];
    insta::assert_snapshot!(output(&[&words[..], &numbers].concat()));
}

#[test]
fn control_codes_of_windows() {
    let text = output(&[
        "decode",
        "--os",
        "windows",
        "0x70000",
        "CTL_CODE(0x8000, 0x800, METHOD_NEITHER, FILE_READ_DATA)",
    ]);
    insta::assert_snapshot!(stable(&text));
    let line = output(&["decode", "--os", "windows", "--json", "0x70000"]);
    assert!(
        line.contains(r#""name":"IOCTL_DISK_GET_DRIVE_GEOMETRY""#) && line.contains(r#""kind":"public""#),
        "{line}"
    );
    let list = output(&["list", "--os", "windows", "disk_get_drive_geometry"]);
    assert!(list.contains("0x70000  IOCTL_DISK_GET_DRIVE_GEOMETRY "), "{list}");
}

#[test]
fn control_codes_of_vendors() {
    let words = ["show", "--os", "windows", "IOCTL_ACME_GET_STATUS", "ACME_STATUS"];
    let text = output(&words);
    let known = ["0x80002004 IOCTL_ACME_GET_STATUS\n", "size 32, align 8", "taken by", "ACME_STATUS"];
    assert!(known.iter().all(|part| text.contains(part)), "{text}");
    let text = output(&[&words[..4], &["--arch", "i386"]].concat());
    assert!(text.contains("size 24, align 4"), "{text}");
    let line = output(&["decode", "--os", "windows", "--json", "0x80002004"]);
    let known = r#""kind":"private","input":"-","output":"ACME_STATUS","header":"acme.h""#;
    assert!(line.contains(known), "{line}");
    let list = output(&["list", "--os", "windows", "acme"]);
    assert_eq!(list, "0x80002004  IOCTL_ACME_GET_STATUS  private  acme.h\n");
    let text = output(&["show", "--os", "windows", "IOCTL_STORAGE_QUERY_PROPERTY"]);
    assert!(text.contains("PropertyId = 0 StorageDeviceProperty: STORAGE_DEVICE_DESCRIPTOR"), "{text}");
}

#[test]
fn lists() {
    insta::assert_snapshot!(output(&["list", "acme", "--arch", "x86_64"]));
    insta::assert_snapshot!(output(&["list", "--family", "acme", "--json", "--arch", "mips", "*submit"]));
    insta::assert_snapshot!(output(&["list", "--conflicts", "acme_reset", "--arch", "x86_64"]));
    insta::assert_snapshot!(output(&["list", "--blocks", "sisusb"]));
    insta::assert_snapshot!(output(&["list", "--families", "acme"]));
    assert!(output(&["list", "EVIOCGBIT"]).starts_with("varies  EVIOCGBIT(ev, len)  read"));
    assert!(output(&["list", "TIOCINQ"]).contains("FIONREAD"), "an alias leads to its request");
}

#[test]
fn everything_about_a_request() {
    let text = output(&["show", "ACME_SUBMIT", "ACME_STOP", "--arch", "x86_64"]);
    // Said on other machines.
    insta::assert_snapshot!(text.replace("/* on x86_64 */\n", ""));
    let foreign = output(&["show", "ACME_SUBMIT", "--arch", "s390x"]);
    let native = ioctl_registry::Arch::native() == ioctl_registry::Arch::S390x;
    assert_eq!(foreign.contains("/* on s390x */\nstruct acme_job {"), !native, "{foreign}");
    assert!(output(&["show", "ACME_*"]).matches("\n    family ").count() == 4);
    assert!(output(&["show", "0xc018ec2a", "--arch", "x86_64"]).starts_with("ACME_SUBMIT\n"));
    let text = output(&["show", "struct acme_list"]);
    assert!(text.starts_with("struct acme_list {\n") && text.ends_with("\ntaken by   ACME_LIST\n"), "{text}");
}

#[test]
fn mistakes() {
    for (words, message) in [
        (
            &["decode", "ACME_SUBMTI"][..],
            "no ioctl request is named `ACME_SUBMTI`; did you mean `ACME_SUBMIT`?",
        ),
        (&["decode", "TCGETS", "0xzz"], "`0xzz` is no number of 32 bits; write 21505 or 0x5401"),
        (
            &["decode", "1", "--os", "windows", "--bytes", "1"],
            "--bytes and --device are for requests of Linux alone",
        ),
        (
            &["show", "struct acme_jobs"],
            "no type is named `struct acme_jobs`; did you mean `struct acme_job`?",
        ),
        (
            &["show", "ACME_SUBMI"],
            "no ioctl request or type is named `ACME_SUBMI`; did you mean `ACME_SUBMIT`?",
        ),
        (&["show", "ZZZ*"], "no ioctl request matches `ZZZ*`"),
        (
            &["show", "0xc008dead"],
            "no request that is known has the number 0xc008dead; `decode` takes it apart",
        ),
        (&["list", "zzz"], "no request matches `zzz`"),
        (
            &["list", "--family", "acne"],
            "no family is named `acne`; did you mean `acme`?; `list --families` shows all",
        ),
        (
            &["list", "--os", "windows", "--blocks"],
            "--family, --conflicts, --blocks and --families are for requests of Linux alone",
        ),
    ] {
        assert_eq!(outcome(words).unwrap_err(), message);
    }
    assert!(outcome(&["decode", "1", "--arch", "vax"]).unwrap_err().contains("x86_64"));
}

#[test]
fn hostile_text_stays_text() {
    let mut out = Visible(Vec::new());
    std::io::Write::write_all(&mut out, "a\x1b[31m\u{202e}b\nc".as_bytes()).unwrap();
    assert_eq!(String::from_utf8(out.0).unwrap(), "a\\033[31m\\342\\200\\256b\nc");
}
