//! `show`: all that is known of requests and types.

use std::io::Write;

use ioctl_registry::{Arch, Arg, Device, Layout, Named, Registry, Request, Shape, Subcommand, TypeError};

use super::{
    args::{Os, ShowArgs},
    decode,
    facts::{self, Facts},
    windows,
};
use crate::{cli::run::Failure, suggest::did_you_mean};

/// What a name on the command line stands for.
enum Subject<'r> {
    /// All rows of a request's name, the newest first.
    Request(&'r [Request]),
    /// A type, as C writes it.
    Type(&'r str),
}

/// Prints what the names of a command line stand for.
///
/// # Errors
/// A name that is not known, and those of the writer.
pub fn run(args: &ShowArgs, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    if args.target.os == Os::Windows {
        return windows::show(args, registry, out);
    }
    let mut subjects = Vec::new();
    for name in &args.names {
        find(registry, name, args.target.arch, &mut subjects).map_err(Failure::Usage)?;
    }
    for (place, subject) in subjects.iter().enumerate() {
        let text = match subject {
            Subject::Request(rows) => request(registry, rows, args),
            Subject::Type(ty) => {
                type_alone(registry, ty, args).map_err(|error| Failure::Usage(error.to_string()))?
            }
        };
        let gap = if place == 0 { "" } else { "\n" };
        write!(out, "{gap}{text}")?;
    }
    Ok(())
}

/// Finds what a name stands for: a request, several by glob or number, or a type.
fn find<'r>(
    registry: &'r Registry,
    text: &'r str,
    arch: Arch,
    subjects: &mut Vec<Subject<'r>>,
) -> Result<(), String> {
    let before = subjects.len();
    let name = text.split('(').next().unwrap_or(text).trim();
    if !registry.rows(name).is_empty() {
        subjects.push(Subject::Request(registry.rows(name)));
        return Ok(());
    }
    // A pointer to anything would be a type too.
    if !text.contains(['*', '?']) && registry.layout(text, arch).is_ok() {
        subjects.push(Subject::Type(text));
        return Ok(());
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) || text.starts_with("_IO") {
        let number = decode::number(registry, text, arch)?;
        for named in registry.lookup(number, arch, &Device::default()).named() {
            subjects.push(Subject::Request(registry.rows(named.name())));
        }
        let unknown =
            || format!("no request that is known has the number {number:#x}; `decode` takes it apart");
        return if subjects.len() > before { Ok(()) } else { Err(unknown()) };
    }
    if text.contains(['*', '?', '[']) {
        let mut last = "";
        for request in registry
            .matching(text)
            .filter(|request| request.name() != std::mem::replace(&mut last, request.name()))
        {
            subjects.push(Subject::Request(registry.rows(request.name())));
        }
        return if subjects.len() > before {
            Ok(())
        } else {
            Err(format!("no ioctl request matches `{text}`"))
        };
    }
    if let Err(error @ (TypeError::Opaque(_) | TypeError::Unknown(_))) = registry.layout(text, arch)
        && text.contains(' ')
    {
        return Err(format!("{error}{}", did_you_mean(text, registry.type_names())));
    }
    let names = registry.requests().map(Request::name).chain(registry.type_names());
    Err(format!("no ioctl request or type is named `{text}`{}", did_you_mean(text, names)))
}

/// Everything about a request's name.
fn request(registry: &Registry, rows: &[Request], args: &ShowArgs) -> String {
    let arch = args.target.arch;
    let mut rows: Vec<&Request> = rows.iter().collect();
    // Those of the architecture that was asked for come first, and stay in their order otherwise.
    rows.sort_by_key(|row| row.parameters().is_none() && row.number(arch).is_none());
    let is_older = |place: usize, row: &Request| place > 0 && !row.is_current();
    let mut text = String::new();
    let mut types: Vec<(String, Arch)> = Vec::new();
    let mut history = Facts::new(4);
    for (place, row) in rows.into_iter().enumerate() {
        let arch = home(row, arch);
        if is_older(place, row) {
            let kernels = facts::kernels(row);
            history.add("history", &format!("{kernels}: {}", numbers(row).join("; ")));
            history.add("", &facts::argument(registry, &row.arg(), row.dir(), arch));
            continue;
        }
        let gap = if place == 0 { "" } else { "\n" };
        text += &format!("{gap}{}\n{}", heading(row), row_facts(registry, row, arch));
        types.extend(row.arg().ty().map(|ty| (base(ty).to_owned(), arch)));
    }
    text += &history.into_text();
    types.dedup();
    for (ty, arch) in types {
        if let Ok(layout) = registry.layout(&ty, arch)
            && matches!(layout.shape, Shape::Record(_) | Shape::Enumeration(_))
        {
            text += &format!("\n{}", described(&layout, args.expand));
        }
    }
    text
}

