//! The tables as one searchable registry.

use std::{collections::BTreeMap, sync::Arc, sync::OnceLock};

use crate::{
    arch::Arch,
    block::Block,
    decode::Plans,
    device::Device,
    facts::{Fact, Facts, MoreFact, MoreSet, Subcommand, collect},
    family::{Rule, Verdict},
    glob::glob_matches,
    parse,
    request::{Made, Request, Text},
    set::Set,
    tables::{self, System},
    types::{Layout, TypeError, Types, plain_name},
    windows,
};

/// The family of requests that no line of `families.tsv` covers.
pub(crate) const NO_FAMILY: &str = "other";

/// Everything known of ioctl numbers.
///
/// Requests are read when it is opened; types, sets and facts when they are first asked for, and numbers of an
/// architecture other than the native one likewise. A lookup does not allocate unless several answers come back.
#[derive(Debug)]
pub struct Registry {
    /// By name; of one name, today's come first.
    requests: Vec<Request>,
    /// Alias and place of the request, sorted.
    aliases: Vec<(Text, usize)>,
    /// Per architecture: number and place of the request, sorted.
    numbers: [OnceLock<Vec<Numbered>>; Arch::COUNT],
    /// Type and number within it with the place of the request, sorted, for those that a macro makes.
    codes: OnceLock<Vec<(u16, u32)>>,
    /// Type and place of the requests with parameters, sorted.
    parametrised: Vec<(u8, usize)>,
    /// By type.
    blocks: Vec<Block>,
    rules: Vec<Rule>,
    more: More,
    system: System,
    types: OnceLock<Types>,
    facts: OnceLock<Facts>,
    plans: Plans,
    /// The control codes of Windows.
    windows: OnceLock<Box<Registry>>,
    /// Lines that could not be read.
    skipped: usize,
}

/// A number with the place of its request.
pub(crate) type Numbered = (u32, u32);

