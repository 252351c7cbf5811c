//! Steps to what values choose: pointers and bytes of several types.

use std::sync::Arc;

use ioctl_registry::{Arch, Base, Direction, Layout, What};
use ioctl_trace_ebpf::{Choice, NO_NODE, Step};

use super::{
    super::{bits, directions},
    Chooser, Target, Value, Walk, low,
};

impl Walk<'_, '_> {
    /// Steps of a pointer that leads to what a value chooses, and to something else with any other value. `false` if
    /// nothing of the kind is known.
    pub(super) fn chosen_pointee(&mut self, step: Step, otherwise: Option<(Step, Target)>) -> bool {
        let rows = self.rows(|what| match what {
            What::Pointee(ty) => Some(ty.clone()),
            _ => None,
        });
        self.choose(step, &rows, otherwise);
        !rows.is_empty()
    }

    /// Steps to bytes that are of another type than the declared one: where that is longer, or leads further.
    pub(super) fn retyped(&mut self, declared: &Layout, offset: u32) {
        let mut rows = self.rows(|what| match what {
            What::Bytes(ty) => Some(ty.clone()),
            _ => None,
        });
        rows.retain(|row| {
            let layout = self.nodes.registry.layout(&row.ty, self.arch);
            layout.is_ok_and(|layout| {
                layout.size > declared.size || self.nodes.target(&layout, self.depth + 1).node != NO_NODE
            })
        });
        self.choose(Step { offset, ..Step::default() }, &rows, None);
    }

    /// What is said of the present field, or of the present type as a whole.
    fn rows(&self, what: impl Fn(&What) -> Option<String>) -> Vec<Row> {
        let choosers = self.scopes.iter().flat_map(|scope| {
            let here = scope.said.choosers.iter().filter(|chooser| chooser.path == scope.path);
            here.map(|chooser| (chooser, scope.base))
        });
        let row = |(chooser, base): (&Chooser, u32)| {
            let value = chooser.value.map(|value| value.behind(base));
            Some(Row { value, other: chooser.other, dir: chooser.dir, ty: what(&chooser.what)? })
        };
        choosers.filter_map(row).collect()
    }

    /// Adds a step for all types that values of one field choose, and one for each that is always there.
    fn choose(&mut self, step: Step, rows: &[Row], otherwise: Option<(Step, Target)>) {
        let mut chosen: Vec<(Value, Choice, Step)> = Vec::new();
        let mut others: Vec<(Value, Step, Target)> = Vec::new();
        for Row { value, other, dir, ty } in rows {
            let Some((to, target)) = self.to(step, ty) else { continue };
            let dir = dir | target.dir;
            match value {
                None => self.step(Step { dir, ..to }, target, &[]),
                Some(value) if *other => others.push((*value, Step { dir, ..to }, target)),
                Some(value) => {
                    let size = if to.length_width == 0 { to.unit } else { 0 };
                    chosen.push((*value, Choice { node: target.node, size, dir, kind: to.kind }, to));
                }
            }
        }
        // Where only other values choose something the table is empty.
        others.retain(|(value, to, target)| {
            let alone = chosen.iter().all(|(chosen, ..)| chosen.place() != value.place());
            if alone {
                let table = self.nodes.table([]);
                let step = Step { otherwise: to.dir, node: target.node, table, ..*to };
                self.steps.push(value.chooses(step));
            }
            !alone
        });
        while let Some((first, _, to)) = chosen.first().copied() {
            let other = others.iter().find(|(value, ..)| value.place() == first.place());
            let otherwise = other.map(|(_, to, target)| (*to, *target)).or(otherwise);
            let of_field = |(value, ..): &(Value, Choice, Step)| value.place() == first.place();
            let choices: Vec<_> = chosen
                .iter()
                .filter(|row| of_field(row))
                .map(|(value, choice, _)| (value.value, *choice))
                .collect();
            chosen.retain(|row| !of_field(row));
            let dir = choices.iter().fold(0, |dir, (_, choice)| dir | choice.dir);
            let table = self.nodes.table(choices);
            let step = match otherwise {
                Some((step, target)) => {
                    let otherwise = step.dir | target.dir;
                    Step { dir: dir | otherwise, otherwise, node: target.node, table, ..step }
                }
                None => Step { dir, table, ..to },
            };
            self.steps.push(first.chooses(step));
        }
    }

    /// Steps to what a request's selectors find behind a pointer: first what they look at, then what that chooses.
    pub(super) fn behind_selectors(&mut self, request: &str, layout: &Arc<Layout>) {
        let registry = self.nodes.registry;
        let mut groups: Vec<(String, Value, Vec<Row>)> = Vec::new();
        for command in registry.subcommands_of(request) {
            let (Some(selector), Some(target)) = (command.selector(), command.target()) else { continue };
            let (Base::Field(paths), Some(value)) = (&selector.base, command.value) else { continue };
            let ([pointer, field], [path], What::Pointee(ty)) =
                (paths.as_slice(), target.path.as_slice(), &target.what)
            else {
                continue;
            };
            if path != pointer {
                continue;
            }
            let value = Value { value: low(value as u64), ..behind(field, self.arch) };
            let dir = bits(command.dir.unwrap_or(Direction::ReadWrite));
            let row = Row { value: Some(value), other: false, dir, ty: ty.clone() };
            match groups.iter_mut().find(|(of, at, _)| of == pointer && at.place() == value.place()) {
                Some((_, _, rows)) => rows.push(row),
                None => groups.push((pointer.clone(), value, vec![row])),
            }
        }
        for (pointer, value, rows) in groups {
            let Some((offset, width)) = pointer_at(layout, &pointer) else { continue };
            let mut inner =
                Walk { nodes: self.nodes, arch: self.arch, scopes: Vec::new(), steps: Vec::new(), depth: 1 };
            inner.choose(Step::default(), &rows, None);
            let steps = inner.steps;
            let dir = bits(Direction::ReadWrite) | directions(&steps);
            let node = self.nodes.node(0, steps);
            let unit = value.offset + value.width;
            self.steps.push(Step { offset, pointer: width, dir, node, unit, ..Step::default() });
        }
    }
}

/// A type that something is chosen to be.
struct Row {
    /// The value that chooses it; `None` always.
    value: Option<Value>,
    /// Any value that no other row has.
    other: bool,
    dir: u32,
    ty: String,
}

/// A number behind a pointer to something of which no type is known: one of several `ulong`, or the `u32` at its
/// beginning.
fn behind(field: &str, arch: Arch) -> Value {
    let word = u32::try_from(arch.pointer_size()).unwrap_or(8);
    let index = field.strip_prefix('[').and_then(|index| index.strip_suffix(']')?.parse::<u32>().ok());
    match index {
        Some(index) => Value { offset: index.saturating_mul(word), width: word, mask: u32::MAX, value: 0 },
        None => Value { offset: 0, width: 4, mask: u32::MAX, value: 0 },
    }
}

/// Offset and bytes of an address in a type.
fn pointer_at(layout: &Arc<Layout>, path: &str) -> Option<(u32, u32)> {
    let place = layout.place(path)?;
    let size = u32::try_from(place.layout.size).ok().filter(|size| matches!(size, 4 | 8))?;
    Some((u32::try_from(place.offset).ok()?, size))
}
