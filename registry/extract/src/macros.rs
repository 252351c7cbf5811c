//! Reads preprocessor output: which macros a header defines and which of them expand to `_IO*()`.

use std::{collections::BTreeMap, fmt::Write as _};

use ioctl_registry::Made;

/// Appended after the header: `_IO*()` stay visible in the expansion instead of becoming shifts.
pub const MARKERS: &str = "
#undef _IO
#undef _IOR
#undef _IOW
#undef _IOWR
#undef _IOC
#undef _IOR_BAD
#undef _IOW_BAD
#undef _IOWR_BAD
#define _IO(type, nr) __MARK_IO(type, nr)
#define _IOR(type, nr, ...) __MARK_IOR(type, nr, __VA_ARGS__)
#define _IOW(type, nr, ...) __MARK_IOW(type, nr, __VA_ARGS__)
#define _IOWR(type, nr, ...) __MARK_IOWR(type, nr, __VA_ARGS__)
#define _IOC(dir, type, nr, ...) __MARK_IOC(dir, type, nr, __VA_ARGS__)
#define _IOR_BAD(type, nr, ...) __MARK_IOR_BAD(type, nr, __VA_ARGS__)
#define _IOW_BAD(type, nr, ...) __MARK_IOW_BAD(type, nr, __VA_ARGS__)
#define _IOWR_BAD(type, nr, ...) __MARK_IOWR_BAD(type, nr, __VA_ARGS__)
";
const MARK: &str = "__MARK_";
/// Separates expansions in preprocessor output.
const SEPARATOR: &str = "\"@@@";

/// An `_IO*()` call, seen through its marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    name: String,
    arguments: Vec<String>,
}

impl Marker {
    /// The marker that an expansion consists of, apart from parentheses and casts.
    pub fn of(expansion: &str) -> Option<Self> {
        let mut rest = expansion.trim();
        loop {
            if let Some(call) = rest.strip_prefix(MARK) {
                let open = call.find('(')?;
                let (name, call) = call.split_at(open);
                let (arguments, after) = arguments(call)?;
                return after.trim().is_empty().then(|| Self { name: name.trim().to_owned(), arguments });
            }
            let (group, after) = arguments(rest)?;
            rest = match (after.trim(), group.as_slice()) {
                ("", _) => rest.get(1..rest.len() - 1)?.trim(),
                (after, [cast]) if !cast.contains(MARK) => after,
                _ => return None,
            };
        }
    }

    /// Which of the macros it is.
    pub fn made(&self) -> Made {
        match self.name.as_str() {
            "IO" => Made::Io,
            "IOR" | "IOR_BAD" => Made::Ior,
            "IOW" | "IOW_BAD" => Made::Iow,
            "IOWR" | "IOWR_BAD" => Made::Iowr,
            _ => Made::Ioc,
        }
    }

    /// All its arguments as written, joined.
    pub fn text(&self) -> String {
        self.arguments.join(", ")
    }

    /// The argument type as written, where the macro states one.
    pub fn arg_type(&self) -> Option<String> {
        let (first, sizeof) = match self.name.as_str() {
            "IOR" | "IOW" | "IOWR" => (2, false),
            "IOR_BAD" | "IOW_BAD" | "IOWR_BAD" => (2, true),
            "IOC" => (3, true),
            _ => return None,
        };
        let text = self.arguments.get(first..)?.join(", ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !sizeof {
            return Some(text).filter(|text| !text.is_empty());
        }
        let operand = text.trim_matches(['(', ' ']).strip_prefix("sizeof")?.trim_start();
        let (operand, after) = arguments(if operand.starts_with('(') { operand } else { return None })?;
        after.trim_matches([')', ' ']).is_empty().then(|| operand.join(", "))
    }
}

