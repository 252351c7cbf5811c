//! What is known of a type's fields, found once and kept: decoding looks nothing up by name.

use std::sync::Arc;

use super::{
    scalar::is_big_endian,
    tag::{Spot, Tag},
    value::Show,
};
use crate::{
    arch::Arch,
    encoding::Direction,
    name::Name,
    types::{Field, Layout, ScalarKind, Shape},
};

/// A type with what is known of it where it stands.
#[derive(Debug)]
pub struct Plan {
    pub layout: Arc<Layout>,
    pub known: Known,
    pub content: Content,
    /// It holds an address behind which the kernel may write.
    pub leads_on: bool,
}

/// What a type is made of, planned.
#[derive(Debug)]
pub enum Content {
    Plain,
    Array(Arc<Plan>),
    Record(Arc<RecordPlan>),
}

/// What is known of a value itself.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub kind: Kind,
    /// Place of its set.
    pub set: Option<usize>,
    /// What the names of its set or enumeration begin with.
    pub prefix: Option<Name>,
    pub pointee: Option<Pointee>,
    pub of: Option<Arc<str>>,
    /// What lies at the place within the buffer that it states.
    pub offset: Option<Arc<str>>,
    /// Place of the set whose values are the numbers of its bits.
    pub bitmap: Option<usize>,
    /// Place of the set of the names that its elements' places have.
    pub index: Option<usize>,
    pub big_endian: bool,
    pub out: bool,
    pub given: bool,
    /// Bytes are numbers.
    pub numbers: bool,
    /// Its greatest value has a name.
    pub max: bool,
    /// Its name stands beside its number.
    pub numeric: bool,
}

/// What an address leads to.
#[derive(Debug, Clone)]
pub struct Pointee {
    /// `None` where it must not be followed.
    pub dir: Option<Direction>,
    pub ty: Arc<str>,
}

impl Pointee {
    /// Whether the kernel may write there, or behind an address that lies there.
    pub fn leads_on(&self) -> bool {
        match self.dir {
            Some(Direction::Read | Direction::ReadWrite) => true,
            Some(Direction::Write) => self.ty.starts_with("struct ") || self.ty.starts_with("union "),
            Some(Direction::None) | None => false,
        }
    }
}

/// How a value is read and shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Plain,
    Text,
    Period,
    Tone,
    Char,
    Fraction,
    Fourcc,
    Fd,
    Dev,
    Hex,
    Port,
    Ipv4,
    Ipv6,
    Mac,
    Uuid,
    Time,
    Kernel,
}

impl Kind {
    /// Whether its bytes are no number.
    const fn is_address(self) -> bool {
        matches!(self, Self::Ipv4 | Self::Ipv6 | Self::Mac | Self::Uuid)
    }
}

/// A struct or a union, planned.
#[derive(Debug)]
pub struct RecordPlan {
    /// As many as the layout has.
    pub fields: Vec<FieldPlan>,
    /// The fields, in the order in which they are shown.
    pub parts: Vec<Part>,
    pub lengths: Vec<Length>,
    pub tags: Vec<Tag>,
    /// Its end is as long as there is data.
    pub open: bool,
    /// Where the contents of fields begin that do not begin at their place.
    pub starts: Vec<Start>,
    /// Fields that state places, and the offset that these are counted from.
    pub bases: Vec<Base>,
    /// What tells how far away the next element of a row is.
    pub next: Option<Next>,
    pub(super) leads_on: bool,
    /// It is a union, and a member has a name to be shown by.
    pub(super) spoken_for: bool,
}

/// A member, planned.
#[derive(Debug)]
pub struct FieldPlan {
    pub plan: Plan,
    pub show: Show,
    /// The name that it is shown by, if not its own.
    pub shown: Option<Name>,
}

/// Fields of a record that stand together.
#[derive(Debug)]
pub enum Part {
    /// The place of one.
    Field(usize),
    /// Some of which nothing but their bytes is needed.
    Numbers(Vec<Number>),
}

/// A field that is a number in bytes of its own, leads nowhere and travels both ways.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    /// Of the field.
    pub place: usize,
    /// Its name in C.
    pub name: Name,
    /// The name that it is shown by.
    pub shown: Name,
    pub show: Show,
    /// Bytes from the record's first.
    pub offset: u64,
    pub size: u64,
    pub big_endian: bool,
    pub scalar: ScalarKind,
    /// Nothing is known of it, and it is no longer than 64 bits.
    pub bare: bool,
}

