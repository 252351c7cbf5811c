//! Tests of arguments in a program's memory.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const REQUESTS: &str = "\
ANSWER\t-\t0x24\tread-write\tstruct point\tx.h\t\t\t\t
BITMAP\t-\t0x25\tread\tu8[8]\tx.h\t\t\t\t
BLOCKS\t-\t0x10\twrite\tstruct list\tx.h\t\t\t\t
BY_VALUE\t-\t0x11\tnone\t=s32\tx.h\t\t\t\t
EITHER\t-\t0x23\twrite\tstruct either\tx.h\t\t\t\t
FD\t-\t0x12\tnone\t=s32\tx.h\t\t\t\t
FILL\t-\t0x13\tread\tstruct point\tx.h\t\t\t\t
GET\t-\t0x14\tread-write\tstruct format\tx.h\t\t\t\t
IFACE\t-\t0x15\tread-write\tstruct iface\tx.h\t\t\t\t
KINDS\t-\t0x16\twrite\tstruct kinds\tx.h\t\t\t\t
LISTS\t-\t0x23\tread-write\tstruct lists\tx.h\t\t\t\t
LOOP\t-\t0x17\twrite\tstruct node\tx.h\t\t\t\t
MANY\t-\t0x22\tread-write\tstruct many\tx.h\t\t\t\t
MAP\t-\t0x18\tread-write\tstruct map\tx.h\t\t\t\t
NAME\t-\t0x19\twrite\tchar[]\tx.h\t\t\t\t
NUMBER\t-\t0x1a\tread-write\ts32\tx.h\t\t\t\t
REGISTER\t-\t0x1b\twrite\tstruct one_reg\tx.h\t\t\t\t
SET\t-\t0x1c\twrite\tstruct format\tx.h\t\t\t\t
SHIFTED\t-\t0x1d\tread-write\tu8[4]\tx.h\t\t\t\t
SOCKET\t-\t0x1e\twrite\tstruct sockaddr\tx.h\t\t\t\t
STYLED\t-\t0x22\twrite\tstruct styled\tx.h\t\t\t\t
TERMINAL\t-\t0x1f\tread-write\tchar\tx.h\t\t\t\t
TRANSFER\t-\t0x20\tread-write\tstruct transfer\tx.h\t\t\t\t
UNKNOWN\t_IOW\t0x40040121\t?\t\tx.h\t\t\t\t
";
const TYPES: &str = "\
struct either\t\tstruct{u32 kind;union{u32 pad;u32 id;};}
struct format\t\tstruct{u32 type;union{struct point pix;u32 raw[2];}fmt;}
struct iface\t\tstruct{char name[4];void*data;}
struct in_addr\t\tstruct{be32 s_addr;}
struct kinds\t\tstruct{u32 hex;u32 code;u32 dev;s64 when;u16 port;u8 ip[4];struct in_addr in;u8 ip6[16];u8 mac[8];u8 uuid[16];s32 fd;u16 big;u32 reserved[2];u32 more;}
struct list\t\tstruct{u32 n;u32 size;struct point*points;u64 text;struct point tail[];}
struct lists\t\tstruct{u32 some;u32 every;struct point*a;struct point*b;}
struct many\t\tstruct{u32 kind;u32 size;union{u32 small;u64 large;u64 text;};union{s32 fd;u32 reserved;};union{u32 answer;u8 bytes[4];};union{u16 unused;u8 pad[2];};}
struct map\t\tstruct{u32 room;u32 found;struct point points[];}
struct node\t\tstruct{u64 value;struct node*next;}
struct one_reg\t\tstruct{u64 id;u64 addr;}
struct point\t\tstruct{s16 x;s16 y;}
struct sockaddr\t\tstruct{u16 family;char data[14];}
struct sockaddr_in\t\tstruct{u16 family;u16 port;struct in_addr addr;u8 zero[8];}
struct styled\t\tstruct{u32 last;u8 first;u8 bits;u16 reserved;u8 map[2];u8 list[2];u8 chars[2];u64 limit;struct{s32 n;s32 d;}rate;u32 at;struct{}__empty_x;u32 version;char name[4];u64 address;}
struct msg\t\tstruct{u16 len;u64 buf;}
struct transfer\t\tstruct{struct msg*msgs;u32 n;}
struct command\t\tstruct{u32 cmd;u32 value;}
";
const FACTS: [&str; 3] = [
    "BITS\tbits\tNONE=0/0xff,BIT_A=0,BIT_B=3\nCODE\tenum\tFMT_YUYV=0x56595559\nMODE\tenum\tMODE_A=1,MODE_B=2\n",
    "ANSWER\tx\tout\t
ANSWER\ty\tout\t
BITMAP\t@ret\tbytes\t*
BY_VALUE\t@arg\tset\tMODE
FD\t@arg\tfd\t
FD\t@ret\tfd\t
GET\tfmt\tout\t
NUMBER\t*\tset\tMODE
struct in_addr\ts_addr\tipv4\t
struct kinds\tbig\tbe\t
struct kinds\tcode\tfourcc\t
struct kinds\tcode\tset\tCODE
struct kinds\tdev\tdev\t
struct kinds\tdev\treserved\t
struct kinds\tfd\tfd\t
struct kinds\thex\thex\t
struct kinds\tip\tipv4\t
struct kinds\tip6\tipv6\t
struct kinds\tmac\tmac\t
struct kinds\tmore\tverbose\t
struct kinds\tport\tport\t
struct kinds\tuuid\tuuid\t
struct kinds\twhen\ttime\t
struct list\tn\tcount\tpoints
struct list\tn\tcount\ttail
struct list\tpoints\tpointer\twrite struct point[]
struct list\tsize\tbytes*2\ttext
struct list\ttext\tpointer\twrite char[]
struct lists\ta\tpointer\tread struct point[]
struct lists\tb\tpointer\tread struct point[]
struct lists\tevery\tall\t
struct lists\tevery\tcount\tb
struct lists\tsome\tcount\ta
struct many\tanswer\tout\t
struct many\tbytes\tout\t
struct many\tsize\tbytes\ttext
struct map\tfound\tcount\tpoints
struct map\tfound\tout\t
struct map\troom\tcount\tpoints
struct map\tpoints\tout\t
struct msg\tbuf\tpointer\tread u8[]
struct msg\tlen\tcount\tbuf
struct node\tnext\tpointer\twrite struct node
struct one_reg\taddr\tpointer\tread u64
struct one_reg\tid\thex\t
struct styled\taddress\thex\t
struct styled\taddress\tpointer\t
struct styled\tbits\tset\tBITS
struct styled\tfirst\tchar\t
struct styled\tlast\tafter\tbits
struct styled\tlimit\tmax\t
struct styled\tlist\tindex\tMODE
struct styled\tlist\thex\t
struct styled\tchars\tnumbers\t
struct styled\tmap\tbitmap\tMODE
struct styled\tname\tstring\t
struct styled\trate\tfraction\t
struct styled\tversion\tkernel\t
struct transfer\tmsgs\tpointer\twrite struct msg[]
struct transfer\tn\tcount\tmsgs
",
    "IFACE\tdata->cmd\tCMD_ONE\t1\tstruct command\tread-write
IFACE\tdata->cmd\tCMD_TWO\t2\t.data->u64\twrite
IFACE\tdata->[0]\tCMD_OLD\t7\t.data->[1]->struct point\twrite
SHIFTED\t[0]\tOP_SET\t1\t\twrite
SHIFTED\t[0]\tOP_WORD\t2\t.[2]=u16\twrite
SOCKET\t\t\t\t\twrite
TERMINAL\t[0]\tTIO_SELECT\t3\t.[1]=struct point\twrite
TERMINAL\t[0]\tTIO_STATE\t6\t.[0]=char\tread-write
struct either\tkind\tKIND_NONE\t0x0\t.pad\tread-write
struct either\tkind\tKIND_ID\t0x1\t.id\tread-write
struct format\ttype\tTYPE_PIX\t0x1\t.fmt.pix\tread-write
struct many\t\t\t\t.text->char[]\tread-write
struct many\tkind\tKIND_SMALL\t1\t.small\tread-write
struct many\tsize\t\t0\t.large\tread-write
struct sockaddr\tfamily\tAF_INET\t2\t=struct sockaddr_in\tread-write
",
];

