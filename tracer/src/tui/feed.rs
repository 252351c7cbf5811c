//! The output that leads to the dashboard.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
};

use super::model::Msg;
use crate::{decode::Decoder, event::Event, sink::Sink};

/// A batch is handed on at this size even before the end of what was read at once.
const BATCH: usize = 2_048;

/// Hands events on in batches. When the dashboard does not keep up it waits, and with it the reading of the kernel's
/// buffer; what does not fit there is counted as lost by the kernel side.
pub struct Feed {
    out: SyncSender<Msg>,
    batch: Vec<Event>,
    closed: Arc<AtomicBool>,
}

impl Feed {
    /// To the dashboard's queue. Once it is `closed`, nothing more is taken, as by a pipe that nobody reads.
    #[must_use]
    pub const fn new(out: SyncSender<Msg>, closed: Arc<AtomicBool>) -> Self {
        Self { out, batch: Vec::new(), closed }
    }
}

impl Sink for Feed {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        if let Some(file) = event.call.target.file() {
            // The table names devices, and the decoder is not at hand there.
            let _ = decoder.device(file);
        }
        self.batch.push(event.clone());
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        // The next batch is likely to be as large as this one.
        let next = Vec::with_capacity(self.batch.len());
        let batch = std::mem::replace(&mut self.batch, next);
        self.out.send(Msg::Calls(batch)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use ioctl_registry::Registry;

    use super::*;
    use crate::{decode::Detail, host::LiveHost, tui::fixture::call};

    #[test]
    fn events_arrive_in_batches_and_a_closed_dashboard_is_a_closed_pipe() {
        let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(LiveHost::default()));
        let (send, messages) = sync_channel(4);
        let mut feed = Feed::new(send, Arc::default());
        for n in 0..3 {
            feed.event(&call(n).event(), &mut decoder).expect("open");
        }
        assert!(messages.try_recv().is_err(), "nothing before the end of the batch");
        feed.flush().expect("open");
        feed.flush().expect("nothing to do");
        assert!(matches!(messages.try_recv(), Ok(Msg::Calls(batch)) if batch.len() == 3));
        assert!(messages.try_recv().is_err(), "empty batches are not sent");
        drop(messages);
        feed.event(&call(4).event(), &mut decoder).expect("only kept so far");
        assert_eq!(feed.flush().expect_err("closed").kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_closed_feed_takes_nothing_even_if_nothing_matches() {
        let (send, _messages) = sync_channel(4);
        let closed = Arc::<AtomicBool>::default();
        let mut feed = Feed::new(send, Arc::clone(&closed));
        feed.flush().expect("open");
        closed.store(true, Ordering::Release);
        assert_eq!(feed.flush().expect_err("closed").kind(), io::ErrorKind::BrokenPipe);
    }
}
