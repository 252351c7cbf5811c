//! The part of a filter that the kernel side can take: what every call that matches has in common.
//!
//! The kernel side asks when a call begins. Processes, users and requests stay what they are until it ends; a thread's
//! name does unless another thread changes it meanwhile.

use std::collections::{BTreeSet, HashSet};

use ioctl_registry::{Registry, Request};

use super::{
    Node, Subject, Test,
    check::{Check, Number, Wanted},
};
use crate::{
    event,
    field::FieldId,
    source::setup::{MAX_COMMS, MAX_PROCESSES, MAX_REQUESTS, MAX_UIDS, Requests, Wanted as Setting},
};

/// Conditions that every matching call fulfils; `None` where there is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelPart {
    /// The process is one of these.
    pub processes: Option<BTreeSet<u32>>,
    /// The thread has one of these names.
    pub comms: Option<BTreeSet<String>>,
    /// The user is one of these.
    pub uids: Option<BTreeSet<u32>>,
    /// The request has one of these numbers, or none of them.
    pub requests: Requests,
}

impl KernelPart {
    /// No call fulfils it.
    fn nothing() -> Self {
        Self { requests: Requests::Only(Vec::new()), ..Self::default() }
    }

    /// Whether no call fulfils it.
    fn is_nothing(&self) -> bool {
        self.requests == Requests::Only(Vec::new())
            || self.processes.as_ref().is_some_and(BTreeSet::is_empty)
            || self.comms.as_ref().is_some_and(BTreeSet::is_empty)
            || self.uids.as_ref().is_some_and(BTreeSet::is_empty)
    }

    fn both(self, other: Self) -> Self {
        Self {
            processes: both(self.processes, other.processes),
            comms: both(self.comms, other.comms),
            uids: both(self.uids, other.uids),
            requests: self.requests.and(other.requests),
        }
    }

    fn either(self, other: Self) -> Self {
        // What no call fulfils must not widen the conditions of the rest.
        if self.is_nothing() {
            return other;
        }
        if other.is_nothing() {
            return self;
        }
        Self {
            processes: either(self.processes, other.processes),
            comms: either(self.comms, other.comms),
            uids: either(self.uids, other.uids),
            requests: self.requests.or(other.requests),
        }
    }

    /// Adds these conditions to what the kernel side records, as far as there is room for them. Which processes and
    /// children are followed, and when tracing ends, stays as it is.
    pub fn restrict(&self, wanted: &mut Setting) {
        let requests = std::mem::take(&mut wanted.requests);
        if self.is_nothing() {
            wanted.requests = Requests::Only(Vec::new());
            return;
        }
        let narrower = requests.clone().and(self.requests.clone());
        // What was there before is needed for its own sake.
        wanted.requests = if narrower.len() <= MAX_REQUESTS { narrower } else { requests };
        if let Some(processes) = self.processes.as_ref().filter(|set| set.len() <= MAX_PROCESSES) {
            wanted.processes = processes.iter().copied().collect();
        }
        // The names there are of threads or of their processes, which is another condition; there is one set.
        if let Some(comms) =
            self.comms.as_ref().filter(|set| wanted.comms.is_empty() && set.len() <= MAX_COMMS)
        {
            wanted.comms = comms.iter().cloned().collect();
        }
        if let Some(uids) = self.uids.as_ref().filter(|set| set.len() <= MAX_UIDS) {
            if wanted.uids.is_empty() {
                wanted.uids = uids.iter().copied().collect();
            } else {
                wanted.uids.retain(|uid| uids.contains(uid));
                if wanted.uids.is_empty() {
                    wanted.requests = Requests::Only(Vec::new());
                }
            }
        }
    }
}

fn both<T: Ord + Clone>(left: Option<BTreeSet<T>>, right: Option<BTreeSet<T>>) -> Option<BTreeSet<T>> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.intersection(&right).cloned().collect()),
        (left, right) => left.or(right),
    }
}

fn either<T: Ord>(left: Option<BTreeSet<T>>, right: Option<BTreeSet<T>>) -> Option<BTreeSet<T>> {
    let (mut left, right) = (left?, right?);
    left.extend(right);
    Some(left)
}

