//! The types of arguments as a vendor file has them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use ioctl_registry::{Arch, Registry, vendor::VendorFile};
use ioctl_registry_extract::{
    dwarf::scalar_size,
    layout::{self, Form, Machine},
    model::{Aggregate, Definition, Definitions, Name, Type},
    spell,
};
use object::{Architecture, Object, ObjectKind};

use super::ImportError;

/// The types that arguments are made of, each under the name that the file gives it.
pub struct Names<'d> {
    definitions: &'d Definitions,
    /// Those that the file must define.
    wanted: BTreeSet<&'d Name>,
    /// Those whose name means something else in the registry.
    taken: BTreeSet<String>,
    vendor: String,
    /// What tells the file's types from the registry's.
    suffix: String,
    arch: Arch,
    extents: RefCell<BTreeMap<Name, Option<(u64, u64)>>>,
}

impl<'d> Names<'d> {
    /// Everything that some types refer to.
    pub fn new(
        definitions: &'d Definitions,
        roots: Vec<&'d Type>,
        arch: Arch,
        vendor: &str,
    ) -> Result<Self, ImportError> {
        let mut names = Self {
            definitions,
            wanted: closure(definitions, roots),
            taken: BTreeSet::new(),
            suffix: vendor.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect(),
            vendor: vendor.to_owned(),
            arch,
            extents: RefCell::default(),
        };
        names.compare()?;
        Ok(names)
    }

    /// Finds the types whose name the registry knows: those that are the same there need no definition here.
    fn compare(&mut self) -> Result<(), ImportError> {
        let builtin = Registry::builtin();
        // A name has one meaning, though it may be that of another architecture.
        let known: HashSet<&str> = builtin.type_names().collect();
        // A file with nothing but types tells which of them the registry would not take.
        let file =
            VendorFile { name: self.vendor.clone(), types: self.definitions(), ..VendorFile::default() };
        let text = file.render();
        let (_, mistakes) = Registry::with_vendor_texts([(&*self.vendor, &*text)]);
        let mut lines = text.lines();
        let first = lines.position(|line| line == "[types]").unwrap_or_default() + 2;
        for mistake in &mistakes {
            let place = mistake.line.checked_sub(first).and_then(|place| file.types.get(place));
            match place.map(|(name, _)| name).filter(|name| known.contains(name.as_str())) {
                Some(name) => _ = self.taken.insert(name.clone()),
                None => return Err(ImportError::Vendor(mistake.what.clone())),
            }
        }
        let (taken, arch) = (&self.taken, self.arch);
        let is_here =
            |name: &str| !matches!(builtin.layout(name, arch), Err(ioctl_registry::TypeError::Unknown(_)));
        self.wanted.retain(|name| taken.contains(&name.name) || !is_here(&name.name));
        Ok(())
    }

    /// Names and texts of the types that the file must define, by name.
    pub fn definitions(&self) -> Vec<(String, String)> {
        let mut texts: Vec<_> = self
            .wanted
            .iter()
            .filter_map(|name| Some((self.name(name), self.text(self.definitions.get(name)?))))
            .collect();
        texts.sort();
        // A type that is only declared may be defined elsewhere.
        texts.sort_by_key(|(name, text)| (name.clone(), text == "opaque"));
        texts.dedup_by(|a, b| a.0 == b.0);
        texts
    }

    /// A type as the file writes it.
    pub fn spell(&self, ty: &Type) -> String {
        spell::ty(ty, &|name| self.name(name))
    }

    fn name(&self, name: &Name) -> String {
        if self.taken.contains(&name.name) {
            format!("{}~{}", name.name, self.suffix)
        } else {
            name.name.clone()
        }
    }

    fn text(&self, definition: &Definition) -> String {
        let naming = |name: &Name| self.name(name);
        match definition {
            Definition::Aggregate(aggregate) => {
                match self.with_machine(|machine| layout::fit(aggregate, machine)) {
                    Some(form) => spell::definition(definition, &form, &naming),
                    // A member's size is not known.
                    None => format!("struct{{u8 bytes[{}];}}", aggregate.size),
                }
            }
            Definition::Enum(_) | Definition::Opaque => {
                spell::definition(definition, &Form::default(), &naming)
            }
        }
    }

    fn with_machine<T>(&self, act: impl FnOnce(&Machine<'_>) -> T) -> T {
        let max_align = if self.arch == Arch::I386 { 4 } else { 16 };
        act(&Machine { pointer: self.arch.pointer_size(), max_align, named: &|name| self.extent(name) })
    }

    /// Size and alignment of a type.
    fn extent(&self, name: &Name) -> Option<(u64, u64)> {
        if let Some(known) = self.extents.borrow().get(name) {
            return *known;
        }
        let extent = match self.definitions.get(name)? {
            Definition::Aggregate(aggregate) => self.aggregate_extent(aggregate),
            Definition::Enum(values) => {
                let size = scalar_size(values.scalar, self.arch.pointer_size());
                Some((size, size))
            }
            Definition::Opaque => None,
        };
        self.extents.borrow_mut().insert(name.clone(), extent);
        extent
    }

    fn aggregate_extent(&self, aggregate: &Aggregate) -> Option<(u64, u64)> {
        self.with_machine(|machine| {
            let form = layout::fit(aggregate, machine)?;
            Some((aggregate.size, layout::rule(aggregate, &form, machine)?.align))
        })
    }
}

fn closure<'d>(definitions: &'d Definitions, roots: Vec<&'d Type>) -> BTreeSet<&'d Name> {
    let mut open: Vec<Name> = Vec::new();
    for root in roots {
        root.each_name(&mut |name| open.push(name.clone()));
    }
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some((name, definition)) = definitions.get_key_value(&name)
            && reached.insert(name)
        {
            definition.each_name(&mut |inner| open.push(inner.clone()));
        }
    }
    reached
}

/// The architecture that an object file is for.
pub fn arch(object: &[u8]) -> Option<Arch> {
    let file = object::File::parse(object).ok().filter(|file| file.kind() == ObjectKind::Relocatable)?;
    Some(match (file.architecture(), file.is_64()) {
        (Architecture::X86_64, _) => Arch::X86_64,
        (Architecture::I386, _) => Arch::I386,
        (Architecture::Aarch64, _) => Arch::Aarch64,
        (Architecture::Arm, _) => Arch::Arm,
        (Architecture::Riscv64, _) => Arch::Riscv64,
        (Architecture::PowerPc64, _) => Arch::Ppc64le,
        (Architecture::S390x, _) => Arch::S390x,
        (Architecture::Mips, false) => Arch::Mips,
        (Architecture::Mips64, _) | (Architecture::Mips, true) => Arch::Mips64,
        (Architecture::Sparc64, _) => Arch::Sparc64,
        (Architecture::LoongArch64, _) => Arch::Loongarch64,
        _ => return None,
    })
}
