//! Sub-commands, planned: which value lies where, and what it says of the argument.

use std::sync::Arc;

use super::{
    plan::{Step, steps},
    planner::Planner,
};
use crate::{
    encoding::Direction,
    facts::Subcommand,
    name::Name,
    selector::{Base, Selector, What},
    types::{Bits, Layout, Place, Shape, plain_name},
};

/// What a value selects.
#[derive(Debug)]
pub struct Tag {
    pub selector: Where,
    pub mask: Option<u64>,
    /// By value.
    pub rows: Vec<Row>,
    /// Those of any other value.
    pub otherwise: Vec<Row>,
}

/// Where a value lies.
#[derive(Debug)]
pub enum Where {
    Argument,
    /// It is not known here.
    Domain,
    Answer,
    Always,
    Field {
        /// The field itself, if it lies in the argument and is no other type there.
        path: Vec<Step>,
        /// The first from the beginning of the type, each further one from where the one before points to.
        places: Vec<Spot>,
    },
}

/// A number in memory.
#[derive(Debug, Clone, Copy)]
pub struct Spot {
    pub offset: u64,
    /// In bytes.
    pub size: u64,
    pub bits: Option<Bits>,
    pub big_endian: bool,
}

/// What one value says.
#[derive(Debug)]
pub struct Row {
    pub value: u64,
    pub name: Name,
    pub target: Option<Goal>,
    pub dir: Option<Direction>,
}

/// Of which part it says what.
#[derive(Debug)]
pub struct Goal {
    /// Each but the first goes behind the address that the one before leads to.
    pub path: Vec<Vec<Step>>,
    pub what: Says,
}

/// What it says of a part.
#[derive(Debug)]
pub enum Says {
    /// It is the member in use.
    Member,
    /// It is the address of this type.
    Pointee(Arc<str>),
    /// Its bytes are of this type.
    Bytes(Arc<str>),
}

impl Tag {
    /// Whether a target is an address behind which the kernel may write.
    pub fn leads_on(&self) -> bool {
        self.rows.iter().chain(&self.otherwise).any(|row| {
            let behind = |goal: &Goal| goal.path.len() > 1 || matches!(goal.what, Says::Pointee(_));
            row.dir != Some(Direction::Write) && row.target.as_ref().is_some_and(behind)
        })
    }

    /// Bytes from the beginning of the argument to the end of the field that selects.
    pub fn reach(&self) -> Option<u64> {
        match &self.selector {
            Where::Field { places, .. } => places.first().map(Spot::end),
            _ => None,
        }
    }

    /// The path of the field that selects, if the constants are its names.
    pub fn own_path(&self) -> Option<&[Step]> {
        match &self.selector {
            Where::Argument => Some(&[]),
            Where::Field { path, .. } if !path.is_empty() && self.mask.is_none() => Some(path),
            _ => None,
        }
    }

    /// The rows of a value.
    pub fn rows_of(&self, value: u64) -> &[Row] {
        let start = self.rows.partition_point(|row| row.value < value);
        let rest = self.rows.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|row| row.value == value).count();
        rest.get(..length).unwrap_or_default()
    }
}

/// The sub-commands of a type, by its own name and by the plain one.
pub fn of_type(planner: &Planner<'_>, layout: &Arc<Layout>) -> Vec<Tag> {
    let plain = plain_name(&layout.name);
    let mut tags = of(planner, &layout.name, layout);
    if tags.is_empty() && plain.len() < layout.name.len() {
        tags = of(planner, plain, layout);
    }
    tags
}

/// The sub-commands of a request or a type.
pub fn of(planner: &Planner<'_>, name: &str, layout: &Arc<Layout>) -> Vec<Tag> {
    let mut tags: Vec<(&str, Tag)> = Vec::new();
    for command in planner.facts.subcommands(name) {
        let Some(selector) = command.selector() else { continue };
        let place = match tags.iter().position(|(text, _)| *text == command.selector) {
            Some(place) => place,
            None => {
                let Some(place) = locate(planner, &selector, layout) else { continue };
                let tag = Tag { selector: place, mask: selector.mask, rows: vec![], otherwise: vec![] };
                tags.push((command.selector, tag));
                tags.len() - 1
            }
        };
        if let (Some((_, tag)), Some(row)) = (tags.get_mut(place), row(command)) {
            let other = command.value.is_none() && !command.selector.is_empty();
            if other { tag.otherwise.push(row) } else { tag.rows.push(row) }
        }
    }
    let sorted = |(_, mut tag): (_, Tag)| {
        tag.rows.sort_by_key(|row| row.value);
        tag
    };
    tags.into_iter().map(sorted).collect()
}

