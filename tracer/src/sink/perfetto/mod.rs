//! Calls on a time line: a trace for <https://ui.perfetto.dev> and Perfetto's trace processor.
//!
//! Every thread has a track below its process, and so has every device below `Devices`: a call is a slice on both. The
//! slice is named after the request and has the family as its category; descriptor, path, result and the fields of the
//! argument are its annotations. Calls on one device may overlap, which slices on one track must not: a device has as
//! many tracks of its name as it has calls at once.

pub(super) mod messages;
mod names;
mod tracks;

use std::io;

use ioctl_registry::Value;

use self::{
    messages::{
        CLOCK_MONOTONIC, CLOCK_REALTIME, Clock, ClockSnapshot, Content, DebugAnnotation,
        INCREMENTAL_STATE_CLEARED, NEEDS_INCREMENTAL_STATE, TracePacket, TrackDescriptor, TrackEvent, Type,
    },
    names::Names,
    tracks::Tracks,
};
use super::{
    Sink,
    facts::{DeviceFacts, Facts, Hex, device_facts, request_facts},
    fields,
    out::Output,
};
use crate::{
    clock::WallClock,
    decode::Decoder,
    errno::status_name,
    escape::escaped,
    event::{Call, Descriptor, Event, Outcome},
};

/// All packets are of one sequence: they share the numbers of names.
const SEQUENCE: u32 = 1;

/// Writes a Perfetto trace.
pub struct Perfetto<W> {
    out: W,
    clock: WallClock,
    begun: bool,
    names: Names,
    tracks: Tracks,
    packet: Vec<u8>,
}

impl<W: Output> Perfetto<W> {
    /// A trace to `out`, which should be buffered.
    pub fn new(out: W, clock: WallClock) -> Self {
        let (names, tracks) = (Names::default(), Tracks::default());
        Self { out, clock, begun: false, names, tracks, packet: Vec::new() }
    }

    fn write(&mut self, packet: TracePacket) -> io::Result<()> {
        let packet = TracePacket { trusted_packet_sequence_id: Some(SEQUENCE), ..packet };
        self.packet.clear();
        // The field `packet` of the trace.
        prost::encoding::message::encode(1, &packet, &mut self.packet);
        self.out.write_all(&self.packet)
    }

    /// Relates the clock of the calls to the time of day.
    fn begin(&mut self, time_ns: u64) -> io::Result<()> {
        let (second, nanos) = self.clock.epoch(time_ns);
        let of_day =
            u64::try_from(second).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanos.into());
        let clock = |id, time| Clock { clock_id: Some(id), timestamp: Some(time) };
        let clocks = vec![clock(CLOCK_MONOTONIC, time_ns), clock(CLOCK_REALTIME, of_day)];
        let snapshot = ClockSnapshot { clocks, primary_trace_clock: Some(CLOCK_MONOTONIC) };
        self.write(TracePacket { clock_snapshot: Some(snapshot), ..TracePacket::default() })
    }

    fn describe(&mut self, track: TrackDescriptor) -> io::Result<()> {
        self.write(TracePacket { track_descriptor: Some(track), ..TracePacket::default() })
    }

    /// Writes the beginning of a slice, and its end if there is one.
    fn slice(&mut self, call: &Call, event: TrackEvent) -> io::Result<()> {
        let track_uuid = event.track_uuid;
        let flags = if self.names.restarted() { INCREMENTAL_STATE_CLEARED } else { 0 };
        let interned_data = self.names.take_new();
        self.write(TracePacket {
            timestamp: Some(call.start_ns),
            timestamp_clock_id: Some(CLOCK_MONOTONIC),
            sequence_flags: Some(flags | NEEDS_INCREMENTAL_STATE),
            interned_data,
            track_event: Some(TrackEvent { r#type: Some(Type::SliceBegin.into()), ..event }),
            ..TracePacket::default()
        })?;
        let Some(end) = end(call) else { return Ok(()) };
        self.write(TracePacket {
            timestamp: Some(end),
            timestamp_clock_id: Some(CLOCK_MONOTONIC),
            track_event: Some(TrackEvent {
                r#type: Some(Type::SliceEnd.into()),
                track_uuid,
                ..TrackEvent::default()
            }),
            ..TracePacket::default()
        })
    }
}

impl<W: Output> Sink for Perfetto<W> {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        let call = &event.call;
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(call.start_ns)?;
        }
        let (thread, new) = self.tracks.thread(call);
        for track in new {
            self.describe(track)?;
        }
        let (device, new) = self.tracks.device(call, decoder, end(call).unwrap_or(u64::MAX)).unzip();
        for track in new.into_iter().flatten() {
            self.describe(track)?;
        }
        let facts = Facts::of(event, decoder);
        // What is numbered from here on belongs to the slices of this call: all or none of it is forgotten.
        self.names.limit();
        let name = self.names.event(&event.request.to_string());
        let request = request_facts(event);
        let category = self.names.category(request.family.unwrap_or("ioctl"));
        let of_device = device_facts(event, decoder);
        let on_thread = self.annotations(event, &facts, of_device.as_ref(), request.hex);
        let slice = TrackEvent {
            category_iids: vec![category],
            name_iid: Some(name),
            track_uuid: Some(thread),
            debug_annotations: on_thread,
            r#type: None,
        };
        self.slice(call, slice)?;
        let Some(device) = device else { return Ok(()) };
        let slice = TrackEvent {
            category_iids: vec![category],
            name_iid: Some(name),
            track_uuid: Some(device),
            debug_annotations: self.short_annotations(call, &facts),
            r#type: None,
        };
        self.slice(call, slice)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        // Nobody opens a file without a packet.
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(0)?;
        }
        self.out.end()
    }
}

