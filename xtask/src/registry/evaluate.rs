//! Finds the requests of one header and computes their numbers.

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection};

use super::{
    compiler::{Compiler, TABLE},
    macros::{self, MARKERS, Marker},
    overlay::Overlay,
};

const SECTION: &str = "registry.values";

/// What one header yields.
pub struct HeaderReport {
    /// Include name of the header.
    pub header: String,
    /// What was evaluated.
    pub found: Vec<Found>,
    /// Candidates that do not compile.
    pub lost: Vec<Lost>,
}

/// A candidate that does not compile.
pub struct Lost {
    /// Its name.
    pub name: String,
    /// The compiler's message.
    pub reason: String,
}

/// A macro or enumerator whose value is a request number.
pub struct Found {
    /// Name of the macro or the enumerator.
    pub name: String,
    /// Its value, which may exceed 32 bits when it is no request after all.
    pub value: u64,
    /// The argument type as written in the header.
    pub arg_type: Option<String>,
    /// The other macros that its body may be a name of.
    pub alias_of: Vec<String>,
}

/// A name worth evaluating.
struct Candidate {
    name: String,
    arg_type: Option<String>,
    alias_of: Vec<String>,
}

/// Evaluates one header.
pub fn header(compiler: &Compiler, header: &str, overlay: &Overlay) -> Result<HeaderReport> {
    let unit = format!("{}#include <{header}>\n", overlay.prelude(header));
    let mut candidates = macro_candidates(compiler, header, &unit, overlay)?;
    candidates.extend(enumerator_candidates(compiler, header, overlay)?);
    candidates.retain(|candidate| !overlay.is_excluded(header, &candidate.name));
    let (values, lost) = values(compiler, &unit, &mut candidates)?;
    let found = candidates.into_iter().zip(values).map(|(candidate, value)| Found {
        name: candidate.name,
        value,
        arg_type: candidate.arg_type,
        alias_of: candidate.alias_of,
    });
    Ok(HeaderReport { header: header.to_owned(), found: found.collect(), lost })
}

fn macro_candidates(
    compiler: &Compiler,
    header: &str,
    unit: &str,
    overlay: &Overlay,
) -> Result<Vec<Candidate>> {
    let listing = match compiler.preprocess(&["-dD"], unit)? {
        Ok(listing) => listing,
        Err(message) => bail!("does not preprocess: {}", first_error(&message)),
    };
    let own = macros::own_lines(&listing, |file| compiler.is_header(file, header));
    let definitions = macros::definitions(own);
    let source = format!("{unit}{MARKERS}{}", macros::expansion_requests(definitions.keys()));
    let Ok(expanded) = compiler.preprocess(&["-P"], &source)? else {
        bail!("its macros do not expand");
    };
    let expansions = macros::expansions(&expanded);
    let mut candidates = Vec::new();
    for (name, body) in &definitions {
        let marker = expansions.get(name.as_str()).and_then(|expansion| Marker::of(expansion));
        if marker.is_some() || overlay.is_legacy_request(header, name) {
            candidates.push(Candidate {
                name: name.clone(),
                arg_type: marker.and_then(|marker| marker.arg_type()),
                alias_of: macros::named_by(body),
            });
        }
    }
    Ok(candidates)
}

fn enumerator_candidates(compiler: &Compiler, header: &str, overlay: &Overlay) -> Result<Vec<Candidate>> {
    let source = format!("{}#include <asm/ioctl.h>\n{MARKERS}#include <{header}>\n", overlay.prelude(header));
    let Ok(expanded) = compiler.preprocess(&[], &source)? else {
        return Ok(Vec::new());
    };
    let own: Vec<_> = macros::own_lines(&expanded, |file| compiler.is_header(file, header)).collect();
    let found = macros::enumerators(&own.join("\n"));
    let candidates = found.into_iter().map(|(name, marker)| Candidate {
        name,
        arg_type: marker.arg_type(),
        alias_of: Vec::new(),
    });
    Ok(candidates.collect())
}

/// Values of the candidates, in order; those that do not compile are taken out of the list and returned with the reason.
fn values(compiler: &Compiler, unit: &str, candidates: &mut Vec<Candidate>) -> Result<(Vec<u64>, Vec<Lost>)> {
    let mut lost = Vec::new();
    while !candidates.is_empty() {
        let rows: String = candidates
            .iter()
            .map(|candidate| format!("(unsigned long long)({}),\n", candidate.name))
            .collect();
        let source = format!(
            "{unit}#ifndef _IOC\n#include <asm/ioctl.h>\n#endif\n__attribute__((used, section(\"{SECTION}\")))\n\
             const unsigned long long registry_values[] = {{\n#line 1 \"{TABLE}\"\n{rows}}};\n"
        );
        let message = match compiler.compile(&source)? {
            Ok(object) => return Ok((read_values(&object, candidates.len())?, lost)),
            Err(message) => message,
        };
        let mut bad = table_errors(&message);
        ensure!(!bad.is_empty(), "does not compile: {}", first_error(&message));
        bad.sort();
        bad.dedup_by_key(|(line, _)| *line);
        for (line, reason) in bad.into_iter().rev() {
            ensure!(line < candidates.len(), "an error outside the table: {reason}");
            lost.push(Lost { name: candidates.remove(line).name, reason });
        }
    }
    Ok((Vec::new(), lost))
}

/// Row (from 0) and text of the errors that lie in the table.
fn table_errors(message: &str) -> Vec<(usize, String)> {
    let errors = message.lines().filter_map(|line| {
        let (row, rest) = line.strip_prefix(TABLE)?.strip_prefix(':')?.split_once(':')?;
        let (_, reason) = rest.split_once("error: ")?;
        Some((row.parse::<usize>().ok()?.checked_sub(1)?, reason.to_owned()))
    });
    errors.collect()
}

fn first_error(message: &str) -> &str {
    message.lines().find(|line| line.contains("error:")).unwrap_or("no error message")
}

fn read_values(object: &[u8], count: usize) -> Result<Vec<u64>> {
    let file = object::File::parse(object).context("reading the object file")?;
    let section = file.section_by_name(SECTION).context("the object file lacks the table")?;
    let (words, _) = section.data()?.as_chunks::<8>();
    ensure!(words.len() == count, "the table has {} values, want {count}", words.len());
    let values = words.iter().map(|word| {
        if file.is_little_endian() { u64::from_le_bytes(*word) } else { u64::from_be_bytes(*word) }
    });
    Ok(values.collect())
}