/// What vendor files add.
#[derive(Debug, Default)]
pub(crate) struct More {
    pub requests: Vec<Request>,
    /// Those of the requests count from the first of them.
    pub rules: Vec<Rule>,
    pub types: Vec<(String, String)>,
    pub sets: Vec<MoreSet>,
    pub facts: Vec<MoreFact>,
    /// The same for Windows.
    pub windows: Option<Box<Self>>,
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
        BUILTIN.get_or_init(|| Self::with(More::default()))
    }

    /// The embedded tables and what vendor files add to them.
    pub(crate) fn with(more: More) -> Self {
        let texts = [&tables::REQUESTS, &tables::ALIASES, &tables::BLOCKS, &tables::FAMILIES]
            .map(tables::Table::text);
        Self::from_tables(System::Linux, texts, more)
    }

    fn from_tables(
        system: System,
        [requests, aliases, blocks, families]: [&'static str; 4],
        mut more: More,
    ) -> Self {
        let (mut skipped, windows) = (0, more.windows.take());
        let rule = |line| {
            let [family, devices] = parse::columns(line)?;
            Rule::new(family.into(), devices.into()).ok()
        };
        let mut rules = collect(families, rule, &mut skipped);
        let mut requests = collect(requests, Request::parse, &mut skipped);
        for request in &mut more.requests {
            request.rule = request.rule.map(|rule| rules.len() + rule);
        }
        rules.append(&mut more.rules);
        if !more.requests.is_empty() {
            requests.append(&mut more.requests);
            // Stable, so that what the build has put in order stays so.
            requests.sort_by(|a, b| a.name.cmp(&b.name));
        }
        for request in &mut requests {
            if let Some(rule) = request.rule.and_then(|rule| rules.get(rule)) {
                request.family = rule.family.clone();
            }
        }
        let mut blocks = collect(blocks, Block::parse, &mut skipped);
        blocks.sort_by_key(|block| (block.ty, block.first, block.last));
        let mut registry = Self {
            requests,
            aliases: Vec::new(),
            numbers: Default::default(),
            codes: OnceLock::new(),
            parametrised: Vec::new(),
            blocks,
            rules,
            more,
            system,
            types: OnceLock::new(),
            facts: OnceLock::new(),
            plans: Plans::default(),
            windows: OnceLock::new(),
            skipped,
        };
        registry.index(aliases);
        if let Some(more) = windows {
            registry.windows = Box::new(Self::of_windows(*more)).into();
        }
        registry
    }

    /// The control codes of Windows: requests that exist for its programs alone, each in the family of its device type.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Device, Lookup, Registry};
    ///
    /// let codes = Registry::builtin().windows();
    /// let request = codes.find("IOCTL_DISK_GET_DRIVE_GEOMETRY").unwrap();
    /// assert_eq!((request.number(Arch::Win64), request.family()), (Some(0x70000), "disk"));
    /// assert_eq!(request.control().unwrap().output, "DISK_GEOMETRY");
    /// // Whoever looks a number up need not know of it.
    /// let found = Registry::builtin().lookup(0x70000, Arch::Win32, &Device::default());
    /// assert_eq!(found.to_string(), "IOCTL_DISK_GET_DRIVE_GEOMETRY");
    /// ```
    #[must_use]
    pub fn windows(&self) -> &Self {
        if self.system == System::Windows {
            return self;
        }
        self.windows.get_or_init(|| Box::new(Self::of_windows(More::default())))
    }

    pub(crate) fn of_windows(mut more: More) -> Self {
        more.requests.extend(windows::Codes::builtin().codes().map(Request::of_code));
        Self::from_tables(System::Windows, [""; 4], more)
    }

    /// This one and that of control codes, for whoever looks for a name wherever it is from.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let find = |name| Registry::builtin().of_all().into_iter().find_map(|registry| registry.find(name));
    /// assert!(find("TCGETS").is_some() && find("IOCTL_DISK_GET_LENGTH_INFO").is_some());
    /// ```
    #[must_use]
    pub fn of_all(&self) -> [&Self; 2] {
        [self, self.windows()]
    }

    /// A registry of tables for tests: requests as the build leaves them, types, then sets, fields and sub-commands.
    #[cfg(test)]
    pub(crate) fn of_tests(requests: &'static str, types: &'static str, facts: [&'static str; 3]) -> Self {
        let registry = Self::from_tables(System::Linux, [requests, "", "", ""], More::default());
        let mut skipped = registry.skipped;
        let types = registry.types.set(Types::new(types, &[], &mut skipped));
        let facts = registry.facts.set(Facts::new(facts, (&[], &[]), &mut skipped));
        assert!(types.is_ok() && facts.is_ok() && skipped == 0);
        registry
    }

    fn index(&mut self, aliases: &'static str) {
        for [alias, canonical, _header] in collect(aliases, parse::columns, &mut self.skipped) {
            match self.place(canonical) {
                Some(place) => self.aliases.push((alias.into(), place)),
                None => self.skipped += 1,
            }
        }
        self.aliases.sort_unstable();
        let parameters = self.requests.iter().enumerate();
        self.parametrised =
            parameters.filter_map(|(place, request)| Some((request.parameters()?.ty(), place))).collect();
        self.parametrised.sort_unstable();
        self.numbers_of(Arch::native());
    }

    /// The index of an architecture's numbers.
    fn numbers_of(&self, arch: Arch) -> &[Numbered] {
        let Some(cell) = self.numbers.get(arch.index()) else { return &[] };
        cell.get_or_init(|| {
            let requests = (0_u32..).zip(&self.requests);
            let mut numbers: Vec<Numbered> =
                requests.filter_map(|(place, request)| Some((request.number(arch)?, place))).collect();
            numbers.sort_unstable();
            numbers
        })
    }

    /// The entries of a number, by name.
    pub(crate) fn group(&self, number: u32, arch: Arch) -> &[Numbered] {
        let numbers = self.numbers_of(arch);
        let start = numbers.partition_point(|(other, _)| *other < number);
        let rest = numbers.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|(other, _)| *other == number).count();
        rest.get(..length).unwrap_or_default()
    }

    pub(crate) fn at(&self, (_, place): Numbered) -> Option<&Request> {
        self.requests.get(place as usize)
    }

    /// The requests that a macro makes of a type and a number within it, by name.
    pub(crate) fn of_code(&self, ty: u8, nr: u8) -> impl Iterator<Item = &Request> {
        let codes = self.codes.get_or_init(|| {
            let made = (0_u32..).zip(&self.requests).filter(|(_, request)| request.made != Made::Plain);
            let code = |request: &Request| {
                // Type and number within it lie alike on every architecture.
                let number = Arch::ALL.into_iter().find_map(|arch| request.number(arch))?;
                u16::try_from(number & 0xffff).ok()
            };
            let mut codes: Vec<_> =
                made.filter_map(|(place, request)| Some((code(request)?, place))).collect();
            codes.sort_unstable();
            codes
        });
        let code = u16::from_be_bytes([ty, nr]);
        let start = codes.partition_point(|(other, _)| *other < code);
        let same = codes.iter().skip(start).take_while(move |(other, _)| *other == code);
        same.filter_map(|(_, place)| self.requests.get(*place as usize))
    }

    /// The requests with parameters of a type, by name.
    pub(crate) fn parametrised(&self, ty: u8) -> impl Iterator<Item = &Request> {
        let start = self.parametrised.partition_point(|(other, _)| *other < ty);
        let same = self.parametrised.iter().skip(start).take_while(move |(other, _)| *other == ty);
        same.filter_map(|(_, place)| self.requests.get(*place))
    }

    pub(crate) fn judge(&self, request: &Request, device: &Device<'_>) -> Verdict {
        let rule = request.rule.and_then(|rule| self.rules.get(rule));
        rule.map_or(Verdict::Undecided, |rule| rule.judge(device))
    }

    /// The first row of a name.
    fn place(&self, name: &str) -> Option<usize> {
        let place = self.requests.partition_point(|request| *request.name < *name);
        self.requests.get(place).filter(|request| request.name == name).map(|_| place)
    }

    /// The request of a name or an alias. Of several rows, the one of the newest headers.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let registry = Registry::builtin();
    /// assert_eq!(registry.find("TIOCINQ").unwrap().name(), "FIONREAD");
    /// assert!(registry.find("tiocinq").is_none());
    /// ```
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Request> {
        self.rows(name).first()
    }

    /// The request that an alias stands for.
    pub(crate) fn of_alias(&self, name: &str) -> Option<&Request> {
        let place = self.aliases.partition_point(|(alias, _)| **alias < *name);
        let (_, place) = self.aliases.get(place).filter(|(alias, _)| alias == name)?;
        self.requests.get(*place)
    }

    /// All rows of a name or an alias, the newest first: a request whose number has changed has several, and so has a
    /// name that two headers give to different requests.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// assert_eq!(Registry::builtin().rows("TCGETS").len(), 1);
    /// assert!(Registry::builtin().rows("NO_SUCH_NAME").is_empty());
    /// ```
    #[must_use]
    pub fn rows(&self, name: &str) -> &[Request] {
        let alias = || self.of_alias(name).and_then(|request| self.place(&request.name));
        let Some(place) = self.place(name).or_else(alias) else { return &[] };
        let rest = self.requests.get(place..).unwrap_or_default();
        let first = rest.first().map(Request::name);
        let length = rest.iter().take_while(|request| Some(request.name()) == first).count();
        rest.get(..length).unwrap_or_default()
    }

    /// The requests whose name or alias matches a glob (see [`crate::glob_matches`]), by name.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let names: Vec<_> = Registry::builtin().matching("TC[GS]ETA").map(|request| request.name()).collect();
    /// assert_eq!(names, ["TCGETA", "TCSETA"]);
    /// ```
    pub fn matching<'r>(&'r self, glob: &str) -> impl Iterator<Item = &'r Request> {
        let mut by_alias: Vec<_> = self
            .aliases
            .iter()
            .filter(|(alias, _)| glob_matches(glob, alias))
            .map(|(_, place)| *place)
            .collect();
        by_alias.sort_unstable();
        let requests = self.requests.iter().enumerate();
        requests
            .filter(move |(place, request)| {
                glob_matches(glob, &request.name) || by_alias.binary_search(place).is_ok()
            })
            .map(|(_, request)| request)
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
    pub fn aliases(&self, request: &Request) -> impl Iterator<Item = &str> {
        let target = self.place(&request.name);
        self.aliases.iter().filter(move |(_, place)| Some(*place) == target).map(|(alias, _)| &**alias)
    }

    /// The requests of a family, by name.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// assert!(Registry::builtin().family("kvm").any(|request| request.name() == "KVM_RUN"));
    /// ```
    pub fn family(&self, family: &str) -> impl Iterator<Item = &Request> {
        self.requests().filter(move |request| request.family == family)
    }

    /// The names of all families, sorted.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// assert!(Registry::builtin().families().any(|family| family == "drm"));
    /// ```
    pub fn families(&self) -> impl Iterator<Item = &str> {
        let mut families: Vec<&str> = self.requests.iter().map(Request::family).collect();
        families.sort_unstable();
        families.dedup();
        families.into_iter()
    }

    /// The devices that a request is addressed to, in the words of `families.tsv`: `char:136-143`, `handler:tty_ioctl`, ….
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// let registry = Registry::builtin();
    /// let request = registry.find("TCGETS").unwrap();
    /// assert!(registry.devices(request).any(|device| device == "handler:tty_ioctl"));
    /// ```
    pub fn devices(&self, request: &Request) -> impl Iterator<Item = &str> {
        let rule = request.rule.and_then(|rule| self.rules.get(rule));
        rule.into_iter().flat_map(|rule| rule.text.split(',')).filter(|device| !device.is_empty())
    }

    /// Every request, by name; of several rows of one name, the newest first.
    ///
    /// ```
    /// use ioctl_registry::{Arg, Registry};
    ///
    /// let typed = Registry::builtin().requests().filter(|request| request.arg().ty().is_some()).count();
    /// assert!(typed > 2000);
    /// ```
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter()
    }

    /// The numbers of an architecture that several names have, with these.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let (_, requests) = Registry::builtin().conflicts(Arch::X86_64).find(|it| it.0 == 0x5402).unwrap();
    /// let names: Vec<_> = requests.iter().map(|request| request.name()).collect();
    /// assert_eq!(names, ["SNDCTL_TMR_START", "TCSETS"]);
    /// ```
    pub fn conflicts(&self, arch: Arch) -> impl Iterator<Item = (u32, Vec<&Request>)> {
        let groups = self.numbers_of(arch).chunk_by(|a, b| a.0 == b.0);
        groups.filter_map(|group| {
            let mut requests: Vec<_> = group.iter().filter_map(|entry| self.at(*entry)).collect();
            requests.dedup_by(|a, b| a.name == b.name);
            (requests.len() > 1).then_some((group.first()?.0, requests))
        })
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

    /// Every assigned block, by type and first number.
    ///
    /// ```
    /// assert!(ioctl_registry::Registry::builtin().all_blocks().len() > 250);
    /// ```
    #[must_use]
    pub fn all_blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(crate) fn types(&self) -> &Types {
        self.types.get_or_init(|| Types::new(self.system.types(), &self.more.types, &mut 0))
    }

    pub(crate) fn plans(&self) -> &Plans {
        &self.plans
    }

    pub(crate) fn known_facts(&self) -> &Facts {
        self.facts
            .get_or_init(|| Facts::new(self.system.facts(), (&self.more.sets, &self.more.facts), &mut 0))
    }

    /// The layout of a type on an architecture: a named one, such as `struct winsize`, or an expression of C without
    /// parentheses, such as `char[128]`, `unsigned long`, `struct iovec*[2]`.
    ///
    /// Layouts of named types are made once and kept; expressions are made anew each time.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let registry = Registry::builtin();
    /// assert_eq!(registry.layout("struct winsize[2]", Arch::X86_64).unwrap().size, 16);
    /// assert_eq!(registry.layout("struct nobody", Arch::X86_64).unwrap_err().to_string(),
    ///     "no type is named `struct nobody`");
    /// ```
    ///
    /// # Errors
    /// The text is no type, names an unknown one, or one whose content no header tells.
    pub fn layout(&self, expression: &str, arch: Arch) -> Result<Arc<Layout>, TypeError> {
        self.types().layout(expression, arch)
    }

    /// The names of all types, sorted. Of types that share a name, all but one carry `~SUFFIX`.
    ///
    /// ```
    /// assert!(ioctl_registry::Registry::builtin().type_names().any(|name| name == "struct termios"));
    /// ```
    pub fn type_names(&self) -> impl Iterator<Item = &str> {
        self.types().names()
    }

    /// A set of constants by its name.
    #[must_use]
    pub fn set(&self, name: &str, arch: Arch) -> Option<&Set> {
        self.known_facts().set(name, arch)
    }

    /// Every set, by name.
    #[must_use]
    pub fn sets(&self) -> &[Set] {
        self.known_facts().sets()
    }

    /// What is known of a field. The type is named as in [`Layout::name`]; the field is a path such as `fmt.pix.flags`.
    #[must_use]
    pub fn facts(&self, ty: &str, field: &str) -> &[Fact] {
        self.known_facts().of_field(ty, field)
    }

    /// The fields of a type, or of a request, of which something is known, by path. Of one of several types that share a
    /// name that is also what is known of the name, of fields of which nothing is known of the type itself.
    pub fn facts_of<'r>(&'r self, ty: &str) -> impl Iterator<Item = (&'r str, &'r [Fact])> {
        let facts = self.known_facts();
        let own: Vec<_> = facts.of_type(ty).collect();
        let plain = Some(plain_name(ty)).filter(|plain| plain.len() < ty.len());
        let of_name = plain.into_iter().flat_map(|plain| facts.of_type(plain));
        let more: Vec<_> = of_name.filter(|(path, _)| own.iter().all(|(known, _)| known != path)).collect();
        own.into_iter().chain(more)
    }

    /// The sub-commands of a request, in the order of the header.
    pub fn subcommands(&self, request: &Request) -> impl Iterator<Item = &Subcommand> {
        self.subcommands_of(&request.name)
    }

    /// The sub-commands of a request, or of a type wherever that occurs, in the order of the header.
    ///
    /// ```
    /// use ioctl_registry::Registry;
    ///
    /// assert!(Registry::builtin().subcommands_of("BLKPG").count() >= 3);
    /// assert_eq!(Registry::builtin().subcommands_of("struct nobody").count(), 0);
    /// ```
    pub fn subcommands_of(&self, request_or_type: &str) -> impl Iterator<Item = &Subcommand> {
        self.known_facts().subcommands(request_or_type)
    }

    /// How many lines of the embedded tables cannot be read, table by table. There should be none.
    ///
    /// ```
    /// assert!(ioctl_registry::Registry::builtin().unreadable().values().all(|lines| *lines == 0));
    /// ```
    #[must_use]
    pub fn unreadable(&self) -> BTreeMap<&'static str, usize> {
        let (mut types, mut facts) = (0, 0);
        for registry in [self, self.windows()] {
            let table = Types::new(registry.system.types(), &[], &mut types);
            types += table.malformed();
            Facts::new(registry.system.facts(), (&[], &[]), &mut facts);
            facts += registry.sets().iter().map(Set::mistakes).sum::<usize>();
        }
        let windows = windows::Codes::builtin().skipped;
        BTreeMap::from([("requests", self.skipped), ("types", types), ("facts", facts), ("windows", windows)])
    }
}

/// Bytes of each embedded table in the program, and how many they are when opened.
///
/// ```
/// let packed: usize = ioctl_registry::embedded_sizes().map(|(_, packed, _)| packed).sum();
/// assert!(packed < 660_000);
/// ```
pub fn embedded_sizes() -> impl Iterator<Item = (&'static str, usize, usize)> {
    tables::ALL.iter().map(|(name, table)| (*name, table.packed_size(), table.text().len()))
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
