//! The tables as one searchable registry.

use std::{collections::HashMap, fmt, sync::OnceLock};

use crate::{
    block::Block,
    device::Device,
    encoding::Encoding,
    family::{Rule, Verdict},
    glob::glob_matches,
    parse,
};

const REQUESTS: &str = include_str!("../data/requests.tsv");
const MORE_REQUESTS: &str = include_str!("../overlay/requests.tsv");
const ALIASES: &str = include_str!("../data/aliases.tsv");
const BLOCKS: &str = include_str!("../data/blocks.tsv");
const FAMILIES: &str = include_str!("../overlay/families.tsv");

/// The family of requests that no line of `families.tsv` covers.
const NO_FAMILY: &str = "other";

/// A named request.
///
/// ```
/// use ioctl_registry::Registry;
///
/// let request = Registry::builtin().find("VIDIOC_QUERYCAP").unwrap();
/// assert_eq!(request.number, 0x8068_5600);
/// assert_eq!(request.arg_type, Some("struct v4l2_capability"));
/// assert_eq!((request.header, request.family), ("linux/videodev2.h", "v4l2"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name of the macro or the enumerator.
    pub name: &'static str,
    /// The number on x86-64.
    pub number: u32,
    /// The argument's C type as the header writes it; `None` where the header does not say.
    pub arg_type: Option<&'static str>,
    /// The header that defines it, as programs include it.
    pub header: &'static str,
    /// The family, such as `tty`; `other` where it belongs to none.
    pub family: &'static str,
    /// The line of `families.tsv`.
    rule: Option<usize>,
}

impl Request {
    /// The parts of the number.
    ///
    /// ```
    /// let request = ioctl_registry::Registry::builtin().find("TIOCGPTN").unwrap();
    /// assert_eq!(request.encoding().size, 4);
    /// ```
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        Encoding::of(self.number)
    }

    /// A line of `requests.tsv`.
    fn parse(line: &'static str) -> Option<Self> {
        let [name, number, arg_type, header] = parse::columns(line)?;
        let number = parse::hex(number)?.try_into().ok()?;
        let arg_type = Some(arg_type).filter(|text| !text.is_empty());
        Some(Self { name, number, arg_type, header, family: NO_FAMILY, rule: None })
    }
}

/// What a number means to a device.
///
/// Its `Display` is what strace prints: the name, `A or B`, or the parts of the number.
///
/// ```
/// use ioctl_registry::{Device, DeviceKind, Registry};
///
/// let registry = Registry::builtin();
/// let sequencer = Device { kind: DeviceKind::Char, major: 14, minor: 1, ..Device::default() };
/// assert_eq!(registry.lookup(0x5402, &sequencer).to_string(), "SNDCTL_TMR_START");
/// assert_eq!(registry.lookup(0x5402, &Device::default()).to_string(), "SNDCTL_TMR_START or TCSETS");
/// assert_eq!(registry.lookup(0x5eff, &Device::default()).to_string(), "_IOC(_IOC_NONE, 0x5e, 0xff, 0)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<'r> {
    /// One request.
    Exact(&'r Request),
    /// Several requests that nothing known of the device tells apart, by name; two or more.
    Ambiguous(Vec<&'r Request>),
    /// No request, but a number of blocks that the kernel's document assigns; one or more.
    Block(Encoding, Vec<&'r Block>),
    /// Nothing is known of the number but its parts.
    Unknown(Encoding),
}

impl fmt::Display for Lookup<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(request) => formatter.write_str(request.name),
            Self::Ambiguous(requests) => {
                for (place, request) in requests.iter().enumerate() {
                    let separator = if place == 0 { "" } else { " or " };
                    write!(formatter, "{separator}{}", request.name)?;
                }
                Ok(())
            }
            Self::Block(encoding, _) | Self::Unknown(encoding) => encoding.fmt(formatter),
        }
    }
}

