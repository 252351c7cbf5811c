//! Text into tokens: words, numbers with their units, texts in quotes, symbols.

use winnow::{
    LocatingSlice, Parser,
    ascii::{digit0, hex_digit1, multispace0},
    combinator::{alt, opt, repeat},
    error::EmptyError,
    stream::{AsChar, Location},
    token::{any, one_of, take_while},
};

use super::{error::Mistake, syntax::Spanned};

/// The smallest part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(Vec<u8>),
    Number(Number),
    Symbol(Symbol),
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Integer(i128),
    Float(f64),
    /// Nanoseconds.
    Duration(i128),
}

/// What is no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Open,
    Close,
    Comma,
    Bar,
    And,
    Or,
    Not,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Glob,
    Regex,
}

/// The longer ones first: the first that fits is taken.
const SYMBOLS: [(&str, Symbol); 15] = [
    ("&&", Symbol::And),
    ("||", Symbol::Or),
    ("==", Symbol::Equal),
    ("!=", Symbol::NotEqual),
    ("<=", Symbol::LessEqual),
    (">=", Symbol::GreaterEqual),
    ("=~", Symbol::Regex),
    ("(", Symbol::Open),
    (")", Symbol::Close),
    (",", Symbol::Comma),
    ("|", Symbol::Bar),
    ("!", Symbol::Not),
    ("<", Symbol::Less),
    (">", Symbol::Greater),
    ("~", Symbol::Glob),
];

/// What people write out of habit, and what it is here.
const HABITS: [(&str, &str); 5] = [
    ("!~", "`!~` is written `not FIELD ~ PATTERN`"),
    ("=", "`=` is written `==`"),
    ("&", "one `&` means nothing: `and` or `&&` is meant, or `has` for flags"),
    ("*", "`*` is part of a pattern, and those stand behind `~`, as in `request ~ VIDIOC_*`"),
    ("@", "a family is written `family == NAME`"),
];

type Input<'t> = LocatingSlice<&'t str>;
type Parsed<T> = Result<T, EmptyError>;

/// Everything in a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Spanned<Token>>, Mistake> {
    let mut input = LocatingSlice::new(text);
    let mut tokens: Vec<Spanned<Token>> = Vec::new();
    loop {
        // It matches nothing as well, and so cannot fail.
        let _ = spaces(&mut input);
        if input.is_empty() {
            return Ok(tokens);
        }
        let start = input.current_token_start();
        let before = tokens.last().map(|token| &token.value);
        let value = token(&mut input, before)?;
        tokens.push(Spanned { value, span: start..input.current_token_start() });
    }
}

fn spaces<'t>(input: &mut Input<'t>) -> Parsed<&'t str> {
    multispace0.parse_next(input)
}

fn token(input: &mut Input<'_>, before: Option<&Token>) -> Result<Token, Mistake> {
    let start = input.current_token_start();
    let rest: &str = input;
    let here = |length: usize| start..start + length;
    if rest.starts_with(['"', '\'']) {
        let length =
            quoted_length(rest).ok_or_else(|| Mistake::new(&here(1), "this quote is never closed"))?;
        let inner = rest.get(1..length - 1).unwrap_or_default();
        let bytes = if before == Some(&Token::Symbol(Symbol::Regex)) {
            raw(inner)
        } else {
            unescaped(inner)
                .map_err(|(at, message)| Mistake::new(&(start + 1 + at.start..start + 1 + at.end), message))?
        };
        advance(input, length);
        return Ok(Token::Text(bytes));
    }
    if before == Some(&Token::Symbol(Symbol::Glob))
        && let Ok(pattern) = pattern(input)
    {
        return Ok(Token::Text(pattern.as_bytes().to_vec()));
    }
    if let Some((habit, remedy)) = HABITS.iter().find(|(habit, _)| rest.starts_with(habit))
        && !SYMBOLS.iter().any(|(text, _)| text.len() > habit.len() && rest.starts_with(text))
    {
        return Err(Mistake::new(&here(habit.len()), *remedy));
    }
    if let Some((text, symbol)) = SYMBOLS.iter().find(|(text, _)| rest.starts_with(text)) {
        advance(input, text.len());
        return Ok(Token::Symbol(*symbol));
    }
    if let Ok(text) = number(input) {
        let span = start..start + text.len();
        return read_number(text).map(Token::Number).map_err(|message| Mistake::new(&span, message));
    }
    if let Ok(word) = word(input) {
        if input.starts_with('*') {
            let (_, remedy) = HABITS[3];
            return Err(Mistake::new(&(start..start + word.len() + 1), remedy));
        }
        return Ok(Token::Word(word.to_owned()));
    }
    let length = rest.chars().next().map_or(0, char::len_utf8);
    Err(Mistake::new(&here(length), "this character means nothing here; put text in quotes"))
}

