//! Rows of elements: how many there are, and where each begins.

use super::{
    decoder::Decoder,
    memory::When,
    order::{Order, View, Word, elements, lengths},
    plan::{Content, FieldPlan, Kind, Length, Plan, RecordPlan, Unit},
    scalar,
    value::Value,
};
use crate::{
    encoding::Encoding,
    types::{Layout, ScalarKind, Shape},
};

impl Decoder<'_> {
    /// Bytes of a struct, with the elements behind it that it counts.
    pub(super) fn extent(&self, plan: &RecordPlan, layout: &Layout, view: View<'_>) -> u64 {
        let tails = plan.lengths.iter().filter(|length| length.element > 0 && !length.fixed);
        let ends = tails.filter_map(|length| {
            let count = elements(self.stated(plan, length, view)?, length.in_bytes, length.element);
            let start = length.offset.saturating_add(skipped(plan, length, view));
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
        let mut found = length.from.read(view.bytes)?;
        if !length.fixed
            && !length.out
            && let Some(before) = length.from.read(self.before(view.at, length.from.end()))
        {
            found = found.min(before);
        }
        Some(match length.unit {
            Unit::Plain => found.saturating_mul(length.factor),
            Unit::Whole => found.saturating_sub(length.offset.saturating_add(skipped(plan, length, view))),
            Unit::Ioc => {
                u32::try_from(found).map_or(0, |number| Encoding::of(number, length.arch).size.into())
            }
        })
    }

    /// A row of elements; without a length, as many as there are bytes for.
    pub(super) fn array(
        &mut self,
        plan: &Plan,
        length: Option<u64>,
        view: View<'_>,
        orders: &[Order<'_>],
    ) -> Value {
        let Content::Array(element) = &plan.content else { return Value::Missing };
        if is_open(element) {
            return self.open_row(element, length, view, orders);
        }
        let size = element.layout.size;
        let length =
            orders.iter().filter(|order| order.is_here()).fold(length, |length, order| match order.says {
                Word::Length { length: stated, in_bytes, grows } => {
                    let stated = elements(stated, in_bytes, size);
                    Some(length.filter(|_| !grows).map_or(stated, |length| length.min(stated)))
                }
                _ => length,
            });
        if let (1, Shape::Scalar(scalar)) = (size, &element.layout.shape) {
            let known = &plan.known;
            let whole = length.map_or(view, |length| view.take(length));
            let cut = length.is_some_and(|length| (whole.bytes.len() as u64) < length);
            if let Some(ty) = &known.of
                && let Some(other) =
                    self.planner.named(ty, plan.layout.arch).filter(|other| other.layout.size > 0)
            {
                return self.row(&other, None, whole, &[]);
            }
            if let Some(value) = scalar::address(known.kind, whole.bytes) {
                return value;
            }
            self.charge(whole.bytes);
            if known.kind == Kind::Text || scalar.kind() == ScalarKind::Char {
                return scalar::text(whole.bytes, cut, known.kind == Kind::Text);
            }
            if known.set.is_none()
                && scalar.kind() == ScalarKind::Unsigned
                && !orders.iter().any(|order| !order.path.is_empty())
            {
                return Value::Bytes { bytes: whole.bytes.to_vec(), cut };
            }
        }
        self.row(element, length, view, orders)
    }

    /// Elements one behind the other; without a length, as many as lie in the data whole.
    fn row(
        &mut self,
        element: &Plan,
        length: Option<u64>,
        mut view: View<'_>,
        orders: &[Order<'_>],
    ) -> Value {
        let size = element.layout.size;
        let fit = || (view.bytes.len() as u64).checked_div(size).unwrap_or(0);
        let length = usize::try_from(length.unwrap_or_else(fit)).unwrap_or(usize::MAX);
        let mut items = Vec::new();
        while items.len() < length && self.left > 0 && (size == 0 || !view.bytes.is_empty()) {
            let own: Vec<_> = orders.iter().filter_map(|order| order.of_element(items.len())).collect();
            items.push(self.value(element, view, &own));
            view = view.skip(size);
        }
        let cut = items.len() < length;
        Value::Array { items, cut }
    }

    /// Elements of different sizes: each goes on as far as it says, or says where the next one is.
    fn open_row(
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
            let distance = match plan.next.map(|next| (next.from.read(rest.bytes), next.from_first)) {
                Some((Some(distance), true)) => distance.saturating_sub(at),
                Some((distance, _)) => distance.unwrap_or(0),
                None => self.extent(plan, &element.layout, rest),
            };
            // Without an end of its own the last one has all that is left.
            ended = distance == 0;
            let own: Vec<_> = orders.iter().filter_map(|order| order.of_element(items.len())).collect();
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

/// Bytes between the place of a measured field and the beginning of its contents.
fn skipped(plan: &RecordPlan, length: &Length, view: View<'_>) -> u64 {
    let start = plan.starts.iter().find(|start| start.to == length.to);
    start.and_then(|start| start.from.read(view.bytes)?.checked_sub(start.offset)).unwrap_or(0)
}
