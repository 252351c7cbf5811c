//! Requests and types out of C headers: what a preprocessor and a compiler say of a header, read without running
//! anything. Which compiler that is and which headers are read is up to the caller.
//!
//! The way of a header: [`macros`] list what it defines and find `_IO*()` behind it, a [`table`] of the candidates is
//! compiled to an object file, [`dwarf`] reads the types in that, [`layout`] finds the marks that their text needs, and
//! [`spell`] writes them as the registry has them.

pub mod dwarf;
pub mod layout;
pub mod macros;
pub mod model;
pub mod spell;
pub mod table;

/// Why an object file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// It is no object file, or a damaged one.
    #[error("the object file cannot be read: {0}")]
    Object(#[from] object::Error),
    /// The description of types is damaged.
    #[error("the description of types cannot be read: {0}")]
    Dwarf(#[from] gimli::Error),
    /// A name in it is no text.
    #[error("a name in the description of types is no text: {0}")]
    Text(#[from] std::str::Utf8Error),
    /// Something that must be there is not.
    #[error("the object file has no {0}")]
    Lacks(&'static str),
}
