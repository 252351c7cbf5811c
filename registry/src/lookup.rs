//! What a number means to a device.

use std::{fmt, ops::Deref, slice};

use crate::{
    arch::Arch,
    block::Block,
    device::Device,
    encoding::Encoding,
    family::Verdict,
    registry::Registry,
    request::{Arg, Request},
    windows::{ControlCode, Kind},
};

/// A request, with the values of its parameters if it has any.
///
/// Its `Display` is the name, as in `TCGETS` or `EVIOCGBIT(EV_KEY, 96)`.
///
/// ```
/// use ioctl_registry::{Arch, Arg, Device, Lookup, Registry};
///
/// let Lookup::Exact(named) = Registry::builtin().lookup(0x8060_4521, Arch::X86_64, &Device::default()) else { panic!() };
/// assert_eq!(named.to_string(), "EVIOCGBIT(EV_KEY, 96)");
/// assert_eq!(named.name(), "EVIOCGBIT");
/// assert_eq!(named.arg(), Arg::Pointer("u8[96]".into()));
/// ```
#[derive(Clone)]
pub struct Named<'r> {
    /// The request; what it knows can be asked of this value too.
    pub request: &'r Request,
    held: Option<Held<'r>>,
    domain: Option<u32>,
    result: Option<u64>,
}

/// The values that a number holds. The names of constants are looked up when somebody wants them.
#[derive(Clone, Copy)]
struct Held<'r> {
    registry: &'r Registry,
    arch: Arch,
    values: [u32; 2],
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterValue<'r> {
    /// The parameter's name.
    pub name: &'r str,
    /// Its value.
    pub value: u32,
    /// The constant of that value.
    pub constant: Option<&'r str>,
    /// What the constants begin with that it may be: `ABS_`.
    pub prefix: Option<&'r str>,
}

impl<'r> Named<'r> {
    /// A request by itself, without values for parameters.
    #[must_use]
    pub const fn plain(request: &'r Request) -> Self {
        Self { request, held: None, domain: None, result: None }
    }

    /// The same request on a socket of this family (`AF_INET`), which decides what some of them hand over.
    ///
    /// ```
    /// use ioctl_registry::{Named, Registry};
    ///
    /// let request = Registry::builtin().find("SIOCADDRT").unwrap();
    /// assert_eq!(Named::plain(request).on_socket(10).domain(), Some(10));
    /// ```
    #[must_use]
    pub const fn on_socket(self, family: u32) -> Self {
        Self { domain: Some(family), ..self }
    }

    /// The same request in a call that returned this, which of some is the length of what they filled.
    #[must_use]
    pub const fn returning(self, result: u64) -> Self {
        Self { result: Some(result), ..self }
    }

    /// What the call returned, if that is known.
    #[must_use]
    pub const fn result(&self) -> Option<u64> {
        self.result
    }

    /// The family of the socket that it is made on, if that is known.
    #[must_use]
    pub const fn domain(&self) -> Option<u32> {
        self.domain
    }

    /// The values of its parameters, in the macro's order.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let meanings = Registry::builtin().meanings(0x8060_4521, Arch::X86_64);
    /// let values: Vec<_> = meanings[0].values().map(|value| (value.name, value.value, value.constant)).collect();
    /// assert_eq!(values, [("ev", 1, Some("EV_KEY")), ("len", 96, None)]);
    /// ```
    pub fn values(&self) -> impl Iterator<Item = ParameterValue<'r>> + use<'r> {
        let held = self.held;
        let parameters = self.request.parameters().zip(held);
        parameters.into_iter().flat_map(|(parameters, held)| {
            parameters.names().zip(held.values).enumerate().map(move |(place, (name, value))| {
                let set = parameters.set(place).and_then(|set| held.registry.set(set, held.arch));
                let prefix = set.and_then(|set| set.prefix()).map(|prefix| &**prefix);
                ParameterValue {
                    name,
                    value,
                    constant: set.and_then(|set| set.constant(value.into())),
                    prefix,
                }
            })
        })
    }

    /// The argument, where a length that is a parameter has its value.
    #[must_use]
    pub fn arg(&self) -> Arg<'r> {
        let put = |ty: std::borrow::Cow<'r, str>| {
            self.values().fold(ty, |ty, value| {
                let name = format!("[{}]", value.name);
                if ty.contains(&name) { ty.replace(&name, &format!("[{}]", value.value)).into() } else { ty }
            })
        };
        match self.request.arg() {
            Arg::Value(ty) => Arg::Value(put(ty)),
            Arg::Pointer(ty) => Arg::Pointer(put(ty)),
            other => other,
        }
    }
}

