//! The buffers of control codes of Windows: input and output, each a piece of memory of its own.

use std::sync::Arc;

use super::{
    decoder::{Decoder, MAX_DEPTH},
    memory::{Memory, Watch},
    order::{Order, Orders, View, Word},
    plan::{Content, Plan},
    tag::Says,
    value::{Member, Value},
};
use crate::{
    arch::Arch,
    lookup::Named,
    registry::Registry,
    types::{Layout, Shape},
    windows::{Buffers, Side},
};

/// The name under which bytes behind a struct are shown.
const REST: &str = "rest";

/// Places within a buffer take the place of addresses.
struct Whole<'b>(&'b [u8], Option<&'b dyn Watch>);

impl Memory for Whole<'_> {
    fn bytes(&self, address: u64, length: u64) -> &[u8] {
        let whole = View { bytes: self.0, at: None };
        whole.skip(address).take(length).bytes
    }

    fn watch(&self) -> Option<&dyn Watch> {
        self.1
    }
}

impl Registry {
    /// What one buffer of a control code's call holds. `None` where there is no buffer, or nothing of it is known; bytes
    /// where nothing is known of the code, or too little of the buffer to make anything of it.
    ///
    /// The type is the one that [`crate::Control`] names; what an output holds may depend on the input, so both may be given.
    /// Bytes behind a struct become its member `rest`, but for those that a field of it says the place of. Addresses are not
    /// followed.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Named, Registry, windows::{Buffer, Buffers, Side}};
    ///
    /// let registry = Registry::builtin();
    /// let request = Named::plain(registry.windows().find("IOCTL_STORAGE_GET_DEVICE_NUMBER").unwrap());
    /// let bytes = [7, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255];
    /// let output = Buffer { bytes: &bytes, size: 12 };
    /// let buffers = Buffers { output, ..Buffers::default() };
    /// let value = registry.control_buffer(Some(&request), Arch::Win64, Side::Output, &buffers).unwrap();
    /// assert_eq!(value.to_string(), "{DeviceType=FILE_DEVICE_DISK, DeviceNumber=1, PartitionNumber=4294967295}");
    /// assert_eq!(registry.control_buffer(Some(&request), Arch::Win64, Side::Input, &buffers), None);
    /// ```
    #[must_use]
    pub fn control_buffer(
        &self,
        request: Option<&Named<'_>>,
        arch: Arch,
        side: Side,
        buffers: &Buffers<'_>,
    ) -> Option<Value> {
        self.watched_buffer(request, arch, side, buffers, None)
    }

    /// The same, which tells somebody what the bytes are taken for.
    #[must_use]
    pub fn watched_buffer(
        &self,
        request: Option<&Named<'_>>,
        arch: Arch,
        side: Side,
        buffers: &Buffers<'_>,
        watch: Option<&dyn Watch>,
    ) -> Option<Value> {
        let buffer = buffers.of(side);
        let size = usize::try_from(buffer.size).unwrap_or(usize::MAX);
        let bytes = buffer.bytes.get(..size).unwrap_or(buffer.bytes);
        if bytes.is_empty() {
            return None;
        }
        let cut = bytes.len() < size;
        let whole = Whole(bytes, watch);
        let typed =
            request.and_then(|request| self.windows().typed(request, arch, side, buffers, (&whole, size)));
        Some(typed.unwrap_or_else(|| Decoder::new(self.planner(), &whole, None).unexplained(bytes, cut)))
    }

