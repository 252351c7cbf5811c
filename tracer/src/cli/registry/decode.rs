//! `decode`: what numbers mean.

use std::io::Write;

use ioctl_registry::{
    Arch, Arg, Block, Device, Edition, Encoding, Layout, Lookup, Made, Named, NumberError, Registry, Style,
    Value,
};

use super::{
    args::{DecodeArgs, Os},
    bytes,
    device::Hint,
    facts::{self, Facts},
    json, windows,
};
use crate::{cli::run::Failure, suggest::did_you_mean};

/// Elements and characters of a decoded argument that are shown.
const SHOWN: usize = 4096;

/// What is asked of every number.
pub struct Question<'a> {
    /// Where to look.
    pub registry: &'a Registry,
    /// The architecture of the program.
    pub arch: Arch,
    /// What the number is sent to.
    pub hint: Hint,
    /// The argument's bytes.
    pub bytes: Option<Vec<u8>>,
}

/// Prints what the numbers of a command line mean.
///
/// # Errors
/// A text that is no number, bytes that are none, a device that is none, and those of the writer.
pub fn run(args: &DecodeArgs, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    if args.target.os == Os::Windows {
        if args.bytes.is_some() || !args.device.is_empty() {
            return Err(Failure::Usage("--bytes and --device are for requests of Linux alone".to_owned()));
        }
        return windows::decode(&args.numbers, args.json, registry, out);
    }
    let arch = args.target.arch;
    let hint = Hint::parse(&args.device).map_err(Failure::Usage)?;
    // Standard input can be read but once, and a mistake anywhere leaves everything undone.
    let numbers = args.numbers.iter().map(|text| number(registry, text, arch));
    let numbers = numbers.collect::<Result<Vec<u32>, _>>().map_err(Failure::Usage)?;
    let bytes = args.bytes.as_deref().map(bytes::read).transpose().map_err(Failure::Usage)?;
    let question = Question { registry, arch, hint, bytes };
    for number in numbers {
        if args.json {
            json::decoded(&question, number, out)?;
        } else {
            out.write_all(text(&question, number).as_bytes())?;
        }
    }
    Ok(())
}

/// The number that a text stands for.
///
/// # Errors
/// Says what of the text is not understood, and which names are close to one that is not known.
pub fn number(registry: &Registry, text: &str, arch: Arch) -> Result<u32, String> {
    registry.number(text, arch).map_err(|error| {
        let close = match &error {
            NumberError::Name(name) => did_you_mean(name, registry.requests().map(|request| request.name())),
            _ => String::new(),
        };
        format!("{error}{close}")
    })
}

/// A number and its meaning, in words.
fn text(question: &Question<'_>, number: u32) -> String {
    let &Question { registry, arch, .. } = question;
    let lookup = registry.lookup(number, arch, &question.hint.device());
    let encoding = Encoding::of(number, arch);
    let mut facts = Facts::new(4);
    match &lookup {
        Lookup::Exact(named) => {
            add_making(&mut facts, question, named);
            facts.add("encoding", &facts::parts(encoding));
            add_request(&mut facts, question, named);
        }
        Lookup::Ambiguous(several) => {
            facts.add("encoding", &facts::parts(encoding));
            facts.add("shared", "which one is meant depends on the device:");
            for named in several {
                facts.add_part(&named.to_string(), |facts| {
                    add_making(facts, question, named);
                    add_request(facts, question, named);
                });
            }
        }
        Lookup::Resized(_, several) => {
            facts.add("encoding", &facts::parts(encoding));
            facts.add_list("elsewhere", ", ", elsewhere(registry, number, arch));
            facts.add("resized", "an older or newer kernel's form, perhaps, of:");
            for named in several {
                facts.add_part(&named.to_string(), |facts| {
                    add_making(facts, question, named);
                    facts.add("differs", &difference(named, encoding, arch));
                    add_request(facts, question, named);
                });
            }
        }
        Lookup::Block(_, blocks) => {
            facts.add("encoding", &facts::parts(encoding));
            facts.add("unknown", "no request that is known has this number, but its block is assigned");
            facts.add_list("elsewhere", ", ", elsewhere(registry, number, arch));
            blocks.iter().for_each(|block| facts.add("block", &assigned(block)));
        }
        Lookup::Unknown(_) | Lookup::Control(..) => {
            facts.add("encoding", &facts::parts(encoding));
            facts
                .add("unknown", "no request that is known has this number, and no block with it is assigned");
            facts.add_list("elsewhere", ", ", elsewhere(registry, number, arch));
        }
    }
    if matches!(lookup, Lookup::Block(..) | Lookup::Unknown(_)) && question.bytes.is_some() {
        facts.add("value", "cannot be decoded: the type of the argument is not known");
    }
    format!("{number:#x} {lookup}\n{}", facts.into_text())
}

