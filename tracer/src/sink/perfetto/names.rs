//! Names that come again and again are written once and then by number.

use std::collections::HashMap;

use super::messages::{Interned, InternedData};

/// Names of a kind; beyond that all are forgotten, and written again when they come again.
const MAX_NAMES: usize = 16_384;

/// The numbers of names.
#[derive(Default)]
pub(super) struct Names {
    events: Numbers,
    categories: Numbers,
    annotations: Numbers,
    /// Readers know of what was numbered since the last restart.
    told: bool,
}

#[derive(Default)]
struct Numbers {
    known: HashMap<String, u64>,
    /// Not written yet.
    new: Vec<Interned>,
}

impl Numbers {
    fn number(&mut self, name: &str) -> u64 {
        if let Some(number) = self.known.get(name) {
            return *number;
        }
        // Zero stands for none.
        let number = self.known.len() as u64 + 1;
        self.known.insert(name.to_owned(), number);
        self.new.push(Interned { iid: Some(number), name: Some(name.to_owned()) });
        number
    }
}

impl Names {
    /// Begins anew when there are too many. Numbers given before are not to be used after it.
    pub(super) fn limit(&mut self) {
        let all = [&self.events, &self.categories, &self.annotations];
        if all.iter().any(|numbers| numbers.known.len() >= MAX_NAMES) {
            *self = Self::default();
        }
    }

    /// The number of the name of a slice.
    pub(super) fn event(&mut self, name: &str) -> u64 {
        self.events.number(name)
    }

    /// The number of a category.
    pub(super) fn category(&mut self, name: &str) -> u64 {
        self.categories.number(name)
    }

    /// The number of the name of an annotation.
    pub(super) fn annotation(&mut self, name: &str) -> u64 {
        self.annotations.number(name)
    }

    /// Whether readers have to forget all numbers. This is told once.
    pub(super) fn restarted(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    /// The names that readers do not know yet.
    pub(super) fn take_new(&mut self) -> Option<InternedData> {
        let take = |numbers: &mut Numbers| std::mem::take(&mut numbers.new);
        let data = InternedData {
            event_names: take(&mut self.events),
            event_categories: take(&mut self.categories),
            debug_annotation_names: take(&mut self.annotations),
        };
        (data != InternedData::default()).then_some(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_once_and_bounded() {
        let mut names = Names::default();
        assert_eq!((names.event("A"), names.event("B"), names.event("A")), (1, 2, 1));
        assert!(names.restarted() && !names.restarted());
        assert_eq!(names.take_new().expect("new").event_names.len(), 2);
        assert!(names.event("A") == 1 && names.take_new().is_none());
        for n in 0..MAX_NAMES {
            names.annotation(&n.to_string());
        }
        names.limit();
        assert!(names.restarted());
        assert_eq!((names.event("B"), names.annotation("0")), (1, 1));
    }
}
