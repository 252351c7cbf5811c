//! What is known of a program's memory around a call: pieces of it, by address.

use std::ops::Range as Places;

use ioctl_registry::Memory;
use ioctl_trace_ebpf::segment_flags;

use crate::wire::Segment;

/// Pieces of a program's memory at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// By address; none touches another.
    ranges: Vec<Range>,
    bytes: Vec<u8>,
    /// Places in the bytes that were left out, in their order.
    blanks: Vec<Places<usize>>,
    /// There was more than the limit of a call.
    pub truncated: bool,
    /// Some of it could not be read.
    pub unreadable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    address: u64,
    /// Where it lies in the bytes.
    start: usize,
    length: usize,
}

impl Image {
    /// Puts segments together. Where two overlap the one that begins first counts.
    #[must_use]
    pub fn new<'s>(segments: impl Iterator<Item = Segment<'s>> + Clone) -> Self {
        Self::default().filled(segments)
    }

    /// The same in the memory of an image that nobody needs any more.
    #[must_use]
    pub fn filled<'s>(mut self, segments: impl Iterator<Item = Segment<'s>> + Clone) -> Self {
        self.ranges.clear();
        self.bytes.clear();
        self.blanks.clear();
        (self.truncated, self.unreadable) = (false, false);
        // Nearly always there is one, or they are in order.
        if segments.clone().is_sorted_by_key(|segment| segment.address) {
            segments.for_each(|segment| self.segment(&segment));
        } else {
            let mut sorted: Vec<_> = segments.collect();
            sorted.sort_by_key(|segment| segment.address);
            sorted.iter().for_each(|segment| self.segment(segment));
        }
        self
    }

    fn segment(&mut self, segment: &Segment<'_>) {
        self.truncated |= segment.flags & segment_flags::TRUNCATED != 0;
        self.unreadable |= segment.flags & segment_flags::UNREADABLE != 0;
        let before = self.bytes.len();
        self.add(segment.address, segment.bytes);
        if segment.flags & segment_flags::REDACTED != 0 && self.bytes.len() > before {
            self.blanks.push(before..self.bytes.len());
        }
    }

    /// Adds a piece that does not begin before any that is there.
    fn add(&mut self, address: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Some(last) = self.ranges.last_mut() {
            let length = u64::try_from(last.length).unwrap_or(u64::MAX);
            if let Some(known) =
                address.checked_sub(last.address).and_then(|offset| length.checked_sub(offset))
            {
                let more =
                    usize::try_from(known).ok().and_then(|known| bytes.get(known..)).unwrap_or_default();
                self.bytes.extend_from_slice(more);
                last.length += more.len();
                return;
            }
        }
        self.ranges.push(Range { address, start: self.bytes.len(), length: bytes.len() });
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether it has memory that can be used again.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.bytes.capacity() > 0
    }

    /// What it takes in memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.ranges.capacity() * size_of::<Range>()
            + self.blanks.capacity() * size_of::<Places<usize>>()
    }

    /// The pieces and their addresses, in the order of these.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let bytes = |range: &Range| self.bytes.get(range.start..range.start + range.length);
        self.ranges.iter().filter_map(move |range| Some((range.address, bytes(range)?)))
    }

    /// Where bytes lie that it gave.
    #[must_use]
    pub fn place(&self, bytes: &[u8]) -> Option<Places<usize>> {
        let (whole, part) = (self.bytes.as_ptr_range(), bytes.as_ptr_range());
        let within = whole.start <= part.start && part.end <= whole.end;
        let start = part.start.addr().checked_sub(whole.start.addr()).filter(|_| within)?;
        Some(start..start + bytes.len())
    }

    /// Leaves out what lies in these places, which are in their order.
    pub fn leave_out(&mut self, places: Vec<Places<usize>>) {
        self.blanks = places;
        self.fill(0);
    }

    /// Whether something was left out.
    #[must_use]
    pub const fn has_blanks(&self) -> bool {
        !self.blanks.is_empty()
    }

    /// The same with this in the place of each byte that was left out.
    #[must_use]
    pub fn with(&self, byte: u8) -> Self {
        let mut other = self.clone();
        other.fill(byte);
        other
    }

    fn fill(&mut self, byte: u8) {
        for blank in &self.blanks {
            if let Some(bytes) = self.bytes.get_mut(blank.clone()) {
                bytes.fill(byte);
            }
        }
    }

    /// The pieces and their addresses, cut where something was left out or ceases to be; whether it was.
    pub fn runs(&self) -> impl Iterator<Item = (u64, &[u8], bool)> {
        self.ranges.iter().flat_map(move |range| {
            let end = range.start + range.length;
            let mut at = range.start;
            std::iter::from_fn(move || {
                if at >= end {
                    return None;
                }
                let next = self.blanks.partition_point(|blank| blank.end <= at);
                let (stop, blank) = match self.blanks.get(next) {
                    Some(blank) if blank.start <= at => (blank.end, true),
                    Some(blank) => (blank.start, false),
                    None => (end, false),
                };
                let start = at;
                at = stop.min(end);
                let address = range.address.wrapping_add((start - range.start) as u64);
                Some((address, self.bytes.get(start..at)?, blank))
            })
        })
    }

    /// Whether it has all that another one has, and the same there.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        other.pieces().all(|(address, piece)| self.bytes(address, piece.len() as u64) == piece)
    }

    /// Bytes that are known.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl Memory for Image {
    fn bytes(&self, address: u64, length: u64) -> &[u8] {
        let next = self.ranges.partition_point(|range| range.address <= address);
        let known = || {
            let range = self.ranges.get(next.checked_sub(1)?)?;
            let offset = usize::try_from(address - range.address).ok()?;
            let left = range.length.checked_sub(offset)?;
            let length = left.min(usize::try_from(length).unwrap_or(usize::MAX));
            self.bytes.get(range.start + offset..)?.get(..length)
        };
        known().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use ioctl_trace_ebpf::SegmentKind;

    use super::*;

    fn image(pieces: &[(u64, &'static [u8])]) -> Image {
        let segment =
            |&(address, bytes)| Segment { address, wanted: 0, kind: SegmentKind::Memory, flags: 0, bytes };
        Image::new(pieces.iter().map(segment))
    }

    #[test]
    fn an_image_holds_parts_of_it() {
        let whole = image(&[(100, b"root"), (500, b"far")]);
        assert!(whole.holds(&image(&[(101, b"oo"), (500, b"f")])) && whole.holds(&Image::default()));
        assert!(!whole.holds(&image(&[(100, b"rook")])) && !whole.holds(&image(&[(500, b"farther")])));
        assert!(!whole.holds(&image(&[(100, b"root"), (200, b"x")])));
    }

    #[test]
    fn pieces_that_touch_are_one() {
        let image = image(&[(100, b"root"), (500, b"far"), (104, b"tail"), (102, b"XXtaXXX")]);
        assert_eq!(image.bytes(100, 20), b"roottaXXX");
        assert_eq!(image.bytes(103, 2), b"tt");
        assert_eq!(image.bytes(500, 2), b"fa");
        assert_eq!(
            (image.bytes(99, 4), image.bytes(503, 1), image.bytes(u64::MAX, 9)),
            (&b""[..], &b""[..], &b""[..])
        );
        assert_eq!(image.size(), 12);
    }

    #[test]
    fn the_end_of_the_address_space_is_no_trap() {
        let image = image(&[(u64::MAX - 1, b"abcdef"), (u64::MAX, b"x")]);
        assert_eq!(image.bytes(u64::MAX, u64::MAX), b"bcdef");
        assert!(Image::default().bytes(0, u64::MAX).is_empty());
    }
}
