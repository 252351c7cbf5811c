//! Tests of rows whose elements differ in size, of contents that begin elsewhere, and of what depends on other values.

use super::{
    memory_tests::{AT, Pieces, at},
    *,
};

const REQUESTS: &str = "\
CHAIN\t-\t0x10\tread-write\tstruct whole\tx.h\t\t\t\t
COMMANDS\t-\t0x11\twrite\tstruct stream\tx.h\t\t\t\t
FOUND\t-\t0x12\tread-write\tstruct search\tx.h\t\t\t\t
LIST\t-\t0x13\tread-write\tstruct whole\tx.h\t\t\t\t
ROUTE\t-\t0x14\twrite\tu32\tx.h\t\t\t\t
VECTOR\t-\t0x15\twrite\tstruct io\tx.h\t\t\t\t
";
const TYPES: &str = "\
struct command\t\tstruct packed{u32 cmd;u8 data[];}
struct found\t\tstruct packed{u16 kind;u16 len;u8 data[];}
struct io\t\tstruct{u16 count;u32 len;u8*at;}
struct io_vector\t\tstruct{u16 count;u32 len;struct piece*at;}
struct link\t\tstruct{u32 next;u16 kind;char text[];}
struct link~first\t\tstruct{u32 next;u16 kind;char text[];}
struct piece\t\tstruct{u8*at;u64 len;}
struct point\t\tstruct{s16 x;s16 y;}
struct search\t\tstruct{u32 n;char buf[60];}
struct stream\t\tstruct{u64 size;u64 commands;}
struct whole\t\tstruct{u32 size;u32 start;u32 count;char name[3];char data[5];}
";
const FACTS: [&str; 3] = [
    "",
    "CHAIN\tcount\tcount\tdata
CHAIN\tdata\tin\t
CHAIN\tsize\ttail\tdata
CHAIN\tstart\tstart\tdata
LIST\tdata\tout\t
LIST\tsize\ttail\tdata
LIST\tstart\tstart\tdata
struct command\tcmd\tioc\tdata
struct found\tlen\tbytes\tdata
struct found\tlen\tout\t
struct io\tat\tpointer\twrite u8[]
struct io\tlen\tbytes\tat
struct io_vector\tat\tpointer\twrite struct piece[]
struct io_vector\tcount\tcount\tat
struct link\tnext\tnext\t
struct link\ttext\tstring\t
struct link~first\tnext\tnext-from-first\t
struct piece\tat\tpointer\twrite u8[]
struct piece\tlen\tbytes\tat
struct search\tbuf\tout\t
struct search\tn\tcount\tbuf
struct stream\tcommands\tpointer\twrite struct command[]
struct stream\tsize\tbytes\tcommands
",
    "CHAIN\t\t\t\t.data=struct link[]\twrite
LIST\t\t\t\t.data=struct link~first[]\tread
ROUTE\t@domain\tAF_A\t2\tstruct point\twrite
struct command\tcmd\tCMD_POINT\t0x40046301\t.data=struct point\twrite
struct found\tkind\tKIND_POINT\t1\t.data=struct point\tread
struct io\tcount\t\t*\t=struct io_vector\twrite
struct io\tcount\t\t0\t\twrite
struct search\t\t\t\t.buf=struct found[]\tread
",
];

fn argument(name: &str, memory: &Pieces, when: When<'_>) -> Option<Value> {
    let registry = Registry::of_tests(REQUESTS, TYPES, FACTS);
    let request = Named::plain(registry.find(name).unwrap());
    registry.argument(&request, Arch::X86_64, AT, memory, when)
}

fn before(name: &str, memory: &Pieces) -> String {
    argument(name, memory, When::Before).unwrap().to_string()
}

fn exchange(name: &str, before: &Pieces, after: &Pieces) -> String {
    let handed = argument(name, before, When::Before);
    let Exchange { left, right } = Value::exchange(handed, argument(name, after, When::After(Some(before))));
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    [text(left), text(right)].into_iter().flatten().collect::<Vec<_>>().join(" => ")
}

/// The head of a `struct whole`, whose contents begin 4 bytes behind its end at 20.
fn head(size: u32, count: u32) -> Vec<u8> {
    let words = [size, 24, count].map(u32::to_le_bytes).concat();
    [&words[..], b"ab\0", &[0xee; 9]].concat()
}

fn link(next: u32, kind: u8, text: &[u8]) -> Vec<u8> {
    [&next.to_le_bytes()[..], &[kind, 0], text].concat()
}

