//! Types into nodes: where in an element pointers lie, how long is what they point to, and what chooses it.

use std::{collections::HashMap, sync::Arc};

use ioctl_registry::{
    Arch, Base, Direction, Fact, Field, Layout, Registry, Request, Selector, Shape, Subcommand, What,
};
use ioctl_trace_ebpf::{Choice, ChoiceKey, NO_NODE, Node, Step, StepKind};

use super::{bits, directions};

mod choices;

/// Pointers behind pointers.
const MAX_DEPTH: u32 = 6;
/// Bytes of a text that only its NUL measures.
pub const MAX_TEXT: u32 = 4096;
/// Elements of an array within a struct whose steps are listed one by one; those of longer ones are found by the kernel
/// side.
const MAX_UNROLLED: u64 = 2;

/// The nodes, each made once.
pub struct Nodes<'r> {
    registry: &'r Registry,
    /// What the maps hold.
    pub nodes: Vec<Node>,
    pub steps: Vec<Step>,
    pub choices: Vec<(ChoiceKey, Choice)>,
    tables: u32,
    /// Nodes by type and architecture; `None` while one is being made: a type that leads to itself leads no further.
    known: HashMap<(String, Arch), Option<Target>>,
    /// What is known of the fields of types, and of requests' arguments: many occur in many others.
    said: HashMap<(Arc<str>, Arch), Arc<Said<'r>>>,
    same: HashMap<(u32, Vec<Step>), u32>,
}

/// A node and the directions in which anything travels behind it.
#[derive(Clone, Copy, Debug, Default)]
struct Target {
    node: u32,
    dir: u32,
}

/// A type around the present field of which something is known.
struct Scope<'r> {
    /// The present field, as a path from the type.
    path: String,
    /// Where the type's value begins.
    base: u32,
    said: Arc<Said<'r>>,
}

/// What is known of a type's fields. Offsets are from its beginning.
struct Said<'r> {
    /// By path.
    facts: Vec<(&'r str, &'r [Fact])>,
    /// What fields say of the lengths of others: path, and the field that says it.
    lengths: Vec<(String, Length)>,
    /// What chooses among the members.
    choosers: Vec<Chooser>,
}

/// A field that states a length.
#[derive(Clone, Copy, Debug)]
struct Length {
    offset: u32,
    width: u32,
    factor: u32,
    in_bytes: bool,
    /// It goes on behind the type: from this place on, which is counted too.
    tail: Option<u32>,
}

/// A field whose value chooses what lies at a place.
#[derive(Clone, Debug)]
struct Chooser {
    /// The member, or pointer, that it decides about.
    path: String,
    /// The value; `None` always.
    value: Option<Value>,
    /// Any value that no other has.
    other: bool,
    what: What,
    dir: u32,
}

/// A value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Value {
    offset: u32,
    width: u32,
    mask: u32,
    value: u32,
}

impl<'r> Nodes<'r> {
    /// Only the node without steps.
    pub fn new(registry: &'r Registry) -> Self {
        Self {
            registry,
            nodes: vec![Node::default()],
            steps: Vec::new(),
            choices: Vec::new(),
            tables: 0,
            known: HashMap::new(),
            said: HashMap::new(),
            same: HashMap::new(),
        }
    }

