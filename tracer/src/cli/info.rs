//! `replay --info`: what a recording is of, from its headers alone.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

use super::run::Failure;
use crate::{
    clock::WallClock,
    escape::escaped,
    recording::{Meta, Reader},
    totals::Human,
};

/// Prints what a recording is of.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn print(path: &Path) -> Result<(), Failure> {
    let mut reader = Reader::open(path)
        .map_err(|error| Failure::Tracing(anyhow::anyhow!("`{}` {error}", path.display())))?;
    let frames = reader.index()?;
    let calls = frames.iter().map(|frame| u64::from(frame.calls)).sum();
    let with_calls = || frames.iter().filter(|frame| frame.calls > 0);
    let first = with_calls().map(|frame| frame.first_ns).min();
    let last = with_calls().map(|frame| frame.last_ns).max();
    let info = Info {
        meta: reader.meta(),
        calls,
        span: first.zip(last),
        bytes: std::fs::metadata(path)?.len(),
        whole: frames.last().is_some_and(crate::recording::Header::ends),
    };
    write!(io::stdout(), "{info}").map_err(Failure::from)
}

struct Info<'m> {
    meta: &'m Meta,
    calls: u64,
    /// When the first and the last call began.
    span: Option<(u64, u64)>,
    bytes: u64,
    whole: bool,
}

impl fmt::Display for Info<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meta = self.meta;
        // It may come from anywhere.
        let text = |text: &str| escaped(text.as_bytes());
        let command: Vec<String> = meta.command.iter().map(|word| text(word)).collect();
        let clock = WallClock::recorded(meta.epoch_ns);
        writeln!(f, "calls      {}", self.calls)?;
        if let Some((first, last)) = self.span {
            let (from, to) = (clock.moment(first), clock.moment(last));
            writeln!(f, "from       {from}\nto         {to} ({})", Human(last.saturating_sub(first)))?;
        }
        writeln!(f, "size       {} bytes", self.bytes)?;
        writeln!(f, "machine    {}, Linux {}, {}", text(&meta.host), text(&meta.kernel), text(&meta.arch))?;
        writeln!(f, "made by    {}, which knew {} requests", text(&meta.program), meta.registry_requests)?;
        writeln!(f, "command    {}", command.join(" "))?;
        if meta.part > 0 {
            writeln!(f, "part       {} of a series", meta.part)?;
        }
        let end = if self.whole { "its writer ended it" } else { "missing: its writer did not end it" };
        writeln!(f, "end        {end}")
    }
}
