//! Compiles the registry into the capture plan: which bytes the kernel side copies for each request, and which pointers
//! in them it follows. What the bytes mean is not known here.

mod nodes;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use ioctl_registry::{Arch, Arg, Direction, Fact, Registry, Request, Shape};
use ioctl_trace_ebpf::{Choice, ChoiceKey, NO_NODE, Node, PLAN_IN, PLAN_OUT, Plan, PlanKey, Step};

use crate::event;
use nodes::Nodes;

/// Everything that the kernel side's maps hold.
#[derive(Debug, Default)]
pub struct Plans {
    /// Plans of the requests whose numbers do not say all.
    pub plans: HashMap<PlanKey, Plan>,
    /// The nodes; the first one has no steps.
    pub nodes: Vec<Node>,
    /// Their steps.
    pub steps: Vec<Step>,
    /// What values choose.
    pub choices: Vec<(ChoiceKey, Choice)>,
}

/// Compiles all requests of a registry for the calls of this machine, native ones and those of 32-bit programs.
#[must_use]
pub fn compile(registry: &Registry) -> Plans {
    let mut plans = HashMap::new();
    let mut nodes = Nodes::new(registry);
    for compat in [false, true] {
        let arch = event::arch(compat);
        if compat && arch == Arch::native() {
            continue;
        }
        for (number, requests) in by_number(registry, arch) {
            if let Some(plan) = plan(&mut nodes, &requests, arch)
                && plan != Plan::of_number(number)
            {
                plans.insert(PlanKey { request: number, compat: u32::from(compat) }, plan);
            }
        }
    }
    let (nodes, steps, choices) = nodes.finish();
    Plans { plans, nodes, steps, choices }
}

/// The requests of each number. Those whose number has parameters are left out: what it says is all there is to know.
fn by_number(registry: &Registry, arch: Arch) -> HashMap<u32, Vec<&Request>> {
    let mut numbers: HashMap<u32, Vec<&Request>> = HashMap::new();
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
