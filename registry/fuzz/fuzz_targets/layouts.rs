//! Any text is a type or a mistake that is told, a layout can be written and decodes any bytes, and so does every
//! request's argument from any memory, and every buffer of a control code.
//! `cd registry && cargo +nightly fuzz run layouts`
#![no_main]

use ioctl_registry::{
    Arch, Memory, Named, Registry, Style, Value, When,
    windows::{Buffer, Buffers, Side},
};
use libfuzzer_sys::fuzz_target;

/// Answers every address with bytes that depend on it.
struct Bytes<'b>(&'b [u8]);

impl Memory for Bytes<'_> {
    fn bytes(&self, address: u64, length: u64) -> &[u8] {
        let start = usize::try_from(address).unwrap_or(0) % self.0.len().max(1);
        let known = self.0.get(start..).unwrap_or_default();
        usize::try_from(length).ok().and_then(|length| known.get(..length)).unwrap_or(known)
    }
}

fuzz_target!(|input: (u8, u16, u64, &str, &[u8])| {
    let (arch, place, arg, text, bytes) = input;
    let arch = Arch::ALL[usize::from(arch) % Arch::ALL.len()];
    let registry = Registry::builtin();
    // A type of the registry too, which has facts, in most runs.
    let named = registry.type_names().nth(usize::from(place));
    for expression in [Some(text), named].into_iter().flatten() {
        if let Ok(layout) = registry.layout(expression, arch) {
            let value = registry.decode(&layout, bytes);
            let _ = (value.to_string(), value.display(&Style { limit: 3, ..Style::default() }).to_string());
            let _ = (layout.describe(bytes.len() % 2 == 0), layout.place(text));
        }
    }
    if let Some(request) = registry.requests().nth(usize::from(place)).map(Named::plain) {
        let (before, after) = bytes.split_at(bytes.len() / 2);
        let (before, after) = (Bytes(before), Bytes(after));
        let handed = registry.argument(&request, arch, arg, &before, When::Before);
        let back = registry.argument(&request, arch, arg, &after, When::After(Some(&before)));
        let exchange = Value::exchange(handed, back);
        for value in [exchange.left, exchange.right].into_iter().flatten() {
            let _ = value.display(&Style { limit: 3, ..Style::default() }).to_string();
        }
    }
    if let Some(request) = registry.windows().requests().nth(usize::from(place)).map(Named::plain) {
        let arch = Arch::WINDOWS[usize::from(arch.is_big_endian())];
        let (input, output) = bytes.split_at(bytes.len() / 2);
        let input = Buffer { bytes: input, size: arg };
        let buffers = Buffers { input, output: Buffer { bytes: output, size: u64::MAX } };
        for side in [Side::Input, Side::Output] {
            let value = registry.control_buffer(Some(&request), arch, side, &buffers);
            let _ = value.map(|value| value.display(&Style { limit: 3, ..Style::default() }).to_string());
        }
    }
});
