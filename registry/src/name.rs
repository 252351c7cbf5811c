//! Names of fields and constants.

use std::{
    borrow::Borrow,
    collections::HashSet,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::{LazyLock, PoisonError, RwLock},
};

/// The name of a field, of a constant, or what several of them begin with.
///
/// One name is kept once, for as long as the program runs, so that copying it costs nothing: names are made of what the
/// tables and headers have, and of the places of bits, not of what programs hand over.
///
/// ```
/// use ioctl_registry::Name;
///
/// let name = Name::from("ws_row");
/// assert_eq!(&*name, "ws_row");
/// ```
#[derive(Clone, Copy)]
pub struct Name(&'static &'static str);

/// All there are.
static NAMES: LazyLock<RwLock<HashSet<Name>>> = LazyLock::new(RwLock::default);

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        if let Some(kept) = NAMES.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return *kept;
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        match names.get(name) {
            Some(kept) => *kept,
            None => {
                let kept = Self(Box::leak(Box::new(&*Box::leak(name.into()))));
                names.insert(kept);
                kept
            }
        }
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let (one, other) = (Name::from("VTIME"), Name::from(String::from("VTIME")));
        assert!(one == other && one != Name::from("VMIN") && one != Name::from(""));
        assert_eq!(Name::from(""), Name::from(""));
        assert_eq!((format!("{one:>6}"), format!("{one:?}")), (" VTIME".into(), "\"VTIME\"".into()));
    }
}
