//! The two threads between a source and the outputs: one drains the source, one decodes and writes. The queue between
//! them is bounded; when it is full, records wait in the kernel's ring buffer, and what does not fit there is counted
//! by the kernel side.

use std::{
    borrow::Cow,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use crate::{
    assemble::{Assembled, Assembler},
    decode::Decoder,
    event::Event,
    families::Families,
    filter::Filter,
    privilege::{self, Duty},
    recording::{Tap, Writer},
    redact::{Redaction, Rewriter},
    select::Selection,
    sink::Sink,
    source::{Batch, Source},
};

/// Batches between the threads.
const QUEUE: usize = 20;
/// How long the reader sleeps when nothing comes; this is the delay with which calls appear.
const POLL: Duration = Duration::from_millis(10);

/// Outputs are flushed this often when nothing comes.
const IDLE: Duration = Duration::from_secs(1);

/// Why the outputs ended.
#[derive(Debug)]
pub enum End {
    /// The source ended, or was told to.
    Complete,
    /// An output could not be written.
    Output(io::Error),
}

/// What the threads have done so far; read by others while they run.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records of calls taken from the source.
    pub received: AtomicU64,
    /// Calls given to the outputs.
    pub shown: AtomicU64,
    /// Calls among these that failed.
    pub failed: AtomicU64,
    /// Calls that only the user side could filter out.
    pub filtered: AtomicU64,
    /// Control codes by which Wine keeps house, which are not shown.
    pub hidden: AtomicU64,
    /// Records that could not be read.
    pub damaged: AtomicU64,
}

/// Decodes and writes.
pub struct Stage {
    /// Joins records.
    pub assembler: Assembler,
    /// Gives them meaning.
    pub decoder: Decoder,
    /// The requests that the user wants to see.
    pub selection: Selection,
    /// The calls that the user wants to see; `None` for all of them.
    pub filter: Option<Filter>,
    /// When the calls began that the user wants to see.
    pub window: Window,
    /// Whether those are shown by which Wine keeps house.
    pub housekeeping: bool,
    /// Calls that wait for what they are done for.
    pub families: Families,
    /// What nobody is to see of them, whatever they are written to.
    pub redaction: Redaction,
    /// Makes records of what is left of them.
    pub rewriter: Rewriter,
    /// Where it goes.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Keeps the records themselves.
    pub recorder: Option<Writer>,
    /// Keeps them while somebody wants that.
    pub tap: Option<Arc<Tap>>,
    /// What was done.
    pub progress: Arc<Progress>,
}

/// Nanoseconds of `CLOCK_MONOTONIC`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub first_ns: u64,
    /// The last.
    pub last_ns: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { first_ns: 0, last_ns: u64::MAX }
    }
}

impl Window {
    const fn has(self, time_ns: u64) -> bool {
        self.first_ns <= time_ns && time_ns <= self.last_ns
    }
}

impl Stage {
    /// Takes a batch through to the outputs, and tells what else it brought.
    ///
    /// # Errors
    /// The first output that cannot be written.
    pub fn batch(&mut self, batch: &Batch, notify: &dyn Fn(News)) -> io::Result<()> {
        let mut ended = false;
        let mut room = Vec::new();
        for record in batch.records() {
            let Some(record) = self.redaction.record(record, &mut room) else { continue };
            let mut rewritten = None;
            match self.assembler.record(record, self.decoder.host()) {
                Assembled::Call(call) => {
                    self.progress.received.fetch_add(1, Ordering::Relaxed);
                    let mut event = self.decoder.call(call);
                    self.redaction.event(&mut event, &self.decoder);
                    if self.recorder.is_some() || self.tap.as_ref().is_some_and(|tap| tap.is_on()) {
                        self.ask(&event);
                    }
                    if self.redaction == Redaction::Text && self.keeps_records() {
                        rewritten = Some(self.rewriter.call(record, &event));
                    }
                    self.sorted(event)?;
                }
                Assembled::ProcessEnded => ended = true,
                // These are urgent: until they are acted upon calls are missed.
                Assembled::Compat => notify(News::Compat),
                Assembled::Library(pid, path) => notify(News::Library(pid, path)),
                Assembled::Nothing => {}
                Assembled::Damaged(error) => {
                    self.progress.damaged.fetch_add(1, Ordering::Relaxed);
                    log::debug!("damaged record: {error}");
                }
            }
            if self.keeps_records() {
                self.record(record, rewritten)?;
            }
        }
        self.flush()?;
        if ended {
            notify(News::ProcessEnded);
        }
        Ok(())
    }