/// Splits `(a, b) rest` into its arguments and what follows. Quotes and nested brackets are respected.
fn arguments(text: &str) -> Option<(Vec<String>, &str)> {
    let mut depth = 0_u32;
    let mut quote = None;
    let mut escaped = false;
    let mut parts = vec![String::new()];
    if !text.starts_with('(') {
        return None;
    }
    for (place, symbol) in text.char_indices() {
        let current = parts.last_mut()?;
        if let Some(open) = quote {
            current.push(symbol);
            if escaped || symbol == '\\' {
                escaped = !escaped;
            } else if symbol == open {
                quote = None;
            }
            continue;
        }
        match symbol {
            '"' | '\'' => quote = Some(symbol),
            '(' | '[' | '{' => {
                depth += 1;
                if depth == 1 {
                    continue;
                }
            }
            ')' | ']' | '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    let parts = parts.iter().map(|part| part.trim().to_owned()).collect();
                    return Some((parts, text.get(place + symbol.len_utf8()..)?));
                }
            }
            ',' if depth == 1 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        current.push(symbol);
    }
    None
}

/// The line and file of a `# 12 "file" 1` line marker.
fn line_marker(line: &str) -> Option<(u32, &str)> {
    let (number, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let number = number.parse().ok()?;
    rest.strip_prefix('"')?.split_once('"').map(|(file, _)| (number, file))
}

/// A line of a header, as preprocessor output has it.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Include name of the header.
    pub header: &'a str,
    /// Its number, from 1.
    pub number: u32,
    /// What it says.
    pub text: &'a str,
}

/// The lines of preprocessor output that come from files which `own` gives an include name.
pub fn own_lines<'a>(
    output: &'a str,
    own: impl Fn(&'a str) -> Option<&'a str>,
) -> impl Iterator<Item = Line<'a>> {
    let mut inside = None;
    let mut next = 1;
    output.lines().filter_map(move |text| {
        if let Some((number, file)) = line_marker(text) {
            (inside, next) = (own(file), number);
            return None;
        }
        next += 1;
        inside.map(|header| Line { header, number: next - 1, text })
    })
}

/// A macro with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    /// Names of its parameters, if it takes any.
    pub parameters: Option<Vec<String>>,
    /// What it stands for, unexpanded.
    pub body: String,
    /// Include name of the header that defines it.
    pub header: String,
    /// Line of the definition.
    pub line: u32,
}

/// Macros with a body, from `-dD` output.
pub fn definitions<'a>(lines: impl Iterator<Item = Line<'a>>) -> BTreeMap<String, Definition> {
    let mut macros = BTreeMap::new();
    for line in lines {
        if let Some(name) = line.text.strip_prefix("#undef ") {
            macros.remove(name.trim());
        } else if let Some((name, definition)) = definition(line) {
            macros.insert(name, definition);
        }
    }
    macros
}

fn definition(line: Line) -> Option<(String, Definition)> {
    let rest = line.text.strip_prefix("#define ")?;
    let end = rest.find([' ', '('])?;
    let (name, rest) = rest.split_at_checked(end)?;
    let (parameters, body) = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((names, body)) => {
            let names = names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
            (Some(names.collect()), body)
        }
        None => (None, rest),
    };
    let body = body.trim().to_owned();
    let definition = Definition { parameters, body, header: line.header.to_owned(), line: line.number };
    (!definition.body.is_empty()).then(|| (name.to_owned(), definition))
}

/// The argument that stands for a parameter when a macro is expanded.
pub const ARGUMENT: &str = "__ARGUMENT_";

/// Source lines whose expansion [`expansions`] reads back. Macros of a variable number of arguments are left out.
pub fn expansion_requests<'a>(definitions: impl Iterator<Item = (&'a String, &'a Definition)>) -> String {
    let mut text = String::new();
    for (name, definition) in definitions {
        let arguments = match &definition.parameters {
            None => String::new(),
            Some(names) if names.iter().any(|name| name.ends_with("...")) => continue,
            Some(names) => {
                let names: Vec<String> = (0..names.len()).map(|index| format!("{ARGUMENT}{index}")).collect();
                format!("({})", names.join(", "))
            }
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{SEPARATOR}{name}\" {name}{arguments}");
    }
    text
}

