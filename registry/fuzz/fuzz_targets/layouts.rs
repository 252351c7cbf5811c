//! Any text is a type or a mistake that is told, and a layout can be written and decodes any bytes.
//! `cd registry && cargo +nightly fuzz run layouts`
#![no_main]

use ioctl_registry::{Arch, Registry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, &str, &[u8])| {
    let (arch, place, text, bytes) = input;
    let arch = Arch::ALL[usize::from(arch) % Arch::ALL.len()];
    let registry = Registry::builtin();
    // A type of the registry too, which has facts, in most runs.
    let named = registry.type_names().nth(usize::from(place));
    for expression in [Some(text), named].into_iter().flatten() {
        if let Ok(layout) = registry.layout(expression, arch) {
            let value = registry.decode(&layout, bytes);
            let _ = (value.to_string(), value.display(3).to_string());
            let _ = layout.describe(bytes.len() % 2 == 0);
        }
    }
});