/// Everything known of ioctl numbers. Searching does not allocate unless several answers come back.
#[derive(Debug)]
pub struct Registry {
    /// By number, then name.
    requests: Vec<Request>,
    /// Request names and aliases, sorted, with the place of the request.
    names: Vec<(&'static str, usize)>,
    /// Place of a request with one of its aliases, sorted.
    aliases: Vec<(usize, &'static str)>,
    /// By type.
    blocks: Vec<Block>,
    rules: Vec<Rule>,
    /// Lines that could not be read; the data's tests want none.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by tests alone"))]
    skipped: usize,
}

impl Registry {
    /// The registry of the embedded tables, read on first use.
    ///
    /// ```
    /// assert!(ioctl_registry::Registry::builtin().requests().count() > 3000);
    /// ```
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Registry> = OnceLock::new();
        BUILTIN.get_or_init(|| Self::from_tables([REQUESTS, MORE_REQUESTS], ALIASES, BLOCKS, FAMILIES))
    }

    fn from_tables(
        requests: [&'static str; 2],
        aliases: &'static str,
        blocks: &'static str,
        families: &'static str,
    ) -> Self {
        let mut skipped = 0;
        let rules = collect(families, Rule::parse, &mut skipped);
        let mut requests: Vec<Request> =
            requests.into_iter().flat_map(|table| collect(table, Request::parse, &mut skipped)).collect();
        assign_families(&mut requests, &rules);
        requests.sort_unstable_by_key(|request| (request.number, request.name));
        let mut blocks = collect(blocks, Block::parse, &mut skipped);
        blocks.sort_by_key(|block| (block.ty, block.first, block.last));

        let mut names: Vec<_> =
            requests.iter().enumerate().map(|(place, request)| (request.name, place)).collect();
        names.sort_unstable();
        let alias_pairs = collect(aliases, parse::columns, &mut skipped);
        let mut aliases = Vec::with_capacity(alias_pairs.len());
        for [alias, canonical, _header] in alias_pairs {
            match search(&names, canonical) {
                Some(place) => aliases.push((place, alias)),
                None => skipped += 1,
            }
        }
        names.extend(aliases.iter().map(|(place, alias)| (*alias, *place)));
        names.sort_unstable();
        aliases.sort_unstable();
        Self { requests, names, aliases, blocks, rules, skipped }
    }

    /// What a number means, as far as the device tells requests of that number apart.
    ///
    /// Requests whose family names this very device win; then those that fit its kind of file; those that belong to
    /// other devices are dropped unless nothing else is left. A device that is not known tells nothing apart.
    ///
    /// ```
    /// use ioctl_registry::{Device, DeviceKind, Lookup, Registry};
    ///
    /// let pipe = Device { kind: DeviceKind::Fifo, ..Device::default() };
    /// let Lookup::Exact(request) = Registry::builtin().lookup(0x5401, &pipe) else { panic!() };
    /// assert_eq!(request.name, "TCGETS");
    /// ```
    #[must_use]
    pub fn lookup(&self, number: u32, device: &Device<'_>) -> Lookup<'_> {
        let mut names = self.names(number, device);
        match (names.next(), names.next()) {
            (Some(only), None) => Lookup::Exact(only),
            (Some(first), Some(second)) => {
                Lookup::Ambiguous([first, second].into_iter().chain(names).collect())
            }
            (None, _) => {
                let encoding = Encoding::of(number);
                let blocks: Vec<_> = self.blocks(encoding.ty, encoding.nr).collect();
                if blocks.is_empty() { Lookup::Unknown(encoding) } else { Lookup::Block(encoding, blocks) }
            }
        }
    }

    /// The requests that a number can mean to a device, by name; the choice is that of [`Registry::lookup`].
    ///
    /// ```
    /// use ioctl_registry::{Device, Registry};
    ///
    /// let registry = Registry::builtin();
    /// let names: Vec<_> = registry.names(0x5402, &Device::default()).map(|request| request.name).collect();
    /// assert_eq!(names, ["SNDCTL_TMR_START", "TCSETS"]);
    /// ```
    pub fn names<'r>(
        &'r self,
        number: u32,
        device: &Device<'_>,
    ) -> impl Iterator<Item = &'r Request> + use<'r> {
        let group = self.group(number);
        // Few numbers have more names than bits; the rest of such a group is taken as it is.
        let (mut best, mut chosen) = (Verdict::Contradicted, u64::MAX);
        if group.len() > 1 {
            chosen = 0;
            for (place, request) in group.iter().enumerate().take(64) {
                let verdict = self.judge(request, device);
                if verdict > best {
                    (best, chosen) = (verdict, 0);
                }
                if verdict == best {
                    chosen |= 1 << place;
                }
            }
        }
        let take = move |place: &usize| *place >= 64 || chosen & (1 << *place) != 0;
        group.iter().enumerate().filter(move |(place, _)| take(place)).map(|(_, request)| request)
    }

    /// All requests of a number, by name.
    fn group(&self, number: u32) -> &[Request] {
        let start = self.requests.partition_point(|request| request.number < number);
        let rest = self.requests.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|request| request.number == number).count();
        rest.get(..length).unwrap_or_default()
    }

    fn judge(&self, request: &Request, device: &Device<'_>) -> Verdict {
        let rule = request.rule.and_then(|rule| self.rules.get(rule));
        rule.map_or(Verdict::Undecided, |rule| rule.judge(device))
    }

    /// The request of a name or an alias.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let registry = Registry::builtin();
    /// assert_eq!(registry.find("TIOCINQ").unwrap().name, "FIONREAD");
    /// assert!(registry.find("tiocinq").is_none());
    /// ```
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Request> {
        search(&self.names, name).and_then(|place| self.requests.get(place))
    }

    /// The requests whose name or alias matches a glob (see [`crate::glob_matches`]), by name, each once.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let names: Vec<_> = Registry::builtin().matching("TC[GS]ETA").map(|request| request.name).collect();
    /// assert_eq!(names, ["TCGETA", "TCSETA"]);
    /// ```
    pub fn matching<'r>(&'r self, glob: &str) -> impl Iterator<Item = &'r Request> {
        self.places().filter_map(move |place| {
            let request = self.requests.get(place)?;
            let named = glob_matches(glob, request.name)
                || self.aliases_at(place).any(|alias| glob_matches(glob, alias));
            named.then_some(request)
        })
    }

    /// The other names of a request.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let registry = Registry::builtin();
    /// let request = registry.find("FIONREAD").unwrap();
    /// assert!(registry.aliases(request).any(|alias| alias == "TIOCINQ"));
    /// ```
    pub fn aliases<'r>(&'r self, request: &Request) -> impl Iterator<Item = &'static str> + use<'r> {
        let key = (request.number, request.name);
        let place = self.requests.binary_search_by_key(&key, |request| (request.number, request.name));
        place.into_iter().flat_map(|place| self.aliases_at(place))
    }

    fn aliases_at(&self, place: usize) -> impl Iterator<Item = &'static str> {
        let start = self.aliases.partition_point(|(target, _)| *target < place);
        let rest = self.aliases.get(start..).unwrap_or_default();
        rest.iter().take_while(move |(target, _)| *target == place).map(|(_, alias)| *alias)
    }

    /// The requests of a family, by name.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// assert!(Registry::builtin().family("kvm").any(|request| request.name == "KVM_RUN"));
    /// ```
    pub fn family<'r>(&'r self, family: &str) -> impl Iterator<Item = &'r Request> {
        self.requests().filter(move |request| request.family == family)
    }

    /// The names of all families, sorted.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// assert!(Registry::builtin().families().any(|family| family == "drm"));
    /// ```
    pub fn families(&self) -> impl Iterator<Item = &'static str> + use<> {
        let mut families: Vec<_> = self.requests.iter().map(|request| request.family).collect();
        families.sort_unstable();
        families.dedup();
        families.into_iter()
    }

    /// Every request, by name.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let typed = Registry::builtin().requests().filter(|request| request.arg_type.is_some()).count();
    /// assert!(typed > 2000);
    /// ```
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.places().filter_map(|place| self.requests.get(place))
    }

    /// Places of the requests in the order of their names.
    fn places(&self) -> impl Iterator<Item = usize> {
        let named = |name: &str, place: usize| self.requests.get(place).is_some_and(|it| it.name == name);
        self.names.iter().filter(move |(name, place)| named(name, *place)).map(|(_, place)| *place)
    }

    /// The assigned blocks that a number of a type lies in.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let block = Registry::builtin().blocks(b';', 0x80).next().unwrap();
    /// assert_eq!(block.headers().next(), Some("linux/iommufd.h"));
    /// ```
    pub fn blocks(&self, ty: u8, nr: u8) -> impl Iterator<Item = &Block> {
        let start = self.blocks.partition_point(|block| block.ty < ty);
        let rest = self.blocks.get(start..).unwrap_or_default();
        rest.iter().take_while(move |block| block.ty == ty).filter(move |block| block.contains(nr))
    }
}