/// Goes on behind so many bytes.
fn advance(input: &mut Input<'_>, bytes: usize) {
    let end = input.current_token_start() + bytes;
    while input.current_token_start() < end {
        let next: Parsed<char> = any.parse_next(input);
        if next.is_err() {
            return;
        }
    }
}

/// A name, a path of names and places: `arg.msgs[0].len`, `snd-hda`.
fn word<'t>(input: &mut Input<'t>) -> Parsed<&'t str> {
    fn inside(c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_'
    }
    let part = alt((
        ('.', take_while(1.., inside)).void(),
        ('-', take_while(1.., inside)).void(),
        ('[', digit0, ']').void(),
    ));
    let first = (one_of(|c: char| c.is_ascii_alphabetic() || c == '_'), take_while(0.., inside));
    (first, repeat::<_, (), (), _, _>(0.., part)).take().parse_next(input)
}

/// A pattern without quotes.
fn pattern<'t>(input: &mut Input<'t>) -> Parsed<&'t str> {
    take_while(1.., |c: char| c.is_ascii_alphanumeric() || "_*?[]!/.:@+-".contains(c)).parse_next(input)
}

/// Everything that clings to a digit.
fn number<'t>(input: &mut Input<'t>) -> Parsed<&'t str> {
    let tail = take_while(0.., |c: char| c.is_alphanumeric() || c == '_' || c == '.');
    (opt('-'), one_of(AsChar::is_dec_digit), tail).take().parse_next(input)
}

/// Units of time in nanoseconds, and of size in bytes.
const DURATIONS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const SIZES: [(&str, i128); 14] = [
    ("K", 1 << 10),
    ("k", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("T", 1 << 40),
    ("TiB", 1 << 40),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Digits of a decimal number; more are more than anything here can hold.
const MAX_DIGITS: usize = 24;

fn read_number(text: &str) -> Result<Number, String> {
    let wrong = || format!("`{text}` is no number; numbers are 25, 0x19, 031, 1.5ms, 4K, 1MiB");
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let signed = |value: i128| if negative { -value } else { value };
    let plain = |digits: &str, radix| {
        let digits = digits.replace('_', "");
        u64::from_str_radix(&digits, radix).ok().map(|value| Number::Integer(signed(value.into())))
    };
    let mut hexadecimal = (alt(("0x", "0X")), hex_digit1::<_, EmptyError>);
    if hexadecimal.parse(digits).is_ok() {
        return digits.get(2..).and_then(|digits| plain(digits, 16)).ok_or_else(wrong);
    }
    if let Some(octal) = digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) {
        return plain(octal, 8).ok_or_else(wrong);
    }
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(digits.len());
    let (decimal, unit) = digits.split_at_checked(end).ok_or_else(wrong)?;
    if unit.is_empty() && decimal.len() > 1 && decimal.starts_with('0') && !decimal.contains('.') {
        return plain(decimal, 8).ok_or_else(wrong);
    }
    let decimal = decimal.replace('_', "");
    let (whole, fraction) = decimal.split_once('.').unwrap_or((&decimal, ""));
    if whole.is_empty() || decimal.ends_with('.') || fraction.contains('.') || decimal.len() > MAX_DIGITS {
        return Err(wrong());
    }
    if unit.is_empty() {
        return match fraction {
            "" => plain(whole, 10).ok_or_else(wrong),
            _ => decimal
                .parse()
                .map(|value: f64| Number::Float(if negative { -value } else { value }))
                .map_err(|_| wrong()),
        };
    }
    let find = |units: &[(&str, i128)]| units.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let (scale, is_time) = match (find(&DURATIONS), find(&SIZES)) {
        (Some(scale), _) => (scale, true),
        (None, Some(scale)) => (scale, false),
        (None, None) => {
            return Err(format!(
                "there is no unit `{unit}`; times are in ns, us, ms, s, min, h, and sizes in B, K, M, G, T, KiB, kB and the like"
            ));
        }
    };
    let digits: i128 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    let parts = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(u32::MAX).min(MAX_DIGITS as u32));
    let value = signed(digits.checked_mul(scale).ok_or_else(wrong)? / parts);
    Ok(if is_time { Number::Duration(value) } else { Number::Integer(value) })
}

