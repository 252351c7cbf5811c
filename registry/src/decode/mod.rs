//! Bytes of an argument into values: byte order, bitfields, unions, flags, texts, arrays as long as the data.

mod value;

use std::sync::Arc;

pub use value::Value;

use crate::{
    arch::Arch,
    facts::{Fact, Facts, Set, SetKind},
    types::{Bits, Enumeration, Field, Layout, Record, Scalar, ScalarKind, Shape, Types},
};

/// Values of one decoding. Without a bound, unions within unions and arrays of nothing would take for ever.
const MAX_VALUES: usize = 65_536;

/// Decodes bytes by a layout.
pub fn decode(facts: &Facts, types: &Types, layout: &Layout, bytes: &[u8]) -> Value {
    let mut decoder = Decoder { facts, types, scopes: Vec::new(), left: MAX_VALUES };
    decoder.value(layout, bytes, &[])
}

struct Decoder<'a> {
    facts: &'a Facts,
    types: &'a Types,
    /// The types around the present value of which facts are known, outermost first.
    scopes: Vec<Scope>,
    /// Values that may still be made.
    left: usize,
}

/// A type of whose fields facts are known.
struct Scope {
    name: Arc<str>,
    /// The present field, as a path from the type.
    path: String,
    limits: Vec<Limit>,
}

/// The length of a field, as another one states it.
struct Limit {
    path: String,
    length: u64,
    in_bytes: bool,
}

impl<'a> Decoder<'a> {
    /// A value that begins with the first of the bytes; these may be fewer or more than it has.
    fn value(&mut self, layout: &Layout, bytes: &[u8], facts: &'a [Fact]) -> Value {
        let Some(left) = self.left.checked_sub(1) else { return Value::Missing };
        self.left = left;
        match &layout.shape {
            Shape::Scalar(scalar) => self.scalar(*scalar, layout, bytes, facts),
            Shape::Enumeration(enumeration) => self.enumeration(enumeration, layout, bytes, facts),
            Shape::Pointer(_) => match integer(bytes, layout.size, layout.arch.is_big_endian()) {
                Some(address) => Value::Pointer(truncated(address)),
                None => Value::Missing,
            },
            Shape::Array(element, length) => self.array(element, *length, layout.arch, bytes, facts),
            Shape::Record(record) => {
                let scoped = !layout.name.is_empty() && self.facts.knows(&layout.name);
                if scoped {
                    let name = Arc::clone(&layout.name);
                    self.scopes.push(Scope { name, path: String::new(), limits: Vec::new() });
                }
                let bytes = usize::try_from(layout.size)
                    .ok()
                    // Behind a struct lie the elements of its last field, if that has no length of its own.
                    .filter(|_| record.is_union || !is_open(record))
                    .and_then(|size| bytes.get(..size))
                    .unwrap_or(bytes);
                let value = self.record(record, layout, bytes);
                if scoped {
                    self.scopes.pop();
                }
                value
            }
        }
    }

    /// Copies of bytes count as values too.
    fn charge(&mut self, bytes: &[u8]) {
        self.left = self.left.saturating_sub(bytes.len() / 64);
    }

    fn scalar(&self, scalar: Scalar, layout: &Layout, bytes: &[u8], facts: &[Fact]) -> Value {
        match integer(bytes, layout.size, scalar.is_big_endian(layout.arch)) {
            Some(raw) => self.number(scalar, raw, layout.size * 8, layout.arch, facts),
            None => Value::Missing,
        }
    }

