//! The commands' JSON: one object a line. The keys are stable: scripts depend on them.

use std::io::{self, Write};

use ioctl_registry::{Arch, Arg, Block, Encoding, Lookup, Named, Registry, Request};
use serde::Serialize;

use super::decode::{self, Question};
use crate::{escape::is_plain, json::Decoded};

/// What a number means. The first ten keys are those of a traced call's `request`.
#[derive(Serialize)]
struct Number<'a> {
    number: u32,
    hex: String,
    name: Option<String>,
    names: Vec<String>,
    dir: &'static str,
    r#type: u8,
    nr: u8,
    size: u16,
    family: Option<&'a str>,
    header: Option<&'a str>,
    arg: Option<Argument>,
    arch: &'static str,
    status: &'static str,
    value: Option<Decoded>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<BlockLine<'a>>,
}

/// One of several requests that a number may stand for.
#[derive(Serialize)]
struct Candidate<'a> {
    name: String,
    family: &'a str,
    devices: Vec<&'a str>,
    header: &'a str,
    dir: Option<&'static str>,
    arg: Argument,
    value: Option<Decoded>,
}

impl<'a> Candidate<'a> {
    fn new(question: &Question<'a>, named: &Named<'a>) -> Self {
        let &Question { registry, arch, .. } = question;
        Self {
            name: named.to_string(),
            family: named.request.family(),
            devices: registry.devices(named.request).collect(),
            header: named.request.header(),
            dir: named.dir().map(|dir| dir.as_str()),
            arg: Argument::new(registry, &named.arg(), arch),
            value: value(question, named),
        }
    }
}

/// The bytes' meaning, if there are any and their type is known.
fn value(question: &Question<'_>, named: &Named<'_>) -> Option<Decoded> {
    question.bytes.as_ref()?;
    decode::value(question, named).ok().map(|(_, value)| Decoded(value))
}

/// An argument.
#[derive(Serialize)]
pub struct Argument {
    kind: &'static str,
    r#type: Option<String>,
    size: Option<u64>,
}

impl Argument {
    /// With the size that its type has on an architecture.
    pub fn new(registry: &Registry, arg: &Arg<'_>, arch: Arch) -> Self {
        let kind = match arg {
            Arg::Unknown => "unknown",
            Arg::None => "none",
            Arg::Value(_) => "value",
            Arg::Pointer(_) => "pointer",
        };
        let layout = arg.ty().and_then(|ty| registry.layout(ty, arch).ok());
        let title = layout.as_ref().map(|layout| layout.title());
        let size = layout.map(|layout| layout.size);
        Self { kind, r#type: title.or_else(|| arg.ty().map(str::to_owned)), size }
    }
}

/// Prints what a number means.
///
/// # Errors
/// Those of the writer.
pub fn decoded(question: &Question<'_>, number: u32, out: &mut dyn Write) -> io::Result<()> {
    let &Question { registry, arch, .. } = question;
    let lookup = registry.lookup(number, arch, &question.hint.device());
    let encoding = Encoding::of(number, arch);
    let (status, candidates, blocks) = match &lookup {
        Lookup::Exact(_) => ("exact", &[][..], &[][..]),
        Lookup::Ambiguous(several) => ("ambiguous", several.as_slice(), &[][..]),
        Lookup::Resized(_, several) => ("resized", several.as_slice(), &[][..]),
        Lookup::Block(_, blocks) => ("block", &[][..], blocks.as_slice()),
        Lookup::Unknown(_) | Lookup::Control(..) => ("unknown", &[][..], &[][..]),
    };
    let only = if let Lookup::Exact(named) = &lookup { Some(named) } else { None };
    let line = Number {
        number,
        hex: format!("{number:#x}"),
        name: only.map(ToString::to_string),
        names: lookup.named().iter().map(ToString::to_string).collect(),
        dir: only.and_then(|named| named.dir()).unwrap_or(encoding.dir).as_str(),
        r#type: encoding.ty,
        nr: encoding.nr,
        size: encoding.size,
        family: only.map(|named| named.request.family()),
        header: only.map(|named| named.request.header()),
        arg: only.map(|named| Argument::new(registry, &named.arg(), arch)),
        arch: arch.as_str(),
        status,
        value: only.and_then(|named| value(question, named)),
        candidates: candidates.iter().map(|named| Candidate::new(question, named)).collect(),
        blocks: blocks.iter().map(|block| BlockLine::new(block)).collect(),
    };
    write(&line, out)
}

/// A request of a list.
#[derive(Serialize)]
struct RequestLine<'a> {
    number: Option<u32>,
    hex: Option<String>,
    name: &'a str,
    aliases: Vec<&'a str>,
    dir: Option<&'static str>,
    r#type: Option<u8>,
    nr: Option<u8>,
    size: Option<u16>,
    family: &'a str,
    header: &'a str,
    line: Option<u32>,
    arg: Argument,
    current: bool,
}

