//! How a request number is put together: direction, type, number, argument size.

use std::fmt;

use crate::arch::{Arch, NumberLayout};

/// Which way the argument travels, from the program's point of view.
///
/// ```
/// use ioctl_registry::{Arch, Direction, Encoding};
///
/// assert_eq!(Encoding::of(0x8004_5430, Arch::X86_64).dir, Direction::Read); // TIOCGPTN
/// assert_eq!(Direction::ReadWrite.as_str(), "read-write");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// The number states no argument. Numbers older than the scheme say so whatever their argument is.
    None,
    /// The kernel reads the argument.
    Write,
    /// The kernel fills the argument.
    Read,
    /// The kernel reads the argument, then fills it.
    ReadWrite,
}

impl Direction {
    /// `none`, `write`, `read` or `read-write`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Write => "write",
            Self::Read => "read",
            Self::ReadWrite => "read-write",
        }
    }

    pub(crate) const fn from_bits(write: bool, read: bool) -> Self {
        match (write, read) {
            (false, false) => Self::None,
            (true, false) => Self::Write,
            (false, true) => Self::Read,
            (true, true) => Self::ReadWrite,
        }
    }

    /// The word of the tables.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Write, Self::Read, Self::ReadWrite].into_iter().find(|dir| dir.as_str() == text)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The parts of a request number: eight bits each of number and type, then the argument's size and direction, which
/// architectures place differently (see [`NumberLayout`]).
///
/// ```
/// use ioctl_registry::{Arch, Direction, Encoding};
///
/// let version = Encoding::of(0x8010_4d56, Arch::X86_64);
/// assert_eq!((version.dir, version.ty, version.nr, version.size), (Direction::Read, b'M', 0x56, 16));
/// assert_eq!(version.encode(Arch::X86_64), 0x8010_4d56);
/// assert_eq!(version.encode(Arch::Mips), 0x4010_4d56);
/// assert_eq!(Encoding::of(0x5401, Arch::X86_64).to_string(), "_IOC(_IOC_NONE, 0x54, 0x1, 0)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Which way the argument travels.
    pub dir: Direction,
    /// The driver's letter or code.
    pub ty: u8,
    /// The number within the type.
    pub nr: u8,
    /// Size of the argument in bytes, below 16,384.
    pub size: u16,
    /// The alternative layout's bit for "none" is not as the direction wants it, as in numbers older than the scheme.
    pub(crate) odd: bool,
}

const SIZE_SHIFT: u32 = 16;
/// The alternative layout's bit for "none".
const NONE_BIT: u32 = 1 << 29;

impl Encoding {
    /// The parts that a header's `_IO*()` would state.
    #[must_use]
    pub const fn new(dir: Direction, ty: u8, nr: u8, size: u16) -> Self {
        Self { dir, ty, nr, size, odd: false }
    }

    /// Takes a number apart. Every number has parts, also one that predates the scheme.
    #[must_use]
    pub const fn of(number: u32, arch: Arch) -> Self {
        let layout = arch.number_layout();
        let (write, read) = layout.directions();
        let dir = Direction::from_bits(number & write != 0, number & read != 0);
        let [nr, ty, ..] = number.to_le_bytes();
        let size = ((number >> SIZE_SHIFT) & layout.size_mask(dir)) as u16;
        let odd = layout.has_none_bit(dir) && (number & NONE_BIT != 0) != matches!(dir, Direction::None);
        Self { dir, ty, nr, size, odd }
    }

    /// The parts of a number that has nothing but a direction, given in the architecture's own bits.
    pub(crate) fn of_direction(bits: u32, arch: Arch) -> Option<Self> {
        let (shift, end) = match arch.number_layout() {
            NumberLayout::Generic => (30, 4),
            NumberLayout::Alternative | NumberLayout::Sparc => (29, 8),
        };
        if bits >= end {
            return None;
        }
        let parts = Self::of(bits << shift, arch);
        // On sparc64 the lowest bit counts as size where there is another.
        (parts.size == 0).then_some(parts)
    }

    /// Puts the number together. Bits of the size that have no room are dropped.
    #[must_use]
    pub const fn encode(self, arch: Arch) -> u32 {
        let layout = arch.number_layout();
        let (write, read) = layout.directions();
        let mut number = ((self.size as u32 & layout.size_mask(self.dir)) << SIZE_SHIFT)
            | ((self.ty as u32) << 8)
            | self.nr as u32;
        if matches!(self.dir, Direction::Write | Direction::ReadWrite) {
            number |= write;
        }
        if matches!(self.dir, Direction::Read | Direction::ReadWrite) {
            number |= read;
        }
        if layout.has_none_bit(self.dir) && matches!(self.dir, Direction::None) != self.odd {
            number |= NONE_BIT;
        }
        number
    }

    /// The names of the direction's bits.
    const fn constants(self) -> &'static str {
        match (self.dir, self.odd) {
            (Direction::None, false) => "_IOC_NONE",
            (Direction::None, true) => "0",
            (Direction::Write, false) => "_IOC_WRITE",
            (Direction::Write, true) => "_IOC_NONE|_IOC_WRITE",
            (Direction::Read, false) => "_IOC_READ",
            (Direction::Read, true) => "_IOC_NONE|_IOC_READ",
            (Direction::ReadWrite, false) => "_IOC_READ|_IOC_WRITE",
            (Direction::ReadWrite, true) => "_IOC_NONE|_IOC_READ|_IOC_WRITE",
        }
    }
}

