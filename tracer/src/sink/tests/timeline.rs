//! The time line, read back as Perfetto reads it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use prost::Message;

use super::*;
use crate::sink::perfetto::messages::{
    Content, DebugAnnotation, INCREMENTAL_STATE_CLEARED, Interned, Trace, TrackDescriptor, Type,
};

/// What readers keep between packets.
#[derive(Default)]
struct Reader {
    events: HashMap<u64, String>,
    categories: HashMap<u64, String>,
    annotations: HashMap<u64, String>,
    tracks: BTreeMap<u64, TrackDescriptor>,
    text: String,
    /// Slices by track: begin and end.
    slices: BTreeMap<u64, Vec<(u64, Option<u64>)>>,
}

impl Reader {
    fn read(file: &[u8]) -> Self {
        let mut reader = Self::default();
        let trace = Trace::decode(file).expect("a trace");
        let first = trace.packet.first().expect("a packet");
        assert!(first.clock_snapshot.is_some(), "the clock is known before it is used");
        for packet in trace.packet {
            assert_eq!(packet.trusted_packet_sequence_id, Some(1));
            if packet.sequence_flags.unwrap_or(0) & INCREMENTAL_STATE_CLEARED != 0 {
                reader.events.clear();
                reader.categories.clear();
                reader.annotations.clear();
            }
            if let Some(new) = packet.interned_data {
                let add = |map: &mut HashMap<u64, String>, new: Vec<Interned>| {
                    map.extend(new.into_iter().map(|new| (new.iid(), new.name().to_owned())));
                };
                add(&mut reader.events, new.event_names);
                add(&mut reader.categories, new.event_categories);
                add(&mut reader.annotations, new.debug_annotation_names);
            }
            if let Some(track) = packet.track_descriptor {
                let line = format!("track {:x} {}\n", track.uuid(), described(&track));
                reader.text.push_str(&line);
                reader.tracks.insert(track.uuid(), track);
            }
            let Some(event) = packet.track_event else { continue };
            assert!(reader.tracks.contains_key(&event.track_uuid()), "the track is described");
            assert_eq!(packet.timestamp_clock_id, Some(3));
            let time = packet.timestamp.expect("a time");
            let slices = reader.slices.entry(event.track_uuid()).or_default();
            if event.r#type() == Type::SliceEnd {
                slices.last_mut().expect("it has begun").1 = Some(time);
                let _ = writeln!(reader.text, "{time} {:x} end", event.track_uuid());
            } else {
                slices.push((time, None));
                let name = &reader.events[&event.name_iid()];
                let category = &reader.categories[&event.category_iids[0]];
                let all: Vec<_> =
                    event.debug_annotations.iter().map(|annotation| reader.annotation(annotation)).collect();
                let line = format!("{time} {:x} {name} [{category}] {}\n", event.track_uuid(), all.join(" "));
                reader.text.push_str(&line);
            }
        }
        reader
    }

    fn annotation(&self, annotation: &DebugAnnotation) -> String {
        let name = annotation.name_iid.map(|iid| format!("{}=", self.annotations[&iid])).unwrap_or_default();
        let list = |items: &[DebugAnnotation]| {
            items.iter().map(|item| self.annotation(item)).collect::<Vec<_>>().join(", ")
        };
        match &annotation.value {
            Some(Content::Bool(value)) => format!("{name}{value}"),
            Some(Content::Uint(value)) => format!("{name}{value}"),
            Some(Content::Int(value)) => format!("{name}{value}"),
            Some(Content::Double(value)) => format!("{name}{value}"),
            Some(Content::Text(value)) => format!("{name}{value:?}"),
            Some(Content::Pointer(value)) => format!("{name}{value:#x}"),
            None if annotation.array_values.is_empty() => {
                format!("{name}{{{}}}", list(&annotation.dict_entries))
            }
            None => format!("{name}[{}]", list(&annotation.array_values)),
        }
    }
}

