//! The architectures of the registry: how the compiler names them, and what of their calling convention shows in
//! numbers and layouts.

/// Number of architectures.
pub const COUNT: usize = 11;

/// An architecture.
#[derive(Debug, PartialEq, Eq)]
pub struct Arch {
    /// The registry's name of it.
    pub name: &'static str,
    /// What the compiler calls it.
    pub triple: &'static str,
    /// Folder of its kernel headers, less `-linux-any`.
    pub kernel: &'static str,
    /// Folder of its C library headers.
    pub libc: &'static str,
    /// Size of a pointer and of `long`, in bytes.
    pub pointer: u64,
    /// Whether 13 bits of the number are for the size and 3 for the direction, instead of 14 and 2.
    pub alternative: bool,
}

/// All architectures, in the registry's order; the first decides which requests there are.
pub static ALL: [Arch; COUNT] = [
    arch("x86_64", "x86_64-linux-gnu", "x86", "x86-linux-gnu", 8, false),
    arch("i386", "i386-linux-gnu", "x86", "x86-linux-gnu", 4, false),
    arch("aarch64", "aarch64-linux-gnu", "aarch64", "aarch64-linux-gnu", 8, false),
    arch("arm", "arm-linux-gnueabihf", "arm", "arm-linux-gnu", 4, false),
    arch("riscv64", "riscv64-linux-gnu", "riscv", "riscv-linux-gnu", 8, false),
    arch("ppc64le", "powerpc64le-linux-gnu", "powerpc", "powerpc-linux-gnu", 8, true),
    arch("s390x", "s390x-linux-gnu", "s390x", "s390x-linux-gnu", 8, false),
    arch("mips", "mips-linux-gnu", "mips", "mips-linux-gnu", 4, true),
    arch("mips64", "mips64-linux-gnuabi64", "mips", "mips-linux-gnu", 8, true),
    arch("sparc64", "sparc64-linux-gnu", "sparc", "sparc-linux-gnu", 8, true),
    arch("loongarch64", "loongarch64-linux-gnu", "loongarch", "loongarch-linux-gnu", 8, false),
];

/// Programs of Windows, which have tables of their own.
pub static WINDOWS: [Arch; 2] = [
    arch("win64", "x86_64-windows-gnu", "", "", 8, false),
    arch("win32", "i686-windows-gnu", "", "", 4, false),
];

const fn arch(
    name: &'static str,
    triple: &'static str,
    kernel: &'static str,
    libc: &'static str,
    pointer: u64,
    alternative: bool,
) -> Arch {
    Arch { name, triple, kernel, libc, pointer, alternative }
}

impl Arch {
    /// The largest alignment of a scalar: 4 on i386, where even 8-byte scalars have no more.
    pub fn max_align(&self) -> u64 {
        if self.name == "i386" { 4 } else { 16 }
    }

    /// A number of this architecture in the generic layout, when it was made by `_IO*()`.
    pub fn to_generic(&self, number: u32) -> u32 {
        if !self.alternative {
            return number;
        }
        let (direction, size) = (number >> 29, number >> 16 & 0x1fff);
        // Reading is 2 in both layouts; writing is 4 here and 1 there; "none" is a bit of its own here.
        let generic = direction & 2 | direction >> 2 & 1;
        generic << 30 | size << 16 | number & 0xffff
    }

    /// A number of the generic layout as this architecture has it.
    pub fn of_generic(&self, number: u32) -> u32 {
        if !self.alternative {
            return number;
        }
        let (direction, size) = (number >> 30, number >> 16 & 0x3fff);
        let own = match direction {
            0 => 1,
            direction => direction & 2 | (direction & 1) << 2,
        };
        own << 29 | (size & 0x1fff) << 16 | number & 0xffff
    }

    /// A number of the generic layout with another size, as this architecture has it; none if the size has no room.
    pub fn resized(&self, number: u32, size: u64) -> Option<u32> {
        let size =
            u32::try_from(size).ok().filter(|size| *size < if self.alternative { 0x2000 } else { 0x4000 })?;
        Some(self.of_generic(number & 0xc000_ffff | size << 16))
    }

    /// The size that a number made by `_IO*()` carries.
    pub fn size_in(&self, number: u32) -> u64 {
        u64::from(number >> 16 & if self.alternative { 0x1fff } else { 0x3fff })
    }
}

/// The names of architectures by index, joined by commas; empty for all of them.
pub fn list(indices: &[usize]) -> String {
    list_of(&ALL, indices)
}

/// The same of some architectures.
pub fn list_of(arches: &[Arch], indices: &[usize]) -> String {
    if indices.len() == arches.len() {
        return String::new();
    }
    let names = arches.iter().enumerate().filter(|(index, _)| indices.contains(index));
    names.map(|(_, arch)| arch.name).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_change_their_layout_and_back() {
        let mips = ALL.iter().find(|arch| arch.name == "mips").unwrap();
        for (generic, own) in [
            (0xc0d0_5605, 0xc0d0_5605),
            (0x8068_5600, 0x4068_5600),
            (0x4004_5612, 0x8004_5612),
            (0x5421, 0x2000_5421),
        ] {
            assert_eq!(mips.of_generic(generic), own, "{generic:#x}");
            assert_eq!(mips.to_generic(own), generic, "{own:#x}");
        }
        assert_eq!(ALL[0].of_generic(0x8068_5600), 0x8068_5600);
    }

    #[test]
    fn all_architectures_are_an_empty_list() {
        assert_eq!(list(&[0, 3]), "x86_64,arm");
        assert_eq!(list(&(0..COUNT).collect::<Vec<_>>()), "");
    }
}
