//! A table of constants that is compiled and never run: names with their values, and variables that point to types.

use std::collections::BTreeMap;

use object::{Object, ObjectSection};

use crate::{ObjectError, dwarf};

/// The name that errors in the table's lines carry.
pub const TABLE: &str = "TABLE";

const SECTION: &str = "registry.values";

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A name and the expression that gives its value.
    Value(String, String),
    /// A name and the type of its argument.
    Type(String, String),
}

impl Line {
    /// The name that it is about.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Value(name, _) | Self::Type(name, _) => name,
        }
    }

    /// The declaration. An enumerator takes integer constants alone: a string would compile as an address elsewhere.
    fn source(&self) -> String {
        match self {
            Self::Value(name, expression) => format!("enum {{ E__{name} = ({expression}) }};\n"),
            Self::Type(name, ty) => format!("__typeof__({ty}) *{}{name};\n", dwarf::VARIABLE),
        }
    }
}

/// The translation unit: declarations line by line, then their values in a section of their own.
///
/// ```
/// use ioctl_registry_extract::table::{Line, source};
///
/// let source = source("", &[Line::Value("A".into(), "1 << 3".into())]);
/// assert!(source.contains("enum { E__A = (1 << 3) };"));
/// ```
#[must_use]
pub fn source(unit: &str, lines: &[Line]) -> String {
    let table: String = lines.iter().map(Line::source).collect();
    let values: String = lines
        .iter()
        .filter_map(|line| match line {
            Line::Value(name, _) => Some(format!("(unsigned long long)E__{name}, E__{name} < 0,\n")),
            Line::Type(..) => None,
        })
        .collect();
    format!(
        "{unit}\n#line 1 \"{TABLE}\"\n{table}#line 1 \"VALUES\"\n__attribute__((used, section(\"{SECTION}\")))\n\
         const unsigned long long registry_values[] = {{ {values} }};\n"
    )
}

/// Row (from 0) and text of the compiler's errors that lie in the table, one a row, sorted.
///
/// ```
/// use ioctl_registry_extract::table::errors;
///
/// let rows = errors("TABLE:2:10: error: 'X' undeclared\nx.h:1:1: error: no\n");
/// assert_eq!(rows, [(1, "'X' undeclared".to_owned())]);
/// ```
#[must_use]
pub fn errors(message: &str) -> Vec<(usize, String)> {
    let errors = message.lines().filter_map(|line| {
        let (row, rest) = line.strip_prefix(TABLE)?.strip_prefix(':')?.split_once(':')?;
        let (_, reason) = rest.split_once("error: ")?;
        Some((row.parse::<usize>().ok()?.checked_sub(1)?, reason.to_owned()))
    });
    let mut errors: Vec<_> = errors.collect();
    errors.sort();
    errors.dedup_by_key(|(row, _)| *row);
    errors
}

/// The values in the object file of a table of these lines.
///
/// # Errors
/// The file is damaged, or was not made of them.
pub fn values(object: &[u8], lines: &[Line]) -> Result<BTreeMap<String, i128>, ObjectError> {
    let file = object::File::parse(object)?;
    let section = file.section_by_name(SECTION).ok_or(ObjectError::Lacks("table"))?;
    let (words, _) = section.data()?.as_chunks::<8>();
    let mut words = words.iter().map(|word| {
        if file.is_little_endian() { u64::from_le_bytes(*word) } else { u64::from_be_bytes(*word) }
    });
    let mut values = BTreeMap::new();
    for line in lines {
        let Line::Value(name, _) = line else { continue };
        let (value, negative) = words.next().zip(words.next()).ok_or(ObjectError::Lacks("whole table"))?;
        let value = if negative != 0 { i128::from(value.cast_signed()) } else { i128::from(value) };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_table_are_told_from_others() {
        let message = "TABLE:3:10: error: use of undeclared identifier 'X'\n/usr/x.h:1:1: error: no\n\
            TABLE:1:1: note: expanded\nTABLE:3:20: error: another\nTABLE:2:1: error: string\n";
        assert_eq!(errors(message).iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2]);
    }
}
