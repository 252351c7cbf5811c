//! Which requests the user wants to see: names, globs, numbers, families, and their negation.

use std::collections::HashSet;

use ioctl_registry::{Arch, Encoding, Lookup, Registry, Request, parse_number};

use crate::{event, source::setup::Requests, suggest::did_you_mean};

/// Why a selection cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No request of that name.
    #[error("no ioctl request is named `{0}`{1}")]
    Name(String, String),
    /// Nothing matches the glob.
    #[error("no ioctl request matches `{0}`")]
    Glob(String),
    /// No such family.
    #[error("no family is named `{0}`; known are {1}")]
    Family(String, String),
    /// Nothing between two commas.
    #[error("empty item in `{0}`")]
    Empty(String),
}

/// A set of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Items {
    names: HashSet<&'static str>,
    numbers: HashSet<u32>,
}

/// The requests that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `None` for every request.
    include: Option<Items>,
    exclude: Items,
}

impl Selection {
    /// Reads the values of all `-e` options. A value that begins with `!` excludes everything in it, as with strace;
    /// within a value `!` excludes one item.
    ///
    /// # Errors
    /// Names the item that is not understood.
    pub fn parse<'a>(
        values: impl IntoIterator<Item = &'a str>,
        registry: &'static Registry,
    ) -> Result<Self, SelectError> {
        let mut selection = Self::default();
        for value in values {
            let (all_negated, list) = match value.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, value),
            };
            for item in list.split(',') {
                let (negated, item) = match item.strip_prefix('!') {
                    Some(rest) => (true, rest),
                    None => (all_negated, item),
                };
                if item.is_empty() {
                    return Err(SelectError::Empty(value.to_owned()));
                }
                let set =
                    if negated { &mut selection.exclude } else { selection.include.get_or_insert_default() };
                set.add(item, registry)?;
            }
        }
        Ok(selection)
    }

    /// Whether a call of this number and meaning is wanted. Of several possible meanings one suffices to be wanted,
    /// and all must be excluded.
    #[must_use]
    pub fn wants(&self, number: u32, request: &Lookup<'_>) -> bool {
        if self.include.is_none() && self.exclude == Items::default() {
            return true;
        }
        let names = request.named();
        let included =
            |set: &Items| set.numbers.contains(&number) || names.iter().any(|r| set.names.contains(r.name()));
        let excluded = |set: &Items| {
            set.numbers.contains(&number)
                || (!names.is_empty() && names.iter().all(|r| set.names.contains(r.name())))
        };
        self.include.as_ref().is_none_or(included) && !excluded(&self.exclude)
    }

    /// The part of it that numbers alone decide, for the kernel side: it never drops what [`Selection::wants`] wants.
    #[must_use]
    pub fn numbers(&self, registry: &Registry) -> Requests {
        let arches = [event::arch(false), event::arch(true)];
        let of_name = |name: &&'static str| registry.of_all().into_iter().flat_map(|it| it.rows(name));
        let rows = |set: &Items| set.names.iter().flat_map(of_name).collect::<Vec<_>>();
        // The numbers of a request with parameters are too many to list.
        if self.include.as_ref().is_some_and(|set| rows(set).iter().any(|row| row.parameters().is_some())) {
            return Requests::Any;
        }
        let of_names = |set: &Items| -> HashSet<u32> {
            let rows = rows(set).into_iter();
            let named = rows.flat_map(|row| arches.into_iter().filter_map(|arch| row.number(arch)));
            named.chain(set.numbers.iter().copied()).collect()
        };
        // A number may be dropped only if no device and no system call table gives it another, wanted meaning.
        let dropped = |number: &u32| {
            let windows = registry.meanings(*number, Arch::Win64);
            let unwanted = |meanings| !self.wants(*number, &Lookup::Ambiguous(meanings));
            (windows.is_empty() || unwanted(windows))
                && arches.into_iter().all(|arch| {
                    let meanings = registry.meanings(*number, arch);
                    let widest = if meanings.is_empty() {
                        Lookup::Unknown(Encoding::of(*number, arch))
                    } else {
                        Lookup::Ambiguous(meanings)
                    };
                    !self.wants(*number, &widest)
                })
        };
        let candidates = of_names(self.include.as_ref().unwrap_or(&self.exclude));
        let mut numbers: Vec<u32> =
            candidates.into_iter().filter(|number| dropped(number) == self.include.is_none()).collect();
        numbers.sort_unstable();
        match self.include {
            Some(_) => Requests::Only(numbers),
            None if numbers.is_empty() => Requests::Any,
            None => Requests::Except(numbers),
        }
    }
}