    const fn keeps_records(&self) -> bool {
        self.recorder.is_some() || self.tap.is_some()
    }

    /// Keeps a record, or what is left of it: what a call was given, and the call.
    fn record(&mut self, record: &[u8], rewritten: Option<(Option<Vec<u8>>, Vec<u8>)>) -> io::Result<()> {
        let facts = self.decoder.host().new_facts();
        if let Some(recorder) = &mut self.recorder {
            facts.iter().for_each(|fact| recorder.fact(fact));
        }
        let (given, own) = match rewritten {
            Some((given, own)) => (given, Some(Cow::Owned(own))),
            None if self.redaction == Redaction::Text => (None, self.rewriter.other(record).map(Cow::Owned)),
            None => (None, Some(Cow::Borrowed(record))),
        };
        let mut facts = facts.as_slice();
        for record in given.as_deref().into_iter().chain(own.as_deref()) {
            if let Some(recorder) = &mut self.recorder {
                recorder.record(record)?;
            }
            if let Some(tap) = &self.tap {
                tap.record(record, std::mem::take(&mut facts));
            }
        }
        Ok(())
    }

    /// Asks of the machine what any output could want to know of a call, so that the recording has the answers.
    fn ask(&mut self, event: &Event) {
        let call = &event.call;
        let others = call.data.files.iter().filter_map(|(_, target)| target.file());
        for file in call.target.file().into_iter().chain(others) {
            self.decoder.device(file);
        }
        self.decoder.cgroup(call.cgroup, call.pid);
        self.decoder.ns_ids(call);
        self.decoder.user_stack(call.pid, &call.data.user_stack);
        for address in &call.data.kernel_stack {
            self.decoder.kernel_symbol(*address);
        }
    }

    /// Writes an event, or keeps it until that is written which it was done for.
    fn sorted(&mut self, event: Event) -> io::Result<()> {
        // Nearly always there is one, and nothing to be sorted.
        if event.call.parent_ns.is_none() && event.call.control.is_none() {
            self.event(&event)?;
            self.assembler.recycle(event.call);
            return Ok(());
        }
        self.families.sorted(event).iter().try_for_each(|event| self.event(event))
    }

    /// Writes what was kept until then.
    ///
    /// # Errors
    /// The first output that cannot be written.
    pub fn rest(&mut self) -> io::Result<()> {
        self.families.rest().iter().try_for_each(|event| self.event(event))
    }

    /// Writes one event, if it is wanted.
    ///
    /// # Errors
    /// The first output that cannot be written.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        let filter = self.filter.as_ref();
        if !self.housekeeping && event.call.control.as_ref().is_some_and(|control| control.housekeeping) {
            self.progress.hidden.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        if !self.window.has(event.call.start_ns)
            || !self.selection.wants(event.call.request, &event.request)
            || filter.is_some_and(|filter| !filter.matches(event, &mut self.decoder))
        {
            self.progress.filtered.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        self.progress.shown.fetch_add(1, Ordering::Relaxed);
        if event.call.failed() {
            self.progress.failed.fetch_add(1, Ordering::Relaxed);
        }
        for sink in &mut self.sinks {
            sink.event(event, &mut self.decoder)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.flush())?;
        if let Some(tap) = &self.tap {
            tap.tick();
        }
        self.recorder.as_mut().map_or(Ok(()), Writer::tick)
    }
}

/// The running threads.
pub struct Pipeline {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<()>,
    writer: JoinHandle<(Stage, End)>,
}

/// What the writing thread tells while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A wanted process has ended, and what it did has been written.
    ProcessEnded,
    /// There is a 32-bit program to watch.
    Compat,
    /// A process opens a file by the name of Wine's library; its path as the process sees it.
    Library(u32, PathBuf),
    /// The outputs have ended.
    OutputsEnded,
}

