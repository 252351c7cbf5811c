//! What is known of a type's fields, found once and kept: decoding looks nothing up by name.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    scalar::is_big_endian,
    scope::{Measure, Scope, common, is_whole, length, merge, next, show},
    tag::{self, Spot, Tag},
    value::Show,
};
use crate::{
    arch::Arch,
    encoding::Direction,
    facts::{Fact, Facts},
    name::Name,
    request::pointee,
    set,
    types::{Field, Layout, ScalarKind, Shape, Types, plain_name},
};

/// A type with what is known of it where it stands.
#[derive(Debug)]
pub struct Plan {
    pub layout: Arc<Layout>,
    pub known: Known,
    pub content: Content,
    /// It holds an address behind which the kernel may write.
    pub leads_on: bool,
}

/// What a type is made of, planned.
#[derive(Debug)]
pub enum Content {
    Plain,
    Array(Arc<Plan>),
    Record(Arc<RecordPlan>),
}

/// What is known of a value itself.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub kind: Kind,
    /// Place of its set.
    pub set: Option<usize>,
    /// What the names of its set or enumeration begin with.
    pub prefix: Option<Name>,
    pub pointee: Option<Pointee>,
    pub of: Option<Arc<str>>,
    /// What lies at the place within the buffer that it states.
    pub offset: Option<Arc<str>>,
    /// Place of the set whose values are the numbers of its bits.
    pub bitmap: Option<usize>,
    /// Place of the set of the names that its elements' places have.
    pub index: Option<usize>,
    pub big_endian: bool,
    pub out: bool,
    pub given: bool,
    /// Bytes are numbers.
    pub numbers: bool,
    /// Its greatest value has a name.
    pub max: bool,
    /// Its name stands beside its number.
    pub numeric: bool,
}

/// What an address leads to.
#[derive(Debug, Clone)]
pub struct Pointee {
    /// `None` where it must not be followed.
    pub dir: Option<Direction>,
    pub ty: Arc<str>,
}

impl Pointee {
    /// Whether the kernel may write there, or behind an address that lies there.
    pub fn leads_on(&self) -> bool {
        match self.dir {
            Some(Direction::Read | Direction::ReadWrite) => true,
            Some(Direction::Write) => self.ty.starts_with("struct ") || self.ty.starts_with("union "),
            Some(Direction::None) | None => false,
        }
    }
}

/// How a value is read and shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Plain,
    Text,
    Period,
    Tone,
    Char,
    Fraction,
    Fourcc,
    Fd,
    Dev,
    Hex,
    Port,
    Ipv4,
    Ipv6,
    Mac,
    Uuid,
    Time,
    Kernel,
}

impl Kind {
    /// Whether its bytes are no number.
    const fn is_address(self) -> bool {
        matches!(self, Self::Ipv4 | Self::Ipv6 | Self::Mac | Self::Uuid)
    }
}

/// A struct or a union, planned.
#[derive(Debug)]
pub struct RecordPlan {
    /// As many as the layout has.
    pub fields: Vec<FieldPlan>,
    /// The fields, in the order in which they are shown.
    pub parts: Vec<Part>,
    pub lengths: Vec<Length>,
    pub tags: Vec<Tag>,
    /// Its end is as long as there is data.
    pub open: bool,
    /// Where the contents of fields begin that do not begin at their place.
    pub starts: Vec<Start>,
    /// Fields that state places, and the offset that these are counted from.
    pub bases: Vec<Base>,
    /// What tells how far away the next element of a row is.
    pub next: Option<Next>,
    leads_on: bool,
    /// It is a union, and a member has a name to be shown by.
    spoken_for: bool,
}

/// A member, planned.
#[derive(Debug)]
pub struct FieldPlan {
    pub plan: Plan,
    pub show: Show,
    /// The name that it is shown by, if not its own.
    pub shown: Option<Name>,
}

/// Fields of a record that stand together.
#[derive(Debug)]
pub enum Part {
    /// The place of one.
    Field(usize),
    /// Some of which nothing but their bytes is needed.
    Numbers(Vec<Number>),
}

