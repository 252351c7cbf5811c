//! Tests of decoding.

use proptest::prelude::*;

use super::*;

const TYPES: &str = "\
bad\t\tstruct{u128 big;s8 small:3;bad2*next;}
struct deep\t\tstruct{struct wide x;struct wide y;}
struct drawing\t\tstruct{u32 n;struct point pts[];}
struct point\t\tstruct{s16 x;be16 y;}
struct sized\t\tstruct{u16 len;u16 used;char name[8];u8 data[8];u8 raw[4];struct point*p;u64 address;}
struct union\t\tstruct{u32 kind;union{u32 number;struct point point;u8 raw[8];};enum color c;}
struct wide\t\tunion{struct wider a;struct wider b;}
struct wider\t\tunion{struct widest a;struct widest b;}
struct widest\t\tunion{u8 a[3000];u32 b[64];struct point c;}
enum color\t\tenum u32{RED=1,BLUE=2}
";
const FACTS: [&str; 3] = [
    "F\tflags\tA=1,B=2,C=0xc,NONE=0\nE\tenum\tONE=1,TWO=2\n",
    "struct drawing\tn\tcount\tpts\nstruct drawing\tpts.x\tset\tE\nstruct sized\taddress\tpointer\tread u8[]\n\
     struct sized\tlen\tset\tF\nstruct sized\traw\tof\tstruct point\nstruct sized\tused\tbytes\tdata\n",
    "",
];

fn registry() -> Registry {
    Registry::of_tests("", TYPES, FACTS)
}

#[track_caller]
fn assert_decodes(ty: &str, arch: Arch, bytes: &[u8], expected: &str) {
    let registry = registry();
    let layout = registry.layout(ty, arch).unwrap();
    assert_eq!(registry.decode(&layout, bytes).to_string(), expected);
}

#[test]
fn byte_order_is_the_architectures_or_the_types() {
    assert_decodes("struct point", Arch::X86_64, &[0xff, 0xff, 0x12, 0x34], "{x=-1, y=4660}");
    assert_decodes("struct point", Arch::Mips, &[0xff, 0xfe, 0x12, 0x34], "{x=-2, y=4660}");
    assert_decodes("u64", Arch::S390x, &[0, 0, 0, 0, 0, 0, 1, 0], "256");
    assert_decodes("f64", Arch::X86_64, &1.5_f64.to_le_bytes(), "1.5");
    assert_decodes("u128", Arch::X86_64, &[1; 16], "1334440654591915542993625911497130241");
}

#[test]
fn bitfields_are_counted_from_the_architectures_end() {
    let text = "struct{u8 a:1;u8 b:3;s8 c:4;}";
    assert_decodes(text, Arch::X86_64, &[0b1110_0101], "{a=1, b=2, c=-2}");
    assert_decodes(text, Arch::Sparc64, &[0b1010_1110], "{a=1, b=2, c=-2}");
}

#[test]
fn facts_give_flags_texts_lengths_and_addresses() {
    let mut bytes = vec![0x1d, 0, 3, 0];
    bytes.extend(*b"ab\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08\x01\0\0\x02");
    bytes.extend([0, 0, 0, 0]);
    bytes.resize(32, 0);
    bytes.extend(0x1000_u64.to_le_bytes());
    assert_decodes(
        "struct sized",
        Arch::X86_64,
        &bytes,
        r#"{len=A|C|0x10, used=3, name="ab", data="\x01\x02\x03", raw=[{x=1, y=2}], p=NULL, address=0x1000}"#,
    );
    assert_decodes(
        "struct drawing",
        Arch::X86_64,
        &[1, 0, 0, 0, 2, 0, 0, 0, 9, 9, 9, 9],
        "{n=1, pts=[{x=TWO, y=0}]}",
    );
    assert_decodes(
        "struct drawing",
        Arch::X86_64,
        &[2, 0, 0, 0, 2, 0, 0, 0],
        "{n=2, pts=[{x=TWO, y=0}, ...]}",
    );
}

#[test]
fn what_is_missing_is_marked() {
    assert_decodes("struct point", Arch::X86_64, &[1, 0, 2], "{x=1, ...}");
    assert_decodes("struct point", Arch::X86_64, &[], "{...}");
    assert_decodes("char[8]", Arch::X86_64, b"abc", "\"abc\"...");
    assert_decodes("char[8]", Arch::X86_64, b"abc\0", "\"abc\"");
    assert_decodes("u16[]", Arch::X86_64, &[1, 0, 2, 0, 3], "[1, 2]");
    assert_decodes("u16[3]", Arch::X86_64, &[1, 0], "[1, ...]");
}

#[test]
fn unions_and_enumerations() {
    let bytes = [1, 0, 0, 0, 5, 0, 0, 6, 0, 0, 0, 0, 2, 0, 0, 0];
    assert_decodes(
        "struct union",
        Arch::X86_64,
        &bytes,
        "{kind=1, {number=100663301}|{point={x=5, y=6}}, c=BLUE}",
    );
    assert_decodes("enum color", Arch::X86_64, &[7, 0, 0, 0], "0x7");
}

#[test]
fn text_that_goes_on_behind_its_end_is_kept() {
    assert_decodes("char[6]", Arch::X86_64, b"ab\0cd\0", r#""ab\0cd\0""#);
}

#[test]
fn decoding_ends() {
    let registry = registry();
    let layout = registry.layout("struct deep[1000]", Arch::X86_64).unwrap();
    assert!(registry.decode(&layout, &vec![1; 100_000]).to_string().contains("..."));
    let none = registry.layout("struct{}[4294967295]", Arch::X86_64).unwrap();
    assert!(registry.decode(&none, &[]).to_string().ends_with("...]"));
}

proptest! {
    #[test]
    fn no_bytes_and_no_definition_panic(
        names in prop::collection::vec(prop::sample::select(vec!["struct ", "point", "{", "}", ";", "u32 ", "a", "[", "3", "]", ":", "@", "*", "union", "bad", "char", "s64 ", "packed", "size=", "enum u8{A=1}", "f32 ", "@1.3", "[]", "bool "]), 0..30),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let registry = registry();
        for arch in [Arch::X86_64, Arch::I386, Arch::Mips] {
            if let Ok(layout) = registry.layout(&names.concat(), arch) {
                let _ = registry.decode(&layout, &bytes).to_string();
                let _ = layout.describe(true);
            }
        }
    }

    /// Each type of the table with one character changed.
    #[test]
    fn mutated_definitions_do_not_panic(row in 0_usize..10, at: prop::sample::Index, c in "[ -~]", bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let definition = TYPES.lines().nth(row).and_then(|line| line.rsplit('\t').next()).unwrap_or_default();
        let at = at.index(definition.len());
        let mutated = format!("{}{c}{}", &definition[..at], &definition[at + 1..]);
        let registry = registry();
        if let Ok(layout) = registry.layout(&mutated, Arch::Mips) {
            let _ = registry.decode(&layout, &bytes).display(&Style { limit: 3, ..Style::default() }).to_string();
            let _ = layout.describe(false);
        }
    }
}
