//! Totals per process and thread.

use super::{Sum, rows::Rows, series::Series};
use crate::event::{Comm, Event};

/// Processes and threads kept; calls of further ones are only counted.
pub const CAPACITY: usize = 16_384;

/// A process, or one of its threads.
#[derive(Clone, Debug)]
pub struct Task {
    /// The process.
    pub pid: u32,
    /// The thread; `None` for the whole process.
    pub tid: Option<u32>,
    /// Its name: of a process that of its first thread, if that has made calls.
    pub comm: Comm,
    /// Threads of it that made calls, if it is a process.
    pub threads: u32,
    /// What its calls add up to.
    pub sum: Sum,
    /// Calls per second.
    pub series: Series,
}

/// Places of a process and of a thread, as far as there is room.
type Places = [Option<usize>; 2];

/// All of them, in the order in which they came up.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    rows: Rows<(u32, Option<u32>), Task, CAPACITY>,
    processes: usize,
    /// The last call's process and thread, and their places.
    last: Option<(u32, u32, Places)>,
}

impl Tasks {
    /// Adds a call that ended in a second.
    pub fn add(&mut self, event: &Event, second: u64) {
        let call = &event.call;
        let places = match self.last {
            Some((pid, tid, places)) if (pid, tid) == (call.pid, call.tid) => places,
            _ => [self.place(event, None), self.place(event, Some(call.tid))],
        };
        self.last = Some((call.pid, call.tid, places));
        if places.contains(&None) {
            self.rows.crowd_out();
        }
        for place in places.into_iter().flatten() {
            let Some(task) = self.rows.get_mut(place) else { continue };
            task.sum.add(event);
            task.series.add(second);
            if task.tid.is_some() || call.pid == call.tid {
                task.comm = call.comm;
            }
        }
    }

    /// Finds or makes a row; `None` if there is no room.
    fn place(&mut self, event: &Event, tid: Option<u32>) -> Option<usize> {
        let (pid, comm) = (event.call.pid, event.call.comm);
        let before = self.rows.list().len();
        let place = self.rows.place((pid, tid), || {
            let (threads, sum, series) = (0, Sum::default(), Series::default());
            Task { pid, tid, comm, threads, sum, series }
        })?;
        if place == before {
            self.processes += usize::from(tid.is_none());
            if tid.is_some()
                && let Some(process) = self.rows.find_mut(&(pid, None))
            {
                process.threads += 1;
            }
        }
        Some(place)
    }

    /// All rows.
    #[must_use]
    pub fn list(&self) -> &[Task] {
        self.rows.list()
    }

    /// Processes, and whether there may be more.
    #[must_use]
    pub const fn processes(&self) -> (usize, bool) {
        (self.processes, self.rows.crowded_out() > 0)
    }

    /// Calls of tasks that found no row.
    #[must_use]
    pub const fn crowded_out(&self) -> u64 {
        self.rows.crowded_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::call;

    #[test]
    fn threads_add_up_to_their_process() {
        let mut tasks = Tasks::default();
        tasks.add(&call(0).task("worker", 7, 8).took(5).event(), 1);
        tasks.add(&call(0).task("main", 7, 7).took(5).fails(25).event(), 1);
        tasks.add(&call(0).task("other", 9, 9).event(), 2);
        let shown: Vec<_> = tasks
            .list()
            .iter()
            .map(|t| (t.pid, t.tid, t.comm.as_bytes(), t.sum.calls, t.sum.errors))
            .collect();
        assert_eq!(
            shown,
            [
                (7, None, &b"main"[..], 2, 1),
                (7, Some(8), b"worker", 1, 0),
                (7, Some(7), b"main", 1, 1),
                (9, None, b"other", 1, 0),
                (9, Some(9), b"other", 1, 0)
            ]
        );
        let threads: Vec<_> = tasks.list().iter().filter(|t| t.tid.is_none()).map(|t| t.threads).collect();
        assert_eq!((tasks.processes(), threads), ((2, false), vec![2, 1]));
    }

    #[test]
    fn tasks_without_end_are_bounded() {
        let mut tasks = Tasks::default();
        for pid in 0..CAPACITY as u32 {
            tasks.add(&call(0).task("x", pid, pid).event(), 0);
        }
        assert_eq!((tasks.list().len(), tasks.crowded_out()), (CAPACITY, CAPACITY as u64 / 2));
        assert!(tasks.processes().1);
    }
}