impl Number {
    pub(super) fn of(place: usize, field: &Field, own: &FieldPlan) -> Option<Self> {
        let Layout { size, shape, arch, .. } = &*own.plan.layout;
        let scalar = match shape {
            Shape::Scalar(scalar) => *scalar,
            Shape::Enumeration(of) => of.scalar,
            _ => return None,
        };
        let known = &own.plan.known;
        if field.bits.is_some()
            || known.pointee.is_some()
            || known.offset.is_some()
            || known.kind.is_address()
            || known.out
            || known.given
        {
            return None;
        }
        let bare = matches!(shape, Shape::Scalar(_))
            && (known.kind, known.set, known.max, *size <= 8) == (Kind::Plain, None, false, true);
        let big_endian = is_big_endian(known, scalar, *arch);
        Some(Self {
            place,
            name: field.name,
            shown: own.shown.unwrap_or(field.name),
            show: own.show,
            offset: field.offset,
            size: *size,
            big_endian,
            scalar: scalar.kind(),
            bare,
        })
    }
}

impl Plan {
    /// Whether it is a union of nothing but padding.
    pub(super) fn is_padding(&self) -> bool {
        match (&self.layout.shape, &self.content) {
            (Shape::Record(record), Content::Record(plan)) => {
                record.is_union && plan.fields.iter().all(|field| field.show == Show::NonZero)
            }
            _ => false,
        }
    }
}

impl FieldPlan {
    /// When a member of it is shown.
    pub fn show_of(&self, field: &Field, member: &str) -> Show {
        let (Content::Record(plan), Shape::Record(record)) = (&self.plan.content, &field.layout.shape) else {
            return self.show;
        };
        let place = record.fields.iter().position(|field| *field.name == *member);
        place.and_then(|place| plan.fields.get(place)).map_or(self.show, |found| found.show)
    }

    /// Whether it is a union of whose members some have a name that says it all.
    pub fn is_spoken_for(&self) -> bool {
        match &self.plan.content {
            Content::Record(plan) => plan.spoken_for,
            Content::Plain | Content::Array(_) => false,
        }
    }
}

/// A field that measures another one.
#[derive(Debug, Clone)]
pub struct Length {
    pub from: Spot,
    /// Only the kernel writes it.
    pub out: bool,
    /// The kernel fills nothing unless there is room for all.
    pub all: bool,
    pub to: Vec<Step>,
    /// Where that begins.
    pub offset: u64,
    /// Size of one element, if it has any.
    pub element: u64,
    pub in_bytes: bool,
    pub factor: u64,
    /// What its number means.
    pub unit: Unit,
    pub arch: Arch,
    /// That has room for a fixed number of elements.
    pub fixed: bool,
    /// That has room for one, and goes on behind the struct.
    pub grows: bool,
}

/// How a number measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// It is the length.
    Plain,
    /// It is that of the whole value, from its beginning.
    Whole,
    /// It is the number of a request, which has a size.
    Ioc,
}

/// A field that says where the contents of another one begin.
#[derive(Debug, Clone)]
pub struct Start {
    pub from: Spot,
    pub to: Vec<Step>,
    /// Where that field lies.
    pub offset: u64,
}

/// What the places that a field states are counted from.
#[derive(Debug, Clone)]
pub struct Base {
    pub of: Vec<Step>,
    /// Bytes from the beginning of the record.
    pub offset: u64,
}

/// A field that says how far away the next element is.
#[derive(Debug, Clone, Copy)]
pub struct Next {
    pub from: Spot,
    /// Counted from the first element, not from this one.
    pub from_first: bool,
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Name(Name),
    Index(u64),
}

/// The argument of a request, planned.
#[derive(Debug)]
pub struct Root {
    pub plan: Plan,
    pub tags: Vec<Tag>,
    /// The call returns how many bytes of it were filled.
    pub measured: bool,
}

/// The steps of a path.
pub fn steps(path: &str) -> Option<Vec<Step>> {
    let owned = |step| match step {
        crate::types::Step::Name(name) => Step::Name(name.into()),
        crate::types::Step::Index(index) => Step::Index(index),
    };
    crate::types::steps(path).map(|step| step.map(owned)).collect()
}
