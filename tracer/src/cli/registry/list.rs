//! `list`: requests, families, numbers with several names, assigned blocks.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use ioctl_registry::{Arch, Arg, Edition, Registry, Request, glob_matches};

use super::{
    args::{ListArgs, Os},
    facts, json, windows,
};
use crate::{
    cli::{run::Failure, say},
    suggest::did_you_mean,
};

/// Which names are wanted.
pub struct Pattern(Option<String>);

impl Pattern {
    /// A glob, or a text that is contained; without one, everything.
    pub fn new(text: Option<&str>) -> Self {
        Self(text.map(|text| {
            let text = text.to_lowercase();
            if text.contains(['*', '?', '[']) { text } else { format!("*{text}*") }
        }))
    }

    /// Whether a name is wanted; case does not count.
    pub fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|glob| glob_matches(glob, &name.to_lowercase()))
    }
}

/// Prints the list that a command line asks for.
///
/// # Errors
/// A family that is not known, nothing that matches, and those of the writer.
pub fn run(args: &ListArgs, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    if args.target.os == Os::Windows {
        return windows::list(args, registry, out);
    }
    if let Some(family) = &args.family
        && registry.family(family).next().is_none()
    {
        let close = did_you_mean(family, registry.families());
        return Err(Failure::Usage(format!(
            "no family is named `{family}`{close}; `list --families` shows all"
        )));
    }
    let (count, what) = match () {
        () if args.blocks => (blocks(args, registry, out)?, "block"),
        () if args.families => (families(args, registry, out)?, "family"),
        () if args.conflicts => (conflicts(args, registry, out)?, "number"),
        () => (requests(args, registry, out)?, "request"),
    };
    some(count == 0, what, args.pattern.as_deref())?;
    out.flush()?;
    say(&counted(count, what));
    Ok(())
}

/// `1 request`, `3 families`.
pub fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

/// Fails when there is nothing to list.
///
/// # Errors
/// Says that nothing matches.
pub fn some(nothing: bool, what: &str, pattern: Option<&str>) -> Result<(), Failure> {
    match (nothing, pattern) {
        (false, _) => Ok(()),
        (true, Some(pattern)) => Err(Failure::Usage(format!("no {what} matches `{pattern}`"))),
        (true, None) => Err(Failure::Usage(format!("there is no such {what}"))),
    }
}

/// Whether a request is wanted, under whichever of its names.
fn wanted(args: &ListArgs, registry: &Registry, pattern: &Pattern, request: &Request) -> bool {
    args.family.as_ref().is_none_or(|family| request.family() == family)
        && (pattern.matches(request.name()) || registry.aliases(request).any(|alias| pattern.matches(alias)))
}

fn requests(args: &ListArgs, registry: &Registry, out: &mut dyn Write) -> io::Result<usize> {
    let arch = args.target.arch;
    let pattern = Pattern::new(args.pattern.as_deref());
    let here = |request: &&Request| request.parameters().is_some() || request.number(arch).is_some();
    let all = registry.requests().filter(here);
    let chosen: Vec<&Request> = all.filter(|request| wanted(args, registry, &pattern, request)).collect();
    if args.json {
        chosen.iter().try_for_each(|request| json::request(registry, request, arch, out))?;
    } else {
        table(&chosen.iter().map(|request| row(registry, request, arch)).collect::<Vec<_>>(), out)?;
    }
    Ok(chosen.len())
}

/// Number, name, direction, argument, family, header.
fn row(registry: &Registry, request: &Request, arch: Arch) -> [String; 6] {
    let number = request.number(arch).map_or_else(|| "varies".to_owned(), |number| format!("{number:#x}"));
    let name = match request.parameters() {
        Some(parameters) => {
            format!("{}({})", request.name(), parameters.names().collect::<Vec<_>>().join(", "))
        }
        None => request.name().to_owned(),
    };
    let arg = match request.arg() {
        Arg::Unknown => "?".to_owned(),
        Arg::None => "-".to_owned(),
        Arg::Value(ty) => format!("={}", facts::title(registry, &ty, arch)),
        Arg::Pointer(ty) => facts::title(registry, &ty, arch),
    };
    let gone = if request.is_current() { String::new() } else { format!(" ({})", facts::kernels(request)) };
    let dir = request.dir().map_or("?", |dir| dir.as_str()).to_owned();
    [number, name, dir, arg, request.family().to_owned(), facts::place(request) + &gone]
}

