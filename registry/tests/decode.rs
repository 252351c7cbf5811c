//! Every request's argument is decoded from any memory on every architecture.

use ioctl_registry::{Arch, Member, Memory, Named, Registry, Shape, Style, Value, When};

/// Answers every address with the same bytes.
struct Same(Vec<u8>);

impl Memory for Same {
    fn bytes(&self, _: u64, length: u64) -> &[u8] {
        usize::try_from(length).ok().and_then(|length| self.0.get(..length)).unwrap_or(&self.0)
    }
}

/// Bytes in each piece of memory: more than most arguments have.
const BYTES: usize = 1 << 12;

/// Numbers that look like chance, the same each time.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(BYTES).collect()
}

/// Whether a value tells more than that there are bytes.
fn is_told(value: &Value) -> bool {
    match value {
        Value::Pointee { value, .. } | Value::Variant { value, .. } => is_told(value),
        Value::Record(members) => members.iter().any(|Member { value, .. }| *value != Value::Missing),
        Value::Array { items, .. } => items.iter().all(is_told),
        Value::Union { members, .. } => !members.is_empty(),
        Value::Missing | Value::Pointer(_) => false,
        _ => true,
    }
}

/// Values in a value.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Pointee { value, .. } | Value::Variant { value, .. } => count(value),
        Value::Record(members) | Value::Union { members, .. } => {
            members.iter().map(|member| count(&member.value)).sum()
        }
        Value::Array { items, .. } => items.iter().map(count).sum(),
        _ => 0,
    }
}

#[test]
fn every_argument_is_decoded_from_any_memory() {
    let registry = Registry::builtin();
    let memories =
        [Same(vec![0; BYTES]), Same(vec![0xff; BYTES]), Same(noise()), Same(vec![1; 3]), Same(Vec::new())];
    let style = Style::default();
    for request in registry.requests() {
        let request = Named::plain(request);
        for arch in Arch::ALL {
            for memory in &memories {
                for when in [When::Before, When::After(Some(memory))] {
                    let Some(value) = registry.argument(&request, arch, 0x1000, memory, when) else {
                        continue;
                    };
                    assert!(count(&value) <= 70_000, "{request} on {arch}");
                    let text = value.display(&style).to_string();
                    assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{request}: {text}");
                }
            }
        }
    }
}

/// Of the requests whose argument has a type, almost all have an argument with a meaning.
#[test]
fn typed_arguments_are_told() {
    let registry = Registry::builtin();
    let memory = Same(vec![0; BYTES]);
    let (mut typed, mut untold) = (0, Vec::new());
    for request in registry.requests().filter(|request| request.number(Arch::X86_64).is_some()) {
        let named = Named::plain(request);
        let arg = request.arg();
        let Some(ty) = arg.ty() else { continue };
        typed += 1;
        let known = registry.layout(ty, Arch::X86_64).is_ok_and(|layout| match &layout.shape {
            Shape::Record(record) => !record.fields.is_empty(),
            _ => true,
        });
        let sides = [When::Before, When::After(Some(&memory))];
        let mut values = sides
            .into_iter()
            .filter_map(|when| registry.argument(&named, Arch::X86_64, 0x1000, &memory, when));
        if !known || !values.any(|value| is_told(&value)) {
            untold.push(format!("{} ({ty})", request.name()));
        }
    }
    let share = 100.0 * (typed - untold.len()) as f64 / typed as f64;
    println!("{share:.1} % of {typed} arguments are told; not: {}", untold.join(", "));
    assert!(share >= 97.0, "{share}");
}

/// What is decoded of an argument lies within it: bytes behind it change nothing.
#[test]
fn fields_lie_within_their_type() {
    let registry = Registry::builtin();
    let noise = noise();
    for name in registry.type_names() {
        for arch in Arch::ALL {
            let Ok(layout) = registry.layout(name, arch) else { continue };
            let Some(bytes) = usize::try_from(layout.size).ok().and_then(|size| noise.get(..size)) else {
                continue;
            };
            let Shape::Record(record) = &layout.shape else { continue };
            for field in &record.fields {
                let end = field.offset + if field.bits.is_some() { 0 } else { field.layout.size };
                assert!(end <= layout.size, "{name} on {arch}: {}", field.name);
            }
            let value = registry.decode(&layout, bytes);
            assert!(count(&value) <= 70_000, "{name} on {arch}");
        }
    }
}
