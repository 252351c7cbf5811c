//! What happens to the dashboard, and what it wants to be done outside of it.

use std::{collections::VecDeque, path::PathBuf, process::ExitStatus};

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Size;

use super::{
    holders::Holders,
    notices::Waiting,
    picture::Picture,
    store::{Store, calls::Calls},
};
use crate::{event::Event, recording::Closing, session::Status, source::Accounts};

/// What happens to the dashboard.
#[derive(Debug)]
pub enum Msg {
    /// The store has something new.
    News,
    /// What the store has for the screen.
    Picture(Box<Picture>),
    /// The store as it is now, to be held.
    Held(Box<Store>),
    /// How tracing stands.
    Status(Status),
    /// Calls that are inside the kernel.
    InFlight(Vec<Event>),
    /// Who has devices open.
    Holders(Holders),
    /// Log lines.
    Notices(Waiting),
    /// A key.
    Key(KeyEvent),
    /// Pasted text.
    Paste(String),
    /// The command has printed something.
    Printed(Vec<u8>),
    /// The mouse.
    Mouse(MouseEvent),
    /// The terminal's size.
    Resize(Size),
    /// The time, in monotonic nanoseconds: sent before drawing, and now and then when nothing else happens.
    Tick(u64),
    /// Tracing is over.
    Over(Over),
    /// The program is to end: a signal, or the terminal is gone.
    Quit,
}

/// Calls to be saved: all of them, or those of these numbers.
#[derive(Clone, Debug)]
pub struct Saved {
    /// All of them.
    pub calls: Calls,
    /// Numbers of those that are wanted.
    pub found: Option<VecDeque<u64>>,
}

/// What is to be done outside of the model.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Take a copy of the store, to be held.
    Hold,
    /// Empty the store.
    Clear,
    /// Find out who has devices open.
    FindHolders,
    /// Write what comes from now on into a file.
    Write(PathBuf),
    /// End that.
    StopWriting,
    /// Save calls into a file.
    Save(PathBuf, Saved),
    /// Put a text into the terminal's clipboard.
    Copy(String),
    /// Type into the command's terminal.
    Type(Vec<u8>),
    /// Tell the command's terminal its size.
    Resize(Size),
}

/// How tracing ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// There is nothing left to trace, or it was stopped; and how the command ended, if there is one and it did.
    Complete(Accounts, Option<ExitStatus>),
    /// A recording has been read.
    Played {
        /// What it came to; `None` where its writer did not end it.
        closing: Option<Closing>,
        /// Why its end is missing, if it is.
        cut: Option<String>,
        /// Records that could not be read.
        damaged: u64,
    },
    /// Something broke.
    Failed(String),
}