/// Bytes of a text in quotes, with both of them.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A regular expression has escapes of its own; only the quotes are ours.
fn raw(inner: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.as_bytes();
    loop {
        rest = match rest {
            [b'\\', quote @ (b'"' | b'\''), rest @ ..] => {
                bytes.push(*quote);
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                bytes.extend([b'\\', *escaped]);
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
            [] => return bytes,
        };
    }
}

/// The bytes of a text with escapes, which are those that this program writes.
fn unescaped(inner: &str) -> Result<Vec<u8>, (std::ops::Range<usize>, String)> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        let at = inner.len() - rest.len();
        let (taken, byte) = match rest.strip_prefix('\\') {
            None => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                (c.len_utf8(), None)
            }
            Some(escape) => {
                let digits = |radix, most| {
                    escape.bytes().take(most).take_while(|byte| char::from(*byte).is_digit(radix)).count()
                };
                let number = |from: usize, length: usize, radix| {
                    escape.get(from..from + length).and_then(|digits| u8::from_str_radix(digits, radix).ok())
                };
                let octal = digits(8, 3);
                match escape.chars().next() {
                    Some('n') => (2, Some(b'\n')),
                    Some('r') => (2, Some(b'\r')),
                    Some('t') => (2, Some(b'\t')),
                    Some(same @ ('\\' | '"' | '\'')) => (2, u8::try_from(same).ok()),
                    Some('x') if number(1, 2, 16).is_some() => (4, number(1, 2, 16)),
                    Some('0'..='7') if number(0, octal, 8).is_some() => (1 + octal, number(0, octal, 8)),
                    other => {
                        let length = 1 + other.map_or(0, char::len_utf8);
                        let message =
                            "this escape is not known; known are \\n \\r \\t \\\\ \\\" \\' \\xHH and \\NNN";
                        return Err((at..at + length, message.to_owned()));
                    }
                }
            }
        };
        bytes.extend(byte);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        let cases = [
            ("25", Number::Integer(25)),
            ("-1", Number::Integer(-1)),
            ("0x19", Number::Integer(25)),
            ("0xffffffffffffffff", Number::Integer(u64::MAX.into())),
            ("031", Number::Integer(25)),
            ("0o31", Number::Integer(25)),
            ("1_000", Number::Integer(1000)),
            ("4K", Number::Integer(4096)),
            ("1.5MiB", Number::Integer(3 << 19)),
            ("2kB", Number::Integer(2000)),
            ("1ms", Number::Duration(1_000_000)),
            ("2.5us", Number::Duration(2500)),
            ("2\u{b5}s", Number::Duration(2000)),
            ("1.5", Number::Float(1.5)),
        ];
        for (text, number) in cases {
            assert_eq!(read_number(text), Ok(number), "{text}");
        }
        for wrong in
            ["1x", "0x", "08", "1.", "1.2.3", "0xfffffffffffffffff", "1e9", "99999999999999999999999999s"]
        {
            assert!(read_number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_have_the_escapes_that_are_written() {
        assert_eq!(unescaped(r#"a\n\\\"\x1b\033\0z"#), Ok(b"a\n\\\"\x1b\x1b\0z".to_vec()));
        assert!(unescaped(r"a\q").is_err_and(|(at, _)| at == (1..3)));
        assert!(unescaped(r"\xg0").is_err() && unescaped(r"\777").is_err());
        assert_eq!(raw(r#"\d+\"\\'"#), br#"\d+"\\'"#.to_vec());
    }

    #[test]
    fn words_are_paths() {
        let words = |text| {
            let found = tokens(text).expect("tokens").into_iter();
            found.map(|token| text.get(token.span).unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(words("arg.msgs[].len[3]>=-5"), ["arg.msgs[].len[3]", ">=", "-5"]);
        assert_eq!(words("path ~ /dev/dri/* and !compat"), ["path", "~", "/dev/dri/*", "and", "!", "compat"]);
        assert_eq!(words("driver==snd-hda"), ["driver", "==", "snd-hda"]);
    }
}
