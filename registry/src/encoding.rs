//! How a request number is put together: direction, type, number, argument size.

use std::fmt;

/// Which way the argument travels, from the program's point of view.
///
/// ```
/// use ioctl_registry::{Direction, Encoding};
///
/// assert_eq!(Encoding::of(0x8004_5430).dir, Direction::Read); // TIOCGPTN
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

    /// The names of the bits, as the kernel's headers have them.
    const fn constants(self) -> &'static str {
        match self {
            Self::None => "_IOC_NONE",
            Self::Write => "_IOC_WRITE",
            Self::Read => "_IOC_READ",
            Self::ReadWrite => "_IOC_READ|_IOC_WRITE",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The parts of a request number in the layout of `asm-generic/ioctl.h`, which x86, Arm, RISC-V, s390 and LoongArch
/// share: eight bits each of number and type, 14 of size, two of direction.
///
/// ```
/// use ioctl_registry::Encoding;
///
/// let version = Encoding::of(0x8010_4d56);
/// assert_eq!((version.ty, version.nr, version.size), (b'M', 0x56, 16));
/// assert_eq!(version.encode(), 0x8010_4d56);
/// assert_eq!(Encoding::of(0x5401).to_string(), "_IOC(_IOC_NONE, 0x54, 0x1, 0)");
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
}

const SIZE_BITS: u32 = 14;
const SIZE_MASK: u32 = (1 << SIZE_BITS) - 1;
const SIZE_SHIFT: u32 = 16;
const DIR_SHIFT: u32 = SIZE_SHIFT + SIZE_BITS;

impl Encoding {
    /// Takes a number apart. Every number has parts, also one that predates the scheme.
    #[must_use]
    pub const fn of(number: u32) -> Self {
        let [nr, ty, ..] = number.to_le_bytes();
        let dir = match number >> DIR_SHIFT {
            0 => Direction::None,
            1 => Direction::Write,
            2 => Direction::Read,
            _ => Direction::ReadWrite,
        };
        Self { dir, ty, nr, size: ((number >> SIZE_SHIFT) & SIZE_MASK) as u16 }
    }

    /// Puts the number together. Bits of the size that have no room are dropped.
    #[must_use]
    pub const fn encode(self) -> u32 {
        let dir: u32 = match self.dir {
            Direction::None => 0,
            Direction::Write => 1,
            Direction::Read => 2,
            Direction::ReadWrite => 3,
        };
        (dir << DIR_SHIFT)
            | ((self.size as u32 & SIZE_MASK) << SIZE_SHIFT)
            | ((self.ty as u32) << 8)
            | self.nr as u32
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
        write!(formatter, "_IOC({}, {ty}, {nr}, {size})", self.dir.constants())
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
    use super::{Direction, Encoding, parse_number};

    /// Numbers of a xorshift generator: reproducible and spread over all bits.
    fn numbers() -> impl Iterator<Item = u32> {
        std::iter::successors(Some(0x9e37_79b9_u32), |state| {
            let state = state ^ (state << 13);
            let state = state ^ (state >> 17);
            Some(state ^ (state << 5))
        })
    }

    #[test]
    fn taking_apart_and_putting_together_is_the_identity() {
        for number in numbers().take(100_000).chain([0, u32::MAX]) {
            let encoding = Encoding::of(number);
            assert_eq!(encoding.encode(), number);
            assert!(encoding.size < 1 << 14);
        }
    }

    #[test]
    fn display_has_the_shape_of_strace() {
        let shapes = [
            (0xc008_dead, "_IOC(_IOC_READ|_IOC_WRITE, 0xde, 0xad, 0x8)"),
            (0x5401, "_IOC(_IOC_NONE, 0x54, 0x1, 0)"),
            (0xaf02, "_IOC(_IOC_NONE, 0xaf, 0x2, 0)"),
            (0, "_IOC(_IOC_NONE, 0, 0, 0)"),
            (0x4001_00ff, "_IOC(_IOC_WRITE, 0, 0xff, 0x1)"),
            (0xbfff_ffff, "_IOC(_IOC_READ, 0xff, 0xff, 0x3fff)"),
        ];
        for (number, shape) in shapes {
            assert_eq!(Encoding::of(number).to_string(), shape);
        }
    }

    #[test]
    fn sizes_without_room_are_cut() {
        let wide = Encoding { dir: Direction::Read, ty: 1, nr: 2, size: u16::MAX };
        assert_eq!(Encoding::of(wide.encode()).size, 0x3fff);
        assert_eq!(Encoding::of(wide.encode()).dir, Direction::Read);
    }

    #[test]
    fn numbers_parse_strictly() {
        assert_eq!(parse_number("0xFFFFFFFF"), Some(u32::MAX));
        for bad in ["", "0x", "-1", "+1", "0x1_0", "4294967296", "0x+5", "12ab", " 1"] {
            assert_eq!(parse_number(bad), None, "{bad}");
        }
    }
}
