//! Reads the hand-written tables that steer the generator.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use ioctl_registry::glob_matches;

use super::{facts, pass::Headers};

/// What the overlay says of headers.
pub struct Overlay {
    legacy: Vec<Legacy>,
    preludes: BTreeMap<String, String>,
    empty: Vec<String>,
    aliases: Vec<[String; 2]>,
    parametrised: Vec<[String; 4]>,
    size_exceptions: Vec<[String; 3]>,
    wanted: BTreeSet<String>,
    private: Vec<Legacy>,
}

/// What the overlay says of a request with a parameter.
#[derive(Debug, Clone, Default)]
pub struct ParametrisedFacts {
    /// It only helps to define requests.
    pub helper: bool,
    /// What the parameter that is added to the nr may be: `0..0x1f`.
    pub range: String,
    /// Sets of constants that name parameters' values: `ev=EV`.
    pub sets: String,
    /// The argument, where the macro does not say.
    pub arg: Option<String>,
}

struct Legacy {
    header: String,
    globs: Vec<String>,
}

impl Legacy {
    fn new(header: String, globs: &str) -> Self {
        Self { header, globs: globs.split_whitespace().map(str::to_owned).collect() }
    }
}

/// What most headers want to see first.
const LIBC: &str = "#include <stddef.h>\n#include <stdint.h>\n#include <sys/types.h>\n#include <sys/time.h>\n\
                    #include <time.h>\n#include <sys/socket.h>\n#include <linux/types.h>\n#include <linux/ioctl.h>\n\
                    #include <linux/sockios.h>\n";
const BARE: &str = "#include <stddef.h>\n#include <stdint.h>\n";
/// What files of the kernel itself want to see first. Static branches are assembly that this compiler cannot fold.
const KERNEL: &str = "#undef CONFIG_JUMP_LABEL\n#include <linux/types.h>\n#include <linux/ioctl.h>\n#include <linux/compat.h>\n";

