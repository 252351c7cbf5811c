//! Bytes of an argument into values: byte order, bitfields, unions, flags, texts, arrays as long as the data, and what
//! lies behind addresses.

mod buffer;
mod change;
mod decoder;
mod display;
mod extent;
mod members;
mod memory;
mod number;
mod order;
mod plan;
mod planner;
mod row;
mod scalar;
mod scope;
mod select;
mod tag;
mod value;
mod watch;

use std::sync::Arc;

pub use change::Exchange;
pub use display::{Style, Xlat};
pub use memory::{Memory, Taken, Watch, When};
pub use value::{Member, Show, Value};

pub(crate) use planner::Plans;

use crate::{
    arch::Arch,
    encoding::{Direction, Encoding},
    lookup::Named,
    registry::Registry,
    types::Layout,
};
use decoder::Decoder;
use planner::Planner;

/// Values of one decoding. Without a bound, unions within unions and arrays of nothing would take for ever.
const MAX_VALUES: usize = 65_536;
/// Bytes that are looked at in one place: more than any argument has.
const MAX_READ: u64 = 1 << 20;

impl Registry {
    fn planner(&self) -> Planner<'_> {
        Planner { facts: self.known_facts(), types: self.types(), plans: self.plans() }
    }

    /// The meaning of an argument's bytes. They may be fewer than the type has: what is missing is [`Value::Missing`].
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let registry = Registry::builtin();
    /// let layout = registry.layout("struct winsize", Arch::Mips).unwrap();
    /// assert_eq!(registry.decode(&layout, &[0, 24, 0, 80]).to_string(), "{ws_row=24, ws_col=80, ...}");
    /// ```
    #[must_use]
    pub fn decode(&self, layout: &Arc<Layout>, bytes: &[u8]) -> Value {
        let plan = self.planner().of(layout);
        Decoder::new(self.planner(), &memory::Nothing, None).bytes(&plan, bytes)
    }

    /// The argument of a call, as a program's memory has it. `None` where there is nothing to show: no argument, none
    /// that is known, or nothing that the call has given back.
    ///
    /// What the argument points to is a [`Value::Pointee`], or a [`Value::Pointer`] where nothing is known of it, or
    /// where the program hands nothing over. Addresses within are followed in the direction that fits; they and the
    /// argument itself may lead anywhere, and the bytes there may be any.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Memory, Named, Registry, When};
    ///
    /// struct At16(Vec<u8>);
    /// impl Memory for At16 {
    ///     fn bytes(&self, address: u64, length: u64) -> &[u8] {
    ///         let Some(start) = address.checked_sub(16).and_then(|start| usize::try_from(start).ok()) else { return &[] };
    ///         let bytes = self.0.get(start..).unwrap_or_default();
    ///         bytes.get(..length as usize).unwrap_or(bytes)
    ///     }
    /// }
    ///
    /// let registry = Registry::builtin();
    /// let request = Named::plain(registry.find("TIOCSWINSZ").unwrap());
    /// let memory = At16(vec![24, 0, 80, 0, 0, 0, 0, 0]);
    /// let value = registry.argument(&request, Arch::X86_64, 16, &memory, When::Before).unwrap();
    /// assert_eq!(value.to_string(), "{ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}");
    /// ```
    #[must_use]
    pub fn argument(
        &self,
        request: &Named<'_>,
        arch: Arch,
        arg: u64,
        memory: &dyn Memory,
        when: When<'_>,
    ) -> Option<Value> {
        let text;
        let ty = if request.parameters().is_some() {
            text = match request.arg() {
                crate::Arg::Value(ty) => format!("={ty}"),
                crate::Arg::Pointer(ty) => ty.into_owned(),
                crate::Arg::None => return None,
                crate::Arg::Unknown => String::new(),
            };
            &text
        } else {
            &*request.request.arg
        };
        if ty == "void" {
            return None;
        }
        let planner = self.planner();
        // What a parameter says of the argument is known of the macro with that constant: `EVIOCGBIT(EV_KEY)`.
        let named = request.values().find_map(|value| value.constant);
        let named = named.map(|constant| format!("{}({constant})", request.name()));
        let name = named.as_deref().filter(|name| self.known_facts().of_type(name).next().is_some());
        let name = name.unwrap_or(request.name());
        let root = if ty.is_empty() { None } else { planner.root(name, ty, arch) };
        let Some(root) = root else {
            return self.untyped(request.number(arch)?, arch, arg, memory, when);
        };
        let by_value = ty.starts_with('=');
        let filled = request.result().filter(|_| root.measured && matches!(when, When::After(_)));
        let decoder = Decoder::new(planner, memory, Some(when)).on(request.domain()).filled(filled);
        decoder.argument(&root, by_value, request.dir(), arg)
    }

    /// The argument of a number that nothing else is known of: the bytes by the size that it states, in the direction that
    /// it states.
    #[must_use]
    pub fn untyped(
        &self,
        number: u32,
        arch: Arch,
        arg: u64,
        memory: &dyn Memory,
        when: When<'_>,
    ) -> Option<Value> {
        let parts = Encoding::of(number, arch);
        let given = matches!(parts.dir, Direction::Write | Direction::ReadWrite);
        let taken = matches!(parts.dir, Direction::Read | Direction::ReadWrite);
        let fits = match when {
            When::Before => given,
            When::After(_) => taken,
        };
        let size = usize::from(parts.size);
        if size == 0 || !(given || taken) {
            return None;
        }
        let whole = memory.bytes(arg, parts.size.into());
        let bytes = whole.get(..size).unwrap_or(whole);
        match (fits, when) {
            // Whether it is an address is not known.
            _ if arg == 0 => match when {
                When::Before => Some(Value::Hex(0)),
                When::After(_) => None,
            },
            (false, When::Before) => Some(Value::Pointer(arg)),
            (false, When::After(_)) => None,
            (true, _) if bytes.is_empty() => Some(Value::Pointer(arg)),
            (true, _) => {
                let decoder = Decoder::new(self.planner(), memory, Some(when));
                let value = decoder.unexplained(bytes, bytes.len() < size);
                Some(Value::Pointee { address: arg, value: Box::new(value) })
            }
        }
    }

    /// What a call returned, where that is more than a number: a constant, a file descriptor. `None` otherwise, and for an
    /// error.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Named, Registry};
    ///
    /// let registry = Registry::builtin();
    /// let request = Named::plain(registry.find("CDROM_DRIVE_STATUS").unwrap());
    /// assert_eq!(registry.result(&request, Arch::X86_64, 4).unwrap().to_string(), "CDS_DISC_OK");
    /// ```
    #[must_use]
    pub fn result(&self, request: &Named<'_>, arch: Arch, ret: i64) -> Option<Value> {
        let raw = u64::try_from(ret).ok()?;
        let planner = self.planner();
        let known = planner.result(request.name(), arch)?;
        Some(Decoder::new(planner, &memory::Nothing, None).result(&known, raw, arch))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
mod memory_tests;

#[cfg(test)]
mod row_tests;
