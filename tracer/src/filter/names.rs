//! Names that the registry knows: constants, and fields of arguments.

use std::{cell::OnceCell, collections::HashSet};

use ioctl_registry::{Fact, Layout, Registry, Set, Shape};

use super::check::Constant;
use crate::{event, suggest::did_you_mean};

/// The names of a registry. Types are looked through once, and only if an expression asks.
pub(super) struct Names {
    registry: &'static Registry,
    of_types: OnceCell<OfTypes>,
}

/// What types hold.
#[derive(Default)]
struct OfTypes {
    members: HashSet<String>,
    constants: HashSet<String>,
}

impl Names {
    pub const fn new(registry: &'static Registry) -> Self {
        Self { registry, of_types: OnceCell::new() }
    }

    /// A constant of arguments. The error is what to say instead.
    pub fn constant(&self, name: &str) -> Result<Constant, String> {
        let sets: Vec<&'static Set> =
            self.registry.sets().iter().filter(|set| set.value(name).is_some()).collect();
        if !sets.is_empty() || self.of_types().constants.contains(name) {
            return Ok(Constant { name: name.into(), sets });
        }
        let of_sets =
            self.registry.sets().iter().flat_map(|set| set.constants().iter().map(|(name, _)| &**name));
        let known: HashSet<&str> =
            of_sets.chain(self.of_types().constants.iter().map(String::as_str)).collect();
        let close = did_you_mean(name, known.into_iter());
        let remedy = if close.is_empty() { "; text is put in quotes" } else { &close };
        Err(format!("no constant is named `{name}`{remedy}"))
    }

    /// Makes sure that some argument has a field of this name. The error is what to say instead.
    pub fn member(&self, name: &str) -> Result<(), String> {
        let members = &self.of_types().members;
        // The readings of an argument whose request is not certain go by the requests' names.
        if members.contains(name) || self.registry.find(name).is_some() {
            return Ok(());
        }
        let close = did_you_mean(name, members.iter().map(String::as_str));
        Err(format!("no argument has a field `{name}`{close}"))
    }

    fn of_types(&self) -> &OfTypes {
        self.of_types.get_or_init(|| {
            let mut found = OfTypes::default();
            let arguments =
                self.registry.requests().filter_map(|request| request.arg().ty().map(str::to_owned));
            let expressions: HashSet<_> =
                self.registry.type_names().map(str::to_owned).chain(arguments).collect();
            for expression in &expressions {
                if let Ok(layout) = self.registry.layout(expression, event::arch(false)) {
                    found.add(&layout);
                }
                // Some fields go by the name of a macro.
                for fact in self.registry.facts_of(expression).flat_map(|(_, facts)| facts) {
                    found.members.extend(if let Fact::As(name) = fact {
                        Some(name.to_string())
                    } else {
                        None
                    });
                }
            }
            found
        })
    }
}

impl OfTypes {
    /// Adds what a type holds; other types that it names are looked at by themselves.
    fn add(&mut self, layout: &Layout) {
        match &layout.shape {
            Shape::Enumeration(enumeration) => {
                self.constants.extend(enumeration.constants.iter().map(|(name, _)| name.to_string()));
            }
            Shape::Record(record) => {
                for field in &record.fields {
                    self.members.insert(field.name.to_string());
                    if field.layout.name.is_empty() {
                        self.add(&field.layout);
                    }
                }
            }
            Shape::Array(element, _) if element.name.is_empty() => self.add(element),
            Shape::Array(..) | Shape::Scalar(_) | Shape::Pointer(_) => {}
        }
    }
}
