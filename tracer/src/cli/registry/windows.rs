//! Control codes of Windows: `decode --os windows`, `show --os windows`, `list --os windows`.

use std::io::Write;

use ioctl_registry::windows::{Access, CodeError, Codes, ControlCode, Kind, Lookup, Method, Named};
use serde::Serialize;

use super::{
    args::ListArgs,
    facts::Facts,
    json,
    list::{self, Pattern},
};
use crate::{
    cli::{run::Failure, say},
    suggest::did_you_mean,
};

/// Prints what codes mean.
///
/// # Errors
/// A text that is no code, and those of the writer.
pub fn decode(texts: &[String], as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let codes = Codes::builtin();
    let parsed = texts.iter().map(|text| parse(codes, text)).collect::<Result<Vec<_>, _>>()?;
    for code in parsed {
        if as_json {
            json::write(&CodeLine::new(codes, code), out)?
        } else {
            out.write_all(text(codes, code).as_bytes())?
        }
    }
    Ok(())
}

/// As [`decode`], with globs over the names too.
///
/// # Errors
/// A text that is no code and matches none, and those of the writer.
pub fn show(texts: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let codes = Codes::builtin();
    let mut chosen = Vec::new();
    for text in texts {
        if text.contains(['*', '?', '[']) {
            let before = chosen.len();
            chosen.extend(codes.matching(text).map(|named| named.code));
            if chosen.len() == before {
                return Err(Failure::Usage(format!("no control code matches `{text}`")));
            }
        } else {
            chosen.push(parse(codes, text)?);
        }
    }
    for (place, code) in chosen.into_iter().enumerate() {
        let gap = if place == 0 { "" } else { "\n" };
        write!(out, "{gap}{}", text(codes, code))?;
    }
    Ok(())
}

/// Lists codes by name.
///
/// # Errors
/// Nothing matches, and those of the writer.
pub fn list(args: &ListArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if args.family.is_some() || args.conflicts || args.blocks || args.families {
        return Err(Failure::Usage(
            "--family, --conflicts, --blocks and --families are for requests of Linux alone".to_owned(),
        ));
    }
    let codes = Codes::builtin();
    let pattern = Pattern::new(args.pattern.as_deref());
    let named: Vec<&Named> = codes.codes().filter(|named| pattern.matches(named.name)).collect();
    list::some(named.is_empty(), "control code", args.pattern.as_deref())?;
    let count = named.len();
    if args.json {
        named.into_iter().try_for_each(|named| json::write(&CodeLine::named(codes, named), out))?;
    } else {
        let rows = named.into_iter().map(|named| {
            [
                format!("{:#x}", named.code.0),
                named.name.to_owned(),
                named.kind.as_str().to_owned(),
                place(named),
            ]
        });
        list::table(&rows.collect::<Vec<_>>(), out)?;
    }
    out.flush()?;
    say(&list::counted(count, "control code"));
    Ok(())
}

fn parse(codes: &Codes, text: &str) -> Result<ControlCode, Failure> {
    codes.parse(text).map_err(|error| {
        let close = match &error {
            CodeError::Unknown(name) => did_you_mean(name, codes.codes().map(|named| named.name)),
            _ => String::new(),
        };
        Failure::Usage(format!("{error}{close}"))
    })
}

/// A code and its meaning, in words.
fn text(codes: &Codes, code: ControlCode) -> String {
    let lookup = codes.lookup(code.0);
    let parts = code.parts();
    let mut facts = Facts::new(4);
    facts.add("code", &code.to_string());
    let name = codes.device_name(parts.device).unwrap_or("no name in public headers");
    let vendor = |is| if is { "; from the vendors' range" } else { "" };
    facts.add("device", &format!("{:#x} {name}{}", parts.device, vendor(code.has_vendor_device())));
    let function = if parts.function == 0 { "0".to_owned() } else { format!("{:#x}", parts.function) };
    facts.add("function", &format!("{function}{}", vendor(code.has_vendor_function())));
    facts.add("method", &format!("{}: {}", parts.method.as_str(), method(parts.method)));
    facts.add("access", &format!("{}: {}", parts.access.as_str(), access(parts.access)));
    match named(&lookup).as_slice() {
        [] => add_kind(&mut facts, code.kind(), code),
        [only] => add_named(&mut facts, only),
        several => {
            facts.add("shared", "which one is meant depends on the device:");
            for named in several {
                facts.add_part(named.name, |facts| add_named(facts, named));
            }
        }
    }
    format!("{:#x} {lookup}\n{}", code.0, facts.into_text())
}

