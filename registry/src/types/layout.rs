//! Where the fields of a type lie on an architecture: the System V rule, and what definitions say against it.

use std::sync::Arc;

use super::{
    TypeError,
    definition::{self, Type},
    scalar::{Scalar, ScalarKind},
};
use crate::{arch::Arch, name::Name};

/// A type on an architecture.
///
/// ```
/// use ioctl_registry::{Arch, Registry, Shape};
///
/// let registry = Registry::builtin();
/// let window = registry.layout("struct winsize", Arch::X86_64).unwrap();
/// assert_eq!((window.size, window.align), (8, 2));
/// let Shape::Record(record) = &window.shape else { panic!("it is a struct") };
/// assert_eq!((&*record.fields[1].name, record.fields[1].offset), ("ws_col", 2));
///
/// assert_eq!(registry.layout("unsigned long[3]", Arch::I386).unwrap().size, 12);
/// ```
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// The type's name as the tables have it; empty for one without a name.
    pub name: Arc<str>,
    /// The architecture that it is laid out for.
    pub arch: Arch,
    /// Size in bytes. An array without a length counts for nothing.
    pub size: u64,
    /// Alignment in bytes; never zero.
    pub align: u64,
    /// What it is made of.
    pub shape: Shape,
    /// Types within types, down to the innermost.
    pub(crate) nesting: u32,
}

/// What a type is made of.
#[derive(Debug, PartialEq)]
pub enum Shape {
    /// A number, a truth value or a byte of text.
    Scalar(Scalar),
    /// One of several named numbers.
    Enumeration(Enumeration),
    /// An address; the text is the type of what lies there.
    Pointer(Arc<str>),
    /// A row of elements; without a length, as many as there is data for.
    Array(Arc<Layout>, Option<u64>),
    /// A struct or a union.
    Record(Record),
}

/// The constants of an `enum`.
#[derive(Debug, PartialEq)]
pub struct Enumeration {
    /// The integer that holds the value.
    pub scalar: Scalar,
    /// Names and values in the order of the header.
    pub constants: Vec<(Name, i128)>,
}

/// A struct or a union.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// All fields share the same bytes.
    pub is_union: bool,
    /// In the order of the header.
    pub fields: Vec<Field>,
}

/// A member of a struct or a union.
#[derive(Debug, PartialEq)]
pub struct Field {
    /// Its name; empty for an anonymous struct or union, whose fields count as the parent's, and for padding bits.
    pub name: Name,
    /// Bytes from the parent's first to the first that it has a part in.
    pub offset: u64,
    /// Which bits, for a bitfield.
    pub bits: Option<Bits>,
    /// Its type.
    pub layout: Arc<Layout>,
}

/// The bits of a bitfield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    /// Bits from the parent's beginning, counted from the least significant of each byte on a little-endian
    /// architecture and from the most significant on a big-endian one.
    pub start: u64,
    /// How many.
    pub width: u64,
}

/// Larger than any argument; it keeps sums of bits far from overflow.
const MAX_SIZE: u64 = 1 << 32;
/// Types within types.
const MAX_NESTING: u32 = 32;
/// Steps into a type, so that one which holds itself is found out. A level of nesting takes up to three: a name, an
/// array, an aggregate.
const MAX_DEPTH: u32 = 4 * MAX_NESTING;

/// Lays out one definition; `named` finds the types that it names, one level deeper.
pub struct Rule<'a> {
    pub arch: Arch,
    pub depth: u32,
    #[expect(clippy::type_complexity, reason = "named once")]
    pub named: &'a dyn Fn(&str, Arch, u32) -> Result<Arc<Layout>, TypeError>,
}

