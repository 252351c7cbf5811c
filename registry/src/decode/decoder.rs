//! One decoding: walks a plan and the bytes, follows addresses, and does what other fields say of the present one.

use std::sync::Arc;

use super::{
    MAX_READ, MAX_VALUES,
    extent::is_open,
    memory::{Memory, Watch, When},
    number::{integer, truncated},
    order::{Order, Orders, View, Word, elements, lengths},
    plan::{Content, Kind, Known, Plan, Root, Step},
    planner::Planner,
    scalar,
    tag::{Says, Tag},
    value::Value,
};
use crate::{
    arch::Arch,
    encoding::Direction,
    types::{Layout, ScalarKind, Shape},
};

/// Addresses behind addresses, and types in the place of others.
pub(super) const MAX_DEPTH: u32 = 8;
/// Longest text that is looked for where nothing says how long it is: a path's.
const MAX_TEXT: u64 = 4096;

/// Decodes one argument.
pub struct Decoder<'m> {
    pub(super) planner: Planner<'m>,
    pub(super) memory: &'m dyn Memory,
    /// Who is told what the bytes are taken for.
    pub(super) watch: Option<&'m dyn Watch>,
    /// `None` where there are bytes and no memory: no address is followed.
    pub(super) when: Option<When<'m>>,
    /// Values that may still be made.
    pub(super) left: usize,
    pub(super) depth: u32,
    /// The present bytes are what the program handed over, though it is after the call.
    given: bool,
    /// Something was found that the kernel filled.
    came_back: bool,
    pub(super) arg: u64,
    /// The family of the socket that the call is made on, if it is one.
    pub(super) domain: Option<u32>,
    /// Something in the buffer has said where another part of it lies.
    pub(super) referred: bool,
    /// Bytes that the kernel filled of what the argument points to, if the call returned that.
    filled: Option<u64>,
}

impl<'m> Decoder<'m> {
    pub fn new(planner: Planner<'m>, memory: &'m dyn Memory, when: Option<When<'m>>) -> Self {
        Self {
            planner,
            memory,
            watch: memory.watch(),
            when,
            left: MAX_VALUES,
            depth: 0,
            given: false,
            came_back: false,
            arg: 0,
            domain: None,
            referred: false,
            filled: None,
        }
    }

    /// For a call on a socket of this family.
    pub fn on(self, domain: Option<u32>) -> Self {
        Self { domain, ..self }
    }

    /// For a call that returned how many bytes it filled.
    pub fn filled(self, filled: Option<u64>) -> Self {
        Self { filled, ..self }
    }

    /// A value in bytes.
    pub fn bytes(&mut self, plan: &Plan, bytes: &[u8]) -> Value {
        self.value(plan, View { bytes, at: None }, &[])
    }

    /// What a call returned.
    pub fn result(&mut self, known: &Known, raw: u64, arch: Arch) -> Value {
        if known.pointee.is_some() {
            return self.follow(raw, known, None, arch, &[]);
        }
        scalar::number(self.planner.facts, known, ScalarKind::Unsigned, raw.into(), 64, None)
    }

