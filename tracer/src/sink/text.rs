//! One line a call, in the shape of strace.

use std::{fmt::Write as _, io};

use anstyle::AnsiColor;
use ioctl_registry::{Arg, DeviceKind, Lookup, Style, Value, Xlat, windows};

use super::{Sink, out::Output};
use crate::{
    clock::{SecondCache, WallClock},
    decode::Decoder,
    errno,
    escape::write_escaped,
    event::{Call, Control, Event, File, Outcome, Target},
    redact::MARK,
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
    /// How arguments are written.
    pub values: ValueStyle,
    /// Lines of source in the program's stack.
    pub source_lines: bool,
}

/// How arguments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueStyle {
    /// Bytes of each text, and elements of each array, at most.
    pub limit: usize,
    /// Every field.
    pub verbose: bool,
    /// Constants.
    pub xlat: Xlat,
    /// 1: texts that are not plain in hexadecimal, 2: all texts.
    pub hex_strings: u8,
}

impl ValueStyle {
    /// The same for the registry; descriptors are plain numbers.
    const fn style<'s>(self) -> Style<'s> {
        let Self { limit, verbose, xlat, hex_strings } = self;
        Style { limit, verbose, xlat, hex_strings, descriptors: None }
    }
}

impl Default for ValueStyle {
    fn default() -> Self {
        let Style { limit, verbose, xlat, hex_strings, .. } = Style::default();
        Self { limit, verbose, xlat, hex_strings }
    }
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

const NAME: anstyle::Style = AnsiColor::Cyan.on_default();
const FAILED: anstyle::Style = AnsiColor::Red.on_default();
const FAINT: anstyle::Style = anstyle::Style::new().dimmed();

impl<W: Output> Text<W> {
    /// Lines to `out`, which should be buffered.
    pub fn new(out: W, style: TextStyle, clock: WallClock) -> Self {
        Self { out, style, clock, second: SecondCache::default(), previous_ns: None, line: String::new() }
    }

    fn format(&mut self, event: &Event, decoder: &mut Decoder) -> std::fmt::Result {
        let call = &event.call;
        self.line.clear();
        write_escaped(&mut self.line, call.comm.as_bytes(), &[])?;
        self.line.push(' ');
        self.decimal(call.tid);
        self.line.push(' ');
        if let Some(ids) = decoder.ns_ids(call) {
            write!(self.line, "({}) ", ids.tid)?;
        }
        if call.parent_ns.is_some() {
            self.line.push_str("  ");
        }
        self.time(call)?;
        if self.style.number {
            write!(self.line, "[{:#06x}] ", call.request)?;
        }
        match &call.control {
            Some(control) => write!(self.line, "{}({:#x}", control.function_name(), control.handle)?,
            None => {
                self.line.push_str("ioctl(");
                self.decimal(call.fd);
            }
        }
        if let Some(file) = call.target.file()
            && self.style.fd > FdStyle::Number
            && !file.target.is_empty()
        {
            self.begin(FAINT)?;
            self.line.push('<');
            write_target(&mut self.line, file, self.style.fd)?;
            self.line.push('>');
            self.end(FAINT)?;
        }
        self.line.push_str(", ");
        self.begin(NAME)?;
        match (&event.request, self.style.values.xlat) {
            (Lookup::Exact(named), Xlat::Abbrev) if named.parameters().is_none() => {
                self.line.push_str(named.name());
            }
            (_, xlat) => write!(self.line, "{}", Request(event, xlat))?,
        }
        self.end(NAME)?;
        match &call.control {
            Some(control) => self.buffers(event, control, decoder)?,
            None => self.argument(event, decoder)?,
        }
        self.line.push_str(") = ");
        match call.status() {
            Some(status) => self.status(status, call.failed())?,
            None => self.outcome(call.outcome)?,
        }
        if let Some(value) = decoder.result(event) {
            self.result(call, &value)?;
        }
        let micros = call.duration_ns / 1_000;
        self.line.push(' ');
        self.begin(FAINT)?;
        write!(self.line, "<{}.{:06}>", micros / 1_000_000, micros % 1_000_000)?;
        self.end(FAINT)?;
        for remark in remarks(call) {
            write!(self.line, " /* {remark} */")?;
        }
        self.line.push('\n');
        self.stacks(call, decoder)
    }

