//! Control codes of Windows: `decode --os windows`, `show --os windows`, `list --os windows`.

use std::io::Write;

use ioctl_registry::{
    Arch, Device, Lookup, Named, Registry, Request, Shape,
    windows::{Access, CodeError, Codes, ControlCode, Kind, Method},
};
use serde::Serialize;

use super::{
    args::{ListArgs, ShowArgs},
    facts::Facts,
    json,
    list::{self, Pattern},
    show::{described, subcommand},
};
use crate::{
    cli::{run::Failure, say},
    suggest::did_you_mean,
};

/// Prints what codes mean.
///
/// # Errors
/// A text that is no code, and those of the writer.
pub fn decode(
    texts: &[String],
    as_json: bool,
    registry: &Registry,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let registry = registry.windows();
    let parsed = texts.iter().map(|text| parse(registry, text)).collect::<Result<Vec<_>, _>>()?;
    for code in parsed {
        if as_json {
            json::write(&CodeLine::new(registry, code), out)?
        } else {
            out.write_all(text(registry, code, Arch::Win64).as_bytes())?
        }
    }
    Ok(())
}

/// As [`decode`], with globs over the names too, with types, and with the layouts of what the buffers hold.
///
/// # Errors
/// A text that is no code or type and matches none, and those of the writer.
pub fn show(args: &ShowArgs, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    let registry = registry.windows();
    let arch = if args.target.arch.pointer_size() == 4 { Arch::Win32 } else { Arch::Win64 };
    let mut texts = Vec::new();
    for name in &args.names {
        if name.contains(['*', '?', '[']) {
            let before = texts.len();
            texts.extend(
                registry
                    .matching(name)
                    .map(|request| with_layouts(registry, code(request), arch, args.expand)),
            );
            if texts.len() == before {
                return Err(Failure::Usage(format!("no control code matches `{name}`")));
            }
        } else if registry.find(name).is_none()
            && let Ok(layout) = registry.layout(name, arch)
        {
            let mut facts = Facts::new(0);
            facts.add_list("taken by", ", ", takers(registry, name));
            texts.push(described(&layout, args.expand) + &facts.into_text());
        } else {
            texts.push(with_layouts(registry, parse(registry, name)?, arch, args.expand));
        }
    }
    write!(out, "{}", texts.join("\n"))?;
    Ok(())
}

/// The codes one of whose buffers is of a type.
fn takers<'r>(registry: &'r Registry, ty: &'r str) -> impl Iterator<Item = &'r str> {
    let takes = move |request: &&Request| {
        let both = request.control().map(|control| [&control.input, &control.output]);
        both.is_some_and(|both| both.into_iter().any(|other| base(other) == ty))
    };
    registry.requests().filter(takes).map(Request::name)
}

/// The type of an array's elements.
fn base(ty: &str) -> &str {
    ty.split('[').next().unwrap_or(ty)
}

/// A code and its meaning, with the layouts of its buffers.
fn with_layouts(registry: &Registry, code: ControlCode, arch: Arch, expand: bool) -> String {
    let mut all = text(registry, code, arch);
    let mut seen: Vec<&str> = Vec::new();
    for named in lookup(registry, code).named() {
        let Some(control) = named.request.control() else { continue };
        for ty in [base(&control.input), base(&control.output)] {
            if !seen.contains(&ty)
                && let Ok(layout) = registry.layout(ty, arch)
                && matches!(layout.shape, Shape::Record(_) | Shape::Enumeration(_))
            {
                all += &format!("\n{}", described(&layout, expand));
            }
            seen.push(ty);
        }
    }
    all
}

/// Lists codes by name.
///
/// # Errors
/// Nothing matches, and those of the writer.
pub fn list(args: &ListArgs, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    if args.family.is_some() || args.conflicts || args.blocks || args.families {
        return Err(Failure::Usage(
            "--family, --conflicts, --blocks and --families are for requests of Linux alone".to_owned(),
        ));
    }
    let registry = registry.windows();
    let pattern = Pattern::new(args.pattern.as_deref());
    let named: Vec<&Request> =
        registry.requests().filter(|request| pattern.matches(request.name())).collect();
    list::some(named.is_empty(), "control code", args.pattern.as_deref())?;
    let count = named.len();
    if args.json {
        named.into_iter().try_for_each(|request| json::write(&CodeLine::named(request), out))?;
    } else {
        let rows = named.into_iter().map(|request| {
            [
                format!("{:#x}", code(request).0),
                request.name().to_owned(),
                kind(request).as_str().to_owned(),
                place(request),
            ]
        });
        list::table(&rows.collect::<Vec<_>>(), out)?;
    }
    out.flush()?;
    say(&list::counted(count, "control code"));
    Ok(())
}

