//! The detail of a call: its argument as a tree, its bytes, and everything else that is known of it.

pub mod copy;
pub mod hex;
pub mod tree;

use std::{collections::HashSet, ops::Range};

use ioctl_registry::{Encoding, Value, windows::ControlCode};

use super::{
    picture::Timing,
    sheet::Cell,
    stream,
    text::Grouped,
    theme::{Tone, family},
};
use crate::{
    clock::WallClock,
    decode::Decoder,
    errno,
    escape::{escaped, visible},
    event::{Control, Event, Outcome},
    redact::MARK,
    totals::Human,
};
use tree::{Node, Spot, Walk};

/// Where the detail stands.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// It has the keys.
    pub focused: bool,
    /// The line under the cursor.
    pub cursor: usize,
    /// The first line that is seen.
    pub top: usize,
    /// Paths of fields that are folded.
    pub folded: HashSet<String>,
}

/// A line of the detail.
#[derive(Clone, Debug)]
pub enum Line {
    /// Text with meanings.
    Text(Vec<(String, Tone)>),
    /// A heading.
    Heading(String),
    /// What is known of the call: a word and what it says.
    Fact {
        /// The word.
        name: &'static str,
        /// What it says.
        value: String,
        /// A comparison that holds for calls that agree in it.
        filter: Option<String>,
    },
    /// A field of the argument.
    Field(Node),
}

impl Line {
    /// A comparison that holds for calls that agree in what the line says.
    #[must_use]
    pub fn filter(&self) -> Option<&str> {
        match self {
            Self::Fact { filter, .. } => filter.as_deref(),
            Self::Field(node) => node.filter.as_deref(),
            Self::Text(_) | Self::Heading(_) => None,
        }
    }

    /// Addresses of the bytes that it is about.
    #[must_use]
    pub const fn bytes(&self) -> Option<&Range<u64>> {
        match self {
            Self::Field(node) => node.bytes.as_ref(),
            _ => None,
        }
    }
}

/// The call that is shown, as lines.
#[derive(Clone, Debug)]
pub struct Page {
    /// The call.
    pub event: Event,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The argument was read before the call and after it.
    pub both: bool,
}

/// A text as filters have it.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

impl Page {
    /// Everything that is known of a call.
    #[must_use]
    pub fn new(
        event: Event,
        folded: &HashSet<String>,
        timing: Option<&Timing>,
        decoder: &mut Decoder,
        clock: &WallClock,
    ) -> Self {
        let mut lines = vec![head(&event), result(&event, decoder), duration(&event, timing)];
        let (before, after) = decoder.arguments(&event);
        let known = |value: &Option<Value>| value.as_ref().is_some_and(|v| !matches!(v, Value::Pointer(_)));
        let both = known(&before) && after.is_some() && event.call.control.is_none();
        let request = match event.request.named() {
            [named] => Some(named.request.name().to_owned()),
            _ => None,
        };
        let request = request.as_deref();
        let control = event.call.control.is_some();
        let mut walk = Walk { registry: decoder.registry(), request, folded, nodes: Vec::new() };
        if control {
            // Two buffers, each with its own contents.
            for (name, value) in [("input", &before), ("output", &after)] {
                if known(value) {
                    walk.add(("", name), 0, value.as_ref(), None, None);
                }
            }
            lines.extend(walk.nodes.into_iter().map(Line::Field));
        } else if known(&before) || after.is_some() {
            let before = before.filter(|value| !matches!(value, Value::Pointer(_)));
            walk.add(("", "argument"), 0, before.as_ref(), after.as_ref(), spot(&event, decoder));
            lines.extend(walk.nodes.into_iter().map(Line::Field));
        } else {
            lines.push(Line::Fact {
                name: "argument",
                value: event.call.shown_arg().map_or(MARK.to_owned(), |arg| format!("{arg:#x}")),
                filter: event.call.shown_arg().map(|arg| format!("arg == {arg:#x}")),
            });
        }
        facts(&mut lines, &event, decoder, clock);
        stacks(&mut lines, &event, decoder);
        Self { event, lines, both }
    }
}