    /// The argument: what was handed over, and behind an arrow what the call changed of it.
    fn argument(&mut self, event: &Event, decoder: &Decoder) -> std::fmt::Result {
        let call = &event.call;
        let (before, after) = decoder.arguments(event);
        let names = event.request.named();
        let none = !names.is_empty() && names.iter().all(|named| named.arg() == Arg::None);
        let exchange = Value::exchange(before, after);
        let Some(left) = exchange.left else {
            return match call.shown_arg() {
                _ if none => Ok(()),
                None => write!(self.line, ", {MARK}"),
                Some(arg) => write!(self.line, ", {:#x}", Hex(arg)),
            };
        };
        let descriptors = |fd| described(call, fd);
        let mut style = self.style.values.style();
        if self.style.fd > FdStyle::Number {
            style.descriptors = Some(&descriptors);
        }
        write!(self.line, ", {}", left.display(&style))?;
        match exchange.right {
            Some(right) => write!(self.line, " => {}", right.display(&style)),
            None => Ok(()),
        }
    }

    /// The buffers of a control code with their lengths, and behind these the bytes that were filled, as strace has the
    /// lengths that calls change.
    fn buffers(&mut self, event: &Event, control: &Control, decoder: &Decoder) -> std::fmt::Result {
        let (before, after) = decoder.arguments(event);
        let redacted = event.call.shown_arg().is_none();
        let buffers =
            [(before, event.call.arg, control.input_len), (after, control.output, control.output_len)];
        for (place, (value, address, length)) in buffers.into_iter().enumerate() {
            match value {
                Some(value) => write!(self.line, ", {}", value.display(&self.style.values.style()))?,
                None if address == 0 && (!redacted || length == 0) => self.line.push_str(", NULL"),
                None if redacted => write!(self.line, ", {MARK}")?,
                None => write!(self.line, ", {address:#x}")?,
            }
            match control.information.filter(|filled| place == 1 && *filled != u64::from(length)) {
                Some(filled) => write!(self.line, ", [{length} => {filled}]")?,
                None => write!(self.line, ", {length}")?,
            }
        }
        Ok(())
    }

    /// The outcome of a control code.
    fn status(&mut self, status: u32, failed: bool) -> std::fmt::Result {
        if failed {
            self.begin(FAILED)?;
        }
        let name = windows::status_name(status);
        match (self.style.values.xlat, name) {
            (Xlat::Abbrev, Some(name)) => self.line.push_str(name),
            (Xlat::Verbose, Some(name)) => write!(self.line, "{status:#x} /* {name} */")?,
            (Xlat::Raw, _) | (_, None) => write!(self.line, "{status:#x}")?,
        }
        if failed { self.end(FAILED) } else { Ok(()) }
    }

    /// The meaning of what was returned.
    fn result(&mut self, call: &Call, value: &Value) -> std::fmt::Result {
        match value {
            Value::Descriptor(fd) => match described(call, *fd) {
                Some(target) => write!(self.line, "<{target}>"),
                None => Ok(()),
            },
            Value::Integer(_) => Ok(()),
            value => write!(self.line, " ({})", value.display(&self.style.values.style())),
        }
    }

    /// The stacks, a line for each function, as strace has those of programs.
    fn stacks(&mut self, call: &Call, decoder: &mut Decoder) -> std::fmt::Result {
        for address in &call.data.kernel_stack {
            match decoder.kernel_symbol(*address) {
                Some((symbol, into)) => write!(self.line, " < {}+{into:#x}", symbol.name)?,
                None => write!(self.line, " < {address:#x}")?,
            }
            self.line.push('\n');
        }
        for frame in decoder.user_stack(call.pid, &call.data.user_stack) {
            self.line.push_str(" > ");
            write_escaped(&mut self.line, &frame.file, &[])?;
            match &frame.symbol {
                Some((name, into)) => {
                    self.line.push('(');
                    write_escaped(&mut self.line, name.as_bytes(), &[])?;
                    write!(self.line, "+{into:#x}) ")?;
                }
                None if frame.file.is_empty() => {}
                None => self.line.push_str("() "),
            }
            let place = if frame.file.is_empty() { frame.address } else { frame.offset };
            write!(self.line, "[{place:#x}]")?;
            if let Some((file, number)) = frame.source.as_ref().filter(|_| self.style.source_lines) {
                self.line.push(' ');
                write_escaped(&mut self.line, file.as_bytes(), &[])?;
                write!(self.line, ":{number}")?;
            }
            self.line.push('\n');
        }
        Ok(())
    }

