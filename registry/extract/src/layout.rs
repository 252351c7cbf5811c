//! The rule by which a definition's text gives every member its place, and the marks a text needs where the compiler
//! deviates from it.

use crate::{
    dwarf::{scalar_align, scalar_size},
    model::{Aggregate, Field, Name, Type},
};

/// What the rule needs to know from outside: the architecture's measures, and size and alignment of named types.
pub struct Machine<'a> {
    /// Size of a pointer and of `long`, in bytes.
    pub pointer: u64,
    /// The largest alignment of a scalar, in bytes.
    pub max_align: u64,
    /// Size and alignment of a named type, in bytes.
    pub named: &'a dyn Fn(&Name) -> Option<(u64, u64)>,
}

/// How the text of an aggregate deviates from the plain rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// Every member directly behind the one before.
    pub packed: bool,
    /// The size is stated.
    pub sized: bool,
    /// Members whose place is stated.
    pub placed: Vec<bool>,
    /// Forms of nested aggregates without a name, by member.
    pub inner: Vec<Option<Self>>,
}

/// Where the rule puts things.
#[derive(Debug, PartialEq, Eq)]
pub struct Laid {
    /// Start of each member, in bits.
    pub offsets: Vec<u64>,
    /// Size in bytes.
    pub size: u64,
    /// Alignment in bytes.
    pub align: u64,
}

impl Form {
    /// The plain rule for an aggregate.
    fn plain(aggregate: &Aggregate, inner: Vec<Option<Self>>) -> Self {
        Self { packed: false, sized: false, placed: vec![false; aggregate.fields.len()], inner }
    }

    /// How many marks the text needs.
    fn marks(&self) -> usize {
        self.placed.iter().filter(|placed| **placed).count() + usize::from(self.sized)
    }

    /// Whether this form can be one of the aggregate's: a nested form for each nested aggregate and no other.
    pub fn suits(&self, aggregate: &Aggregate) -> bool {
        self.placed.len() == aggregate.fields.len()
            && self.inner.iter().zip(&aggregate.fields).all(|(form, field)| match (form, nested(&field.ty)) {
                (Some(form), Some(nested)) => form.suits(nested),
                (None, None) => true,
                _ => false,
            })
    }
}

/// The aggregate without a name that a member is, or is an array of.
pub fn nested(ty: &Type) -> Option<&Aggregate> {
    match ty {
        Type::Aggregate(aggregate) => Some(aggregate),
        Type::Array(element, _) => nested(element),
        _ => None,
    }
}

/// Size and alignment of a type by the rule.
#[must_use]
pub fn extent(ty: &Type, form: Option<&Form>, machine: &Machine) -> Option<(u64, u64)> {
    let scalar = |name| {
        let align = scalar_align(name, machine.pointer, machine.max_align);
        Some((scalar_size(name, machine.pointer), align))
    };
    match ty {
        Type::Void => None,
        Type::Scalar(name) => scalar(name),
        Type::Enum(values) => scalar(values.scalar),
        Type::Pointer(_) => Some((machine.pointer, machine.pointer.min(machine.max_align))),
        Type::Named(name) => (machine.named)(name),
        Type::Array(element, count) => {
            let (size, align) = extent(element, form, machine)?;
            Some((size.checked_mul(count.unwrap_or(0))?, align))
        }
        Type::Aggregate(aggregate) => {
            let laid = rule(aggregate, form?, machine)?;
            Some((laid.size, laid.align))
        }
    }
}

/// Lays an aggregate out by the rule, in the given form. None if a member's size is not known.
pub fn rule(aggregate: &Aggregate, form: &Form, machine: &Machine) -> Option<Laid> {
    let mut laid = Laid { offsets: Vec::with_capacity(aggregate.fields.len()), size: 0, align: 1 };
    let mut cursor = 0;
    let mut end = 0;
    for (index, field) in aggregate.fields.iter().enumerate() {
        let inner = form.inner.get(index).and_then(Option::as_ref);
        let (size, align) = extent(&field.ty, inner, machine)?;
        if !form.packed {
            laid.align = laid.align.max(align);
        }
        if aggregate.union {
            cursor = 0;
        }
        let place = if form.placed.get(index).copied().unwrap_or(false) {
            field.offset
        } else {
            next_place(cursor, field, size, align, form.packed)
        };
        laid.offsets.push(place);
        cursor = place + field.bits.unwrap_or(size * 8);
        end = end.max(cursor);
    }
    let bytes = end.div_ceil(8);
    laid.size = if form.sized { aggregate.size } else { bytes.next_multiple_of(laid.align) };
    Some(laid)
}

