//! Numbers in bytes.

use crate::types::Bits;

/// The number in the first `size` bytes, at most 16.
pub fn integer(bytes: &[u8], size: u64, big_endian: bool) -> Option<u128> {
    let bytes = bytes.get(..usize::try_from(size).ok()?)?;
    if bytes.len() > size_of::<u128>() {
        return None;
    }
    let add = |sum: u128, byte: &u8| (sum << 8) | u128::from(*byte);
    Some(if big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
}

/// The number in some bits.
pub fn extract(bytes: &[u8], bits: Bits, big_endian: bool) -> Option<u128> {
    if bits.width > 128 {
        return None;
    }
    let mut value = 0_u128;
    for place in 0..bits.width {
        let at = bits.start.checked_add(place)?;
        let byte = *bytes.get(usize::try_from(at / 8).ok()?)?;
        if big_endian {
            value = (value << 1) | u128::from((byte >> (7 - at % 8)) & 1);
        } else {
            value |= u128::from((byte >> (at % 8)) & 1) << place;
        }
    }
    Some(value)
}

/// The lowest 64 bits.
pub const fn truncated(value: u128) -> u64 {
    (value & u64::MAX as u128) as u64
}

/// The number that `width` bits stand for, if it can be held.
pub fn extend(raw: u128, width: u64, signed: bool) -> Option<i128> {
    if !signed || width == 0 {
        return i128::try_from(raw).ok();
    }
    let unused = u32::try_from(128_u64.saturating_sub(width)).unwrap_or(0);
    Some((raw << unused) as i128 >> unused)
}
