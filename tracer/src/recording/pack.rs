//! Records in a form that compresses well, and back. Records of one kind and length stand in a table: their words are
//! columns, each holds what a word differs from that of the record before, byte by byte. Most columns then hold nothing at
//! all. Pieces that calls have in common, such as who made them, are kept once and numbered. What is mostly text stands in
//! rows behind the columns.

use std::{collections::HashMap, mem::offset_of, ops::Range};

use ioctl_trace_ebpf::{CallRecord, RecordHeader, RecordKind};

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

/// Packs records.
#[must_use]
pub fn pack<'r>(records: impl Iterator<Item = &'r [u8]>) -> Vec<u8> {
    let mut tables: Vec<Table<'_>> = Vec::new();
    let mut order = Vec::new();
    for record in records {
        let of = (record.len(), in_columns(record));
        let is_like = |place: &usize| tables.get(*place).is_some_and(|table: &Table<'_>| table.of == of);
        let known = order.last().copied().filter(is_like).or_else(|| (0..tables.len()).find(is_like));
        let place = known.unwrap_or_else(|| {
            tables.push(Table { of, records: Vec::new() });
            tables.len() - 1
        });
        if let Some(table) = tables.get_mut(place) {
            table.records.push(record);
        }
        order.push(place);
    }
    let mut pieces = PIECES.map(|words| Piece { words, distinct: Vec::new(), known: HashMap::new() });
    let mut numbers = Vec::new();
    for records in
        tables.iter().filter(|table| has_pieces(table.of.0, table.of.1)).map(|table| &table.records)
    {
        numbers.push(pieces.each_mut().map(|piece| piece.number_all(records)));
    }
    let mut out = Vec::with_capacity(order.len() * 16);
    number(&mut out, order.len() as u64);
    number(&mut out, tables.len() as u64);
    for Table { of: (length, words), records } in &tables {
        for value in [*length, *words, records.len()] {
            number(&mut out, value as u64);
        }
    }
    // Which table the next record is of, as runs.
    for run in order.chunk_by(|a, b| a == b) {
        number(&mut out, run.first().map_or(0, |place| *place as u64));
        number(&mut out, run.len() as u64);
    }
    for Piece { words: (first, end), distinct, .. } in &pieces {
        number(&mut out, distinct.len() as u64);
        (0..end - first).for_each(|column| differences(&mut out, column, distinct));
    }
    let mut numbers = numbers.iter();
    for Table { of: (length, words), records } in &tables {
        (0..*words)
            .filter(|column| is_column(*column, *length, *words))
            .for_each(|c| differences(&mut out, c, records));
        if has_pieces(*length, *words) {
            numbers.next().into_iter().flatten().for_each(|numbers| planes(&mut out, numbers));
        }
        for rest in records.iter().filter_map(|record| record.get(words * WORD..*length)) {
            out.extend_from_slice(rest);
        }
    }
    out
}

/// Records of one length and as many words in columns.
struct Table<'r> {
    of: (usize, usize),
    records: Vec<&'r [u8]>,
}

/// Words of a record that are like those of the record before it: all of a call's, and only the header's of what has paths
/// and other text.
fn in_columns(record: &[u8]) -> usize {
    let call = word(record, 0) & 0xffff == RecordKind::Call as u64;
    let bytes = if call { record.len() } else { record.len().min(size_of::<RecordHeader>()) };
    bytes.div_ceil(WORD)
}

/// The pieces of a call that many have in common, by their first word and the one behind: what is asked of which
/// descriptor, the task, the file.
const PIECES: [(usize, usize); 3] = [
    (offset_of!(CallRecord, cgroup) / WORD, offset_of!(CallRecord, tgid) / WORD),
    (offset_of!(CallRecord, tgid) / WORD, offset_of!(CallRecord, file) / WORD),
    (offset_of!(CallRecord, file) / WORD, size_of::<CallRecord>() / WORD),
];

/// Whether the columns of records of this length, so many words of each, hold all pieces.
const fn has_pieces(length: usize, words: usize) -> bool {
    length >= size_of::<CallRecord>() && words >= size_of::<CallRecord>() / WORD
}

