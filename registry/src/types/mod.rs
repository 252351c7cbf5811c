//! C types: read from text, laid out for an architecture.

pub mod definition;
mod describe;
mod layout;
mod place;
mod scalar;
mod store;

pub use layout::{Bits, Enumeration, Field, Layout, Record, Shape};
pub use place::Place;
pub(crate) use place::{Step, steps};
pub use scalar::{Scalar, ScalarKind};
pub(crate) use store::Types;

/// Why a type has no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// The text is no type.
    #[error("expected {expected}, found {}", found(.text))]
    Malformed {
        /// What was read, from the place that is wrong.
        text: String,
        /// What should be there.
        expected: &'static str,
    },
    /// No type has this name on that architecture.
    #[error("no type is named `{0}`")]
    Unknown(String),
    /// The type is declared, but no header says what is in it.
    #[error("the size of `{0}` is not known")]
    Opaque(String),
    /// Types nest without end, or as if without end.
    #[error("types within types go too deep, more than 32 levels")]
    TooDeep,
    /// The type is larger than any argument.
    #[error("the type is larger than 4 GiB")]
    TooBig,
    /// A bitfield is wider than its type, or its type is no integer.
    #[error("the bitfield `{0}` does not fit its type")]
    Bitfield(String),
}

fn found(text: &str) -> String {
    if text.is_empty() { "the end".to_owned() } else { format!("`{text}`") }
}

/// The name of a type as headers have it: the tables add `~SUFFIX` where several types share a name.
pub(crate) fn plain_name(name: &str) -> &str {
    name.split('~').next().unwrap_or(name)
}