/// A field that is a number in bytes of its own, leads nowhere and travels both ways.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    /// Of the field.
    pub place: usize,
    /// Its name in C.
    pub name: Name,
    /// The name that it is shown by.
    pub shown: Name,
    pub show: Show,
    /// Bytes from the record's first.
    pub offset: u64,
    pub size: u64,
    pub big_endian: bool,
    pub scalar: ScalarKind,
    /// Nothing is known of it, and it is no longer than 64 bits.
    pub bare: bool,
}

impl Number {
    fn of(place: usize, field: &Field, own: &FieldPlan) -> Option<Self> {
        let Layout { size, shape, arch, .. } = &*own.plan.layout;
        let scalar = match shape {
            Shape::Scalar(scalar) => *scalar,
            Shape::Enumeration(of) => of.scalar,
            _ => return None,
        };
        let known = &own.plan.known;
        if field.bits.is_some()
            || known.pointee.is_some()
            || known.offset.is_some()
            || known.kind.is_address()
            || known.out
            || known.given
        {
            return None;
        }
        let bare = matches!(shape, Shape::Scalar(_))
            && (known.kind, known.set, known.max, *size <= 8) == (Kind::Plain, None, false, true);
        let big_endian = is_big_endian(known, scalar, *arch);
        Some(Self {
            place,
            name: field.name,
            shown: own.shown.unwrap_or(field.name),
            show: own.show,
            offset: field.offset,
            size: *size,
            big_endian,
            scalar: scalar.kind(),
            bare,
        })
    }
}

impl Plan {
    /// Whether it is a union of nothing but padding.
    fn is_padding(&self) -> bool {
        match (&self.layout.shape, &self.content) {
            (Shape::Record(record), Content::Record(plan)) => {
                record.is_union && plan.fields.iter().all(|field| field.show == Show::NonZero)
            }
            _ => false,
        }
    }
}

impl FieldPlan {
    /// When a member of it is shown.
    pub fn show_of(&self, field: &Field, member: &str) -> Show {
        let (Content::Record(plan), Shape::Record(record)) = (&self.plan.content, &field.layout.shape) else {
            return self.show;
        };
        let place = record.fields.iter().position(|field| *field.name == *member);
        place.and_then(|place| plan.fields.get(place)).map_or(self.show, |found| found.show)
    }

    /// Whether it is a union of whose members some have a name that says it all.
    pub fn is_spoken_for(&self) -> bool {
        match &self.plan.content {
            Content::Record(plan) => plan.spoken_for,
            Content::Plain | Content::Array(_) => false,
        }
    }
}

/// A field that measures another one.
#[derive(Debug, Clone)]
pub struct Length {
    pub from: Spot,
    /// Only the kernel writes it.
    pub out: bool,
    /// The kernel fills nothing unless there is room for all.
    pub all: bool,
    pub to: Vec<Step>,
    /// Where that begins.
    pub offset: u64,
    /// Size of one element, if it has any.
    pub element: u64,
    pub in_bytes: bool,
    pub factor: u64,
    /// What its number means.
    pub unit: Unit,
    pub arch: Arch,
    /// That has room for a fixed number of elements.
    pub fixed: bool,
    /// That has room for one, and goes on behind the struct.
    pub grows: bool,
}

/// How a number measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// It is the length.
    Plain,
    /// It is that of the whole value, from its beginning.
    Whole,
    /// It is the number of a request, which has a size.
    Ioc,
}

/// A field that says where the contents of another one begin.
#[derive(Debug, Clone)]
pub struct Start {
    pub from: Spot,
    pub to: Vec<Step>,
    /// Where that field lies.
    pub offset: u64,
}

/// What the places that a field states are counted from.
#[derive(Debug, Clone)]
pub struct Base {
    pub of: Vec<Step>,
    /// Bytes from the beginning of the record.
    pub offset: u64,
}