/// Pieces of memory by address.
#[derive(Default)]
pub(super) struct Pieces(BTreeMap<u64, Vec<u8>>);

impl Memory for Pieces {
    fn bytes(&self, address: u64, length: u64) -> &[u8] {
        let Some((start, bytes)) = self.0.range(..=address).next_back() else { return &[] };
        let bytes =
            usize::try_from(address - start).ok().and_then(|skip| bytes.get(skip..)).unwrap_or_default();
        usize::try_from(length).ok().and_then(|length| bytes.get(..length)).unwrap_or(bytes)
    }
}

pub(super) fn at(address: u64, bytes: impl AsRef<[u8]>) -> Pieces {
    Pieces::default().and(address, bytes)
}

impl Pieces {
    pub(super) fn and(mut self, address: u64, bytes: impl AsRef<[u8]>) -> Self {
        self.0.insert(address, bytes.as_ref().to_vec());
        self
    }
}

fn registry() -> Registry {
    Registry::of_tests(REQUESTS, TYPES, FACTS)
}

pub(super) const AT: u64 = 0x1000;

fn argument(name: &str, arg: u64, memory: &Pieces, when: When<'_>) -> Option<Value> {
    let registry = registry();
    let request = Named::plain(registry.find(name).unwrap());
    registry.argument(&request, Arch::X86_64, arg, memory, when)
}

