//! Numbers in bytes.

use crate::types::Bits;

/// The number in the first `size` bytes, at most 16.
pub fn integer(bytes: &[u8], size: u64, big_endian: bool) -> Option<u128> {
    let bytes = bytes.get(..usize::try_from(size).ok()?)?;
    let mut word = [0; size_of::<u128>()];
    if big_endian {
        word.get_mut(size_of::<u128>().checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
        return Some(u128::from_be_bytes(word));
    }
    // Nearly all are of these sizes.
    Some(match *bytes {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]).into(),
        _ => {
            word.get_mut(..bytes.len())?.copy_from_slice(bytes);
            u128::from_le_bytes(word)
        }
    })
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
