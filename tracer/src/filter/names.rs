//! Names that the registry knows: constants, and fields of arguments.

use std::{cell::OnceCell, collections::HashSet};

use ioctl_registry::{Arch, Fact, Layout, Registry, Set, Shape};

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
        if name.contains('.') {
            return Err(format!(
                "`{name}` is no constant: fields are compared with values, and text is put in quotes"
            ));
        }
        let sets: Vec<&'static Set> = self.sets().filter(|set| set.value(name).is_some()).collect();
        if !sets.is_empty() || self.of_types().constants.contains(name) {
            return Ok(Constant { name: name.into(), sets });
        }
        let of_sets = self.sets().flat_map(|set| set.constants().iter().map(|(name, _)| &**name));
        let known: HashSet<&str> =
            of_sets.chain(self.of_types().constants.iter().map(String::as_str)).collect();
        let close = did_you_mean(name, known.into_iter());
        let remedy = if close.is_empty() { "; text is put in quotes" } else { &close };
        Err(format!("no constant is named `{name}`{remedy}"))
    }

    fn sets(&self) -> impl Iterator<Item = &'static Set> {
        self.registry.of_all().into_iter().flat_map(Registry::sets)
    }

    /// Makes sure that some argument has a field of this name. The error is what to say instead.
    pub fn member(&self, name: &str) -> Result<(), String> {
        let members = &self.of_types().members;
        // The readings of an argument whose request is not certain go by the requests' names.
        let is_request = || self.registry.of_all().into_iter().any(|registry| registry.find(name).is_some());
        if members.contains(name) || is_request() {
            return Ok(());
        }
        let close = did_you_mean(name, members.iter().map(String::as_str));
        Err(format!("no argument has a field `{name}`{close}"))
    }

    fn of_types(&self) -> &OfTypes {
        self.of_types.get_or_init(|| {
            let mut found = OfTypes::default();
            found.look_through(self.registry, event::arch(false));
            found.look_through(self.registry.windows(), Arch::Win64);
            found
        })
    }
}

impl OfTypes {
    /// Adds what the arguments of a registry hold.
    fn look_through(&mut self, registry: &Registry, arch: Arch) {
        let arguments = registry.requests().flat_map(|request| {
            let buffers = request.control().map(|control| [&control.input, &control.output]);
            let buffers = buffers.into_iter().flatten().map(|ty| ty.to_string());
            request.arg().ty().map(str::to_owned).into_iter().chain(buffers)
        });
        let expressions: HashSet<_> = registry.type_names().map(str::to_owned).chain(arguments).collect();
        for expression in &expressions {
            if let Ok(layout) = registry.layout(expression, arch) {
                self.add(&layout);
            }
            // Some fields go by the name of a macro.
            for fact in registry.facts_of(expression).flat_map(|(_, facts)| facts) {
                self.members.extend(if let Fact::As(name) = fact { Some(name.to_string()) } else { None });
            }
        }
    }

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
