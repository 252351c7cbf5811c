//! The table of types: one spelling for all architectures where one serves, and names that tell types apart which
//! share one.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use anyhow::{Result, ensure};

use ioctl_registry_extract::{
    dwarf::scalar_size,
    layout::{self, Form, Machine},
    model::{Definition, Definitions, Name},
    spell,
};

use super::{
    arch::{self, ALL, Arch},
    overlay::Overlay,
};

/// Types of one kernel version (and one width of time), by architecture.
pub struct Flavour {
    /// What marks names of this flavour where they differ from the newest kernel's; empty for that one.
    pub suffix: &'static str,
    arches: &'static [Arch],
    columns: Vec<Definitions>,
    solved: RefCell<HashMap<Name, Rc<Solved>>>,
}

/// A type's definition on each architecture that has it, with the form its text takes there.
#[derive(Debug)]
struct Solved {
    forms: Vec<Option<Form>>,
    extents: Vec<Option<(u64, u64)>>,
    /// The text with names as headers have them, which tells whether two definitions are the same.
    texts: Vec<Option<String>>,
}

impl Flavour {
    /// A flavour without types.
    pub fn new(suffix: &'static str) -> Self {
        Self::of(suffix, &ALL)
    }

    /// The same for some architectures.
    pub fn of(suffix: &'static str, arches: &'static [Arch]) -> Self {
        let columns = arches.iter().map(|_| Definitions::new()).collect();
        Self { suffix, arches, columns, solved: RefCell::default() }
    }

    /// Adds what one header yields on an architecture; `header` decides where several have the same type.
    pub fn add(&mut self, arch: usize, header: &str, definitions: &Definitions) {
        let Some(column) = self.columns.get_mut(arch) else { return };
        for (name, definition) in definitions {
            let opaque = matches!(column.get(name), None | Some(Definition::Opaque));
            if opaque || (name.home == header && !matches!(definition, Definition::Opaque)) {
                column.insert(name.clone(), definition.clone());
            }
        }
    }

    /// Sets a definition that no header of the architecture has.
    pub fn set(&mut self, arch: usize, name: Name, definition: Definition) {
        // What was concluded without it may be wrong.
        self.solved.borrow_mut().remove(&name);
        if let Some(column) = self.columns.get_mut(arch) {
            column.insert(name, definition);
        }
    }

    /// The form of a type's text on an architecture.
    pub fn form(&self, arch: usize, name: &Name) -> Option<Form> {
        self.solve(name).forms.get(arch)?.clone()
    }

    /// The definition of a name on an architecture.
    pub fn get(&self, arch: usize, name: &Name) -> Option<&Definition> {
        self.columns.get(arch)?.get(name)
    }

    /// The architectures that have a name, with its definition.
    fn definitions<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = (usize, &'a Definition)> {
        (0..self.arches.len()).filter_map(|arch| Some((arch, self.get(arch, name)?)))
    }

    /// The types that tables by hand name; of several, the one that programs include first.
    pub fn wanted(&self, overlay: &Overlay) -> Vec<Name> {
        let mut found: BTreeMap<&str, &Name> = BTreeMap::new();
        for name in
            self.columns.iter().flat_map(|column| column.keys()).filter(|name| overlay.wants(&name.name))
        {
            let key = |name: &Name| {
                (name.home.is_empty(), name.home == "libc", rank(&name.home).0, name.home.clone())
            };
            match found.get(name.name.as_str()) {
                Some(other) if key(other) <= key(name) => {}
                _ => _ = found.insert(&name.name, name),
            }
        }
        found.into_values().cloned().collect()
    }

    /// Everything that the roots refer to, themselves included.
    pub fn closure(&self, roots: impl IntoIterator<Item = Name>) -> BTreeSet<Name> {
        self.reach(roots, |definition, visit| definition.each_name(&mut |name| visit(name)))
    }

    /// Everything that the roots consist of, themselves included; what lies behind pointers is no part of them.
    pub fn embedded(&self, roots: impl IntoIterator<Item = Name>) -> BTreeSet<Name> {
        self.reach(roots, |definition, visit| definition.each_embedded_name(&mut |name| visit(name)))
    }

