//! Finds what a header defines that may be a request, or a constant that one takes.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use ioctl_registry::Made;
use ioctl_registry_extract::macros::{self, ARGUMENT, Definition, MARKERS, Marker};

use super::{compiler::Compiler, overlay::Overlay};

/// What a header defines.
#[derive(Debug, Default)]
pub struct Discovery {
    /// Names worth evaluating as requests.
    pub requests: Vec<Candidate>,
    /// Macros that make a request of a parameter.
    pub functions: Vec<Function>,
    /// Other macros that may have a value.
    pub constants: Vec<String>,
    /// Whether the header defines requests on some architectures alone, so that each must be looked at.
    pub conditional: bool,
}

/// A name that may be a request.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The macro or enumerator.
    pub name: String,
    /// How its number is made.
    pub made: Made,
    /// The argument type as the header has it.
    pub arg_type: Option<String>,
    /// The other macros that its body may be a name of.
    pub alias_of: Vec<String>,
    /// Include name of the header that defines it, which may be one that was included.
    pub header: String,
    /// Line of the definition.
    pub line: u32,
}

/// A macro with parameters that expands to a request.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Names of the parameters.
    pub parameters: Vec<String>,
    /// What it expands to.
    pub marker: Marker,
    /// Include name of the header.
    pub header: String,
    /// Line of the definition.
    pub line: u32,
}

/// The translation unit that includes a header.
pub fn unit(header: &str, overlay: &Overlay) -> String {
    format!("{}#include <{header}>\n", overlay.prelude(header))
}

/// The include name of a file, if what it defines counts as defined by `header`: `asm/x.h` is often only an
/// `#include <asm-generic/x.h>`.
pub fn owned<'a>(compiler: &Compiler, header: &str, file: &'a str) -> Option<&'a str> {
    let name = compiler.include_name(file)?;
    (name == header || home(name) == header).then_some(name)
}

/// The include name under which architectures share or replace a header.
pub fn home(name: &str) -> String {
    match name.strip_prefix("asm-generic/") {
        Some(rest) => format!("asm/{rest}"),
        None => name.to_owned(),
    }
}

/// Looks through a header.
pub fn header(compiler: &Compiler, header: &str, overlay: &Overlay) -> Result<Discovery> {
    let unit = unit(header, overlay);
    let listing = match compiler.preprocess(&["-dD"], &unit)? {
        Ok(listing) => listing,
        Err(message) => bail!("does not preprocess: {}", first_error(&message)),
    };
    let own = macros::own_lines(&listing, |file| owned(compiler, header, file));
    let definitions = macros::definitions(own);
    let source = format!("{unit}{MARKERS}{}", macros::expansion_requests(definitions.iter()));
    let expanded = match compiler.preprocess(&["-P"], &source)? {
        Ok(expanded) => expanded,
        Err(message) => bail!("its macros do not expand: {}", first_error(&message)),
    };
    let expansions = macros::expansions(&expanded);
    let mut found = Discovery::default();
    for (name, definition) in &definitions {
        let Some(expansion) = expansions.get(name.as_str()) else { continue };
        sort_macro(&mut found, header, name, definition, expansion, overlay);
    }
    let text = compiler.header_text(header).unwrap_or_default();
    if text.contains("_IO") && text.contains("enum") {
        let enumerators = enumerators(compiler, header, overlay)?;
        found.constants.retain(|name| enumerators.iter().all(|candidate| candidate.name != *name));
        found.requests.retain(|request| enumerators.iter().all(|candidate| candidate.name != request.name));
        found.requests.extend(enumerators);
    }
    found.requests.retain(|candidate| !overlay.is_excluded(header, &candidate.name));
    found.functions.retain(|function| !overlay.is_excluded(header, &function.name));
    let requests: BTreeSet<&str> = found.requests.iter().map(|request| request.name.as_str()).collect();
    found.conditional =
        is_conditional(&text, |name| definitions.contains_key(name), |name| requests.contains(name));
    Ok(found)
}

