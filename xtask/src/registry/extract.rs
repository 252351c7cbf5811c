//! Goes over all kernels and architectures and merges what they yield.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use ioctl_registry_extract::model::Name;

use super::{
    arch::{ALL, Arch, COUNT},
    compiler::Kernel,
    entries::Entries,
    inputs::Inputs,
    overlay::Overlay,
    parametrised::{self, Parametrised},
    pass::{self, Headers, Scope},
    private,
    requests::Rows,
    types::{self, Flavour, Names, Table},
};

/// The flavour of 32-bit programs whose times have 64 bits.
const TIME64: &str = "time64";
/// The kernel whose source tree is read.
const SOURCE: &str = "6.12";
/// Architectures that have programs of both widths of time.
const BOTH_TIMES: [&str; 3] = ["i386", "arm", "mips"];

/// Values of a header's macros and enumerators, by architecture.
#[derive(Debug, Default)]
pub struct Constants {
    values: BTreeMap<(String, String), [Option<i128>; COUNT]>,
}

impl Constants {
    /// The value of a name that a header defines, on an architecture (by index). What only one architecture was asked
    /// for holds for all.
    pub fn get(&self, header: &str, name: &str, arch: usize) -> Option<i128> {
        let values = self.values.get(&(header.to_owned(), name.to_owned()))?;
        let own = values.get(arch).copied().flatten();
        if header.starts_with("asm/") { own } else { own.or(values.first().copied().flatten()) }
    }

    /// All values, by header and name.
    pub fn all(&self) -> BTreeMap<(String, String), [Option<i128>; COUNT]> {
        self.values.clone()
    }

    /// Number of names.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    fn add(&mut self, arch: usize, headers: &Headers) {
        for (header, found) in headers {
            let macros = found.report.values.iter().filter(|(name, _)| !parametrised::is_probe(name));
            let enumerators = found.report.types.enumerators.iter().map(|(name, value)| (name, value));
            for (name, value) in macros.chain(enumerators) {
                let values = self.values.entry((header.clone(), name.clone())).or_default();
                if let Some(place) = values.get_mut(arch) {
                    *place = Some(*value);
                }
            }
        }
    }
}

/// Everything that the headers yield.
pub struct Extracted {
    /// Requests and second names.
    pub rows: Rows,
    /// Requests with a parameter.
    pub parametrised: Vec<Parametrised>,
    /// Types by name.
    pub types: Table,
    /// How the table names types.
    pub names: Names,
    /// Values of constants.
    pub constants: Constants,
    /// Versions of the kernels, the newest first.
    pub versions: Vec<&'static str>,
    /// Candidates that do not compile anywhere, with the reason on the first architecture.
    pub lost: BTreeMap<String, String>,
    /// Names whose value is no 32-bit number.
    pub wide: usize,
}

struct Work<'a> {
    inputs: &'a Inputs,
    overlay: &'a Overlay,
    kernels: Vec<Kernel>,
    rows: Rows,
    newest: Flavour,
    constants: Constants,
    roots: BTreeSet<Name>,
    lost: BTreeMap<String, String>,
    wide: usize,
}

/// Reads all headers.
///
/// # Errors
///
/// When one that defines requests does not compile, or an overlay entry selects nothing.
pub fn extract(inputs: &Inputs, overlay: &Overlay) -> Result<Extracted> {
    let mut work = Work {
        inputs,
        overlay,
        kernels: Kernel::all(inputs),
        rows: Rows::default(),
        newest: Flavour::new(""),
        constants: Constants::default(),
        roots: BTreeSet::new(),
        lost: BTreeMap::new(),
        wide: 0,
    };
    let first = work.newest_first()?;
    let parametrised = parametrised::read(&first, overlay, &work.constants)?;
    let times = work.newest_others(&first)?;
    let older = work.older()?;
    work.arch_only()?;
    let private = work.private()?;
    work.rows.share_seen(TIME64);

    let mut names = Names::default();
    let mut table = Table::default();
    let mut roots = work.roots;
    roots.extend(row_names(&work.rows, ""));
    roots.extend(work.newest.wanted(overlay));
    for entry in &parametrised {
        entry.arg.iter().for_each(|ty| ty.each_name(&mut |name| _ = roots.insert(name.clone())));
    }
    let wanted = work.newest.closure(roots);
    types::name_newest(&work.newest, &wanted, &mut names);
    table.add(&work.newest, &wanted, &names)?;
    for flavour in older.iter().chain([&times, &private]) {
        let roots = row_names(&work.rows, flavour.suffix);
        let wanted = if flavour.suffix == private::FLAVOUR {
            // Tables by hand mean the types of user space where there are such.
            let known: BTreeSet<String> = names.plain();
            let by_hand = flavour.wanted(overlay).into_iter().filter(|name| !known.contains(&name.name));
            flavour.embedded(roots.into_iter().chain(by_hand))
        } else {
            flavour.closure(roots)
        };
        types::name_other(flavour, &work.newest, &wanted, &mut names);
        table.add(flavour, &wanted, &names)?;
    }
    Ok(Extracted {
        rows: work.rows,
        parametrised,
        types: table,
        names,
        constants: work.constants,
        versions: work.kernels.iter().map(|kernel| kernel.version).collect(),
        lost: work.lost,
        wide: work.wide,
    })
}

