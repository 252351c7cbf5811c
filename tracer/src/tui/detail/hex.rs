//! The bytes of an argument, before the call and after it.

use std::ops::Range;

use ioctl_registry::Memory as _;

use crate::{event::Data, memory::Image, redact::Redaction};

/// A byte of a dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Byte {
    /// Its value; `None` if it is not known.
    pub value: Option<u8>,
    /// The call changed it.
    pub changed: bool,
}

/// Bytes side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The address of the first.
    pub address: u64,
    /// Before the call.
    pub before: Vec<Byte>,
    /// After it; empty if nothing was read then.
    pub after: Vec<Byte>,
}

/// Rows of so many bytes around some, as many as there is room for; the first ones if none are given.
#[must_use]
pub fn rows(data: &Data, around: Option<&Range<u64>>, per_row: usize, count: usize) -> Vec<Row> {
    if data.redaction != Redaction::Nothing {
        return Vec::new();
    }
    let pieces = pieces(data);
    let within = |piece: &&Range<u64>| around.is_some_and(|around| piece.contains(&around.start));
    let Some(piece) = pieces.iter().find(within).or_else(|| pieces.first()) else { return Vec::new() };
    let per_row = per_row.max(1) as u64;
    let all = (piece.end - piece.start).div_ceil(per_row);
    let wanted = around.filter(|around| piece.contains(&around.start));
    let row = wanted.map_or(0, |around| (around.start - piece.start) / per_row);
    // A line before it, so that it is seen what comes before.
    let first = row.saturating_sub(1).min(all.saturating_sub(count as u64));
    (first..all.min(first.saturating_add(count as u64)))
        .map(|row| piece.start + row * per_row)
        .map(|address| line(data, address, per_row.min(piece.end - address)))
        .collect()
}

fn line(data: &Data, address: u64, length: u64) -> Row {
    let byte = |image: &Image, at: u64| image.bytes(at, 1).first().copied();
    let sides =
        (address..address.saturating_add(length)).map(|at| (byte(&data.input, at), byte(&data.output, at)));
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (one, other) in sides {
        let changed = other.is_some() && one.is_some() && one != other;
        before.push(Byte { value: one, changed });
        after.push(Byte { value: other, changed });
    }
    if after.iter().all(|byte| byte.value.is_none()) {
        after.clear();
    }
    Row { address, before, after }
}

/// Where anything is known, on either side; pieces that touch are one.
fn pieces(data: &Data) -> Vec<Range<u64>> {
    let of = |image: &Image| -> Vec<Range<u64>> {
        image.pieces().map(|(address, bytes)| address..address.saturating_add(bytes.len() as u64)).collect()
    };
    let mut pieces = [of(&data.input), of(&data.output)].concat();
    pieces.sort_by_key(|piece| piece.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for piece in pieces {
        match joined.last_mut().filter(|last| piece.start <= last.end) {
            Some(last) => last.end = last.end.max(piece.end),
            None => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::image;

    #[test]
    fn changes_are_marked_and_the_field_is_in_sight() {
        let bytes: Vec<u8> = (0..64).collect();
        let mut later = bytes.clone();
        later[40] = 0xff;
        let data = Data { input: image(0x1000, &bytes), output: image(0x1000, &later), ..Data::default() };
        let shown = rows(&data, Some(&(0x1028..0x1029)), 8, 3);
        assert_eq!(shown.iter().map(|row| row.address).collect::<Vec<_>>(), [0x1020, 0x1028, 0x1030]);
        assert_eq!(shown[1].before[0], Byte { value: Some(40), changed: true });
        assert_eq!(shown[1].after[0], Byte { value: Some(0xff), changed: true });
        assert_eq!(rows(&data, None, 16, 9).len(), 4);
        assert_eq!(rows(&Data { input: image(5, &[1]), ..Data::default() }, None, 8, 1)[0].after, []);
        assert!(rows(&Data::default(), None, 8, 3).is_empty());
    }
}
