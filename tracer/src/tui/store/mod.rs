//! What is kept of the calls: the last ones whole, and what all of them add up to. Whoever brings calls adds them in
//! batches; whoever draws takes what is on the screen. Neither waits for the other longer than that takes.

pub mod calls;
pub mod devices;
pub mod errors;
pub mod groups;
pub mod heat;
mod rows;
pub mod series;
pub mod tasks;

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use calls::Calls;
use devices::Devices;
use errors::Failures;
use groups::Groups;
use heat::Heat;
use tasks::Tasks;

use super::outside::Opened;
use crate::{event::Event, host::Fact, sink::summary::Summary};

/// Answers of the traced machine kept for whoever looks at calls later.
const MAX_FACTS: usize = 65_536;

/// Calls, errors and time of some calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Nanoseconds.
    pub total_ns: u64,
}

impl Sum {
    /// The mean in nanoseconds, 0 without calls.
    #[must_use]
    pub const fn mean_ns(&self) -> u64 {
        match self.total_ns.checked_div(self.calls) {
            Some(mean) => mean,
            None => 0,
        }
    }

    fn add(&mut self, event: &Event) {
        self.calls += 1;
        self.errors += u64::from(event.call.failed());
        self.total_ns = self.total_ns.saturating_add(event.call.duration_ns);
    }
}

/// Everything that is kept.
#[derive(Clone, Debug)]
pub struct Store {
    /// The last calls.
    pub calls: Calls,
    /// All calls, cleared or not.
    pub sum: Sum,
    /// Totals per request and device.
    pub groups: Groups,
    /// Totals per process and thread.
    pub tasks: Tasks,
    /// Totals per device.
    pub devices: Devices,
    /// Errors per request and device.
    pub failures: Failures,
    /// Durations over time.
    pub heat: Heat,
    /// When the first call began and the last one ended.
    pub span: Option<(u64, u64)>,
    /// What calls refer to, and only the traced machine knows.
    pub facts: Vec<Fact>,
    /// The file that calls are written to, if they are.
    pub writing: Option<Writing>,
    /// What the user is to be told.
    pub said: Vec<String>,
}

/// A file that calls are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Its name.
    pub name: String,
    /// Calls written.
    pub calls: u64,
}

/// What is to be done where calls come in.
pub enum Order {
    /// Write what comes into an output of this name.
    Write(Opened, String),
    /// Complete it.
    Stop,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Store {
    /// An empty one, in which calls may take so many bytes. As much again is for a picture that is held.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            calls: Calls::new(limit),
            sum: Sum::default(),
            groups: Groups::default(),
            tasks: Tasks::default(),
            devices: Devices::default(),
            failures: Failures::default(),
            heat: Heat::default(),
            span: None,
            facts: Vec::new(),
            writing: None,
            said: Vec::new(),
        }
    }

    /// Adds calls, in the order they ended.
    pub fn add(&mut self, events: Vec<Event>) {
        for event in &events {
            let end_ns = event.call.start_ns.saturating_add(event.call.duration_ns);
            let second = end_ns / SECOND_NS;
            self.sum.add(event);
            let (first, last) = self.span.unwrap_or((event.call.start_ns, end_ns));
            self.span = Some((first.min(event.call.start_ns), last.max(end_ns)));
            let group = self.groups.add(event, second);
            self.devices.add(event, group, second);
            self.tasks.add(event, second);
            self.failures.add(event, group);
            self.heat.add(end_ns, event.call.duration_ns);
        }
        self.calls.add(events);
    }

    /// Adds answers.
    pub fn learn(&mut self, facts: impl IntoIterator<Item = Fact>) {
        let room = MAX_FACTS.saturating_sub(self.facts.len());
        self.facts.extend(facts.into_iter().take(room));
    }

    /// Empties everything but the sum of all calls.
    pub fn clear(&mut self) {
        self.calls.clear();
        self.groups = Groups::default();
        self.tasks = Tasks::default();
        self.devices = Devices::default();
        self.failures = Failures::default();
        self.heat = Heat::default();
    }

    /// The totals as `-c` prints them.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let rows = self.groups.rows().iter();
        Summary::of(
            rows.map(|g| (g.request.clone(), g.device.clone(), g.row.clone())),
            self.groups.all().clone(),
        )
    }
}

/// A store that two threads use.
pub struct Shared {
    store: Mutex<Store>,
    order: Mutex<Option<Order>>,
    ordered: AtomicBool,
    /// There is something new, and whoever draws knows.
    pub told: AtomicBool,
    /// Calls lost so far, as far as whoever draws knows.
    pub lost: AtomicU64,
    /// Nothing more is taken, as by a pipe that nobody reads.
    pub closed: AtomicBool,
}

impl Shared {
    /// Around a new store.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self {
            store: Mutex::new(store),
            order: Mutex::new(None),
            ordered: AtomicBool::new(false),
            told: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// The store, for a moment.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        // Nothing is left half done but totals, and then the panic is what is reported.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves an order for whoever brings calls.
    pub fn order(&self, order: Order) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
        self.ordered.store(true, Ordering::Release);
    }

    /// Takes the order, if there is one.
    pub fn take_order(&self) -> Option<Order> {
        // It is asked for each call: a look is cheaper than a change.
        if !self.ordered.load(Ordering::Acquire) || !self.ordered.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.order.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether it is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use ioctl_registry::DeviceKind;

    use super::*;
    use crate::{
        sink::table::{Form, Table},
        tui::fixture::{TCGETS, TIOCGWINSZ, call, decoder},
    };

    #[test]
    fn totals_are_those_of_the_other_outputs() {
        let (mut store, mut summary, mut decoder) = (Store::new(1 << 20), Summary::default(), decoder());
        let events: Vec<_> = (0..5_000)
            .map(|n| {
                let made = call(n * 1_000_000).took(200 + n * n % 77_777);
                match n % 5 {
                    0 => made.request(TCGETS).fails(25).event(),
                    1 => made.request(TIOCGWINSZ).event(),
                    2 => made.request(0xde00_0000 + n as u32 % 1_500).event(),
                    3 => made.not_open().fails(9).event(),
                    _ => made.file(3, DeviceKind::Fifo, "pipe:[7]").event(),
                }
            })
            .collect();
        events.iter().for_each(|event| summary.add_event(event, &mut decoder));
        events.chunks(100).for_each(|batch| store.add(batch.to_vec()));
        let written = |summary: &Summary, form| {
            let mut out = Vec::new();
            Table { form, ..Table::default() }.write(summary, &mut out).expect("written");
            String::from_utf8(out).expect("text")
        };
        for form in [Form::Text, Form::Lines] {
            assert_eq!(written(&store.summary(), form), written(&summary, form));
        }
        assert_eq!(store.sum.calls, 5_000);
        let of_tasks: u64 =
            store.tasks.list().iter().filter(|task| task.tid.is_none()).map(|t| t.sum.calls).sum();
        let of_devices: u64 = store.devices.list().iter().map(|device| device.sum.calls).sum();
        assert_eq!((of_tasks, of_devices), (5_000, 5_000));
    }
}