/// The types that rows of a flavour refer to.
fn row_names(rows: &Rows, flavour: &str) -> Vec<Name> {
    let mut names = Vec::new();
    for row in rows.rows.iter().filter(|row| row.flavour == flavour) {
        row.arg.iter().for_each(|ty| ty.each_name(&mut |name| names.push(name.clone())));
    }
    names
}

/// Gives a flavour the types of one pass.
pub fn fill(flavour: &mut Flavour, arch: usize, headers: &Headers) {
    for (name, header) in headers {
        flavour.add(arch, name, &header.report.types.definitions);
    }
}

fn has_requests(headers: &Headers) -> impl Iterator<Item = &String> {
    let with = headers
        .iter()
        .filter(|(_, found)| !(found.discovery.requests.is_empty() && found.discovery.functions.is_empty()));
    with.map(|(header, _)| header)
}

impl Work<'_> {
    fn scope<'a>(&'a self, kernel: &'a Kernel, arch: &'static Arch) -> Scope<'a> {
        Scope::new(self.inputs, self.overlay, kernel, arch)
    }

    /// Adds what a pass of the newest kernel yields.
    fn take_newest(&mut self, arch: usize, headers: &Headers) {
        let entries = Entries::new(headers, self.overlay);
        self.wide += entries.wide;
        self.rows.add_newest(arch, &entries);
        self.constants.add(arch, headers);
        fill(&mut self.newest, arch, headers);
        for header in has_requests(headers) {
            if let Some(found) = headers.get(header) {
                self.roots.extend(found.report.types.own.iter().cloned());
                for lost in &found.report.lost {
                    self.lost
                        .entry(lost.name.clone())
                        .or_insert_with(|| format!("{header}: {}", lost.reason));
                }
            }
        }
    }

    /// Whether a header defines a type that a table by hand names.
    fn defines_wanted(&self, found: &pass::Header) -> bool {
        found.report.types.own.iter().any(|name| self.overlay.wants(&name.name))
    }

    /// The newest kernel on the first architecture: all its headers, for their constants.
    fn newest_first(&mut self) -> Result<Headers> {
        let [kernel, ..] = self.kernels.as_slice() else { return Ok(Headers::new()) };
        let arch = &ALL[0];
        let headers = pass::select(self.inputs, kernel, arch, self.overlay, true)?;
        let first = Scope { constants: true, ..self.scope(kernel, arch) }.run(&headers, None)?;
        self.take_newest(0, &first);
        self.overlay.check_legacy(&first)?;
        Ok(first)
    }

    /// The newest kernel on the other architectures; returns what 64-bit times change.
    fn newest_others(&mut self, first: &Headers) -> Result<Flavour> {
        let mut times = Flavour::new(TIME64);
        let mut changed = Vec::new();
        let Some(kernel) = self.kernels.first().cloned() else { return Ok(times) };
        for (index, arch) in ALL.iter().enumerate().skip(1) {
            // An architecture's own headers have constants and types of their own.
            let own = pass::select(self.inputs, &kernel, arch, self.overlay, true)?;
            let mut headers: BTreeSet<String> =
                own.into_iter().filter(|header| header.starts_with("asm/")).collect();
            let more = pass::select(self.inputs, &kernel, arch, self.overlay, false)?;
            headers.extend(more.into_iter().filter(|header| !first.contains_key(header)));
            let shared = has_requests(first).filter(|header| !header.starts_with("asm/"));
            headers.extend(shared.cloned());
            let wanted = first.iter().filter(|(_, found)| self.defines_wanted(found));
            headers.extend(wanted.map(|(name, _)| name.clone()));
            let headers: Vec<String> = headers.into_iter().collect();
            let found = self.scope(&kernel, arch).run(&headers, Some(first))?;
            self.take_newest(index, &found);
            if BOTH_TIMES.contains(&arch.name) {
                let found = Scope { time64: true, ..self.scope(&kernel, arch) }.run(&headers, Some(first))?;
                changed.push((index, Entries::new(&found, self.overlay)));
                fill(&mut times, index, &found);
            }
        }
        for (index, entries) in &changed {
            self.rows.add_flavour(*index, entries, TIME64);
        }
        let rows = &self.rows.rows;
        self.lost.retain(|name, _| rows.iter().all(|row| row.name != *name));
        Ok(times)
    }

    /// Older kernels: since when requests exist, and those that are gone, with their own types.
    fn older(&mut self) -> Result<Vec<Flavour>> {
        let arch = &ALL[0];
        let mut read = Vec::new();
        let mut lost: BTreeMap<(String, u32), BTreeSet<usize>> = BTreeMap::new();
        for (index, kernel) in self.kernels.clone().iter().enumerate().skip(1) {
            let headers = pass::select(self.inputs, kernel, arch, self.overlay, false)?;
            let found = self.scope(kernel, arch).run(&headers, None)?;
            let entries = Entries::new(&found, self.overlay);
            for key in self.rows.note_older(0, &entries, index) {
                lost.entry(key).or_default().insert(index);
            }
            read.push((index, kernel.clone(), found, entries));
        }
        let mut flavours = Vec::new();
        for (index, kernel, found, entries) in &read {
            // The last kernel that has a request describes it.
            let last: BTreeMap<_, _> = lost
                .iter()
                .filter(|(_, seen)| seen.first() == Some(index))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            let mut flavour = Flavour::new(kernel.version);
            let has_lost = |header: &str| {
                found.get(header).is_some_and(|found| {
                    found.discovery.requests.iter().any(|c| last.keys().any(|(name, _)| *name == c.name))
                })
            };
            let headers: Vec<String> = found.keys().filter(|header| has_lost(header)).cloned().collect();
            fill(&mut flavour, 0, found);
            self.rows.add_older(0, entries, &last, kernel.version);
            for (place, arch) in ALL.iter().enumerate().skip(1).filter(|_| !headers.is_empty()) {
                let present = pass::select(self.inputs, kernel, arch, self.overlay, false)?;
                let headers: Vec<String> =
                    headers.iter().filter(|header| present.contains(header)).cloned().collect();
                let scope = Scope { lenient: true, ..self.scope(kernel, arch) };
                let others = scope.run(&headers, Some(found))?;
                fill(&mut flavour, place, &others);
                self.rows.add_older(place, &Entries::new(&others, self.overlay), &last, kernel.version);
            }
            self.rows.add_older_aliases(entries);
            flavours.push(flavour);
        }
        Ok(flavours)
    }

    /// Requests that drivers define for themselves.
    fn private(&mut self) -> Result<Flavour> {
        let Some((index, kernel)) =
            self.kernels.iter().enumerate().find(|(_, kernel)| kernel.version == SOURCE)
        else {
            return Ok(Flavour::new(private::FLAVOUR));
        };
        let (flavour, found) = private::read(self.inputs, self.overlay, kernel, index, &mut self.rows)?;
        self.constants.add(0, &found);
        for (file, found) in &found {
            for lost in &found.report.lost {
                self.lost.entry(lost.name.clone()).or_insert_with(|| format!("{file}: {}", lost.reason));
            }
        }
        Ok(flavour)
    }

    /// Whether requests that only other architectures have are in the oldest kernel.
    fn arch_only(&mut self) -> Result<()> {
        let Some((oldest, kernel)) = self.kernels.iter().cloned().enumerate().next_back() else {
            return Ok(());
        };
        for (index, arch) in ALL.iter().enumerate().skip(1) {
            let only =
                self.rows.rows.iter().filter(|row| row.first().is_some_and(|(first, _)| first == index));
            let wanted: BTreeSet<String> = only.map(|row| super::discover::home(&row.header)).collect();
            let mut headers = pass::select(self.inputs, &kernel, arch, self.overlay, false)?;
            headers.retain(|header| wanted.contains(header));
            if headers.is_empty() || !kernel.has_own(arch) {
                continue;
            }
            let found = Scope { lenient: true, ..self.scope(&kernel, arch) }.run(&headers, None)?;
            self.rows.note_older(index, &Entries::new(&found, self.overlay), oldest);
        }
        Ok(())
    }
}