/// When the call ended. One that had not is a slice without an end.
fn end(call: &Call) -> Option<u64> {
    (call.outcome != Outcome::Running).then(|| call.start_ns.saturating_add(call.duration_ns))
}

impl<W> Perfetto<W> {
    fn annotation(&mut self, name: &str, content: Content) -> DebugAnnotation {
        let name_iid = Some(self.names.annotation(name));
        DebugAnnotation { name_iid, value: Some(content), ..DebugAnnotation::default() }
    }

    /// All that is known of a call.
    fn annotations(
        &mut self,
        event: &Event,
        facts: &Facts<'_>,
        device: Option<&DeviceFacts<'_>>,
        request: Hex,
    ) -> Vec<DebugAnnotation> {
        let call = &event.call;
        let text = |bytes: &[u8]| Content::Text(escaped(bytes));
        let mut all = match call.descriptor() {
            Descriptor::Fd(fd) => vec![self.annotation("fd", Content::Int(fd.into()))],
            Descriptor::Handle(handle) => vec![self.annotation("handle", Content::Pointer(handle))],
        };
        if let Some(path) = facts.path {
            all.push(self.annotation("path", text(path)));
        }
        let driver = device.and_then(|device| device.driver);
        let handler = device.and_then(|device| device.handler);
        for (name, value) in [("driver", driver), ("handler", handler)] {
            if let Some(value) = value {
                all.push(self.annotation(name, text(value.as_bytes())));
            }
        }
        all.push(self.annotation("request", Content::Text(request.to_string())));
        all.extend(call.shown_arg().map(|arg| self.annotation("arg", Content::Pointer(arg))));
        for (name, value) in [("in", &facts.before), ("out", &facts.after)] {
            if let Some(value) = value {
                all.extend(self.value(Some(name), value));
            }
        }
        all.extend(self.result(call, facts));
        if call.compat {
            all.push(self.annotation("compat", Content::Bool(true)));
        }
        if !facts.notes.is_empty() {
            all.push(self.annotation("notes", Content::Text(facts.notes.join("; "))));
        }
        all
    }

    /// What is of interest on the track of the device: who called, and how it ended.
    fn short_annotations(&mut self, call: &Call, facts: &Facts<'_>) -> Vec<DebugAnnotation> {
        let mut all = vec![
            self.annotation("comm", Content::Text(escaped(call.comm.as_bytes()))),
            self.annotation("tid", Content::Uint(call.tid.into())),
        ];
        all.extend(self.result(call, facts));
        all
    }

    fn result(&mut self, call: &Call, facts: &Facts<'_>) -> Vec<DebugAnnotation> {
        if let Some(status) = call.status() {
            let information = call.control.as_ref().and_then(|control| control.information);
            let information = information.map(|number| self.annotation("information", Content::Uint(number)));
            let status = self.annotation("status", Content::Text(status_name(status).into_owned()));
            return [status].into_iter().chain(information).collect();
        }
        let ret = call.outcome.value().map(|value| self.annotation("ret", Content::Int(value)));
        let errno =
            facts.errno.as_deref().map(|name| self.annotation("errno", Content::Text(name.to_owned())));
        ret.into_iter().chain(errno).collect()
    }

    /// A decoded value: structs are dictionaries. `None` for what the data does not hold.
    fn value(&mut self, name: Option<&str>, value: &Value) -> Option<DebugAnnotation> {
        let mut annotation = DebugAnnotation::default();
        match value {
            Value::Record(members)
            | Value::Fraction(members)
            | Value::Indexed { members, .. }
            | Value::Union { members, .. } => {
                let parts = members.iter().filter_map(|member| match &member.value {
                    // The member in use of a union without a name is among those around it.
                    Value::Variant { name, value } if member.name.is_empty() => self.value(Some(name), value),
                    value => self.value(Some(&member.name), value),
                });
                annotation.dict_entries = parts.collect();
            }
            Value::Variant { name, value } => {
                annotation.dict_entries = self.value(Some(name), value).into_iter().collect();
            }
            Value::Array { items, .. } => {
                annotation.array_values = items.iter().filter_map(|item| self.value(None, item)).collect();
            }
            Value::Pointee { value, .. } => return self.value(name, value),
            Value::Missing => return None,
            leaf => annotation.value = Some(content(leaf)),
        }
        annotation.name_iid = name.map(|name| self.names.annotation(name));
        Some(annotation)
    }
}

fn content(value: &Value) -> Content {
    match value {
        Value::Integer(number) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(number), _) => Content::Int(number),
            (_, Ok(number)) => Content::Uint(number),
            _ => Content::Text(number.to_string()),
        },
        Value::Descriptor(number) => Content::Int(*number),
        Value::Bool(truth) => Content::Bool(*truth),
        Value::Float(number) => Content::Double(*number),
        Value::Pointer(address) | Value::Hex(address) => Content::Pointer(*address),
        Value::Text { bytes, .. } => Content::Text(escaped(bytes)),
        // As the lines show them: constants by name.
        other => {
            Content::Text(fields::text(other).unwrap_or_else(|| other.display(&fields::style()).to_string()))
        }
    }
}