impl Rule<'_> {
    /// The layout of a type under a name, which may be empty.
    pub fn layout(&self, ty: &Type, name: &str) -> Result<Arc<Layout>, TypeError> {
        let made = |size, align, shape, nesting| {
            if nesting > MAX_NESTING {
                return Err(TypeError::TooDeep);
            }
            Ok(Arc::new(Layout { name: name.into(), arch: self.arch, size, align, shape, nesting }))
        };
        match ty {
            Type::Scalar(scalar) => {
                let size = scalar.size(self.arch);
                made(size, scalar.align(self.arch), Shape::Scalar(*scalar), 0)
            }
            Type::Named(other) => (self.named)(other, self.arch, self.deeper()?.depth),
            Type::Pointer(to) => {
                let size = self.arch.pointer_size();
                made(size, size, Shape::Pointer(to.as_str().into()), 0)
            }
            Type::Array(element, length) => {
                let element = self.deeper()?.layout(element, "")?;
                let size = element.size.checked_mul(length.unwrap_or(0));
                let size = size.filter(|size| *size <= MAX_SIZE).ok_or(TypeError::TooBig)?;
                let nesting = element.nesting + 1;
                made(size, element.align, Shape::Array(element, *length), nesting)
            }
            Type::Record(record) => {
                let (size, align, record) = self.deeper()?.record(record)?;
                let nesting = record.fields.iter().map(|field| field.layout.nesting).max().unwrap_or(0) + 1;
                made(size, align, Shape::Record(record), nesting)
            }
            Type::Enum(scalar, constants) => {
                let size = scalar.size(self.arch);
                let constants =
                    constants.iter().map(|(name, value)| (name.as_str().into(), *value)).collect();
                let shape = Shape::Enumeration(Enumeration { scalar: *scalar, constants });
                made(size, scalar.align(self.arch), shape, 0)
            }
            Type::Opaque => Err(TypeError::Opaque(super::plain_name(name).to_owned())),
        }
    }

    fn deeper(&self) -> Result<Self, TypeError> {
        if self.depth >= MAX_DEPTH {
            return Err(TypeError::TooDeep);
        }
        Ok(Self { arch: self.arch, depth: self.depth + 1, named: self.named })
    }

    fn record(&self, record: &definition::Record) -> Result<(u64, u64, Record), TypeError> {
        let mut place =
            Placement { is_union: record.is_union, packed: record.packed, ..Placement::default() };
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let layout = self.layout(&field.ty, "")?;
            let start = place.field(field, &layout)?;
            let bits = match field.bits {
                // It only ends a unit.
                Some(0) => continue,
                Some(width) => Some(Bits { start, width }),
                None => None,
            };
            fields.push(Field { name: field.name.as_str().into(), offset: start / 8, bits, layout });
        }
        let align = if record.packed { 1 } else { place.align };
        let size = record.size.unwrap_or_else(|| place.end.div_ceil(8).next_multiple_of(align));
        if size > MAX_SIZE {
            return Err(TypeError::TooBig);
        }
        Ok((size, align, Record { is_union: record.is_union, fields }))
    }
}

/// How far the fields of a record have come, in bits.
struct Placement {
    is_union: bool,
    packed: bool,
    /// Behind the last field.
    next: u64,
    /// Behind the field that reaches farthest.
    end: u64,
    /// In bytes.
    align: u64,
}

impl Default for Placement {
    fn default() -> Self {
        Self { is_union: false, packed: false, next: 0, end: 0, align: 1 }
    }
}

impl Placement {
    /// Places a field; where it starts, in bits.
    fn field(&mut self, field: &definition::Field, layout: &Layout) -> Result<u64, TypeError> {
        let from = if self.is_union { 0 } else { self.next };
        let unit = layout.align.saturating_mul(8);
        let (start, length) = match field.bits {
            Some(width) => {
                if width > layout.size.saturating_mul(8) || !layout.is_integer() {
                    return Err(TypeError::Bitfield(field.name.to_string()));
                }
                (self.bitfield(from, width, layout), width)
            }
            None if self.packed => (from.next_multiple_of(8), layout.size.saturating_mul(8)),
            None => (from.next_multiple_of(unit), layout.size.saturating_mul(8)),
        };
        let start = field.at.unwrap_or(start);
        let end = start.checked_add(length).filter(|end| *end <= MAX_SIZE * 8).ok_or(TypeError::TooBig)?;
        self.next = end;
        self.end = self.end.max(end);
        // Padding bits align nothing.
        if field.bits.is_none() || !field.name.is_empty() {
            self.align = self.align.max(layout.align);
        }
        Ok(start)
    }

    /// A bitfield may not reach over more units of its type's alignment than the type itself does.
    fn bitfield(&self, from: u64, width: u64, layout: &Layout) -> u64 {
        let unit = layout.align.saturating_mul(8);
        if width == 0 {
            return from.next_multiple_of(unit);
        }
        let reach = (from % unit + width).div_ceil(unit);
        let fits = reach <= layout.size.saturating_mul(8) / unit;
        if self.packed || fits { from } else { from.next_multiple_of(unit) }
    }
}

impl Layout {
    /// Whether a bitfield may have this type.
    fn is_integer(&self) -> bool {
        match &self.shape {
            Shape::Scalar(scalar) => !matches!(scalar.kind(), ScalarKind::Float | ScalarKind::Guid),
            Shape::Enumeration(_) => true,
            _ => false,
        }
    }

    /// Whether it is text without a length, which only its NUL ends.
    #[must_use]
    pub fn is_open_text(&self) -> bool {
        let Shape::Array(element, None) = &self.shape else { return false };
        matches!(&element.shape, Shape::Scalar(scalar) if scalar.kind().is_text())
    }

