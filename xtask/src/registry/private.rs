//! Requests that drivers define in files of their own, outside the headers for user space: those files are compiled as
//! part of the kernel, on the one architecture whose generated headers a package has. What other architectures would make
//! of them follows from the rule of layout.

use std::collections::BTreeSet;

use anyhow::Result;

use ioctl_registry_extract::{
    layout::{self, Form, Machine},
    model::{Aggregate, Definition, Name, Type},
};

use super::{
    arch::{ALL, COUNT},
    compiler::Kernel,
    entries::Entries,
    extract,
    inputs::Inputs,
    overlay::Overlay,
    pass::{Headers, Scope},
    requests::Rows,
    types::Flavour,
};

/// The flavour of the kernel's own definitions.
pub const FLAVOUR: &str = "driver";

/// Reads the files of `private.tsv` and adds their requests; returns their types.
///
/// # Errors
///
/// When a file does not compile.
pub fn read(
    inputs: &Inputs,
    overlay: &Overlay,
    kernel: &Kernel,
    version: usize,
    rows: &mut Rows,
) -> Result<(Flavour, Headers)> {
    let scope = Scope { private: true, constants: true, ..Scope::new(inputs, overlay, kernel, &ALL[0]) };
    let found = scope.run(&overlay.private_files(), None)?;
    let mut flavour = Flavour::new(FLAVOUR);
    extract::fill(&mut flavour, 0, &found);
    let entries = Entries::new(&found, overlay);
    let mut roots = BTreeSet::new();
    for entry in entries.requests.values().flatten() {
        if let Some((ty, _)) = &entry.arg {
            ty.each_embedded_name(&mut |name| _ = roots.insert(name.clone()));
        }
    }
    roots.extend(flavour.wanted(overlay));
    let wanted = flavour.embedded(roots);
    flavour.spread(&wanted);
    let size = |arch: usize, ty: &Type| flavour.size(arch, ty);
    rows.add_private(&entries, FLAVOUR, version, &size);
    Ok((flavour, found))
}

/// The aggregate that the same text gives on another architecture.
pub fn relaid(aggregate: &Aggregate, form: &Form, machine: &Machine) -> Option<Aggregate> {
    let laid = layout::rule(aggregate, form, machine)?;
    let mut result = Aggregate { size: laid.size, ..aggregate.clone() };
    for ((field, offset), form) in result.fields.iter_mut().zip(laid.offsets).zip(&form.inner) {
        field.offset = offset;
        if let Some(form) = form {
            field.ty = relaid_type(&field.ty, form, machine)?;
        }
    }
    Some(result)
}

fn relaid_type(ty: &Type, form: &Form, machine: &Machine) -> Option<Type> {
    Some(match ty {
        Type::Aggregate(aggregate) => Type::Aggregate(Box::new(relaid(aggregate, form, machine)?)),
        Type::Array(element, count) => Type::Array(Box::new(relaid_type(element, form, machine)?), *count),
        other => other.clone(),
    })
}

impl Flavour {
    /// Gives the other architectures what the text of the first one's types means there.
    fn spread(&mut self, wanted: &BTreeSet<Name>) {
        for arch in 1..COUNT {
            for name in wanted {
                self.spread_one(arch, name);
            }
        }
    }

    fn spread_one(&mut self, arch: usize, name: &Name) {
        if self.get(arch, name).is_some() {
            return;
        }
        let Some(definition) = self.get(0, name).cloned() else { return };
        let definition = match &definition {
            Definition::Aggregate(aggregate) => {
                let mut inner = Vec::new();
                aggregate.each_embedded_name(&mut |name| inner.push(name.clone()));
                for name in inner {
                    self.spread_one(arch, &name);
                }
                let Some(form) = self.form(0, name) else { return };
                let Some(aggregate) = self.on(arch, |machine| relaid(aggregate, &form, machine)) else {
                    return;
                };
                Definition::Aggregate(aggregate)
            }
            other => other.clone(),
        };
        self.set(arch, name.clone(), definition);
    }

    /// Size of a type on an architecture.
    fn size(&self, arch: usize, ty: &Type) -> Option<u64> {
        self.on(arch, |machine| layout::extent(ty, None, machine)).map(|(size, _)| size)
    }
}
