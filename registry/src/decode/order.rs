//! What other fields and sub-commands say of parts of a value.

use smallvec::SmallVec;

use super::{plan::Step, tag::Says};
use crate::{encoding::Direction, name::Name, types::Field};

/// Bytes, and where they lie in the program's memory.
#[derive(Clone, Copy)]
pub struct View<'b> {
    pub bytes: &'b [u8],
    pub at: Option<u64>,
}

/// What another field, or a sub-command, says of a part of the present value.
#[derive(Clone, Copy)]
pub struct Order<'d> {
    /// Of which part; each path further behind an address.
    pub path: &'d [Step],
    pub behind: &'d [Vec<Step>],
    pub says: Word<'d>,
    /// It holds unless a value says otherwise.
    pub default: bool,
}

/// What is said of a value: mostly little.
pub type Orders<'d> = SmallVec<[Order<'d>; 3]>;

#[derive(Clone, Copy)]
pub enum Word<'d> {
    /// It has so many elements or bytes, even if its type has room for one.
    Length { length: u64, in_bytes: bool, grows: bool },
    /// Its contents begin so many bytes behind its place.
    Skip(u64),
    /// The place that it states is counted from here.
    Base(u64),
    /// It is a constant of this name.
    Name(&'d Name),
    /// What a sub-command says of it, and how that travels.
    Says(&'d Says, Option<Direction>),
}

impl<'b> View<'b> {
    pub fn skip(self, offset: u64) -> Self {
        let bytes =
            usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..)).unwrap_or_default();
        Self { bytes, at: self.at.and_then(|at| at.checked_add(offset)) }
    }

    pub fn take(self, length: u64) -> Self {
        let bytes =
            usize::try_from(length).ok().and_then(|length| self.bytes.get(..length)).unwrap_or(self.bytes);
        Self { bytes, ..self }
    }
}

impl<'d> Order<'d> {
    /// Whether it is about the present value itself.
    pub const fn is_here(&self) -> bool {
        self.path.is_empty() && self.behind.is_empty()
    }

    /// Whether it needs the address here to be followed.
    pub const fn is_behind(&self) -> bool {
        self.path.is_empty() && !self.behind.is_empty()
    }

    /// Whether it is about a member, or part of it.
    pub fn is_within(&self, name: &Name) -> bool {
        matches!(self.path.first(), Some(Step::Name(first)) if first == name)
    }

    /// What it says within a member.
    pub fn within(&self, name: &Name) -> Option<Self> {
        let (Step::Name(first), path) = self.path.split_first()? else { return None };
        (first == name).then_some(Self { path, ..*self })
    }

    /// What it says of an element.
    pub fn of_element(&self, place: usize) -> Option<Self> {
        match self.path.split_first() {
            Some((Step::Index(index), path)) => {
                (usize::try_from(*index) == Ok(place)).then_some(Self { path, ..*self })
            }
            Some((Step::Name(_), _)) => Some(*self),
            None => (!matches!(self.says, Word::Length { .. } | Word::Skip(_))).then_some(*self),
        }
    }

    /// Whether it says that a member of a union is in use, and how surely.
    pub fn chooses(&self, field: &Field) -> u64 {
        let Some(Step::Name(first)) = self.path.first() else { return 0 };
        let named = *first == field.name || (field.name.is_empty() && field.layout.has(first));
        match self.says {
            Word::Says(..) if named && self.default => 1,
            Word::Says(Says::Member, _) if named && self.behind.is_empty() => 2,
            Word::Says(..) if named => 3,
            _ => 0,
        }
    }
}

/// What is said of the length of the present value, and whether that is in bytes.
pub fn lengths(orders: &[Order<'_>]) -> impl Iterator<Item = (u64, bool)> {
    orders.iter().filter(|order| order.is_here()).filter_map(|order| match order.says {
        Word::Length { length, in_bytes, .. } => Some((length, in_bytes)),
        _ => None,
    })
}

/// Elements in so many elements or bytes.
pub fn elements(length: u64, in_bytes: bool, size: u64) -> u64 {
    if in_bytes { length.checked_div(size).unwrap_or(0) } else { length }
}