/// Name and expansion of each requested macro, from `-P` output.
pub fn expansions(output: &str) -> BTreeMap<&str, String> {
    let pieces = output.split(SEPARATOR).skip(1);
    pieces
        .filter_map(|piece| piece.split_once('"'))
        .map(|(name, text)| (name, text.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

/// Enumerators that are assigned from `_IO*()`: place of the name in the header's own expanded text, name, call.
pub fn enumerators(text: &str) -> Vec<(usize, String, Marker)> {
    let mut found = Vec::new();
    for (place, _) in text.match_indices(MARK) {
        let Some((start, name)) = text.get(..place).and_then(assigned_name) else { continue };
        let Some(call) = text.get(place..) else { continue };
        let Some(end) = call.find('(').and_then(|open| {
            let (_, after) = arguments(call.get(open..)?)?;
            Some(call.len() - after.len())
        }) else {
            continue;
        };
        if let Some(marker) = call.get(..end).and_then(Marker::of) {
            found.push((start, name, marker));
        }
    }
    found
}

/// Place and name of text that ends in `NAME =`.
fn assigned_name(before: &str) -> Option<(usize, String)> {
    let before = before.trim_end().strip_suffix('=')?.trim_end();
    let start =
        before.rfind(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_').map_or(0, |at| at + 1);
    before.get(start..).filter(|name| !name.is_empty()).map(|name| (start, name.to_owned()))
}

/// The macros that a body may be another name of: its only identifier, or either branch of a `condition ? a : b`.
pub fn named_by(body: &str) -> Vec<String> {
    let branches = body.split_once('?').map_or(body, |(_, branches)| branches);
    branches.split(':').filter_map(sole_identifier).map(str::to_owned).collect()
}

fn sole_identifier(text: &str) -> Option<&str> {
    let inner = text.trim_matches(['(', ')', ' ']);
    let identifier = inner.chars().all(|symbol| symbol.is_ascii_alphanumeric() || symbol == '_');
    (identifier && inner.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'))
        .then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_of(expansion: &str) -> Option<String> {
        Marker::of(expansion)?.arg_type()
    }

    #[test]
    fn types_are_read_from_markers() {
        assert_eq!(type_of("__MARK_IOR('V', 0, struct a)").as_deref(), Some("struct a"));
        assert_eq!(type_of("((unsigned int)__MARK_IOW(')', 1, int [4]))").as_deref(), Some("int [4]"));
        assert_eq!(type_of("__MARK_IOC(2U, 'x', 1, sizeof(struct b))").as_deref(), Some("struct b"));
        assert_eq!(type_of("__MARK_IOC(0U, 'B', 0, 0)"), None);
        assert!(Marker::of("__MARK_IO('a', 1)").is_some_and(|marker| marker.arg_type().is_none()));
    }

    #[test]
    fn expressions_around_a_marker_are_no_request() {
        assert_eq!(Marker::of("(__MARK_IO('a', 1) | 3)"), None);
        assert_eq!(Marker::of("(__MARK_IO('a', 1) >> 8) & 0xff"), None);
        assert_eq!(Marker::of("0x5401"), None);
        assert_eq!(Marker::of("("), None);
    }

    #[test]
    fn enumerators_are_found_by_assignment() {
        let text = "enum {\n A_ONE = __MARK_IOW('b', 1, struct x),\n A_TWO =\n__MARK_IO('b', 2) };";
        let names: Vec<_> = enumerators(text).into_iter().map(|(_, name, _)| name).collect();
        assert_eq!(names, ["A_ONE", "A_TWO"]);
    }

    #[test]
    fn definitions_belong_to_their_file() {
        let output = "# 1 \"/a.h\"\n#define A 1\n# 1 \"/b.h\" 1\n#define B 2\n#define F(x, y) (x)\n#define E\n# 3 \"/a.h\" 2\n\n#define C (A)\n#define G(len) _IO('a', len)";
        let own = definitions(own_lines(output, |file| (file == "/a.h").then_some("a.h")));
        assert_eq!(own.keys().collect::<Vec<_>>(), ["A", "C", "G"]);
        assert_eq!((own["C"].line, own["C"].body.as_str(), &own["C"].parameters), (4, "(A)", &None));
        assert_eq!(own["G"].parameters.as_deref(), Some(&["len".to_owned()][..]));
        let requests = expansion_requests(own.iter().filter(|(name, _)| *name == "G"));
        assert_eq!(requests, "\"@@@G\" G(__ARGUMENT_0)\n");
    }

    #[test]
    fn other_names_are_told_from_expressions() {
        assert_eq!(named_by("(A)"), ["A"]);
        assert_eq!(named_by("(sizeof(x) == 8 ? OLD : (NEW))"), ["OLD", "NEW"]);
        assert!(named_by("0x12").is_empty());
        assert!(named_by("(BASE + 1)").is_empty());
    }
}
