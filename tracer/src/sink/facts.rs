//! What the outputs for programs say of a call besides its numbers, found out in one place so that all say the same.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Write},
    sync::Arc,
};

use ioctl_registry::{DeviceKind, Encoding, Lookup, Named, Request, Value, windows::ControlCode};
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use crate::{
    decode::Decoder,
    errno::{self, status_name},
    escape::is_plain,
    event::{Device, Event},
    process::NsIds,
};

/// A call, with what was looked up for it.
pub(super) struct Facts<'e> {
    /// What its process and it are numbered in their own namespace.
    pub ns_ids: Option<NsIds>,
    pub cgroup: Option<Arc<str>>,
    /// Where the file is, as bytes; never empty.
    pub path: Option<&'e [u8]>,
    /// The argument as it was handed over.
    pub before: Option<Value>,
    /// The argument as it came back.
    pub after: Option<Value>,
    pub errno: Option<Cow<'static, str>>,
    pub notes: Vec<&'static str>,
}

impl<'e> Facts<'e> {
    pub(super) fn of(event: &'e Event, decoder: &mut Decoder) -> Self {
        let call = &event.call;
        let (before, after) = decoder.arguments(event);
        let file = call.target.file();
        Self {
            ns_ids: decoder.ns_ids(call),
            cgroup: if call.cgroup == 0 { None } else { decoder.cgroup(call.cgroup, call.pid) },
            path: file.map(|file| &*file.target).filter(|path| !path.is_empty()),
            before: known(before),
            after: known(after),
            errno: call.outcome.errno().filter(|_| call.control.is_none()).map(errno::name),
            notes: event.notes(),
        }
    }
}

/// What is known of the device.
#[derive(Serialize)]
pub(super) struct DeviceFacts<'a> {
    pub kind: &'static str,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub driver: Option<&'a str>,
    pub module: Option<&'a str>,
    pub handler: Option<&'a str>,
    /// Of a block device the kernel's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Of a file or a directory the type of its filesystem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<&'a str>,
    /// Of a socket its family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Cow<'static, str>>,
}

/// What the request is.
#[derive(Serialize)]
pub(super) struct RequestFacts<'a> {
    pub number: u32,
    pub hex: Hex,
    pub name: Option<&'a str>,
    pub names: Names<'a>,
    pub dir: &'static str,
    /// Of a control code neither this nor the next two.
    pub r#type: Option<u8>,
    pub nr: Option<u8>,
    pub size: Option<u16>,
    pub family: Option<&'a str>,
    pub header: Option<&'a str>,
    /// Of a control code its parts.
    #[serde(flatten)]
    pub code: Option<CodeFacts>,
}

/// The parts of a control code.
#[derive(Serialize)]
pub(super) struct CodeFacts {
    pub code: String,
    pub device: u16,
    pub device_name: Option<&'static str>,
    pub function: u16,
    pub method: &'static str,
    pub access: &'static str,
    pub kind: &'static str,
}

impl CodeFacts {
    fn of(number: u32, certain: Option<&Request>) -> Self {
        let code = ControlCode(number);
        let parts = code.parts();
        let kind = certain.and_then(Request::control).map_or_else(|| code.kind(), |control| control.kind);
        Self {
            code: code.to_string(),
            device: parts.device,
            device_name: code.device_name(),
            function: parts.function,
            method: parts.method.as_str(),
            access: parts.access.as_str(),
            kind: kind.as_str(),
        }
    }
}

/// What a control code has besides, in its line.
#[derive(Serialize)]
pub(super) struct ControlFacts {
    pub os: &'static str,
    pub function: &'static str,
    pub handle: Hex,
    pub in_len: u32,
    pub out_len: u32,
    pub status: Option<Cow<'static, str>>,
    #[serde(serialize_with = "exact")]
    pub information: Option<u64>,
    pub windows_pid: Option<u32>,
    pub windows_tid: Option<u32>,
    pub housekeeping: bool,
}

/// A number, or a string where a double cannot hold it exactly.
#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn exact<S: Serializer>(number: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) if *number > 1 << 53 => to.collect_str(number),
        number => number.serialize(to),
    }
}

impl ControlFacts {
    pub(super) fn of(event: &Event) -> Option<Self> {
        let control = event.call.control.as_deref()?;
        Some(Self {
            os: "windows",
            function: control.function_name(),
            handle: Hex(control.handle),
            in_len: control.input_len,
            out_len: control.output_len,
            status: event.call.status().map(status_name),
            information: control.information,
            windows_pid: control.process,
            windows_tid: control.thread,
            housekeeping: control.housekeeping,
        })
    }
}

/// A number in hexadecimal, as text.
#[derive(Clone, Copy)]
pub(super) struct Hex(pub u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The names of requests.
#[derive(Clone, Copy)]
pub(super) struct Names<'a>(&'a [Named<'static>]);

impl<'a> Names<'a> {
    pub fn iter(&self) -> impl Iterator<Item = &'static str> + use<'a> {
        self.0.iter().map(|named| named.request.name())
    }
}

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

/// An address alone says nothing that `arg` does not.
fn known(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !matches!(value, Value::Pointer(_)))
}

/// Appends a value as JSON on one line.
pub(super) fn write_json(out: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Visible)).map_err(io::Error::from)
}

/// JSON in which every character can be seen: JSON itself lets some through that control a terminal or turn text around.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, mut text: &str) -> io::Result<()> {
        // Nearly all of it is.
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return out.write_all(text.as_bytes());
        }
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

/// What is known of the device that a call is made on, if there is one.
pub(super) fn device_facts<'e>(event: &'e Event, decoder: &mut Decoder) -> Option<DeviceFacts<'e>> {
    let file = event.call.target.file()?;
    let device: &Device = decoder.device(file);
    let stored = matches!(device.kind, DeviceKind::Regular | DeviceKind::Directory);
    Some(DeviceFacts {
        kind: device.kind_name(),
        major: device.numbers.map(|n| n.0),
        minor: device.numbers.map(|n| n.1),
        driver: device.driver.as_deref(),
        module: device.module.as_deref(),
        handler: device.handler.as_deref(),
        name: device.name.as_deref(),
        filesystem: Some(&*file.filesystem).filter(|name| stored && !name.is_empty()),
        domain: file.domain.map(|domain| decoder.socket_family(domain)),
    })
}

/// What the request of a call is.
pub(super) fn request_facts(event: &Event) -> RequestFacts<'_> {
    let (number, request) = (event.call.request, &event.request);
    let encoding = event.call.control.is_none().then(|| Encoding::of(number, event.call.arch()));
    let certain = if let Lookup::Exact(named) = request { Some(named.request) } else { None };
    RequestFacts {
        number,
        hex: Hex(number.into()),
        name: certain.map(|r| r.name()),
        names: Names(request.named()),
        dir: event.direction().as_str(),
        r#type: encoding.map(|parts| parts.ty),
        nr: encoding.map(|parts| parts.nr),
        size: encoding.map(|parts| parts.size),
        family: certain.map(|r| r.family()),
        header: certain.map(|r| r.header()),
        code: event.call.control.is_some().then(|| CodeFacts::of(number, certain)),
    }
}