    /// What `width` bits mean.
    fn number(&self, scalar: Scalar, raw: u128, width: u64, arch: Arch, facts: &[Fact]) -> Value {
        if facts.iter().any(|fact| matches!(fact, Fact::Pointer(..))) {
            return Value::Pointer(truncated(raw));
        }
        match scalar.kind() {
            ScalarKind::Float if width == 32 => {
                Value::Float(f64::from(f32::from_bits(truncated(raw) as u32)))
            }
            ScalarKind::Float => Value::Float(f64::from_bits(truncated(raw))),
            ScalarKind::Bool => Value::Bool(raw != 0),
            kind => {
                let set = facts.iter().find_map(|fact| match fact {
                    Fact::Set(name) => self.facts.set(name, arch),
                    _ => None,
                });
                let value = extend(raw, width, kind == ScalarKind::Signed);
                match (set, value) {
                    // Larger than any number that has a name.
                    (_, None) => Value::Bytes { bytes: raw.to_be_bytes().to_vec(), cut: false },
                    (Some(set), Some(value)) => of_set(set, value, truncated(raw)),
                    (None, Some(value)) => Value::Integer(value),
                }
            }
        }
    }

    fn enumeration(&self, of: &Enumeration, layout: &Layout, bytes: &[u8], facts: &[Fact]) -> Value {
        match integer(bytes, layout.size, of.scalar.is_big_endian(layout.arch)) {
            Some(raw) => self.named(of, raw, layout.size * 8, layout.arch, facts),
            None => Value::Missing,
        }
    }

    fn named(&self, of: &Enumeration, raw: u128, width: u64, arch: Arch, facts: &[Fact]) -> Value {
        let value = match self.number(of.scalar, raw, width, arch, facts) {
            Value::Integer(value) => value,
            other => return other,
        };
        let found = of.constants.iter().find(|(_, other)| *other == value);
        Value::Enumeration { value, name: found.map(|(name, _)| Arc::clone(name)) }
    }

    fn array(
        &mut self,
        element: &Layout,
        length: Option<u64>,
        arch: Arch,
        bytes: &[u8],
        facts: &'a [Fact],
    ) -> Value {
        if let Some(other) = self.reinterpreted(arch, facts)
            && element.size == 1
        {
            let whole = length.and_then(|length| bytes.get(..usize::try_from(length).ok()?)).unwrap_or(bytes);
            return self.row(&other, None, whole, &[]);
        }
        if let Shape::Scalar(scalar) = &element.shape
            && element.size == 1
        {
            let wanted = length.and_then(|length| usize::try_from(length).ok());
            let whole = wanted.and_then(|wanted| bytes.get(..wanted)).unwrap_or(bytes);
            let cut = wanted.is_some_and(|wanted| whole.len() < wanted);
            let text = facts.contains(&Fact::Text);
            self.charge(whole);
            if text || scalar.kind() == ScalarKind::Char {
                return self::text(whole, cut, text);
            }
            let plain = !facts.iter().any(|fact| matches!(fact, Fact::Set(_)));
            if plain && scalar.kind() == ScalarKind::Unsigned {
                return Value::Bytes { bytes: whole.to_vec(), cut };
            }
        }
        self.row(element, length, bytes, facts)
    }

    /// The type that a fact gives to a field of bytes.
    fn reinterpreted(&self, arch: Arch, facts: &[Fact]) -> Option<Arc<Layout>> {
        facts.iter().find_map(|fact| match fact {
            Fact::Of(ty) => self.types.layout(ty, arch).ok().filter(|layout| layout.size > 0),
            _ => None,
        })
    }

    /// Elements one behind the other; without a length, as many as lie in the data whole.
    fn row(&mut self, element: &Layout, length: Option<u64>, mut bytes: &[u8], facts: &'a [Fact]) -> Value {
        let size = usize::try_from(element.size).unwrap_or(usize::MAX);
        let length = match length {
            Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
            None => bytes.len().checked_div(size).unwrap_or(0),
        };
        let mut items = Vec::new();
        while items.len() < length && self.left > 0 && (size == 0 || !bytes.is_empty()) {
            items.push(self.value(element, bytes, facts));
            bytes = bytes.get(size..).unwrap_or_default();
        }
        let cut = items.len() < length;
        Value::Array { items, cut }
    }

