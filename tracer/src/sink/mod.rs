//! Where events go: lines, JSON, tables, time lines, totals.

pub mod csv;
mod facts;
mod fields;
pub mod jsonl;
pub mod out;
pub mod parquet;
pub mod perfetto;
pub mod summary;
pub mod table;
#[cfg(test)]
mod tests;
pub mod text;

use std::io;

use crate::{decode::Decoder, event::Event};

/// An output. It is given decoded events, never records.
pub trait Sink: Send {
    /// Takes one event. The decoder answers what the event does not hold itself.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()>;

    /// Makes everything taken so far visible to readers of the output.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn flush(&mut self) -> io::Result<()>;

    /// Completes the output after the last event.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}
