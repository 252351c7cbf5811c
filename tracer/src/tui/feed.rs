//! The output that leads to the dashboard's store.

use std::{
    collections::HashSet,
    io,
    sync::{Arc, atomic::Ordering, mpsc::SyncSender},
};

use super::{
    msg::Msg,
    outside::Opened,
    store::{Order, Shared, Writing, calls::BATCH},
    text::Grouped,
};
use crate::{decode::Decoder, event::Event, host::Fact, recording::Tap, sink::Sink};

/// Answers that are remembered as given; beyond that some are given again.
const KNOWN: usize = 65_536;

/// What calls are written to.
enum Target {
    /// An output.
    Sink(Box<dyn Sink>),
    /// A recording; so many calls were lost before it.
    Tap(Arc<Tap>, u64),
}

/// Adds events to the store in batches, and tells the dashboard once there is something new since it looked. It never
/// waits for the screen.
pub struct Feed {
    shared: Arc<Shared>,
    out: SyncSender<Msg>,
    batch: Vec<Event>,
    facts: Vec<Fact>,
    known: HashSet<(u32, u64)>,
    cgroup: u64,
    writing: Option<(Target, Writing)>,
    /// Where the records pass by.
    tap: Option<Arc<Tap>>,
    /// What became of it is to be told.
    changed: bool,
    said: Vec<String>,
}

impl Feed {
    /// To a store, and to the queue of who shows it. Once the store is closed, nothing more is taken.
    #[must_use]
    pub fn new(shared: Arc<Shared>, out: SyncSender<Msg>) -> Self {
        Self {
            shared,
            out,
            batch: Vec::new(),
            facts: Vec::new(),
            known: HashSet::new(),
            cgroup: 0,
            writing: None,
            tap: None,
            changed: false,
            said: Vec::new(),
        }
    }

    /// With a tap for recordings.
    #[must_use]
    pub fn with(self, tap: Arc<Tap>) -> Self {
        Self { tap: Some(tap), ..self }
    }

    /// Asks what only the traced machine knows, while it knows it.
    fn ask(&mut self, event: &Event, decoder: &mut Decoder) {
        let call = &event.call;
        if call.cgroup != 0 && call.cgroup != self.cgroup {
            self.cgroup = call.cgroup;
            if self.is_new(0, call.cgroup)
                && let Some(path) = decoder.cgroup(call.cgroup, call.pid)
            {
                self.facts.push(Fact::Cgroup { id: call.cgroup, path });
            }
        }
        // No address of a program is as high as these keys.
        if let Some(ids) = decoder.ns_ids(call)
            && self.is_new(call.pid, u64::MAX - u64::from(call.tid))
        {
            let (pid, tid) = (call.pid, call.tid);
            self.facts.push(Fact::Numbers { pid, tid, ids: Some((ids.pid, ids.tid)) });
        }
        for &address in &call.data.kernel_stack {
            if self.is_new(0, address)
                && let Some((symbol, into)) = decoder.kernel_symbol(address)
            {
                let (name, module) = (symbol.name, symbol.module);
                self.facts.push(Fact::Within { address, name, module, into });
            }
        }
        if call.data.user_stack.iter().any(|address| !self.known.contains(&(call.pid, *address))) {
            for frame in decoder.user_stack(call.pid, &call.data.user_stack) {
                self.is_new(call.pid, frame.address);
                self.facts.push(Fact::Place {
                    pid: call.pid,
                    address: frame.address,
                    file: frame.file.to_vec(),
                    offset: frame.offset,
                    symbol: frame.symbol.clone(),
                    source: frame.source.clone(),
                });
            }
        }
    }

    fn is_new(&mut self, pid: u32, address: u64) -> bool {
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert((pid, address))
    }

    /// Does what was asked for on the dashboard.
    fn obey(&mut self) {
        match self.shared.take_order() {
            Some(Order::Write(opened, name)) => {
                self.stop_writing();
                self.begin(opened, name);
            }
            Some(Order::Stop) => self.stop_writing(),
            None => {}
        }
    }