fn add_named(facts: &mut Facts, named: &Named) {
    add_kind(facts, named.kind, named.code);
    facts.add("input", buffer(named.input));
    facts.add("output", buffer(named.output));
    facts.add("defined", &place(named));
}

/// What a column of the tables says of a buffer.
fn buffer(text: &str) -> &str {
    if text == "-" { "none" } else { text }
}

fn add_kind(facts: &mut Facts, kind: Kind, code: ControlCode) {
    let vendor = code.has_vendor_device() || code.has_vendor_function();
    let why = match (kind, vendor) {
        (Kind::Internal, _) => "drivers send it to each other; programs cannot",
        (Kind::Socket, _) => "of a socket; not made by CTL_CODE, so the parts above mean nothing",
        (Kind::Public, true) => "a public header defines it, though in a vendors' range",
        (Kind::Public, false) => "device type and function are from Microsoft's ranges",
        (Kind::Private, _) => "device type or function are from the vendors' ranges",
    };
    facts.add("kind", &format!("{}: {why}", kind.as_str()));
    facts.add("sent by", &kind.packets().join(" or "));
}

const fn method(method: Method) -> &'static str {
    match method {
        Method::Buffered => "both buffers are copied",
        Method::InDirect => "the first buffer is copied, the second is locked for the driver to read",
        Method::OutDirect => "the first buffer is copied, the second is locked for the driver to write",
        Method::Neither => "the driver gets the caller's addresses as they are",
    }
}

const fn access(access: Access) -> &'static str {
    match access {
        Access::Any => "every handle may send it",
        Access::Read => "the handle must be open for reading",
        Access::Write => "the handle must be open for writing",
        Access::ReadWrite => "the handle must be open for reading and writing",
    }
}

fn place(named: &Named) -> String {
    match named.line {
        Some(line) => format!("{}:{line}", named.header),
        None => named.header.to_owned(),
    }
}

fn named<'c>(lookup: &Lookup<'c>) -> Vec<&'c Named> {
    match lookup {
        Lookup::Exact(named) => vec![*named],
        Lookup::Ambiguous(several) => several.clone(),
        Lookup::Unknown(_) => Vec::new(),
    }
}

/// A code as JSON.
#[derive(Serialize)]
struct CodeLine {
    number: u32,
    hex: String,
    name: Option<&'static str>,
    names: Vec<&'static str>,
    code: String,
    device: u16,
    device_name: Option<&'static str>,
    function: u16,
    method: &'static str,
    access: &'static str,
    kind: &'static str,
    input: Option<&'static str>,
    output: Option<&'static str>,
    header: Option<&'static str>,
    os: &'static str,
    status: &'static str,
}

impl CodeLine {
    /// A code, with what it may mean.
    fn new(codes: &Codes, code: ControlCode) -> Self {
        let lookup = codes.lookup(code.0);
        let status = match &lookup {
            Lookup::Exact(_) => "exact",
            Lookup::Ambiguous(_) => "ambiguous",
            Lookup::Unknown(_) => "unknown",
        };
        let several = named(&lookup);
        let only = if let [only] = several.as_slice() { Some(*only) } else { None };
        Self {
            names: several.iter().map(|named| named.name).collect(),
            ..Self::make(codes, code, only, status)
        }
    }

    /// A code under one of its names.
    fn named(codes: &Codes, named: &Named) -> Self {
        Self { names: vec![named.name], ..Self::make(codes, named.code, Some(named), "exact") }
    }

    fn make(codes: &Codes, code: ControlCode, only: Option<&Named>, status: &'static str) -> Self {
        let parts = code.parts();
        let known = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        Self {
            number: code.0,
            hex: format!("{:#x}", code.0),
            name: only.map(|named| named.name),
            names: Vec::new(),
            code: code.to_string(),
            device: parts.device,
            device_name: codes.device_name(parts.device),
            function: parts.function,
            method: parts.method.as_str(),
            access: parts.access.as_str(),
            kind: only.map_or(code.kind(), |named| named.kind).as_str(),
            input: only.and_then(|named| known(named.input)),
            output: only.and_then(|named| known(named.output)),
            header: only.map(|named| named.header),
            os: "windows",
            status,
        }
    }
}