impl Overlay {
    /// Reads the tables of the folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut legacy = Vec::new();
        for [header, globs] in rows(&folder.join("legacy.tsv"))? {
            legacy.push(Legacy::new(header, &globs));
        }
        let mut preludes = BTreeMap::new();
        let mut empty = Vec::new();
        for [header, kind, lines] in rows(&folder.join("headers.tsv"))? {
            let libc = match kind.as_str() {
                "libc" => LIBC,
                "bare" => BARE,
                "empty" => {
                    empty.push(header);
                    continue;
                }
                other => bail!("headers.tsv: {header}: `{other}` is neither `libc` nor `bare` nor `empty`"),
            };
            preludes.insert(header, format!("{libc}{}\n", lines.replace(" | ", "\n")));
        }
        let mut private = Vec::new();
        for [file, globs, lines] in rows(&folder.join("private.tsv"))? {
            preludes.insert(file.clone(), format!("{KERNEL}{}\n", lines.replace(" | ", "\n")));
            private.push(Legacy::new(file, &globs));
        }
        Ok(Self {
            legacy,
            private,
            wanted: wanted(folder)?,
            preludes,
            empty,
            aliases: rows(&folder.join("aliases.tsv"))?,
            parametrised: rows(&folder.join("parametrised.tsv"))?,
            size_exceptions: rows(&folder.join("size-exceptions.tsv"))?,
        })
    }

    /// Whether plain numbers of this header are listed.
    pub fn is_legacy(&self, header: &str) -> bool {
        self.legacy.iter().chain(&self.private).any(|entry| entry.header == header)
    }

    /// Whether a plain number of this header is a request.
    pub fn is_legacy_request(&self, header: &str, name: &str) -> bool {
        // As in ignore files, the last glob that matches decides.
        self.globs(header).fold(false, |selected, glob| match glob.strip_prefix('!') {
            Some(excluded) => selected && !glob_matches(excluded, name),
            None => selected || glob_matches(glob.trim_start_matches('~'), name),
        })
    }

    /// Whether what looks like a request is none.
    pub fn is_excluded(&self, header: &str, name: &str) -> bool {
        self.globs(header).filter_map(|glob| glob.strip_prefix('!')).any(|glob| glob_matches(glob, name))
    }

    /// Pairs of a request and the one that it is another name of.
    pub fn aliases(&self) -> &[[String; 2]] {
        &self.aliases
    }

    /// Whether a request starts a range of numbers, so that what is defined as its number is no alias.
    pub fn starts_range(&self, name: &str) -> bool {
        self.legacy.iter().flat_map(|entry| &entry.globs).any(|glob| glob.strip_prefix('~') == Some(name))
    }

    /// What is said of a macro with parameters.
    pub fn parametrised(&self, name: &str) -> Option<ParametrisedFacts> {
        let [_, range, sets, arg] = self.parametrised.iter().find(|[glob, ..]| glob_matches(glob, name))?;
        let arg = Some(arg.clone()).filter(|arg| !arg.is_empty());
        Some(ParametrisedFacts { helper: range == "helper", range: range.clone(), sets: sets.clone(), arg })
    }

    /// Fails when `parametrised.tsv` lists a request that no header defines.
    pub fn check_parametrised<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<()> {
        let names: Vec<&str> = names.collect();
        let listed =
            self.parametrised.iter().filter(|[_, range, ..]| range != "helper").map(|[name, ..]| name);
        let stale: Vec<&String> = listed.filter(|name| !names.contains(&name.as_str())).collect();
        ensure!(stale.is_empty(), "parametrised.tsv lists what no header defines: {stale:?}");
        Ok(())
    }

    /// Requests whose number carries another size than their argument's type has: name, architectures, reason.
    pub fn size_exceptions(&self) -> &[[String; 3]] {
        &self.size_exceptions
    }

    /// Fails when a glob of `legacy.tsv` selects nothing.
    pub fn check_legacy(&self, headers: &Headers) -> Result<()> {
        let selects = |header: &str, glob: &str| {
            let found = headers.get(header).map(|found| &found.discovery.requests);
            found.is_some_and(|requests| requests.iter().any(|request| glob_matches(glob, &request.name)))
        };
        let dead: Vec<String> = self
            .legacy_globs()
            .filter(|(header, glob)| !selects(header, glob))
            .map(|(header, glob)| format!("{header}: {glob}"))
            .collect();
        ensure!(dead.is_empty(), "legacy.tsv has globs that match nothing: {}", dead.join(", "));
        Ok(())
    }

    /// The selecting globs of `legacy.tsv` as (header, glob), for finding dead ones.
    fn legacy_globs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.legacy.iter().flat_map(|entry| {
            let selecting = entry.globs.iter().filter(|glob| !glob.starts_with('!'));
            selecting.map(|glob| (entry.header.as_str(), glob.trim_start_matches('~')))
        })
    }

    /// The headers `legacy.tsv` names.
    pub fn legacy_headers(&self) -> impl Iterator<Item = &str> {
        self.legacy.iter().map(|entry| entry.header.as_str())
    }

    /// Files of the kernel's tree that define requests, by path.
    pub fn private_files(&self) -> Vec<String> {
        self.private.iter().map(|entry| entry.header.clone()).collect()
    }

    /// The globs of a header or of a file of the kernel's tree.
    fn globs(&self, header: &str) -> impl Iterator<Item = &String> {
        let entries = self.legacy.iter().chain(&self.private);
        entries.filter(move |entry| entry.header == header).flat_map(|entry| &entry.globs)
    }

    /// Whether a table by hand names a type, which no macro has to.
    pub fn wants(&self, ty: &str) -> bool {
        self.wanted.contains(ty)
    }

    /// What a translation unit needs in front of `#include <header>`.
    pub fn prelude(&self, header: &str) -> &str {
        self.preludes.get(header).map_or(LIBC, String::as_str)
    }

    /// Whether an empty file stands in for a header.
    pub fn is_empty_header(&self, header: &str) -> bool {
        self.empty.iter().any(|empty| empty == header)
    }

    /// Headers that others include but nobody ships.
    pub fn empty_headers(&self) -> &[String] {
        &self.empty
    }
}

/// The names of types in the tables that say what arguments and fields are.
fn wanted(folder: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut add = |text: &str| {
        let text = facts::target(text.trim_start_matches('='));
        let name =
            text.trim_start_matches("read-write ").trim_start_matches("read ").trim_start_matches("write ");
        names.insert(name.split('[').next().unwrap_or_default().to_owned());
    };
    for table in ["arguments.tsv", "corrections.tsv"] {
        rows::<5>(&folder.join(table))?.iter().for_each(|[_, _, _, arg, _]| add(arg));
    }
    for [of, _, _, ty, ..] in rows::<6>(&folder.join("subcommands.tsv"))? {
        add(&of);
        add(&ty);
    }
    rows::<3>(&folder.join("members.tsv"))?.iter().for_each(|[_, ty, _]| add(ty));
    for [ty, _, fact, detail] in rows(&folder.join("fields.tsv"))? {
        add(&ty);
        if fact == "pointer" || fact == "of" {
            add(&detail);
        }
    }
    Ok(names)
}

/// The rows of a table with `N` columns; comment lines and empty lines are skipped.
pub fn rows<const N: usize>(path: &Path) -> Result<Vec<[String; N]>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
            let found = columns.len();
            columns
                .try_into()
                .map_err(|_| anyhow::anyhow!("{}:{}: {found} columns, want {N}", path.display(), number + 1))
        })
        .collect()
}
