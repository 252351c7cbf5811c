//! One JSON object a call. The keys are stable: scripts depend on them.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
};

use ioctl_registry::{DeviceKind, Encoding, Lookup, Value};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::Sink;
use crate::{
    clock::{SecondCache, WallClock},
    decode::Decoder,
    errno,
    escape::is_plain,
    event::{Call, Device, Event, File},
    json::Decoded,
    stack::Frame,
};

/// Writes JSON lines.
pub struct Jsonl<W> {
    out: W,
    clock: WallClock,
    second: SecondCache,
    line: Vec<u8>,
}

impl<W: Write + Send> Jsonl<W> {
    /// JSON lines to `out`, which should be buffered.
    pub fn new(out: W, clock: WallClock) -> Self {
        Self { out, clock, second: SecondCache::default(), line: Vec::new() }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    ts: &'a str,
    pid: u32,
    tid: u32,
    comm: &'a str,
    uid: u32,
    cgroup: Option<&'a str>,
    fd: i32,
    path: Option<&'a str>,
    device: Option<DeviceJson<'a>>,
    request: RequestJson<'a>,
    arg: String,
    r#in: Option<Decoded>,
    out: Option<Decoded>,
    ret: Option<Integer>,
    errno: Option<&'a str>,
    /// What `ret` means, where that is more than a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Decoded>,
    dur_ns: u64,
    compat: bool,
    /// What the descriptors in the argument, or the result, lead to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fds: BTreeMap<i32, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stack: Vec<FrameJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kernel_stack: Vec<FrameJson>,
    notes: Vec<&'static str>,
}

/// A place in a program, or in the kernel.
#[derive(Serialize)]
struct FrameJson {
    address: String,
    file: Option<String>,
    offset: Option<u64>,
    symbol: Option<String>,
    symbol_offset: Option<u64>,
    source: Option<String>,
    line: Option<u32>,
}

#[derive(Serialize)]
struct DeviceJson<'a> {
    kind: &'static str,
    major: Option<u32>,
    minor: Option<u32>,
    driver: Option<&'a str>,
    module: Option<&'a str>,
    handler: Option<&'a str>,
    /// Of a block device the kernel's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// Of a file or a directory the type of its filesystem.
    #[serde(skip_serializing_if = "Option::is_none")]
    filesystem: Option<&'a str>,
    /// Of a socket its family.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Cow<'static, str>>,
}

#[derive(Serialize)]
struct RequestJson<'a> {
    number: u32,
    hex: String,
    name: Option<&'a str>,
    names: Vec<&'a str>,
    dir: &'static str,
    r#type: u8,
    nr: u8,
    size: u16,
    family: Option<&'a str>,
    header: Option<&'a str>,
}

/// A number, or a string where a double cannot hold the number exactly.
#[derive(Serialize)]
#[serde(untagged)]
enum Integer {
    Number(i64),
    Text(String),
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        if value.unsigned_abs() <= 1 << 53 { Self::Number(value) } else { Self::Text(value.to_string()) }
    }
}