    /// `None` where no type is known, or the bytes are too few for any part of it.
    fn typed(
        &self,
        request: &Named<'_>,
        arch: Arch,
        side: Side,
        buffers: &Buffers<'_>,
        (whole, size): (&Whole<'_>, usize),
    ) -> Option<Value> {
        let control = request.request.control()?;
        let ty = match side {
            Side::Input => &control.input,
            Side::Output => &control.output,
        };
        let planner = self.planner();
        let bytes = whole.0;
        let mut decoder = Decoder::new(planner, whole, None);
        let given = planner.side(request.name(), "@in", &control.input, arch);
        let mut orders = Orders::new();
        if let (Some(given), Side::Output) = (&given, side) {
            decoder.select(&given.tags, View { bytes: buffers.input.bytes, at: None }, &mut orders);
        }
        let said = orders.iter().find_map(|order| match order.says {
            Word::Says(Says::Bytes(ty), _) if order.is_here() => Some(ty),
            _ => None,
        });
        let view = View { bytes, at: Some(0) };
        let named;
        let root;
        let plan = if let Some(ty) = said {
            named = planner.named(ty, arch)?;
            &*named
        } else {
            root = match side {
                Side::Input => given.clone(),
                Side::Output => planner.side(request.name(), "@out", ty, arch),
            }?;
            &root.plan
        };
        // As many elements as the buffer has, whether they are known or not.
        let length = Word::Length { length: size as u64, in_bytes: true, grows: false };
        let length = Order { path: &[], behind: &[], says: length, default: false };
        let own = matches!(plan.layout.shape, Shape::Array(_, None)).then_some(length);
        let value = decoder.value(plan, view, own.as_slice());
        if is_nothing(&value) {
            return None;
        }
        let reach = if decoder.referred { u64::MAX } else { decoder.reach(plan, view) };
        let cut = bytes.len() < size;
        let rest = match (view.skip(reach).bytes, cut) {
            ([], false) => return Some(value),
            ([], true) => Value::Missing,
            (behind, cut) => decoder.unexplained(behind, cut),
        };
        Some(with_rest(value, rest))
    }
}

impl Decoder<'_> {
    /// What lies at a place within the buffer.
    pub(super) fn referred_to(
        &mut self,
        place: u64,
        ty: &Arc<str>,
        arch: Arch,
        orders: &[Order<'_>],
    ) -> Value {
        let plain = Value::Integer(place.into());
        let base = orders.iter().find_map(|order| match order.says {
            Word::Base(base) if order.is_here() => Some(base),
            _ => None,
        });
        let said = orders.iter().find_map(|order| match order.says {
            Word::Says(Says::Pointee(ty), _) if order.is_here() => Some(ty),
            _ => None,
        });
        let Some(plan) = self.planner.named(said.unwrap_or(ty), arch) else { return plain };
        let Some(at) = base.unwrap_or(0).checked_add(place).filter(|at| *at > 0 && self.depth < MAX_DEPTH)
        else {
            return plain;
        };
        let measures = |order: &&Order<'_>| matches!(order.says, Word::Length { .. }) && order.is_here();
        let inner: Orders<'_> = orders.iter().filter(measures).copied().collect();
        self.depth += 1;
        let value = self.place(at, &plan, &inner);
        self.depth -= 1;
        let Some(value) = value else { return plain };
        self.referred = true;
        Value::Pointee { address: at, value: Box::new(value) }
    }

    /// Bytes that a value takes.
    fn reach(&self, plan: &Plan, view: View<'_>) -> u64 {
        let Layout { size, shape, .. } = &*plan.layout;
        match (shape, &plan.content) {
            (Shape::Array(_, None), _) => u64::MAX,
            (Shape::Record(_), Content::Record(record)) if record.open => {
                let measured = record.lengths.iter().any(|length| length.element > 0 && !length.fixed);
                if measured { self.extent(record, &plan.layout, view) } else { u64::MAX }
            }
            _ => *size,
        }
    }
}

/// Whether there was too little to make anything of.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Missing => true,
        Value::Record(members) => {
            !members.is_empty() && members.iter().all(|member| is_nothing(&member.value))
        }
        Value::Variant { value, .. } => is_nothing(value),
        Value::Array { items, .. } => !items.is_empty() && items.iter().all(is_nothing),
        _ => false,
    }
}

/// A value with the bytes behind it, and with what tells that more is missing.
fn with_rest(value: Value, rest: Value) -> Value {
    match value {
        Value::Record(mut members) => {
            members.push(Member::new(REST, rest));
            Value::Record(members)
        }
        // It says so itself.
        value @ (Value::Array { .. } | Value::Text { .. } | Value::Bytes { .. }) => value,
        value => Value::Array { items: vec![value, rest], cut: false },
    }
}
