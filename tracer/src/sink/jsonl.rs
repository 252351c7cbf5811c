//! One JSON object a call. The keys are stable: scripts depend on them.

use std::{collections::BTreeMap, fmt::Write as _, io, num::NonZeroUsize, sync::Arc};

use ioctl_registry::{Arch, Direction};
use lru::LruCache;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Sink,
    facts::{ControlFacts, Facts, Hex, device_facts, request_facts, write_json},
    out::Output,
};
use crate::{
    clock::{SecondCache, WallClock},
    decode::Decoder,
    event::{Call, Event, File, Target},
    json::Decoded,
    stack::Frame,
};

/// Writes JSON lines.
pub struct Jsonl<W> {
    out: W,
    clock: WallClock,
    second: SecondCache,
    time: String,
    line: Vec<u8>,
    /// By where the file is in memory, the number, and whether it is of a 32-bit program.
    common: LruCache<Key, Common>,
}

/// See [`Jsonl::common`]; the two buffers of a control code tell its direction.
type Key = (usize, u32, Arch, Option<Direction>);

/// What the lines of a request on a file have in common: written once, it is copied from then on.
struct Common {
    /// Kept, so that no other file takes its place in memory.
    _file: Option<Arc<File>>,
    path: Box<RawValue>,
    device: Box<RawValue>,
    request: Box<RawValue>,
}

/// Requests on files that are remembered, of half a KiB each.
const COMMON: NonZeroUsize = NonZeroUsize::new(512).unwrap();

impl Common {
    fn of(event: &Event, path: Option<&[u8]>, decoder: &mut Decoder) -> io::Result<Self> {
        let file = if let Target::File(file) = &event.call.target { Some(Arc::clone(file)) } else { None };
        Ok(Self {
            _file: file,
            path: raw(&path.map(String::from_utf8_lossy))?,
            device: raw(&device_facts(event, decoder))?,
            request: raw(&request_facts(event))?,
        })
    }
}

fn raw(value: &impl Serialize) -> io::Result<Box<RawValue>> {
    let mut text = Vec::new();
    write_json(&mut text, value)?;
    RawValue::from_string(String::from_utf8_lossy(&text).into_owned()).map_err(io::Error::from)
}

impl<W: Output> Jsonl<W> {
    /// JSON lines to `out`, which should be buffered.
    pub fn new(out: W, clock: WallClock) -> Self {
        Self {
            out,
            clock,
            second: SecondCache::default(),
            time: String::new(),
            line: Vec::new(),
            common: LruCache::new(COMMON),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    ts: &'a str,
    pid: u32,
    tid: u32,
    /// What its process and it are numbered in their own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    ns_pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ns_tid: Option<u32>,
    comm: &'a str,
    uid: u32,
    cgroup: Option<&'a str>,
    fd: i32,
    path: &'a RawValue,
    device: &'a RawValue,
    request: &'a RawValue,
    arg: Option<Hex>,
    r#in: Option<Decoded>,
    out: Option<Decoded>,
    ret: Option<Integer>,
    errno: Option<&'a str>,
    /// What `ret` means, where that is more than a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Decoded>,
    #[serde(flatten)]
    control: Option<ControlFacts>,
    /// When the control code began that the call was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a str>,
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

impl<W: Output> Sink for Jsonl<W> {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        let call = &event.call;
        let (second, nanos) = self.clock.epoch(call.start_ns);
        self.time.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.time, "{}.{nanos:09}Z", self.second.get(second, WallClock::utc_second));
        let facts = Facts::of(event, decoder);
        let comm = String::from_utf8_lossy(call.comm.as_bytes());
        let at = call.target.file().map_or(0, |file| std::ptr::from_ref(file).addr());
        let key = (at, call.request, call.arch, call.control.as_ref().map(|control| control.direction()));
        let common = self.common.try_get_or_insert(key, || Common::of(event, facts.path, decoder))?;
        let parent = call.parent_ns.map(|time_ns| self.clock.utc(time_ns));
        let line = Line {
            ts: &self.time,
            pid: call.pid,
            tid: call.tid,
            ns_pid: facts.ns_ids.map(|ids| ids.pid),
            ns_tid: facts.ns_ids.map(|ids| ids.tid),
            comm: &comm,
            uid: call.uid,
            cgroup: facts.cgroup.as_deref(),
            fd: call.fd,
            path: &common.path,
            device: &common.device,
            request: &common.request,
            arg: call.shown_arg().map(Hex),
            r#in: facts.before.map(Decoded),
            out: facts.after.map(Decoded),
            ret: call.outcome.value().map(Integer::from),
            errno: facts.errno.as_deref(),
            result: decoder.result(event).map(Decoded),
            control: ControlFacts::of(event),
            parent: parent.as_deref(),
            dur_ns: call.duration_ns,
            compat: call.compat,
            fds: fds(call),
            stack: stack(call, decoder),
            kernel_stack: kernel_stack(call, decoder),
            notes: facts.notes,
        };
        self.line.clear();
        write_json(&mut self.line, &line)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.end()
    }
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
