//! Types as the registry writes them.

use std::fmt::Write as _;

use crate::{
    layout::Form,
    model::{Aggregate, Definition, Enum, Name, Type},
};

/// Gives the name by which a type is written.
pub type Naming<'a> = &'a dyn Fn(&Name) -> String;

/// A type in one piece: `struct v4l2_format`, `char[128]`, `char*`.
pub fn ty(ty: &Type, naming: Naming) -> String {
    let (base, dimensions) = split(ty, None, naming);
    base + &dimensions
}

/// A definition. An aggregate is written in the given form.
pub fn definition(definition: &Definition, form: &Form, naming: Naming) -> String {
    match definition {
        Definition::Aggregate(inner) => aggregate(inner, Some(form), naming),
        Definition::Enum(values) => enumeration(values),
        Definition::Opaque => "opaque".to_owned(),
    }
}

/// What is written before a member's name, and the dimensions after it.
fn split(ty: &Type, form: Option<&Form>, naming: Naming) -> (String, String) {
    match ty {
        Type::Void => ("void".to_owned(), String::new()),
        Type::Scalar(name) => ((*name).to_owned(), String::new()),
        Type::Named(name) => (naming(name), String::new()),
        Type::Enum(values) => (enumeration(values), String::new()),
        Type::Aggregate(inner) => (aggregate(inner, form, naming), String::new()),
        Type::Pointer(pointee) => {
            let (base, dimensions) = split(pointee, None, naming);
            // A pointer to an array has no spelling.
            (if dimensions.is_empty() { base + "*" } else { "void*".to_owned() }, String::new())
        }
        Type::Array(element, count) => {
            let (base, dimensions) = split(element, form, naming);
            let count = count.map(|count| count.to_string()).unwrap_or_default();
            (base, format!("[{count}]{dimensions}"))
        }
    }
}

fn enumeration(values: &Enum) -> String {
    let list: Vec<String> = values.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("enum {}{{{}}}", values.scalar, list.join(","))
}

fn aggregate(aggregate: &Aggregate, form: Option<&Form>, naming: Naming) -> String {
    let plain = Form::default();
    let form = form.unwrap_or(&plain);
    let mut text = if aggregate.union { "union" } else { "struct" }.to_owned();
    if form.packed {
        text.push_str(" packed");
    }
    if form.sized {
        let _ = write!(text, " size={}", aggregate.size);
    }
    text.push('{');
    for (index, field) in aggregate.fields.iter().enumerate() {
        let inner = form.inner.get(index).and_then(Option::as_ref);
        let (base, dimensions) = split(&field.ty, inner, naming);
        text.push_str(&base);
        if let Some(name) = &field.name {
            if !base.ends_with(['*', '}']) {
                text.push(' ');
            }
            text.push_str(name);
        }
        text.push_str(&dimensions);
        if let Some(bits) = field.bits {
            let _ = write!(text, ":{bits}");
        }
        if form.placed.get(index).copied().unwrap_or(false) {
            let _ = write!(text, "@{}", field.offset / 8);
            if field.bits.is_some() {
                let _ = write!(text, ".{}", field.offset % 8);
            }
        }
        text.push(';');
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Field;

    fn field(name: &str, ty: Type, offset: u64) -> Field {
        Field { name: (!name.is_empty()).then(|| name.to_owned()), ty, bits: None, offset }
    }

    #[test]
    fn definitions_are_written_like_c() {
        let named = Type::Named(Name { name: "struct a".to_owned(), home: String::new() });
        let array = |ty, count| Type::Array(Box::new(ty), count);
        let pointer = |ty| Type::Pointer(Box::new(ty));
        let inner = Aggregate { union: true, size: 8, fields: vec![field("p", pointer(Type::Void), 0)] };
        let mut bits = field("b", Type::Scalar("u32"), 131);
        bits.bits = Some(3);
        let fields = vec![
            field("a", named, 0),
            field("m", array(array(Type::Scalar("u8"), Some(3)), Some(2)), 32),
            field("", Type::Aggregate(Box::new(inner)), 64),
            bits,
            field("names", array(pointer(Type::Scalar("char")), Some(4)), 192),
            field("rest", array(Type::Scalar("u16"), None), 448),
        ];
        let form = Form {
            packed: true,
            sized: true,
            placed: vec![false, false, false, true, false, false],
            inner: vec![None, None, Some(Form::default()), None, None, None],
        };
        let definition = Definition::Aggregate(Aggregate { union: false, size: 56, fields });
        assert_eq!(
            super::definition(&definition, &form, &|name| name.name.clone()),
            "struct packed size=56{struct a a;u8 m[2][3];union{void*p;};u32 b:3@16.3;char*names[4];u16 rest[];}"
        );
    }

    #[test]
    fn enums_list_their_values() {
        let values = vec![("A".to_owned(), -1), ("B".to_owned(), 2)];
        let text = definition(&Definition::Enum(Enum { scalar: "s32", values }), &Form::default(), &|_| {
            String::new()
        });
        assert_eq!(text, "enum s32{A=-1,B=2}");
    }
}