impl Deref for Named<'_> {
    type Target = Request;

    fn deref(&self) -> &Request {
        self.request
    }
}

impl PartialEq for Named<'_> {
    /// The very same row, with the same values.
    fn eq(&self, other: &Self) -> bool {
        let held = |named: &Self| named.held.map(|held| held.values);
        std::ptr::eq(self.request, other.request) && held(self) == held(other)
    }
}

impl fmt::Debug for Named<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Named({self})")
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.request.name())?;
        if self.held.is_none() {
            return Ok(());
        }
        for (place, value) in self.values().enumerate() {
            formatter.write_str(if place == 0 { "(" } else { ", " })?;
            match (value.constant, value.prefix) {
                (Some(constant), _) => formatter.write_str(constant)?,
                (None, Some(_)) if formatter.sign_minus() => write!(formatter, "{:#x}", value.value)?,
                (None, Some(prefix)) => write!(formatter, "{:#x} /* {prefix}??? */", value.value)?,
                (None, None) => write!(formatter, "{}", value.value)?,
            }
        }
        formatter.write_str(")")
    }
}

/// What a number means to a device.
///
/// Its `Display` is what strace prints: the name, `A or B`, or the parts of the number. The alternate form `{:#}` adds a
/// comment to the parts of a resized request; `{:-}` has no comments at all.
///
/// ```
/// use ioctl_registry::{Arch, Device, DeviceKind, Registry};
///
/// let show = |number, device: &Device| {
///     format!("{:#}", Registry::builtin().lookup(number, Arch::X86_64, device))
/// };
/// let sequencer = Device { kind: DeviceKind::Char, major: 14, minor: 1, ..Device::default() };
/// assert_eq!(show(0x5402, &sequencer), "SNDCTL_TMR_START");
/// assert_eq!(show(0x5402, &Device::default()), "SNDCTL_TMR_START or TCSETS");
/// assert_eq!(show(0x5eff, &Device::default()), "_IOC(_IOC_NONE, 0x5e, 0xff, 0)");
/// assert_eq!(show(0x8008_5430, &Device::default()), "_IOC(_IOC_READ, 0x54, 0x30, 0x8) /* resized TIOCGPTN */");
/// let absolute = Registry::builtin().lookup(0x4018_45ff, Arch::X86_64, &Device::default());
/// assert_eq!(absolute.to_string(), "EVIOCSABS(0x3f /* ABS_??? */)");
/// assert_eq!(format!("{absolute:-}"), "EVIOCSABS(0x3f)");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup<'r> {
    /// One request.
    Exact(Named<'r>),
    /// Several requests that nothing known of the device tells apart, by name; two or more.
    Ambiguous(Vec<Named<'r>>),
    /// No request, but requests of that type and number have another size or direction: an older or a newer kernel's
    /// form of one of them, perhaps. One or more.
    Resized(Encoding, Vec<Named<'r>>),
    /// No request, but a number of blocks that the kernel's document assigns; one or more.
    Block(Encoding, Vec<&'r Block>),
    /// Nothing is known of the number but its parts.
    Unknown(Encoding),
    /// A control code of Windows that has no name, or none that is certain: codes of the vendors' ranges are theirs to give
    /// away, so that what a public header calls one may be another driver's.
    Control(ControlCode, Vec<Named<'r>>),
}

impl<'r> Lookup<'r> {
    /// The requests of exactly this number: one, several that nothing tells apart, or none.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Device, Registry};
    ///
    /// let lookup = Registry::builtin().lookup(0x5402, Arch::X86_64, &Device::default());
    /// let names: Vec<_> = lookup.named().iter().map(|named| named.name()).collect();
    /// assert_eq!(names, ["SNDCTL_TMR_START", "TCSETS"]);
    /// ```
    #[must_use]
    pub fn named(&self) -> &[Named<'r>] {
        match self {
            Self::Exact(named) => slice::from_ref(named),
            Self::Ambiguous(several) => several,
            Self::Resized(..) | Self::Block(..) | Self::Unknown(_) | Self::Control(..) => &[],
        }
    }
}

impl fmt::Display for Lookup<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(named) => named.fmt(formatter),
            Self::Ambiguous(several) => alternatives(formatter, several),
            Self::Resized(encoding, several) if formatter.alternate() => {
                write!(formatter, "{encoding} /* resized ")?;
                alternatives(formatter, several)?;
                formatter.write_str(" */")
            }
            Self::Resized(encoding, _) | Self::Block(encoding, _) | Self::Unknown(encoding) => {
                encoding.fmt(formatter)
            }
            Self::Control(code, several) if formatter.alternate() && !several.is_empty() => {
                write!(formatter, "{code} /* if not another's: ")?;
                alternatives(formatter, several)?;
                formatter.write_str(" */")
            }
            Self::Control(code, _) => code.fmt(formatter),
        }
    }
}

fn alternatives(formatter: &mut fmt::Formatter<'_>, several: &[Named<'_>]) -> fmt::Result {
    for (place, named) in several.iter().enumerate() {
        formatter.write_str(if place == 0 { "" } else { " or " })?;
        fmt::Display::fmt(named, formatter)?;
    }
    Ok(())
}