/// Where the argument lies.
fn spot(event: &Event, decoder: &Decoder) -> Option<Spot> {
    let [named] = event.request.named() else { return None };
    let argument = named.arg();
    let layout = decoder.registry().layout(argument.pointee()?, event.call.arch()).ok()?;
    Some(Spot { address: event.call.arg, layout, path: String::new() })
}

/// The request by name and number.
fn head(event: &Event) -> Line {
    let name = visible(&event.request.to_string()).into_owned();
    let tone = event.request.named().first().map_or(Tone::Strong, |named| family(named.request.family()));
    let encoding = match &event.call.control {
        Some(_) => ControlCode(event.call.request).to_string(),
        None => Encoding::of(event.call.request, event.call.arch()).to_string(),
    };
    let mut parts = vec![(name, tone), (format!("  {:#x}", event.call.request), Tone::Plain)];
    if !event.request.named().is_empty() {
        parts.push((format!("  {encoding}"), Tone::Faint));
    }
    Line::Text(parts)
}

/// What came back, in words.
fn result(event: &Event, decoder: &Decoder) -> Line {
    let mut parts = vec![("= ".to_owned(), Tone::Faint)];
    if let Cell::Text(text, tone) = stream::result(&event.call) {
        parts.push((text, tone));
    }
    match (event.call.outcome, event.call.error()) {
        (_, Some(number)) => parts.push((format!("  {}", errno::text(number)), Tone::Plain)),
        (Outcome::Running, _) => parts.push(("  it is inside the kernel".to_owned(), Tone::Plain)),
        _ => {}
    }
    if let Some(value) = decoder.result(event) {
        parts.push((format!("  {value}"), Tone::Plain));
    }
    Line::Text(parts)
}

/// Fewer calls than this are no distribution.
const FEW: u64 = 5;

/// How long it took, among the calls of its request and device.
fn duration(event: &Event, timing: Option<&Timing>) -> Line {
    let mut parts = vec![(format!("{}", Human(event.call.duration_ns)), Tone::Strong)];
    if let Some(timing) = timing.filter(|timing| timing.calls >= FEW) {
        let [p50, p99, most] = timing.marks.map(Human);
        parts.push((
            format!(
                "  longer than {} % of {} such calls: p50 {p50}, p99 {p99}, max {most}",
                timing.percent,
                Grouped(timing.calls)
            ),
            Tone::Faint,
        ));
    }
    Line::Text(parts)
}