    fn record(&mut self, record: &Record, layout: &Layout, bytes: &[u8]) -> Value {
        self.state_lengths(record, layout, bytes);
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            if field.name.is_empty() && field.bits.is_some() {
                continue;
            }
            if self.left == 0 {
                fields.push((Arc::clone(&field.name), Value::Missing));
                break;
            }
            let value = self.field(field, layout, bytes);
            match value {
                // The fields of an anonymous struct are its parent's; those of a union stay together.
                Value::Record(inner) if field.name.is_empty() && !record.is_union => fields.extend(inner),
                value => fields.push((Arc::clone(&field.name), value)),
            }
        }
        if !record.is_union {
            return Value::Record(fields);
        }
        if bytes.is_empty() && layout.size > 0 {
            return Value::Missing;
        }
        self.charge(bytes);
        Value::Union { bytes: bytes.to_vec(), members: fields }
    }

    fn field(&mut self, field: &Field, parent: &Layout, bytes: &[u8]) -> Value {
        let lengths: Vec<usize> = self.scopes.iter().map(|scope| scope.path.len()).collect();
        self.enter(&field.name);
        let facts = self.here();
        let value = match field.bits {
            Some(bits) => self.bitfield(bits, field, parent, bytes, facts),
            None => {
                let offset = usize::try_from(field.offset).unwrap_or(usize::MAX);
                let rest = bytes.get(offset..).unwrap_or_default();
                match (&field.layout.shape, self.limit()) {
                    (Shape::Array(element, length), Some((stated, in_bytes))) => {
                        let stated =
                            if in_bytes { stated.checked_div(element.size).unwrap_or(0) } else { stated };
                        let length = length.map_or(stated, |length| length.min(stated));
                        self.array(element, Some(length), parent.arch, rest, facts)
                    }
                    _ => self.value(&field.layout, rest, facts),
                }
            }
        };
        self.leave(&lengths);
        value
    }

    fn bitfield(&self, bits: Bits, field: &Field, parent: &Layout, bytes: &[u8], facts: &[Fact]) -> Value {
        let Some(raw) = extract(bytes, bits, parent.arch.is_big_endian()) else { return Value::Missing };
        match &field.layout.shape {
            Shape::Scalar(scalar) => self.number(*scalar, raw, bits.width, parent.arch, facts),
            Shape::Enumeration(enumeration) => self.named(enumeration, raw, bits.width, parent.arch, facts),
            _ => Value::Missing,
        }
    }

    /// Adds a field to every path; an anonymous member adds nothing.
    fn enter(&mut self, name: &str) {
        if name.is_empty() {
            return;
        }
        for Scope { path, .. } in &mut self.scopes {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
    }

    /// Cuts every path to what it was.
    fn leave(&mut self, lengths: &[usize]) {
        for (scope, length) in self.scopes.iter_mut().zip(lengths) {
            scope.path.truncate(*length);
        }
    }

    /// What is known of the present field; the outermost type knows best.
    fn here(&self) -> &'a [Fact] {
        self.told().map(|(_, facts)| facts).unwrap_or_default()
    }

    /// What is known of the present field, and the place of the type that tells.
    fn told(&self) -> Option<(usize, &'a [Fact])> {
        let mut found =
            self.scopes.iter().map(|scope| self.facts.of_field(&scope.name, &scope.path)).enumerate();
        found.find(|(_, facts)| !facts.is_empty())
    }

    /// How long the present field is, if another has said so: elements or bytes.
    fn limit(&self) -> Option<(u64, bool)> {
        self.scopes.iter().find_map(|scope| {
            let limit = scope.limits.iter().rev().find(|limit| limit.path == scope.path)?;
            Some((limit.length, limit.in_bytes))
        })
    }

    /// Notes the lengths that the fields of a record state of others.
    fn state_lengths(&mut self, record: &Record, layout: &Layout, bytes: &[u8]) {
        if self.scopes.is_empty() {
            return;
        }
        let lengths: Vec<usize> = self.scopes.iter().map(|scope| scope.path.len()).collect();
        for field in record.fields.iter().filter(|field| !field.name.is_empty()) {
            self.enter(&field.name);
            let told = self.told();
            self.leave(&lengths);
            let Some((place, facts)) = told else { continue };
            for fact in facts {
                let (path, in_bytes) = match fact {
                    Fact::Count(path) => (path, false),
                    Fact::Bytes(path) => (path, true),
                    _ => continue,
                };
                if let (Some(length), Some(scope)) =
                    (stated(field, layout.arch, bytes), self.scopes.get_mut(place))
                {
                    scope.limits.retain(|limit| limit.path != **path);
                    scope.limits.push(Limit { path: path.clone().into_owned(), length, in_bytes });
                }
            }
        }
    }
}