/// The best of some candidates, in their order; few numbers have more names than bits, and those are taken as they are.
struct Best {
    verdict: Verdict,
    chosen: u64,
}

impl Best {
    /// Of those that fit best, rows of today's headers win over older ones, and one row stands for all of its name.
    fn of<'r>(
        registry: &Registry,
        candidates: impl Iterator<Item = &'r Request> + Clone,
        device: &Device<'_>,
    ) -> Self {
        let mut best = Self { verdict: Verdict::Contradicted, chosen: 0 };
        for (place, request) in candidates.clone().enumerate().take(64) {
            let verdict = registry.judge(request, device);
            if verdict > best.verdict {
                best = Self { verdict, chosen: 0 };
            }
            if verdict == best.verdict {
                best.chosen |= 1 << place;
            }
        }
        if best.chosen.is_power_of_two() {
            return best;
        }
        let chosen = best.chosen;
        let picked = candidates.enumerate().take(64).filter(move |(place, _)| chosen & (1 << place) != 0);
        let any_current = picked.clone().any(|(_, request)| request.is_current());
        let mut last = "";
        for (place, request) in picked {
            if (any_current && !request.is_current()) || request.name() == last {
                best.chosen &= !(1 << place);
            } else {
                last = request.name();
            }
        }
        best
    }
}

impl Registry {
    /// What a number means on an architecture, as far as the device tells requests of that number apart.
    ///
    /// Requests whose family names this very device win; then those that fit its kind of file; those that belong to
    /// other devices are dropped unless nothing else is left. A device that is not known tells nothing apart. A request
    /// that today's headers have wins over one that only older headers had.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Device, DeviceKind, Lookup, Registry};
    ///
    /// let pipe = Device { kind: DeviceKind::Fifo, ..Device::default() };
    /// let Lookup::Exact(request) = Registry::builtin().lookup(0x5401, Arch::X86_64, &pipe) else { panic!() };
    /// assert_eq!(request.name(), "TCGETS");
    /// ```
    #[must_use]
    pub fn lookup(&self, number: u32, arch: Arch, device: &Device<'_>) -> Lookup<'_> {
        if arch.is_windows() {
            return self.windows().control(number, arch);
        }
        let group = self.group(number, arch);
        let parts = Encoding::of(number, arch);
        let parametrised = self.parametrised(parts.ty).next().is_some();
        if let ([only], false) = (group, parametrised)
            && let Some(request) = self.at(*only)
        {
            return Lookup::Exact(Named::plain(request));
        }
        let candidates = group.iter().filter_map(|entry| self.at(*entry));
        let best = Best::of(self, candidates.clone(), device);
        if parametrised && (group.is_empty() || best.verdict == Verdict::Contradicted) {
            let rival = if group.is_empty() { None } else { Some(best.verdict) };
            if let Some(found) = self.with_parameters(parts, arch, device, rival) {
                return found;
            }
        }
        let picked = candidates.enumerate();
        let mut picked = picked
            .filter(|(place, _)| *place >= 64 || best.chosen & (1 << place) != 0)
            .map(|(_, request)| Named::plain(request));
        match (picked.next(), picked.next()) {
            (Some(only), None) => Lookup::Exact(only),
            (Some(first), Some(second)) => {
                Lookup::Ambiguous([first, second].into_iter().chain(picked).collect())
            }
            (None, _) => self.without_name(parts, device),
        }
    }

    /// What a control code means.
    fn control(&self, number: u32, arch: Arch) -> Lookup<'_> {
        let mut named: Vec<_> = self.plain(number, arch).collect();
        named.dedup_by(|a, b| a.name() == b.name());
        // Programs cannot send what drivers send each other.
        let internal = |named: &Named<'_>| named.control().is_some_and(|it| it.kind == Kind::Internal);
        if named.iter().any(|named| !internal(named)) {
            named.retain(|named| !internal(named));
        }
        let code = ControlCode(number);
        // A user's own file says what it means here.
        let certain = |named: &Named<'_>| named.source() == "vendor";
        if code.kind() == Kind::Private {
            if named.iter().any(certain) {
                named.retain(certain);
            } else {
                return Lookup::Control(code, named);
            }
        }
        match (named.pop(), named.is_empty()) {
            (None, _) => Lookup::Control(code, Vec::new()),
            (Some(only), true) => Lookup::Exact(only),
            (Some(last), false) => {
                named.push(last);
                Lookup::Ambiguous(named)
            }
        }
    }