/// What a number means on the other architectures, with their names.
fn elsewhere(registry: &Registry, number: u32, arch: Arch) -> Vec<String> {
    let mut meanings: Vec<(String, Vec<&str>)> = Vec::new();
    for other in Arch::ALL.into_iter().filter(|other| *other != arch) {
        let lookup = registry.lookup(number, other, &Device::default());
        if lookup.named().is_empty() {
            continue;
        }
        let name = lookup.to_string();
        match meanings.iter_mut().find(|(known, _)| *known == name) {
            Some((_, arches)) => arches.push(other.as_str()),
            None => meanings.push((name, vec![other.as_str()])),
        }
    }
    meanings.into_iter().map(|(name, arches)| format!("{name} on {}", arches.join(" "))).collect()
}

/// How a header makes the number.
fn add_making(facts: &mut Facts, question: &Question<'_>, named: &Named<'_>) {
    let making = match (named.made(), named.parameters()) {
        (Made::Plain, _) => Some("a plain number".to_owned()),
        // The values are facts of their own.
        (_, Some(_)) => None,
        _ => facts::making(question.registry, named, question.arch),
    };
    facts.add("made", &making.unwrap_or_default());
}

/// What is known of a request, and what it makes of the bytes.
fn add_request(facts: &mut Facts, question: &Question<'_>, named: &Named<'_>) {
    facts.add_request(question.registry, named, question.arch);
    add_bytes(facts, question, named);
}

/// What sets a number apart from the request that it resembles.
fn difference(named: &Named<'_>, encoding: Encoding, arch: Arch) -> String {
    let Some(number) = named.number(arch) else { return String::new() };
    let known = Encoding::of(number, arch);
    let mut differences = Vec::new();
    if known.size != encoding.size {
        differences.push(format!("{} instead of {}", facts::bytes(encoding.size.into()), known.size));
    }
    if known.dir != encoding.dir {
        differences.push(format!("direction {} instead of {}", encoding.dir, known.dir));
    }
    differences.join(", ")
}

/// Whom a block is assigned to.
pub fn assigned(block: &Block) -> String {
    let headers: Vec<&str> = block.headers().collect();
    let headers = if headers.is_empty() { "no header of the kernel".to_owned() } else { headers.join(", ") };
    let comment = if block.comment.is_empty() { String::new() } else { format!("; {}", block.comment) };
    let (ty, first, last) = (facts::letter(block.ty), block.first, block.last);
    format!("type {ty}, nr {first:#04x}-{last:#04x}: {headers}{comment}{}", edition(block))
}

/// Where a block is listed, if not in the newest edition of the document.
fn edition(block: &Block) -> String {
    if block.is_in(Edition::Linux6_12) {
        String::new()
    } else {
        format!("; only in the edition of {}", block.newest.as_str())
    }
}

/// The argument's bytes, by the type of a request.
fn add_bytes(facts: &mut Facts, question: &Question<'_>, named: &Named<'_>) {
    let Some(bytes) = &question.bytes else { return };
    match value(question, named) {
        Ok((layout, value)) => {
            let style = Style { limit: SHOWN, verbose: true, ..Style::default() };
            facts.add("value", &value.display(&style).to_string());
            facts.add("", &mismatch(&layout, bytes.len()));
        }
        Err(why) => facts.add("value", &why),
    }
}

/// The bytes' meaning, with the layout that tells it.
///
/// # Errors
/// Says why there is none.
pub fn value(question: &Question<'_>, named: &Named<'_>) -> Result<(std::sync::Arc<Layout>, Value), String> {
    let arg = named.arg();
    let ty = arg.ty().ok_or(match arg {
        Arg::None => "there is no argument",
        _ => "cannot be decoded: the type of the argument is not known",
    })?;
    let layout =
        question.registry.layout(ty, question.arch).map_err(|error| format!("cannot be decoded: {error}"))?;
    let value = question.registry.decode(&layout, question.bytes.as_deref().unwrap_or_default());
    Ok((layout, value))
}

/// Says when there are fewer or more bytes than the type has.
fn mismatch(layout: &Layout, given: usize) -> String {
    let given = given as u64;
    match given.checked_sub(layout.size) {
        None => format!("too short: {} of {} are given", given, facts::bytes(layout.size)),
        Some(0) => String::new(),
        Some(_) if facts::is_open(&layout.shape) => String::new(),
        Some(rest) => format!("too long: {} more than the type has are left out", facts::bytes(rest)),
    }
}
