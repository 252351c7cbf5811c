//! What one pass over headers says of requests: a number by name, with other names of the same number taken out.

use std::collections::BTreeMap;

use ioctl_registry::Made;
use ioctl_registry_extract::model::Type;

use super::{overlay::Overlay, pass::Headers, types::rank};

/// A request on one architecture.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub number: u32,
    /// How it is made.
    pub made: Made,
    /// The type of its argument and the size of that.
    pub arg: Option<(Type, Option<u64>)>,
    /// Include name of the header that defines it.
    pub header: String,
    /// Line of the definition.
    pub line: u32,
    /// The other macros that its body may be a name of.
    pub alias_of: Vec<String>,
}

/// A second name of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alias {
    /// The second name.
    pub name: String,
    /// The request's own.
    pub of: String,
}

/// Requests and second names of one pass.
#[derive(Debug, Default)]
pub struct Entries {
    /// Requests by name; several where headers disagree.
    pub requests: BTreeMap<String, Vec<Entry>>,
    /// Second names, with header and line.
    pub aliases: BTreeMap<Alias, (String, u32)>,
    /// Names whose value is no 32-bit number.
    pub wide: usize,
}

impl Entries {
    /// Merges what the headers yield.
    pub fn new(headers: &Headers, overlay: &Overlay) -> Self {
        let mut this = Self::default();
        let mut open: Vec<(String, Entry)> = Vec::new();
        for header in headers.values() {
            for candidate in &header.discovery.requests {
                let Some(value) = header.report.values.get(&candidate.name) else { continue };
                let Ok(number) = u32::try_from(*value) else {
                    this.wide += 1;
                    continue;
                };
                let spelled = overlay.aliases().iter().filter(|[alias, _]| *alias == candidate.name);
                let mut alias_of: Vec<String> = spelled.map(|[_, name]| name.clone()).collect();
                alias_of.extend(candidate.alias_of.iter().cloned());
                alias_of.retain(|target| !overlay.starts_range(target));
                let entry = Entry {
                    number,
                    made: candidate.made,
                    arg: header.report.types.pointees.get(&candidate.name).cloned(),
                    header: candidate.header.clone(),
                    line: candidate.line,
                    alias_of,
                };
                if entry.alias_of.is_empty() {
                    this.insert(candidate.name.clone(), entry);
                } else {
                    open.push((candidate.name.clone(), entry));
                }
            }
        }
        open.sort_by(|(a, x), (b, y)| (a, rank(&x.header)).cmp(&(b, rank(&y.header))));
        this.resolve(open);
        this
    }

    /// Adds a request; of two headers that define the same, the better one stays.
    fn insert(&mut self, name: String, entry: Entry) {
        let known = self.requests.entry(name).or_default();
        match known.iter_mut().find(|other| other.number == entry.number) {
            Some(other) if rank(&entry.header) < rank(&other.header) => *other = entry,
            Some(_) => {}
            None => known.push(entry),
        }
    }

    /// Follows chains of second names to a request; what leads nowhere is a request of its own.
    fn resolve(&mut self, mut open: Vec<(String, Entry)>) {
        loop {
            let before = open.len();
            let mut rest = Vec::new();
            for (name, entry) in open {
                let target = entry.alias_of.iter().find_map(|target| self.canonical(target, entry.number));
                match target {
                    // A name that is a request by itself elsewhere is no second name.
                    Some(_) if self.requests.contains_key(&name) => {}
                    Some(of) => {
                        let place = (entry.header, entry.line);
                        self.aliases.entry(Alias { name, of }).or_insert(place);
                    }
                    None => rest.push((name, entry)),
                }
            }
            open = rest;
            if open.len() == before {
                break;
            }
        }
        for (name, entry) in open {
            self.insert(name, entry);
        }
    }

    /// The request of that number which a name stands for.
    fn canonical(&self, name: &str, number: u32) -> Option<String> {
        let has = |name: &str| {
            self.requests.get(name).is_some_and(|entries| entries.iter().any(|entry| entry.number == number))
        };
        if has(name) {
            return Some(name.to_owned());
        }
        let first = Alias { name: name.to_owned(), of: String::new() };
        let mut targets =
            self.aliases.range(first..).map(|(alias, _)| alias).take_while(|alias| alias.name == name);
        targets.find(|alias| has(&alias.of)).map(|alias| alias.of.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32, alias_of: &[&str]) -> Entry {
        Entry {
            number,
            made: Made::Plain,
            arg: None,
            header: "linux/a.h".to_owned(),
            line: 1,
            alias_of: alias_of.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn chains_of_names_lead_to_a_request_of_the_same_number() {
        let mut entries = Entries::default();
        entries.insert("A".to_owned(), entry(1, &[]));
        entries.insert("B".to_owned(), entry(2, &[]));
        entries.resolve(vec![
            ("D".to_owned(), entry(1, &["C"])),
            ("C".to_owned(), entry(1, &["B", "A"])),
            ("E".to_owned(), entry(3, &["A"])),
        ]);
        let aliases: Vec<_> =
            entries.aliases.keys().map(|alias| format!("{}={}", alias.name, alias.of)).collect();
        assert_eq!(aliases, ["C=A", "D=A"]);
        assert!(entries.requests.contains_key("E"));
    }
}
