//! Names that the registry knows: constants, and fields of arguments.

use std::collections::HashSet;

use ioctl_registry::{Fact, Layout, Registry, Set, Shape};

use super::check::Constant;
use crate::{event, suggest::did_you_mean};

/// A constant of arguments. The error is what to say instead.
pub(super) fn constant(name: &str, registry: &'static Registry) -> Result<Constant, String> {
    let sets: Vec<&'static Set> = registry.sets().iter().filter(|set| set.value(name).is_some()).collect();
    if !sets.is_empty() || enumerated(name, registry) {
        return Ok(Constant { name: name.into(), sets });
    }
    let mut known: HashSet<String> = HashSet::new();
    for set in registry.sets() {
        known.extend(set.constants().iter().map(|(name, _)| name.to_string()));
    }
    every_shape(registry, &mut |layout| {
        if let Shape::Enumeration(enumeration) = &layout.shape {
            known.extend(enumeration.constants.iter().map(|(name, _)| name.to_string()));
        }
        false
    });
    let close = did_you_mean(name, known.iter().map(String::as_str));
    Err(if close.is_empty() {
        format!("no constant is named `{name}`; text is put in quotes")
    } else {
        format!("no constant is named `{name}`{close}")
    })
}

/// Whether an `enum` of a header has a constant.
fn enumerated(name: &str, registry: &Registry) -> bool {
    every_shape(registry, &mut |layout| match &layout.shape {
        Shape::Enumeration(enumeration) => enumeration.constants.iter().any(|(known, _)| **known == *name),
        _ => false,
    })
}

/// Makes sure that some argument has a field of this name. The error is what to say instead.
pub(super) fn member(name: &str, registry: &Registry) -> Result<(), String> {
    if members(registry, &mut |known| known == name) || registry.find(name).is_some() {
        return Ok(());
    }
    let mut known: HashSet<String> = HashSet::new();
    members(registry, &mut |name| {
        known.insert(name.to_owned());
        false
    });
    let close = did_you_mean(name, known.iter().map(String::as_str));
    Err(format!("no argument has a field `{name}`{close}"))
}

/// Whether any name of a field passes; those that headers have macros for are among them.
fn members(registry: &Registry, passes: &mut dyn FnMut(&str) -> bool) -> bool {
    let found = every_shape(registry, &mut |layout| match &layout.shape {
        Shape::Record(record) => record.fields.iter().any(|field| passes(&field.name)),
        _ => false,
    });
    found
        || registry.type_names().any(|ty| {
            registry.facts_of(ty).any(|(_, facts)| {
                facts.iter().any(|fact| if let Fact::As(name) = fact { passes(name) } else { false })
            })
        })
}

/// Whether any type passes, those without a name within others too.
fn every_shape(registry: &Registry, passes: &mut dyn FnMut(&Layout) -> bool) -> bool {
    let arch = event::arch(false);
    let arguments = registry.requests().filter_map(|request| request.arg().ty().map(str::to_owned));
    let expressions = registry.type_names().map(str::to_owned).chain(arguments);
    expressions.filter_map(|name| registry.layout(&name, arch).ok()).any(|layout| own_shapes(&layout, passes))
}

/// The shapes of a type; those of other types that it names are looked at by themselves.
fn own_shapes(layout: &Layout, passes: &mut dyn FnMut(&Layout) -> bool) -> bool {
    if passes(layout) {
        return true;
    }
    let mut inner = |layout: &Layout| layout.name.is_empty() && own_shapes(layout, passes);
    match &layout.shape {
        Shape::Array(element, _) => inner(element),
        Shape::Record(record) => record.fields.iter().any(|field| inner(&field.layout)),
        Shape::Scalar(_) | Shape::Enumeration(_) | Shape::Pointer(_) => false,
    }
}
