//! Types as the compiler describes them: what a definition consists of and where its parts lie.

use std::collections::BTreeMap;

/// A scalar, as the registry spells it (`u32`, `be16`, `ulong`, `char`).
pub type Scalar = &'static str;

/// A type that others refer to by name: a tagged aggregate or enum, or a typedef of one without a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// `struct v4l2_format`, `enum v4l2_buf_type`, `dvd_struct`.
    pub name: String,
    /// Include name of the header that defines it; `asm-generic/` counts as `asm/`. Empty when nothing seen defines it.
    pub home: String,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// No type at all: what `void *` points to.
    Void,
    /// A scalar.
    Scalar(Scalar),
    /// A type with a definition of its own.
    Named(Name),
    /// An aggregate without a name.
    Aggregate(Box<Aggregate>),
    /// An enum without a name.
    Enum(Box<Enum>),
    /// A pointer.
    Pointer(Box<Type>),
    /// An array; without a length it is a flexible one.
    Array(Box<Type>, Option<u64>),
}

/// A struct or union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// Whether it is a union.
    pub union: bool,
    /// Size in bytes.
    pub size: u64,
    /// Its members in the order of the source.
    pub fields: Vec<Field>,
}

/// A member of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name; none for a nested aggregate whose members count as the outer's.
    pub name: Option<String>,
    /// Its type.
    pub ty: Type,
    /// Width in bits, of a bitfield.
    pub bits: Option<u64>,
    /// Where it starts, in bits from the start of the aggregate.
    pub offset: u64,
}

/// An enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enum {
    /// What holds it.
    pub scalar: Scalar,
    /// Names and values in the order of the source.
    pub values: Vec<(String, i128)>,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// A struct or union.
    Aggregate(Aggregate),
    /// An enum.
    Enum(Enum),
    /// Declared, but not defined by any header that was read.
    Opaque,
}

/// Definitions by name.
pub type Definitions = BTreeMap<Name, Definition>;

impl Type {
    /// Calls `visit` for each name that the type refers to, behind pointers too.
    pub fn each_name(&self, visit: &mut impl FnMut(&Name)) {
        match self {
            Self::Named(name) => visit(name),
            Self::Pointer(inner) | Self::Array(inner, _) => inner.each_name(visit),
            Self::Aggregate(aggregate) => aggregate.each_name(visit),
            Self::Void | Self::Scalar(_) | Self::Enum(_) => {}
        }
    }
}

impl Type {
    /// Calls `visit` for each name that the type consists of; what it points to is no part of it.
    pub fn each_embedded_name(&self, visit: &mut impl FnMut(&Name)) {
        match self {
            Self::Named(name) => visit(name),
            Self::Array(inner, _) => inner.each_embedded_name(visit),
            Self::Aggregate(aggregate) => aggregate.each_embedded_name(visit),
            Self::Pointer(_) | Self::Void | Self::Scalar(_) | Self::Enum(_) => {}
        }
    }
}

impl Aggregate {
    /// Calls `visit` for each name that a member consists of.
    pub fn each_embedded_name(&self, visit: &mut impl FnMut(&Name)) {
        for field in &self.fields {
            field.ty.each_embedded_name(visit);
        }
    }

    /// Calls `visit` for each name that a member refers to.
    pub fn each_name(&self, visit: &mut impl FnMut(&Name)) {
        for field in &self.fields {
            field.ty.each_name(visit);
        }
    }
}

impl Definition {
    /// Calls `visit` for each name that the definition consists of.
    pub fn each_embedded_name(&self, visit: &mut impl FnMut(&Name)) {
        if let Self::Aggregate(aggregate) = self {
            aggregate.each_embedded_name(visit);
        }
    }

    /// Calls `visit` for each name that the definition refers to.
    pub fn each_name(&self, visit: &mut impl FnMut(&Name)) {
        if let Self::Aggregate(aggregate) = self {
            aggregate.each_name(visit);
        }
    }
}
