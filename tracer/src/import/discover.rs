//! Finds what headers define that may be a request.

use ioctl_registry::{Made, glob_matches};
use ioctl_registry_extract::macros::{self, ARGUMENT, MARKERS, Marker};

use super::{ImportError, compiler::Compiler};

/// What headers define.
#[derive(Debug, Default)]
pub struct Discovery {
    /// Names worth evaluating.
    pub candidates: Vec<Candidate>,
    /// What looks like a request, and why it is none.
    pub left_out: Vec<(String, String)>,
}

/// A name that may be a request.
#[derive(Debug)]
pub struct Candidate {
    /// The macro or enumerator.
    pub name: String,
    /// How its number is made.
    pub made: Made,
    /// The type of the argument, as the header has it.
    pub arg_type: Option<String>,
    /// The macros that it may be another name of.
    pub alias_of: Vec<String>,
}

/// Looks through the headers. Plain numbers that match a glob of `also` count too.
pub fn headers(compiler: &Compiler, also: &[String]) -> Result<Discovery, ImportError> {
    let unit = compiler.unit();
    let explained = |message: String| compiler.explain(&message);
    let listing = compiler.preprocess(&["-dD"], &unit)?.map_err(explained)?;
    let definitions = macros::definitions(macros::own_lines(&listing, |file| compiler.own(file)));
    let source = format!("{unit}{MARKERS}{}", macros::expansion_requests(definitions.iter()));
    let expanded = compiler.preprocess(&["-P"], &source)?.map_err(explained)?;
    let expansions = macros::expansions(&expanded);
    let mut found = Discovery::default();
    for (name, definition) in &definitions {
        let Some(expansion) = expansions.get(name.as_str()) else { continue };
        let marker = Marker::of(expansion);
        let wanted = || also.iter().any(|glob| glob_matches(glob, name));
        if definition.parameters.is_some() {
            if marker.is_some_and(|marker| marker.text().contains(ARGUMENT)) {
                found.left_out.push((name.clone(), "its number depends on a parameter".to_owned()));
            }
        } else if marker.is_some() || wanted() {
            found.candidates.push(Candidate {
                name: name.clone(),
                made: marker.as_ref().map_or(Made::Plain, Marker::made),
                arg_type: marker.and_then(|marker| marker.arg_type()),
                alias_of: macros::named_by(&definition.body),
            });
        }
    }
    // Enumerators are no macros: what they are assigned from shows in the headers' own lines.
    let source = format!("{}{MARKERS}{}", compiler.prelude(), compiler.includes());
    let expanded = compiler.preprocess(&[], &source)?.map_err(explained)?;
    let own: String = macros::own_lines(&expanded, |file| compiler.own(file))
        .map(|line| format!("{}\n", line.text))
        .collect();
    for (_, name, marker) in macros::enumerators(&own) {
        // An enumerator is often a macro of its own name too.
        found.candidates.retain(|candidate| candidate.name != name);
        let arg_type = marker.arg_type();
        found.candidates.push(Candidate { name, made: marker.made(), arg_type, alias_of: Vec::new() });
    }
    Ok(found)
}