    /// What the types are taken from.
    pub const fn registry(&self) -> &'r Registry {
        self.registry
    }

    /// The node of elements of a size with these steps.
    pub fn node(&mut self, size: u32, mut steps: Vec<Step>) -> u32 {
        if steps.is_empty() {
            return NO_NODE;
        }
        // What has a structure comes first: plain bytes may take all that the limit leaves.
        steps.sort_by_key(|step| (step.node == NO_NODE && step.table == 0, step.length_width != 0));
        steps.dedup();
        let key = (size, steps);
        if let Some(node) = self.same.get(&key) {
            return *node;
        }
        let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let node = place(self.nodes.len());
        let first = place(self.steps.len());
        self.nodes.push(Node { size, first, steps: place(key.1.len()), reserved: 0 });
        self.steps.extend(&key.1);
        self.same.insert(key, node);
        node
    }

    /// The steps from what a request's argument points to.
    pub fn root(&mut self, request: &Request, ty: &str, arch: Arch) -> Option<(Arc<Layout>, Vec<Step>)> {
        let layout = self.registry.layout(ty, arch).ok()?;
        let scope = self.scope(request.name().into(), &layout, 0);
        let mut walk = Walk { nodes: self, arch, scopes: vec![scope], steps: Vec::new(), depth: 0 };
        walk.value(&layout, 0, &[]);
        walk.behind_whole(&layout);
        walk.behind_selectors(request.name(), &layout);
        let steps = walk.steps;
        Some((layout, steps))
    }

    /// The node of a type's values.
    fn target(&mut self, layout: &Arc<Layout>, depth: u32) -> Target {
        let key = (layout.title(), layout.arch);
        let named = !layout.name.is_empty();
        if named && let Some(known) = self.known.get(&key) {
            return known.unwrap_or_default();
        }
        if depth >= MAX_DEPTH {
            return Target::default();
        }
        if named {
            self.known.insert(key.clone(), None);
        }
        let mut walk = Walk { nodes: self, arch: layout.arch, scopes: Vec::new(), steps: Vec::new(), depth };
        walk.value(layout, 0, &[]);
        let steps = walk.steps;
        let dir = directions(&steps);
        let target = Target { node: self.node(u32::try_from(layout.size).unwrap_or(0), steps), dir };
        if named {
            self.known.insert(key, Some(target));
        }
        target
    }

    /// What is known of a type whose value begins at `base`.
    fn scope(&mut self, name: Arc<str>, layout: &Arc<Layout>, base: u32) -> Scope<'r> {
        let key = (Arc::clone(&name), layout.arch);
        let said = match self.said.get(&key) {
            Some(said) => Arc::clone(said),
            None => {
                let said = Arc::new(self.said(&name, layout));
                self.said.insert(key, Arc::clone(&said));
                said
            }
        };
        Scope { path: String::new(), base, said }
    }

    fn said(&self, name: &str, layout: &Arc<Layout>) -> Said<'r> {
        let mut lengths = Vec::new();
        let facts: Vec<_> = self.registry.facts_of(name).collect();
        for (path, facts) in &facts {
            for fact in *facts {
                let (measured, factor, in_bytes) = match fact {
                    Fact::Count(measured, factor) => (measured, *factor, false),
                    Fact::Bytes(measured, factor) => (measured, *factor, true),
                    Fact::Tail(measured) => (measured, 1, true),
                    _ => continue,
                };
                let Some((at, width)) = number_at(layout, path) else { continue };
                let factor = u32::try_from(factor).unwrap_or(u32::MAX);
                let tail = match fact {
                    Fact::Tail(_) => {
                        layout.place(measured).and_then(|place| u32::try_from(place.offset).ok())
                    }
                    _ => None,
                };
                let length = Length { offset: at, width, factor, in_bytes, tail };
                lengths.push((measured.to_string(), length));
            }
        }
        Said { facts, lengths, choosers: self.choosers(name, layout) }
    }

    /// What chooses among the members of a type.
    fn choosers(&self, name: &str, layout: &Arc<Layout>) -> Vec<Chooser> {
        let chooser = |command: &Subcommand| {
            let target = command.target()?;
            let [path] = target.path.as_slice() else { return None };
            let value = match value(&command.selector()?, command.value, layout) {
                Tag::Field(value) => Some(value),
                Tag::Always => None,
                Tag::Elsewhere => return None,
            };
            let dir = bits(command.dir.unwrap_or(Direction::ReadWrite));
            let other = value.is_some() && command.value.is_none();
            Some(Chooser { path: path.clone(), value, other, what: target.what, dir })
        };
        self.registry.subcommands_of(name).filter_map(chooser).collect()
    }

    /// A table of what values choose.
    fn table(&mut self, choices: impl IntoIterator<Item = (u32, Choice)>) -> u32 {
        self.tables += 1;
        let table = self.tables;
        let entry = |(value, choice)| (ChoiceKey { table, value }, choice);
        self.choices.extend(choices.into_iter().map(entry));
        table
    }
}

