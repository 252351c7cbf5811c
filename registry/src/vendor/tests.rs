//! Tests of vendor files.

use proptest::prelude::*;

use super::*;
use crate::{Arg, Device, DeviceKind, Lookup};

const ACME: &str = r#"[vendor]
name = "acme"
devices = ["char:240", "handler:acme_*"]

[types]
"struct acme_job" = "struct{u32 flags;u32 count;ulong jobs;}"

[fields]
"struct acme_job.flags" = "set ACME_JOB"
"struct acme_job.jobs" = "pointer"

[sets.ACME_JOB]
kind = "flags"
constants = "ACME_JOB_SYNC=0x1,ACME_JOB_LAST=0x2"

[[request]]
name = "ACME_SUBMIT"
ioc = "_IOWR('T', 1, struct acme_job)"

[[request]]
name = "ACME_PLAIN"
number = 0x5401
arg = "=u32"
dir = "none"

[[request]]
name = "ACME_OTHER"
number = 21505
size = 12
devices = ["anon:acme"]
"#;

fn load(text: &str) -> (Registry, Vec<String>) {
    let (registry, mistakes) = Registry::with_vendor_texts([("a.toml", text)]);
    (registry, mistakes.iter().map(Mistake::to_string).collect())
}

#[test]
fn requests_and_types_are_added() {
    let (registry, mistakes) = load(ACME);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let request = registry.find("ACME_SUBMIT").unwrap();
    assert_eq!(request.number(Arch::X86_64), Some(0xc010_5401));
    assert_eq!(request.number(Arch::Mips), Some(0xc00c_5401));
    assert_eq!(request.number(Arch::Mips64), Some(0xc010_5401));
    assert_eq!(request.arg(), Arg::Pointer("struct acme_job".into()));
    assert_eq!((request.family(), request.source()), ("acme", "vendor"));
    assert_eq!(request.dir(), Some(Direction::ReadWrite));
    let layout = registry.layout("struct acme_job", Arch::I386).unwrap();
    assert_eq!(
        registry.decode(&layout, &[3, 0, 0, 0, 1, 0, 0, 0]).to_string(),
        "{flags=ACME_JOB_SYNC|ACME_JOB_LAST, count=1, ...}"
    );
    assert_eq!(registry.find("ACME_OTHER").unwrap().arg(), Arg::Pointer("u8[12]".into()));
    assert_eq!(registry.requests().count(), Registry::builtin().requests().count() + 3);
}

#[test]
fn a_vendors_device_decides() {
    let (registry, _) = load(ACME);
    let on = |device: &Device<'_>| registry.lookup(0x5401, Arch::X86_64, device).to_string();
    let device = |major| Device { kind: DeviceKind::Char, major, minor: 1, ..Device::default() };
    assert_eq!(on(&device(240)), "ACME_PLAIN");
    assert_eq!(on(&device(136)), "TCGETS");
    let both = Device { handler: Some("acme_ioctl"), ..device(4) };
    assert_eq!(on(&both), "ACME_PLAIN or TCGETS", "the device is as much a terminal");
    let lookup = registry.lookup(0x5401, Arch::X86_64, &Device::default());
    let Lookup::Ambiguous(several) = lookup else { panic!() };
    assert_eq!(several.len(), 3);
}

#[test]
fn files_are_rendered_as_they_are_read() {
    let file = VendorFile::parse("a.toml", ACME).unwrap();
    assert_eq!(VendorFile::parse("b.toml", &file.render()), Ok(file));
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let text = "\
[vendor]
name = \"a b\"
devices = \"char:1\"
colour = 1

[[request]]
name = \"A\"
number = 0x1ffffffff

[[request]]
ioc = \"_IO('T', 1)\"
dir = \"sideways\"

[[request]]
name = \"B\"
number = 1
ioc = \"x\"
[extra]
";
    let (_, mistakes) = load(text);
    assert_eq!(
        mistakes,
        [
            "a.toml:1: `a b` is no name; use letters, digits, `-`, `_` and `.`",
            "a.toml:3: `devices` is of type string; write a list of texts, such as [\"char:240\"]",
            "a.toml:4: unknown key `colour`; known here are `name`, `source`, `os`, `devices`",
            "a.toml:8: `number` has more than 32 bits; correct it",
            "a.toml:10: `name` is missing; add it to this [[request]]",
            "a.toml:10: `sideways` is no direction; write none, read, write or read-write",
            "a.toml:16: both `number` and `ioc` are given; remove one",
            "a.toml:18: unknown key `extra`; known here are `vendor`, `types`, `sets`, `fields`, `request`",
        ]
    );
}