impl NumberLayout {
    /// Which bits of a number are its size, where the direction is known to be one or none.
    const fn size_mask(self, dir: Direction) -> u32 {
        match (self, dir) {
            (Self::Alternative, _) | (Self::Sparc, Direction::None) => 0x1fff,
            (Self::Generic | Self::Sparc, _) => 0x3fff,
        }
    }

    /// The bits of a write and of a read.
    const fn directions(self) -> (u32, u32) {
        match self {
            Self::Generic => (1 << 30, 1 << 31),
            Self::Alternative | Self::Sparc => (1 << 31, 1 << 30),
        }
    }

    /// Whether [`NONE_BIT`] is no part of the size.
    const fn has_none_bit(self, dir: Direction) -> bool {
        match self {
            Self::Generic => false,
            Self::Alternative => true,
            Self::Sparc => matches!(dir, Direction::None),
        }
    }
}

/// C's `%#x`: no prefix on zero.
struct Hex(u32);

impl fmt::Display for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => formatter.write_str("0"),
            value => write!(formatter, "{value:#x}"),
        }
    }
}

impl fmt::Display for Encoding {
    /// The shape in which strace prints a number without a name.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [ty, nr, size] = [u32::from(self.ty), u32::from(self.nr), u32::from(self.size)].map(Hex);
        write!(formatter, "_IOC({}, {ty}, {nr}, {size})", self.constants())
    }
}

/// A request number as people write it: hexadecimal with `0x`, or decimal.
///
/// ```
/// use ioctl_registry::parse_number;
///
/// assert_eq!(parse_number("0x5413"), Some(21523));
/// assert_eq!(parse_number("21523"), Some(0x5413));
/// assert_eq!(parse_number("TIOCGWINSZ"), None);
/// ```
#[must_use]
pub fn parse_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // The standard parser would accept a sign.
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if plain { u32::from_str_radix(digits, radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn taking_apart_and_putting_together_is_the_identity(number: u32) {
            for arch in Arch::ALL {
                prop_assert_eq!(Encoding::of(number, arch).encode(arch), number, "{}", arch);
            }
        }

        /// What a header states survives on every architecture that has room for the size.
        #[test]
        fn parts_are_the_same_on_every_architecture(read: bool, write: bool, ty: u8, nr: u8, size in 0_u16..0x2000) {
            let parts = Encoding::new(Direction::from_bits(write, read), ty, nr, size);
            for arch in Arch::ALL {
                prop_assert_eq!(Encoding::of(parts.encode(arch), arch), parts, "{}", arch);
            }
        }
    }

    #[test]
    fn display_has_the_shape_of_strace() {
        let shapes = [
            (0xc008_dead, "_IOC(_IOC_READ|_IOC_WRITE, 0xde, 0xad, 0x8)"),
            (0x5401, "_IOC(_IOC_NONE, 0x54, 0x1, 0)"),
            (0, "_IOC(_IOC_NONE, 0, 0, 0)"),
            (0x4001_00ff, "_IOC(_IOC_WRITE, 0, 0xff, 0x1)"),
            (0xbfff_ffff, "_IOC(_IOC_READ, 0xff, 0xff, 0x3fff)"),
        ];
        for (number, shape) in shapes {
            assert_eq!(Encoding::of(number, Arch::X86_64).to_string(), shape);
        }
    }

    #[test]
    fn the_alternative_layout_tells_plain_numbers() {
        let shape = |number, arch| Encoding::of(number, arch).to_string();
        assert_eq!(shape(0x540d, Arch::Mips), "_IOC(0, 0x54, 0xd, 0)");
        assert_eq!(shape(0x2000_540d, Arch::Mips), "_IOC(_IOC_NONE, 0x54, 0xd, 0)");
        assert_eq!(
            shape(0xe008_dead, Arch::Ppc64le),
            "_IOC(_IOC_NONE|_IOC_READ|_IOC_WRITE, 0xde, 0xad, 0x8)"
        );
        assert_eq!(shape(0xe008_dead, Arch::Sparc64), "_IOC(_IOC_READ|_IOC_WRITE, 0xde, 0xad, 0x2008)");
    }

    #[test]
    fn sizes_without_room_are_cut() {
        let wide = Encoding::new(Direction::Read, 1, 2, u16::MAX);
        assert_eq!(Encoding::of(wide.encode(Arch::X86_64), Arch::X86_64).size, 0x3fff);
        assert_eq!(Encoding::of(wide.encode(Arch::Mips), Arch::Mips).size, 0x1fff);
    }

    #[test]
    fn numbers_parse_strictly() {
        assert_eq!(parse_number("0xFFFFFFFF"), Some(u32::MAX));
        for bad in ["", "0x", "-1", "+1", "0x1_0", "4294967296", "0x+5", "12ab", " 1"] {
            assert_eq!(parse_number(bad), None, "{bad}");
        }
    }
}
