//! Totals per request and device, printed as a table when tracing ends.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Write},
};

use ioctl_registry::DeviceKind;
use ioctl_trace_ebpf::{FileStatus, SummaryKey, SummaryValue};

use super::Sink;
use crate::{
    decode::Decoder,
    escape::escaped,
    event::{Device, Event, File},
    select::Selection,
    totals::{Human, Totals},
};

/// Rows kept; further kinds of calls are added up in one row. A hostile program could otherwise invent requests without end.
const MAX_ROWS: usize = 65_536;

/// Totals per request and device.
#[derive(Debug, Default)]
pub struct Summary {
    rows: HashMap<(String, String), Totals>,
    all: Totals,
}

impl Summary {
    /// Adds a group of calls.
    pub fn add(&mut self, request: String, device: String, totals: &Totals) {
        self.all.merge(totals);
        let key = (request, device);
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&key) {
            self.rows.entry(("(other requests)".to_owned(), String::new())).or_default().merge(totals);
            return;
        }
        self.rows.entry(key).or_default().merge(totals);
    }

    /// Adds one call.
    pub fn add_event(&mut self, event: &Event, decoder: &mut Decoder) {
        let device = event
            .call
            .target
            .file()
            .map_or_else(|| "not open".to_owned(), |f| device_label(decoder.device(f)));
        let mut one = Totals::default();
        one.add(event.call.duration_ns, event.call.outcome.value().is_some_and(|v| v < 0));
        self.add(event.request.to_string(), device, &one);
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
    pub fn all(&self) -> &Totals {
        &self.all
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

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by(|(ka, a), (kb, b)| b.total_ns().cmp(&a.total_ns()).then_with(|| ka.cmp(kb)));
        writeln!(
            f,
            "{:>6} {:>9} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8}  request  (device)",
            "% time", "total", "mean", "p50", "p99", "max", "calls", "errors"
        )?;
        for ((request, device), totals) in rows {
            let percent = 100.0 * totals.total_ns() as f64 / (self.all.total_ns().max(1)) as f64;
            write!(f, "{percent:>6.2} {}  {request}", Columns(totals))?;
            if !device.is_empty() {
                write!(f, "  ({device})")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "{:>6.2} {}  total", 100.0, Columns(&self.all))
    }
}

/// The numbers of a row.
struct Columns<'a>(&'a Totals);

impl fmt::Display for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.0;
        let [total, mean, p50, p99, max] =
            [t.total_ns(), t.mean_ns(), t.percentile_ns(50), t.percentile_ns(99), t.max_ns()].map(Human);
        write!(f, "{total:>9} {mean:>8} {p50:>8} {p99:>8} {max:>8} {:>9} {:>8}", t.calls(), t.errors())
    }
}

/// A [`Summary`] of events that is written when they end.
pub struct SummarySink<W> {
    summary: Summary,
    out: W,
}

impl<W: Write + Send> SummarySink<W> {
    /// A summary to `out`.
    pub fn new(out: W) -> Self {
        Self { summary: Summary::default(), out }
    }
}

impl<W: Write + Send> Sink for SummarySink<W> {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        self.summary.add_event(event, decoder);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        write!(self.out, "{}", self.summary)?;
        self.out.flush()
    }
}
