//! Compiles the registry into the capture plan: which bytes the kernel side copies for each request, and which pointers
//! in them it follows. What the bytes mean is not known here.

mod nodes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ioctl_registry::{Arch, Arg, Direction, Fact, Registry, Request, Shape};
use ioctl_trace_ebpf::{Choice, ChoiceKey, NO_NODE, Node, PLAN_IN, PLAN_OUT, Plan, PlanKey, Step};

use crate::event;
use nodes::Nodes;

/// Everything that the kernel side's maps hold. What is added later leaves in its place what is there.
pub struct Plans<'r> {
    /// Plans of the requests whose numbers do not say all.
    plans: Vec<(PlanKey, Plan)>,
    nodes: Nodes<'r>,
}

impl<'r> Plans<'r> {
    /// Nothing yet, of a registry.
    #[must_use]
    pub fn new(registry: &'r Registry) -> Self {
        Self { plans: Vec::new(), nodes: Nodes::new(registry) }
    }

    /// Compiles all requests for the native calls of this machine, or for those of 32-bit programs.
    pub fn compile(&mut self, compat: bool) {
        let arch = event::arch(compat);
        if compat && arch == Arch::native() {
            return;
        }
        for (number, requests) in by_number(self.nodes.registry(), arch) {
            if let Some(plan) = plan(&mut self.nodes, &requests, arch)
                && plan != Plan::of_number(number)
            {
                self.plans.push((PlanKey { request: number, compat: u32::from(compat) }, plan));
            }
        }
    }

    /// Plans of the requests whose numbers do not say all.
    #[must_use]
    pub fn plans(&self) -> &[(PlanKey, Plan)] {
        &self.plans
    }

    /// The nodes; the first one has no steps.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes.nodes
    }

    /// Their steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.nodes.steps
    }

    /// What values choose.
    #[must_use]
    pub fn choices(&self) -> &[(ChoiceKey, Choice)] {
        &self.nodes.choices
    }
}

/// The requests of each number. Those whose number has parameters are left out: what it says is all there is to know.
fn by_number(registry: &Registry, arch: Arch) -> BTreeMap<u32, Vec<&Request>> {
    let mut numbers: BTreeMap<u32, Vec<&Request>> = BTreeMap::new();
    for request in registry.requests() {
        if let Some(number) = request.number(arch) {
            numbers.entry(number).or_default().push(request);
        }
    }
    numbers
}

/// The plan of the requests that share a number: the device may tell them apart later, so that it serves all of them.
fn plan(nodes: &mut Nodes<'_>, requests: &[&Request], arch: Arch) -> Option<Plan> {
    let mut plan: Option<Plan> = None;
    let mut roots = Vec::new();
    for request in requests {
        let Some((own, steps)) = of_request(nodes, request, arch) else { continue };
        roots.extend(steps);
        plan = Some(match plan {
            None => own,
            Some(other) => Plan {
                size: own.size.max(other.size),
                node: NO_NODE,
                dir: own.dir | other.dir,
                // Earned by succeeding only if all of them agree.
                on_success: (own.on_success & other.on_success)
                    | (own.on_success & !other.dir)
                    | (other.on_success & !own.dir),
                text: own.text & other.text,
                reserved: 0,
                arg_is_fd: own.arg_is_fd & other.arg_is_fd,
                result_is_fd: own.result_is_fd | other.result_is_fd,
            },
        });
    }
    let mut plan = plan?;
    plan.dir |= directions(&roots);
    plan.on_success &= plan.dir;
    plan.node = nodes.node(0, roots);
    Some(plan)
}

/// What is copied of the argument itself, and the steps from there. `None` where only the number says.
fn of_request(nodes: &mut Nodes<'_>, request: &Request, arch: Arch) -> Option<(Plan, Vec<Step>)> {
    let is_fd = |field| nodes.registry().facts(request.name(), field).contains(&Fact::Fd);
    let plan = Plan { result_is_fd: is_fd("@ret").into(), ..Plan::default() };
    let ty = match request.arg() {
        Arg::Unknown => return None,
        Arg::None => return Some((plan, Vec::new())),
        Arg::Value(_) => return Some((Plan { arg_is_fd: is_fd("@arg").into(), ..plan }, Vec::new())),
        arg @ Arg::Pointer(_) => arg.pointee()?.to_owned(),
    };
    let (layout, steps) = nodes.root(request, &ty, arch)?;
    let dir = bits(request.dir().unwrap_or(Direction::ReadWrite));
    let is_text = layout.is_open_text();
    let size = match &layout.shape {
        _ if is_text => nodes::MAX_TEXT,
        // Of several nobody knows how many.
        Shape::Array(element, None) => u32::try_from(element.size).ok()?,
        _ => u32::try_from(layout.size).ok()?,
    };
    let on_success = if dir == PLAN_OUT && directions(&steps) & PLAN_IN == 0 { PLAN_OUT } else { 0 };
    Some((Plan { size, dir, on_success, text: is_text.into(), ..plan }, steps))
}

/// The directions in which anything travels that steps lead to.
fn directions(steps: &[Step]) -> u32 {
    steps.iter().fold(0, |dir, step| dir | step.dir)
}

/// The plan's flags for a direction.
fn bits(dir: Direction) -> u32 {
    match dir {
        Direction::None => 0,
        Direction::Write => PLAN_IN,
        Direction::Read => PLAN_OUT,
        Direction::ReadWrite => PLAN_IN | PLAN_OUT,
    }
}
