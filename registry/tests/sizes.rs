//! The size that a number carries is that of its argument's type, laid out by this crate, on every architecture.

use std::{collections::BTreeSet, fs, io};

use ioctl_registry::{Arch, Arg, Encoding, Made, Registry};

/// Names of the requests whose size is another for a reason that the table states.
fn exceptions() -> io::Result<BTreeSet<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/overlay/size-exceptions.tsv");
    let text = fs::read_to_string(path)?;
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    Ok(rows.filter_map(|line| line.split('\t').next()).map(str::to_owned).collect())
}

#[test]
fn numbers_carry_the_size_of_their_argument() {
    let registry = Registry::builtin();
    let exceptions = exceptions().unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for request in registry.requests().filter(|request| request.source() == "macro") {
        let made = matches!(request.made(), Made::Ior | Made::Iow | Made::Iowr | Made::Ioc);
        let Arg::Pointer(ty) = request.arg() else { continue };
        if !made || request.parameters().is_some() || exceptions.contains(request.name()) {
            continue;
        }
        for arch in Arch::ALL {
            let Some(number) = request.number(arch) else { continue };
            // OSS has bits of direction of its own there.
            if arch == Arch::Sparc64 && request.header() == "linux/soundcard.h" {
                continue;
            }
            // Requests of old terminals are plain numbers on some architectures.
            if request.header() == "asm/ioctls.h" && number <= 0xffff {
                continue;
            }
            let Ok(layout) = registry.layout(&ty, arch) else {
                wrong.push(format!("{} on {arch}: no layout of {ty}", request.name()));
                continue;
            };
            compared += 1;
            let size = Encoding::of(number, arch).size;
            if u64::from(size) != layout.size {
                wrong.push(format!("{} on {arch}: {size}, {ty} has {}", request.name(), layout.size));
            }
        }
    }
    println!("{compared} sizes");
    assert!(compared > 25_000, "{compared}");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}
