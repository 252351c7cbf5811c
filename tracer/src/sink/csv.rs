//! A table with one row a call, as text that spreadsheets and scripts read. The columns are stable.
//!
//! A column has the name of its place in the JSON lines. What is not known is an empty cell; `in` and `out` hold JSON.
//! Text from traced programs is escaped as in the lines for people (`\n`, `\033`, `\\`), and begins with an apostrophe
//! where a spreadsheet would take it for a formula.

use std::{fmt::Write as _, io};

use csv::{ByteRecord, Writer};
use ioctl_registry::Value;

use super::{
    Sink,
    facts::{ControlFacts, Facts, Hex, device_facts, request_facts, write_json},
    out::Output,
};
use crate::{
    clock::{SecondCache, WallClock},
    decode::Decoder,
    escape::write_escaped,
    event::Event,
    json::Decoded,
};

/// The first line.
const COLUMNS: [&str; 41] = [
    "ts",
    "pid",
    "tid",
    "comm",
    "uid",
    "cgroup",
    "fd",
    "path",
    "device.kind",
    "device.major",
    "device.minor",
    "device.driver",
    "device.module",
    "device.handler",
    "request.number",
    "request.hex",
    "request.name",
    "request.names",
    "request.dir",
    "request.type",
    "request.nr",
    "request.size",
    "request.family",
    "arg",
    "in",
    "out",
    "ret",
    "errno",
    "dur_ns",
    "compat",
    "notes",
    "os",
    "handle",
    "request.code",
    "in_len",
    "out_len",
    "status",
    "information",
    "parent",
    "ns_pid",
    "ns_tid",
];

/// Writes comma-separated values.
pub struct Csv<W: Output> {
    /// `None` once it is complete.
    table: Option<Writer<W>>,
    clock: WallClock,
    second: SecondCache,
    row: Row,
}

impl<W: Output> Csv<W> {
    /// A table to `out`, which should be buffered. Its first line names the columns.
    ///
    /// # Errors
    /// When that line cannot be written.
    pub fn new(out: W, clock: WallClock) -> io::Result<Self> {
        let mut table = Writer::from_writer(out);
        table.write_record(COLUMNS).map_err(io_error)?;
        Ok(Self { table: Some(table), clock, second: SecondCache::default(), row: Row::default() })
    }
}

impl<W: Output> Sink for Csv<W> {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        let call = &event.call;
        let (second, nanos) = self.clock.epoch(call.start_ns);
        let second = self.second.get(second, WallClock::utc_second);
        let facts = Facts::of(event, decoder);
        let row = &mut self.row;
        row.cells.clear();
        row.plain(format_args!("{second}.{nanos:09}Z"));
        row.plain(call.pid);
        row.plain(call.tid);
        row.text(Some(call.comm.as_bytes()));
        row.plain(call.uid);
        row.text(facts.cgroup.as_deref().map(str::as_bytes));
        row.plain(call.fd);
        row.text(facts.path);
        let device = device_facts(event, decoder);
        let device = device.as_ref();
        row.known(device.map(|device| device.kind));
        row.known(device.and_then(|device| device.major));
        row.known(device.and_then(|device| device.minor));
        for text in device.map_or([None; 3], |device| [device.driver, device.module, device.handler]) {
            row.text(text.map(str::as_bytes));
        }
        let request = request_facts(event);
        row.plain(request.number);
        row.plain(request.hex);
        // A vendor's file can name them anything.
        row.text(request.name.map(str::as_bytes));
        row.text(Some(request.names.iter().collect::<Vec<_>>().join("|").as_bytes()));
        row.plain(request.dir);
        row.known(request.r#type);
        row.known(request.nr);
        row.known(request.size);
        row.text(request.family.map(str::as_bytes));
        row.known(call.shown_arg().map(Hex));
        row.json(facts.before)?;
        row.json(facts.after)?;
        row.known(call.outcome.value());
        row.known(facts.errno);
        row.plain(call.duration_ns);
        row.plain(call.compat);
        row.plain(facts.notes.join("; "));
        let control = ControlFacts::of(event);
        let control = control.as_ref();
        row.known(control.map(|control| control.os));
        row.known(control.map(|control| control.handle));
        row.known(request.code.map(|code| code.code));
        row.known(control.map(|control| control.in_len));
        row.known(control.map(|control| control.out_len));
        row.known(control.and_then(|control| control.status.as_deref()));
        row.known(control.and_then(|control| control.information));
        row.known(call.parent_ns.map(|time_ns| self.clock.utc(time_ns)));
        row.known(facts.ns_ids.map(|ids| ids.pid));
        row.known(facts.ns_ids.map(|ids| ids.tid));
        match &mut self.table {
            Some(table) => table.write_byte_record(&row.cells).map_err(io_error),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.table.as_mut().map_or(Ok(()), Writer::flush)
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(table) = self.table.take() else { return Ok(()) };
        table.into_inner().map_err(csv::IntoInnerError::into_error)?.end()
    }
}

/// What kept a row from being written: of the conversion that the crate has, nobody could tell a closed pipe.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

/// The cells of a row.
#[derive(Default)]
struct Row {
    cells: ByteRecord,
    cell: String,
    json: Vec<u8>,
}

impl Row {
    /// A cell of our own making.
    fn plain(&mut self, value: impl std::fmt::Display) {
        self.cell.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.cell, "{value}");
        self.cells.push_field(self.cell.as_bytes());
    }

    fn known(&mut self, value: Option<impl std::fmt::Display>) {
        match value {
            Some(value) => self.plain(value),
            None => self.cells.push_field(b""),
        }
    }

    /// A cell of text from outside.
    fn text(&mut self, text: Option<&[u8]>) {
        self.cell.clear();
        if let Some(text) = text {
            if is_formula(text) {
                self.cell.push('\'');
            }
            // Writing to a string cannot fail.
            let _ = write_escaped(&mut self.cell, text, &[]);
        }
        self.cells.push_field(self.cell.as_bytes());
    }

    /// A cell of JSON. Texts are in quotation marks there, so that none begins it.
    fn json(&mut self, value: Option<Value>) -> io::Result<()> {
        self.json.clear();
        if let Some(value) = value {
            write_json(&mut self.json, &Decoded(value))?;
        }
        self.cells.push_field(&self.json);
        Ok(())
    }
}

/// Whether a spreadsheet would compute the text rather than show it. Some take the wide forms of the signs for them.
fn is_formula(text: &[u8]) -> bool {
    let first = text.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    matches!(
        first,
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &[u8]) -> String {
        let mut row = Row::default();
        row.text(Some(text));
        row.cell
    }

    #[test]
    fn text_is_no_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\u{ff1d}1"] {
            assert!(cell(formula.as_bytes()).starts_with('\''), "{formula}");
        }
        assert_eq!(cell(b"=HYPERLINK(\"http://x\")"), "'=HYPERLINK(\"http://x\")");
        assert_eq!(cell(b"\t=1"), "'\\t=1");
        assert_eq!(cell(b"a=1"), "a=1");
        assert_eq!(cell(b"\xff=\x1b["), "\\377=\\033[");
        assert_eq!(cell(b""), "");
    }
}