/// Whether a word has a column of its own in a table of so many.
fn is_column(column: usize, length: usize, words: usize) -> bool {
    !has_pieces(length, words) || !PIECES.iter().any(|(first, end)| (*first..*end).contains(&column))
}

/// A piece, and what it is in the calls of a block.
struct Piece<'r> {
    words: (usize, usize),
    distinct: Vec<&'r [u8]>,
    known: HashMap<&'r [u8], u64>,
}

impl<'r> Piece<'r> {
    /// Which of the distinct pieces each record has.
    fn number_all(&mut self, records: &[&'r [u8]]) -> Vec<u64> {
        let mut last = (&[][..], 0);
        let (first, end) = self.words;
        let mut numbers = Vec::with_capacity(records.len());
        for record in records {
            let piece = record.get(first * WORD..end * WORD).unwrap_or_default();
            if piece != last.0 {
                let Self { known, distinct, .. } = self;
                let number = *known.entry(piece).or_insert_with(|| {
                    distinct.push(piece);
                    distinct.len() as u64 - 1
                });
                last = (piece, number);
            }
            numbers.push(last.1);
        }
        numbers
    }
}

/// A column: what a word differs from that of the record before.
fn differences(out: &mut Vec<u8>, column: usize, records: &[&[u8]]) {
    let mut before = 0_u64;
    let difference = |record: &&[u8]| {
        let now = word(record, column * WORD);
        let difference = fold(now.wrapping_sub(before));
        before = now;
        difference
    };
    planes(out, &records.iter().map(difference).collect::<Vec<_>>());
}

/// Numbers, first all their lowest bytes; as many bytes of each as any of them needs.
fn planes(out: &mut Vec<u8>, numbers: &[u64]) {
    let bits = numbers.iter().fold(0, |bits, number| bits | number);
    let used = (64 - bits.leading_zeros()).div_ceil(8) as usize;
    out.push(used as u8);
    for byte in 0..used {
        out.extend(numbers.iter().map(|number| (number >> (8 * byte)) as u8));
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
        let (length, words, count) = (input.number()?, input.number()?, input.number()?);
        if length > MAX_RECORD || words > length.div_ceil(WORD) {
            return Err(Damaged("a record is too long"));
        }
        size = size.saturating_add(length.max(WORD).saturating_mul(count));
        if size > MAX_BLOCK {
            return Err(Damaged("there is too much of it"));
        }
        all.push((length, words, count));
    }
    let mut runs = Vec::new();
    let mut left = records;
    while left > 0 {
        let (table, count) = (input.number()?, input.number()?);
        left = left.checked_sub(count).filter(|_| count > 0).ok_or(Damaged("a run is too long"))?;
        runs.push((table, count));
    }
    let mut pieces = Vec::new();
    for (first, end) in PIECES {
        let (count, length) = (input.number()?, (end - first) * WORD);
        size = size.saturating_add(length.saturating_mul(count));
        if size > MAX_BLOCK {
            return Err(Damaged("there is too much of it"));
        }
        let mut distinct = vec![0; length * count];
        (0..end - first).try_for_each(|column| input.differences(column, length, &mut distinct))?;
        pieces.push((first * WORD..end * WORD, distinct));
    }
    let mut bytes = Vec::with_capacity(all.len());
    for (length, words, count) in &all {
        bytes.push(table(&mut input, &pieces, *length, *words, *count)?);
    }
    let mut next = vec![0_usize; all.len()];
    for (table, count) in runs {
        let (Some((length, ..)), Some(bytes), Some(next)) =
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

/// The records of one table, back to back; so many words of each are in columns.
fn table(
    input: &mut Input<'_>,
    pieces: &[(Range<usize>, Vec<u8>)],
    length: usize,
    words: usize,
    count: usize,
) -> Result<Vec<u8>, Damaged> {
    let mut bytes = vec![0; length * count];
    for column in (0..words).filter(|column| is_column(*column, length, words)) {
        input.differences(column, length, &mut bytes)?;
    }
    for (place, distinct) in pieces.iter().filter(|_| has_pieces(length, words)) {
        let numbers = input.planes(count)?;
        for (record, number) in bytes.chunks_exact_mut(length).zip(numbers) {
            let start = usize::try_from(number).ok().and_then(|number| number.checked_mul(place.len()));
            let piece = start.and_then(|start| distinct.get(start..start.checked_add(place.len())?));
            let piece = piece.ok_or(Damaged("a call has a piece that is not there"))?;
            record.get_mut(place.clone()).into_iter().for_each(|place| place.copy_from_slice(piece));
        }
    }
    let head = (words * WORD).min(length);
    if head < length {
        for record in bytes.chunks_exact_mut(length) {
            let rest = input.take(length - head)?;
            record.get_mut(head..).into_iter().for_each(|place| place.copy_from_slice(rest));
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

    /// So many numbers, as [`planes`] wrote them.
    fn planes(&mut self, count: usize) -> Result<Vec<u64>, Damaged> {
        let used = usize::from(*self.take(1)?.first().ok_or(Damaged("it ends early"))?);
        if used > WORD {
            return Err(Damaged("a word is too wide"));
        }
        let mut numbers = vec![0_u64; count];
        for byte in 0..used {
            for (number, part) in numbers.iter_mut().zip(self.take(count)?) {
                *number |= u64::from(*part) << (8 * byte);
            }
        }
        Ok(numbers)
    }

    /// A column, as [`differences`] wrote it, into records of this length.
    fn differences(&mut self, column: usize, length: usize, records: &mut [u8]) -> Result<(), Damaged> {
        let count = records.len().checked_div(length).unwrap_or(0);
        let start = column * WORD;
        let width = WORD.min(length.saturating_sub(start));
        let mut before = 0_u64;
        for (record, folded) in records.chunks_exact_mut(length.max(1)).zip(self.planes(count)?) {
            before = before.wrapping_add(unfold(folded));
            if let (Some(place), Some(word)) =
                (record.get_mut(start..start + width), before.to_le_bytes().get(..width))
            {
                place.copy_from_slice(word);
            }
        }
        Ok(())
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
    use crate::raw;

    fn unpacked(packed: &[u8]) -> Result<Vec<Vec<u8>>, Damaged> {
        let mut records = Vec::new();
        unpack(packed, |record| records.push(record.to_vec()))?;
        Ok(records)
    }

    fn call(n: u64) -> Vec<u8> {
        let mut call = CallRecord { tgid: n as u32 % 3, ret: 5, ..CallRecord::default() };
        call.header = RecordHeader { kind: RecordKind::Call as u16, time_ns: n * 1_000, ..call.header };
        let mut bytes = raw::bytes_of(&call);
        bytes.extend(vec![7; n as usize % 2 * 9]);
        bytes
    }

    #[test]
    fn like_records_take_little_room() {
        let records: Vec<_> = (0..1_000).map(call).collect();
        let packed = pack(records.iter().map(Vec::as_slice));
        assert!(packed.len() < 16_000, "{} bytes of 168,500", packed.len());
        assert_eq!(unpacked(&packed).expect("records"), records);
        assert_eq!(unpacked(&pack(std::iter::empty())).expect("no records"), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_piece_that_is_not_there_is_damage() {
        let packed = pack([call(0), call(1), call(2)].iter().map(Vec::as_slice));
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged.get_mut(at).into_iter().for_each(|byte| *byte ^= 0x83);
            // Whatever it says now, it ends.
            let _ = unpacked(&damaged);
        }
        assert!(unpacked(packed.get(..packed.len() - 1).expect("shorter")).is_err());
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..40),
            calls in prop::collection::vec((0..100_u64, 0..200_usize), 0..9),
        ) {
            let cut = |(n, length)| { let mut call = call(n); call.truncate(length); call };
            let records: Vec<_> = records.into_iter().chain(calls.into_iter().map(cut)).collect();
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
