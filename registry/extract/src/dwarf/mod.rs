//! Reads the compiler's description of types (DWARF) out of an object file.

mod entries;
mod scalars;

pub use scalars::{align as scalar_align, size as scalar_size};

use std::collections::BTreeMap;

use gimli::constants as dw;

use self::entries::{Entries, Entry, Sections};
use crate::{
    ObjectError,
    model::{Aggregate, Definition, Definitions, Enum, Field, Name, Scalar, Type},
};

/// Variables of this prefix are pointers to the types that were asked for.
pub const VARIABLE: &str = "T__";

/// What an object file says of types.
#[derive(Debug, Default)]
pub struct Described {
    /// Types that the variables point to, by the variable's name without its prefix.
    pub pointees: BTreeMap<String, (Type, Option<u64>)>,
    /// What the header itself defines.
    pub own: Vec<Name>,
    /// Definitions of everything that the above refer to.
    pub definitions: Definitions,
    /// Enumerators that the header defines.
    pub enumerators: Vec<(String, i128)>,
}

/// Reads an object file compiled from `header`; `home` gives the include name of a file of the headers.
pub fn read(object: &[u8], header: &str, home: impl Fn(&str) -> String) -> Result<Described, ObjectError> {
    let sections = Sections::load(object)?;
    let entries = Entries::read(&sections)?;
    let homes = entries.files.iter().map(|file| home(file)).collect();
    let mut reader = Reader { entries: &entries, homes, definitions: Definitions::new() };
    let mut described = Described::default();
    for entry in entries.top() {
        match entry.tag {
            dw::DW_TAG_variable => {
                let Some(name) = entry.name.strip_prefix(VARIABLE) else { continue };
                let pointee = entry.ty.and_then(|pointer| entries.at(pointer)?.ty);
                let pointee = pointee.map_or(Type::Void, |ty| reader.convert(ty));
                let size = reader.size(&pointee);
                described.pointees.insert(name.to_owned(), (pointee, size));
            }
            dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_enumeration_type
                if !entry.declaration && reader.home(entry) == header =>
            {
                if entry.tag == dw::DW_TAG_enumeration_type {
                    described
                        .enumerators
                        .extend(entries.children(entry).map(|e| (e.name.to_owned(), e.value)));
                }
                if !entry.name.is_empty()
                    && let Type::Named(name) = reader.convert(entry.offset)
                {
                    described.own.push(name);
                }
            }
            dw::DW_TAG_typedef if reader.home(entry) == header => {
                if let Type::Named(name) = reader.convert(entry.offset)
                    && name.name == entry.name
                {
                    described.own.push(name);
                }
            }
            _ => {}
        }
    }
    described.definitions = reader.definitions;
    Ok(described)
}

struct Reader<'a> {
    entries: &'a Entries<'a>,
    /// The include name of each file.
    homes: Vec<String>,
    definitions: Definitions,
}

