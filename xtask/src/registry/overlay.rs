//! Reads the hand-written tables that steer the generator.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use ioctl_registry::glob_matches;

/// What the overlay says of headers.
pub struct Overlay {
    legacy: Vec<Legacy>,
    preludes: BTreeMap<String, String>,
    empty: Vec<String>,
    aliases: Vec<[String; 2]>,
}

struct Legacy {
    header: String,
    globs: Vec<String>,
}

/// What most headers want to see first.
const LIBC: &str = "#include <stddef.h>\n#include <stdint.h>\n#include <sys/types.h>\n#include <sys/time.h>\n\
                    #include <time.h>\n#include <sys/socket.h>\n#include <linux/types.h>\n#include <linux/ioctl.h>\n\
                    #include <linux/sockios.h>\n";
const BARE: &str = "#include <stddef.h>\n#include <stdint.h>\n";

impl Overlay {
    /// Reads `legacy.tsv`, `headers.tsv` and `aliases.tsv`.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut legacy = Vec::new();
        for [header, globs] in rows(&folder.join("legacy.tsv"))? {
            legacy.push(Legacy { header, globs: globs.split_whitespace().map(str::to_owned).collect() });
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
        let aliases = rows(&folder.join("aliases.tsv"))?;
        Ok(Self { legacy, preludes, empty, aliases })
    }

    /// Whether plain numbers of this header are listed.
    pub fn is_legacy(&self, header: &str) -> bool {
        self.legacy.iter().any(|entry| entry.header == header)
    }

    /// Whether a plain number of this header is a request.
    pub fn is_legacy_request(&self, header: &str, name: &str) -> bool {
        let globs = self.legacy.iter().filter(|entry| entry.header == header).flat_map(|entry| &entry.globs);
        // As in ignore files, the last glob that matches decides.
        globs.fold(false, |selected, glob| match glob.strip_prefix('!') {
            Some(excluded) => selected && !glob_matches(excluded, name),
            None => selected || glob_matches(glob.trim_start_matches('~'), name),
        })
    }

    /// Whether what looks like a request is none.
    pub fn is_excluded(&self, header: &str, name: &str) -> bool {
        let globs = self.legacy.iter().filter(|entry| entry.header == header).flat_map(|entry| &entry.globs);
        globs.filter_map(|glob| glob.strip_prefix('!')).any(|glob| glob_matches(glob, name))
    }

    /// Pairs of a request and the one that it is another name of.
    pub fn aliases(&self) -> &[[String; 2]] {
        &self.aliases
    }

    /// Whether a request starts a range of numbers, so that what is defined as its number is no alias.
    pub fn starts_range(&self, name: &str) -> bool {
        self.legacy.iter().flat_map(|entry| &entry.globs).any(|glob| glob.strip_prefix('~') == Some(name))
    }

    /// The selecting globs of `legacy.tsv` as (header, glob), for finding dead ones.
    pub fn legacy_globs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.legacy.iter().flat_map(|entry| {
            let selecting = entry.globs.iter().filter(|glob| !glob.starts_with('!'));
            selecting.map(|glob| (entry.header.as_str(), glob.trim_start_matches('~')))
        })
    }

    /// The headers `legacy.tsv` names.
    pub fn legacy_headers(&self) -> impl Iterator<Item = &str> {
        self.legacy.iter().map(|entry| entry.header.as_str())
    }

    /// What a translation unit needs in front of `#include <header>`.
    pub fn prelude(&self, header: &str) -> &str {
        self.preludes.get(header).map_or(LIBC, String::as_str)
    }

    /// Headers that others include but nobody ships.
    pub fn empty_headers(&self) -> &[String] {
        &self.empty
    }
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