    /// An argument; see [`crate::Registry::argument`].
    pub fn argument(
        mut self,
        root: &Root,
        by_value: bool,
        dir: Option<Direction>,
        arg: u64,
    ) -> Option<Value> {
        let Root { plan, tags, .. } = root;
        let layout = &plan.layout;
        let after = matches!(self.when, Some(When::After(_)));
        let mut orders = Orders::new();
        if by_value {
            let (little, big) = (arg.to_le_bytes(), arg.to_be_bytes());
            let size = usize::try_from(layout.size).ok()?.min(little.len());
            let big_endian = layout.arch.is_big_endian();
            let bytes = if big_endian { big.get(little.len() - size..)? } else { little.get(..size)? };
            self.arg = truncated(integer(bytes, size as u64, big_endian)?);
            let view = View { bytes, at: None };
            self.select(tags, view, &mut orders);
            return if after { None } else { Some(self.value(plan, view, &orders)) };
        }
        self.arg = arg;
        match (after, dir) {
            (false, _) if arg == 0 => return Some(Value::Pointer(0)),
            (false, Some(Direction::Read)) => return Some(Value::Pointer(arg)),
            (false, _) if plan.known.out => return Some(Value::Pointer(arg)),
            (true, _) if arg == 0 => return None,
            (true, Some(Direction::None)) => return None,
            (true, Some(Direction::Write)) if plan.leads_on || tags.iter().any(Tag::leads_on) => {
                self.given = true
            }
            (true, Some(Direction::Write)) => return None,
            _ => {}
        }
        // The numbers that select lie in the argument, but for commands that answers take the place of.
        let reach = tags.iter().filter_map(Tag::reach).max().unwrap_or(0);
        let mut head = self.read(arg, layout.size.max(reach));
        if !matches!(layout.shape, Shape::Record(_))
            && let Some(When::After(Some(before))) = self.when
        {
            let bytes = bounded(before, arg, layout.size.max(reach));
            head = if bytes.is_empty() { head } else { View { bytes, ..head } };
        }
        self.select(tags, head, &mut orders);
        if let Some(length) = self.filled {
            let says = Word::Length { length, in_bytes: true, grows: false };
            orders.push(Order { path: &[], behind: &[], says, default: false });
        }
        let whole = orders.iter().find_map(|order| match order.says {
            Word::Says(Says::Bytes(ty), _) if order.is_here() => Some(ty),
            _ => None,
        });
        let whole = whole.and_then(|ty| self.planner.named(ty, layout.arch));
        let whole = whole.filter(|whole| whole.layout.name != layout.name || layout.name.is_empty());
        let value = match &whole {
            Some(plan) => {
                orders.retain(|order| !order.is_here());
                self.place(arg, plan, &orders)
            }
            None if tags.is_empty() => self.place(arg, plan, &orders),
            None => self.extended(arg, plan, &orders),
        };
        match value {
            Some(_) if self.given && !self.came_back => None,
            // The kernel alone writes all of it.
            Some(Value::Record(members)) if !after && members.is_empty() && layout.size > 0 => {
                Some(Value::Pointer(arg))
            }
            Some(value) => Some(Value::Pointee { address: arg, value: Box::new(value) }),
            None => (!after).then_some(Value::Pointer(arg)),
        }
    }

    /// What lies at an address, with what sub-commands say lies behind it: `[1]` of a number is the next one.
    fn extended(&mut self, address: u64, plan: &Plan, orders: &[Order<'_>]) -> Option<Value> {
        if matches!(plan.layout.shape, Shape::Array(..) | Shape::Record(_)) {
            return self.place(address, plan, orders);
        }
        let own: Orders<'_> = orders.iter().filter_map(|order| order.of_element(0)).collect();
        let mut items = vec![self.place(address, plan, &own)?];
        for order in orders {
            if let ([Step::Index(index)], Word::Says(Says::Bytes(ty), _)) = (order.path, order.says)
                && *index > 0
                && let Some(at) =
                    index.checked_mul(plan.layout.size).and_then(|offset| address.checked_add(offset))
                && let Some(behind) = self.planner.named(ty, plan.layout.arch)
                && let Some(value) = self.place(at, &behind, &[])
            {
                items.push(value);
            }
        }
        if items.len() > 1 { Some(Value::Array { items, cut: false }) } else { items.pop() }
    }

    /// What is known of the memory at an address.
    pub(super) fn read(&self, address: u64, length: u64) -> View<'m> {
        let mut bytes = bounded(self.memory, address, length);
        if let (true, true, Some(When::After(Some(before)))) = (bytes.is_empty(), self.given, self.when) {
            bytes = bounded(before, address, length);
        }
        View { bytes, at: Some(address) }
    }