/// What holds for every call that a node, or its negation, matches.
pub(super) fn implied(node: &Node, negated: bool, registry: &'static Registry) -> KernelPart {
    match node {
        Node::All(parts) | Node::Any(parts) => {
            let all = matches!(node, Node::All(_)) != negated;
            let parts = parts.iter().map(|part| implied(part, negated, registry));
            if all {
                parts.fold(KernelPart::default(), KernelPart::both)
            } else {
                parts.fold(KernelPart::nothing(), KernelPart::either)
            }
        }
        Node::Not(inner) => implied(inner, !negated, registry),
        Node::Constant(value) if *value != negated => KernelPart::default(),
        Node::Constant(_) => KernelPart::nothing(),
        Node::Test(test) => of_test(test, negated, registry),
    }
}

fn of_test(test: &Test, negated: bool, registry: &'static Registry) -> KernelPart {
    let mut part = KernelPart::default();
    match (&test.subject, &test.check) {
        (Subject::Requests { names, numbers, negated: inverse }, _) => {
            part.requests = if *inverse == negated {
                with_names(|request| names.contains(request.name()), numbers, registry)
            } else {
                without_names(names, numbers, registry)
            };
        }
        _ if negated => {}
        (Subject::Field(FieldId::Pid), Check::Is(pids)) => part.processes = numbers(pids),
        (Subject::Field(FieldId::Uid), Check::Is(uids)) => part.uids = numbers(uids),
        (Subject::Field(FieldId::Number), Check::Is(requests)) => {
            if let Some(numbers) = numbers(requests) {
                part.requests = Requests::Only(numbers.into_iter().collect());
            }
        }
        (Subject::Field(FieldId::Comm), Check::Is(names)) => {
            let name = |wanted: &Wanted| match wanted {
                Wanted::Text(bytes) if !bytes.contains(&0) => String::from_utf8(bytes.clone()).ok(),
                _ => None,
            };
            part.comms = names.iter().map(name).collect();
        }
        (Subject::Field(FieldId::Family), check @ (Check::Is(_) | Check::Glob(_) | Check::Regex(_))) => {
            let of_family = |request: &Request| check.text(request.family().as_bytes());
            part.requests = with_names(of_family, &HashSet::new(), registry);
        }
        _ => {}
    }
    part
}

/// The numbers that something is equal to one of; a number that is none of 32 bits is none of a process.
fn numbers(wanted: &[Wanted]) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for wanted in wanted {
        match wanted {
            Wanted::Number(Number::Integer(number)) => numbers.extend(u32::try_from(*number)),
            _ => return None,
        }
    }
    Some(numbers)
}

/// The numbers that calls of some requests have.
fn with_names(wanted: impl Fn(&Request) -> bool, numbers: &HashSet<u32>, registry: &Registry) -> Requests {
    let mut all: BTreeSet<u32> = numbers.iter().copied().collect();
    for request in
        registry.of_all().into_iter().flat_map(Registry::requests).filter(|request| wanted(request))
    {
        // The numbers of a request with parameters are too many to list.
        if request.parameters().is_some() {
            return Requests::Any;
        }
        all.extend(
            [event::arch(false), event::arch(true)].into_iter().filter_map(|arch| request.number(arch)),
        );
    }
    Requests::Only(all.into_iter().collect())
}

/// The numbers that calls of none of some requests have: a number is left out only if no device and no system call table
/// gives it a meaning that is none of these.
fn without_names(names: &HashSet<&'static str>, numbers: &HashSet<u32>, registry: &Registry) -> Requests {
    let arches = [event::arch(false), event::arch(true)];
    let rows = names.iter().flat_map(|name| registry.rows(name));
    let candidates = rows.flat_map(|row| arches.into_iter().filter_map(|arch| row.number(arch)));
    let never_another = |number: &u32| {
        arches.into_iter().all(|arch| {
            let meanings = registry.meanings(*number, arch);
            !meanings.is_empty() && meanings.iter().all(|named| names.contains(named.name()))
        })
    };
    let mut dropped: BTreeSet<u32> = candidates.filter(never_another).collect();
    dropped.extend(numbers);
    if dropped.is_empty() { Requests::Any } else { Requests::Except(dropped.into_iter().collect()) }
}
