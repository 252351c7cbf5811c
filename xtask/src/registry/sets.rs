//! Sets of constants that fields and parameters take: by hand from `overlay/sets.tsv`, and those that facts list.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use ioctl_registry::glob_matches;

use super::{
    arch::{self, COUNT},
    facts::Problems,
    overlay,
};

/// Values of the constants that headers define.
pub struct Values {
    /// By header and name, with the value on each architecture.
    by_header: BTreeMap<(String, String), [Option<i128>; COUNT]>,
    /// Header of a name, the best of several.
    headers: BTreeMap<String, String>,
}

/// A number on each architecture.
type PerArch = [Option<i128>; COUNT];

/// A constant with its value and, if it is one of several within a mask, that.
type Constant = (String, PerArch, Option<PerArch>);

impl Values {
    /// Takes values by header and name.
    pub fn new(
        mut by_header: BTreeMap<(String, String), [Option<i128>; COUNT]>,
        more: &[[String; 3]],
    ) -> Self {
        for [header, name, value] in more {
            by_header.insert((header.clone(), name.clone()), [value.parse().ok(); COUNT]);
        }
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (header, name) in by_header.keys() {
            let best = headers.entry(name.clone()).or_insert_with(|| header.clone());
            if super::types::rank(header) < super::types::rank(best) {
                best.clone_from(header);
            }
        }
        Self { by_header, headers }
    }

    /// The constants that a name or glob selects, with the value on the first architecture that has them. A header that
    /// starts with `-` has no macro for a character, which is its own value.
    pub fn matching(&self, header: &str, glob: &str) -> Vec<(String, i128)> {
        if header.starts_with('-') {
            let mut symbols = glob.trim_matches('\'').chars();
            let code = symbols.next().map(u32::from).filter(|_| symbols.next().is_none());
            return code
                .map(|code| (format!("'{}'", glob.trim_matches('\'')), i128::from(code)))
                .into_iter()
                .collect();
        }
        let selected = self.select(header, glob).into_iter();
        selected.filter_map(|(name, values, _)| Some((name, values.into_iter().flatten().next()?))).collect()
    }

    fn all(&self, header: &str, name: &str) -> Option<[Option<i128>; COUNT]> {
        let header = if header.is_empty() { self.headers.get(name)? } else { header };
        self.by_header.get(&(header.to_owned(), name.to_owned())).copied()
    }

    /// The constants that globs select of headers, separated by commas; the last glob that matches decides, `!GLOB` takes
    /// out, and `MASK:GLOB` says which bits they lie in.
    fn select(&self, headers: &str, globs: &str) -> Vec<Constant> {
        let plain = || globs.split(' ').filter(|glob| !glob.contains(SHIFT));
        let selected = |name: &str| {
            plain().fold(None, |selected, glob| match glob.strip_prefix('!') {
                Some(excluded) => selected.filter(|_| !glob_matches(excluded, name)),
                None => {
                    let (mask, glob) = masked(glob);
                    if glob_matches(glob, name) { Some(mask) } else { selected }
                }
            })
        };
        let mut found = Vec::new();
        // Architectures include most of `asm-generic/` under a name of their own.
        let own = |header: &str| header.strip_prefix("asm-generic/").map(|rest| format!("asm/{rest}"));
        let headers: Vec<String> = headers
            .split(',')
            .flat_map(|header| own(header).into_iter().chain([header.to_owned()]))
            .collect();
        for header in &headers {
            let first = (header.clone(), String::new());
            let own = self.by_header.range(first..).take_while(|((of, _), _)| of == header);
            let own = own.filter_map(|((_, name), values)| Some((name, values, selected(name)?)));
            let mask = |mask: Option<&str>| mask.and_then(|mask| self.mask(&headers, mask));
            found.extend(own.map(|(name, values, of)| (name.clone(), *values, mask(of))));
        }
        for glob in globs.split(' ').filter(|glob| glob.contains(SHIFT)) {
            self.shifted(&headers, glob, &mut found);
        }
        found
    }

    /// The constants of `MASK:GLOB<<BITS` that are not zero, `NAME<<BITS`.
    fn shifted(&self, headers: &[String], glob: &str, found: &mut Vec<Constant>) {
        let (mask, glob) = masked(glob);
        let Some((glob, bits)) = glob.split_once(SHIFT) else { return };
        let mask = mask.and_then(|mask| self.mask(headers, mask));
        let Some(shift) = headers.iter().find_map(|header| self.all(header, bits)) else { return };
        for header in headers {
            let first = (header.clone(), String::new());
            let own = self.by_header.range(first..).take_while(|((of, _), _)| of == header);
            for ((_, name), values) in own.filter(|((_, name), _)| glob_matches(glob, name)) {
                let pairs = values.iter().zip(&shift);
                let mut shifted: PerArch = [None; COUNT];
                for (to, (value, bits)) in shifted.iter_mut().zip(pairs) {
                    *to = value.zip(*bits).map(|(value, bits)| value << bits).filter(|value| *value != 0);
                }
                if shifted.iter().any(Option::is_some) {
                    found.push((format!("{name}{SHIFT}{bits}"), shifted, mask));
                }
            }
        }
    }

