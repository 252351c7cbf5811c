//! Which track a call is on: that of its thread, and one of its device.

use std::collections::HashMap;

use ioctl_registry::DeviceKind;

use super::messages::{ProcessDescriptor, ThreadDescriptor, TrackDescriptor};
use crate::{
    decode::Decoder,
    escape::escaped,
    event::{Call, Comm, File},
};

/// Threads and processes remembered; more are described again.
const MAX_TASKS: usize = 65_536;
/// Devices remembered; more are described again, with tracks of their own.
const MAX_DEVICES: usize = 4_096;

/// The track above those of the devices.
const DEVICES: u64 = 1;
/// Tracks of devices are counted; those of tasks have this bit, and the task's number.
const TASK: u64 = 1 << 63;
const PROCESS: u64 = 1 << 62;

/// The tracks that have been described.
#[derive(Default)]
pub(super) struct Tracks {
    threads: HashMap<(u32, u32), Comm>,
    processes: HashMap<u32, Process>,
    devices: HashMap<Key, Lanes>,
    /// Tracks of devices so far.
    count: u64,
}

/// How a process is named.
#[derive(PartialEq, Eq)]
struct Process {
    name: Comm,
    /// The name is that of its first thread, and so its own.
    own: bool,
}

/// What calls share a track.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Node(DeviceKind, u32, u32),
    Socket(u32),
    /// Other files are told apart by what they are, of which there are few, and not by their paths.
    Other(DeviceKind, String),
}

/// The tracks of a device.
struct Lanes {
    name: String,
    /// The track, and when its last slice ends.
    lanes: Vec<(u64, u64)>,
}

impl Tracks {
    /// The track of the calling thread, and what has to be described first.
    pub(super) fn thread(&mut self, call: &Call) -> (u64, Vec<TrackDescriptor>) {
        let mut new = Vec::new();
        if self.threads.len() >= MAX_TASKS || self.processes.len() >= MAX_TASKS {
            self.threads.clear();
            self.processes.clear();
        }
        let own = call.pid == call.tid;
        let named = match self.processes.get(&call.pid) {
            None => false,
            Some(process) if own => *process == Process { name: call.comm, own },
            // The name of another thread says nothing that is not known.
            Some(_) => true,
        };
        if !named {
            self.processes.insert(call.pid, Process { name: call.comm, own });
            let name = escaped(call.comm.as_bytes());
            new.push(TrackDescriptor {
                uuid: Some(TASK | PROCESS | u64::from(call.pid)),
                process: Some(ProcessDescriptor {
                    pid: Some(call.pid.cast_signed()),
                    process_name: Some(name),
                }),
                ..TrackDescriptor::default()
            });
        }
        let uuid = TASK | u64::from(call.tid);
        if self.threads.get(&(call.pid, call.tid)) != Some(&call.comm) {
            self.threads.insert((call.pid, call.tid), call.comm);
            new.push(TrackDescriptor {
                uuid: Some(uuid),
                thread: Some(ThreadDescriptor {
                    pid: Some(call.pid.cast_signed()),
                    tid: Some(call.tid.into()),
                    thread_name: Some(escaped(call.comm.as_bytes())),
                }),
                ..TrackDescriptor::default()
            });
        }
        (uuid, new)
    }

    /// A track of the device on which nothing else happens while the call lasts, and what has to be described first.
    /// `None` where it is not known what the file is.
    pub(super) fn device(
        &mut self,
        call: &Call,
        decoder: &mut Decoder,
        end: u64,
    ) -> Option<(u64, Vec<TrackDescriptor>)> {
        let file = call.target.file()?;
        let key = key(file);
        let mut new = Vec::new();
        if self.devices.len() >= MAX_DEVICES {
            self.devices.clear();
        }
        if self.count == 0 {
            self.count = DEVICES;
            let name = Some("Devices".to_owned());
            new.push(TrackDescriptor { uuid: Some(DEVICES), name, ..TrackDescriptor::default() });
        }
        let device = self
            .devices
            .entry(key)
            .or_insert_with_key(|key| Lanes { name: name(key, file, decoder), lanes: Vec::new() });
        // Calls come in the order of their ends, so that the first track that is free keeps their number least.
        let free = device.lanes.iter_mut().find(|(_, busy)| *busy <= call.start_ns);
        if let Some((uuid, busy)) = free {
            *busy = end;
            return Some((*uuid, new));
        }
        self.count += 1;
        device.lanes.push((self.count, end));
        new.push(TrackDescriptor {
            uuid: Some(self.count),
            parent_uuid: Some(DEVICES),
            name: Some(device.name.clone()),
            ..TrackDescriptor::default()
        });
        Some((self.count, new))
    }
}

fn key(file: &File) -> Key {
    match (file.kind, file.numbers) {
        (kind @ (DeviceKind::Char | DeviceKind::Block), Some((major, minor))) => {
            Key::Node(kind, major, minor)
        }
        (DeviceKind::Socket, _) => Key::Socket(file.domain.unwrap_or(0)),
        (kind @ DeviceKind::AnonInode, _) => Key::Other(kind, escaped(&file.target)),
        (kind, _) => Key::Other(kind, escaped(file.filesystem.as_bytes())),
    }
}

/// `char 226:0 i915 /dev/dri/card0`: the path is that of the first call.
fn name(key: &Key, file: &File, decoder: &mut Decoder) -> String {
    let device = decoder.device(file);
    let kind = device.kind_name();
    let mut words = match key {
        Key::Node(_, major, minor) => vec![format!("{kind} {major}:{minor}")],
        Key::Socket(domain) => vec![kind.to_owned(), decoder.socket_family(*domain).into_owned()],
        // The name says so itself.
        Key::Other(DeviceKind::AnonInode, name) => vec![name.clone()],
        Key::Other(_, filesystem) => vec![kind.to_owned(), filesystem.clone()],
    };
    if let Key::Node(..) = key {
        words.extend(decoder.device(file).driver.as_deref().map(|driver| escaped(driver.as_bytes())));
        words.push(escaped(&file.target));
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}
