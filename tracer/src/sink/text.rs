//! One line a call, in the shape of strace.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};

use super::Sink;
use crate::{
    clock::{SecondCache, WallClock},
    decode::Decoder,
    errno,
    escape::write_escaped,
    event::{Call, Event, File, Outcome, Target},
};

/// How the time of a call is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeStyle {
    /// Not at all.
    #[default]
    None,
    /// `23:40:01`
    Seconds,
    /// `23:40:01.123456`
    Micros,
    /// `1795131601.123456`: seconds since the epoch.
    Epoch,
    /// `     0.000123`: seconds since the call before.
    Relative,
}

/// What stands behind a descriptor's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FdStyle {
    /// `0`
    Number,
    /// `0</dev/pts/3>`
    #[default]
    Path,
    /// `0</dev/pts/3<char 136:3>>`
    Device,
}

/// What a line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextStyle {
    /// The time it began.
    pub time: TimeStyle,
    /// The descriptor.
    pub fd: FdStyle,
    /// The request's number before the call, in brackets.
    pub number: bool,
    /// Colours for a terminal.
    pub color: bool,
}

/// Writes lines.
pub struct Text<W> {
    out: W,
    style: TextStyle,
    clock: WallClock,
    second: SecondCache,
    previous_ns: Option<u64>,
    line: String,
}

const NAME: Style = AnsiColor::Cyan.on_default();
const FAILED: Style = AnsiColor::Red.on_default();
const FAINT: Style = Style::new().dimmed();

impl<W: Write + Send> Text<W> {
    /// Lines to `out`, which should be buffered.
    pub fn new(out: W, style: TextStyle, clock: WallClock) -> Self {
        Self { out, style, clock, second: SecondCache::default(), previous_ns: None, line: String::new() }
    }

    fn format(&mut self, event: &Event) -> std::fmt::Result {
        let call = &event.call;
        self.line.clear();
        write_escaped(&mut self.line, call.comm.as_bytes(), &[])?;
        write!(self.line, " {} ", call.tid)?;
        self.time(call)?;
        if self.style.number {
            write!(self.line, "[{:#06x}] ", call.request)?;
        }
        write!(self.line, "ioctl({}", call.fd)?;
        if let Some(file) = call.target.file()
            && self.style.fd > FdStyle::Number
            && !file.target.is_empty()
        {
            let faint = self.paint(FAINT);
            write!(self.line, "{faint}<")?;
            write_target(&mut self.line, file, self.style.fd)?;
            write!(self.line, ">{faint:#}")?;
        }
        let name = self.paint(NAME);
        write!(self.line, ", {name}{}{name:#}, {:#x}) = ", event.request, Hex(call.arg))?;
        self.outcome(call.outcome)?;
        let faint = self.paint(FAINT);
        let micros = call.duration_ns / 1_000;
        write!(self.line, " {faint}<{}.{:06}>{faint:#}", micros / 1_000_000, micros % 1_000_000)?;
        if matches!(call.target, Target::Unreadable) {
            self.line.push_str(" /* file not readable */");
        }
        self.line.push('\n');
        Ok(())
    }

    fn paint(&self, style: Style) -> Style {
        if self.style.color { style } else { Style::new() }
    }

    fn time(&mut self, call: &Call) -> std::fmt::Result {
        let (second, nanos) = self.clock.epoch(call.start_ns);
        let micros = nanos / 1_000;
        match self.style.time {
            TimeStyle::None => Ok(()),
            TimeStyle::Seconds => {
                self.line.push_str(self.second.get(second, |s| self.clock.local_second(s)));
                self.line.push(' ');
                Ok(())
            }
            TimeStyle::Micros => {
                self.line.push_str(self.second.get(second, |s| self.clock.local_second(s)));
                write!(self.line, ".{micros:06} ")
            }
            TimeStyle::Epoch => write!(self.line, "{second}.{micros:06} "),
            TimeStyle::Relative => {
                // Calls are written as they end, so one may have begun before the one above it.
                let since = call.start_ns.saturating_sub(self.previous_ns.unwrap_or(call.start_ns)) / 1_000;
                self.previous_ns = Some(call.start_ns);
                write!(self.line, "{:6}.{:06} ", since / 1_000_000, since % 1_000_000)
            }
        }
    }

    fn outcome(&mut self, outcome: Outcome) -> std::fmt::Result {
        let failed = self.paint(FAILED);
        match (outcome, outcome.errno()) {
            (_, Some(number)) if errno::is_restart(number) => {
                write!(self.line, "? {} ({})", errno::name(number), errno::text(number))
            }
            (_, Some(number)) => {
                write!(self.line, "{failed}-1 {} ({}){failed:#}", errno::name(number), errno::text(number))
            }
            (Outcome::Returned(value), None) => write!(self.line, "{value}"),
            (Outcome::Running, _) => self.line.write_str("? <still running>"),
            (Outcome::Killed(_) | Outcome::Ended, _) => self.line.write_str("?"),
        }
    }
}

impl<W: Write + Send> Sink for Text<W> {
    fn event(&mut self, event: &Event, _decoder: &mut Decoder) -> io::Result<()> {
        self.format(event).map_err(io::Error::other)?;
        self.out.write_all(self.line.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An argument as strace prints one it does not decode: `0` has no prefix.
struct Hex(u64);

impl std::fmt::LowerHex for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { std::fmt::LowerHex::fmt(&self.0, f) }
    }
}

/// Writes what stands behind a descriptor, as strace's `-y` and `-yy` do.
///
/// # Errors
/// Those of the writer.
pub fn write_target(out: &mut impl std::fmt::Write, file: &File, style: FdStyle) -> std::fmt::Result {
    write_escaped(out, &file.target, &['<', '>'])?;
    if style == FdStyle::Device
        && let Some((major, minor)) = file.numbers
    {
        let kind = if file.kind == ioctl_registry::DeviceKind::Block { "block" } else { "char" };
        write!(out, "<{kind} {major}:{minor}>")?;
    }
    if file.deleted {
        out.write_str("(deleted)")?;
    }
    Ok(())
}