impl Reader<'_> {
    fn home(&self, entry: &Entry) -> &str {
        self.homes.get(entry.file).map_or("", String::as_str)
    }

    /// The entry of a type behind `const` and the like.
    fn plain(&self, offset: usize) -> Option<&Entry<'_>> {
        let mut entry = self.entries.at(offset)?;
        while matches!(
            entry.tag,
            dw::DW_TAG_const_type
                | dw::DW_TAG_volatile_type
                | dw::DW_TAG_restrict_type
                | dw::DW_TAG_atomic_type
        ) {
            entry = self.entries.at(entry.ty?)?;
        }
        Some(entry)
    }

    fn convert(&mut self, offset: usize) -> Type {
        let entries = self.entries;
        let Some(offset) = self.plain(offset).map(|entry| entry.offset) else { return Type::Void };
        let Some(entry) = entries.at(offset) else { return Type::Void };
        match entry.tag {
            dw::DW_TAG_base_type => Type::Scalar(self.base(entry)),
            dw::DW_TAG_typedef => self.convert_typedef(entry),
            dw::DW_TAG_pointer_type => Type::Pointer(Box::new(match entry.ty.map(|ty| self.convert(ty)) {
                // Neither a function nor an array has a spelling behind `*`.
                None | Some(Type::Array(..)) => Type::Void,
                Some(pointee) => pointee,
            })),
            dw::DW_TAG_array_type => {
                let element = entry.ty.map_or(Type::Void, |ty| self.convert(ty));
                let dimensions: Vec<_> = entries.children(entry).map(|range| range.count).collect();
                dimensions.into_iter().rev().fold(element, |ty, count| Type::Array(Box::new(ty), count))
            }
            dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_enumeration_type => {
                self.convert_tagged(entry)
            }
            _ => Type::Void,
        }
    }

    fn base(&self, entry: &Entry) -> Scalar {
        match scalars::base(entry.name, entry.size.unwrap_or(1)) {
            // There it has four bytes, whatever a pointer has.
            long @ ("long" | "ulong") if self.entries.is_windows => scalars::integer(4, long == "long"),
            scalar => scalar,
        }
    }

    fn convert_typedef(&mut self, entry: &Entry) -> Type {
        let windows = || scalars::windows(entry.name).filter(|_| self.entries.is_windows);
        if let Some(scalar) = windows().or_else(|| scalars::typedef(entry.name)) {
            return Type::Scalar(scalar);
        }
        let Some(target) = entry.ty.and_then(|ty| self.plain(ty)).map(|target| target.offset) else {
            return Type::Void;
        };
        let entries = self.entries;
        match entries.at(target) {
            // Headers of Windows name types by typedefs alone; the tags but repeat them.
            Some(target) if is_tagged(target) && (target.name.is_empty() || self.entries.is_windows) => {
                let name = Name { name: entry.name.to_owned(), home: self.home(entry).to_owned() };
                self.define(name, target)
            }
            _ => self.convert(target),
        }
    }

    fn convert_tagged(&mut self, entry: &Entry) -> Type {
        if entry.name.is_empty() {
            return match self.definition(entry) {
                Definition::Aggregate(aggregate) => Type::Aggregate(Box::new(aggregate)),
                Definition::Enum(values) => Type::Enum(Box::new(values)),
                Definition::Opaque => Type::Void,
            };
        }
        let keyword = match entry.tag {
            dw::DW_TAG_structure_type => "struct",
            dw::DW_TAG_union_type => "union",
            _ => "enum",
        };
        let home = if entry.declaration { String::new() } else { self.home(entry).to_owned() };
        self.define(Name { name: format!("{keyword} {}", entry.name), home }, entry)
    }

    fn define(&mut self, name: Name, entry: &Entry) -> Type {
        if !self.definitions.contains_key(&name) {
            // Stands in while the definition's own references to itself are read.
            self.definitions.insert(name.clone(), Definition::Opaque);
            let definition = self.definition(entry);
            self.definitions.insert(name.clone(), definition);
        }
        Type::Named(name)
    }

    fn definition(&mut self, entry: &Entry) -> Definition {
        let entries = self.entries;
        if entry.declaration {
            return Definition::Opaque;
        }
        if entry.tag == dw::DW_TAG_enumeration_type {
            let values: Vec<_> = entries.children(entry).map(|e| (e.name.to_owned(), e.value)).collect();
            let signed = values.iter().any(|(_, value)| *value < 0);
            let scalar = scalars::integer(entry.size.unwrap_or(4), signed);
            return Definition::Enum(Enum { scalar, values });
        }
        let members = entries.children(entry).filter(|member| member.tag == dw::DW_TAG_member);
        let fields = members.map(|member| Field {
            name: (!member.name.is_empty()).then(|| member.name.to_owned()),
            ty: member.ty.map_or(Type::Void, |ty| self.convert(ty)),
            bits: member.bits,
            offset: self.start(member),
        });
        let fields = fields.collect();
        let union = entry.tag == dw::DW_TAG_union_type;
        Definition::Aggregate(Aggregate { union, size: entry.size.unwrap_or(0), fields })
    }

    /// Where a member starts, in bits.
    fn start(&self, member: &Entry) -> u64 {
        let base = member.location.saturating_mul(8);
        match (member.bit_offset, member.old_bit_offset, member.bits) {
            (Some(place), _, _) => place,
            (None, Some(place), Some(width)) if self.entries.is_little_endian => {
                let size = member.size.or_else(|| self.plain(member.ty?)?.size).unwrap_or(0);
                base.saturating_add(size.saturating_mul(8)).saturating_sub(place.saturating_add(width))
            }
            (None, Some(place), Some(_)) => base.saturating_add(place),
            _ => base,
        }
    }

    /// The size of a type, where it has one.
    fn size(&self, ty: &Type) -> Option<u64> {
        match ty {
            Type::Void => None,
            Type::Scalar(scalar) => Some(scalars::size(scalar, self.entries.pointer)),
            Type::Pointer(_) => Some(self.entries.pointer),
            Type::Array(element, count) => Some(self.size(element)? * count.unwrap_or(0)),
            Type::Aggregate(aggregate) => Some(aggregate.size),
            Type::Enum(values) => Some(scalars::size(values.scalar, self.entries.pointer)),
            Type::Named(name) => match self.definitions.get(name)? {
                Definition::Aggregate(aggregate) => Some(aggregate.size),
                Definition::Enum(values) => Some(scalars::size(values.scalar, self.entries.pointer)),
                Definition::Opaque => None,
            },
        }
    }
}

