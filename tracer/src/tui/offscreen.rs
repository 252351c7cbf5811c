//! The dashboard without a terminal, to see what it costs: calls from any source through the usual threads, frames written
//! to nowhere.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufWriter},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ioctl_registry::{Arch, Registry};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};
use serde::Serialize;

use super::{
    QUEUE, attend,
    config::Looks,
    decoder,
    feed::Feed,
    model::{Model, Opening, Origin},
    msg::Msg,
    outside::{Outputs, Outside},
    store::{Shared, Store},
    view::view,
};
use crate::{
    assemble::Assembler,
    clock::{WallClock, monotonic_ns},
    decode::{Decoder, Detail},
    families::Families,
    host::LiveHost,
    pipeline::{Pipeline, Stage, Window},
    redact::{Redaction, Rewriter},
    select::Selection,
    session::Status,
    source::Source,
};

/// A key is pressed this often.
const KEYS: Duration = Duration::from_millis(170);

/// What a run came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Seconds that it took.
    pub seconds: f64,
    /// Calls that were added up.
    pub calls: u64,
    /// Calls a second.
    pub calls_per_s: f64,
    /// Frames a second.
    pub frames_per_s: f64,
    /// Milliseconds from a key to its picture: of half of the keys no more, and of all.
    pub key_p50_ms: f64,
    /// See the one before.
    pub key_max_ms: f64,
    /// Processor time of the thread that draws, as a part of one processor.
    pub drawing_percent: f64,
    /// Processor time of all threads.
    pub all_percent: f64,
    /// Bytes that the calls kept take.
    pub kept_bytes: usize,
    /// Calls that had to make room.
    pub dropped: u64,
}

fn cpu(who: UsageWho) -> io::Result<Duration> {
    let usage = getrusage(who)?;
    let time = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0)))
}

/// Shows what a source brings for some time, on a screen of a size; every view in turn, while keys are pressed.
///
/// # Errors
/// When threads cannot be started.
pub fn run(source: Box<dyn Source>, time: Duration, (width, height): (u16, u16)) -> io::Result<Figures> {
    let registry = Registry::builtin();
    let (out, messages) = sync_channel(QUEUE);
    let looks = Looks::usual(true);
    let shared = Arc::new(Shared::new(Store::new(looks.memory / 2)));
    let stage = Stage {
        assembler: Assembler::default(),
        decoder: Decoder::new(registry, Detail::Full, Box::new(LiveHost::default())),
        selection: Selection::default(),
        filter: None,
        housekeeping: false,
        families: Families::default(),
        window: Window::default(),
        redaction: Redaction::default(),
        rewriter: Rewriter::default(),
        sinks: vec![Box::new(Feed::new(Arc::clone(&shared), out.clone()))],
        recorder: None,
        tap: None,
        progress: Arc::default(),
    };
    let opening = Opening {
        origin: Origin::Live,
        subject: "offscreen".to_owned(),
        clock: WallClock::system(),
        decoder: decoder(registry, Arch::native()),
        redacted: false,
        looks,
        pane: None,
    };
    let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
    let nowhere = BufWriter::new(File::options().write(true).open("/dev/null")?);
    let mut screen = Terminal::with_options(CrosstermBackend::new(nowhere), TerminalOptions { viewport })?;
    let mut model = Model::new(opening, (width, height).into(), Status::default(), monotonic_ns());

    let pressed: Arc<Mutex<Option<Instant>>> = Arc::default();
    let (begin, cpu_begin) = (Instant::now(), [cpu(UsageWho::RUSAGE_THREAD)?, cpu(UsageWho::RUSAGE_SELF)?]);
    let pipeline = Pipeline::start(source, stage, Box::new(|_| {}))?;
    let (last, typed) = (Arc::clone(&pressed), out.clone());
    let keys = thread::Builder::new().name("keys".into()).spawn(move || {
        let script = ['j', 'k', '2', 'j', 's', '3', '4', 'G', '5', '6', 'j', '7', 'j', '1', 'k', 'k', 'G'];
        for key in script.into_iter().cycle() {
            thread::sleep(KEYS);
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            let key = KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE);
            if typed.send(Msg::Key(key)).is_err() {
                return;
            }
        }
    })?;
    let (mut frames, mut waits) = (0_u64, Vec::new());
    // When the key was pressed whose picture is the next one.
    let taken = Cell::new(None);
    let outputs: Outputs = Box::new(|_| Err("nothing is written here".to_owned()));
    let outside = Outside::new(Arc::clone(&shared), outputs, out.clone(), io::sink());
    attend(
        &mut model,
        &outside,
        |wait| match messages.recv_timeout(wait) {
            Ok(msg) => {
                if matches!(msg, Msg::Key(_)) {
                    taken.set(pressed.lock().unwrap_or_else(PoisonError::into_inner).take());
                }
                Some(msg)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Msg::Quit),
        },
        |_| begin.elapsed() < time,
        |model| {
            screen.draw(|frame| view(model, frame))?;
            frames += 1;
            waits.extend(taken.take().map(|pressed: Instant| pressed.elapsed()));
            Ok(())
        },
    )?;
    drop(messages);
    let seconds = begin.elapsed().as_secs_f64();
    let used = |who: UsageWho, before: Duration| {
        Ok::<_, io::Error>((cpu(who)? - before).as_secs_f64() / seconds * 100.0)
    };
    let drawing_percent = used(UsageWho::RUSAGE_THREAD, cpu_begin[0])?;
    let all_percent = used(UsageWho::RUSAGE_SELF, cpu_begin[1])?;
    let calls = shared.store().sum.calls;
    shared.closed.store(true, Ordering::Release);
    let _ = pipeline.finish();
    // It ends with the next key.
    let _ = keys.join();
    waits.sort_unstable();
    let ms = |wait: Option<&Duration>| wait.map_or(0.0, |wait| wait.as_secs_f64() * 1e3);
    let kept = shared.store().calls.clone();
    Ok(Figures {
        seconds,
        calls,
        calls_per_s: calls as f64 / seconds,
        frames_per_s: frames as f64 / seconds,
        key_p50_ms: ms(waits.get(waits.len() / 2)),
        key_max_ms: ms(waits.last()),
        drawing_percent,
        all_percent,
        kept_bytes: kept.memory().0,
        dropped: kept.dropped(),
    })
}