    /// Every request that a number can mean on an architecture, whatever the device. [`Registry::lookup`] answers with
    /// some of these, if there are any.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let meanings = Registry::builtin().meanings(0x5402, Arch::X86_64);
    /// assert!(meanings.iter().any(|named| named.name() == "TCSETS"));
    /// ```
    #[must_use]
    pub fn meanings(&self, number: u32, arch: Arch) -> Vec<Named<'_>> {
        if arch.is_windows() {
            return self.windows().plain(number, arch).collect();
        }
        let plain = self.plain(number, arch);
        plain.chain(self.parametrised_of(Encoding::of(number, arch), arch)).collect()
    }

    /// The requests of exactly this number, by name.
    fn plain(&self, number: u32, arch: Arch) -> impl Iterator<Item = Named<'_>> {
        self.group(number, arch).iter().filter_map(|entry| self.at(*entry)).map(Named::plain)
    }

    /// The requests with parameters that yield these parts.
    fn parametrised_of(&self, parts: Encoding, arch: Arch) -> impl Iterator<Item = Named<'_>> {
        self.parametrised(parts.ty).filter_map(move |request| {
            let values = request.parameters()?.held(parts)?;
            Some(Named {
                request,
                held: Some(Held { registry: self, arch, values }),
                ..Named::plain(request)
            })
        })
    }

    /// Requests with parameters that yield these parts. They give way to others of their number, unless the device fits
    /// them better.
    fn with_parameters(
        &self,
        parts: Encoding,
        arch: Arch,
        device: &Device<'_>,
        rival: Option<Verdict>,
    ) -> Option<Lookup<'_>> {
        let (mut verdict, mut first, mut others) = (Verdict::Contradicted, None, Vec::new());
        for named in self.parametrised_of(parts, arch) {
            let found = self.judge(named.request, device);
            if found > verdict {
                (verdict, first) = (found, None);
                others.clear();
            }
            match first {
                _ if found < verdict => {}
                None => first = Some(named),
                Some(_) => others.push(named),
            }
        }
        if rival.is_some_and(|rival| rival >= verdict) {
            return None;
        }
        let first = first?;
        if others.is_empty() {
            return Some(Lookup::Exact(first));
        }
        others.insert(0, first);
        Some(Lookup::Ambiguous(others))
    }

    /// A number that no request has.
    fn without_name(&self, parts: Encoding, device: &Device<'_>) -> Lookup<'_> {
        let same_dir = |request: &Request| {
            let number = request.number.split(' ').next().and_then(crate::parse::hex);
            number
                .and_then(|number| u32::try_from(number).ok())
                .is_some_and(|number| Encoding::of(number, Arch::X86_64).dir == parts.dir)
        };
        let mut resized: Vec<&Request> = self
            .of_code(parts.ty, parts.nr)
            .filter(|request| self.judge(request, device) > Verdict::Contradicted)
            .collect();
        if resized.iter().any(|request| same_dir(request)) {
            resized.retain(|request| same_dir(request));
        }
        if resized.iter().any(|request| request.is_current()) {
            resized.retain(|request| request.is_current());
        }
        resized.dedup_by(|a, b| a.name() == b.name());
        if !resized.is_empty() {
            return Lookup::Resized(parts, resized.into_iter().map(Named::plain).collect());
        }
        let blocks: Vec<_> = self.blocks(parts.ty, parts.nr).collect();
        if blocks.is_empty() { Lookup::Unknown(parts) } else { Lookup::Block(parts, blocks) }
    }
}
