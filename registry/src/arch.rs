//! The architectures that the registry knows, and what of each decides a request number or a layout.

use std::{fmt, str::FromStr};

/// An architecture of Linux, or what takes its place for programs of Windows. The one without an `el` or `le` in its name is
/// the big-endian one.
///
/// ```
/// use ioctl_registry::Arch;
///
/// let arch: Arch = "amd64".parse().unwrap();
/// assert_eq!(arch, Arch::X86_64);
/// assert_eq!(arch.compat(), Some(Arch::I386));
/// assert_eq!("vax".parse::<Arch>().unwrap_err().to_string(),
///     "no architecture is named `vax`; known are x86_64, i386, aarch64, arm, riscv64, ppc64le, s390x, mips, mips64, \
///      sparc64, loongarch64");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Arch {
    X86_64,
    I386,
    Aarch64,
    Arm,
    Riscv64,
    Ppc64le,
    S390x,
    Mips,
    Mips64,
    Sparc64,
    Loongarch64,
    /// Programs of 64-bit Windows on x86-64: their control codes, and the layouts of their compilers.
    Win64,
    /// Programs of 32-bit Windows on x86.
    Win32,
}

/// How an architecture places direction and size in a request number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberLayout {
    /// 14 bits of size, two of direction: `asm-generic/ioctl.h`.
    Generic,
    /// 13 bits of size, three of direction, of which one says "none".
    Alternative,
    /// As [`NumberLayout::Alternative`], but with an argument the bit that says "none" is the size's fourteenth.
    Sparc,
}

impl Arch {
    /// Every architecture of Linux, in the order of the registry's tables.
    pub const ALL: [Self; 11] = [
        Self::X86_64,
        Self::I386,
        Self::Aarch64,
        Self::Arm,
        Self::Riscv64,
        Self::Ppc64le,
        Self::S390x,
        Self::Mips,
        Self::Mips64,
        Self::Sparc64,
        Self::Loongarch64,
    ];

    /// Those of programs of Windows.
    pub const WINDOWS: [Self; 2] = [Self::Win64, Self::Win32];

    /// The architecture that this program was built for; x86-64 where it is none of these.
    #[must_use]
    pub const fn native() -> Self {
        if cfg!(target_arch = "x86") {
            Self::I386
        } else if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else if cfg!(target_arch = "arm") {
            Self::Arm
        } else if cfg!(target_arch = "riscv64") {
            Self::Riscv64
        } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            Self::Ppc64le
        } else if cfg!(target_arch = "s390x") {
            Self::S390x
        } else if cfg!(all(target_arch = "mips", target_endian = "big")) {
            Self::Mips
        } else if cfg!(all(target_arch = "mips64", target_endian = "big")) {
            Self::Mips64
        } else if cfg!(target_arch = "sparc64") {
            Self::Sparc64
        } else if cfg!(target_arch = "loongarch64") {
            Self::Loongarch64
        } else {
            Self::X86_64
        }
    }

    /// The name, as `uname -m` and Rust's targets have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::I386 => "i386",
            Self::Aarch64 => "aarch64",
            Self::Arm => "arm",
            Self::Riscv64 => "riscv64",
            Self::Ppc64le => "ppc64le",
            Self::S390x => "s390x",
            Self::Mips => "mips",
            Self::Mips64 => "mips64",
            Self::Sparc64 => "sparc64",
            Self::Loongarch64 => "loongarch64",
            Self::Win64 => "win64",
            Self::Win32 => "win32",
        }
    }

    /// Size of a pointer, and on Linux of a `long`, in bytes.
    #[must_use]
    pub const fn pointer_size(self) -> u64 {
        match self {
            Self::I386 | Self::Arm | Self::Mips | Self::Win32 => 4,
            _ => 8,
        }
    }

    /// Whether it is that of programs of Windows, whose calls carry control codes.
    #[must_use]
    pub const fn is_windows(self) -> bool {
        matches!(self, Self::Win64 | Self::Win32)
    }

    /// Whether the most significant byte comes first.
    #[must_use]
    pub const fn is_big_endian(self) -> bool {
        matches!(self, Self::S390x | Self::Mips | Self::Mips64 | Self::Sparc64)
    }

    /// Where a request number holds its parts.
    #[must_use]
    pub const fn number_layout(self) -> NumberLayout {
        match self {
            Self::Ppc64le | Self::Mips | Self::Mips64 => NumberLayout::Alternative,
            Self::Sparc64 => NumberLayout::Sparc,
            _ => NumberLayout::Generic,
        }
    }

    /// The 32-bit architecture whose programs run on this one's kernel, as far as the registry knows it.
    #[must_use]
    pub const fn compat(self) -> Option<Self> {
        match self {
            Self::X86_64 => Some(Self::I386),
            Self::Aarch64 => Some(Self::Arm),
            Self::Mips64 => Some(Self::Mips),
            _ => None,
        }
    }

    /// Natural alignment of a scalar: its size, but for what the System V ABI of i386 says of eight bytes.
    pub(crate) const fn scalar_align(self, size: u64) -> u64 {
        if matches!(self, Self::I386) && size == 8 { 4 } else { size }
    }

    /// How many there are, those of Windows among them.
    pub(crate) const COUNT: usize = Self::ALL.len() + Self::WINDOWS.len();

    /// The place in [`Arch::ALL`]; those of Windows come behind it.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Whether a comma-separated list of the tables names this architecture; an empty one names all.
    pub(crate) fn is_in(self, list: &str) -> bool {
        list.is_empty() || list.split(',').any(|name| name == self.as_str())
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// No architecture has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no architecture is named `{0}`; known are {list}", list = Arch::ALL.map(Arch::as_str).join(", "))]
pub struct UnknownArch(String);

impl FromStr for Arch {
    type Err = UnknownArch;

    /// The registry's own names, and others in use, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownArch> {
        let lower = text.to_ascii_lowercase();
        if let Some(arch) = Self::ALL.into_iter().find(|arch| arch.as_str() == lower) {
            return Ok(arch);
        }
        match lower.as_str() {
            "amd64" | "x86-64" | "x64" => Ok(Self::X86_64),
            "x86" | "i486" | "i586" | "i686" => Ok(Self::I386),
            "arm64" => Ok(Self::Aarch64),
            "armhf" | "armel" | "armv6l" | "armv7" | "armv7l" | "arm32" => Ok(Self::Arm),
            "riscv" | "rv64" => Ok(Self::Riscv64),
            "ppc64" | "powerpc64" | "powerpc64le" | "powerpc" | "ppc64el" => Ok(Self::Ppc64le),
            "s390" => Ok(Self::S390x),
            "mips32" => Ok(Self::Mips),
            "sparc" | "sparcv9" => Ok(Self::Sparc64),
            "loongarch" | "loong64" => Ok(Self::Loongarch64),
            _ => Err(UnknownArch(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (place, arch) in Arch::ALL.into_iter().enumerate() {
            assert_eq!(arch.as_str().parse(), Ok(arch));
            assert_eq!(arch.index(), place);
        }
        for (name, arch) in [("X86", Arch::I386), ("i686", Arch::I386), ("arm64", Arch::Aarch64)] {
            assert_eq!(name.parse(), Ok(arch));
        }
        assert!("".parse::<Arch>().is_err());
    }

    #[test]
    fn lists_name_architectures() {
        assert!(Arch::Mips.is_in("") && Arch::Mips.is_in("arm,mips"));
        assert!(!Arch::Mips.is_in("mips64"));
    }
}
