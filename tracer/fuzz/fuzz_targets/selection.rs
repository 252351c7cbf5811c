//! Any text of `-e` is a selection or a mistake that is told, and the kernel's part of a selection never drops what it
//! wants. `cd tracer && cargo +nightly fuzz run selection`
#![no_main]

use ioctl_registry::{Arch, Device, Registry};
use ioctl_trace::{select::Selection, source::setup::Requests};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u32)| {
    let (text, number) = input;
    let Ok(selection) = Selection::parse([text], Registry::builtin()) else { return };
    let wanted = selection.wants(number, &Registry::builtin().lookup(number, Arch::native(), &Device::default()));
    let passes = match selection.numbers(Registry::builtin()) {
        Requests::Any => true,
        Requests::Only(numbers) => numbers.contains(&number),
        Requests::Except(numbers) => !numbers.contains(&number),
    };
    assert!(passes || !wanted, "{text} drops {number:#x}");
});