    fn begin(&mut self, opened: Opened, name: String) {
        let target = match (opened, &self.tap) {
            (Opened::Sink(sink), _) => Ok(Target::Sink(sink)),
            (Opened::Recording(writer), Some(tap)) => {
                let lost = self.shared.lost.load(Ordering::Relaxed);
                tap.begin(*writer).map(|()| Target::Tap(Arc::clone(tap), lost))
            }
            (Opened::Recording(_), None) => Err(io::Error::other("no records pass by here")),
        };
        match target {
            Ok(target) => self.writing = Some((target, Writing { name, calls: 0 })),
            Err(error) => self.said.push(format!("cannot write `{name}`: {error}")),
        }
        self.changed = true;
    }

    /// Writes a call, or all that waits; a failure ends it.
    fn write(&mut self, write: impl FnOnce(&mut Target, &mut u64) -> io::Result<()>) {
        let Some((target, writing)) = &mut self.writing else { return };
        if let Err(error) = write(target, &mut writing.calls) {
            self.said.push(format!("cannot write `{}`: {error}", writing.name));
            self.writing = None;
        }
        self.changed = true;
    }

    /// Completes what is written.
    fn stop_writing(&mut self) {
        let lost = self.shared.lost.load(Ordering::Relaxed);
        self.write(|target, _| match target {
            Target::Sink(sink) => sink.finish(),
            Target::Tap(tap, before) => tap.end(lost.saturating_sub(*before)),
        });
        if let Some((_, Writing { name, calls })) = self.writing.take() {
            self.said.push(format!("{} calls are in `{name}`", Grouped(calls)));
        }
    }

    fn hand_on(&mut self) {
        // The next batch is likely to be as large as this one.
        let next = Vec::with_capacity(self.batch.len());
        let batch = std::mem::replace(&mut self.batch, next);
        {
            let mut store = self.shared.store();
            store.learn(self.facts.drain(..));
            store.add(batch);
            store.writing = self.writing.as_ref().map(|(_, writing)| writing.clone());
            store.said.append(&mut self.said);
        }
        self.changed = false;
        if !self.shared.told.swap(true, Ordering::AcqRel) {
            // A full queue wakes the dashboard as well.
            let _ = self.out.try_send(Msg::News);
        }
    }
}