/// Receives the news.
pub type Notify = Box<dyn Fn(News) + Send>;

impl Pipeline {
    /// Starts both threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(mut source: Box<dyn Source>, mut stage: Stage, notify: Notify) -> io::Result<Self> {
        let (batches, incoming) = sync_channel::<Batch>(QUEUE);
        let (used, recycled) = sync_channel::<Batch>(QUEUE);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let reader = Builder::new().name("reader".into()).spawn(move || {
            privilege::keep(Duty::Read);
            read_all(source.as_mut(), &batches, &recycled, &stopping);
        })?;
        let writer = Builder::new().name("writer".into()).spawn(move || {
            privilege::keep(Duty::Write);
            let end = write_all(&mut stage, &incoming, &used, notify.as_ref());
            // Without a receiver the reader ends too.
            drop(incoming);
            notify(News::OutputsEnded);
            (stage, end)
        })?;
        Ok(Self { stop, reader, writer })
    }

    /// Whether the outputs, or the source, have ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.reader.is_finished() || self.writer.is_finished()
    }

    /// Waits until the source has ended by itself.
    pub fn complete(self) -> (Option<Stage>, End) {
        self.join()
    }

    /// Lets the reader take what is left in the source and ends both threads. Gives back the stage, to add what is
    /// known only afterwards, and how it went.
    pub fn finish(self) -> (Option<Stage>, End) {
        self.stop.store(true, Ordering::Release);
        self.join()
    }

    fn join(self) -> (Option<Stage>, End) {
        let crashed = || End::Output(io::Error::other("a thread of the tracer panicked"));
        let read = self.reader.join();
        match (read, self.writer.join()) {
            (Ok(()), Ok((stage, end))) => (Some(stage), end),
            (_, Ok((stage, _))) => (Some(stage), crashed()),
            (_, Err(_)) => (None, crashed()),
        }
    }
}

fn read_all(
    source: &mut dyn Source,
    batches: &SyncSender<Batch>,
    recycled: &Receiver<Batch>,
    stop: &AtomicBool,
) {
    loop {
        // Looked at before reading: what was there when we were told to stop is still read below.
        let stopping = stop.load(Ordering::Acquire);
        let mut batch = recycled.try_recv().unwrap_or_default();
        batch.clear();
        let more = source.read(&mut batch, if stopping { Duration::ZERO } else { POLL });
        let empty = batch.is_empty();
        if !empty && batches.send(batch).is_err() {
            return;
        }
        if !more || (stopping && empty) {
            return;
        }
    }
}

