//! Rows of elements: arrays, texts, bytes, bits.

use super::{
    decoder::Decoder,
    extent::is_open,
    order::{Order, Orders, View, Word, elements},
    plan::{Content, Kind, Plan},
    scalar,
    value::{Member, Value},
};
use crate::{
    name::Name,
    types::{ScalarKind, Shape},
};

impl Decoder<'_> {
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
        if let Some(set) = plan.known.index.and_then(|place| self.planner.facts.sets().get(place))
            && let Value::Array { items, cut } = self.row(element, length, view, orders)
        {
            let place =
                |place: usize| set.named(place as i128).map_or_else(|| place.to_string().into(), Name::clone);
            let members = items.into_iter().enumerate().map(|(at, value)| Member::new(place(at), value));
            return Value::Indexed { members: members.collect(), cut };
        }
        if let Shape::Scalar(scalar) = &element.layout.shape
            && scalar.kind() == ScalarKind::Wide
        {
            let wanted = length.map(|length| length.saturating_mul(size));
            let whole = wanted.map_or(view, |wanted| view.take(wanted));
            let cut = wanted.is_some_and(|wanted| (whole.bytes.len() as u64) < wanted);
            self.charge(whole.bytes);
            let measured = orders.iter().any(|order| order.is_here());
            let fixed = matches!(plan.layout.shape, Shape::Array(_, Some(_))) && !measured;
            let value = scalar::wide_text(whole.bytes, cut, plan.known.kind == Kind::Text, fixed);
            return self.made(whole.bytes, value);
        }
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
                return self.made(whole.bytes, value);
            }
            self.charge(whole.bytes);
            if let Some(set) = known.bitmap.and_then(|place| self.planner.facts.sets().get(place)) {
                return self.made(whole.bytes, scalar::bitmap(set, whole.bytes, cut));
            }
            if known.kind == Kind::Text || scalar.kind() == ScalarKind::Char {
                let measured = orders.iter().any(|order| order.is_here());
                let fixed = matches!(plan.layout.shape, Shape::Array(_, Some(_))) && !measured;
                let value = scalar::text(whole.bytes, cut, known.kind == Kind::Text, fixed);
                return self.made(whole.bytes, value);
            }
            if known.set.is_none()
                && !known.numbers
                && scalar.kind() == ScalarKind::Unsigned
                && !orders.iter().any(|order| !order.path.is_empty())
            {
                return self.unexplained(whole.bytes, cut);
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
            let own: Orders<'_> = orders.iter().filter_map(|order| order.of_element(items.len())).collect();
            items.push(self.value(element, view, &own));
            view = view.skip(size);
        }
        let cut = items.len() < length;
        Value::Array { items, cut }
    }
}
