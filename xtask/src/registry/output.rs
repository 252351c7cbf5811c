//! Merges what the headers yield, renders the tables, and guards the committed ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    SOURCE,
    evaluate::{HeaderReport, Lost},
    overlay::Overlay,
};

/// A request as the table holds it.
pub struct Row {
    arg_type: String,
    header: String,
}

/// A macro whose body names another.
struct Alias {
    targets: Vec<String>,
    header: String,
    number: u32,
    arg_type: Option<String>,
}

/// Everything the headers yield, merged.
pub struct Tables {
    /// By name and number; a name with two numbers has two rows.
    requests: BTreeMap<(String, u32), Row>,
    /// Alias to canonical name and header.
    aliases: BTreeMap<String, (String, String)>,
    /// Names whose value is no 32-bit number.
    wide: usize,
    /// Candidates that do not compile, with their header.
    lost: Vec<(String, Lost)>,
}

impl Tables {
    /// Merges the reports of all headers.
    pub fn from_reports(reports: Vec<HeaderReport>, overlay: &Overlay) -> Result<Self> {
        let mut tables =
            Self { requests: BTreeMap::new(), aliases: BTreeMap::new(), wide: 0, lost: Vec::new() };
        let mut named: BTreeMap<String, Alias> = BTreeMap::new();
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for report in reports {
            let header = report.header;
            tables.lost.extend(report.lost.into_iter().map(|lost| (header.clone(), lost)));
            for found in report.found {
                names.entry(header.clone()).or_default().insert(found.name.clone());
                let Ok(number) = u32::try_from(found.value) else {
                    tables.wide += 1;
                    continue;
                };
                let mut targets = found.alias_of;
                targets.retain(|target| !overlay.starts_range(target));
                if !targets.is_empty() {
                    let alias = Alias { targets, header: header.clone(), number, arg_type: found.arg_type };
                    if named.get(&found.name).is_none_or(|old| rank(&alias.header) < rank(&old.header)) {
                        named.insert(found.name, alias);
                    }
                    continue;
                }
                let row = Row { arg_type: found.arg_type.unwrap_or_default(), header: header.clone() };
                tables.insert(found.name, number, row);
            }
        }
        tables.resolve_aliases(named);
        tables.apply_overlay(overlay)?;
        dead_globs(overlay, &names)?;
        Ok(tables)
    }

    /// Adds a request; of two headers that define the same, the better one stays.
    fn insert(&mut self, name: String, number: u32, row: Row) {
        let key = (name, number);
        if self.requests.get(&key).is_none_or(|old| rank(&row.header) < rank(&old.header)) {
            self.requests.insert(key, row);
        }
    }

    /// Follows chains of aliases to a request; what leads nowhere is a request of its own.
    fn resolve_aliases(&mut self, named: BTreeMap<String, Alias>) {
        let mut open = named;
        loop {
            let mut resolved = Vec::new();
            open.retain(|name, alias| {
                let target = alias.targets.iter().find_map(|target| self.canonical(target, alias.number));
                match target {
                    Some(target) => resolved.push((name.clone(), target, alias.header.clone())),
                    None => return true,
                }
                false
            });
            if resolved.is_empty() {
                break;
            }
            // A name that is a request by itself elsewhere is no alias.
            resolved.retain(|(name, ..)| !self.requests.keys().any(|(request, _)| request == name));
            self.aliases.extend(resolved.into_iter().map(|(name, target, header)| (name, (target, header))));
        }
        for (name, alias) in open {
            let row = Row { arg_type: alias.arg_type.unwrap_or_default(), header: alias.header };
            self.insert(name, alias.number, row);
        }
    }

    /// Moves requests that the overlay calls aliases.
    fn apply_overlay(&mut self, overlay: &Overlay) -> Result<()> {
        for [alias, name] in overlay.aliases() {
            let number =
                self.requests.keys().find(|(request, _)| request == alias).map(|(_, number)| *number);
            let row = number
                .filter(|number| self.requests.contains_key(&(name.clone(), *number)))
                .and_then(|number| self.requests.remove(&(alias.clone(), number)))
                .with_context(|| format!("aliases.tsv: {alias} and {name} are no requests of one number"))?;
            self.aliases.insert(alias.clone(), (name.clone(), row.header));
        }
        Ok(())
    }