/// Where the value is that chooses.
enum Tag {
    /// In the type itself.
    Field(Value),
    /// Nothing to look at.
    Always,
    /// Not where the kernel side could look.
    Elsewhere,
}

fn value(selector: &Selector, value: Option<i128>, layout: &Arc<Layout>) -> Tag {
    let Base::Field(paths) = &selector.base else {
        return if selector.base == Base::Argument { Tag::Elsewhere } else { Tag::Always };
    };
    let [path] = paths.as_slice() else { return Tag::Elsewhere };
    let value = value.unwrap_or(0);
    let Some((at, width)) = number_at(layout, path) else { return Tag::Elsewhere };
    let mask = selector.mask.map_or(u32::MAX, low);
    Tag::Field(Value { offset: at, width, mask, value: low(value as u64) & mask })
}

/// The lowest 32 bits.
fn low(value: u64) -> u32 {
    (value & u64::from(u32::MAX)) as u32
}

/// Offset and bytes of a number in a type.
fn number_at(layout: &Arc<Layout>, path: &str) -> Option<(u32, u32)> {
    let place = layout.place(path)?;
    let is_number = matches!(place.layout.shape, Shape::Scalar(_) | Shape::Enumeration(_));
    let whole = place.bits.is_none() && is_number && matches!(place.layout.size, 1 | 2 | 4 | 8);
    whole.then_some((u32::try_from(place.offset).ok()?, u32::try_from(place.layout.size).ok()?))
}

/// The way through one type.
struct Walk<'n, 'r> {
    nodes: &'n mut Nodes<'r>,
    arch: Arch,
    scopes: Vec<Scope<'r>>,
    steps: Vec<Step>,
    depth: u32,
}

impl Walk<'_, '_> {
    /// A value at an offset of the element, which is there if one of the conditions holds; without any, always.
    fn value(&mut self, layout: &Arc<Layout>, offset: u32, conditions: &[Value]) {
        match &layout.shape {
            Shape::Record(record) => {
                let scoped = !layout.name.is_empty();
                if scoped {
                    let scope = self.nodes.scope(Arc::clone(&layout.name), layout, offset);
                    self.scopes.push(scope);
                }
                for field in &record.fields {
                    self.field(field, record.is_union, offset, conditions);
                }
                if scoped {
                    self.retyped(layout, offset);
                    self.scopes.pop();
                }
            }
            Shape::Array(element, Some(length)) => self.row(element, *length, offset, conditions),
            _ => {}
        }
    }

    /// A row of elements that are part of the value.
    fn row(&mut self, element: &Arc<Layout>, length: u64, offset: u32, conditions: &[Value]) {
        if !matches!(element.shape, Shape::Record(_) | Shape::Array(..)) {
            return;
        }
        let size = u32::try_from(element.size).unwrap_or(u32::MAX);
        if length <= MAX_UNROLLED {
            for place in 0..u32::try_from(length).unwrap_or(0) {
                self.value(element, offset.saturating_add(place.saturating_mul(size)), conditions);
            }
            return;
        }
        let target = self.nodes.target(element, self.depth + 1);
        let unit = u32::try_from(element.size.saturating_mul(length)).unwrap_or(u32::MAX);
        if target.node != NO_NODE {
            self.step(Step { offset, unit, ..Step::default() }, target, conditions);
        }
    }

    fn field(&mut self, field: &Field, of_union: bool, base: u32, conditions: &[Value]) {
        let Ok(within) = u32::try_from(field.offset) else { return };
        let offset = base.saturating_add(within);
        let lengths: Vec<usize> = self.scopes.iter().map(|scope| scope.path.len()).collect();
        self.enter(&field.name);
        if field.bits.is_none() {
            let chosen = if of_union { self.chosen() } else { Some(Vec::new()) };
            if let Some(chosen) = chosen {
                let conditions = if chosen.is_empty() { conditions } else { &chosen };
                self.content(field, offset, conditions);
            }
        }
        for (scope, length) in self.scopes.iter_mut().zip(lengths) {
            scope.path.truncate(length);
        }
    }