#[test]
fn mistakes_against_the_registry_are_told() {
    let text = "\
[vendor]
name = \"a\"
devices = [\"chr:1\"]
[types]
\"struct v4l2_capability\" = \"struct{u8 x;}\"
\"struct bad\" = \"struct{u8 x}\"
[sets.S]
kind = \"flag\"
constants = \"A=1\"
[fields]
\"struct bad\" = \"set S\"
\"struct bad.x\" = \"set NONE_SUCH\"
[[request]]
name = \"A\"
ioc = \"TCGETS\"
[[request]]
name = \"B\"
ioc = \"_IOR('T', 1, struct nobody)\"
[[request]]
name = \"C\"
number = 1
arg = \"u32\"
size = 5
[[request]]
name = \"D\"
number = 1
arg = \"struct nobody\"
";
    let (registry, mistakes) = load(text);
    assert_eq!(
        mistakes,
        [
            "a.toml:1: `chr:1` is no device; write as char:240, char:10:200-210, handler:GLOB, anon:GLOB or magic:0x1",
            "a.toml:5: `struct v4l2_capability` is known already, and not as this; call it `struct v4l2_capability~a` where it is used",
            "a.toml:6: `struct bad`: expected `;` behind a field, found `}`; correct its definition",
            "a.toml:7: `flag` is no kind of set; write flags or enum",
            "a.toml:11: `struct bad` = `set S` is no fact; write as \"struct x.flags\" = \"set NAME\"",
            "a.toml:12: no set is named `NONE_SUCH`; define it as [sets.NONE_SUCH]",
            "a.toml:13: `TCGETS` is no macro call; write as _IOWR('F', 0x2a, struct x)",
            "a.toml:16: `B`: no type is named `struct nobody`; correct `ioc`",
            "a.toml:19: `C`: `u32` has 4 bytes, not 5; correct its definition, or `size`",
            "a.toml:24: `D`: no type is named `struct nobody`; correct `arg`, or define the type under [types]",
        ]
    );
    assert!(registry.find("A").is_none(), "a file with a mistake adds nothing");
}

#[test]
fn what_is_no_toml_is_told() {
    let (_, mistakes) = load("[vendor\nname = 3 4\n");
    assert!(
        mistakes
            .iter()
            .all(|mistake| mistake.starts_with("a.toml:") && mistake.ends_with("; this is no TOML"))
    );
    assert!(mistakes[0].starts_with("a.toml:1: "), "{mistakes:?}");
}

#[test]
fn long_files_take_no_longer_a_line() {
    // Each mistake looks for its line.
    let (_, mistakes) = load(&"name = x\n".repeat(20_000));
    assert_eq!(mistakes.len(), 50);
    assert!(mistakes[49].starts_with("a.toml:"), "{}", mistakes[49]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_panics(text in "[ -~\n]{0,200}", at in 0..ACME.len()) {
        let _ = VendorFile::parse("a", &text);
        let (before, after) = ACME.split_at(at);
        let _ = VendorFile::parse("a", &format!("{before}{}{after}", text.get(..3).unwrap_or_default()));
    }
}

/// The files that come with the crate.
#[test]
fn shipped_files_have_no_mistakes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vendor");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let (registry, mistakes) = Registry::with_vendor_files(&paths);
    let mistakes: Vec<_> = mistakes.iter().map(Mistake::to_string).collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    assert!(paths.is_empty() || registry.requests().count() > Registry::builtin().requests().count());
    for path in paths {
        let file = VendorFile::parse("", &std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(VendorFile::parse("", &file.render()), Ok(file));
    }
}