impl Sink for Feed {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        if let Some(file) = event.call.target.file() {
            // The tables name devices, and the decoder is not at hand there.
            let _ = decoder.device(file);
        }
        self.ask(event, decoder);
        self.obey();
        self.write(|target, calls| {
            *calls += 1;
            match target {
                Target::Sink(sink) => sink.event(event, decoder),
                // The record itself follows.
                Target::Tap(..) => Ok(()),
            }
        });
        self.batch.push(event.clone());
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.obey();
        if self.shared.is_closed() {
            self.stop_writing();
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.write(|target, _| match target {
            Target::Sink(sink) => sink.flush(),
            Target::Tap(tap, _) => tap.failure().map_or(Ok(()), Err),
        });
        if !self.batch.is_empty() || self.changed {
            self.hand_on();
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.obey();
        self.stop_writing();
        self.hand_on();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc::sync_channel};

    use super::*;
    use crate::tui::{
        fixture::{call, decoder},
        store::Store,
    };

    #[test]
    fn events_arrive_in_batches_and_are_told_of_once() {
        let (out, messages) = sync_channel(4);
        let shared = Arc::new(Shared::new(Store::new(usize::MAX)));
        let (mut feed, mut decoder) = (Feed::new(Arc::clone(&shared), out), decoder());
        for n in 0..3 {
            feed.event(&call(n).event(), &mut decoder).expect("open");
        }
        assert_eq!(shared.store().sum.calls, 0, "nothing before the end of the batch");
        feed.flush().expect("open");
        feed.event(&call(3).event(), &mut decoder).expect("open");
        feed.flush().expect("open");
        assert_eq!(shared.store().calls.len(), 4);
        assert!(matches!(messages.try_recv(), Ok(Msg::News)));
        assert!(messages.try_recv().is_err(), "nobody has looked since");
        shared.told.store(false, Ordering::Release);
        drop(messages);
        feed.event(&call(4).event(), &mut decoder).expect("open");
        feed.flush().expect("nobody listens, and all is counted");
        assert_eq!(shared.store().sum.calls, 5);
    }

    #[test]
    fn numbers_of_a_namespace_are_told_once() {
        let (out, _messages) = sync_channel(4);
        let shared = Arc::new(Shared::new(Store::new(usize::MAX)));
        let numbers = Fact::Numbers { pid: 4711, tid: 4711, ids: Some((2, 3)) };
        let mut decoder = decoder().translating(true);
        let mut feed = Feed::new(Arc::clone(&shared), out);
        feed.event(&call(0).event(), &mut decoder).expect("open");
        decoder.host().learn(numbers.clone());
        for n in 1..4 {
            feed.event(&call(n).event(), &mut decoder).expect("open");
        }
        feed.flush().expect("open");
        assert_eq!(shared.store().facts, [numbers]);
    }

    /// Takes calls until it is full.
    struct Few(Arc<Mutex<(u64, bool)>>);

    impl Sink for Few {
        fn event(&mut self, _: &Event, _: &mut Decoder) -> io::Result<()> {
            let mut taken = self.0.lock().expect("lock");
            taken.0 += 1;
            if taken.0 > 3 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
        fn finish(&mut self) -> io::Result<()> {
            self.0.lock().expect("lock").1 = true;
            Ok(())
        }
    }

    #[test]
    fn calls_are_written_while_that_is_wanted() {
        let (out, _messages) = sync_channel(4);
        let shared = Arc::new(Shared::new(Store::new(usize::MAX)));
        let (mut feed, mut decoder) = (Feed::new(Arc::clone(&shared), out), decoder());
        let mut calls = |feed: &mut Feed, count| {
            (0..count).for_each(|n| feed.event(&call(n).event(), &mut decoder).expect("open"));
            feed.flush().expect("open");
        };
        calls(&mut feed, 1);
        let taken = Arc::<Mutex<(u64, bool)>>::default();
        shared.order(Order::Write(Opened::Sink(Box::new(Few(Arc::clone(&taken)))), "few".to_owned()));
        calls(&mut feed, 2);
        assert_eq!(shared.store().writing, Some(Writing { name: "few".to_owned(), calls: 2 }));
        shared.order(Order::Stop);
        calls(&mut feed, 0);
        assert_eq!(*taken.lock().expect("lock"), (2, true));
        assert_eq!(shared.store().writing, None);
        assert_eq!(shared.store().said, ["2 calls are in `few`"]);

        shared.order(Order::Write(Opened::Sink(Box::new(Few(Arc::clone(&taken)))), "full".to_owned()));
        calls(&mut feed, 5);
        assert_eq!(shared.store().sum.calls, 8, "counting goes on");
        assert_eq!(shared.store().writing, None);
        assert!(shared.store().said[1].starts_with("cannot write `full`: "));
        shared.order(Order::Write(Opened::Sink(Box::new(Few(Arc::default()))), "end".to_owned()));
        feed.finish().expect("open");
        assert_eq!(shared.store().said[2], "0 calls are in `end`");
    }

    #[test]
    fn a_closed_store_takes_nothing_even_if_nothing_matches() {
        let (out, _messages) = sync_channel(4);
        let shared = Arc::new(Shared::new(Store::new(usize::MAX)));
        let mut feed = Feed::new(Arc::clone(&shared), out);
        feed.flush().expect("open");
        shared.closed.store(true, Ordering::Release);
        assert_eq!(feed.flush().expect_err("closed").kind(), io::ErrorKind::BrokenPipe);
    }
}