    /// The request of that number which a name or an alias stands for.
    fn canonical(&self, name: &str, number: u32) -> Option<String> {
        let name = self.aliases.get(name).map_or(name, |(target, _)| target);
        let key = (name.to_owned(), number);
        self.requests.contains_key(&key).then_some(key.0)
    }

    /// Prints what was found and what was left out.
    pub fn print_counts(&self) {
        for (header, Lost { name, reason }) in &self.lost {
            eprintln!("registry: left out {name} of {header}: {reason}");
        }
        let typed = self.requests.values().filter(|row| !row.arg_type.is_empty()).count();
        let numbers: BTreeSet<u32> = self.requests.keys().map(|(_, number)| *number).collect();
        eprintln!(
            "registry: {} requests ({typed} with an argument type), {} numbers, {} aliases; left out: {} that do not \
             compile, {} beyond 32 bits",
            self.requests.len(),
            numbers.len(),
            self.aliases.len(),
            self.lost.len(),
            self.wide
        );
    }
}

/// Preference among headers that define the same request: what programs include comes first.
fn rank(header: &str) -> (u8, &str) {
    let class = match header.split_once('/').map(|(folder, _)| folder) {
        Some("linux") => 0,
        Some("asm-generic") => 2,
        Some("asm") => 3,
        _ => 1,
    };
    (class, header)
}

/// Fails when a glob of `legacy.tsv` selects nothing.
fn dead_globs(overlay: &Overlay, names: &BTreeMap<String, BTreeSet<String>>) -> Result<()> {
    let dead: Vec<String> = overlay
        .legacy_globs()
        .filter(|(header, glob)| {
            !names
                .get(*header)
                .is_some_and(|names| names.iter().any(|name| ioctl_registry::glob_matches(glob, name)))
        })
        .map(|(header, glob)| format!("{header}: {glob}"))
        .collect();
    ensure!(dead.is_empty(), "legacy.tsv has globs that match nothing: {}", dead.join(", "));
    Ok(())
}

/// `requests.tsv`.
pub fn render_requests(tables: &Tables) -> String {
    let mut text = format!(
        "# name\tnumber\targument type\theader\n# Generated by `cargo xtask registry` from {SOURCE}. Do not edit.\n"
    );
    for ((name, number), row) in &tables.requests {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}\t{number:#x}\t{}\t{}", row.arg_type, row.header);
    }
    text
}

/// `aliases.tsv`.
pub fn render_aliases(tables: &Tables) -> String {
    let mut text =
        format!("# alias\tname\theader\n# Generated by `cargo xtask registry` from {SOURCE}. Do not edit.\n");
    for (alias, (name, header)) in &tables.aliases {
        let _ = writeln!(text, "{alias}\t{name}\t{header}");
    }
    text
}

/// Writes the files, unless one would lose lines.
pub fn write(folder: &Path, files: &[(&str, String)], allow_shrink: bool) -> Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        let before = if path.exists() { lines(&fs::read_to_string(&path)?) } else { 0 };
        let after = lines(text);
        ensure!(
            allow_shrink || after >= before,
            "{name} would shrink from {before} to {after} lines; --allow-shrink accepts that"
        );
        eprintln!("registry: {name}: {before} -> {after} lines");
    }
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn lines(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// Fails when a committed file differs from what would be written.
pub fn check(folder: &Path, files: &[(&str, String)]) -> Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        let committed = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if committed == *text {
            continue;
        }
        let new: BTreeSet<&str> = text.lines().collect();
        let old: BTreeSet<&str> = committed.lines().collect();
        let example = new.symmetric_difference(&old).next().unwrap_or(&"the order of lines");
        bail!(
            "{} is stale ({} lines to add, {} to remove, such as `{example}`); run `cargo xtask registry`",
            path.display(),
            new.difference(&old).count(),
            old.difference(&new).count()
        );
    }
    eprintln!("registry: the committed data is up to date");
    Ok(())
}