#[test]
fn elements_say_where_the_next_one_is() {
    let mut bytes = head(24 + 12 + 9, 2);
    bytes.extend(link(12, 1, b"one\0\x55\x55"));
    bytes.extend(link(0, 2, b"2\0\x55"));
    let whole = "{size=45, start=24, count=2, name=\"ab\", data=[{next=12, kind=1, text=\"one\"}, {next=0, kind=2, text=\"2\"}]}";
    assert_eq!(before("CHAIN", &at(AT, &bytes)), whole);
    // What the program alone writes does not change, whatever lies there afterwards.
    let mut after = head(20, 2);
    after.extend([0xcc; 20]);
    assert_eq!(exchange("CHAIN", &at(AT, &bytes), &at(AT, &after)), format!("{whole} => {{size=20}}"));
    // A count that is too large, and data that ends early.
    bytes[8] = 9;
    let shown = before("CHAIN", &at(AT, &bytes));
    assert!(shown.contains("kind=2, text=\"2\"}]") && !shown.contains("..."), "{shown}");
    let cut = before("CHAIN", &at(AT, bytes.get(..32).unwrap()));
    assert!(cut.ends_with("data=[{next=12, kind=1, text=\"on\"}, ...]}"), "{cut}");
}

#[test]
fn distances_may_count_from_the_first_element() {
    let (handed, mut back) = (head(80, 0), head(24 + 10 + 9, 0));
    back.extend(link(10, 1, b"one\0"));
    back.extend(link(10, 2, b"2\0\x55"));
    let shown = exchange("LIST", &at(AT, handed), &at(AT, &back));
    assert_eq!(
        shown,
        "{size=80, start=24, count=0, name=\"ab\"} => {size=43, data=[{next=10, kind=1, text=\"one\"}, {next=10, kind=2, text=\"2\"}]}"
    );
    // One that leads back ends the row.
    back[24] = 0;
    assert!(exchange("LIST", &at(AT, head(80, 0)), &at(AT, &back)).contains("kind=1, text=\"one\"}]"));
}

#[test]
fn elements_may_be_as_long_as_they_say() {
    let mut bytes = vec![2, 0, 0, 0];
    bytes.extend([1, 0, 4, 0, 7, 0, 8, 0]);
    bytes.extend([9, 0, 3, 0, 1, 2, 3]);
    bytes.extend([0xcc; 45]);
    let handed = at(AT, [0; 64]);
    let shown = exchange("FOUND", &handed, &at(AT, &bytes));
    let items = r#"[{kind=KIND_POINT, len=4, data={x=7, y=8}}, {kind=9, len=3, data="\x01\x02\x03"}]"#;
    assert_eq!(shown, format!("{{n=0}} => {{n=2, buf={items}}}"));
}

#[test]
fn numbers_of_commands_carry_their_size() {
    let commands = [&0x4004_6301_u32.to_le_bytes()[..], &[1, 0, 2, 0], &0x6302_u32.to_le_bytes()].concat();
    let head = [12_u64, 0x4000].map(u64::to_le_bytes).concat();
    let memory = at(AT, head).and(0x4000, commands);
    assert_eq!(
        before("COMMANDS", &memory),
        r#"{size=12, commands=[{cmd=CMD_POINT, data={x=1, y=2}}, {cmd=25346, data=""}]}"#
    );
}

#[test]
fn any_other_value_chooses_too() {
    let io = |count: u8| {
        let mut bytes = vec![count, 0, 0, 0, 4, 0, 0, 0];
        bytes.extend(0x4000_u64.to_le_bytes());
        at(AT, bytes).and(0x4000, [0x5000_u64, 2].map(u64::to_le_bytes).concat()).and(0x5000, b"hi")
    };
    assert_eq!(before("VECTOR", &io(0)), r#"{count=0, len=4, at="\x00\x50\x00\x00"}"#);
    assert_eq!(
        before("VECTOR", &io(1)),
        r#"{count=1, len=4, at=[{at="hi", len=2}]}"#.replace("hi", "\\x68\\x69")
    );
}

#[test]
fn the_family_of_a_socket_chooses() {
    let registry = Registry::of_tests(REQUESTS, TYPES, FACTS);
    let route = Named::plain(registry.find("ROUTE").unwrap());
    let memory = at(AT, [1, 0, 2, 0]);
    let of = |named: &Named<'_>| {
        registry.argument(named, Arch::X86_64, AT, &memory, When::Before).unwrap().to_string()
    };
    assert_eq!(of(&route), "[131073]");
    assert_eq!(of(&route.clone().on_socket(2)), "{x=1, y=2}");
    assert_eq!(of(&route.on_socket(3)), "[131073]");
}