fn conflicts(args: &ListArgs, registry: &Registry, out: &mut dyn Write) -> io::Result<usize> {
    let arch = args.target.arch;
    let pattern = Pattern::new(args.pattern.as_deref());
    let groups = registry.conflicts(arch);
    let groups: Vec<_> = groups
        .filter(|(_, requests)| requests.iter().any(|request| wanted(args, registry, &pattern, request)))
        .collect();
    for (number, requests) in &groups {
        if args.json {
            json::conflict(registry, *number, requests, out)?;
            continue;
        }
        writeln!(out, "{number:#x}{}", alike(registry, requests))?;
        let rows: Vec<_> = requests
            .iter()
            .map(|request| {
                let devices: Vec<&str> = registry.devices(request).collect();
                let older = if request.is_current() {
                    String::new()
                } else {
                    format!(" ({})", facts::kernels(request))
                };
                [format!("    {}", request.name()), request.family().to_owned(), devices.join(", ") + &older]
            })
            .collect();
        table(&rows, out)?;
    }
    Ok(groups.len())
}

/// Says when no device tells requests apart.
fn alike(registry: &Registry, requests: &[&Request]) -> &'static str {
    let mut devices = requests.iter().map(|request| registry.devices(request).collect::<Vec<_>>());
    let Some(first) = devices.next() else { return "" };
    if devices.all(|other| other == first) { ": the same devices; nothing tells them apart" } else { "" }
}

fn blocks(args: &ListArgs, registry: &Registry, out: &mut dyn Write) -> io::Result<usize> {
    let pattern = Pattern::new(args.pattern.as_deref());
    let all = registry.all_blocks().iter();
    let chosen: Vec<_> = all
        .filter(|block| {
            pattern.matches(block.comment) || block.headers().any(|header| pattern.matches(header))
        })
        .collect();
    if args.json {
        chosen.iter().try_for_each(|block| json::write(&json::BlockLine::new(block), out))?;
        return Ok(chosen.len());
    }
    let rows = chosen.iter().map(|block| {
        let editions =
            [Edition::Linux2_6_31, Edition::Linux6_12].into_iter().filter(|edition| block.is_in(*edition));
        [
            facts::letter(block.ty),
            format!("{:#04x}-{:#04x}", block.first, block.last),
            editions.map(Edition::as_str).collect::<Vec<_>>().join(","),
            block.headers().collect::<Vec<_>>().join(", "),
            block.comment.to_owned(),
        ]
    });
    table(&rows.collect::<Vec<_>>(), out)?;
    Ok(chosen.len())
}

fn families(args: &ListArgs, registry: &Registry, out: &mut dyn Write) -> io::Result<usize> {
    let pattern = Pattern::new(args.pattern.as_deref());
    // Number of requests, and the devices of any of them in the order of the first.
    let mut families: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for request in registry.requests().filter(|request| pattern.matches(request.family())) {
        let (count, devices) = families.entry(request.family()).or_default();
        *count += 1;
        for device in registry.devices(request) {
            if !devices.contains(&device) {
                devices.push(device);
            }
        }
    }
    if args.json {
        families.iter().try_for_each(|(name, (count, devices))| json::family(name, *count, devices, out))?;
    } else {
        let rows = families
            .iter()
            .map(|(name, (count, devices))| [(*name).to_owned(), format!("{count:>4}"), devices.join(", ")]);
        table(&rows.collect::<Vec<_>>(), out)?;
    }
    Ok(families.len())
}

/// Prints columns as wide as their widest text.
///
/// # Errors
/// Those of the writer.
pub fn table<const N: usize>(rows: &[[String; N]], out: &mut dyn Write) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_globs_or_parts() {
        let matches = |pattern, name| Pattern::new(Some(pattern)).matches(name);
        assert!(matches("winsz", "TIOCGWINSZ") && matches("tiocg*", "TIOCGWINSZ"));
        assert!(!matches("winsz*", "TIOCGWINSZ"));
        assert!(Pattern::new(None).matches("anything"));
    }

    #[test]
    fn counts_have_their_plural() {
        assert_eq!(
            (counted(1, "family"), counted(2, "family"), counted(0, "block")),
            ("1 family".into(), "2 families".into(), "0 blocks".into())
        );
    }
}
