//! Rows that are found by a key, up to a number of them.

use std::{collections::HashMap, hash::Hash};

/// Rows in the order in which they came up; what finds no room is only counted.
#[derive(Clone, Debug)]
pub struct Rows<K, R, const CAPACITY: usize> {
    list: Vec<R>,
    places: HashMap<K, usize>,
    crowded_out: u64,
}

impl<K, R, const CAPACITY: usize> Default for Rows<K, R, CAPACITY> {
    fn default() -> Self {
        Self { list: Vec::new(), places: HashMap::new(), crowded_out: 0 }
    }
}

impl<K: Eq + Hash, R, const CAPACITY: usize> Rows<K, R, CAPACITY> {
    /// The place of a row, which is made if there is room for it.
    pub fn place(&mut self, key: K, new: impl FnOnce() -> R) -> Option<usize> {
        if let Some(&place) = self.places.get(&key) {
            return Some(place);
        }
        let place = self.list.len();
        if place >= CAPACITY {
            return None;
        }
        self.places.insert(key, place);
        self.list.push(new());
        Some(place)
    }

    /// The row of a key that has one.
    pub fn find_mut(&mut self, key: &K) -> Option<&mut R> {
        self.list.get_mut(*self.places.get(key)?)
    }

    /// A row by its place.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut R> {
        self.list.get_mut(place)
    }

    /// All rows.
    #[must_use]
    pub fn list(&self) -> &[R] {
        &self.list
    }

    /// Counts a call that found no row.
    pub const fn crowd_out(&mut self) {
        self.crowded_out += 1;
    }

    /// Calls that found no row.
    #[must_use]
    pub const fn crowded_out(&self) -> u64 {
        self.crowded_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_has_no_place() {
        let mut rows = Rows::<_, _, 2>::default();
        let places = ["a", "b", "a", "c"].map(|key| rows.place(key, || key.to_owned()));
        assert_eq!(places, [Some(0), Some(1), Some(0), None]);
        assert_eq!(rows.list(), ["a", "b"]);
        assert_eq!((rows.find_mut(&"b").cloned(), rows.find_mut(&"c")), (Some("b".to_owned()), None));
    }
}
