//! How far values go that differ in size, and rows of such.

use super::{
    decoder::Decoder,
    memory::When,
    order::{Order, Orders, View, elements, lengths},
    plan::{Content, FieldPlan, Length, Plan, RecordPlan, Unit},
    value::Value,
};
use crate::{
    encoding::Encoding,
    types::{Layout, Shape},
};

impl Decoder<'_> {
    /// Bytes of a struct, with the elements behind it that it counts.
    pub(super) fn extent(&self, plan: &RecordPlan, layout: &Layout, view: View<'_>) -> u64 {
        let tails = plan.lengths.iter().filter(|length| length.element > 0 && !length.fixed);
        let ends = tails.filter_map(|length| {
            let count = elements(self.stated(plan, length, view)?, length.in_bytes, length.element);
            let start = length.offset.saturating_add(self.skipped(plan, length, view));
            Some(count.saturating_mul(length.element).saturating_add(start))
        });
        let inner = match (&layout.shape, plan.fields.last()) {
            (Shape::Record(record), Some(FieldPlan { plan, .. })) => {
                match (&plan.content, record.fields.last()) {
                    (Content::Record(inner), Some(last)) if inner.open => {
                        self.extent(inner, &plan.layout, view.skip(last.offset)).saturating_add(last.offset)
                    }
                    _ => 0,
                }
            }
            _ => 0,
        };
        ends.min().unwrap_or(0).max(inner).max(layout.size)
    }

    /// The length that a field states of another one. After the call, no more counts than what the program had room for.
    pub(super) fn stated(&self, plan: &RecordPlan, length: &Length, view: View<'_>) -> Option<u64> {
        if length.out && !matches!(self.when, Some(When::After(_))) && self.when.is_some() {
            return None;
        }
        let mut found = self.said(&length.from, view.bytes)?;
        if !length.fixed
            && !length.out
            && let Some(before) = self.said(&length.from, self.before(view.at, length.from.end()))
        {
            found = if length.all && found > before { 0 } else { found.min(before) };
        }
        Some(match length.unit {
            Unit::Plain => found.saturating_mul(length.factor),
            Unit::Whole => {
                found.saturating_sub(length.offset.saturating_add(self.skipped(plan, length, view)))
            }
            Unit::Ioc => {
                u32::try_from(found).map_or(0, |number| Encoding::of(number, length.arch).size.into())
            }
        })
    }

    /// Bytes between the place of a measured field and the beginning of its contents.
    fn skipped(&self, plan: &RecordPlan, length: &Length, view: View<'_>) -> u64 {
        let start = plan.starts.iter().find(|start| start.to == length.to);
        start.and_then(|start| self.said(&start.from, view.bytes)?.checked_sub(start.offset)).unwrap_or(0)
    }

    /// Elements of different sizes: each goes on as far as it says, or says where the next one is.
    pub(super) fn open_row(
        &mut self,
        element: &Plan,
        length: Option<u64>,
        view: View<'_>,
        orders: &[Order<'_>],
    ) -> Value {
        let Content::Record(plan) = &element.content else { return Value::Missing };
        let stated = lengths(orders);
        let count = stated.filter(|(_, in_bytes)| !in_bytes).map(|(count, _)| count).chain(length).min();
        let bytes = lengths(orders).filter(|(_, in_bytes)| *in_bytes).map(|(bytes, _)| bytes).min();
        let whole = bytes.map_or(view, |bytes| view.take(bytes));
        let (mut items, mut at, mut ended) = (Vec::new(), 0, false);
        while !ended && self.left > 0 && count.is_none_or(|count| (items.len() as u64) < count) {
            let rest = whole.skip(at);
            if rest.bytes.is_empty() {
                break;
            }
            let distance = match plan.next.map(|next| (self.said(&next.from, rest.bytes), next.from_first)) {
                Some((Some(distance), true)) => distance.saturating_sub(at),
                Some((distance, _)) => distance.unwrap_or(0),
                None => self.extent(plan, &element.layout, rest),
            };
            // Without an end of its own the last one has all that is left.
            ended = distance == 0;
            let own: Orders<'_> = orders.iter().filter_map(|order| order.of_element(items.len())).collect();
            items.push(self.value(element, if ended { rest } else { rest.take(distance) }, &own));
            at = at.saturating_add(distance);
        }
        let cut = match count {
            Some(count) => (items.len() as u64) < count && !ended,
            None => bytes.is_some_and(|bytes| (whole.bytes.len() as u64) < bytes) && !ended,
        };
        Value::Array { items, cut }
    }
}

/// Whether values of a type differ in size.
pub(super) fn is_open(plan: &Plan) -> bool {
    matches!(&plan.content, Content::Record(record) if record.open)
}
