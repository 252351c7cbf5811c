//! The table of requests: a row for each meaning of a name, with its number on every architecture and the kernels that
//! have it.

use std::collections::{BTreeMap, BTreeSet};

use ioctl_registry::Made;
use ioctl_registry_extract::model::Type;

use super::{
    arch::{self, ALL, COUNT},
    discover,
    entries::{Alias, Entries, Entry},
};

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// The request.
    pub name: String,
    /// How its number is made.
    pub made: Made,
    /// Its number by architecture.
    pub numbers: [Option<u32>; COUNT],
    /// Size of its argument's type by architecture.
    pub sizes: [Option<u64>; COUNT],
    /// The type of its argument, where the header states one.
    pub arg: Option<Type>,
    /// The flavour whose types these are.
    pub flavour: &'static str,
    /// Include name of the header.
    pub header: String,
    /// Line of the definition.
    pub line: u32,
    /// The kernels that have it, as indices into the versions that were read, the newest first.
    pub seen: BTreeSet<usize>,
}

/// All rows, and second names.
#[derive(Debug, Default)]
pub struct Rows {
    /// The rows, in no particular order.
    pub rows: Vec<Row>,
    by_name: BTreeMap<String, Vec<usize>>,
    /// Second names with header and line.
    pub aliases: BTreeMap<Alias, (String, u32)>,
}

impl Row {
    fn new(name: &str, entry: &Entry, flavour: &'static str, kernel: usize) -> Self {
        Self {
            name: name.to_owned(),
            made: entry.made,
            numbers: [None; COUNT],
            sizes: [None; COUNT],
            arg: entry.arg.as_ref().map(|(ty, _)| ty.clone()),
            flavour,
            header: entry.header.clone(),
            line: entry.line,
            seen: BTreeSet::from([kernel]),
        }
    }

    fn set(&mut self, arch: usize, entry: &Entry) {
        if let (Some(number), Some(size)) = (self.numbers.get_mut(arch), self.sizes.get_mut(arch)) {
            *number = Some(entry.number);
            *size = entry.arg.as_ref().and_then(|(_, size)| *size);
        }
    }

    /// The number on an architecture.
    pub fn number(&self, arch: usize) -> Option<u32> {
        self.numbers.get(arch).copied().flatten()
    }

    /// The number in the layout that the table's default has.
    fn generic(&self, arch: usize, number: u32) -> u32 {
        match (self.made, ALL.get(arch)) {
            (Made::Plain, _) | (_, None) => number,
            (_, Some(arch)) => arch.to_generic(number),
        }
    }

    /// The first architecture that has it, and its number there in the generic layout.
    pub fn first(&self) -> Option<(usize, u32)> {
        (0..COUNT).find_map(|arch| Some((arch, self.generic(arch, self.number(arch)?))))
    }

    /// The column of numbers.
    pub fn render_number(&self) -> String {
        let Some((_, default)) = self.first() else { return "!".to_owned() };
        let expected = |arch: usize| match (self.made, ALL.get(arch)) {
            (Made::Plain, _) | (_, None) => default,
            (_, Some(arch)) => arch.of_generic(default),
        };
        let exceptions = |missing: bool| {
            let mut groups: Vec<(Option<u32>, Vec<usize>)> = Vec::new();
            for arch in 0..COUNT {
                let number = self.number(arch);
                let regular = if missing { number.is_none() } else { number == Some(expected(arch)) };
                if regular {
                    continue;
                }
                match groups.iter_mut().find(|(other, _)| *other == number) {
                    Some((_, arches)) => arches.push(arch),
                    None => groups.push((number, vec![arch])),
                }
            }
            let texts = groups.into_iter().map(|(number, arches)| {
                let number = number.map_or("!".to_owned(), |number| format!("{number:#x}"));
                format!(" {}={number}", arch::list(&arches))
            });
            texts.collect::<String>()
        };
        let present = format!("{default:#x}{}", exceptions(false));
        let absent = format!("!{}", exceptions(true));
        if self.number(0).is_none() && absent.len() <= present.len() { absent } else { present }
    }

    /// How the argument's memory travels, as far as the number tells.
    pub fn direction(&self) -> &'static str {
        let bits = match self.made {
            Made::Plain | Made::Io => 0,
            _ => self.first().map_or(0, |(_, number)| number >> 30),
        };
        match bits {
            1 => "write",
            2 => "read",
            3 => "read-write",
            _ => "?",
        }
    }
}

impl Rows {
    fn push(&mut self, row: Row) -> usize {
        self.by_name.entry(row.name.clone()).or_default().push(self.rows.len());
        self.rows.push(row);
        self.rows.len() - 1
    }

    fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = (usize, &'a Row)> {
        let places = self.by_name.get(name).into_iter().flatten();
        places.filter_map(|place| Some((*place, self.rows.get(*place)?)))
    }

    /// Adds the newest kernel's requests of an architecture.
    pub fn add_newest(&mut self, arch: usize, entries: &Entries) {
        for (name, all) in &entries.requests {
            for entry in all {
                let home = discover::home(&entry.header);
                let fits = |(_, row): &(usize, &Row)| row.flavour.is_empty() && row.number(arch).is_none();
                let mut free: Vec<(usize, &Row)> = self.named(name).filter(fits).collect();
                free.sort_by_key(|(place, row)| {
                    let same_home = discover::home(&row.header) == home;
                    let same_number =
                        row.first().map(|(_, number)| number) == Some(row.generic(arch, entry.number));
                    (!same_home, !same_number, *place)
                });
                let found = free.first().filter(|(_, row)| {
                    discover::home(&row.header) == home
                        || row.first().map(|(_, number)| number) == Some(row.generic(arch, entry.number))
                });
                let place = match found {
                    Some((place, _)) => *place,
                    None => self.push(Row::new(name, entry, "", 0)),
                };
                if let Some(row) = self.rows.get_mut(place) {
                    row.set(arch, entry);
                }
            }
        }
        for (alias, place) in &entries.aliases {
            self.aliases.entry(alias.clone()).or_insert_with(|| place.clone());
        }
    }

    /// Gives requests of a flavour of the newest headers the kernels that have the plain ones.
    pub fn share_seen(&mut self, flavour: &str) {
        let plain: BTreeMap<String, BTreeSet<usize>> = self
            .rows
            .iter()
            .filter(|row| row.flavour.is_empty())
            .map(|row| (row.name.clone(), row.seen.clone()))
            .collect();
        for row in self.rows.iter_mut().filter(|row| row.flavour == flavour) {
            if let Some(seen) = plain.get(&row.name) {
                row.seen.clone_from(seen);
            }
        }
    }

    /// Adds requests whose number another flavour of the same headers changes.
    pub fn add_flavour(&mut self, arch: usize, entries: &Entries, flavour: &'static str) {
        for (name, all) in &entries.requests {
            for entry in all {
                if self.named(name).any(|(_, row)| row.number(arch) == Some(entry.number))
                    || self.is_alias(name, arch, entry.number)
                {
                    continue;
                }
                let known =
                    self.named(name).find(|(_, row)| row.flavour == flavour && row.number(arch).is_none());
                let place = match known {
                    Some((place, _)) => place,
                    None => self.push(Row::new(name, entry, flavour, 0)),
                };
                if let Some(row) = self.rows.get_mut(place) {
                    row.set(arch, entry);
                }
            }
        }
        for (alias, place) in &entries.aliases {
            self.aliases.entry(alias.clone()).or_insert_with(|| place.clone());
        }
    }

    /// Notes which requests an older kernel has on an architecture; returns those that are new to the table, by name
    /// and number.
    pub fn note_older(&mut self, arch: usize, entries: &Entries, kernel: usize) -> Vec<(String, u32)> {
        let mut lost = Vec::new();
        for (name, all) in &entries.requests {
            for entry in all {
                // A request may have become one of another architecture alone.
                let same = |row: &Row| match row.number(arch) {
                    Some(number) => number == entry.number,
                    None => row.first().map(|(_, number)| number) == Some(row.generic(arch, entry.number)),
                };
                let known = self.named(name).filter(|(_, row)| same(row)).map(|(place, _)| place);
                let known: Vec<usize> = known.collect();
                let aliased = self.is_alias(name, arch, entry.number);
                if known.is_empty() && !aliased {
                    lost.push((name.clone(), entry.number));
                }
                for place in known {
                    if let Some(row) = self.rows.get_mut(place) {
                        row.seen.insert(kernel);
                    }
                }
            }
        }
        lost
    }

    /// Whether a name is a second one of a request with that number.
    fn is_alias(&self, name: &str, arch: usize, number: u32) -> bool {
        let first = Alias { name: name.to_owned(), of: String::new() };
        let mut targets =
            self.aliases.range(first..).map(|(alias, _)| alias).take_while(|alias| alias.name == name);
        targets.any(|alias| self.named(&alias.of).any(|(_, row)| row.number(arch) == Some(number)))
    }