    /// A mask: a constant of the headers, or a hexadecimal number.
    fn mask(&self, headers: &[String], mask: &str) -> Option<PerArch> {
        if let Some(digits) = mask.strip_prefix("0x") {
            return Some([Some(i128::from(u64::from_str_radix(digits, 16).ok()?)); COUNT]);
        }
        headers.iter().find_map(|header| self.all(header, mask))
    }

    /// Fails unless every glob selects something, and every mask is known.
    fn check(&self, headers: &str, globs: &str) -> Result<()> {
        for glob in globs.split(' ').filter(|glob| !glob.starts_with('!')) {
            let found = self.select(headers, glob);
            ensure!(!found.is_empty(), "{headers} has no {glob}");
            let unknown = masked(glob).0.is_some() && found.iter().any(|(_, _, mask)| mask.is_none());
            ensure!(!unknown, "{headers} has no such mask: {glob}");
        }
        Ok(())
    }
}

/// In a glob: the constants are shifted by so many bits, another constant.
const SHIFT: &str = "<<";

/// The mask and the glob of `MASK:GLOB`.
fn masked(glob: &str) -> (Option<&str>, &str) {
    glob.split_once(':').map_or((None, glob), |(mask, glob)| (Some(mask), glob))
}

/// A set.
struct Set {
    flags: bool,
    /// Flags whose constants are numbers of bits.
    bits: bool,
    constants: Vec<Constant>,
    /// The globs that selected them, whose order is theirs; empty where there were none.
    globs: String,
}

/// All sets, by name.
#[derive(Default)]
pub struct Sets {
    sets: BTreeMap<String, Set>,
    /// Name of a set by what it consists of, so that fields share sets.
    by_names: BTreeMap<Vec<String>, String>,
}

impl Sets {
    /// The sets by hand.
    ///
    /// # Errors
    ///
    /// When a set selects nothing.
    pub fn read(table: &std::path::Path, values: &Values, problems: &mut Problems) -> Result<Self> {
        let mut sets = Self::default();
        for [name, kind, header, globs] in overlay::rows::<4>(table)? {
            ensure!(
                ["flags", "enum", "bits"].contains(&kind.as_str()),
                "overlay/sets.tsv: {name}: `{kind}` is no kind"
            );
            problems.check(values.check(&header, &globs), || format!("overlay/sets.tsv: {name}"));
            sets.insert(
                name,
                Set {
                    flags: kind != "enum",
                    bits: kind == "bits",
                    constants: values.select(&header, &globs),
                    globs,
                },
            );
        }
        Ok(sets)
    }

    /// The set that globs select, under a name unless another set is the same.
    ///
    /// # Errors
    ///
    /// When one of them selects nothing.
    pub fn by_globs(
        &mut self,
        values: &Values,
        name: &str,
        flags: bool,
        header: &str,
        globs: &str,
    ) -> Result<String> {
        values.check(header, globs)?;
        let mut constants = values.select(header, globs);
        if globs.contains('*') {
            // Limits are no values.
            constants.retain(|(name, ..)| !name.ends_with("_MAX") && !name.ends_with("_CNT"));
        }
        let names: Vec<String> = constants.iter().map(|(name, ..)| name.clone()).collect();
        if let Some(known) = self.by_names.get(&names) {
            return Ok(known.clone());
        }
        self.insert(name.to_owned(), Set { flags, bits: false, constants, globs: globs.to_owned() });
        Ok(name.to_owned())
    }

    fn insert(&mut self, name: String, set: Set) {
        let names = set.constants.iter().map(|(name, ..)| name.clone()).collect();
        self.by_names.entry(names).or_insert_with(|| name.clone());
        self.sets.insert(name, set);
    }

    /// Whether there is a set of that name.
    pub fn has(&self, name: &str) -> bool {
        self.sets.contains_key(name)
    }

    /// The set of a field's constants as the facts list them, `A, B, C`; none if headers do not name most of them.
    pub fn of_facts(&mut self, values: &Values, ty: &str, field: &str, constants: &str) -> Option<String> {
        let listed: Vec<&str> = constants.split(", ").collect();
        let mut known: Vec<Constant> = listed
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), values.all("", name)?, None)))
            .collect();
        known.sort_by(|one, other| one.0.cmp(&other.0));
        known.dedup_by(|one, other| one.0 == other.0);
        // Facts mix constants with numbers worth trying; a field of mere numbers has no set.
        if known.len() < 2 || known.len() * 2 < listed.len() {
            return None;
        }
        let names: Vec<String> = known.iter().map(|(name, ..)| name.clone()).collect();
        if let Some(name) = self.by_names.get(&names) {
            return Some(name.clone());
        }
        let (_, plain) = ty.rsplit_once(' ').unwrap_or(("", ty));
        let name = format!("{plain}.{field}");
        let flags = is_flags(field, &known);
        self.insert(name.clone(), Set { flags, bits: false, constants: known, globs: String::new() });
        Some(name)
    }

    /// The rows of `sets.tsv`: name, kind, constants, architectures.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for (name, set) in &self.sets {
            let kind = match (set.bits, set.flags) {
                (true, _) => "bits",
                (_, true) => "flags",
                (_, false) => "enum",
            };
            let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
            for arch in 0..COUNT {
                let text = spell(set, arch);
                match groups.iter_mut().find(|(other, _)| *other == text) {
                    Some((_, arches)) => arches.push(arch),
                    None => groups.push((text, vec![arch])),
                }
            }
            for (constants, arches) in groups {
                rows.push(vec![name.clone(), kind.to_owned(), constants, arch::list(&arches)]);
            }
        }
        rows
    }
}