/// A field that says how far away the next element is.
#[derive(Debug, Clone, Copy)]
pub struct Next {
    pub from: Spot,
    /// Counted from the first element, not from this one.
    pub from_first: bool,
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Name(Name),
    Index(u64),
}

/// The argument of a request, planned.
#[derive(Debug)]
pub struct Root {
    pub plan: Plan,
    pub tags: Vec<Tag>,
    /// The call returns how many bytes of it were filled.
    pub measured: bool,
}

/// Plans by what they are of, per architecture.
#[derive(Debug, Default)]
pub struct Plans {
    records: Kept<RecordPlan>,
    types: Kept<Plan>,
    roots: Kept<Root>,
    results: Kept<Known>,
}

/// Things by architecture and two names. What cannot be made is kept as such.
#[derive(Debug)]
struct Kept<T>([RwLock<HashMap<Box<str>, Several<T>>>; Arch::COUNT]);

/// Those of one first name, by the second.
type Several<T> = Vec<(Box<str>, Option<Arc<T>>)>;

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }
}

impl<T> Kept<T> {
    /// No lock is held while something is made: making it asks for others.
    fn get(
        &self,
        (name, more): (&str, &str),
        arch: Arch,
        make: impl FnOnce() -> Option<T>,
    ) -> Option<Arc<T>> {
        let kept = self.0.get(arch.index())?;
        if let Some(several) = kept.read().unwrap_or_else(PoisonError::into_inner).get(name)
            && let Some((_, known)) = several.iter().find(|(other, _)| **other == *more)
        {
            return known.clone();
        }
        let made = make().map(Arc::new);
        let mut kept = kept.write().unwrap_or_else(PoisonError::into_inner);
        let several = kept.entry(name.into()).or_default();
        if !several.iter().any(|(other, _)| **other == *more) {
            several.push((more.into(), made.clone()));
        }
        made
    }
}

/// Makes plans.
#[derive(Clone, Copy)]
pub struct Planner<'r> {
    pub facts: &'r Facts,
    pub types: &'r Types,
    pub plans: &'r Plans,
}

impl<'r> Planner<'r> {
    /// The plan of a type expression.
    pub fn named(&self, ty: &str, arch: Arch) -> Option<Arc<Plan>> {
        let make = || Some(self.of(&self.types.layout(ty, arch).ok()?));
        self.plans.types.get((ty, ""), arch, make)
    }

    /// The plan of a layout.
    pub fn of(&self, layout: &Arc<Layout>) -> Plan {
        self.value(layout, &[], &[])
    }

    /// The plan of a request's argument, which may be `=TYPE`.
    pub fn root(&self, request: &str, arg: &str, arch: Arch) -> Option<Arc<Root>> {
        let make = || {
            let (by_value, ty) = arg.strip_prefix('=').map_or((false, arg), |ty| (true, ty));
            let ty = if by_value { ty } else { pointee(ty) };
            let layout = self.types.layout(ty, arch).ok()?;
            let facts = self.facts.of_field(request, if by_value { "@arg" } else { "*" });
            let plan = self.value(&layout, facts, &[self.scope(request)]);
            let tags = tag::of(self, request, &layout);
            // Facts of a macro with a constant are about its argument.
            let name = request.split('(').next().unwrap_or(request);
            let returned = self.facts.of_field(name, "@ret");
            let measured = returned.iter().any(|fact| matches!(fact, Fact::Bytes(whole, 1) if *whole == "*"));
            Some(Root { plan, tags, measured })
        };
        self.plans.roots.get((request, arg), arch, make)
    }

    /// The plan of a buffer of a control code, `@in` or `@out`, with what its values say of the other one.
    pub fn side(&self, request: &str, side: &str, ty: &str, arch: Arch) -> Option<Arc<Root>> {
        let make = || {
            let layout = self.types.layout(ty, arch).ok()?;
            let plan = self.value(&layout, self.facts.of_field(request, side), &[]);
            Some(Root { plan, tags: tag::of(self, request, &layout), measured: false })
        };
        self.plans.roots.get((request, side), arch, make)
    }