    /// Adds requests that only older kernels have; `lost` tells which, by name and number on the first architecture.
    pub fn add_older(
        &mut self,
        arch: usize,
        entries: &Entries,
        lost: &BTreeMap<(String, u32), BTreeSet<usize>>,
        flavour: &'static str,
    ) {
        for ((name, number), seen) in lost {
            let all = entries.requests.get(name).into_iter().flatten();
            let home =
                self.named(name).find(|(_, row)| row.flavour == flavour && row.number(0) == Some(*number));
            let home = home.map(|(place, row)| (place, row.header.clone()));
            let fits = |entry: &&Entry| match &home {
                None => entry.number == *number,
                Some((_, header)) => discover::home(&entry.header) == discover::home(header),
            };
            let mut all: Vec<&Entry> = all.filter(fits).collect();
            all.retain(|entry| !self.named(name).any(|(_, row)| row.number(arch) == Some(entry.number)));
            let Some(entry) = all.first() else { continue };
            let place = match home {
                Some((place, _)) => place,
                None if arch == 0 => {
                    let mut row = Row::new(name, entry, flavour, 0);
                    row.seen.clone_from(seen);
                    self.push(row)
                }
                None => continue,
            };
            if let Some(row) = self.rows.get_mut(place) {
                row.set(arch, entry);
            }
        }
    }

    /// Adds requests of drivers, known on the first architecture; `size` measures arguments on the others.
    pub fn add_private(
        &mut self,
        entries: &Entries,
        flavour: &'static str,
        kernel: usize,
        size: &dyn Fn(usize, &Type) -> Option<u64>,
    ) {
        for (name, all) in &entries.requests {
            for entry in all {
                let known = self.named(name).any(|(_, row)| row.number(0) == Some(entry.number));
                if known || self.aliases.keys().any(|alias| alias.name == *name) {
                    continue;
                }
                let has = |of: &&String| self.named(of).any(|(_, row)| row.number(0) == Some(entry.number));
                // Drivers have names of their own for what the headers for user space define.
                if let Some(of) = entry.alias_of.iter().find(has) {
                    let alias = Alias { name: name.clone(), of: of.clone() };
                    self.aliases.insert(alias, (entry.header.clone(), entry.line));
                    continue;
                }
                let mut row = Row::new(name, entry, flavour, kernel);
                for arch in 0..COUNT {
                    let size = entry.arg.as_ref().map(|(ty, _)| size(arch, ty));
                    let number = match (entry.made, size) {
                        (Made::Plain, _) => Some(entry.number),
                        // What has no size there has no number.
                        (_, Some(None)) => None,
                        (_, Some(Some(size))) => {
                            ALL.get(arch).and_then(|arch| arch.resized(entry.number, size))
                        }
                        (_, None) => ALL.get(arch).map(|arch| arch.of_generic(entry.number)),
                    };
                    if let (Some(number_at), Some(size_at)) =
                        (row.numbers.get_mut(arch), row.sizes.get_mut(arch))
                    {
                        *number_at = number;
                        *size_at = size.flatten();
                    }
                }
                self.push(row);
            }
        }
    }

    /// Adds an older kernel's second names of requests that the table has.
    pub fn add_older_aliases(&mut self, entries: &Entries) {
        for (alias, place) in &entries.aliases {
            let known = self.by_name.contains_key(&alias.name)
                || self.aliases.keys().any(|old| old.name == alias.name);
            if !known && self.by_name.contains_key(&alias.of) {
                self.aliases.insert(alias.clone(), place.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(made: Made, numbers: &[(usize, u32)]) -> Row {
        let mut row = Row {
            name: "X".to_owned(),
            made,
            numbers: [None; COUNT],
            sizes: [None; COUNT],
            arg: None,
            flavour: "",
            header: "linux/x.h".to_owned(),
            line: 1,
            seen: BTreeSet::new(),
        };
        for (arch, number) in numbers {
            row.numbers[*arch] = Some(*number);
        }
        row
    }

    #[test]
    fn regular_numbers_need_no_exceptions() {
        let generic = 0xc010_5601;
        let numbers: Vec<_> = ALL.iter().map(|arch| arch.of_generic(generic)).enumerate().collect();
        let row = row(Made::Iowr, &numbers);
        assert_eq!(row.render_number(), "0xc0105601");
        assert_eq!(row.direction(), "read-write");
    }

    #[test]
    fn exceptions_are_grouped_and_absence_is_marked() {
        let mut numbers: Vec<_> = (0..COUNT).map(|arch| (arch, 0x5401)).collect();
        numbers[7].1 = 0x540d;
        numbers[8].1 = 0x540d;
        numbers.remove(10);
        assert_eq!(row(Made::Plain, &numbers).render_number(), "0x5401 mips,mips64=0x540d loongarch64=!");
        assert_eq!(row(Made::Plain, &[(9, 0x7401)]).render_number(), "! sparc64=0x7401");
    }
}
