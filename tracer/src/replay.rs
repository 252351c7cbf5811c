//! A recording through the same pipeline as live calls, on any machine.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ioctl_registry::{Arch, Registry};

use crate::{
    assemble::Assembler,
    decode::{Decoder, Detail},
    families::Families,
    filter::Filter,
    host::RecordedHost,
    pipeline::{End, Pipeline, Progress, Stage, Window},
    recording::{Closing, Reader, Tap, Writer},
    redact::{Redaction, Rewriter},
    select::Selection,
    sink::Sink,
    source::{Batch, Source, paced::Paced},
};

/// What to do with a recording.
pub struct Plan {
    /// What the requests' numbers mean.
    pub registry: &'static Registry,
    /// The requests that are wanted.
    pub selection: Selection,
    /// The calls that are wanted; `None` for all of them.
    pub filter: Option<Filter>,
    /// When they began.
    pub window: Window,
    /// Whether the control codes are shown by which Wine keeps house.
    pub housekeeping: bool,
    /// What is left out of them.
    pub redaction: Redaction,
    /// Whether processes are numbered as in their own namespaces too, where the recording says how.
    pub translates: bool,
    /// How many times faster than it was; `None` for at once.
    pub speed: Option<f64>,
    /// Whoever sets it ends the replay wherever it is.
    pub stop: Arc<AtomicBool>,
    /// Where events go.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Keeps the records.
    pub recorder: Option<Writer>,
    /// Keeps records while somebody wants that.
    pub tap: Option<Arc<Tap>>,
}

/// What a replay came to.
#[derive(Debug)]
pub struct Report {
    /// What was done.
    pub progress: Arc<Progress>,
    /// What the recording came to; `None` where its writer did not end it.
    pub closing: Option<Closing>,
    /// Why the end of the recording is missing, if it is.
    pub cut: Option<String>,
    /// How the outputs ended.
    pub end: End,
}

/// Where a reader leaves what it knows at the end.
type Ending = Arc<Mutex<(Option<Closing>, Option<String>)>>;

/// Plays a recording to its end.
///
/// # Errors
/// When a thread cannot be started.
pub fn run(reader: Reader, plan: Plan) -> io::Result<Report> {
    let arch = reader.meta().arch().unwrap_or(Arch::native());
    let progress = Arc::new(Progress::default());
    let decoder = Decoder::new(plan.registry, Detail::Full, Box::new(RecordedHost::default()))
        .of(arch)
        .translating(plan.translates);
    let stage = Stage {
        assembler: Assembler::new(arch),
        decoder,
        selection: plan.selection,
        filter: plan.filter,
        housekeeping: plan.housekeeping,
        families: Families::default(),
        window: plan.window,
        redaction: plan.redaction,
        rewriter: Rewriter::default(),
        sinks: plan.sinks,
        recorder: plan.recorder,
        tap: plan.tap,
        progress: Arc::clone(&progress),
    };
    let ending = Ending::default();
    let source = Played { reader, ending: Arc::clone(&ending) };
    let source: Box<dyn Source> = match plan.speed {
        Some(speed) => Box::new(Paced::new(source, speed, plan.window.first_ns..=plan.window.last_ns)),
        None => Box::new(source),
    };
    let source = Box::new(Stoppable { source, stop: plan.stop });
    let (stage, mut end) = Pipeline::start(source, stage, Box::new(|_| {}))?.complete();
    let (closing, cut) = std::mem::take(&mut *ending.lock().unwrap_or_else(PoisonError::into_inner));
    if let (Some(mut stage), End::Complete) = (stage, &end)
        && let Err(error) = finish(&mut stage, closing.as_ref())
    {
        end = End::Output(error);
    }
    Ok(Report { progress, closing, cut, end })
}

/// Completes every output. A recording of one without an end has none either.
fn finish(stage: &mut Stage, closing: Option<&Closing>) -> io::Result<()> {
    stage.rest()?;
    stage.sinks.iter_mut().try_for_each(|sink| sink.finish())?;
    match (&mut stage.recorder, closing) {
        (Some(recorder), Some(closing)) => recorder.finish(closing),
        (Some(recorder), None) => recorder.flush(),
        (None, _) => Ok(()),
    }
}

/// A reader that tells how it ended.
struct Played {
    reader: Reader,
    ending: Ending,
}

impl Source for Played {
    fn read(&mut self, batch: &mut Batch, timeout: Duration) -> bool {
        let more = self.reader.read(batch, timeout);
        if !more {
            let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
            *ending = (self.reader.closing().cloned(), self.reader.cut().map(str::to_owned));
        }
        more
    }
}

/// A source that ends when it is told to.
struct Stoppable {
    source: Box<dyn Source>,
    stop: Arc<AtomicBool>,
}

impl Source for Stoppable {
    fn read(&mut self, batch: &mut Batch, timeout: Duration) -> bool {
        !self.stop.load(Ordering::Acquire) && self.source.read(batch, timeout)
    }
}
