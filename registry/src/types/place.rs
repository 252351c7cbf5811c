//! Where a field lies: paths such as `value.enumerated.items` or `msgs[2].len`.

use std::sync::Arc;

use super::{Bits, Layout, Shape};

/// Where a field lies in a type.
///
/// ```
/// use ioctl_registry::{Arch, Registry};
///
/// let format = Registry::builtin().layout("struct v4l2_format", Arch::X86_64).unwrap();
/// let place = format.place("fmt.pix.height").unwrap();
/// assert_eq!((place.offset, place.layout.size), (12, 4));
/// ```
#[derive(Debug, Clone)]
pub struct Place {
    /// Bytes from the beginning of the type.
    pub offset: u64,
    /// The field's type.
    pub layout: Arc<Layout>,
    /// Which bits, for a bitfield, counted from the beginning of the type too.
    pub bits: Option<Bits>,
}

/// A part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'p> {
    /// A member.
    Name(&'p str),
    /// An element.
    Index(u64),
}

/// The steps of a path, first to last; `None` for one that cannot be read.
pub(crate) fn steps(path: &str) -> impl Iterator<Item = Option<Step<'_>>> {
    path.split('.').filter(|part| !part.is_empty()).flat_map(|part| {
        let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        let name = Some(name).filter(|name| !name.is_empty()).map(|name| Some(Step::Name(name)));
        let indices = indices.split_inclusive(']').map(|index| {
            let index = index.strip_prefix('[')?.strip_suffix(']')?;
            Some(Step::Index(index.parse().ok()?))
        });
        name.into_iter().chain(indices)
    })
}

impl Layout {
    /// The field at a path such as `value.enumerated.items` or `msgs[2].len`. Anonymous members are looked through, an
    /// index that is left out of an array means its first element, and `[2]` alone goes into the type itself: one that is no array is taken for
    /// the first of several. The
    /// empty path is the type itself.
    #[must_use]
    pub fn place(self: &Arc<Self>, path: &str) -> Option<Place> {
        let mut place = Place { offset: 0, layout: Arc::clone(self), bits: None };
        for step in steps(path) {
            place = place.enter(step?)?;
        }
        Some(place)
    }

    /// Whether it has a member of this name, in anonymous ones too.
    pub(crate) fn has(&self, name: &str) -> bool {
        let Shape::Record(record) = &self.shape else { return false };
        let within = |field: &super::Field| field.name.is_empty() && field.layout.has(name);
        record.fields.iter().any(|field| *field.name == *name || within(field))
    }

    /// A member by its name, in anonymous ones too.
    fn member(&self, name: &str) -> Option<Place> {
        let Shape::Record(record) = &self.shape else { return None };
        if let Some(field) = record.fields.iter().find(|field| *field.name == *name) {
            return Some(Place { offset: field.offset, layout: Arc::clone(&field.layout), bits: field.bits });
        }
        let mut anonymous =
            record.fields.iter().filter(|field| field.name.is_empty() && field.bits.is_none());
        anonymous.find_map(|field| field.layout.member(name)?.behind(field.offset))
    }
}

impl Place {
    /// What a step leads to.
    fn enter(&self, step: Step<'_>) -> Option<Self> {
        let mut layout = &self.layout;
        let inner = match step {
            Step::Index(index) => {
                let element = match &layout.shape {
                    Shape::Array(_, Some(length)) if index >= *length => return None,
                    Shape::Array(element, _) => element,
                    // As in C, where the address of one is that of several.
                    _ if self.bits.is_none() => layout,
                    _ => return None,
                };
                let offset = index.checked_mul(element.size)?;
                Self { offset, layout: Arc::clone(element), bits: None }
            }
            Step::Name(name) => {
                while let Shape::Array(element, _) = &layout.shape {
                    layout = element;
                }
                layout.member(name)?
            }
        };
        inner.behind(self.offset)
    }

    /// The same within something that begins so many bytes before.
    fn behind(self, bytes: u64) -> Option<Self> {
        let start = |bits: Bits| bits.start.checked_add(bytes.checked_mul(8)?);
        let bits = match self.bits {
            Some(bits) => Some(Bits { start: start(bits)?, ..bits }),
            None => None,
        };
        Some(Self { offset: self.offset.checked_add(bytes)?, bits, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arch, Registry};

    #[track_caller]
    fn place(ty: &str, path: &str) -> Option<(u64, u64)> {
        let layout = Registry::builtin().layout(ty, Arch::X86_64).unwrap();
        layout.place(path).map(|place| (place.offset, place.layout.size))
    }

    #[test]
    fn paths_lead_to_fields() {
        assert_eq!(place("struct v4l2_format", "fmt.pix.height"), Some((12, 4)));
        assert_eq!(place("struct winsize[3]", "[2].ws_col"), Some((18, 2)));
        assert_eq!(place("struct winsize[3]", "ws_col"), Some((2, 2)));
        assert_eq!(place("u8[7]", "[3]"), Some((3, 1)));
        assert_eq!(place("u8[7]", "[7]"), None);
        assert_eq!(place("u8[]", "[7]"), Some((7, 1)));
        assert_eq!(place("u32", ""), Some((0, 4)));
        assert_eq!(place("u32", "x"), None);
        assert_eq!(place("u32", "[2]"), Some((8, 4)));
        assert_eq!(place("struct{u32 a;union{u8 b;struct{u32 c[2];};};}", "c[1]"), Some((8, 4)));
        for wrong in ["a[", "a[x]", "a]", "[18446744073709551615]"] {
            assert_eq!(place("struct{u64 a;}", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bits_are_counted_from_the_whole() {
        let layout =
            Registry::builtin().layout("struct{u32 a;struct{u32 b:3;u32 c:5;}s;}", Arch::X86_64).unwrap();
        assert_eq!(layout.place("s.c").unwrap().bits, Some(Bits { start: 35, width: 5 }));
    }
}