fn parse(registry: &Registry, text: &str) -> Result<ControlCode, Failure> {
    if let Some(request) = registry.find(text) {
        return Ok(code(request));
    }
    Codes::builtin().parse(text).map_err(|error| {
        let close = match &error {
            CodeError::Unknown(name) => did_you_mean(name, registry.requests().map(Request::name)),
            _ => String::new(),
        };
        Failure::Usage(format!("{error}{close}"))
    })
}

/// The number of a code is the same everywhere.
fn code(request: &Request) -> ControlCode {
    ControlCode(request.number(Arch::Win64).unwrap_or_default())
}

fn kind(request: &Request) -> Kind {
    request.control().map_or_else(|| code(request).kind(), |control| control.kind)
}

fn lookup(registry: &Registry, code: ControlCode) -> Lookup<'_> {
    registry.lookup(code.0, Arch::Win64, &Device::default())
}

/// A code and its meaning, in words.
fn text(registry: &Registry, code: ControlCode, arch: Arch) -> String {
    let lookup = lookup(registry, code);
    let parts = code.parts();
    let mut facts = Facts::new(4);
    facts.add("code", &code.to_string());
    let name = Codes::builtin().device_name(parts.device).unwrap_or("no name in public headers");
    let vendor = |is| if is { "; from the vendors' range" } else { "" };
    facts.add("device", &format!("{:#x} {name}{}", parts.device, vendor(code.has_vendor_device())));
    let function = if parts.function == 0 { "0".to_owned() } else { format!("{:#x}", parts.function) };
    facts.add("function", &format!("{function}{}", vendor(code.has_vendor_function())));
    facts.add("method", &format!("{}: {}", parts.method.as_str(), method(parts.method)));
    facts.add("access", &format!("{}: {}", parts.access.as_str(), access(parts.access)));
    match lookup.named() {
        [] => add_kind(&mut facts, code.kind(), code),
        [only] => add_named(&mut facts, registry, only, arch),
        several => {
            facts.add("shared", "which one is meant depends on the device:");
            for named in several {
                facts.add_part(named.name(), |facts| add_named(facts, registry, named, arch));
            }
        }
    }
    format!("{:#x} {lookup}\n{}", code.0, facts.into_text())
}

fn add_named(facts: &mut Facts, registry: &Registry, named: &Named<'_>, arch: Arch) {
    let request = named.request;
    add_kind(facts, kind(request), code(request));
    if let Some(control) = request.control() {
        facts.add("input", buffer(&control.input));
        facts.add("output", buffer(&control.output));
    }
    for (place, command) in registry.subcommands(request).enumerate() {
        facts.add(if place == 0 { "outputs" } else { "" }, &subcommand(registry, command, arch));
    }
    facts.add("defined", &place(request));
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

fn place(request: &Request) -> String {
    match request.line() {
        Some(line) => format!("{}:{line}", request.header()),
        None => request.header().to_owned(),
    }
}

/// A code as JSON.
#[derive(Serialize)]
struct CodeLine<'r> {
    number: u32,
    hex: String,
    name: Option<&'r str>,
    names: Vec<&'r str>,
    code: String,
    device: u16,
    device_name: Option<&'static str>,
    function: u16,
    method: &'static str,
    access: &'static str,
    kind: &'static str,
    input: Option<&'r str>,
    output: Option<&'r str>,
    header: Option<&'r str>,
    os: &'static str,
    status: &'static str,
}

impl<'r> CodeLine<'r> {
    /// A code, with what it may mean.
    fn new(registry: &'r Registry, code: ControlCode) -> Self {
        let lookup = lookup(registry, code);
        let status = match &lookup {
            Lookup::Exact(_) => "exact",
            Lookup::Ambiguous(_) => "ambiguous",
            _ => "unknown",
        };
        let several: Vec<&'r Request> = lookup.named().iter().map(|named| named.request).collect();
        let only = if let [only] = several.as_slice() { Some(*only) } else { None };
        Self {
            names: several.iter().map(|request| request.name()).collect(),
            ..Self::make(code, only, status)
        }
    }

    /// A code under one of its names.
    fn named(request: &'r Request) -> Self {
        Self { names: vec![request.name()], ..Self::make(code(request), Some(request), "exact") }
    }

    fn make(code: ControlCode, only: Option<&'r Request>, status: &'static str) -> Self {
        let parts = code.parts();
        let control = only.and_then(Request::control);
        let known = |text: &'r str| Some(text).filter(|text| !text.is_empty());
        Self {
            number: code.0,
            hex: format!("{:#x}", code.0),
            name: only.map(Request::name),
            names: Vec::new(),
            code: code.to_string(),
            device: parts.device,
            device_name: Codes::builtin().device_name(parts.device),
            function: parts.function,
            method: parts.method.as_str(),
            access: parts.access.as_str(),
            kind: only.map_or_else(|| code.kind(), kind).as_str(),
            input: control.and_then(|control| known(&control.input)),
            output: control.and_then(|control| known(&control.output)),
            header: only.map(Request::header),
            os: "windows",
            status,
        }
    }
}
