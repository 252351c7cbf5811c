//! What the model has left to be done outside of it: the store, files, the clipboard.

use std::{
    cell::RefCell,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering, mpsc::SyncSender},
    thread::{Builder, JoinHandle},
};

use super::{
    decoder, holders,
    model::{Model, update},
    msg::{Effect, Msg, Saved},
    pane::pty::Pty,
    picture::Picture,
    store::{Order, Shared},
    stream::Lines,
    text::Grouped,
};
use crate::{decode::Decoder, recording::Writer, sink::Sink};

/// A file that is open.
pub enum Opened {
    /// For calls.
    Sink(Box<dyn Sink>),
    /// For the records that they come from.
    Recording(Box<Writer>),
}

/// Opens an output by its name, or says why it cannot.
pub type Outputs = Box<dyn Fn(&Path) -> Result<Opened, String>>;

/// The world around the model.
pub struct Outside {
    pub(super) shared: Arc<Shared>,
    outputs: Outputs,
    pub(super) out: SyncSender<Msg>,
    /// The terminal, whose clipboard is asked to take texts.
    screen: RefCell<Box<dyn Write>>,
    /// Where the command runs, if there is one.
    terminal: RefCell<Option<Pty>>,
    /// Calls are being saved.
    saving: RefCell<Vec<JoinHandle<()>>>,
    /// Who has devices open is being found out.
    finding: RefCell<Option<JoinHandle<()>>>,
}

impl Outside {
    /// A store, where files come from, the queue of the dashboard, and its terminal.
    pub fn new(
        shared: Arc<Shared>,
        outputs: Outputs,
        out: SyncSender<Msg>,
        screen: impl Write + 'static,
    ) -> Self {
        Self {
            shared,
            outputs,
            out,
            screen: RefCell::new(Box::new(screen)),
            terminal: RefCell::default(),
            saving: RefCell::default(),
            finding: RefCell::default(),
        }
    }

    /// With the terminal of a command.
    #[must_use]
    pub fn with(self, terminal: Option<Pty>) -> Self {
        Self { terminal: RefCell::new(terminal), ..self }
    }

    /// Does what the model has left to be done, and takes what it shows out of the store.
    pub fn refresh(&self, model: &mut Model) {
        for effect in std::mem::take(&mut model.effects) {
            if let Err(why) = self.perform(effect, model) {
                model.say(why, 0);
            }
        }
        self.shared.lost.store(model.status.accounts.lost(), Ordering::Relaxed);
        // From here on whatever comes is told of again.
        self.shared.told.store(false, Ordering::Release);
        let picture = Box::new(Picture::take(model, &mut self.shared.store()));
        update(model, Msg::Picture(picture));
        model.dirty = model.is_busy();
    }

    fn perform(&self, effect: Effect, model: &mut Model) -> Result<(), String> {
        match effect {
            Effect::Hold => {
                let held = Box::new(self.shared.store().clone());
                update(model, Msg::Held(held));
            }
            Effect::Clear => {
                self.shared.store().clear();
                if let Some(held) = &mut model.held {
                    held.store.clear();
                }
            }
            Effect::FindHolders => self.find_holders().map_err(|error| error.to_string())?,
            Effect::Write(path) => {
                let opened = self.open(&path)?;
                self.shared.order(Order::Write(opened, path.display().to_string()));
            }
            Effect::StopWriting => self.shared.order(Order::Stop),
            Effect::Save(path, saved) => self.save(path, saved, model).map_err(|error| error.to_string())?,
            Effect::Copy(text) => self.copy(&text),
            Effect::Type(bytes) => self.terminal(|terminal| terminal.type_in(&bytes), "it takes no keys")?,
            Effect::Resize(size) => self.terminal(|terminal| terminal.resize(size), "it takes no size")?,
        }
        Ok(())
    }

    fn terminal(&self, with: impl FnOnce(&Pty) -> io::Result<()>, what: &str) -> Result<(), String> {
        let terminal = self.terminal.borrow();
        let done = terminal.as_ref().map_or(Ok(()), with);
        done.map_err(|error| format!("the command's terminal: {what}: {error}"))
    }

    /// Asks the terminal to take a text into its clipboard (OSC 52). Not all do.
    fn copy(&self, text: &str) {
        let copy = crossterm::clipboard::CopyToClipboard::to_clipboard_from(text);
        // It is written between frames; a terminal that is gone is found out by the next one.
        let mut screen = self.screen.borrow_mut();
        let _ = crossterm::execute!(screen, copy);
    }

    /// Looks through the processes on a thread of its own, one at a time.
    fn find_holders(&self) -> io::Result<()> {
        let mut finding = self.finding.borrow_mut();
        if finding.as_ref().is_none_or(JoinHandle::is_finished) {
            let out = self.out.clone();
            let work = move || {
                // What does not fit into a full queue is found out again.
                let _ = out.try_send(Msg::Holders(holders::find()));
            };
            *finding = Some(Builder::new().name("holders".into()).spawn(work)?);
        }
        Ok(())
    }

    fn open(&self, path: &Path) -> Result<Opened, String> {
        (self.outputs)(path).map_err(|why| format!("`{}`: {why}", path.display()))
    }

    /// Saves calls on a thread of its own: there may be many.
    fn save(&self, path: PathBuf, saved: Saved, model: &Model) -> io::Result<()> {
        if path.extension().is_some_and(|ending| ending == "iotrace") {
            return Err(io::Error::other("a recording is of what comes from now on: `w` writes one"));
        }
        let Opened::Sink(mut sink) = self.open(&path).map_err(io::Error::other)? else { return Ok(()) };
        let mut decoder = decoder(model.decoder.registry(), model.decoder.arch());
        self.shared.store().facts.iter().for_each(|fact| decoder.host().learn(fact.clone()));
        let (shared, out) = (Arc::clone(&self.shared), self.out.clone());
        let work = move || {
            let written = write(&saved, sink.as_mut(), &mut decoder);
            let name = path.display();
            shared.store().said.push(match written {
                Ok(calls) => format!("{} calls are in `{name}`", Grouped(calls)),
                Err(error) => format!("cannot write `{name}`: {error}"),
            });
            // A full queue wakes the dashboard as well.
            let _ = out.try_send(Msg::News);
        };
        self.saving.borrow_mut().push(Builder::new().name("save".into()).spawn(work)?);
        Ok(())
    }

    /// Hangs up the command's terminal, and waits until everything is saved.
    pub fn finish(&self) {
        drop(self.terminal.take());
        for saving in self.saving.take() {
            // A panic has been reported already.
            let _ = saving.join();
        }
    }
}

/// Writes calls. Gives how many.
fn write(saved: &Saved, sink: &mut dyn Sink, decoder: &mut Decoder) -> io::Result<u64> {
    let lines = Lines { calls: &saved.calls, found: saved.found.as_ref() };
    let mut calls = 0;
    for event in (0..lines.len()).filter_map(|place| saved.calls.get(lines.number(place)?)) {
        sink.event(event, decoder)?;
        calls += 1;
    }
    sink.finish()?;
    Ok(calls)
}