    /// What was known before the call of the memory at an address.
    pub(super) fn before(&self, address: Option<u64>, length: u64) -> &'m [u8] {
        match (self.when, address) {
            (Some(When::After(Some(before))), Some(address)) => bounded(before, address, length),
            _ => &[],
        }
    }

    /// A value at an address, `None` if nothing is known there.
    pub(super) fn place(&mut self, address: u64, plan: &Plan, orders: &[Order<'_>]) -> Option<Value> {
        let Layout { size, shape, .. } = &*plan.layout;
        if let (Shape::Array(element, None), Content::Array(inner)) = (shape, &plan.content) {
            if is_open(inner) && lengths(orders).next().is_some() {
                let bytes = lengths(orders).filter(|(_, in_bytes)| *in_bytes).map(|(bytes, _)| bytes).min();
                let view = self.read(address, bytes.unwrap_or(MAX_READ));
                let known = !view.bytes.is_empty() || bytes == Some(0);
                return known.then(|| self.array(plan, None, view, orders));
            }
            let length =
                lengths(orders).map(|(length, in_bytes)| elements(length, in_bytes, element.size)).min();
            if length.is_none() && (plan.layout.is_open_text() || plan.known.kind == Kind::Text) {
                let view = self.read(address, MAX_TEXT);
                self.charge(view.bytes);
                let wide = element.size == 2;
                let text = if wide { scalar::wide_text } else { scalar::text };
                return (!view.bytes.is_empty()).then(|| {
                    self.made(scalar::up_to_end(view.bytes, wide), text(view.bytes, true, true, false))
                });
            }
            let count = length.unwrap_or(1);
            let view = self.read(address, count.saturating_mul(element.size));
            let known = !view.bytes.is_empty() || count == 0 || element.size == 0;
            return known.then(|| self.array(plan, Some(count), view, orders));
        }
        let measured = lengths(orders).filter(|(_, in_bytes)| *in_bytes).map(|(length, _)| length);
        let wanted = measured.min().unwrap_or(*size);
        let mut view = self.read(address, wanted);
        if view.bytes.is_empty() && *size > 0 {
            return None;
        }
        if let Content::Record(record) = &plan.content
            && record.open
        {
            let extent = self.extent(record, &plan.layout, view);
            if extent > wanted {
                view = self.read(address, extent);
            }
        }
        Some(self.value(plan, view, orders))
    }

    /// What an address leads to, if it is known and travels the right way.
    fn follow(
        &mut self,
        address: u64,
        known: &Known,
        declared: Option<&str>,
        arch: Arch,
        orders: &[Order<'_>],
    ) -> Value {
        let plain = Value::Pointer(address);
        let Some(when) = self.when.filter(|_| address != 0 && self.depth < MAX_DEPTH) else { return plain };
        let said = orders.iter().find_map(|order| match order.says {
            Word::Says(Says::Pointee(ty), dir) if order.is_here() => Some((dir, Arc::clone(ty))),
            _ => None,
        });
        let fact = || known.pointee.as_ref().map(|pointee| (pointee.dir, Arc::clone(&pointee.ty)));
        let led = || self.led(declared, arch, orders);
        let Some((dir, ty)) =
            said.map(|(dir, ty)| (dir.or(Some(Direction::ReadWrite)), ty)).or_else(fact).or_else(led)
        else {
            return plain;
        };
        let Some(plan) = self.planner.named(&ty, arch) else { return plain };
        let inner: Orders<'_> = orders
            .iter()
            .filter_map(|order| match (order.path, order.behind.split_first()) {
                ([], Some((path, behind))) => Some(Order { path, behind, ..*order }),
                ([], None) if matches!(order.says, Word::Length { .. }) => Some(*order),
                _ => None,
            })
            .collect();
        let leads_on = plan.leads_on || inner.iter().any(|order| matches!(order.says, Word::Says(..)));
        let after = matches!(when, When::After(_));
        let route = match (dir, after) {
            (Some(Direction::ReadWrite), _)
            | (Some(Direction::Write), false)
            | (Some(Direction::Read), true) => false,
            (Some(Direction::Write), true) if leads_on => true,
            _ => return plain,
        };
        let (given, came_back) = (self.given, self.came_back);
        (self.given, self.came_back) = (route, false);
        self.depth += 1;
        let value = self.place(address, &plan, &inner);
        self.depth -= 1;
        let found = value.is_some() && if route { self.came_back } else { true };
        (self.given, self.came_back) = (given, came_back || (after && found));
        match value {
            Some(value) if found => Value::Pointee { address, value: Box::new(value) },
            _ => plain,
        }
    }

    /// The type behind an address that only a sub-command leads through: what C says, or words.
    fn led(
        &self,
        declared: Option<&str>,
        arch: Arch,
        orders: &[Order<'_>],
    ) -> Option<(Option<Direction>, Arc<str>)> {
        let order = orders.iter().find(|order| order.is_behind())?;
        let dir = match order.says {
            Word::Says(_, Some(dir)) => dir,
            _ => Direction::ReadWrite,
        };
        if let Some(declared) = declared.filter(|ty| self.planner.named(ty, arch).is_some()) {
            return Some((Some(dir), declared.into()));
        }
        match order.behind.first()?.first()? {
            Step::Index(index) => Some((Some(dir), format!("ulong[{}]", index.checked_add(1)?).into())),
            Step::Name(_) => None,
        }
    }

    /// Copies of bytes count as values too.
    pub(super) fn charge(&mut self, bytes: &[u8]) {
        self.left = self.left.saturating_sub(bytes.len() / 64);
    }

    /// A value that begins with the first of the bytes; these may be fewer or more than it has.
    pub(super) fn value(&mut self, plan: &Plan, view: View<'_>, orders: &[Order<'_>]) -> Value {
        let Some(left) = self.left.checked_sub(1) else { return Value::Missing };
        self.left = left;
        let layout = &*plan.layout;
        let skip = orders.iter().find_map(|order| match order.says {
            Word::Skip(bytes) if order.is_here() => Some(bytes),
            _ => None,
        });
        let view = skip.map_or(view, |bytes| view.skip(bytes));
        if let Some(value) = self.retyped(layout, view, orders) {
            return value;
        }
        if let Content::Plain | Content::Record(_) = plan.content
            && let Some(value) = scalar::address(plan.known.kind, view.take(layout.size).bytes)
        {
            return self.made(view.take(layout.size).bytes, value);
        }
        match (&layout.shape, &plan.content) {
            (Shape::Scalar(scalar), _) => {
                let big_endian = scalar::is_big_endian(&plan.known, *scalar, layout.arch);
                self.whole_number(plan, big_endian, view, orders)
            }
            (Shape::Enumeration(of), _) => {
                let big_endian = scalar::is_big_endian(&plan.known, of.scalar, layout.arch);
                self.whole_number(plan, big_endian, view, orders)
            }
            (Shape::Pointer(to), _) => match integer(view.bytes, layout.size, layout.arch.is_big_endian()) {
                Some(raw) => {
                    self.took(view.take(layout.size).bytes, &Value::Pointer(truncated(raw)));
                    self.follow(truncated(raw), &plan.known, Some(to), layout.arch, orders)
                }
                None => Value::Missing,
            },
            (Shape::Array(_, length), _) => self.array(plan, *length, view, orders),
            (Shape::Record(record), Content::Record(inner)) => {
                let grows = |order: &Order<'_>| matches!(order.says, Word::Length { grows: true, .. });
                let open = inner.open || orders.iter().any(grows);
                let view = if open { view } else { view.take(layout.size) };
                match self.record(record, inner, layout, view, orders) {
                    Value::Record(members) if plan.known.kind == Kind::Fraction && members.len() == 2 => {
                        Value::Fraction(members)
                    }
                    value => value,
                }
            }
            (Shape::Record(_), _) => Value::Missing,
        }
    }

    /// The value as a type that a sub-command gives it.
    pub(super) fn retyped(&mut self, layout: &Layout, view: View<'_>, orders: &[Order<'_>]) -> Option<Value> {
        let ty = orders.iter().find_map(|order| match order.says {
            Word::Says(Says::Bytes(ty), _) if order.is_here() => Some(ty),
            _ => None,
        })?;
        if self.depth >= MAX_DEPTH {
            return None;
        }
        let plan = self.planner.named(ty, layout.arch)?;
        let rest = orders
            .iter()
            .filter(|order| !matches!(order.says, Word::Says(..) | Word::Skip(_)) || !order.is_here());
        let rest: Orders<'_> = rest.copied().collect();
        self.depth += 1;
        let value = self.value(&plan, view, &rest);
        self.depth -= 1;
        Some(value)
    }

    /// A number that fills its type.
    fn whole_number(&mut self, plan: &Plan, big_endian: bool, view: View<'_>, orders: &[Order<'_>]) -> Value {
        let size = plan.layout.size;
        let Some(raw) = integer(view.bytes, size, big_endian) else { return Value::Missing };
        let value = self.number(plan, raw, size * 8, orders);
        self.took_part(view.bytes, 0, size, &value);
        value
    }

    /// What some bits mean.
    pub(super) fn number(&mut self, plan: &Plan, raw: u128, width: u64, orders: &[Order<'_>]) -> Value {
        let Plan { known, layout, .. } = plan;
        if let Some(ty) = &known.offset {
            return self.referred_to(truncated(raw), ty, layout.arch, orders);
        }
        let leads = |order: &Order<'_>| {
            order.is_behind() || (order.is_here() && matches!(order.says, Word::Says(Says::Pointee(_), _)))
        };
        // An address that is not followed is a number, if it is known to be shown as one.
        let followed = known.pointee.as_ref().is_some_and(|to| to.dir.is_some() || known.kind != Kind::Hex);
        if followed || orders.iter().any(leads) {
            return self.follow(truncated(raw), known, None, layout.arch, orders);
        }
        let facts = self.planner.facts;
        match &layout.shape {
            Shape::Scalar(scalar) => {
                let name = orders.iter().find_map(|order| match order.says {
                    Word::Name(name) if order.is_here() => Some(name),
                    _ => None,
                });
                scalar::number(facts, known, scalar.kind(), raw, width, name)
            }
            Shape::Enumeration(of) => scalar::named(facts, of, known, raw, width),
            _ => Value::Missing,
        }
    }
}

/// The bytes of a memory at an address, as far as any argument could reach.
pub(super) fn bounded(memory: &dyn Memory, address: u64, length: u64) -> &[u8] {
    let length = length.min(MAX_READ);
    let bytes = memory.bytes(address, length);
    usize::try_from(length).ok().and_then(|length| bytes.get(..length)).unwrap_or(bytes)
}