fn is_tagged(entry: &Entry) -> bool {
    matches!(entry.tag, dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_enumeration_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        layout::{Machine, fit},
        spell,
    };

    /// Objects of `testdata/types.c`: little-endian with addends beside the data, big-endian with addends in it.
    const OBJECTS: [(u64, &[u8]); 2] =
        [(8, include_bytes!("testdata/x86_64.o")), (4, include_bytes!("testdata/mips.o"))];

    #[test]
    fn objects_of_both_byte_orders_give_the_same_text() {
        for (pointer, object) in OBJECTS {
            let described = read(object, "types.c", |_| "types.c".to_owned()).unwrap();
            let text = |plain: &str| {
                let name = Name { name: plain.to_owned(), home: "types.c".to_owned() };
                let definition = &described.definitions[&name];
                let Definition::Aggregate(aggregate) = definition else { panic!("{plain} is no aggregate") };
                let named = |name: &Name| match described.definitions.get(name)? {
                    Definition::Aggregate(aggregate) => Some((aggregate.size, 4)),
                    _ => Some((4, 4)),
                };
                let form = fit(aggregate, &Machine { pointer, max_align: 16, named: &named }).unwrap();
                spell::definition(definition, &form, &|name| name.name.clone())
            };
            assert_eq!(
                text("struct node"),
                "struct{struct node*next;char name[16];u8 grid[2][3];be32 address;union{u32 a;struct{u16 b;u16 c;};};\
                 enum color shade;point where[2];void*call;struct absent*hidden;u64 tail[];}"
            );
            assert_eq!(text("struct bits"), "struct{u32 low:3;u32 high:29;u32 apart:5@4.3;u16 next;}");
            assert_eq!(text("struct tight"), "struct packed{u8 first;u64 second;}");
            let (pointee, size) = &described.pointees["ASKED"];
            assert_eq!(spell::ty(pointee, &|name| name.name.clone()), "struct tight[2]");
            assert_eq!(*size, Some(18));
            assert!(described.enumerators.contains(&("BLUE".to_owned(), -1)));
            assert!(described.own.iter().any(|name| name.name == "point"));
            assert!(described.definitions.iter().any(|(name, definition)| {
                name.name == "struct absent" && *definition == Definition::Opaque
            }));
        }
    }
}