/// The constants on an architecture, in the order of their globs and then by value. What only the first architecture was asked for holds for all.
fn spell(set: &Set, arch: usize) -> String {
    let on_arch = |values: &PerArch| {
        let only_first = values.iter().skip(1).all(Option::is_none);
        if only_first { values.first().copied().flatten() } else { values.get(arch).copied().flatten() }
    };
    let globs: Vec<&str> = set.globs.split(' ').collect();
    let place = |name: &str| globs.iter().rposition(|glob| glob_matches(masked(glob).1, name));
    let mut constants: Vec<(Option<usize>, i128, &str, Option<i128>)> = set
        .constants
        .iter()
        .filter_map(|(name, values, mask)| {
            Some((place(name), on_arch(values)?, name.as_str(), mask.as_ref().and_then(on_arch)))
        })
        .collect();
    constants.sort_unstable();
    let number = |value: i128| if set.flags && value > 9 { format!("{value:#x}") } else { value.to_string() };
    let mask = |mask: Option<i128>| mask.map_or_else(String::new, |mask| format!("/{mask:#x}"));
    let text = |(_, value, name, of): (_, i128, &str, _)| format!("{name}={}{}", number(value), mask(of));
    constants.into_iter().map(text).collect::<Vec<_>>().join(",")
}

/// Whether constants are bits: by the field's name, or because all are single bits that a count would not give.
fn is_flags(field: &str, constants: &[Constant]) -> bool {
    let values: Vec<i128> =
        constants.iter().filter_map(|(_, values, _)| values.first().copied().flatten()).collect();
    let bits = values.iter().all(|value| value.count_ones() <= 1 && *value >= 0);
    let named = ["flags", "mask", "caps", "capabilit", "features"].iter().any(|word| field.contains(word));
    let counting = values.contains(&3);
    (named && !counting) || (bits && values.iter().any(|value| *value > 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let one = |value| {
            let mut values = [None; COUNT];
            values[0] = Some(value);
            values
        };
        let all = [("A_1", 1), ("A_2", 2), ("A_4", 4), ("B_0", 0), ("B_1", 1), ("B_2", 2), ("B_3", 3)];
        Values::new(
            all.into_iter().map(|(name, value)| (("x.h".to_owned(), name.to_owned()), one(value))).collect(),
            &[],
        )
    }

    #[test]
    fn sets_of_facts_are_flags_or_choices() {
        let mut sets = Sets::default();
        assert_eq!(sets.of_facts(&values(), "struct s", "how", "A_4, A_1, A_2").as_deref(), Some("s.how"));
        assert_eq!(
            sets.of_facts(&values(), "struct s", "kind", "B_0, B_1, B_2, B_3").as_deref(),
            Some("s.kind")
        );
        assert_eq!(sets.of_facts(&values(), "struct t", "how", "A_1, A_2, A_4").as_deref(), Some("s.how"));
        assert_eq!(sets.of_facts(&values(), "struct t", "no", "0, 64, 1024, A_1"), None);
        let rows = sets.rows();
        assert_eq!(rows[0], ["s.how", "flags", "A_1=1,A_2=2,A_4=4", ""]);
        assert_eq!(rows[1], ["s.kind", "enum", "B_0=0,B_1=1,B_2=2,B_3=3", ""]);
    }

    #[test]
    fn globs_select_and_take_out() {
        let names: Vec<_> = values().select("x.h", "B_* !B_3").into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["B_0", "B_1", "B_2"]);
    }

    #[test]
    fn masks_go_with_their_constants() {
        let values = values();
        let mut sets = Sets::default();
        sets.by_globs(&values, "S", true, "x.h", "A_* B_3:B_[12] 0x30:B_0").unwrap();
        assert_eq!(sets.rows()[0], ["S", "flags", "A_1=1,A_2=2,A_4=4,B_1=1/0x3,B_2=2/0x3,B_0=0/0x30", ""]);
        assert_eq!(values.select("x.h", "0x30:B_[01]<<A_4").len(), 1);
        assert_eq!(values.select("x.h", "0x30:B_[01]<<A_4")[0].0, "B_1<<A_4");
        assert!(values.check("x.h", "A_9:B_*").is_err() && values.check("x.h", "A_1:C_*").is_err());
    }
}