    fn begin(&mut self, style: anstyle::Style) -> std::fmt::Result {
        if self.style.color { write!(self.line, "{style}") } else { Ok(()) }
    }

    fn end(&mut self, style: anstyle::Style) -> std::fmt::Result {
        if self.style.color { write!(self.line, "{style:#}") } else { Ok(()) }
    }

    fn decimal(&mut self, number: impl itoa::Integer) {
        self.line.push_str(itoa::Buffer::new().format(number));
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
        match (outcome, outcome.errno()) {
            (_, Some(number)) if errno::is_restart(number) => {
                write!(self.line, "? {} ({})", errno::name(number), errno::text(number))
            }
            (_, Some(number)) => {
                self.begin(FAILED)?;
                write!(self.line, "-1 {} ({})", errno::name(number), errno::text(number))?;
                self.end(FAILED)
            }
            (Outcome::Returned(value), None) => {
                self.decimal(value);
                Ok(())
            }
            (Outcome::Running, _) => self.line.write_str("? <still running>"),
            (Outcome::Killed(_) | Outcome::Ended, _) => self.line.write_str("?"),
        }
    }
}

impl<W: Output> Sink for Text<W> {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        self.format(event, decoder).map_err(io::Error::other)?;
        self.out.write_all(self.line.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.end()
    }
}

/// What a descriptor other than the call's own leads to.
fn described(call: &Call, fd: i64) -> Option<String> {
    let (_, target) = call.data.files.iter().rev().find(|(of, _)| i64::from(*of) == fd)?;
    let file = target.file().filter(|file| !file.target.is_empty())?;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_target(&mut text, file, FdStyle::Path);
    Some(text)
}

/// What is unusual about a call, and could mislead whoever does not know it.
fn remarks(call: &Call) -> impl Iterator<Item = &'static str> {
    let data = &call.data;
    [
        (matches!(call.target, Target::Unreadable), "file not readable"),
        (data.input_lost, "input lost"),
        (data.input_late && !data.input.is_empty(), "input read after the call"),
        (data.incomplete, "not all pointers followed"),
    ]
    .into_iter()
    .filter_map(|(holds, remark)| holds.then_some(remark))
}

/// A request as constants are written.
struct Request<'e>(&'e Event, Xlat);

impl std::fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(Event { call, request, .. }, xlat) = self;
        match xlat {
            Xlat::Abbrev => request.fmt(f),
            Xlat::Raw => write!(f, "{:#x}", Hex(call.request.into())),
            // No comment within the comment.
            Xlat::Verbose => write!(f, "{:#x} /* {request:-} */", Hex(call.request.into())),
        }
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
    if file.kind == DeviceKind::Unknown && file.target.starts_with(b"\\") {
        // A name of Windows is made of them.
        for (place, part) in file.target.split(|byte| *byte == b'\\').enumerate() {
            out.write_str(if place == 0 { "" } else { "\\" })?;
            write_escaped(out, part, &['<', '>'])?;
        }
    } else {
        write_escaped(out, &file.target, &['<', '>'])?;
    }
    if style == FdStyle::Device
        && let Some((major, minor)) = file.numbers
    {
        let kind = if file.kind == DeviceKind::Block { "block" } else { "char" };
        write!(out, "<{kind} {major}:{minor}>")?;
    }
    if file.deleted {
        out.write_str("(deleted)")?;
    }
    Ok(())
}