    fn reach(
        &self,
        roots: impl IntoIterator<Item = Name>,
        each: impl Fn(&Definition, &mut dyn FnMut(&Name)),
    ) -> BTreeSet<Name> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<Name> = roots.into_iter().collect();
        while let Some(name) = open.pop() {
            if reached.contains(&name) {
                continue;
            }
            for (_, definition) in self.definitions(&name) {
                each(definition, &mut |inner| open.push(inner.clone()));
            }
            reached.insert(name);
        }
        reached
    }

    /// Chooses the text of a type on every architecture.
    fn solve(&self, name: &Name) -> Rc<Solved> {
        if let Some(solved) = self.solved.borrow().get(name) {
            return Rc::clone(solved);
        }
        let count = self.arches.len();
        let mut solved =
            Solved { forms: vec![None; count], extents: vec![None; count], texts: vec![None; count] };
        let mut candidates: Vec<Form> = Vec::new();
        for (arch, definition) in self.definitions(name) {
            if let Definition::Aggregate(aggregate) = definition
                && let Some(form) = self.on(arch, |machine| layout::fit(aggregate, machine))
                && !candidates.contains(&form)
            {
                candidates.push(form);
            }
        }
        if candidates.is_empty() {
            candidates.push(Form::default());
        }
        // The text that most architectures share is chosen first; ties go to the first architecture.
        let mut by_text: BTreeMap<String, Vec<(usize, Form)>> = BTreeMap::new();
        for (arch, definition) in self.definitions(name) {
            for form in &candidates {
                let serves = match definition {
                    Definition::Aggregate(aggregate) => {
                        form.suits(aggregate)
                            && self.on(arch, |machine| layout::holds(aggregate, form, machine))
                    }
                    Definition::Enum(_) | Definition::Opaque => true,
                };
                if serves {
                    let text = spell::definition(definition, form, &|name| name.name.clone());
                    by_text.entry(text).or_default().push((arch, form.clone()));
                }
            }
        }
        let mut groups: Vec<(String, Vec<(usize, Form)>)> = by_text.into_iter().collect();
        groups.sort_by_key(|(text, arches)| {
            let first = arches.first().map_or(count, |(arch, _)| *arch);
            (std::cmp::Reverse(arches.len()), first, text.len())
        });
        for (text, arches) in groups {
            for (arch, form) in arches {
                let Some(place) = solved.texts.get_mut(arch).filter(|place| place.is_none()) else {
                    continue;
                };
                *place = Some(text.clone());
                if let Some(place) = solved.extents.get_mut(arch) {
                    *place = self.extent(arch, name, &form);
                }
                if let Some(place) = solved.forms.get_mut(arch) {
                    *place = Some(form);
                }
            }
        }
        let solved = Rc::new(solved);
        self.solved.borrow_mut().insert(name.clone(), Rc::clone(&solved));
        solved
    }

    /// Size and alignment by the text.
    fn extent(&self, arch: usize, name: &Name, form: &Form) -> Option<(u64, u64)> {
        match self.get(arch, name)? {
            Definition::Aggregate(aggregate) => {
                let laid = self.on(arch, |machine| layout::rule(aggregate, form, machine))?;
                Some((laid.size, laid.align))
            }
            Definition::Enum(values) => {
                let size = scalar_size(values.scalar, 8);
                Some((size, size.min(self.arches.get(arch)?.max_align())))
            }
            Definition::Opaque => None,
        }
    }

    /// Does something that needs an architecture's sizes of named types.
    pub fn on<T>(&self, arch: usize, act: impl FnOnce(&Machine) -> T) -> T {
        let named = |name: &Name| self.solve(name).extents.get(arch).copied().flatten();
        let arch = self.arches.get(arch).unwrap_or(&ALL[0]);
        act(&Machine { pointer: arch.pointer, max_align: arch.max_align(), named: &named })
    }

    /// A type's text on an architecture, with the names that others have in the table.
    fn text(&self, arch: usize, name: &Name, naming: spell::Naming) -> Option<String> {
        let solved = self.solve(name);
        let form = solved.forms.get(arch)?.as_ref()?;
        Some(spell::definition(self.get(arch, name)?, form, naming))
    }
}

/// Names in the table, of each flavour's types.
#[derive(Debug, Default)]
pub struct Names {
    names: HashMap<(&'static str, Name), String>,
}

impl Names {
    /// The name under which the table has a type.
    pub fn get(&self, suffix: &'static str, name: &Name) -> String {
        self.names.get(&(suffix, name.clone())).unwrap_or(&name.name).clone()
    }

    /// The names that are taken.
    pub fn plain(&self) -> BTreeSet<String> {
        self.names.values().cloned().collect()
    }