    /// The name as headers have it, or what it is for a type without one.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let layout = Registry::builtin().layout("struct winsize*[2]", Arch::X86_64).unwrap();
    /// assert_eq!(layout.title(), "struct winsize*[2]");
    /// ```
    #[must_use]
    pub fn title(&self) -> String {
        if !self.name.is_empty() {
            return super::plain_name(&self.name).to_owned();
        }
        match &self.shape {
            Shape::Scalar(scalar) => scalar.name().to_owned(),
            Shape::Enumeration(_) => "enum".to_owned(),
            Shape::Pointer(to) => format!("{to}*"),
            Shape::Array(..) => {
                let (mut element, mut lengths) = (self, String::new());
                while let (Shape::Array(inner, length), true) = (&element.shape, element.name.is_empty()) {
                    lengths += &length.map_or_else(|| "[]".to_owned(), |length| format!("[{length}]"));
                    element = inner;
                }
                element.title() + &lengths
            }
            Shape::Record(record) if record.is_union => "union".to_owned(),
            Shape::Record(_) => "struct".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn layout(text: &str, arch: Arch) -> Arc<Layout> {
        let none = |name: &str, _: Arch, _: u32| Err(TypeError::Unknown(name.to_owned()));
        Rule { arch, depth: 0, named: &none }.layout(&Type::parse(text).unwrap(), "").unwrap()
    }

    /// Size, alignment, and the start of each field, in bits for bitfields.
    #[track_caller]
    fn assert_layout(text: &str, arch: Arch, size: u64, align: u64, starts: &[u64]) {
        let layout = layout(text, arch);
        let Shape::Record(record) = &layout.shape else { panic!() };
        let found: Vec<_> =
            record.fields.iter().map(|field| field.bits.map_or(field.offset, |bits| bits.start)).collect();
        assert_eq!((layout.size, layout.align, found.as_slice()), (size, align, starts), "{text} on {arch}");
    }

    #[test]
    fn fields_are_aligned_as_the_architecture_has_it() {
        let text = "struct{u8 a;u64 b;void*c;u16 d;}";
        assert_layout(text, Arch::X86_64, 32, 8, &[0, 8, 16, 24]);
        assert_layout(text, Arch::I386, 20, 4, &[0, 4, 12, 16]);
        assert_layout(text, Arch::Arm, 24, 8, &[0, 8, 16, 20]);
        assert_layout("struct packed{u8 a;u64 b;u16 c;}", Arch::X86_64, 11, 1, &[0, 1, 9]);
        assert_layout("union{u8 a[5];u32 b;}", Arch::X86_64, 8, 4, &[0, 0]);
        assert_layout("struct{}", Arch::X86_64, 0, 1, &[]);
    }

    #[test]
    fn definitions_may_say_otherwise() {
        assert_layout("struct size=64{u8 a;u32 b@16;u8 c;}", Arch::X86_64, 64, 4, &[0, 16, 20]);
        assert_layout("union{u32 a;u32 b@4;}", Arch::X86_64, 8, 4, &[0, 4]);
        assert_layout("struct{u32 a:4@2.1;u32 b:3;}", Arch::X86_64, 4, 4, &[17, 21]);
    }

    #[test]
    fn bitfields_keep_within_their_unit() {
        assert_layout("struct{u32 a:20;u32 b:20;u8 c;}", Arch::X86_64, 8, 4, &[0, 32, 7]);
        assert_layout("struct{u8 a;u32 b:8;u32:0;u8 c;}", Arch::X86_64, 8, 4, &[0, 8, 4]);
        assert_layout("struct packed{u32 a:20;u32 b:20;u8 c;}", Arch::X86_64, 6, 1, &[0, 20, 5]);
        assert_layout("struct{u16 a;u64 b:40;}", Arch::X86_64, 8, 8, &[0, 16]);
    }

    #[test]
    fn arrays_without_length_count_for_nothing() {
        assert_layout("struct{u16 n;u64 tail[];}", Arch::X86_64, 8, 8, &[0, 8]);
        assert_layout("struct{u16 n;u8 tail[0];}", Arch::X86_64, 2, 2, &[0, 2]);
        assert_eq!(layout("u16[2][3]", Arch::X86_64).title(), "u16[2][3]");
        assert_eq!(layout("char*[2]", Arch::I386).size, 8);
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let none = |name: &str, _: Arch, _: u32| Err(TypeError::Unknown(name.to_owned()));
        let rule = Rule { arch: Arch::X86_64, depth: 0, named: &none };
        let error = |text| rule.layout(&Type::parse(text).unwrap(), "").unwrap_err();
        assert_eq!(error("u8[4294967297]"), TypeError::TooBig);
        assert_eq!(error("u64[4294967296][4294967296]"), TypeError::TooBig);
        assert_eq!(error("struct{u8 a@18446744073709551;}"), TypeError::TooBig);
        assert_eq!(error("struct{u8 a:9;}"), TypeError::Bitfield("a".into()));
        assert_eq!(error("struct{f32 a:9;}"), TypeError::Bitfield("a".into()));
        assert_eq!(error("struct x"), TypeError::Unknown("struct x".into()));
    }
}
