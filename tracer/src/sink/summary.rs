//! Totals per request and device, printed when tracing ends.

use std::{collections::HashMap, io};

use ioctl_registry::DeviceKind;
use ioctl_trace_ebpf::{FileStatus, SummaryKey, SummaryValue};

use super::{Sink, out::Output, table::Table};
use crate::{
    decode::Decoder,
    escape::escaped,
    event::{Device, Event, File},
    histogram::Histogram,
    select::Selection,
    totals::Totals,
};

/// Rows kept; further kinds of calls are added up in one row. A hostile program could otherwise invent requests without end.
const MAX_ROWS: usize = 65_536;
/// Rows whose percentiles are exact; those of further ones are bounds at most 25 % apart, in memory that does not grow.
pub const EXACT_ROWS: usize = 1_024;
/// The request of the row that further kinds of calls are added up in.
pub const OTHERS: &str = "(other requests)";

/// Totals of a row.
#[derive(Clone, Debug, Default)]
pub struct Row {
    totals: Totals,
    /// Durations of all its calls; fewer than there were calls, if the kernel counted some or there are too many rows.
    durations: Histogram,
}

impl Row {
    /// Counts, sums and extremes.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The `percent`-th percentile in nanoseconds: right to 0.2 % where the calls were seen one by one, an upper bound that is
    /// at most 25 % more where the kernel counted them.
    #[must_use]
    pub fn percentile_ns(&self, percent: u64) -> u64 {
        if self.durations.calls() == self.totals.calls() {
            self.durations.percentile_ns(percent)
        } else {
            self.totals.percentile_ns(percent)
        }
    }

    /// Adds one call, and keeps its duration if that is wanted.
    pub fn add_call(&mut self, duration_ns: u64, failed: bool, exact: bool) {
        self.totals.add(duration_ns, failed);
        if exact {
            self.durations.add(duration_ns);
        }
    }

    fn add(&mut self, totals: &Totals, exact: Option<u64>) {
        self.totals.merge(totals);
        exact.into_iter().for_each(|duration_ns| self.durations.add(duration_ns));
    }
}

/// Totals per request and device.
#[derive(Debug, Default)]
pub struct Summary {
    rows: HashMap<(String, String), Row>,
    all: Row,
}

impl Summary {
    /// Of rows that were added up elsewhere, with their requests and devices, and all calls together.
    #[must_use]
    pub fn of(rows: impl IntoIterator<Item = (String, String, Row)>, all: Row) -> Self {
        let rows = rows.into_iter().map(|(request, device, row)| ((request, device), row));
        Self { rows: rows.collect(), all }
    }

    /// Adds a group of calls that was counted elsewhere.
    pub fn add(&mut self, request: String, device: String, totals: &Totals) {
        self.add_row(request, device, totals, None);
    }

    /// Adds a group of calls, and the duration of the only one if it is known.
    fn add_row(&mut self, request: String, device: String, totals: &Totals, exact: Option<u64>) {
        self.all.add(totals, exact);
        let mut key = (request, device);
        let rows = self.rows.len();
        if rows >= MAX_ROWS && !self.rows.contains_key(&key) {
            key = (OTHERS.to_owned(), String::new());
        }
        let row = self.rows.entry(key).or_default();
        // A row that began without durations stays so: some would be worse than none.
        let exact = exact.filter(|_| rows < EXACT_ROWS || row.durations.calls() > 0);
        row.add(totals, exact);
    }

    /// Adds one call.
    pub fn add_event(&mut self, event: &Event, decoder: &mut Decoder) {
        let device = match (event.call.windows_device(), event.call.target.file()) {
            (Some(device), _) => windows_label(device),
            (None, Some(file)) => device_label(decoder.device(file)),
            (None, None) => "not open".to_owned(),
        };
        let mut one = Totals::default();
        let duration_ns = event.call.duration_ns;
        one.add(duration_ns, event.call.failed());
        self.add_row(event.request.to_string(), device, &one, Some(duration_ns));
    }

    /// Adds what the kernel side has counted, as far as it is wanted.
    pub fn add_counted(
        &mut self,
        key: &SummaryKey,
        value: SummaryValue,
        decoder: &mut Decoder,
        wanted: &Selection,
    ) {
        let (request, device) = if key.status == FileStatus::Known as u32 {
            let file = counted_file(key);
            (decoder.counted_request(key.request, &file), device_label(decoder.device(&file)))
        } else {
            (decoder.without_file(key.request), "not open".to_owned())
        };
        if wanted.wants(key.request, &request) {
            self.add(request.to_string(), device, &value.into());
        }
    }

    /// All calls together.
    #[must_use]
    pub const fn all(&self) -> &Row {
        &self.all
    }

    /// Every row with its request and device, in no order.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str, &Row)> {
        self.rows.iter().map(|((request, device), row)| (request.as_str(), device.as_str(), row))
    }
}

/// The file of a group that the kernel side has counted.
fn counted_file(key: &SummaryKey) -> File {
    let kind = match key.mode {
        libc::S_IFCHR => DeviceKind::Char,
        libc::S_IFBLK => DeviceKind::Block,
        libc::S_IFSOCK => DeviceKind::Socket,
        libc::S_IFIFO => DeviceKind::Fifo,
        libc::S_IFDIR => DeviceKind::Directory,
        libc::S_IFREG => DeviceKind::Regular,
        _ => DeviceKind::AnonInode,
    };
    let device = matches!(kind, DeviceKind::Char | DeviceKind::Block);
    File {
        kind,
        magic: key.magic,
        handler: key.ioctl,
        numbers: device.then_some((key.rdev >> 20, key.rdev & 0xf_ffff)),
        ..File::default()
    }
}

/// `pts 136:3` for a device node, the kind and handler for anything else.
#[must_use]
pub fn device_label(device: &Device) -> String {
    match (device.numbers, &device.driver, &device.handler) {
        (Some((major, minor)), Some(driver), _) => format!("{} {major}:{minor}", escaped(driver.as_bytes())),
        (Some((major, minor)), None, _) => format!("{} {major}:{minor}", device.kind_name()),
        (None, _, Some(handler))
            if matches!(device.kind, DeviceKind::AnonInode | DeviceKind::Regular | DeviceKind::Directory) =>
        {
            format!("{} {}", device.kind_name(), escaped(handler.as_bytes()))
        }
        (None, ..) => device.kind_name().to_owned(),
    }
}

/// `windows \\??\\C:` for what a control code is sent to.
#[must_use]
pub fn windows_label(device: &[u8]) -> String {
    if device.is_empty() { "windows".to_owned() } else { format!("windows {}", escaped(device)) }
}

/// A [`Summary`] of events that is written when they end.
pub struct SummarySink<W> {
    summary: Summary,
    table: Table,
    out: W,
}

impl<W: Output> SummarySink<W> {
    /// A summary to `out`.
    pub fn new(out: W, table: Table) -> Self {
        Self { summary: Summary::default(), table, out }
    }
}

impl<W: Output> Sink for SummarySink<W> {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        self.summary.add_event(event, decoder);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.table.write(&self.summary, &mut self.out)?;
        self.out.end()
    }
}