/// Parses the lines of a table; those that cannot be read are counted.
fn collect<T>(table: &'static str, parse: impl Fn(&'static str) -> Option<T>, skipped: &mut usize) -> Vec<T> {
    let mut items = Vec::new();
    for line in parse::lines(table) {
        match parse(line) {
            Some(item) => items.push(item),
            None => *skipped += 1,
        }
    }
    items
}

/// The first entry of a name.
fn search(names: &[(&'static str, usize)], name: &str) -> Option<usize> {
    let place = names.partition_point(|(other, _)| *other < name);
    names.get(place).filter(|(found, _)| *found == name).map(|(_, place)| *place)
}

/// Gives each request the family of the first line that covers it.
fn assign_families(requests: &mut [Request], rules: &[Rule]) {
    // Most lines are about headers, of which there are few.
    let mut covering: HashMap<&str, Vec<usize>> = HashMap::new();
    for request in requests {
        let candidates = covering.entry(request.header).or_insert_with(|| {
            let rules = rules.iter().enumerate();
            rules.filter(|(_, rule)| rule.covers_header(request.header)).map(|(place, _)| place).collect()
        });
        let found = candidates.iter().copied().find_map(|place| {
            rules.get(place).filter(|rule| rule.covers_name(request.name)).map(|rule| (place, rule.family))
        });
        if let Some((place, family)) = found {
            (request.rule, request.family) = (Some(place), family);
        }
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
