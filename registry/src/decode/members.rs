//! Records: their members one by one, with what they say of each other.

use super::{
    decoder::Decoder,
    memory::When,
    number::{extract, integer, truncated},
    order::{Order, Orders, View, Word, lengths},
    plan::{FieldPlan, Length, Number, Part, RecordPlan},
    scalar,
    value::{Member, Show, Value},
};
use crate::types::{Field, Layout, Record, ScalarKind, Shape};

impl Decoder<'_> {
    pub(super) fn record(
        &mut self,
        record: &Record,
        plan: &RecordPlan,
        layout: &Layout,
        view: View<'_>,
        orders: &[Order<'_>],
    ) -> Value {
        if plan.lengths.is_empty() && plan.tags.is_empty() && plan.starts.is_empty() && plan.bases.is_empty()
        {
            return self.members(record, plan, layout, view, orders);
        }
        let mut all = Orders::from_slice(orders);
        for length in &plan.lengths {
            let Length { to, in_bytes, grows, .. } = length;
            if let Some(length) = self.stated(plan, length, view) {
                let says = Word::Length { length, in_bytes: *in_bytes, grows: *grows };
                all.push(Order { path: to, behind: &[], says, default: false });
            }
        }
        for start in &plan.starts {
            if let Some(bytes) =
                self.said(&start.from, view.bytes).and_then(|from| from.checked_sub(start.offset))
            {
                all.push(Order { path: &start.to, behind: &[], says: Word::Skip(bytes), default: false });
            }
        }
        for base in &plan.bases {
            let says = Word::Base(view.at.unwrap_or(0).saturating_add(base.offset));
            all.push(Order { path: &base.of, behind: &[], says, default: false });
        }
        self.select(&plan.tags, view, &mut all);
        // What this type measures is not that of another one in its place.
        let measures =
            |order: &&Order<'_>| matches!(order.says, Word::Length { .. } | Word::Skip(_) | Word::Base(_));
        let own = all.iter().skip(orders.len()).filter(|order| !measures(order));
        let here: Orders<'_> = orders.iter().chain(own).copied().collect();
        match self.retyped(layout, view, &here) {
            Some(value) => value,
            None => self.members(record, plan, layout, view, &all),
        }
    }

    fn members(
        &mut self,
        record: &Record,
        plan: &RecordPlan,
        layout: &Layout,
        view: View<'_>,
        orders: &[Order<'_>],
    ) -> Value {
        if record.is_union
            && let Some(value) = self.chosen(record, plan, view, orders)
        {
            return value;
        }
        let mut members = Vec::with_capacity(record.fields.len());
        for part in &plan.parts {
            match part {
                Part::Numbers(numbers) if self.left > numbers.len() && are_free(numbers, orders) => {
                    self.left -= numbers.len();
                    // Into their places: values are large, and decoding would mostly move them about.
                    members.extend(numbers.iter().map(|number| self.number_of(plan, number, view)));
                }
                Part::Numbers(numbers) => {
                    for Number { place, .. } in numbers {
                        self.member(record, plan, *place, view, orders, &mut members);
                    }
                }
                Part::Field(place) => self.member(record, plan, *place, view, orders, &mut members),
            }
        }
        if !record.is_union {
            return Value::Record(members);
        }
        // Whichever it will be, the kernel writes it.
        if matches!(self.when, Some(When::Before))
            && !plan.fields.is_empty()
            && plan.fields.iter().all(|own| own.plan.known.out)
        {
            return Value::Record(Vec::new());
        }
        let bytes = view.take(layout.size).bytes;
        if bytes.is_empty() && layout.size > 0 {
            return Value::Missing;
        }
        self.charge(bytes);
        self.made(bytes, Value::Union { bytes: bytes.to_vec(), members })
    }

    /// A number of which nothing else says anything.
    fn number_of(&self, plan: &RecordPlan, number: &Number, view: View<'_>) -> Member {
        let Number { shown: name, show, .. } = *number;
        let bytes = usize::try_from(number.offset).ok().and_then(|offset| view.bytes.get(offset..));
        let raw = bytes.and_then(|bytes| integer(bytes, number.size, number.big_endian));
        let (Some(raw), Some(own)) = (raw, plan.fields.get(number.place)) else {
            return Member { name, value: Value::Missing, show };
        };
        // Most are these, which a way of their own lets the compiler write where they belong.
        if number.bare && number.scalar == ScalarKind::Unsigned && self.watch.is_none() {
            return Member { name, value: Value::Integer(truncated(raw).into()), show };
        }
        let (facts, known, width) = (self.planner.facts, &own.plan.known, number.size * 8);
        let value = match &own.plan.layout.shape {
            Shape::Enumeration(of) => scalar::named(facts, of, known, raw, width),
            _ => scalar::number(facts, known, number.scalar, raw, width, None),
        };
        self.took_part(bytes.unwrap_or_default(), 0, number.size, &value);
        Member { name, value, show }
    }

    /// Adds a member, or those of one without a name.
    fn member(
        &mut self,
        record: &Record,
        plan: &RecordPlan,
        place: usize,
        view: View<'_>,
        orders: &[Order<'_>],
        members: &mut Vec<Member>,
    ) {
        let Some((field, own)) = record.fields.get(place).zip(plan.fields.get(place)) else { return };
        let before = matches!(self.when, Some(When::Before));
        let after = matches!(self.when, Some(When::After(_)));
        let nothing = field.name.is_empty() && field.bits.is_some();
        if nothing || is_empty(&field.layout) || (before && own.plan.known.out) {
            return;
        }
        if self.left == 0 || (after && own.plan.known.given) {
            // Of what is missing at the end, the first tells.
            if self.left > 0 || !matches!(members.last(), Some(Member { value: Value::Missing, .. })) {
                members.push(Member { name: field.name, value: Value::Missing, show: own.show });
            }
            return;
        }
        match self.field(field, own, view, orders) {
            // The member in use means nothing before the call.
            Value::Record(inner) if inner.is_empty() && before && is_union(&field.layout) => {}
            // The fields of an anonymous struct are its parent's; those of a union stay together.
            Value::Record(inner) if !record.is_union && (field.name.is_empty() || own.is_spoken_for()) => {
                members.extend(inner);
            }
            // So is the member in use of an anonymous union, which may be padding.
            Value::Variant { name, value } if !record.is_union && field.name.is_empty() => {
                let show = own.show_of(field, &name);
                members.push(Member { name, value: *value, show });
            }
            value => {
                let name = own.shown.unwrap_or(field.name);
                members.push(Member { name, value, show: own.show });
            }
        }
    }

    /// The member of a union that something says is in use.
    fn chosen(
        &mut self,
        record: &Record,
        plan: &RecordPlan,
        view: View<'_>,
        orders: &[Order<'_>],
    ) -> Option<Value> {
        let sure = |field: &Field| orders.iter().map(|order| order.chooses(field)).max().unwrap_or(0);
        let fields = record.fields.iter().zip(&plan.fields).map(|(field, own)| (sure(field), field, own));
        let telling = |own: &FieldPlan| own.show != Show::NonZero;
        let alone = record.fields.len() == 1 || plan.fields.iter().filter(|own| telling(own)).count() == 1;
        let best = fields
            .filter(|(sure, _, own)| *sure > 0 || (alone && (telling(own) || record.fields.len() == 1)))
            .reduce(|best, other| if other.0 > best.0 { other } else { best });
        let (_, field, own) = best?;
        if own.plan.known.out && matches!(self.when, Some(When::Before)) {
            return Some(Value::Record(Vec::new()));
        }
        let value = self.field(field, own, view, orders);
        Some(match &own.shown {
            Some(name) => Value::Record(vec![Member { name: *name, value, show: own.show }]),
            None if field.name.is_empty() => value,
            None => Value::Variant { name: field.name, value: Box::new(value) },
        })
    }

    fn field(&mut self, field: &Field, own: &FieldPlan, view: View<'_>, orders: &[Order<'_>]) -> Value {
        let inner: Orders<'_> = if field.name.is_empty() {
            orders.iter().filter(|order| !order.path.is_empty()).copied().collect()
        } else {
            orders.iter().filter_map(|order| order.within(&field.name)).collect()
        };
        let Some(bits) = field.bits else {
            // Texts and arrays of which nothing is known are not empty ones.
            let none = lengths(&inner).any(|(length, _)| length == 0);
            let missing = !none && field.layout.size > 0 && field.offset >= view.bytes.len() as u64;
            return if missing {
                Value::Missing
            } else {
                self.value(&own.plan, view.skip(field.offset), &inner)
            };
        };
        match extract(view.bytes, bits, own.plan.layout.arch.is_big_endian()) {
            Some(raw) => {
                let value = self.number(&own.plan, raw, bits.width, &inner);
                let end = bits.start.saturating_add(bits.width).div_ceil(8);
                self.took_part(view.bytes, bits.start / 8, end, &value);
                value
            }
            None => Value::Missing,
        }
    }
}

/// Whether nothing else says anything of them.
fn are_free(numbers: &[Number], orders: &[Order<'_>]) -> bool {
    orders.iter().all(|order| !numbers.iter().any(|number| order.is_within(&number.name)))
}

/// Whether it is a struct without members, which only lets an array without a length stand alone.
fn is_empty(layout: &Layout) -> bool {
    matches!(&layout.shape, Shape::Record(record) if record.fields.is_empty() && layout.size == 0)
}

fn is_union(layout: &Layout) -> bool {
    matches!(&layout.shape, Shape::Record(record) if record.is_union)
}