    fn enter(&mut self, name: &str) {
        if name.is_empty() {
            return;
        }
        for Scope { path, .. } in &mut self.scopes {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
    }

    /// When the present member of a union is in use: `None` if never as far as is known, no values if nothing is known.
    fn chosen(&self) -> Option<Vec<Value>> {
        let mut tagged = false;
        let mut values = Vec::new();
        for scope in &self.scopes {
            let parent = scope.path.rsplit_once('.').map_or("", |(parent, _)| parent);
            for chooser in &scope.said.choosers {
                let below = |of: &str| {
                    of.is_empty() || chooser.path.strip_prefix(of).is_some_and(|rest| rest.starts_with('.'))
                };
                let mine = chooser.path == scope.path || below(&scope.path);
                match (mine, chooser.value) {
                    (true, None) => return Some(Vec::new()),
                    (true, Some(value)) => values.push(value.behind(scope.base)),
                    (false, _) => tagged |= below(parent) && !parent.is_empty(),
                }
            }
        }
        if values.is_empty() && tagged { None } else { Some(values) }
    }

    fn content(&mut self, field: &Field, offset: u32, conditions: &[Value]) {
        let layout = &field.layout;
        // A row of one at the end is how headers wrote one of any length before C had these.
        if let Shape::Array(element, room) = &layout.shape {
            let length = self.length(element);
            let grows = length.is_some_and(|length| length.tail.is_some() || *room == Some(1));
            if grows || layout.size == 0 {
                if let Some(length) = length {
                    let only = self.fact(|fact| match fact {
                        Fact::Out => Some(bits(Direction::Read)),
                        Fact::In => Some(bits(Direction::Write)),
                        _ => None,
                    });
                    let only = only.unwrap_or(0);
                    let step = measured(length, element, Step { offset, only, ..Step::default() });
                    let target = self.nodes.target(element, self.depth + 1);
                    self.step(step, target, conditions);
                }
                return;
            }
        }
        let pointer = u32::try_from(layout.size).ok().filter(|size| matches!(size, 4 | 8));
        let scalar = matches!(layout.shape, Shape::Scalar(_) | Shape::Pointer(_));
        if let (Some(pointer), true) = (pointer, scalar) {
            let step = Step { offset, pointer, ..Step::default() };
            if self.fact(|fact| matches!(fact, Fact::Fd).then_some(())).is_some() {
                let step = Step { kind: StepKind::Descriptor as u32, ..step };
                self.step(step, Target::default(), conditions);
                return;
            }
            let pointee = self.pointee();
            let pointee = pointee.and_then(|(dir, ty)| self.to(Step { dir: bits(dir), ..step }, &ty));
            if !self.chosen_pointee(step, pointee)
                && let Some((step, target)) = pointee
            {
                self.step(step, target, conditions);
            }
            return;
        }
        self.retyped(layout, offset);
        self.value(layout, offset, conditions);
    }

    /// What the present field points to, as facts have it.
    fn pointee(&self) -> Option<(Direction, String)> {
        let pointee = |fact: &Fact| match fact {
            Fact::Pointer(dir, ty) => Some((*dir, ty.to_string())),
            _ => None,
        };
        // One without a direction must not be followed.
        self.fact(pointee).and_then(|(dir, ty)| Some((dir?, ty)))
    }

    /// A fact about the present field; the outermost type that has one knows best.
    fn fact<T>(&self, which: impl Fn(&Fact) -> Option<T>) -> Option<T> {
        self.scopes.iter().find_map(|scope| {
            let (_, facts) = scope.said.facts.iter().find(|(path, _)| *path == scope.path)?;
            facts.iter().find_map(&which)
        })
    }

    /// What states the length of the present field, a row of elements of this type: where they differ in size their number
    /// does not say it.
    fn length(&self, element: &Layout) -> Option<Length> {
        let own = |scope: &Scope<'_>| {
            let of_field = scope.said.lengths.iter().filter(|(path, _)| *path == scope.path);
            let placed =
                |(_, length): &(String, Length)| Length { offset: scope.base + length.offset, ..*length };
            of_field.map(placed).collect::<Vec<_>>()
        };
        let lengths: Vec<Length> = self.scopes.iter().flat_map(own).collect();
        let bytes = lengths.iter().find(|length| length.in_bytes).filter(|_| is_open(element));
        bytes.or(lengths.first()).copied()
    }

