//! Tests of values as text.

use super::*;

#[track_caller]
fn assert_shows(value: &Value, style: &Style<'_>, expected: &str) {
    assert_eq!(value.display(style).to_string(), expected);
}

fn record(members: impl IntoIterator<Item = (&'static str, Value, Show)>) -> Value {
    let member = |(name, value, show): (&str, _, _)| Member { name: name.into(), value, show };
    Value::Record(members.into_iter().map(member).collect())
}

#[test]
fn texts_are_escaped_and_cut() {
    let text = |bytes: &[u8], cut| Value::Text { bytes: bytes.to_vec(), cut, fixed: false, full: false };
    let style = Style::default();
    assert_eq!(text(b"a\"\\\n\x01z\x012\xff", false).to_string(), r#""a\"\\\n\1z\0012\377""#);
    assert_shows(&text(b"abcdef", false), &Style { limit: 3, ..style }, "\"abc\"...");
    assert_eq!(text(b"ab", true).to_string(), "\"ab\"...");
    let hex = |hex_strings| Style { hex_strings, ..style };
    assert_shows(&text(b"a\n", false), &hex(1), r#""a\n""#);
    assert_shows(&text(b"a\x01", false), &hex(1), r#""\x61\x01""#);
    assert_shows(&text(b"a\n", false), &hex(2), r#""\x61\x0a""#);
}

#[test]
fn texts_in_a_room_of_their_own_are_whole() {
    let text = |full| Value::Text { bytes: b"abcd".to_vec(), cut: false, fixed: true, full };
    let short = Style { limit: 2, ..Style::default() };
    assert_shows(&text(false), &short, "\"abcd\"");
    assert_shows(&text(true), &short, "\"abc\"...");
}

#[test]
fn zeros_are_counted() {
    assert_eq!(Value::Bytes { bytes: vec![0; 9], cut: false }.to_string(), "[0 /* 9 times */]");
    assert_eq!(Value::Bytes { bytes: vec![0, 31], cut: false }.to_string(), r#""\x00\x1f""#);
    let items = vec![Value::Integer(0); 5];
    assert_eq!(Value::Array { items, cut: false }.to_string(), "[0 /* 5 times */]");
}

#[test]
fn unions_show_what_could_be_meant() {
    let bytes = vec![1, 0];
    let raw = Value::Bytes { bytes: bytes.clone(), cut: false };
    let members = vec![
        Member::new("a", Value::Integer(1)),
        Member::new("raw", raw),
        Member::new("b", Value::Bool(true)),
    ];
    let union = Value::Union { bytes: bytes.clone(), members };
    assert_eq!(union.to_string(), "{a=1}|{b=true}");
    let many = (0..4).map(|_| Member::new("x", Value::Integer(1))).collect();
    assert_eq!(Value::Union { bytes, members: many }.to_string(), r#""\x01\x00""#);
}

#[test]
fn constants_are_written_as_wished() {
    let style = |xlat| Style { xlat, ..Style::default() };
    let name = |value, name: Option<&str>| {
        let prefix = if name.is_none() { Some("X_".into()) } else { None };
        Value::Enumeration { value, name: name.map(Into::into), prefix }
    };
    assert_shows(&name(1, Some("X_A")), &style(Xlat::Raw), "0x1");
    assert_shows(&name(1, Some("X_A")), &style(Xlat::Verbose), "0x1 /* X_A */");
    assert_shows(&name(7, None), &style(Xlat::Abbrev), "0x7 /* X_??? */");
    assert_shows(&name(-1, None), &style(Xlat::Raw), "0xffffffff");
    assert_shows(&name(0, None), &style(Xlat::Abbrev), "0 /* X_??? */");
    let flags = |value, names: &[&str], rest| {
        let prefix = if names.is_empty() { Some("F_".into()) } else { None };
        Value::Flags { value, names: names.iter().map(|&name| name.into()).collect(), rest, prefix }
    };
    assert_shows(&flags(0x43, &["A", "B"], 0x40), &style(Xlat::Abbrev), "A|B|0x40");
    assert_shows(&flags(0x43, &["A", "B"], 0x40), &style(Xlat::Verbose), "0x43 /* A|B|0x40 */");
    assert_shows(&flags(0x43, &["A", "B"], 0x40), &style(Xlat::Raw), "0x43");
    assert_shows(&flags(0x40, &[], 0x40), &style(Xlat::Abbrev), "0x40 /* F_??? */");
    let value = |prefix: &str| Value::Flags {
        value: 0x43,
        names: vec!["A".into()],
        rest: 0x40,
        prefix: Some(prefix.into()),
    };
    assert_shows(&value("V_"), &style(Xlat::Abbrev), "A|0x40 /* V_??? */");
    assert_shows(&value("V_"), &style(Xlat::Verbose), "0x43 /* A|0x40 */");
    assert_shows(&flags(0, &[], 0), &style(Xlat::Verbose), "0");
}

#[test]
fn fields_are_hidden_or_not() {
    let zero = || Value::Integer(0);
    let value = record([
        ("a", Value::Integer(1), Show::Always),
        ("b", zero(), Show::Verbose),
        ("pad", zero(), Show::NonZero),
        ("pad2", Value::Integer(2), Show::NonZero),
    ]);
    assert_shows(&value, &Style::default(), "{a=1, pad2=2, ...}");
    assert_shows(&value, &Style { verbose: true, ..Style::default() }, "{a=1, b=0, pad2=2}");
    assert_shows(&record([("b", zero(), Show::Verbose)]), &Style::default(), "{...}");
}

#[test]
fn members_in_use_are_named() {
    let variant = |name: &str, value| Value::Variant { name: name.into(), value: Box::new(value) };
    let pix = || variant("pix", record([("w", Value::Integer(1), Show::Always)]));
    let named = record([("fmt", pix(), Show::Always)]);
    assert_eq!(named.to_string(), "{fmt.pix={w=1}}");
    let anonymous = record([("", pix(), Show::Always)]);
    assert_eq!(anonymous.to_string(), "{pix={w=1}}");
    assert_eq!(variant("u", variant("x", Value::Integer(3))).to_string(), "{u.x=3}");
}

#[test]
fn kinds_have_their_forms() {
    let at = |value| Value::Pointee { address: 16, value: Box::new(value) };
    let name = Some("V4L2_PIX_FMT_YUYV".into());
    for (value, expected) in [
        (Value::Hex(31), "0x1f"),
        (Value::Hex(0), "0"),
        (
            Value::Fourcc { value: 0x5659_5559, name },
            "v4l2_fourcc('Y', 'U', 'Y', 'V') /* V4L2_PIX_FMT_YUYV */",
        ),
        (
            Value::Fourcc { value: 0x3432_5258, name: Some("DRM_FORMAT_XRGB8888".into()) },
            "fourcc_code('X', 'R', '2', '4') /* DRM_FORMAT_XRGB8888 */",
        ),
        (Value::Fourcc { value: 0x8000_2731, name: None }, r"v4l2_fourcc('1', '\'', '\x00', '\x80')"),
        (
            Value::Indexed {
                members: vec![Member::new("VINTR", Value::Hex(3)), Member::new("17", Value::Hex(0))],
                cut: true,
            },
            "[[VINTR]=0x3, [17]=0, ...]",
        ),
        (Value::Numbered { value: 0x100, name: Some("K_F1".into()) }, "0x100 /* K_F1 */"),
        (Value::Numbered { value: 0x105, name: None }, "0x105"),
        (Value::Tone { period: 440, duration: None }, "440 /* 2711 Hz */"),
        (Value::Tone { period: 0, duration: None }, "0 /* off */"),
        (Value::Tone { period: 1, duration: Some(1) }, "1<<16|1 /* 1193182 Hz, 1 ms */"),
        (Value::Tone { period: 440, duration: Some(0) }, "440 /* off */"),
        (Value::Char(b'S'), "'S'"),
        (Value::Char(b'\\'), r"'\\'"),
        (Value::Char(0), r"'\x00'"),
        (Value::Kernel(0x0006_0c01), "KERNEL_VERSION(6, 12, 1)"),
        (
            Value::Fraction(vec![
                Member::new("numerator", Value::Integer(1)),
                Member::new("denominator", Value::Integer(30)),
            ]),
            "1/30",
        ),
        (Value::Device { major: 8, minor: 1 }, "makedev(0x8, 0x1)"),
        (Value::Time(1_795_131_601), "1795131601 /* 2026-11-19T23:40:01+0000 */"),
        (Value::Time(i64::MIN), "-9223372036854775808"),
        (Value::Port(80), "htons(80)"),
        (Value::Ipv4([127, 0, 0, 1].into()), "inet_addr(\"127.0.0.1\")"),
        (Value::Ipv6(1_u128.into()), "inet_pton(AF_INET6, \"::1\")"),
        (Value::Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]), "52:54:00:12:34:56"),
        (Value::Uuid([0xab; 16]), "abababab-abab-abab-abab-abababababab"),
        (Value::Descriptor(-1), "-1"),
        (at(Value::Integer(5)), "[5]"),
        (at(record([("a", Value::Integer(1), Show::Always)])), "{a=1}"),
        (at(Value::Text { bytes: b"x".to_vec(), cut: false, fixed: false, full: false }), "\"x\""),
        (at(at(Value::Integer(5))), "[[5]]"),
    ] {
        assert_eq!(value.to_string(), expected);
    }
    let names = |number| (number == 3).then(|| "/dev/null".to_owned());
    let style = Style { descriptors: Some(&names), ..Style::default() };
    assert_shows(&Value::Descriptor(3), &style, "3</dev/null>");
    assert_shows(&Value::Descriptor(4), &style, "4");
    let raw = Style { xlat: Xlat::Raw, ..Style::default() };
    assert_shows(&Value::Device { major: 8, minor: 1 }, &raw, "0x801");
}

#[test]
fn versions_have_their_number_beside_them() {
    let version = Value::Kernel(0x0006_0c01);
    let style = |xlat| Style { xlat, ..Style::default() };
    assert_shows(&version, &style(Xlat::Raw), "0x60c01");
    assert_shows(&version, &style(Xlat::Verbose), "0x60c01 /* KERNEL_VERSION(6, 12, 1) */");
}

#[test]
fn few_bits_are_named() {
    let names: Vec<Name> = ["A", "B", "C", "D", "E"].map(Into::into).into();
    let bitmap = |names: &[Name], cut| Value::Bitmap { bytes: vec![31], names: names.to_vec(), cut };
    assert_shows(&bitmap(&names, false), &Style::default(), "[A B C D ...]");
    assert_eq!(bitmap(&names, false).to_string(), "[A B C D E]");
    assert_eq!(bitmap(&names[..1], true).to_string(), "[A ...]");
    assert_eq!(bitmap(&[], false).to_string(), "[]");
}

#[test]
fn the_day_of_a_time_stands_behind_its_struct() {
    let time = |seconds, name, part| {
        record([("sec", Value::Time(seconds), Show::Always), (name, Value::Integer(part), Show::Always)])
    };
    let expected = "{sec=60, nsec=5} /* 1970-01-01T00:01:00.000000005+0000 */";
    assert_eq!(time(60, "nsec", 5).to_string(), expected);
    assert_eq!(time(60, "tv_nsec", 0).to_string(), "{sec=60, tv_nsec=0} /* 1970-01-01T00:01:00+0000 */");
    assert_eq!(time(0, "nsec", 0).to_string(), "{sec=0, nsec=0}");
    assert_eq!(time(60, "zone", 1).to_string(), "{sec=60 /* 1970-01-01T00:01:00+0000 */, zone=1}");
}

#[test]
fn what_is_missing_may_be_shown_before_what_is_not() {
    let value = record([("a", Value::Missing, Show::Always), ("b", Value::Integer(1), Show::Always)]);
    assert_eq!(value.to_string(), "{b=1, ...}");
}
