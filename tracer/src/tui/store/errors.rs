//! Which requests fail with what.

use super::rows::Rows;
use crate::event::{Comm, Event};

/// Rows kept; further errors are only counted.
pub const CAPACITY: usize = 4_096;

/// An error of a request on a device.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The error, as [`Call::error`](crate::event::Call::error) has it.
    pub errno: i32,
    /// Place of the request and device in the table of requests.
    pub group: usize,
    /// How often.
    pub calls: u64,
    /// When the last one began.
    pub last_ns: u64,
    /// Whose it was.
    pub pid: u32,
    /// Its name.
    pub comm: Comm,
}

/// All of them, in the order in which they came up.
#[derive(Clone, Debug, Default)]
pub struct Failures(Rows<(i32, usize), Failure, CAPACITY>);

impl Failures {
    /// Adds a call of a group, if it failed.
    pub fn add(&mut self, event: &Event, group: usize) {
        let call = &event.call;
        let Some(errno) = call.error() else { return };
        let (pid, comm, last_ns) = (call.pid, call.comm, call.start_ns);
        let place = self.0.place((errno, group), || Failure { errno, group, calls: 0, last_ns, pid, comm });
        match place.and_then(|place| self.0.get_mut(place)) {
            Some(failure) => {
                failure.calls += 1;
                (failure.last_ns, failure.pid, failure.comm) = (last_ns, pid, comm);
            }
            None => self.0.crowd_out(),
        }
    }

    /// All rows.
    #[must_use]
    pub fn list(&self) -> &[Failure] {
        self.0.list()
    }

    /// Errors that found no row.
    #[must_use]
    pub const fn crowded_out(&self) -> u64 {
        self.0.crowded_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::call;

    #[test]
    fn the_last_one_is_remembered() {
        let mut failures = Failures::default();
        failures.add(&call(1).fails(25).event(), 0);
        failures.add(&call(2).task("less", 9, 9).fails(25).event(), 0);
        failures.add(&call(3).event(), 0);
        failures.add(&call(4).fails(9).event(), 1);
        let shown: Vec<_> =
            failures.list().iter().map(|f| (f.errno, f.group, f.calls, f.last_ns, f.pid)).collect();
        assert_eq!(shown, [(25, 0, 2, 2, 9), (9, 1, 1, 4, 4711)]);
    }
}
