//! Prints what the registry takes: bytes in the program, time to open it, time of a lookup.
//! `cargo bench -p ioctl-registry`
#![expect(clippy::print_stdout, reason = "it is what this is for")]

use std::{hint::black_box, time::Instant};

use ioctl_registry::{Arch, Device, DeviceKind, Memory, Named, Registry, Style, When, embedded_sizes};

/// Answers every address with the same bytes.
struct Same([u8; 512]);

impl Memory for Same {
    fn bytes(&self, _: u64, length: u64) -> &[u8] {
        usize::try_from(length).ok().and_then(|length| self.0.get(..length)).unwrap_or(&self.0)
    }
}

fn main() {
    // The first thing that touches the tables is the opening.
    let start = Instant::now();
    let registry = Registry::builtin();
    println!("open: {:?} for {} requests", start.elapsed(), registry.requests().count());
    let terminal = Device { kind: DeviceKind::Char, major: 136, minor: 3, ..Device::default() };
    let first = |what: &str, work: &dyn Fn()| {
        let start = Instant::now();
        work();
        println!("first {what}: {:?}", start.elapsed());
    };
    let winsize = || drop(black_box(registry.layout("struct winsize", Arch::X86_64)));
    first("layout", &winsize);
    first("fact", &|| {
        black_box(registry.facts("struct v4l2_capability", "capabilities"));
    });
    first("lookup on mips", &|| drop(black_box(registry.lookup(0x540d, Arch::Mips, &terminal))));
    first("resized request", &|| drop(black_box(registry.lookup(0x8069_5600, Arch::X86_64, &terminal))));
    first("Windows code", &|| drop(black_box(registry.lookup(0x70000, Arch::Win64, &Device::default()))));

    let look = |number| drop(black_box(registry.lookup(black_box(number), Arch::X86_64, &terminal)));
    each("lookup of one name", || look(0x5413));
    each("lookup of one of several names", || look(0x5402));
    each("lookup with parameters", || look(0x8060_4521));
    each("lookup of no name", || look(0xdead_5eff));
    each("layout, kept", winsize);
    if let Ok(layout) = registry.layout("struct termios", Arch::X86_64) {
        each("decoding of a termios", || drop(black_box(registry.decode(&layout, black_box(&[1; 36])))));
    }
    let memory = Same([1; 512]);
    for name in ["TIOCGWINSZ", "TCSETS", "VIDIOC_QUERYCAP", "VIDIOC_S_FMT", "BLKPG", "SG_IO"] {
        let Some(request) = registry.find(name).map(Named::plain) else { continue };
        let argument = |when| registry.argument(&request, Arch::X86_64, black_box(4096), &memory, when);
        each(&format!("argument of {name}"), || {
            drop(black_box((argument(When::Before), argument(When::After(Some(&memory))))));
        });
        if let Some(value) = argument(When::Before) {
            each(&format!("text of {name}"), || {
                drop(black_box(value.display(&Style::default()).to_string()))
            });
        }
    }
    let (mut all, mut whole) = (0, 0);
    for (name, packed, opened) in embedded_sizes() {
        println!("{name}: {packed} bytes, opened {opened}");
        (all, whole) = (all + packed, whole + opened);
    }
    println!("embedded: {all} bytes, opened {whole}");
}

fn each(what: &str, work: impl Fn()) {
    const TIMES: u32 = 200_000;
    let start = Instant::now();
    (0..TIMES).for_each(|_| work());
    println!("{what}: {:?}", start.elapsed() / TIMES);
}