/// Where a member goes that follows `cursor`, in bits.
fn next_place(cursor: u64, field: &Field, size: u64, align: u64, packed: bool) -> u64 {
    match field.bits {
        Some(_) if packed => cursor,
        Some(width) => {
            let unit = size * 8;
            let fits = width > 0 && cursor / unit == (cursor + width - 1) / unit;
            if fits { cursor } else { cursor.next_multiple_of(unit) }
        }
        None if packed => cursor.next_multiple_of(8),
        None => cursor.next_multiple_of(8 * align),
    }
}

/// Whether the rule, in this form, gives what the compiler says, in nested aggregates too.
pub fn holds(aggregate: &Aggregate, form: &Form, machine: &Machine) -> bool {
    let here = rule(aggregate, form, machine).is_some_and(|laid| agrees(aggregate, &laid));
    here && form.inner.iter().zip(&aggregate.fields).all(|(form, field)| match (form, nested(&field.ty)) {
        (Some(form), Some(nested)) => holds(nested, form, machine),
        _ => true,
    })
}

fn agrees(aggregate: &Aggregate, laid: &Laid) -> bool {
    laid.size == aggregate.size && laid.offsets.iter().eq(aggregate.fields.iter().map(|field| &field.offset))
}

/// The form with the fewest marks in which the rule gives what the compiler says.
pub fn fit(aggregate: &Aggregate, machine: &Machine) -> Option<Form> {
    let mut inner = Vec::with_capacity(aggregate.fields.len());
    for field in &aggregate.fields {
        inner.push(match nested(&field.ty) {
            Some(nested) => Some(fit(nested, machine)?),
            None => None,
        });
    }
    let plain = mark(aggregate, Form::plain(aggregate, inner.clone()), machine)?;
    if plain.marks() == 0 {
        return Some(plain);
    }
    let packed = mark(aggregate, Form { packed: true, ..Form::plain(aggregate, inner) }, machine)?;
    Some(if packed.marks() < plain.marks() { packed } else { plain })
}

/// Adds the marks that a form lacks.
fn mark(aggregate: &Aggregate, mut form: Form, machine: &Machine) -> Option<Form> {
    loop {
        let laid = rule(aggregate, &form, machine)?;
        let wrong =
            laid.offsets.iter().zip(&aggregate.fields).position(|(place, field)| *place != field.offset);
        match wrong.and_then(|index| form.placed.get_mut(index)) {
            Some(placed) => *placed = true,
            None => {
                form.sized = laid.size != aggregate.size;
                return Some(form);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(ty: Type, offset: u64) -> Field {
        Field { name: Some("x".to_owned()), ty, bits: None, offset: offset * 8 }
    }

    const LP64: Machine<'_> = Machine { pointer: 8, max_align: 16, named: &|_| None };
    const I386: Machine<'_> = Machine { pointer: 4, max_align: 4, named: &|_| None };

    fn wide() -> Aggregate {
        let fields = vec![field(Type::Scalar("u32"), 0), field(Type::Scalar("u64"), 8)];
        Aggregate { union: false, size: 16, fields }
    }

    #[test]
    fn the_plain_rule_needs_no_marks() {
        assert_eq!(fit(&wide(), &LP64).unwrap().marks(), 0);
        let form = fit(&wide(), &I386).unwrap();
        assert_eq!((form.packed, form.sized, form.placed), (false, false, vec![false, true]));
    }

    #[test]
    fn packed_is_found() {
        let mut packed = wide();
        packed.fields[1].offset = 32;
        packed.size = 12;
        let form = fit(&packed, &LP64).unwrap();
        assert!(form.packed && form.marks() == 0);
        assert!(holds(&packed, &form, &I386));
        assert!(!holds(&wide(), &form, &LP64));
    }

    #[test]
    fn bitfields_share_units() {
        let bits = |width, offset| Field { bits: Some(width), offset, ..field(Type::Scalar("u32"), 0) };
        let fields = vec![bits(20, 0), bits(12, 20), bits(1, 32), bits(32, 64)];
        let aggregate = Aggregate { union: false, size: 12, fields };
        assert_eq!(fit(&aggregate, &LP64).unwrap().marks(), 0);
    }

    #[test]
    fn flexible_arrays_have_no_size() {
        let array = Type::Array(Box::new(Type::Scalar("u16")), None);
        let aggregate =
            Aggregate { union: false, size: 4, fields: vec![field(Type::Scalar("u32"), 0), field(array, 4)] };
        assert_eq!(fit(&aggregate, &LP64).unwrap().marks(), 0);
    }

    #[test]
    fn unions_start_at_nought_and_may_state_their_size() {
        let fields = vec![field(Type::Scalar("u8"), 0), field(Type::Pointer(Box::new(Type::Void)), 0)];
        let mut union = Aggregate { union: true, size: 8, fields };
        assert_eq!(fit(&union, &LP64).unwrap().marks(), 0);
        union.size = 16;
        assert!(fit(&union, &LP64).unwrap().sized);
    }
}
