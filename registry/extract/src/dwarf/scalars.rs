//! What the registry calls C's scalars.

use crate::model::Scalar;

/// The scalar of one of the compiler's own types.
pub fn base(name: &str, size: u64) -> Scalar {
    match name {
        "char" => "char",
        "_Bool" => "bool",
        "long" => "long",
        "unsigned long" => "ulong",
        "float" | "double" | "long double" => match size {
            4 => "f32",
            _ => "f64",
        },
        _ => integer(size, !name.contains("unsigned") && name != "char16_t" && name != "char32_t"),
    }
}

/// The integer of a size.
pub fn integer(size: u64, signed: bool) -> Scalar {
    match (size, signed) {
        (1, false) => "u8",
        (1, true) => "s8",
        (2, false) => "u16",
        (2, true) => "s16",
        (4, false) => "u32",
        (4, true) => "s32",
        (8, false) => "u64",
        (8, true) => "s64",
        (_, false) => "u128",
        (_, true) => "s128",
    }
}

/// The scalar of a typedef whose name says more than what it stands for: `__u64` is `unsigned long` on some
/// architectures and `unsigned long long` on others.
pub fn typedef(name: &str) -> Option<Scalar> {
    Some(match name {
        "__be16" => "be16",
        "__be32" => "be32",
        "__be64" => "be64",
        "__le16" => "le16",
        "__le32" => "le32",
        "__le64" => "le64",
        "__u64" | "uint64_t" | "__uint64_t" | "u_int64_t" | "__u_quad_t" | "u_quad_t" => "u64",
        "__s64" | "int64_t" | "__int64_t" | "__quad_t" | "quad_t" | "loff_t" | "__loff_t" | "off64_t"
        | "__off64_t" | "__kernel_loff_t" | "__kernel_time64_t" => "s64",
        "size_t" | "__kernel_size_t" | "__kernel_ulong_t" | "uintptr_t" => "ulong",
        "ssize_t" | "__kernel_ssize_t" | "__kernel_long_t" | "intptr_t" | "ptrdiff_t"
        | "__kernel_ptrdiff_t" => "long",
        _ => return None,
    })
}

/// The same for headers of Windows, where typedefs say what a number means.
pub fn windows(name: &str) -> Option<Scalar> {
    Some(match name {
        "WCHAR" | "wchar_t" => "char16",
        "BOOLEAN" => "bool",
        "BOOL" => "bool32",
        "GUID" => "guid",
        "LARGE_INTEGER" => "s64",
        "ULARGE_INTEGER" => "u64",
        "ULONG_PTR" | "DWORD_PTR" | "UINT_PTR" | "SIZE_T" | "size_t" | "uintptr_t" => "uptr",
        "LONG_PTR" | "INT_PTR" | "SSIZE_T" | "ssize_t" | "intptr_t" | "ptrdiff_t" => "sptr",
        _ => return None,
    })
}

/// The alignment of a scalar, where `max` is the largest.
pub fn align(scalar: &str, pointer: u64, max: u64) -> u64 {
    match scalar {
        // It is a struct whose first member has four bytes.
        "guid" => 4,
        _ => size(scalar, pointer).min(max),
    }
}

/// The size of a scalar.
pub fn size(scalar: &str, pointer: u64) -> u64 {
    match scalar {
        "long" | "ulong" | "uptr" | "sptr" => pointer,
        "guid" => 16,
        "char" | "bool" => 1,
        _ => scalar.trim_start_matches(|symbol: char| symbol.is_ascii_alphabetic()).parse().unwrap_or(8) / 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_size_in_their_name() {
        assert_eq!(size("u8", 8), 1);
        assert_eq!(size("be32", 8), 4);
        assert_eq!(size("s128", 8), 16);
        assert_eq!(size("f64", 4), 8);
        assert_eq!((size("ulong", 4), size("ulong", 8)), (4, 8));
        assert_eq!((size("guid", 4), size("char16", 4), size("bool32", 4)), (16, 2, 4));
        assert_eq!((align("guid", 8, 16), align("u64", 4, 16), align("u64", 4, 4)), (4, 8, 4));
    }

    #[test]
    fn base_types_keep_what_text_is() {
        assert_eq!(base("char", 1), "char");
        assert_eq!(base("signed char", 1), "s8");
        assert_eq!(base("unsigned char", 1), "u8");
        assert_eq!(base("unsigned long long", 8), "u64");
        assert_eq!(base("unsigned long", 4), "ulong");
        assert_eq!(base("int", 4), "s32");
    }
}