    /// Completes a step to a type, or to several values of it where its name ends in `[]`.
    fn to(&mut self, mut step: Step, ty: &str) -> Option<(Step, Target)> {
        let (element, several) = ty.strip_suffix("[]").map_or((ty, false), |element| (element, true));
        let layout = self.nodes.registry.layout(element, self.arch).ok()?;
        let size = u32::try_from(layout.size).ok()?;
        match self.length(&layout) {
            Some(length) => step = measured(length, &layout, step),
            None if several && element == "char" => {
                (step.unit, step.kind) = (MAX_TEXT, StepKind::Text as u32)
            }
            None => step.unit = size,
        }
        let target = self.nodes.target(&layout, self.depth + 1);
        Some((step, target))
    }

    /// Adds a step, once for each field that its conditions look at.
    fn step(&mut self, mut step: Step, target: Target, conditions: &[Value]) {
        step.node = target.node;
        // What lies behind has to be found in both directions in which any of it travels.
        step.dir |= target.dir;
        let Some(first) = conditions.first() else {
            self.steps.push(step);
            return;
        };
        let choice = Choice { node: step.node, size: 0, dir: step.dir, kind: step.kind };
        let same = conditions.iter().filter(|value| value.place() == first.place());
        let table = self.nodes.table(same.map(|value| (value.value, choice)));
        self.steps.push(first.chooses(Step { table, ..step }));
    }

    /// The step to what an argument points to that is an address itself.
    fn behind_whole(&mut self, layout: &Layout) {
        let pointer = u32::try_from(layout.size).ok().filter(|size| matches!(size, 4 | 8));
        let scalar = matches!(layout.shape, Shape::Scalar(_) | Shape::Pointer(_));
        let Some(pointer) = pointer.filter(|_| scalar) else { return };
        for scope in &mut self.scopes {
            scope.path.push('*');
        }
        if let Some((dir, ty)) = self.pointee()
            && let Some((step, target)) = self.to(Step { pointer, dir: bits(dir), ..Step::default() }, &ty)
        {
            self.step(step, target, &[]);
        }
        for scope in &mut self.scopes {
            scope.path.clear();
        }
    }
}

/// Whether values of a type differ in size.
fn is_open(layout: &Layout) -> bool {
    let Shape::Record(record) = &layout.shape else { return false };
    let last = record.fields.last().map(|field| &field.layout);
    last.is_some_and(|last| matches!(last.shape, Shape::Array(_, None)) || is_open(last))
}

impl Value {
    /// What it is a value of.
    const fn place(&self) -> (u32, u32, u32) {
        (self.offset, self.width, self.mask)
    }

    /// The same in a value that begins at an offset.
    const fn behind(self, base: u32) -> Self {
        Self { offset: base + self.offset, ..self }
    }

    /// A step that looks at this field.
    const fn chooses(&self, step: Step) -> Step {
        Step { choice_offset: self.offset, choice_width: self.width, choice_mask: self.mask, ..step }
    }
}

/// A step whose length a field states.
fn measured(length: Length, element: &Arc<Layout>, step: Step) -> Step {
    let unit = if length.in_bytes { 1 } else { u32::try_from(element.size).unwrap_or(u32::MAX) };
    Step {
        length_offset: length.offset,
        length_width: length.width,
        unit: unit.saturating_mul(length.factor),
        less: length.tail.unwrap_or(0),
        ..step
    }
}