    /// A name for a type of a flavour that no other type has: as headers have it, or else with a suffix.
    fn free(&self, flavour: &Flavour, name: &Name) -> String {
        let plain = &name.name;
        let numbered = (2..).map(|number| format!("{plain}~{}-{number}", flavour.suffix));
        let mut choices = [plain.clone(), format!("{plain}~{}", flavour.suffix)].into_iter().chain(numbered);
        let taken = |choice: &String| {
            self.names.iter().any(|((suffix, other), chosen)| {
                chosen == choice && (*suffix != flavour.suffix || !agree(flavour, name, flavour, other))
            })
        };
        choices.find(|choice| !taken(choice)).unwrap_or_else(|| plain.clone())
    }
}

/// Rows of the table: name, then text by architecture.
#[derive(Debug, Default)]
pub struct Table {
    rows: BTreeMap<String, BTreeMap<usize, String>>,
}

/// Preference among headers that define the same: what programs include comes first.
pub fn rank(header: &str) -> (u8, &str) {
    let class = match header.split_once('/').map(|(folder, _)| folder) {
        Some("linux") => 0,
        Some("asm-generic") => 2,
        Some("asm") => 3,
        None => 4,
        _ => 1,
    };
    (class, header)
}

/// Names the newest kernel's types. Definitions of one name that contradict each other on some architecture are
/// numbered.
pub fn name_newest(newest: &Flavour, wanted: &BTreeSet<Name>, names: &mut Names) {
    let mut by_name: BTreeMap<&str, Vec<&Name>> = BTreeMap::new();
    for name in wanted {
        by_name.entry(&name.name).or_default().push(name);
    }
    for (plain, mut variants) in by_name {
        // A bare declaration means whatever definition there is.
        variants.sort_by_key(|name| (name.home.is_empty(), rank(&name.home)));
        let mut groups: Vec<Vec<&Name>> = Vec::new();
        for variant in variants {
            let joins = groups.iter().position(|group| {
                variant.home.is_empty() || group.iter().all(|other| agree(newest, variant, newest, other))
            });
            let place = joins.unwrap_or_else(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                group.push(variant);
            }
            let name = if place == 0 { plain.to_owned() } else { format!("{plain}~{}", place + 1) };
            names.names.insert((newest.suffix, variant.clone()), name);
        }
    }
}

/// Whether two definitions are the same on every architecture that has both.
fn agree(one: &Flavour, name: &Name, other: &Flavour, twin: &Name) -> bool {
    let (one, other) = (one.solve(name), other.solve(twin));
    one.texts.iter().zip(&other.texts).zip(one.extents.iter().zip(&other.extents)).all(|((a, b), (c, d))| {
        match (a, b) {
            (Some(a), Some(b)) => (a == b && c == d) || a == "opaque",
            _ => true,
        }
    })
}

/// Names another flavour's types: as the newest kernel's where those are the same in all they consist of.
pub fn name_other(other: &Flavour, newest: &Flavour, wanted: &BTreeSet<Name>, names: &mut Names) {
    let mut known: BTreeMap<&str, BTreeSet<&Name>> = BTreeMap::new();
    for (_, name) in names.names.keys().filter(|(suffix, _)| *suffix == newest.suffix) {
        known.entry(&name.name).or_default().insert(name);
    }
    let twin = |name: &Name| {
        // A header may have moved.
        let moved = known.get(name.name.as_str())?;
        let mut twins = moved.get(name).into_iter().chain(moved);
        twins.find(|twin| agree(other, name, newest, twin)).map(|twin| (*twin).clone())
    };
    let mut same: BTreeMap<Name, Name> =
        wanted.iter().filter_map(|name| Some((name.clone(), twin(name)?))).collect();
    // What refers to a type that differs differs, too.
    loop {
        let refers = |name: &Name| {
            let mut differs = false;
            for (_, definition) in other.definitions(name) {
                definition.each_name(&mut |inner| differs |= !same.contains_key(inner));
            }
            differs
        };
        let stale: Vec<Name> = same.keys().filter(|name| refers(name)).cloned().collect();
        if stale.is_empty() {
            break;
        }
        same.retain(|name, _| !stale.contains(name));
    }
    for name in wanted {
        let chosen = match same.get(name) {
            Some(twin) => names.get(newest.suffix, twin),
            None => names.free(other, name),
        };
        names.names.insert((other.suffix, name.clone()), chosen);
    }
}

impl Table {
    /// Adds the types of a flavour; those that the table has stay.
    pub fn add(&mut self, flavour: &Flavour, wanted: &BTreeSet<Name>, names: &Names) -> Result<()> {
        let naming = |name: &Name| names.get(flavour.suffix, name);
        let mut order: Vec<&Name> = wanted.iter().collect();
        order.sort_by_key(|name| (name.home.is_empty(), rank(&name.home)));
        let before: BTreeSet<String> = self.rows.keys().cloned().collect();
        for name in order {
            let key = naming(name);
            // Types that another flavour has the same are there.
            if before.contains(&key) {
                continue;
            }
            for (arch, definition) in flavour.definitions(name) {
                let row = self.rows.entry(key.clone()).or_default();
                if row.get(&arch).is_none_or(|text| text == "opaque") {
                    let text = flavour.text(arch, name, &naming);
                    ensure!(
                        text.is_some() || matches!(definition, Definition::Opaque),
                        "{key} on {}: no text gives the compiler's layout",
                        flavour.arches.get(arch).map_or("?", |arch| arch.name)
                    );
                    row.insert(arch, text.unwrap_or_else(|| "opaque".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Number of names.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows: name, architectures, definition.
    pub fn rows(&self) -> Vec<[String; 3]> {
        self.rows_of(&ALL)
    }

    /// The rows of a table of some architectures.
    pub fn rows_of(&self, known: &[Arch]) -> Vec<[String; 3]> {
        let mut rows = Vec::new();
        for (name, texts) in &self.rows {
            let mut groups: Vec<(&String, Vec<usize>)> = Vec::new();
            for (arch, text) in texts {
                match groups.iter_mut().find(|(other, _)| *other == text) {
                    Some((_, arches)) => arches.push(*arch),
                    None => groups.push((text, vec![*arch])),
                }
            }
            for (text, arches) in groups {
                rows.push([name.clone(), arch::list_of(known, &arches), text.clone()]);
            }
        }
        rows.sort();
        rows
    }
}

#[cfg(test)]
mod tests {
    use ioctl_registry_extract::model::{Aggregate, Field, Type};

    use super::*;

    fn name(name: &str, home: &str) -> Name {
        Name { name: name.to_owned(), home: home.to_owned() }
    }

    /// A struct of a u32 and a u64 that starts at `offset`.
    fn pair(offset: u64) -> Definition {
        let field = |name: &str, scalar, offset| Field {
            name: Some(name.to_owned()),
            ty: Type::Scalar(scalar),
            bits: None,
            offset: offset * 8,
        };
        let fields = vec![field("a", "u32", 0), field("b", "u64", offset)];
        Definition::Aggregate(Aggregate { union: false, size: offset + 8, fields })
    }

    fn flavour(suffix: &'static str, columns: &[(usize, &str, &str, Definition)]) -> Flavour {
        let mut flavour = Flavour::new(suffix);
        for (arch, plain, home, definition) in columns {
            flavour.add(*arch, home, &Definitions::from([(name(plain, home), definition.clone())]));
        }
        flavour
    }

    fn table(flavours: &[&Flavour]) -> Vec<[String; 3]> {
        let (mut names, mut table) = (Names::default(), Table::default());
        for flavour in flavours {
            let wanted = flavour.closure(flavour.columns.iter().flat_map(|column| column.keys().cloned()));
            match flavours.first() {
                Some(newest) if !flavour.suffix.is_empty() => {
                    name_other(flavour, newest, &wanted, &mut names)
                }
                _ => name_newest(flavour, &wanted, &mut names),
            }
            table.add(flavour, &wanted, &names).unwrap();
        }
        table.rows()
    }

    #[test]
    fn one_text_serves_architectures_that_agree_on_the_rule() {
        let all: Vec<_> = (0..arch::COUNT)
            .map(|arch| (arch, "struct a", "linux/a.h", pair(if arch == 1 { 4 } else { 8 })))
            .collect();
        let rows = table(&[&flavour("", &all)]);
        assert_eq!(rows, [["struct a", "", "struct{u32 a;u64 b;}"].map(str::to_owned)]);
    }

    #[test]
    fn packed_on_one_architecture_alone_is_a_row_of_its_own() {
        let rows = table(&[&flavour(
            "",
            &[(0, "struct a", "linux/a.h", pair(4)), (2, "struct a", "linux/a.h", pair(8))],
        )]);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0], ["struct a", "aarch64", "struct{u32 a;u64 b;}"].map(str::to_owned));
        assert_eq!(rows[1], ["struct a", "x86_64", "struct packed{u32 a;u64 b;}"].map(str::to_owned));
    }

    #[test]
    fn types_that_share_a_name_are_told_apart() {
        let newest =
            flavour("", &[(0, "struct a", "linux/a.h", pair(8)), (0, "struct a", "sound/b.h", pair(4))]);
        let same = flavour("6.1", &[(0, "struct a", "linux/old.h", pair(8))]);
        let other = flavour("5.16", &[(0, "struct a", "linux/a.h", pair(12))]);
        let names: Vec<String> =
            table(&[&newest, &same, &other]).into_iter().map(|[name, ..]| name).collect();
        assert_eq!(names, ["struct a", "struct a~2", "struct a~5.16"]);
    }
}
