//! What sub-commands say of the argument at hand.

use super::{
    decoder::{Decoder, bounded},
    memory::When,
    order::{Order, Orders, View, Word},
    tag::{Row, Says, Spot, Tag, Where},
};
use crate::encoding::Direction;

impl Decoder<'_> {
    /// Adds what sub-commands say.
    pub(super) fn select<'d>(&self, tags: &'d [Tag], view: View<'_>, orders: &mut Orders<'d>) {
        let selects = |tag: &Tag| matches!(tag.selector, Where::Argument | Where::Field { .. });
        let mixed = tags.iter().any(selects);
        for tag in tags {
            let default = mixed && matches!(tag.selector, Where::Always);
            let mut add = |rows: &'d [Row]| {
                let fitting = rows.iter().any(|row| self.fits(row));
                for row in rows.iter().filter(|row| self.fits(row) || !fitting) {
                    if let Some(goal) = &row.target
                        && let Some((path, behind)) = goal.path.split_first()
                    {
                        orders.push(Order { path, behind, says: Word::Says(&goal.what, row.dir), default });
                    }
                }
                if let (Some(row), Some(path)) = (rows.first(), tag.own_path())
                    && !row.name.is_empty()
                {
                    orders.push(Order { path, behind: &[], says: Word::Name(&row.name), default: false });
                }
            };
            let value = match &tag.selector {
                Where::Domain => self.domain.map(|domain| (domain.into(), u64::MAX)),
                Where::Answer if !matches!(self.when, Some(When::After(_))) => continue,
                Where::Answer | Where::Always => {
                    add(&tag.rows);
                    continue;
                }
                Where::Argument => Some((self.arg, u64::MAX)),
                Where::Field { places, .. } => self.selected(places, view),
            };
            let Some((value, width)) = value else { continue };
            let value = value & tag.mask.unwrap_or(u64::MAX);
            let rows = tag.rows_of(value);
            // A negative constant in a narrow field.
            let negative = rows.is_empty() && width != u64::MAX && value > width >> 1;
            let rows = if negative { tag.rows_of(value | !width) } else { rows };
            add(if rows.is_empty() { &tag.otherwise } else { rows });
        }
    }

    /// A number, perhaps behind addresses, and the bits that it may have.
    fn selected(&self, places: &[Spot], view: View<'_>) -> Option<(u64, u64)> {
        let mut bytes = view.bytes;
        let mut found = None;
        for (depth, place) in places.iter().enumerate() {
            if depth > 0 {
                let (address, _) = found?;
                bytes = bounded(self.memory, address, place.end());
                if place.read(bytes).is_none() {
                    bytes = self.before(Some(address), place.end());
                }
            }
            found = Some((self.said(place, bytes)?, place.width_mask()));
        }
        found
    }

    /// Whether a member of a union is in use on this side of the call; some have one for each.
    fn fits(&self, row: &Row) -> bool {
        let member = row.target.as_ref().is_some_and(|goal| matches!(goal.what, Says::Member));
        match (self.when, row.dir) {
            (Some(When::Before), Some(Direction::Read)) | (Some(When::After(_)), Some(Direction::Write)) => {
                !member
            }
            _ => true,
        }
    }
}
