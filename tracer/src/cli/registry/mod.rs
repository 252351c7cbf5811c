//! The commands that ask the registry: `decode`, `list`, `show`. They print facts; nothing is traced.

mod args;
mod bytes;
mod decode;
mod device;
mod facts;
mod files;
mod import;
mod json;
mod list;
mod show;
#[cfg(test)]
mod tests;
mod windows;

use std::io::{self, BufWriter, Write};

use ioctl_registry::Registry;

pub use args::{Action, RegistryAction};
pub use files::open;

use super::run::Failure;
use crate::escape::visible;

/// Does what a command says and prints the outcome.
///
/// # Errors
/// What is wrong with the command line, or why nothing can be printed.
pub fn run(action: &Action, registry: &Registry) -> Result<(), Failure> {
    let mut out = Visible(BufWriter::new(io::stdout().lock()));
    perform(action, registry, &mut out).and_then(|()| Ok(out.flush()?))
}

fn perform(action: &Action, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    match action {
        Action::Decode(args) => decode::run(args, registry, out),
        Action::List(args) => list::run(args, registry, out),
        Action::Show(args) => show::run(args, registry, out),
        Action::Registry(RegistryAction::Import(args)) => import::run(args, out),
        Action::Fields(args) => crate::cli::fields::run(args.json, out),
    }
}

/// Escapes what would control a terminal: names and types can be from a file.
struct Visible<W>(W);

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.iter().all(|byte| matches!(byte, b'\n' | b' '..=b'~')) {
            return self.0.write_all(bytes);
        }
        for (place, line) in String::from_utf8_lossy(bytes).split('\n').enumerate() {
            write!(self.0, "{}{}", if place == 0 { "" } else { "\n" }, visible(line))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
