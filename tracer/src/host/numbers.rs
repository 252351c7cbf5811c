//! The numbers that threads have in their own namespaces of processes, looked up when they are first seen.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::{
    clock::{boot_offset_ns, monotonic_ns},
    process::{self, NsIds},
};

/// Threads that are remembered.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// A thread that was there is taken for the one of that number for so long: a number is given again only when all
/// others have been.
const HOLDS_NS: u64 = 100_000_000;

/// Threads by the machine's numbers.
#[derive(Debug)]
pub(super) struct Numbers {
    known: LruCache<(u32, u32), Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Nanoseconds of `CLOCK_MONOTONIC` between which the thread is known to have had its number.
    from_ns: u64,
    to_ns: u64,
    ids: Option<NsIds>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { known: LruCache::new(MAX_THREADS) }
    }
}

impl Numbers {
    /// Those of the thread that made a call at this time. `None` where they are the machine's, or it is not known who it was.
    pub fn of(&mut self, pid: u32, tid: u32, at_ns: u64) -> Option<NsIds> {
        let look = || {
            let now_ns = monotonic_ns();
            let found = process::find(pid, tid)?;
            let from_ns = found.began_ns.saturating_sub(boot_offset_ns());
            Some(Known { from_ns, to_ns: now_ns.saturating_add(HOLDS_NS), ids: found.ids })
        };
        self.looked_up((pid, tid), at_ns, look)
    }

    fn looked_up(
        &mut self,
        thread: (u32, u32),
        at_ns: u64,
        look: impl FnOnce() -> Option<Known>,
    ) -> Option<NsIds> {
        let holds = |known: &Known| (known.from_ns..=known.to_ns).contains(&at_ns);
        if let Some(known) = self.known.get(&thread).filter(|known| holds(known)) {
            return known.ids;
        }
        let known = look()?;
        self.known.put(thread, known);
        if holds(&known) { known.ids } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_of_one_thread_at_a_time() {
        let mut numbers = Numbers::default();
        let ids = |tid| Some(NsIds { pid: 1, tid });
        let known = |from_ns, to_ns, tid| move || Some(Known { from_ns, to_ns, ids: ids(tid) });
        let unasked = || -> Option<Known> { panic!("it is known") };
        assert_eq!(numbers.looked_up((7, 7), 50, known(10, 100, 2)), ids(2));
        assert_eq!(numbers.looked_up((7, 7), 100, unasked), ids(2));
        assert_eq!(numbers.looked_up((7, 7), 101, || None), None, "it has gone");
        assert_eq!(numbers.looked_up((7, 7), 101, known(150, 200, 3)), None, "another has its number");
        assert_eq!(numbers.looked_up((7, 7), 160, unasked), ids(3));
        assert_eq!(numbers.looked_up((7, 8), 160, known(0, 200, 9)), ids(9));
    }
}
