//! The named types of the tables and of vendor files.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    TypeError,
    definition::Type,
    layout::{Layout, Rule},
    plain_name,
};
use crate::{arch::Arch, parse};

/// A definition and the architectures that it holds for.
#[derive(Debug)]
struct Row {
    name: Cow<'static, str>,
    arches: Cow<'static, str>,
    definition: Cow<'static, str>,
}

/// Named types, sorted by name. Layouts are made when they are asked for, and kept.
#[derive(Debug, Default)]
pub struct Types {
    rows: Vec<Row>,
    known: Mutex<HashMap<(usize, Arch), Arc<Layout>>>,
}

impl Types {
    /// The rows of a table, and definitions of vendor files.
    pub fn new(table: &'static str, more: &[(String, String)], skipped: &mut usize) -> Self {
        let mut rows = Vec::new();
        for line in parse::lines(table) {
            match parse::columns(line) {
                Some([name, arches, definition]) => {
                    rows.push(Row { name: name.into(), arches: arches.into(), definition: definition.into() })
                }
                None => *skipped += 1,
            }
        }
        let own = |(name, definition): &(String, String)| Row {
            name: name.clone().into(),
            arches: "".into(),
            definition: definition.clone().into(),
        };
        rows.extend(more.iter().map(own));
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        Self { rows, known: Mutex::default() }
    }

    /// The layout of a type expression.
    pub fn layout(&self, expression: &str, arch: Arch) -> Result<Arc<Layout>, TypeError> {
        if self.places(expression).next().is_some() {
            return self.named(expression, arch, 0);
        }
        self.rule(arch, 0, |rule| rule.layout(&Type::parse(expression)?, ""))
    }

    fn rule<T>(&self, arch: Arch, depth: u32, with: impl FnOnce(Rule<'_>) -> T) -> T {
        let named = |name: &str, arch, depth| self.named(name, arch, depth);
        with(Rule { arch, depth, named: &named })
    }

    fn named(&self, name: &str, arch: Arch, depth: u32) -> Result<Arc<Layout>, TypeError> {
        let (place, row) = self
            .places(name)
            .find(|(_, row)| arch.is_in(&row.arches))
            .ok_or_else(|| TypeError::Unknown(plain_name(name).to_owned()))?;
        // The lock is not held while a layout is made: making one asks for others.
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&(place, arch)).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let made = self.rule(arch, depth, |rule| rule.layout(&Type::parse(&row.definition)?, &row.name))?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert((place, arch), Arc::clone(&made));
        Ok(made)
    }

    /// The rows of a name.
    fn places(&self, name: &str) -> impl Iterator<Item = (usize, &Row)> {
        let start = self.rows.partition_point(|row| *row.name < *name);
        self.rows.iter().enumerate().skip(start).take_while(move |(_, row)| row.name == name)
    }

    /// Whether a name has a definition that differs from this one.
    pub fn contradicts(&self, name: &str, definition: &str) -> bool {
        let mut rows = self.places(name).map(|(_, row)| row).peekable();
        rows.peek().is_some() && !rows.any(|row| row.definition == definition)
    }

    /// How many definitions are no types.
    pub fn malformed(&self) -> usize {
        self.rows.iter().filter(|row| Type::parse(&row.definition).is_err()).count()
    }

    /// The names, sorted, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut last = "";
        self.rows.iter().map(|row| &*row.name).filter(move |name| std::mem::replace(&mut last, name) != *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "struct a\t\tstruct{struct b x;struct a*next;}\nstruct b\tmips\tstruct{u8 x;}\nstruct b\tx86_64,arm\tstruct{u32 x[];}\n\
                         struct loop\t\tstruct{struct loop x;struct loop y;}\nstruct o\t\topaque\n";

    fn types() -> Types {
        let mut skipped = 0;
        let types =
            Types::new(TABLE, &[("struct v".into(), "struct{struct b b;u16 c;}".into())], &mut skipped);
        assert_eq!(skipped, 0);
        types
    }

    #[test]
    fn a_definition_holds_for_its_architectures() {
        let size = |name, arch| types().layout(name, arch).map(|layout| layout.size);
        assert_eq!(size("struct v", Arch::Mips), Ok(4));
        assert_eq!(size("struct v", Arch::X86_64), Ok(4));
        assert_eq!(size("struct v[3]", Arch::X86_64), Ok(12));
        assert_eq!(size("struct b", Arch::I386), Err(TypeError::Unknown("struct b".into())));
        assert_eq!(size("struct o", Arch::I386), Err(TypeError::Opaque("struct o".into())));
        assert_eq!(size("struct o*", Arch::I386), Ok(4));
        assert_eq!(size("struct loop", Arch::I386), Err(TypeError::TooDeep));
    }

    #[test]
    fn named_layouts_are_kept() {
        let types = types();
        let first = types.layout("struct a", Arch::X86_64).unwrap();
        assert!(Arc::ptr_eq(&first, &types.layout("struct a", Arch::X86_64).unwrap()));
        assert_eq!(types.names().count(), 5);
    }

    #[test]
    fn other_definitions_contradict() {
        assert!(types().contradicts("struct a", "struct{u8 x;}"));
        assert!(!types().contradicts("struct o", "opaque") && !types().contradicts("struct none", "opaque"));
    }
}
