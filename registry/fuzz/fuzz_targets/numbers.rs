//! Any text is a request number or a mistake that is told, and any number has a meaning that can be written.
//! `cd registry && cargo +nightly fuzz run numbers`
#![no_main]

use ioctl_registry::{Arch, Device, DeviceKind, Encoding, Registry, windows::Codes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u32, u32, &str)| {
    let (arch, number, major, text) = input;
    let arch = Arch::ALL[usize::from(arch) % Arch::ALL.len()];
    let registry = Registry::builtin();
    let device = Device { kind: DeviceKind::Char, major, minor: 1, ..Device::default() };
    assert_eq!(Encoding::of(number, arch).encode(arch), number);
    let lookup = registry.lookup(number, arch, &device);
    // What a request is shown as is read as its number.
    for named in lookup.named() {
        assert!(registry.number(&named.to_string(), arch).is_ok(), "{named}");
    }
    let _ = format!("{lookup:#}");
    if let Ok(number) = registry.number(text, arch) {
        let _ = registry.lookup(number, arch, &device).to_string();
    }
    let _ = Codes::builtin().parse(text);
});