fn row(command: &Subcommand) -> Option<Row> {
    let target = command.target()?;
    let what = match target.what {
        What::Nothing => None,
        What::Member => Some(Says::Member),
        What::Pointee(ty) => Some(Says::Pointee(ty.into())),
        What::Bytes(ty) => Some(Says::Bytes(ty.into())),
    };
    let path = target.path.iter().map(|path| steps(path)).collect::<Option<_>>()?;
    Some(Row {
        value: (command.value.unwrap_or_default() & i128::from(u64::MAX)) as u64,
        name: command.name.into(),
        target: what.map(|what| Goal { path, what }),
        dir: command.dir,
    })
}

/// Where a selector's value lies; `None` where the type has no such field.
fn locate(planner: &Planner<'_>, selector: &Selector, layout: &Arc<Layout>) -> Option<Where> {
    let paths = match &selector.base {
        Base::Argument => return Some(Where::Argument),
        Base::Domain => return Some(Where::Domain),
        Base::Answer => return Some(Where::Answer),
        Base::Always => return Some(Where::Always),
        Base::Field(paths) => paths,
    };
    let arch = layout.arch;
    let mut places = Vec::new();
    // The type that the present path starts in, if it is known.
    let mut within = Some(Arc::clone(layout));
    for (depth, path) in paths.iter().enumerate() {
        let found = within.as_ref().and_then(|layout| layout.place(path));
        let is_last = depth + 1 == paths.len();
        let place = match found {
            Some(place) => place,
            None if depth == 0 => return None,
            // An array of words, or a word at the beginning.
            None if path.starts_with('[') => planner.types.layout("ulong", arch).ok()?.place(path)?,
            None => planner.types.layout("u32", arch).ok()?.place("")?,
        };
        within = within.and_then(|layout| pointee(planner, &layout, path, &place));
        let place = match &selector.ty {
            Some(ty) if is_last => Place { layout: planner.types.layout(ty, arch).ok()?, ..place },
            _ => place,
        };
        places.push(Spot::of(&place));
    }
    let path = match paths.as_slice() {
        [path] if selector.ty.is_none() => steps(path)?,
        _ => Vec::new(),
    };
    Some(Where::Field { path, places })
}

/// What the field at a path points to, as facts or its type in C say.
fn pointee(planner: &Planner<'_>, layout: &Layout, path: &str, place: &Place) -> Option<Arc<Layout>> {
    let facts = planner.facts.of_field(&layout.name, path);
    let known = planner.known(facts, None, layout.arch).pointee.map(|pointee| pointee.ty);
    let said = known.filter(|ty| !ty.is_empty());
    let declared = match &place.layout.shape {
        Shape::Pointer(to) => Some(Arc::clone(to)),
        _ => None,
    };
    planner.types.layout(&said.or(declared)?, layout.arch).ok()
}

impl Spot {
    /// A number at a place. Of an array it is the first.
    pub fn of(place: &Place) -> Self {
        let mut layout = &place.layout;
        while let Shape::Array(element, _) = &layout.shape {
            layout = element;
        }
        let big_endian = match &layout.shape {
            Shape::Scalar(scalar) => scalar.is_big_endian(layout.arch),
            _ => layout.arch.is_big_endian(),
        };
        Self { offset: place.offset, size: layout.size, bits: place.bits, big_endian }
    }

    /// Bytes from the beginning to its end.
    pub fn end(&self) -> u64 {
        let end = match self.bits {
            Some(bits) => bits.start.saturating_add(bits.width).div_ceil(8),
            None => self.offset.saturating_add(self.size),
        };
        end.min(super::MAX_READ)
    }

    /// The number.
    pub fn read(&self, bytes: &[u8]) -> Option<u64> {
        let raw = match self.bits {
            Some(bits) => super::number::extract(bytes, bits, self.big_endian)?,
            None => {
                let bytes = bytes.get(usize::try_from(self.offset).ok()?..)?;
                super::number::integer(bytes, self.size, self.big_endian)?
            }
        };
        u64::try_from(raw).ok()
    }

    /// As many of the low bits as it has, or all of them.
    pub fn width_mask(&self) -> u64 {
        let width = self.bits.map_or(self.size.saturating_mul(8), |bits| bits.width);
        if width >= 64 { u64::MAX } else { (1 << width) - 1 }
    }
}
