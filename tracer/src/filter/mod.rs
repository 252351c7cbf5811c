//! Filters: expressions over the fields of a call and of its decoded argument.
//!
//! ```text
//! driver == i915 && ret < 0 && dur > 1ms && arg.flags has O_CLOEXEC
//! request in (TCGETS, TIOCGWINSZ) and not comm ~ "stty*"
//! ```
//!
//! - A **field** stands first; [`FieldId`] lists them. `arg.NAME` is a field of the decoded argument before or after the
//!   call, `in.NAME` before, `out.NAME` after. Paths lead on, as in JSON lines: `arg.fmt.pix.width`, `arg.msgs[0].len`,
//!   `arg.msgs[].len` (any element).
//! - **Comparisons**: `==`, `!=`, `<`, `<=`, `>`, `>=`, `in (a, b)`, `not in (a, b)`; `~` with a glob, in quotes or
//!   not; `=~` with a regular expression, which may match anywhere; `has` for flags (`A|B`: both) and parts of a
//!   text, or of any of several. A field alone, or followed by `exists`, asks whether it is there.
//! - **Values**: `25`, `0x19`, `031`, `-1`, `1.5`; durations `1ms`, `2.5us`, `1s`; sizes `4K`, `1MiB`; names of errors,
//!   requests, flags and constants; texts, in quotes where they are no plain word, with the escapes `\n \r \t \\ \" \'
//!   \xHH \NNN`.
//! - `and`, `or`, `not`, also written `&&`, `||`, `!`; `and` binds tighter than `or`, `not` tighter than both;
//!   parentheses.
//!
//! A comparison with a field that a call does not have is false, whichever way it is: `arg.count != 3` holds for calls
//! whose argument has a `count` other than 3, `not arg.count == 3` for all others too. The same goes for a field of an
//! argument that is of another kind than what it is compared with. Where there are several values (any element, before
//! and after, requests that cannot be told apart) one that fits is enough; of requests `!=` and `not in` are the opposite
//! of `==` and `in`. A constant matches where the field has that
//! name, a number anywhere.
//!
//! Evaluation takes the cheap fields first and decodes an argument only if they do not decide. It is bounded: expressions
//! in length and depth, patterns to time that grows with their length times that of the text.

mod check;
mod compile;
mod error;
mod kernel;
mod names;
mod path;
mod syntax;
#[cfg(test)]
mod tests;
mod token;

use std::collections::HashSet;

use ioctl_registry::{Registry, Request, Value};

pub use error::FilterError;
pub use kernel::KernelPart;

use self::{check::Check, compile::Compiler, path::Step};
use crate::{
    clock::WallClock,
    decode::Decoder,
    event::Event,
    field::{FieldId, FieldValue},
};

/// An expression that calls match or do not.
///
/// ```
/// use ioctl_registry::Registry;
/// use ioctl_trace::filter::Filter;
///
/// assert!(Filter::parse("dur > 1ms && errno == ENOTTY", Registry::builtin()).is_ok());
/// let error = Filter::parse("erno == ENOTTY", Registry::builtin()).unwrap_err();
/// assert_eq!(error.message(), "there is no field `erno`; did you mean `errno`?");
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
    clock: WallClock,
}

/// A part of an expression.
#[derive(Clone, Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Constant(bool),
    Test(Box<Test>),
}

/// A question about a call.
#[derive(Clone, Debug)]
struct Test {
    subject: Subject,
    check: Check,
}

/// What is asked about.
#[derive(Clone, Debug)]
enum Subject {
    /// A field.
    Field(FieldId),
    /// A part of a decoded value.
    Part(FieldId, Vec<Step>),
    /// The request: whether it is one of these, or none.
    Requests { names: HashSet<&'static str>, numbers: HashSet<u32>, negated: bool },
}

impl Filter {
    /// Reads an expression. The registry knows the names of requests, constants and fields in it.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str, registry: &'static Registry) -> Result<Self, FilterError> {
        let tree = syntax::parse(text).map_err(|mistake| FilterError::new(text, mistake))?;
        let root = Compiler::new(registry).node(&tree).map_err(|mistake| FilterError::new(text, mistake))?;
        Ok(Self { root, clock: WallClock::system() })
    }