fn facts(lines: &mut Vec<Line>, event: &Event, decoder: &mut Decoder, clock: &WallClock) {
    let call = &event.call;
    lines.push(Line::Heading("call".to_owned()));
    let mut fact = |name, value: String, filter: Option<String>| {
        if !value.is_empty() {
            lines.push(Line::Fact { name, value, filter });
        }
    };
    let (second, nanos) = clock.epoch(call.start_ns);
    fact("time", format!("{}.{nanos:09}", clock.local_second(second)), None);
    let comm = escaped(call.comm.as_bytes());
    fact("process", format!("{comm} {}", call.pid), Some(format!("pid == {}", call.pid)));
    fact("thread", call.tid.to_string(), Some(format!("tid == {}", call.tid)));
    if let Some(ids) = decoder.ns_ids(call) {
        let value = format!("{}, thread {}", ids.pid, ids.tid);
        fact("namespace", value, Some(format!("ns_pid == {}", ids.pid)));
    }
    fact("user", call.uid.to_string(), Some(format!("uid == {}", call.uid)));
    if let Some(path) = (call.cgroup != 0).then(|| decoder.cgroup(call.cgroup, call.pid)).flatten() {
        let path = escaped(path.as_bytes());
        fact("cgroup", path.clone(), Some(format!("cgroup == {}", quoted(&path))));
    }
    match &call.control {
        Some(control) => of_control(event, control, &mut fact),
        None => {
            let filter = format!("fd == {} && pid == {}", call.fd, call.pid);
            fact("fd", stream::file(event, usize::MAX), Some(filter));
        }
    }
    if let Some(parent_ns) = call.parent_ns {
        let (second, nanos) = clock.epoch(parent_ns);
        fact("done for", format!("{}.{nanos:09}", clock.local_second(second)), None);
    }
    if let Some(file) = call.target.file() {
        let device = decoder.device(file).clone();
        let numbers = device.numbers.map(|(major, minor)| format!(" {major}:{minor}")).unwrap_or_default();
        let filter = device.numbers.map(|(major, minor)| format!("major == {major} && minor == {minor}"));
        fact("device", format!("{}{numbers}", device.kind_name()), filter);
        for (name, field, value) in [
            ("driver", "driver", device.driver),
            ("module", "module", device.module),
            ("handler", "handler", device.handler),
            ("block", "device.name", device.name),
        ] {
            if let Some(value) = value {
                let value = escaped(value.as_bytes());
                fact(name, value.clone(), Some(format!("{field} == {}", quoted(&value))));
            }
        }
    }
    fact(
        "direction",
        event.direction().as_str().to_owned(),
        Some(format!("dir == {}", event.direction().as_str())),
    );
    let names: Vec<_> = event.request.named().iter().collect();
    if let [named] = names.as_slice() {
        let (header, family) = (visible(named.request.header()), visible(named.request.family()));
        fact("header", header.to_string(), Some(format!("header == {}", quoted(&header))));
        fact("family", family.to_string(), Some(format!("family == {}", quoted(&family))));
        fact("type", visible(named.arg().ty().unwrap_or_default()).into_owned(), None);
    }
    fact(
        "arch",
        call.arch().to_string(),
        Some(if call.compat { "compat".into() } else { "not compat".into() }),
    );
    for note in event.notes() {
        fact("note", note.to_owned(), Some(format!("notes has {}", quoted(note))));
    }
    for (fd, target) in &call.data.files {
        if let Some(file) = target.file() {
            fact("leads to", format!("{fd}<{}>", escaped(&file.target)), None);
        }
    }
}

/// What a control code has besides.
fn of_control(event: &Event, control: &Control, fact: &mut dyn FnMut(&'static str, String, Option<String>)) {
    let handle = format!("handle == {} && pid == {}", event.call.descriptor(), event.call.pid);
    fact("handle", stream::file(event, usize::MAX), Some(handle));
    fact("function", control.function_name().to_owned(), None);
    fact("input", bytes(control.input_len), Some(format!("in_len == {}", control.input_len)));
    let filled = control.information.map(|filled| format!(", {filled} filled")).unwrap_or_default();
    let output = format!("{}{filled}", bytes(control.output_len));
    fact("output", output, Some(format!("out_len == {}", control.output_len)));
    for (name, field, id) in
        [("its process", "windows_pid", control.process), ("its thread", "windows_tid", control.thread)]
    {
        if let Some(id) = id {
            fact(name, id.to_string(), Some(format!("{field} == {id}")));
        }
    }
}

fn bytes(length: u32) -> String {
    format!("{} bytes", Grouped(length.into()))
}

fn stacks(lines: &mut Vec<Line>, event: &Event, decoder: &mut Decoder) {
    let data = &event.call.data;
    if !data.kernel_stack.is_empty() {
        lines.push(Line::Heading("kernel stack".to_owned()));
    }
    for &address in &data.kernel_stack {
        let text = match decoder.kernel_symbol(address) {
            Some((symbol, into)) => format!("{}+{into:#x}", visible(&symbol.name)),
            None => format!("{address:#x}"),
        };
        lines.push(Line::Text(vec![(format!("  {text}"), Tone::Plain)]));
    }
    if !data.user_stack.is_empty() {
        lines.push(Line::Heading("stack".to_owned()));
    }
    for frame in decoder.user_stack(event.call.pid, &data.user_stack) {
        let function = match &frame.symbol {
            Some((name, into)) => format!("{}+{into:#x}", visible(name)),
            None => format!("{:#x}", frame.address),
        };
        let mut parts = vec![
            (format!("  {function}"), Tone::Plain),
            (format!("  {}", escaped(&frame.file)), Tone::Faint),
        ];
        if let Some((file, line)) = &frame.source {
            parts.push((format!("  {}:{line}", visible(file)), Tone::Faint));
        }
        lines.push(Line::Text(parts));
    }
}
