//! Makes plans of types, and keeps them.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    plan::{
        Base, Content, FieldPlan, Kind, Known, Length, Number, Part, Plan, Pointee, RecordPlan, Root, Start,
        Unit, steps,
    },
    scope::{Measure, Scope, common, is_whole, length, merge, next, show},
    tag::{self, Spot, Tag},
    value::Show,
};
use crate::{
    arch::Arch,
    facts::{Fact, Facts},
    request::pointee,
    set,
    types::{Field, Layout, Shape, Types, plain_name},
};

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