    /// What is known of the result of a request, if anything is.
    pub fn result(&self, request: &str, arch: Arch) -> Option<Arc<Known>> {
        let make = || {
            let facts = self.facts.of_field(request, "@ret");
            (!facts.is_empty()).then(|| self.known(facts, None, arch))
        };
        self.plans.results.get((request, ""), arch, make)
    }

    /// What is known of a single value.
    pub fn known(&self, facts: &[Fact], layout: Option<&Layout>, arch: Arch) -> Known {
        let mut known = Known::default();
        if let Some(Shape::Enumeration(of)) = layout.map(|layout| &layout.shape) {
            known.prefix = set::prefix(of.constants.iter().map(|(name, _)| &**name));
        }
        for fact in facts {
            match fact {
                Fact::Set(name) => {
                    known.set = self.facts.set_place(name, arch);
                    let set = known.set.and_then(|place| self.facts.sets().get(place));
                    known.prefix = set.and_then(|set| set.prefix().cloned());
                }
                Fact::Text => known.kind = Kind::Text,
                Fact::Period => known.kind = Kind::Period,
                Fact::Tone => known.kind = Kind::Tone,
                Fact::Char => known.kind = Kind::Char,
                Fact::Fraction => known.kind = Kind::Fraction,
                Fact::Kernel => known.kind = Kind::Kernel,
                Fact::Numbers => known.numbers = true,
                Fact::Max => known.max = true,
                Fact::Numeric => known.numeric = true,
                Fact::Pointer(dir, ty) => {
                    known.pointee = Some(Pointee { dir: *dir, ty: (&**ty).into() });
                }
                Fact::Bitmap(set) => known.bitmap = self.facts.set_place(set, arch),
                Fact::Index(set) => known.index = self.facts.set_place(set, arch),
                Fact::Of(ty) => known.of = Some((&**ty).into()),
                Fact::Offset(ty, _) => known.offset = Some((&**ty).into()),
                Fact::Fourcc => known.kind = Kind::Fourcc,
                Fact::Fd => known.kind = Kind::Fd,
                Fact::Dev => known.kind = Kind::Dev,
                Fact::Hex => known.kind = Kind::Hex,
                Fact::Port => known.kind = Kind::Port,
                Fact::Ipv4 => known.kind = Kind::Ipv4,
                Fact::Ipv6 => known.kind = Kind::Ipv6,
                Fact::Mac => known.kind = Kind::Mac,
                Fact::Uuid => known.kind = Kind::Uuid,
                Fact::Time => known.kind = Kind::Time,
                Fact::BigEndian => known.big_endian = true,
                Fact::Out => known.out = true,
                Fact::In => known.given = true,
                Fact::Count(..)
                | Fact::Bytes(..)
                | Fact::Tail(_)
                | Fact::Start(_)
                | Fact::Ioc(_)
                | Fact::Next
                | Fact::NextFromFirst
                | Fact::Verbose
                | Fact::Reserved
                | Fact::All
                | Fact::As(_)
                | Fact::After(_) => {}
            }
        }
        known
    }