impl Items {
    fn add(&mut self, item: &str, registry: &'static Registry) -> Result<(), SelectError> {
        let all = || registry.of_all().into_iter();
        if let Some(family) = item.strip_prefix('@') {
            self.names.extend(all().flat_map(|registry| registry.family(family)).map(Request::name));
            if all().all(|registry| registry.family(family).next().is_none()) {
                let known: Vec<_> = registry.families().collect();
                return Err(SelectError::Family(family.to_owned(), known.join(", ")));
            }
        } else if item.starts_with(|c: char| c.is_ascii_digit()) {
            let number =
                parse_number(item).ok_or_else(|| SelectError::Name(item.to_owned(), String::new()))?;
            self.numbers.insert(number);
        } else if item.contains(['*', '?', '[']) {
            self.names.extend(all().flat_map(|registry| registry.matching(item)).map(Request::name));
            if all().all(|registry| registry.matching(item).next().is_none()) {
                return Err(SelectError::Glob(item.to_owned()));
            }
        } else {
            match all().find_map(|registry| registry.find(item)) {
                Some(request) => self.names.insert(request.name()),
                None => return Err(SelectError::Name(item.to_owned(), suggestion(item, registry))),
            };
        }
        Ok(())
    }
}

/// Names that are close to one that is not known.
fn suggestion(item: &str, registry: &Registry) -> String {
    did_you_mean(item, registry.of_all().into_iter().flat_map(Registry::requests).map(Request::name))
}

#[cfg(test)]
mod tests {
    use ioctl_registry::Device;
    use proptest::prelude::*;

    use super::*;

    fn wants(values: &[&str], name: &str) -> bool {
        let selection = Selection::parse(values.iter().copied(), Registry::builtin()).expect("selection");
        let registry = Registry::builtin();
        let number = registry.number(name, Arch::native()).expect("known name");
        let meanings = registry.meanings(number, Arch::native()).into_iter();
        let found = meanings
            .map(Lookup::Exact)
            .find(|it| it.to_string() == registry.find(name).expect("name").name());
        selection.wants(number, &found.expect("a meaning of its own number"))
    }

    #[test]
    fn names_globs_numbers_and_families() {
        assert!(wants(&[], "TCGETS"));
        assert!(wants(&["TCGETS"], "TCGETS") && !wants(&["TCGETS"], "TCSETS"));
        assert!(wants(&["TC*,FIONREAD"], "FIONREAD") && !wants(&["TC*"], "FIONREAD"));
        assert!(wants(&["0x5401"], "TCGETS") && wants(&["21505"], "TCGETS"));
        assert!(wants(&["@tty"], "TIOCGWINSZ") && !wants(&["@tty"], "BLKGETSIZE64"));
        assert!(wants(&["TCGETS", "FIONREAD"], "FIONREAD"), "options add up");
        assert!(wants(&["TIOCINQ"], "FIONREAD"), "an alias means its request");
    }

    #[test]
    fn negation() {
        assert!(!wants(&["!TCGETS,TCSETS"], "TCSETS"), "a leading ! negates the whole value");
        assert!(wants(&["!TCGETS,TCSETS"], "FIONREAD"));
        assert!(!wants(&["TC*,!TCGETS"], "TCGETS") && wants(&["TC*,!TCGETS"], "TCSETS"));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |value| Selection::parse([value], Registry::builtin()).expect_err("mistake").to_string();
        assert_eq!(error("TCGTES"), "no ioctl request is named `TCGTES`; did you mean `TCGETS`?");
        assert!(error("@nope").starts_with("no family is named `nope`; known are "));
        assert_eq!(error("ZZZ*"), "no ioctl request matches `ZZZ*`");
        assert_eq!(error("TCGETS,,TCSETS"), "empty item in `TCGETS,,TCSETS`");
        assert_eq!(error("0xzz"), "no ioctl request is named `0xzz`");
    }

    #[test]
    fn shared_numbers_are_not_dropped_for_one_of_their_names() {
        let selection = Selection::parse(["!SNDCTL_TMR_START"], Registry::builtin()).expect("selection");
        assert_eq!(selection.numbers(Registry::builtin()), Requests::Any);
        let selection =
            Selection::parse(["!TCSETS,SNDCTL_TMR_START"], Registry::builtin()).expect("selection");
        assert_eq!(selection.numbers(Registry::builtin()), Requests::Except(vec![0x5402]));
    }

    proptest! {
        /// The kernel side may let through too much, never too little.
        #[test]
        fn the_kernel_part_never_drops_what_is_wanted(
            items in prop::collection::vec(prop::sample::select(vec!["TC*", "!TCGETS", "SNDCTL_*", "!SNDCTL_TMR_*", "0x5401", "!0x5402", "@tty", "!@tty", "BLK*"]), 1..4),
            place in 0_usize..4000,
        ) {
            let selection = Selection::parse([items.join(",").as_str()], Registry::builtin()).expect("selection");
            let registry = Registry::builtin();
            let count = registry.requests().count();
            let numbers = selection.numbers(registry);
            let request = registry.requests().nth(place % count).expect("in range");
            for arch in [event::arch(false), event::arch(true)] {
                let Some(number) = request.number(arch) else { continue };
                let lookup = registry.lookup(number, arch, &Device::default());
                for meaning in registry.meanings(number, arch).into_iter().map(Lookup::Exact).chain([lookup]) {
                    if selection.wants(number, &meaning) {
                        let passes = match &numbers {
                            Requests::Any => true,
                            Requests::Only(numbers) => numbers.contains(&number),
                            Requests::Except(numbers) => !numbers.contains(&number),
                        };
                        prop_assert!(passes, "{numbers:?} drops {}", request.name());
                    }
                }
            }
        }
    }
}