    /// A filter that calls match which match both. The clock is that of the first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { root: Node::All(vec![self.root, other.root]), clock: self.clock }
    }

    /// The same filter with another clock, for calls of another time or machine.
    #[must_use]
    pub fn with_clock(self, clock: WallClock) -> Self {
        Self { clock, ..self }
    }

    /// Whether a call matches.
    pub fn matches(&self, event: &Event, decoder: &mut Decoder) -> bool {
        let mut call = Evaluation { event, decoder, clock: &self.clock, argument: None };
        call.holds(&self.root)
    }

    /// Whether any answer needs a field.
    #[must_use]
    pub fn uses(&self, field: FieldId) -> bool {
        self.root.any(&|test| test.field() == field)
    }

    /// Whether any answer needs the argument's contents.
    #[must_use]
    pub fn needs_argument(&self) -> bool {
        [FieldId::Argument, FieldId::In, FieldId::Out].into_iter().any(|field| self.uses(field))
    }

    /// Whether any answer needs what `--redact` leaves out.
    #[must_use]
    pub fn asks_what_is_redacted(&self) -> bool {
        self.needs_argument() || [FieldId::Arg, FieldId::Fds].into_iter().any(|field| self.uses(field))
    }

    /// Whether any answer needs the kernel's symbols.
    #[must_use]
    pub fn needs_symbols(&self) -> bool {
        [FieldId::Handler, FieldId::Module, FieldId::KernelStack].into_iter().any(|field| self.uses(field))
    }

    /// What every call that matches has in common, as far as the kernel side can tell. It never leaves out a call that
    /// matches, so that filtering by it first changes nothing but the cost.
    #[must_use]
    pub fn kernel_part(&self, registry: &'static Registry) -> KernelPart {
        kernel::implied(&self.root, false, registry)
    }
}

impl Node {
    fn any(&self, passes: &dyn Fn(&Test) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.any(passes)),
            Self::Not(inner) => inner.any(passes),
            Self::Constant(_) => false,
            Self::Test(test) => passes(test),
        }
    }
}

impl Test {
    /// The field that it is about.
    const fn field(&self) -> FieldId {
        match &self.subject {
            Subject::Field(id) | Subject::Part(id, _) => *id,
            Subject::Requests { .. } => FieldId::Request,
        }
    }
}

/// Whether a request that may be meant is among those of a test.
fn is_among(names: &HashSet<&'static str>, request: &Request) -> bool {
    names.contains(request.name())
}

/// The answers for one call. Its argument is decoded once, if at all.
struct Evaluation<'e, 'd> {
    event: &'e Event,
    decoder: &'d mut Decoder,
    clock: &'e WallClock,
    argument: Option<(Option<Value>, Option<Value>)>,
}

impl Evaluation<'_, '_> {
    fn holds(&mut self, node: &Node) -> bool {
        match node {
            Node::All(parts) => parts.iter().all(|part| self.holds(part)),
            Node::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Node::Not(inner) => !self.holds(inner),
            Node::Constant(value) => *value,
            Node::Test(test) => self.answer(test),
        }
    }

    fn answer(&mut self, test: &Test) -> bool {
        let check = &test.check;
        match &test.subject {
            Subject::Requests { names, numbers, negated } => {
                let named = self.event.request.named();
                let found = numbers.contains(&self.event.call.request)
                    || named.iter().any(|named| is_among(names, named.request));
                found != *negated
            }
            Subject::Field(id) => match id.get(self.event, self.decoder, self.clock) {
                FieldValue::Absent => false,
                FieldValue::Integer(number) if *id == FieldId::Errno => check.errno(number),
                FieldValue::Integer(number) => check.integer(number),
                FieldValue::Text(text) => check.text(&text),
                FieldValue::Texts(all) => check::texts(check, all.iter()),
                FieldValue::Truth(truth) => match check {
                    Check::Exists => truth,
                    check => check.integer(truth.into()),
                },
                FieldValue::Value(value) => check.value(&value),
            },
            Subject::Part(FieldId::Result, path) => {
                self.decoder.result(self.event).is_some_and(|value| check.part(&value, path))
            }
            Subject::Part(side, path) => {
                let (event, decoder) = (self.event, &*self.decoder);
                let (before, after) = self.argument.get_or_insert_with(|| decoder.arguments(event));
                let sides = match side {
                    FieldId::In => [before.as_ref(), None],
                    FieldId::Out => [None, after.as_ref()],
                    _ => [before.as_ref(), after.as_ref()],
                };
                let mut known =
                    sides.into_iter().flatten().filter(|value| !matches!(value, Value::Pointer(_)));
                known.any(|value| check.part(value, path))
            }
        }
    }
}