    /// What a type or a request says of the fields within.
    fn scope(&self, name: &str) -> Scope<'r> {
        let facts: Vec<_> = self.facts.of_type(name).filter(|(field, _)| !is_whole(field)).collect();
        let (mut lengths, mut starts, mut bases) = (Vec::new(), Vec::new(), Vec::new());
        for (field, facts) in &facts {
            for fact in *facts {
                let (to, in_bytes, factor, unit) = match fact {
                    Fact::Count(to, factor) => (&**to, false, *factor, Unit::Plain),
                    Fact::Bytes(to, factor) => (&**to, true, *factor, Unit::Plain),
                    Fact::Tail(to) | Fact::Start(to) => (&**to, true, 1, Unit::Whole),
                    Fact::Ioc(to) => (&**to, true, 1, Unit::Ioc),
                    Fact::Offset(_, Some(to)) => (&**to, true, 1, Unit::Plain),
                    _ => continue,
                };
                let (path, from, to) = common(field, to);
                let measure = Measure { path, from, to, in_bytes, factor, unit };
                match fact {
                    Fact::Start(_) => starts.push(measure),
                    Fact::Offset(..) => bases.push(measure),
                    _ => lengths.push(measure),
                }
            }
        }
        Scope { facts, lengths, starts, bases }
    }

    /// The scope of a type by its own name and, of several that share one, by the plain name.
    fn scopes_of(&self, layout: &Layout) -> Vec<Scope<'r>> {
        let name: &str = &layout.name;
        let plain = plain_name(name);
        let names = [Some(name), Some(plain).filter(|plain| *plain != name)];
        let scopes = names.into_iter().flatten().filter(|name| !name.is_empty()).map(|name| self.scope(name));
        scopes.filter(|scope| !scope.is_empty()).collect()
    }

    /// A value of which `own` is known, and of whose fields the scopes, the outermost first.
    fn value(&self, layout: &Arc<Layout>, own: &[Fact], scopes: &[Scope<'_>]) -> Plan {
        let known = self.known(own, Some(layout), layout.arch);
        let content = match &layout.shape {
            Shape::Array(element, _) => Content::Array(Arc::new(self.value(element, own, scopes))),
            Shape::Record(_) if scopes.iter().all(Scope::is_empty) && !layout.name.is_empty() => {
                let record = self
                    .plans
                    .records
                    .get((&layout.name, ""), layout.arch, || Some(self.record(layout, &[])));
                record.map_or(Content::Plain, Content::Record)
            }
            Shape::Record(_) => Content::Record(Arc::new(self.record(layout, scopes))),
            _ => Content::Plain,
        };
        let within = match &content {
            Content::Plain => false,
            Content::Array(element) => element.leads_on,
            Content::Record(record) => record.leads_on,
        };
        let leads_on = within || known.pointee.as_ref().is_some_and(Pointee::leads_on);
        Plan { layout: Arc::clone(layout), known, content, leads_on }
    }

    fn record(&self, layout: &Arc<Layout>, outer: &[Scope<'_>]) -> RecordPlan {
        let own = self.scopes_of(layout);
        let scopes: Vec<&Scope<'_>> = outer.iter().chain(&own).collect();
        let Shape::Record(record) = &layout.shape else {
            return RecordPlan {
                fields: vec![],
                parts: vec![],
                lengths: vec![],
                tags: vec![],
                open: false,
                starts: vec![],
                bases: vec![],
                next: None,
                leads_on: false,
                spoken_for: false,
            };
        };
        let fields: Vec<FieldPlan> = record
            .fields
            .iter()
            .map(|field| {
                let (mut facts, mut inner) = (Vec::new(), Vec::new());
                if field.name.is_empty() {
                    inner.extend(scopes.iter().map(|scope| (*scope).clone()));
                } else {
                    // From the innermost: what a type further out says wins.
                    for scope in scopes.iter().rev() {
                        merge(&mut facts, scope.here(&field.name));
                    }
                    inner.extend(scopes.iter().map(|scope| scope.within(&field.name)));
                }
                inner.retain(|scope| !scope.is_empty());
                let mut show = show(&field.name, &facts);
                let known = |fact: &Fact| matches!(fact, Fact::Set(_) | Fact::Dev);
                if show == Show::NonZero && !facts.iter().any(known) {
                    // Nobody knows what it should be.
                    facts.push(Fact::Hex);
                }
                let shown = facts.iter().find_map(|fact| match fact {
                    Fact::As(name) => Some((&**name).into()),
                    _ => None,
                });
                let plan = self.value(&field.layout, &facts, &inner);
                if field.name.is_empty() && plan.is_padding() {
                    show = Show::NonZero;
                }
                FieldPlan { plan, show, shown }
            })
            .collect();
        let parts = parts(&record.fields, &fields, self.order(&record.fields, &scopes));
        let mut lengths: Vec<Length> = Vec::new();
        for measure in
            scopes.iter().flat_map(|scope| &scope.lengths).filter(|measure| measure.path.is_empty())
        {
            let facts = scopes.iter().find_map(|scope| {
                scope.facts.iter().find(|(path, _)| *path == measure.from).map(|(_, facts)| *facts)
            });
            lengths.extend(length(layout, measure, facts.unwrap_or_default()));
        }
        let here = scopes.iter().flat_map(|scope| &scope.starts).filter(|start| start.path.is_empty());
        let starts = here.filter_map(|start| {
            let (from, to) = (layout.place(start.from)?, layout.place(start.to)?);
            Some(Start { from: Spot::of(&from), to: steps(start.to)?, offset: to.offset })
        });
        let starts = starts.collect();
        let here = scopes.iter().flat_map(|scope| &scope.bases).filter(|base| base.path.is_empty());
        let bases = here
            .filter_map(|base| Some(Base { of: steps(base.from)?, offset: layout.place(base.to)?.offset }));
        let bases = bases.collect();
        let next = next(layout, &scopes);
        let open = is_open(layout, &lengths) || next.is_some();
        let tags = if layout.name.is_empty() { Vec::new() } else { tag::of_type(self, layout) };
        let leads_on = fields.iter().any(|field| field.plan.leads_on) || tags.iter().any(Tag::leads_on);
        let spoken_for = record.is_union && fields.iter().any(|field| field.shown.is_some());
        RecordPlan { fields, parts, lengths, tags, open, starts, bases, next, leads_on, spoken_for }
    }
}

impl Planner<'_> {
    /// The places of fields in the order in which they are shown: the type's, but for those that belong behind another.
    fn order(&self, fields: &[Field], scopes: &[&Scope<'_>]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..fields.len()).collect();
        let behind = |name: &str| {
            let facts = scopes.iter().flat_map(|scope| scope.here(name));
            facts.into_iter().find_map(|fact| match fact {
                Fact::After(other) => fields.iter().position(|field| *field.name == **other),
                _ => None,
            })
        };
        for (place, field) in fields.iter().enumerate().filter(|(_, field)| !field.name.is_empty()) {
            let Some(other) = behind(&field.name) else { continue };
            order.retain(|moved| *moved != place);
            let at = order.iter().position(|found| *found == other).map_or(order.len(), |at| at + 1);
            order.insert(at, place);
        }
        order
    }
}

/// Fields in an order, those that are but numbers together.
fn parts(fields: &[Field], plans: &[FieldPlan], order: Vec<usize>) -> Vec<Part> {
    let mut parts = Vec::new();
    for place in order {
        let number = fields.get(place).zip(plans.get(place));
        match (number.and_then(|(field, own)| Number::of(place, field, own)), parts.last_mut()) {
            (Some(number), Some(Part::Numbers(numbers))) => numbers.push(number),
            (Some(number), _) => parts.push(Part::Numbers(vec![number])),
            (None, _) => parts.push(Part::Field(place)),
        }
    }
    parts
}

/// The steps of a path.
pub fn steps(path: &str) -> Option<Vec<Step>> {
    let owned = |step| match step {
        crate::types::Step::Name(name) => Step::Name(name.into()),
        crate::types::Step::Index(index) => Step::Index(index),
    };
    crate::types::steps(path).map(|step| step.map(owned)).collect()
}

/// Whether the last field is as long as there is data: it has no length of its own, or one that stands for none and
/// another field measures it.
fn is_open(layout: &Layout, lengths: &[Length]) -> bool {
    let Shape::Record(record) = &layout.shape else { return false };
    if record.is_union {
        return record.fields.iter().any(|field| is_open(&field.layout, &[]));
    }
    let Some(last) = record.fields.last() else { return false };
    match &last.layout.shape {
        Shape::Array(_, None) => true,
        Shape::Array(..) => lengths.iter().any(|length| length.grows),
        // What it measures may lie in the last field.
        _ => lengths.iter().any(|length| length.grows) || is_open(&last.layout, &[]),
    }
}