fn described(track: &TrackDescriptor) -> String {
    match (&track.process, &track.thread) {
        (Some(process), None) => format!("process {} {:?}", process.pid(), process.process_name()),
        (None, Some(thread)) => {
            format!("thread {} of {} {:?}", thread.tid(), thread.pid(), thread.thread_name())
        }
        _ => format!("{:?} below {:?}", track.name(), track.parent_uuid),
    }
}

#[test]
fn the_time_line_is_as_agreed() {
    let reader = Reader::read(&written_of(script(), |out| Perfetto::new(out, clock())));
    assert!(reader.text.chars().all(|c| c == '\n' || crate::escape::is_plain(c)), "nothing invisible");
    insta::assert_snapshot!(reader.text);
}

#[test]
fn calls_at_once_have_tracks_of_their_own() {
    let gpu = identity(1, libc::S_IFCHR, 226 << 20, 0);
    let mut script = Scripted::new();
    let mut call = |tid: u32, begin: u64, end: u64| {
        let mut call = CallRecord { tgid: 7, tid, request: 0xc008_dead, file: gpu, ..CallRecord::default() };
        call.header.time_ns = begin;
        call.duration_ns = end - begin;
        call.comm = comm_bytes(&format!("worker{tid}"));
        script.call(call);
    };
    // In the order of their ends, as calls come.
    call(8, 10, 20);
    call(8, 20, 30);
    call(9, 12, 40);
    call(10, 15, 50);
    call(8, 40, 60);
    call(9, 50, 70);
    let reader = Reader::read(&written_of(script, |out| Perfetto::new(out, clock())));
    let devices: Vec<_> = reader.tracks.values().filter(|track| track.parent_uuid.is_some()).collect();
    assert_eq!(devices.len(), 3, "as many as there are calls at once");
    assert!(devices.iter().all(|track| track.name() == devices[0].name()));
    assert!(devices[0].name().starts_with("char 226:0"), "{}", devices[0].name());
    let slices: usize = reader.slices.values().map(Vec::len).sum();
    assert_eq!(slices, 12, "each call on two tracks");
    for track in reader.slices.values() {
        assert!(track.iter().all(|(begin, end)| end.is_some_and(|end| *begin <= end)));
        assert!(
            track.is_sorted_by(|(_, end), (begin, _)| end.is_some_and(|end| end <= *begin)),
            "none overlaps"
        );
    }
}

#[test]
fn a_new_name_is_told() {
    let tty = identity(1, libc::S_IFCHR, 136 << 20 | 3, 0x1cd1);
    let mut script = Scripted::new();
    for (tid, comm) in [(8, "worker"), (7, "main"), (8, "worker"), (7, "renamed"), (8, "worker")] {
        let comm = comm_bytes(comm);
        script.call(CallRecord { tgid: 7, tid, comm, request: 0x5413, file: tty, ..CallRecord::default() });
    }
    let reader = Reader::read(&written_of(script, |out| Perfetto::new(out, clock())));
    let tracks: Vec<_> = reader.text.lines().filter(|line| line.starts_with("track")).collect();
    assert_eq!(
        tracks,
        [
            "track c000000000000007 process 7 \"worker\"",
            "track 8000000000000008 thread 8 of 7 \"worker\"",
            "track 1 \"Devices\" below None",
            "track 2 \"char 136:3 pts\" below Some(1)",
            "track c000000000000007 process 7 \"main\"",
            "track 8000000000000007 thread 7 of 7 \"main\"",
            "track c000000000000007 process 7 \"renamed\"",
            "track 8000000000000007 thread 7 of 7 \"renamed\"",
        ]
    );
}

#[test]
fn a_trace_without_calls_is_one() {
    let reader = Reader::read(&written_of(Scripted::new(), |out| Perfetto::new(out, clock())));
    assert_eq!(reader.text, "");
}