fn write_all(
    stage: &mut Stage,
    incoming: &Receiver<Batch>,
    used: &SyncSender<Batch>,
    notify: &dyn Fn(News),
) -> End {
    loop {
        let batch = match incoming.recv_timeout(IDLE) {
            Ok(batch) => batch,
            Err(RecvTimeoutError::Disconnected) => return End::Complete,
            Err(RecvTimeoutError::Timeout) => match stage.flush() {
                Ok(()) => continue,
                Err(error) => return End::Output(error),
            },
        };
        if let Err(error) = stage.batch(&batch, notify) {
            return End::Output(error);
        }
        match used.try_send(batch) {
            // A full queue of used batches only means that there are enough of them.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ioctl_registry::Registry;
    use ioctl_trace_ebpf::{CallRecord, ProcessRecord, RecordKind};

    use super::*;
    use crate::{decode::Detail, host::LiveHost, source::scripted::Scripted};

    #[derive(Clone, Default)]
    struct Collect(Arc<Mutex<Vec<u32>>>);

    impl Sink for Collect {
        fn event(&mut self, event: &Event, _: &mut Decoder) -> io::Result<()> {
            self.0.lock().expect("lock").push(event.call.request);
            Ok(())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Sink for Broken {
        fn event(&mut self, _: &Event, _: &mut Decoder) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stage(sink: impl Sink + 'static, selection: &str) -> Stage {
        Stage {
            assembler: Assembler::default(),
            decoder: Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(LiveHost::default())),
            selection: Selection::parse(Some(selection).filter(|s| !s.is_empty()), Registry::builtin())
                .expect("selection"),
            filter: None,
            housekeeping: false,
            families: Families::default(),
            window: Window::default(),
            redaction: Redaction::default(),
            rewriter: Rewriter::default(),
            recorder: None,
            tap: None,
            sinks: vec![Box::new(sink)],
            progress: Arc::default(),
        }
    }

    fn script(requests: impl IntoIterator<Item = u32>) -> Box<Scripted> {
        let mut script = Scripted::new();
        for request in requests {
            let mut call = CallRecord { request, ret: -i64::from(request % 2), ..CallRecord::default() };
            call.file.status = 1;
            script.call(call);
        }
        Box::new(script)
    }

    #[test]
    fn every_record_arrives_once_and_in_order() {
        let sink = Collect::default();
        let pipeline =
            Pipeline::start(script(0..20_000), stage(sink.clone(), ""), Box::new(|_| {})).expect("threads");
        let (stage, end) = pipeline.finish();
        assert!(matches!(end, End::Complete));
        assert_eq!(*sink.0.lock().expect("lock"), (0..20_000).collect::<Vec<_>>());
        let progress = stage.expect("stage").progress;
        let count = |c: &AtomicU64| c.load(Ordering::Relaxed);
        assert_eq!(
            (count(&progress.received), count(&progress.shown), count(&progress.failed)),
            (20_000, 20_000, 10_000)
        );
    }

    #[test]
    fn damaged_and_unwanted_records_are_counted() {
        let sink = Collect::default();
        let mut script = *script([0x5401, 0x5413]);
        script
            .raw([7, 7, 7])
            .process(RecordKind::Exit, ProcessRecord { tgid: 5, ..ProcessRecord::default() });
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let notify = Box::new(move |news| {
            seen.fetch_or(news == News::ProcessEnded, Ordering::Relaxed);
        });
        let pipeline =
            Pipeline::start(Box::new(script), stage(sink.clone(), "TIOCGWINSZ"), notify).expect("threads");
        let (stage, _) = pipeline.finish();
        let progress = stage.expect("stage").progress;
        let count = |c: &AtomicU64| c.load(Ordering::Relaxed);
        assert_eq!((count(&progress.damaged), count(&progress.filtered), count(&progress.shown)), (1, 1, 1));
        assert!(ended.load(Ordering::Relaxed), "the end of a process was told");
        assert_eq!(*sink.0.lock().expect("lock"), [0x5413]);
    }

    #[test]
    fn what_does_not_match_is_counted() {
        let sink = Collect::default();
        let filter = Filter::parse("errno == EPERM and number < 10", Registry::builtin()).expect("filter");
        let stage = Stage { filter: Some(filter), ..stage(sink.clone(), "") };
        let (stage, _) = Pipeline::start(script(0..100), stage, Box::new(|_| {})).expect("threads").finish();
        let progress = stage.expect("stage").progress;
        let count = |c: &AtomicU64| c.load(Ordering::Relaxed);
        assert_eq!(
            (count(&progress.received), count(&progress.filtered), count(&progress.shown)),
            (100, 95, 5)
        );
        assert_eq!(*sink.0.lock().expect("lock"), [1, 3, 5, 7, 9]);
    }

    #[test]
    fn a_closed_output_ends_the_threads() {
        let pipeline =
            Pipeline::start(script(0..200_000), stage(Broken, ""), Box::new(|_| {})).expect("threads");
        let (_, end) = pipeline.finish();
        assert!(matches!(end, End::Output(e) if e.kind() == io::ErrorKind::BrokenPipe));
    }
}