impl<W: Write + Send> Sink for Jsonl<W> {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        let call = &event.call;
        let (second, nanos) = self.clock.epoch(call.start_ns);
        let ts = format!("{}.{nanos:09}Z", self.second.get(second, WallClock::utc_second));
        let cgroup = if call.cgroup == 0 { None } else { decoder.cgroup(call.cgroup, call.pid) };
        let (before, after) = decoder.arguments(event);
        let file = call.target.file();
        let device = file.map(|file| device_json(file, decoder));
        let comm = String::from_utf8_lossy(call.comm.as_bytes());
        let path = file.filter(|f| !f.target.is_empty()).map(|f| String::from_utf8_lossy(&f.target));
        let errno = call.outcome.errno().map(errno::name);
        let line = Line {
            ts: &ts,
            pid: call.pid,
            tid: call.tid,
            comm: &comm,
            uid: call.uid,
            cgroup: cgroup.as_deref(),
            fd: call.fd,
            path: path.as_deref(),
            device,
            request: request_json(event),
            arg: format!("{:#x}", call.arg),
            r#in: known(before),
            out: known(after),
            ret: call.outcome.value().map(Integer::from),
            errno: errno.as_deref(),
            result: decoder.result(event).map(Decoded),
            dur_ns: call.duration_ns,
            compat: call.compat,
            fds: fds(call),
            stack: stack(call, decoder),
            kernel_stack: kernel_stack(call, decoder),
            notes: event.notes(),
        };
        self.line.clear();
        line.serialize(&mut serde_json::Serializer::with_formatter(&mut self.line, Visible))?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An address alone says nothing that `arg` does not.
fn known(value: Option<Value>) -> Option<Decoded> {
    value.filter(|value| !matches!(value, Value::Pointer(_))).map(Decoded)
}

fn fds(call: &Call) -> BTreeMap<i32, String> {
    let files = call.data.files.iter();
    let named = files.filter_map(|(fd, target)| {
        let file = target.file().filter(|file| !file.target.is_empty())?;
        Some((*fd, String::from_utf8_lossy(&file.target).into_owned()))
    });
    named.collect()
}

fn stack(call: &Call, decoder: &mut Decoder) -> Vec<FrameJson> {
    let frames = decoder.user_stack(call.pid, &call.data.user_stack).into_iter();
    let json = |frame: Frame| {
        let mapped = !frame.file.is_empty();
        let (symbol, symbol_offset) = frame.symbol.unzip();
        let (source, line) = frame.source.unzip();
        FrameJson {
            address: format!("{:#x}", frame.address),
            file: mapped.then(|| String::from_utf8_lossy(&frame.file).into_owned()),
            offset: mapped.then_some(frame.offset),
            symbol,
            symbol_offset,
            source,
            line,
        }
    };
    frames.map(json).collect()
}

fn kernel_stack(call: &Call, decoder: &mut Decoder) -> Vec<FrameJson> {
    let json = |address: &u64| {
        let (symbol, symbol_offset) = decoder.kernel_symbol(*address).unzip();
        let (symbol, file) = symbol.map(|symbol| (symbol.name.to_string(), symbol.module)).unzip();
        FrameJson {
            address: format!("{address:#x}"),
            file: file.flatten().map(|module| module.to_string()),
            offset: None,
            symbol,
            symbol_offset,
            source: None,
            line: None,
        }
    };
    call.data.kernel_stack.iter().map(json).collect()
}

/// JSON in which every character can be seen: JSON itself lets some through that control a terminal or turn text around.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, mut text: &str) -> io::Result<()> {
        while let Some((at, hidden)) = text.char_indices().find(|(_, c)| !is_plain(*c)) {
            let (before, rest) = text.split_at(at);
            out.write_all(before.as_bytes())?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            text = rest.get(hidden.len_utf8()..).unwrap_or_default();
        }
        out.write_all(text.as_bytes())
    }
}

fn device_json<'f>(file: &'f File, decoder: &mut Decoder) -> DeviceJson<'f> {
    let device: &Device = decoder.device(file);
    let stored = matches!(device.kind, DeviceKind::Regular | DeviceKind::Directory);
    DeviceJson {
        kind: device.kind_name(),
        major: device.numbers.map(|n| n.0),
        minor: device.numbers.map(|n| n.1),
        driver: device.driver.as_deref(),
        module: device.module.as_deref(),
        handler: device.handler.as_deref(),
        name: device.name.as_deref(),
        filesystem: Some(&*file.filesystem).filter(|name| stored && !name.is_empty()),
        domain: file.domain.map(|domain| decoder.socket_family(domain)),
    }
}

fn request_json(event: &Event) -> RequestJson<'static> {
    let (call, request) = (&event.call, &event.request);
    let number = call.request;
    let encoding = Encoding::of(number, call.arch());
    let certain = if let Lookup::Exact(named) = request { Some(named.request) } else { None };
    RequestJson {
        number,
        hex: format!("{number:#x}"),
        name: certain.map(|r| r.name()),
        names: request.named().iter().map(|named| named.request.name()).collect(),
        dir: event.direction().as_str(),
        r#type: encoding.ty,
        nr: encoding.nr,
        size: encoding.size,
        family: certain.map(|r| r.family()),
        header: certain.map(|r| r.header()),
    }
}