/// Puts a macro where it belongs.
fn sort_macro(
    found: &mut Discovery,
    header: &str,
    name: &str,
    definition: &Definition,
    expansion: &str,
    overlay: &Overlay,
) {
    let marker = Marker::of(expansion);
    if let Some(parameters) = &definition.parameters {
        if let Some(marker) = marker.filter(|marker| marker.text().contains(ARGUMENT)) {
            found.functions.push(Function {
                name: name.to_owned(),
                parameters: parameters.clone(),
                marker,
                header: definition.header.clone(),
                line: definition.line,
            });
        }
    } else if marker.is_some() || overlay.is_legacy_request(header, name) {
        found.requests.push(Candidate {
            name: name.to_owned(),
            made: marker.as_ref().map_or(Made::Plain, Marker::made),
            arg_type: marker.and_then(|marker| marker.arg_type()),
            alias_of: macros::named_by(&definition.body),
            header: definition.header.clone(),
            line: definition.line,
        });
    } else if is_expression(expansion) {
        found.constants.push(name.to_owned());
    }
}

fn enumerators(compiler: &Compiler, header: &str, overlay: &Overlay) -> Result<Vec<Candidate>> {
    let source = format!("{}#include <asm/ioctl.h>\n{MARKERS}#include <{header}>\n", overlay.prelude(header));
    let Ok(expanded) = compiler.preprocess(&[], &source)? else {
        return Ok(Vec::new());
    };
    let own: Vec<_> = macros::own_lines(&expanded, |file| owned(compiler, header, file)).collect();
    let mut text = String::new();
    let mut starts = Vec::with_capacity(own.len());
    for line in &own {
        starts.push(text.len());
        text.push_str(line.text);
        text.push('\n');
    }
    let found = macros::enumerators(&text).into_iter().map(|(place, name, marker)| {
        let line = own.get(starts.partition_point(|start| *start <= place).saturating_sub(1));
        Candidate {
            name,
            made: marker.made(),
            arg_type: marker.arg_type(),
            alias_of: Vec::new(),
            header: line.map_or(header, |line| line.header).to_owned(),
            line: line.map_or(0, |line| line.number),
        }
    });
    Ok(found.collect())
}

/// Whether an expansion may be an expression; what is not compiles to an error that could spoil the lines after it.
fn is_expression(expansion: &str) -> bool {
    let mut depth = 0_i32;
    for symbol in expansion.chars() {
        match symbol {
            '(' => depth += 1,
            ')' => depth -= 1,
            '{' | '}' | ';' | '"' | '#' | '@' => return false,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && !expansion.is_empty()
}

/// Whether a header's text defines a request that preprocessing on this architecture left out, or one of several
/// definitions of a request.
fn is_conditional(text: &str, defined: impl Fn(&str) -> bool, request: impl Fn(&str) -> bool) -> bool {
    let definitions = text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("define")?.trim_start();
        let end = rest.find(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_')?;
        rest.split_at_checked(end)
    });
    let mut seen = BTreeSet::new();
    let mut definitions = definitions.filter(|(name, body)| body.contains("_IO") || request(name));
    definitions.any(|(name, _)| !defined(name) || !seen.insert(name))
}

/// The first error of the compiler's messages.
pub fn first_error(message: &str) -> &str {
    message.lines().find(|line| line.contains("error:")).unwrap_or("no error message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_that_are_left_out_make_a_header_conditional() {
        let text = "#define A _IO('a', 1)\n#ifdef X\n#  define B _IOR('a', 2, long)\n#endif\n#define C 3\n";
        assert!(is_conditional(text, |name| name == "A", |_| false));
        assert!(!is_conditional(text, |name| name == "A" || name == "B", |_| false));
        assert!(is_conditional("#define N O\n#define N P\n", |_| true, |name| name == "N"));
    }

    #[test]
    fn expressions_are_told_from_other_bodies() {
        assert!(is_expression("(1 << 3)"));
        assert!(!is_expression("do { } while (0)"));
        assert!(!is_expression("((1)"));
        assert!(!is_expression("\"text\""));
    }

    #[test]
    fn generic_headers_stand_for_those_of_architectures() {
        assert_eq!(home("asm-generic/ioctls.h"), "asm/ioctls.h");
        assert_eq!(home("linux/fs.h"), "linux/fs.h");
    }
}
