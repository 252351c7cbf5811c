//! Scalars: their names in the tables, in the kernel's headers and in C.

use crate::arch::Arch;

/// What the bits of a scalar are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScalarKind {
    /// A number without a sign.
    Unsigned,
    /// A number in two's complement.
    Signed,
    /// An IEEE 754 number.
    Float,
    /// True unless it is zero.
    Bool,
    /// A byte of text.
    Char,
    /// 16 bits of text, UTF-16.
    Wide,
    /// A GUID of Windows, whose first three parts are numbers.
    Guid,
}

impl ScalarKind {
    /// Whether several of them are a text.
    pub(crate) const fn is_text(self) -> bool {
        matches!(self, Self::Char | Self::Wide)
    }
}

/// Which byte comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Native,
    Big,
    Little,
}

/// In the place of a size: that of a `long`.
const LONG: u8 = 0;
/// That of a pointer.
const WORD: u8 = u8::MAX;

/// A scalar type.
///
/// ```
/// use ioctl_registry::{Arch, Registry, ScalarKind, Shape};
///
/// let layout = Registry::builtin().layout("__be16", Arch::X86_64).unwrap();
/// let Shape::Scalar(scalar) = &layout.shape else { panic!() };
/// assert_eq!((scalar.name(), scalar.kind()), ("be16", ScalarKind::Unsigned));
/// assert!(scalar.is_big_endian(Arch::X86_64));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scalar {
    name: &'static str,
    kind: ScalarKind,
    /// Bytes, or [`LONG`] or [`WORD`].
    size: u8,
    order: Order,
}

impl Scalar {
    const fn new(name: &'static str, kind: ScalarKind, size: u8, order: Order) -> Self {
        Self { name, kind, size, order }
    }

    /// The name in the registry's tables, such as `u32` or `be16`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What its bits are.
    #[must_use]
    pub const fn kind(self) -> ScalarKind {
        self.kind
    }

    /// Size in bytes.
    #[must_use]
    pub const fn size(self, arch: Arch) -> u64 {
        match self.size {
            LONG if arch.is_windows() => 4,
            LONG | WORD => arch.pointer_size(),
            size => size as u64,
        }
    }

    /// Alignment in bytes.
    pub(super) const fn align(self, arch: Arch) -> u64 {
        match self.kind {
            // It is a struct whose first member has four bytes.
            ScalarKind::Guid => 4,
            _ => arch.scalar_align(self.size(arch)),
        }
    }

    /// Whether its most significant byte comes first.
    #[must_use]
    pub const fn is_big_endian(self, arch: Arch) -> bool {
        match self.order {
            Order::Native => arch.is_big_endian(),
            Order::Big => true,
            Order::Little => false,
        }
    }

    /// A scalar by the name of the tables, or one that headers use for it.
    pub(super) fn named(name: &str) -> Option<Self> {
        let own = |name: &str| SCALARS.iter().find(|scalar| scalar.name == name).copied();
        own(name)
            .or_else(|| SYNONYMS.iter().find(|(other, _)| *other == name).and_then(|(_, name)| own(name)))
    }

    /// A scalar by the words of C, in any order: `unsigned long long int`.
    pub(super) fn of_words(words: &[&str]) -> Option<Self> {
        let count = |word: &str| words.iter().filter(|other| **other == word).count();
        let unsigned = count("unsigned") > 0;
        let pick = |signed, otherwise| Self::named(if unsigned { otherwise } else { signed });
        match (count("char"), count("short"), count("long")) {
            (1, 0, 0) if count("signed") > 0 => Self::named("s8"),
            (1, 0, 0) => pick("char", "u8"),
            (0, 1, 0) => pick("s16", "u16"),
            (0, 0, 1) => pick("long", "ulong"),
            (0, 0, 2) => pick("s64", "u64"),
            (0, 0, 0) => pick("s32", "u32"),
            _ => None,
        }
    }
}

/// The words that [`Scalar::of_words`] understands.
pub(super) const WORDS: [&str; 6] = ["unsigned", "signed", "char", "short", "int", "long"];

const SCALARS: [Scalar; 27] = {
    use Order::{Big, Little, Native};
    use ScalarKind::{Bool, Char, Float, Guid, Signed, Unsigned, Wide};
    [
        Scalar::new("u8", Unsigned, 1, Native),
        Scalar::new("s8", Signed, 1, Native),
        Scalar::new("u16", Unsigned, 2, Native),
        Scalar::new("s16", Signed, 2, Native),
        Scalar::new("u32", Unsigned, 4, Native),
        Scalar::new("s32", Signed, 4, Native),
        Scalar::new("u64", Unsigned, 8, Native),
        Scalar::new("s64", Signed, 8, Native),
        Scalar::new("u128", Unsigned, 16, Native),
        Scalar::new("s128", Signed, 16, Native),
        Scalar::new("f32", Float, 4, Native),
        Scalar::new("f64", Float, 8, Native),
        Scalar::new("bool", Bool, 1, Native),
        Scalar::new("char", Char, 1, Native),
        Scalar::new("long", Signed, LONG, Native),
        Scalar::new("ulong", Unsigned, LONG, Native),
        Scalar::new("sptr", Signed, WORD, Native),
        Scalar::new("uptr", Unsigned, WORD, Native),
        Scalar::new("bool32", Bool, 4, Native),
        Scalar::new("char16", Wide, 2, Native),
        Scalar::new("guid", Guid, 16, Native),
        Scalar::new("be16", Unsigned, 2, Big),
        Scalar::new("be32", Unsigned, 4, Big),
        Scalar::new("be64", Unsigned, 8, Big),
        Scalar::new("le16", Unsigned, 2, Little),
        Scalar::new("le32", Unsigned, 4, Little),
        Scalar::new("le64", Unsigned, 8, Little),
    ]
};

/// How headers call them.
const SYNONYMS: [(&str, &str); 34] = [
    ("__u8", "u8"),
    ("__u16", "u16"),
    ("__u32", "u32"),
    ("__u64", "u64"),
    ("__u128", "u128"),
    ("__s8", "s8"),
    ("__s16", "s16"),
    ("__s32", "s32"),
    ("__s64", "s64"),
    ("__s128", "s128"),
    ("uint8_t", "u8"),
    ("uint16_t", "u16"),
    ("uint32_t", "u32"),
    ("uint64_t", "u64"),
    ("int8_t", "s8"),
    ("int16_t", "s16"),
    ("int32_t", "s32"),
    ("int64_t", "s64"),
    ("__be16", "be16"),
    ("__be32", "be32"),
    ("__be64", "be64"),
    ("__le16", "le16"),
    ("__le32", "le32"),
    ("__le64", "le64"),
    ("size_t", "ulong"),
    ("ssize_t", "long"),
    ("uintptr_t", "ulong"),
    ("intptr_t", "long"),
    ("__kernel_size_t", "ulong"),
    ("__kernel_loff_t", "s64"),
    ("loff_t", "s64"),
    ("_Bool", "bool"),
    ("float", "f32"),
    ("double", "f64"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_spellings_are_known() {
        let name = |words: &str| Scalar::of_words(&words.split(' ').collect::<Vec<_>>()).map(Scalar::name);
        for (words, expected) in [
            ("unsigned long long int", "u64"),
            ("long unsigned", "ulong"),
            ("unsigned", "u32"),
            ("signed char", "s8"),
            ("char", "char"),
            ("short int", "s16"),
        ] {
            assert_eq!(name(words), Some(expected), "{words}");
        }
        assert_eq!(name("char short"), None);
        assert!(SYNONYMS.iter().all(|(name, _)| Scalar::named(name).is_some()));
    }
}