/// Whether the last field is as long as there is data.
fn is_open(record: &Record) -> bool {
    record.fields.last().is_some_and(|field| match &field.layout.shape {
        Shape::Array(_, length) => length.is_none(),
        Shape::Record(inner) => {
            inner.fields.len() == 1 && is_open(inner) || !inner.is_union && is_open(inner)
        }
        _ => false,
    })
}

/// The number in a field that states a length.
fn stated(field: &Field, arch: Arch, bytes: &[u8]) -> Option<u64> {
    let Shape::Scalar(scalar) = &field.layout.shape else { return None };
    let raw = match field.bits {
        Some(bits) => extract(bytes, bits, arch.is_big_endian())?,
        None => {
            let bytes = bytes.get(usize::try_from(field.offset).ok()?..)?;
            integer(bytes, field.layout.size, scalar.is_big_endian(arch))?
        }
    };
    u64::try_from(raw).ok()
}

/// The number in the first `size` bytes, at most 16.
fn integer(bytes: &[u8], size: u64, big_endian: bool) -> Option<u128> {
    let bytes = bytes.get(..usize::try_from(size).ok()?)?;
    if bytes.len() > size_of::<u128>() {
        return None;
    }
    let add = |sum: u128, byte: &u8| (sum << 8) | u128::from(*byte);
    Some(if big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
}

/// The number in some bits.
fn extract(bytes: &[u8], bits: Bits, big_endian: bool) -> Option<u128> {
    if bits.width > 128 {
        return None;
    }
    let mut value = 0_u128;
    for place in 0..bits.width {
        let at = bits.start.checked_add(place)?;
        let byte = *bytes.get(usize::try_from(at / 8).ok()?)?;
        if big_endian {
            value = (value << 1) | u128::from((byte >> (7 - at % 8)) & 1);
        } else {
            value |= u128::from((byte >> (at % 8)) & 1) << place;
        }
    }
    Some(value)
}

/// The lowest 64 bits.
fn truncated(value: u128) -> u64 {
    (value & u128::from(u64::MAX)) as u64
}

/// The number that `width` bits stand for, if it can be held.
fn extend(raw: u128, width: u64, signed: bool) -> Option<i128> {
    if !signed || width == 0 {
        return i128::try_from(raw).ok();
    }
    let unused = u32::try_from(128_u64.saturating_sub(width)).unwrap_or(0);
    Some((raw << unused) as i128 >> unused)
}

fn of_set(set: &Set, value: i128, raw: u64) -> Value {
    if set.kind == SetKind::Enumeration {
        let found = set.constants().iter().find(|(_, other)| *other == value);
        return Value::Enumeration { value, name: found.map(|(name, _)| Arc::clone(name)) };
    }
    let (mut names, mut rest) = (Vec::new(), raw);
    for (name, flag) in set.constants() {
        let flag = truncated(*flag as u128);
        if (flag != 0 && rest & flag == flag) || (flag == 0 && raw == 0) {
            names.push(Arc::clone(name));
            rest &= !flag;
        }
    }
    Value::Flags { value: raw, names, rest }
}

/// Text ends with its first NUL. A field that is not known to be text keeps what lies behind that, unless it is nothing.
fn text(bytes: &[u8], cut: bool, known: bool) -> Value {
    let end = bytes.iter().position(|byte| *byte == 0);
    let (text, behind) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
    let whole = !known && behind.iter().any(|byte| *byte != 0);
    let bytes = if whole { bytes } else { text };
    Value::Text { bytes: bytes.to_vec(), cut: cut && (whole || end.is_none()) }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