/// The architecture that was asked for, or else the first that has the request.
fn home(row: &Request, wanted: Arch) -> Arch {
    let here = row.parameters().is_some() || row.number(wanted).is_some();
    if here { wanted } else { row.arches().next().unwrap_or(wanted) }
}

/// The type of an array's elements.
fn base(ty: &str) -> &str {
    ty.split('[').next().unwrap_or(ty)
}

fn heading(row: &Request) -> String {
    match row.parameters() {
        Some(parameters) => format!("{}({})", row.name(), parameters.names().collect::<Vec<_>>().join(", ")),
        None => row.name().to_owned(),
    }
}

/// The facts of one row.
fn row_facts(registry: &Registry, row: &Request, arch: Arch) -> String {
    let mut facts = Facts::new(4);
    let made = match row.parameters() {
        Some(parameters) => {
            format!("type {}, direction {}", facts::letter(parameters.ty()), parameters.dir())
        }
        None => facts::making(registry, row, arch).unwrap_or_else(|| "a plain number".to_owned()),
    };
    facts.add("made", &made);
    facts.add("number", &numbers(row).join("\n"));
    let named = Named::plain(row);
    facts.add_request(registry, &named, arch);
    for (place, name) in row.parameters().iter().flat_map(|parameters| parameters.names().enumerate()) {
        let set = row
            .parameters()
            .and_then(|parameters| parameters.set(place))
            .and_then(|set| registry.set(set, arch));
        if let Some(set) = set {
            let constants = set.constants().iter().map(|(constant, value)| format!("{constant}={value}"));
            facts.add_list("parameter", " ", [format!("{name}:")].into_iter().chain(constants));
        }
    }
    facts.add_list("shared", ", ", sharing(registry, row, arch));
    for (place, command) in registry.subcommands(row).enumerate() {
        facts.add(if place == 0 { "commands" } else { "" }, &subcommand(registry, command, arch));
    }
    facts.into_text()
}

/// The numbers, each with its architectures.
fn numbers(row: &Request) -> Vec<String> {
    let mut groups: Vec<(Option<u32>, Vec<&str>)> = Vec::new();
    if row.parameters().is_some() {
        return vec!["follows from the parameters; `decode` takes them".to_owned()];
    }
    for arch in Arch::ALL {
        let number = row.number(arch);
        match groups.iter_mut().find(|(other, _)| *other == number) {
            Some((_, arches)) => arches.push(arch.as_str()),
            None => groups.push((number, vec![arch.as_str()])),
        }
    }
    groups.sort_by_key(|(number, _)| number.is_none());
    let line = |(number, arches): (Option<u32>, Vec<&str>)| match number {
        Some(number) if arches.len() == Arch::ALL.len() => format!("{number:#x} everywhere"),
        Some(number) => format!("{number:#x} {}", arches.join(" ")),
        None => format!("none on {}", arches.join(" ")),
    };
    groups.into_iter().map(line).collect()
}

/// Other requests of the same number.
fn sharing<'r>(registry: &'r Registry, row: &Request, arch: Arch) -> Vec<String> {
    let Some(number) = row.number(arch) else { return Vec::new() };
    let all =
        registry.requests().filter(|other| other.number(arch) == Some(number) && other.name() != row.name());
    let mut names: Vec<String> =
        all.map(|other: &'r Request| format!("{} ({})", other.name(), other.family())).collect();
    names.dedup();
    names
}

/// What a value selects.
pub fn subcommand(registry: &Registry, command: &Subcommand, arch: Arch) -> String {
    let arg = if command.arg.is_empty() {
        String::new()
    } else {
        format!(": {}", facts::title(registry, command.arg, arch))
    };
    let dir = command.dir.map(|dir| format!(", {dir}")).unwrap_or_default();
    match command.value {
        Some(value) => format!("{} = {value} {}{arg}{dir}", command.selector, command.name),
        None => format!("always{arg}{dir}"),
    }
}

/// A type, with the requests that take it.
fn type_alone(registry: &Registry, ty: &str, args: &ShowArgs) -> Result<String, TypeError> {
    let mut text = described(&*registry.layout(ty, args.target.arch)?, args.expand);
    let takes = |request: &&Request| match request.arg() {
        Arg::Value(other) | Arg::Pointer(other) => {
            // Elements count too; lengths do not tell types apart.
            other.split(['[', '~']).next() == ty.split(['[', '~']).next()
        }
        Arg::Unknown | Arg::None => false,
    };
    let mut names: Vec<&str> = registry.requests().filter(takes).map(Request::name).collect();
    names.dedup();
    let mut facts = Facts::new(0);
    facts.add_list("taken by", ", ", names);
    text += &facts.into_text();
    Ok(text)
}

/// A type with offsets, and its architecture if that is not this machine's.
pub fn described(layout: &Layout, expand: bool) -> String {
    let text = layout.describe(expand);
    if layout.arch == Arch::native() { text } else { format!("/* on {} */\n{text}", layout.arch) }
}