/// Prints a request of a list.
///
/// # Errors
/// Those of the writer.
pub fn request(registry: &Registry, request: &Request, arch: Arch, out: &mut dyn Write) -> io::Result<()> {
    let number = request.number(arch);
    let parts = number.map(|number| Encoding::of(number, arch));
    let line = RequestLine {
        number,
        hex: number.map(|number| format!("{number:#x}")),
        name: request.name(),
        aliases: registry.aliases(request).collect(),
        dir: request.dir().map(|dir| dir.as_str()),
        r#type: parts.map(|parts| parts.ty),
        nr: parts.map(|parts| parts.nr),
        size: parts.map(|parts| parts.size),
        family: request.family(),
        header: request.header(),
        line: request.line(),
        arg: Argument::new(registry, &request.arg(), arch),
        current: request.is_current(),
    };
    write(&line, out)
}

/// An assigned block.
#[derive(Serialize)]
pub struct BlockLine<'a> {
    r#type: u8,
    first: u8,
    last: u8,
    headers: Vec<&'a str>,
    comment: &'a str,
    editions: Vec<&'static str>,
}

impl<'a> BlockLine<'a> {
    /// As the table has it.
    pub fn new(block: &'a Block) -> Self {
        let mut editions = vec![block.oldest.as_str(), block.newest.as_str()];
        editions.dedup();
        Self {
            r#type: block.ty,
            first: block.first,
            last: block.last,
            headers: block.headers().collect(),
            comment: block.comment,
            editions,
        }
    }
}

/// A number with several names.
#[derive(Serialize)]
struct ConflictLine<'a> {
    number: u32,
    hex: String,
    requests: Vec<Rival<'a>>,
}

#[derive(Serialize)]
struct Rival<'a> {
    name: &'a str,
    family: &'a str,
    header: &'a str,
    devices: Vec<&'a str>,
}

impl<'a> Rival<'a> {
    fn new(registry: &'a Registry, request: &'a Request) -> Self {
        Self {
            name: request.name(),
            family: request.family(),
            header: request.header(),
            devices: registry.devices(request).collect(),
        }
    }
}

/// Prints a number with several names.
///
/// # Errors
/// Those of the writer.
pub fn conflict(
    registry: &Registry,
    number: u32,
    requests: &[&Request],
    out: &mut dyn Write,
) -> io::Result<()> {
    let requests = requests.iter().map(|request| Rival::new(registry, request)).collect();
    write(&ConflictLine { number, hex: format!("{number:#x}"), requests }, out)
}

/// Prints a family.
///
/// # Errors
/// Those of the writer.
pub fn family(name: &str, requests: usize, devices: &[&str], out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Family<'a> {
        family: &'a str,
        requests: usize,
        devices: &'a [&'a str],
    }
    write(&Family { family: name, requests, devices }, out)
}

/// Prints an object and ends the line. Every character in it can be seen: JSON itself lets some through that turn text
/// around.
///
/// # Errors
/// Those of the writer.
pub fn write(line: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    for c in serde_json::to_string(line)?.chars() {
        if is_plain(c) {
            text.push(c);
        } else {
            text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text.push('\n');
    out.write_all(text.as_bytes())
}
