//! Records in a form that compresses well, and back. Records of one length stand in a table: their words are columns, each
//! holds what a word differs from that of the record before, byte by byte. Most columns then hold nothing at all.

use std::collections::BTreeMap;

/// Bytes of a word; records that are not made of words are filled up, and their length tells.
const WORD: usize = 8;
/// Longest record that is read back: more than the kernel side ever writes.
const MAX_RECORD: usize = 1 << 20;
/// Most bytes that one packed block may unpack to.
pub const MAX_BLOCK: usize = 1 << 26;

/// Why bytes are no packed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged records: {0}")]
pub struct Damaged(&'static str);

/// Packs records that stand back to back; `lengths` says where each ends.
#[must_use]
pub fn pack<'r>(records: impl Iterator<Item = &'r [u8]>) -> Vec<u8> {
    let mut tables: BTreeMap<usize, Vec<&[u8]>> = BTreeMap::new();
    let mut order = Vec::new();
    for record in records {
        tables.entry(record.len()).or_default().push(record);
        order.push(record.len());
    }
    let mut out = Vec::with_capacity(order.len() * 16);
    number(&mut out, order.len() as u64);
    number(&mut out, tables.len() as u64);
    for (length, table) in &tables {
        number(&mut out, *length as u64);
        number(&mut out, table.len() as u64);
    }
    // Which table the next record is of, as runs.
    let place = |length: &usize| tables.keys().position(|known| known == length).unwrap_or(0) as u64;
    for run in order.chunk_by(|a, b| a == b) {
        number(&mut out, run.first().map_or(0, place));
        number(&mut out, run.len() as u64);
    }
    for (length, table) in &tables {
        columns(&mut out, *length, table);
    }
    out
}

fn columns(out: &mut Vec<u8>, length: usize, table: &[&[u8]]) {
    let mut deltas = vec![0_u64; table.len()];
    for column in 0..length.div_ceil(WORD) {
        let (mut before, mut bits) = (0_u64, 0_u64);
        for (record, delta) in table.iter().zip(&mut deltas) {
            let now = word(record, column * WORD);
            *delta = fold(now.wrapping_sub(before));
            bits |= *delta;
            before = now;
        }
        // Bytes of a delta that are ever used.
        let used = (64 - bits.leading_zeros()).div_ceil(8) as usize;
        out.push(used as u8);
        for byte in 0..used {
            out.extend(deltas.iter().map(|delta| (delta >> (8 * byte)) as u8));
        }
    }
}

/// Small differences either way become small numbers.
const fn fold(delta: u64) -> u64 {
    (delta << 1) ^ ((delta as i64 >> 63) as u64)
}

const fn unfold(folded: u64) -> u64 {
    (folded >> 1) ^ (folded & 1).wrapping_neg()
}

/// A word of a record, which may end within it.
fn word(record: &[u8], offset: usize) -> u64 {
    let rest = record.get(offset..).unwrap_or_default();
    match rest.first_chunk::<WORD>() {
        Some(word) => u64::from_le_bytes(*word),
        None => rest.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}

/// Unpacks records: gives each to `take`, in their order.
///
/// # Errors
/// When the bytes were not made by [`pack`]. Some records may have been given by then.
pub fn unpack(packed: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), Damaged> {
    let mut input = Input(packed);
    let (records, tables) = (input.number()?, input.number()?);
    let mut all = Vec::new();
    let mut size = 0_usize;
    for _ in 0..tables {
        let (length, count) = (input.number()?, input.number()?);
        if length > MAX_RECORD {
            return Err(Damaged("a record is too long"));
        }
        size = size.saturating_add(length.max(1).saturating_mul(count));
        if size > MAX_BLOCK {
            return Err(Damaged("there is too much of it"));
        }
        all.push((length, count));
    }
    let mut runs = Vec::new();
    let mut left = records;
    while left > 0 {
        let (table, count) = (input.number()?, input.number()?);
        left = left.checked_sub(count).filter(|_| count > 0).ok_or(Damaged("a run is too long"))?;
        runs.push((table, count));
    }
    let mut bytes = Vec::with_capacity(all.len());
    for (length, count) in &all {
        bytes.push(table(&mut input, *length, *count)?);
    }
    let mut next = vec![0_usize; all.len()];
    for (table, count) in runs {
        let (Some((length, _)), Some(bytes), Some(next)) =
            (all.get(table), bytes.get(table), next.get_mut(table))
        else {
            return Err(Damaged("a record is of no table"));
        };
        for _ in 0..count {
            take(bytes.get(*next..*next + *length).ok_or(Damaged("a table has too few records"))?);
            *next += *length;
        }
    }
    Ok(())
}

/// The records of one table, back to back.
fn table(input: &mut Input<'_>, length: usize, count: usize) -> Result<Vec<u8>, Damaged> {
    let mut bytes = vec![0; length * count];
    let mut words = vec![0_u64; count];
    for column in 0..length.div_ceil(WORD) {
        let used = usize::from(*input.take(1)?.first().ok_or(Damaged("it ends early"))?);
        if used > WORD {
            return Err(Damaged("a word is too wide"));
        }
        words.fill(0);
        for byte in 0..used {
            for (word, part) in words.iter_mut().zip(input.take(count)?) {
                *word |= u64::from(*part) << (8 * byte);
            }
        }
        let mut before = 0_u64;
        let start = column * WORD;
        let width = WORD.min(length - start);
        for (record, folded) in bytes.chunks_exact_mut(length).zip(&words) {
            before = before.wrapping_add(unfold(*folded));
            if let (Some(place), Some(word)) =
                (record.get_mut(start..start + width), before.to_le_bytes().get(..width))
            {
                place.copy_from_slice(word);
            }
        }
    }
    Ok(bytes)
}

/// A number in as few bytes as it needs, seven bits each.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    fn take(&mut self, length: usize) -> Result<&'i [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize, Damaged> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = *self.take(1)?.first().ok_or(Damaged("it ends early"))?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|_| Damaged("a number is too large"));
            }
        }
        Err(Damaged("a number is too long"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpacked(packed: &[u8]) -> Result<Vec<Vec<u8>>, Damaged> {
        let mut records = Vec::new();
        unpack(packed, |record| records.push(record.to_vec()))?;
        Ok(records)
    }

    #[test]
    fn like_records_take_little_room() {
        let record = |n: u64| [7_u64, n * 1_000, 5, 9 + n % 3].map(u64::to_le_bytes).concat();
        let records: Vec<_> = (0..1_000).map(record).collect();
        let packed = pack(records.iter().map(Vec::as_slice));
        assert!(packed.len() < 6_500, "{} bytes", packed.len());
        assert_eq!(unpacked(&packed).expect("records"), records);
        assert_eq!(unpacked(&pack(std::iter::empty())).expect("no records"), Vec::<Vec<u8>>::new());
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..40)) {
            let packed = pack(records.iter().map(Vec::as_slice));
            prop_assert_eq!(unpacked(&packed).expect("records"), records);
        }

        #[test]
        fn any_bytes_give_records_or_a_reason(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            // Whatever it is, it ends.
            let _ = unpacked(&bytes);
        }
    }
}
