//! The types of `types.tsv`, as the tables of facts name them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use ioctl_registry::definition::{Record, Type};

/// The types of the table, by name.
pub struct Types {
    by_name: BTreeMap<String, Type>,
    /// What else a name means: on other architectures.
    others: BTreeMap<String, Vec<Type>>,
}

impl Types {
    /// Reads rows of `types.tsv`: name, architectures, definition. Architectures differ in layout, hardly in fields.
    ///
    /// # Errors
    ///
    /// When a definition cannot be read.
    pub fn new(rows: &[[String; 3]]) -> Result<Self> {
        let (mut by_name, mut others) = (BTreeMap::new(), BTreeMap::<String, Vec<Type>>::new());
        for [name, _, definition] in rows {
            let ty = Type::parse(definition).with_context(|| format!("types.tsv: {name}"))?;
            if by_name.contains_key(name) {
                others.entry(name.clone()).or_default().push(ty);
            } else {
                by_name.insert(name.clone(), ty);
            }
        }
        Ok(Self { by_name, others })
    }

    /// The C name of a type of the facts: those add `$…` and `_in`, `_out` or a number where they describe one type twice.
    pub fn c_name(&self, fact: &str) -> Option<String> {
        let plain = fact.split('$').next().unwrap_or(fact);
        let undirected = ["_in", "_out", "_inout"].iter().find_map(|suffix| plain.strip_suffix(suffix));
        let unnumbered = plain.trim_end_matches(|symbol: char| symbol.is_ascii_digit() || symbol == '_');
        [Some(plain), undirected, Some(unnumbered)].into_iter().flatten().find_map(|plain| {
            let names = [format!("struct {plain}"), format!("union {plain}"), plain.to_owned()];
            names.into_iter().find(|name| self.by_name.contains_key(name))
        })
    }

    /// Path and type of a field, looked for in aggregates without a name of their own too; none if several have it.
    pub fn field(&self, ty: &str, field: &str) -> Option<(String, &Type)> {
        let Type::Record(record) = self.by_name.get(ty)? else { return None };
        let mut found = Vec::new();
        search(record, field, "", &mut found);
        let direct = found.iter().position(|(path, _)| path == field);
        match direct {
            Some(place) => Some(found.swap_remove(place)),
            None if found.len() == 1 => found.pop(),
            None => None,
        }
    }

    /// Whether a type has a field at a path; members of aggregates without a name count as the parent's, and indices of
    /// arrays are left out.
    pub fn has(&self, ty: &Type, path: &str) -> bool {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        match ty {
            Type::Named(name) => {
                let others = self.others.get(name).into_iter().flatten();
                self.by_name.get(name).into_iter().chain(others).any(|ty| self.has(ty, path))
            }
            Type::Array(element, _) => self.has(element, path),
            Type::Record(record) => record.fields.iter().any(|field| match rest {
                _ if field.name.is_empty() => self.has(&field.ty, path),
                None => field.name == name,
                Some(rest) => field.name == name && self.has(&field.ty, rest),
            }),
            _ => false,
        }
    }

    /// Whether a name is in the table.
    pub fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Fails unless every type that an argument names is in the table.
    pub fn check(&self, arg: &str) -> Result<()> {
        let ty = Type::parse(arg.trim_start_matches('=')).with_context(|| format!("`{arg}` is no type"))?;
        let mut names = Vec::new();
        named(&ty, &mut names);
        match names.into_iter().find(|name| !self.by_name.contains_key(name)) {
            Some(name) => bail!("`{name}` is not among the types"),
            None => Ok(()),
        }
    }
}

fn search<'a>(record: &'a Record, field: &str, path: &str, found: &mut Vec<(String, &'a Type)>) {
    for member in &record.fields {
        let inner = if member.name.is_empty() || path.is_empty() {
            format!("{path}{}", member.name)
        } else {
            format!("{path}.{}", member.name)
        };
        if member.name == field {
            found.push((inner.clone(), &member.ty));
        }
        if let Type::Record(record) = &member.ty {
            search(record, field, &inner, found);
        }
    }
}

fn named(ty: &Type, names: &mut Vec<String>) {
    match ty {
        Type::Named(name) => names.push(name.clone()),
        Type::Array(element, _) => named(element, names),
        _ => {}
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn types() -> Types {
        let rows = [
            ["struct a", "", "struct{u32 flags;union{u32 x;struct{u8 b[2];u16 c;}s;};}"],
            ["struct b_in", "", "struct{u32 y;}"],
            ["union u", "", "union{u32 flags;}"],
        ];
        Types::new(&rows.map(|row| row.map(str::to_owned))).unwrap()
    }

    #[test]
    fn names_of_the_facts_become_c_names() {
        let types = types();
        assert_eq!(types.c_name("a_in").as_deref(), Some("struct a"));
        assert_eq!(types.c_name("a$auto").as_deref(), Some("struct a"));
        assert_eq!(types.c_name("b_in").as_deref(), Some("struct b_in"));
        assert_eq!(types.c_name("u").as_deref(), Some("union u"));
        assert_eq!(types.c_name("v"), None);
    }

    #[test]
    fn fields_are_found_in_aggregates_without_a_name() {
        let types = types();
        assert_eq!(types.field("struct a", "x").map(|(path, _)| path).as_deref(), Some("x"));
        assert_eq!(types.field("struct a", "c").map(|(path, _)| path).as_deref(), Some("s.c"));
        assert!(types.field("struct a", "z").is_none());
    }
}