#[track_caller]
fn assert_before(name: &str, memory: &Pieces, expected: &str) {
    assert_eq!(argument(name, AT, memory, When::Before).unwrap().to_string(), expected);
}

/// Both sides as they would be printed.
fn exchange(name: &str, before: &Pieces, after: &Pieces) -> String {
    let handed = argument(name, AT, before, When::Before);
    let back = argument(name, AT, after, When::After(Some(before)));
    let Exchange { left, right } = Value::exchange(handed, back);
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    [text(left), text(right)].into_iter().flatten().collect::<Vec<_>>().join(" => ")
}

#[test]
fn arguments_are_values_or_addresses() {
    let nothing = Pieces::default();
    let before = |name, arg| argument(name, arg, &nothing, When::Before).map(|value| value.to_string());
    assert_eq!(before("BY_VALUE", 2).as_deref(), Some("MODE_B"));
    assert_eq!(before("BY_VALUE", 0xffff_ffff_0000_0007).as_deref(), Some("0x7 /* MODE_??? */"));
    assert_eq!(before("FD", u64::from(u32::MAX)).as_deref(), Some("-1"));
    assert_eq!(before("NUMBER", 0).as_deref(), Some("NULL"));
    assert_eq!(before("NUMBER", AT).as_deref(), Some("0x1000"));
    assert_eq!(argument("BY_VALUE", 2, &nothing, When::After(None)), None);
    assert_eq!(argument("NUMBER", AT, &nothing, When::After(None)), None);
    let memory = at(AT, [2, 0, 0, 0]);
    assert_before("NUMBER", &memory, "[MODE_B]");
    assert_before("NAME", &at(AT, b"ab\0cd"), "\"ab\"");
    assert_before("NAME", &at(AT, b"ab"), "\"ab\"...");
    // Nobody knows whether it is an address.
    assert_eq!(before("UNKNOWN", 0).as_deref(), Some("0"));
    assert_before("UNKNOWN", &at(AT, b"\x01\x02\x03\x04\x05"), r#""\x01\x02\x03\x04""#);
    let registry = registry();
    let fd = Named::plain(registry.find("FD").unwrap());
    assert_eq!(registry.result(&fd, Arch::X86_64, 5), Some(Value::Descriptor(5)));
    assert_eq!(registry.result(&fd, Arch::X86_64, -1), None);
    assert_eq!(registry.result(&Named::plain(registry.find("GET").unwrap()), Arch::X86_64, 1), None);
}

#[test]
fn every_kind_has_its_form() {
    let mut bytes = Vec::new();
    bytes.extend(0x1f_u32.to_le_bytes());
    bytes.extend(b"YUYV");
    bytes.extend(0x801_u32.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(60_i64.to_le_bytes());
    bytes.extend([0, 80, 127, 0, 0, 1]);
    bytes.extend([0, 0, 10, 0, 0, 1]);
    bytes.extend([0; 15].into_iter().chain([1]));
    bytes.extend([0x52, 0x54, 0, 0x12, 0x34, 0x56, 0, 0]);
    bytes.extend([0xab; 16]);
    bytes.extend((-1_i32).to_le_bytes());
    bytes.extend([1, 2, 0, 0]);
    bytes.extend([0; 12]);
    let memory = at(AT, &bytes);
    let expected = "{hex=0x1f, code=v4l2_fourcc('Y', 'U', 'Y', 'V') /* FMT_YUYV */, dev=makedev(0x8, 0x1), \
                    when=60 /* 1970-01-01T00:01:00+0000 */, port=htons(80), ip=inet_addr(\"127.0.0.1\"), \
                    in=inet_addr(\"10.0.0.1\"), ip6=inet_pton(AF_INET6, \"::1\"), mac=52:54:00:12:34:56, \
                    uuid=abababab-abab-abab-abab-abababababab, fd=-1, big=258, ...}";
    let value = argument("KINDS", AT, &memory, When::Before).unwrap();
    assert_eq!(
        value.display(&Style::default()).to_string(),
        expected.replace("in=inet", "in={s_addr=inet").replace("10.0.0.1\")", "10.0.0.1\")}")
    );
}

#[test]
fn tables_say_how_fields_are_shown() {
    let head = [7, 0, 0, 0, b'S', 9, 0, 1, 0x16, 0, 1, 2];
    let bytes = [
        &head[..],
        &[3, 4, 0, 0],
        &[0xff; 8],
        &[1, 0, 0, 0, 30, 0, 0, 0, 5, 0, 0, 0, 1, 12, 6, 0],
        b"abcd",
        &[0; 12],
    ];
    let expected = "{first='S', bits=1<<BIT_A|1<<BIT_B, last=7, reserved=0x100, map=[MODE_A MODE_B 0x4], \
                    list=[[0]=0x1, [MODE_A]=0x2], chars=[3, 4], limit=UINT64_MAX, rate=1/30, at=5, version=KERNEL_VERSION(6, 12, 1), name=\"abc\"..., address=0}";
    assert_before("STYLED", &at(AT, bytes.concat()), expected);
    let bits = |bits| at(AT, [7, 0, 0, 0, b'S', bits]);
    assert_before("STYLED", &bits(0), "{first='S', bits=NONE, last=7, ...}");
    assert_before("STYLED", &bits(2), "{first='S', bits=0x2, last=7, ...}");
}

#[test]
fn addresses_are_followed_as_long_as_they_are_measured() {
    let word = |value: u32| value.to_le_bytes();
    let address = |value: u64| value.to_le_bytes();
    let head = [&word(2)[..], &word(2), &address(0x2000), &address(0x3000), &[9, 0, 9, 0, 8, 0, 8, 0, 7, 0]]
        .concat();
    let memory = at(AT, &head).and(0x2000, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]).and(0x3000, b"text and more");
    let expected =
        "{n=2, size=2, points=[{x=1, y=2}, {x=3, y=4}], text=\"text\", tail=[{x=9, y=9}, {x=8, y=8}]}";
    assert_before("BLOCKS", &memory, expected);
    let short = at(AT, &head[..24]).and(0x2000, [1, 0, 2]);
    let expected = "{n=2, size=2, points=[{x=1, ...}, ...], text=0x3000, tail=[...]}";
    assert_before("BLOCKS", &short, expected);
    let endless = at(AT, [address(1), address(AT)].concat());
    assert!(
        argument("LOOP", AT, &endless, When::Before).unwrap().to_string().ends_with("next=0x1000}}}}}}}}}")
    );
}

#[test]
fn values_choose_what_is_used() {
    let format = |kind: u8| at(AT, [kind, 0, 0, 0, 5, 0, 6, 0, 0, 0, 0, 0]);
    assert_before("SET", &format(1), "{type=TYPE_PIX, fmt.pix={x=5, y=6}}");
    assert_before(
        "SET",
        &format(2),
        "{type=2, {pix={x=5, y=6}}|{raw=[393221, 0]}}".replace("{pix", "fmt={pix").as_str(),
    );
    assert_before("SHIFTED", &at(AT, [1, 2, 3, 4]), "[OP_SET, 2, 3, 4]");
    assert_before("TERMINAL", &at(AT, [3, 1, 0, 2, 0]), "[TIO_SELECT, {x=1, y=2}]");
    let socket = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let expected =
        "{family=AF_INET, port=20480, addr={s_addr=inet_addr(\"127.0.0.1\")}, zero=[0 /* 8 times */]}";
    assert_before("SOCKET", &at(AT, socket), expected);
}

#[test]
fn padding_may_be_in_use() {
    let either = |kind: u8, value: u8| at(AT, [kind, 0, 0, 0, value, 0, 0, 0]);
    assert_before("EITHER", &either(0, 0), "{kind=KIND_NONE}");
    assert_before("EITHER", &either(0, 5), "{kind=KIND_NONE, pad=0x5}");
    assert_before("EITHER", &either(1, 0), "{kind=KIND_ID, id=0}");
}

#[test]
fn commands_behind_addresses() {
    let iface = |data: u64| [b"eth0\0\0\0\0".as_slice(), &data.to_le_bytes()].concat();
    let one = at(AT, iface(0x2000)).and(0x2000, [1, 0, 0, 0, 5, 0, 0, 0]);
    assert_before("IFACE", &one, "{name=\"eth0\", data={cmd=1, value=5}}");
    let two = at(AT, iface(0x2000)).and(0x2000, [2, 0, 0, 0, 0, 0, 0, 0]);
    assert_before("IFACE", &two, "{name=\"eth0\", data=[2]}");
    let words = [7_u64, 0x3000].map(u64::to_le_bytes).concat();
    let old = at(AT, iface(0x2000)).and(0x2000, &words).and(0x3000, [1, 0, 2, 0]);
    assert_before("IFACE", &old, "{name=\"eth0\", data=[7, {x=1, y=2}]}");
    let answered = at(AT, iface(0x2000)).and(0x2000, [1, 0, 0, 0, 6, 0, 0, 0]);
    assert_eq!(
        exchange("IFACE", &one, &answered),
        "{name=\"eth0\", data={cmd=1, value=5}} => {data={value=6}}"
    );
}

#[test]
fn what_comes_back_is_told_apart() {
    let format = |x: u8| at(AT, [1, 0, 0, 0, x, 0, 6, 0, 0, 0, 0, 0]);
    assert_eq!(exchange("GET", &format(1), &format(5)), "{type=TYPE_PIX, fmt.pix={x=5, y=6}}");
    assert_eq!(exchange("SET", &format(1), &format(5)), "{type=TYPE_PIX, fmt.pix={x=1, y=6}}");
    let point = |x: u8| at(AT, [x, 0, 6, 0]);
    assert_eq!(exchange("FILL", &point(1), &point(5)), "{x=5, y=6}");
    let number = |value: u8| at(AT, [value, 0, 0, 0]);
    assert_eq!(exchange("NUMBER", &number(1), &number(2)), "[MODE_A] => [MODE_B]");
    assert_eq!(exchange("NUMBER", &number(1), &number(1)), "[MODE_A]");
}

#[test]
fn the_kernel_fills_what_the_program_points_to() {
    let register = |value: u64| {
        let head = [1_u64, 0x2000].map(u64::to_le_bytes).concat();
        at(AT, head).and(0x2000, value.to_le_bytes())
    };
    assert_eq!(exchange("REGISTER", &register(0), &register(7)), "{id=0x1, addr=[7]}");
    // Only what the kernel filled is known after the call.
    let only = at(0x2000, [7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(exchange("REGISTER", &register(0), &only), "{id=0x1, addr=[7]}");
    let head = [0x2000_u64, 1].map(u64::to_le_bytes).concat();
    let msgs = [2_u64, 0x3000].map(u64::to_le_bytes).concat();
    let before = at(AT, &head).and(0x2000, &msgs).and(0x3000, b"...");
    let after = at(AT, &head).and(0x3000, b"ab");
    assert_eq!(exchange("TRANSFER", &before, &after), r#"{msgs=[{len=2, buf="\x61\x62"}], n=1}"#);
}

#[test]
fn no_more_comes_back_than_there_was_room_for() {
    let map = |found: u8, room: u8| {
        let points = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0];
        at(AT, [&[room, 0, 0, 0, found, 0, 0, 0][..], &points].concat())
    };
    assert_eq!(exchange("MAP", &map(0, 2), &map(1, 2)), "{room=2, found=1, points=[{x=1, y=2}]}");
    let greedy = "{room=2} => {room=9, found=9, points=[{x=1, y=2}, {x=3, y=4}]}";
    assert_eq!(exchange("MAP", &map(0, 2), &map(9, 9)), greedy);
}

/// Answers every address with the same bytes.
struct Same(Vec<u8>);

impl Memory for Same {
    fn bytes(&self, _: u64, length: u64) -> &[u8] {
        usize::try_from(length).ok().and_then(|length| self.0.get(..length)).unwrap_or(&self.0)
    }
}

proptest! {
    #[test]
    fn no_memory_panics(place in any::<prop::sample::Index>(), arg: u64, bytes in prop::collection::vec(any::<u8>(), 0..300), arch in 0_usize..11) {
        let registry = Registry::builtin();
        let requests: Vec<_> = registry.requests().collect();
        let request = Named::plain(requests[place.index(requests.len())]);
        let memory = Same(bytes);
        let before = registry.argument(&request, Arch::ALL[arch], arg, &memory, When::Before);
        let after = registry.argument(&request, Arch::ALL[arch], arg, &memory, When::After(Some(&memory)));
        let Exchange { left, right } = Value::exchange(before, after);
        for value in [left, right].into_iter().flatten() {
            prop_assert!(value.display(&Style::default()).to_string().bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
    }
}

/// `struct many` from its first members on; the rest is zero.
fn many(kind: u8, size: u8, word: u64) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0, size, 0, 0, 0];
    bytes.extend(word.to_le_bytes());
    bytes.resize(32, 0);
    bytes
}

#[test]
fn what_holds_always_gives_way_to_what_a_value_selects() {
    let text = |kind, size| at(AT, many(kind, size, 0x2000)).and(0x2000, "ab");
    assert_before("MANY", &text(1, 2), "{kind=KIND_SMALL, size=2, small=8192, fd=0}");
    assert_before("MANY", &text(7, 0), "{kind=7, size=0, large=8192, fd=0}");
    assert_before("MANY", &text(7, 2), r#"{kind=7, size=2, text="ab", fd=0}"#);
}

#[test]
fn padding_is_no_member_of_a_union() {
    let mut bytes = many(1, 0, 3);
    bytes[16..20].copy_from_slice(&[9, 0, 0, 0]);
    bytes[24..26].copy_from_slice(&[1, 0]);
    let shown = argument("MANY", AT, &at(AT, bytes), When::Before).unwrap().to_string();
    assert_eq!(shown, "{kind=KIND_SMALL, size=0, small=3, fd=9, {unused=0x1}}");
}

#[test]
fn unions_that_the_kernel_fills_hold_nothing_before() {
    let (before, mut after) = (at(AT, many(1, 0, 3)), many(1, 0, 3));
    after[20] = 5;
    let value = argument("MANY", AT, &at(AT, after), When::After(Some(&before))).unwrap();
    let before = argument("MANY", AT, &before, When::Before);
    let exchange = Value::exchange(before, Some(value));
    assert_eq!(exchange.right, None);
    assert_eq!(exchange.left.unwrap().to_string(), "{kind=KIND_SMALL, size=0, small=3, fd=0, {answer=5}}");
}

#[test]
fn without_room_for_all_nothing_is_filled() {
    let lists = |counts: [u8; 2]| {
        let [some, every] = counts;
        let mut bytes = vec![some, 0, 0, 0, every, 0, 0, 0];
        bytes.extend(0x2000_u64.to_le_bytes());
        bytes.extend(0x3000_u64.to_le_bytes());
        at(AT, bytes).and(0x2000, [1, 0, 2, 0, 3, 0, 4, 0]).and(0x3000, [5, 0, 6, 0, 7, 0, 8, 0])
    };
    let shows = |before, after, expected: &str| {
        let value = argument("LISTS", AT, &lists(after), When::After(Some(&lists(before)))).unwrap();
        assert_eq!(value.to_string(), expected);
    };
    shows([1, 1], [2, 2], "{some=2, every=2, a=[{x=1, y=2}], b=[]}");
    shows([2, 2], [1, 1], "{some=1, every=1, a=[{x=1, y=2}], b=[{x=5, y=6}]}");
}

#[test]
fn what_the_kernel_alone_writes_is_an_address_before() {
    assert_before("ANSWER", &at(AT, [1, 0, 2, 0]), "0x1000");
}

#[test]
fn the_result_may_be_the_length() {
    let registry = registry();
    let request = Named::plain(registry.find("BITMAP").unwrap());
    let memory = at(AT, [1, 2, 3, 4, 5, 6, 7, 8]);
    let shown = |request: &Named<'_>| {
        registry.argument(request, Arch::X86_64, AT, &memory, When::After(None)).unwrap().to_string()
    };
    assert_eq!(shown(&request), r#""\x01\x02\x03\x04\x05\x06\x07\x08""#);
    assert_eq!(shown(&request.clone().returning(2)), r#""\x01\x02""#);
    assert_eq!(shown(&request.returning(100)), r#""\x01\x02\x03\x04\x05\x06\x07\x08""#);
}
