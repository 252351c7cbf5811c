//! What calls came to, per device and request: how many, whose, how they failed, how long they took. What is made of it
//! (allow-lists, comparisons) lives elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use ioctl_registry::DeviceKind;

use crate::{
    decode::Decoder,
    errno,
    escape::{escaped, visible},
    event::{Event, File, Target, kind_name},
    histogram::Histogram,
    sink::Sink,
};

/// Requests kept, over all devices. A hostile program could otherwise invent them without end.
const MAX_REQUESTS: usize = 65_536;
/// Paths and programs kept of each; the counts are right without them.
const MAX_NAMES: usize = 64;

/// Paths kept of all devices.
const MAX_PATHS: usize = 16_384;
/// Stands for programs beyond those that are kept.
const OTHERS: &str = "(others)";

/// The kind of what control codes of Windows programs are sent to.
const WINDOWS: &str = "windows";

/// A kind of device. Minor numbers, descriptors and inodes differ from run to run and are not part of it, unless they are
/// wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Kind of file as a word (see [`kind_name`]); `not open` where there was none.
    pub kind: &'static str,
    /// The driver of a device node, the family of a socket, the filesystem of a file, the name of an anonymous inode; empty
    /// if not known. No control characters are in it.
    pub name: String,
    /// Major and minor number of a device node, where devices of one driver are told apart.
    pub numbers: Option<(u32, u32)>,
}

impl Place {
    /// Where a call was made.
    fn of(event: &Event, decoder: &mut Decoder, numbers: bool) -> Self {
        if let Some(device) = event.call.windows_device() {
            return Self { kind: WINDOWS, name: escaped(device), numbers: None };
        }
        match &event.call.target {
            Target::File(file) => Self {
                kind: kind_name(file.kind),
                name: name_of(file, decoder),
                numbers: file.numbers.filter(|_| numbers),
            },
            Target::NotOpen => Self { kind: "not open", name: String::new(), numbers: None },
            // A handle is of a control code, which is told above.
            Target::Unreadable | Target::Handle => {
                Self { kind: "unknown", name: String::new(), numbers: None }
            }
        }
    }
}

/// What a file is called among its kind.
fn name_of(file: &File, decoder: &mut Decoder) -> String {
    match file.kind {
        DeviceKind::Char | DeviceKind::Block => match (&decoder.device(file).driver, file.numbers) {
            (Some(driver), _) => escaped(driver.as_bytes()),
            (None, Some((major, _))) => major.to_string(),
            (None, None) => String::new(),
        },
        DeviceKind::Socket => {
            file.domain.map(|domain| decoder.socket_family(domain).into_owned()).unwrap_or_default()
        }
        DeviceKind::AnonInode => file.anon_name().map(|name| escaped(name.as_bytes())).unwrap_or_default(),
        DeviceKind::Fifo if file.target.starts_with(b"pipe:") => "pipe".to_owned(),
        _ => escaped(file.filesystem.as_bytes()),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.name.as_str()) {
            (kind, "") => f.write_str(kind)?,
            ("char" | "block", name) if name.parse::<u32>().is_err() => f.write_str(name)?,
            ("fifo", name) => f.write_str(name)?,
            (kind, name) => write!(f, "{kind} {name}")?,
        }
        match self.numbers {
            Some((major, minor)) => write!(f, " {major}:{minor}"),
            None => Ok(()),
        }
    }
}

/// The calls of a request on a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its names; several where nothing tells them apart, the parts of the number where there is none.
    pub names: BTreeSet<String>,
    /// Calls.
    pub calls: u64,
    /// Calls that failed, by error as [`Call::error`](crate::event::Call::error) has it.
    pub errors: BTreeMap<i32, u64>,
    /// Calls by the thread's name.
    pub comms: BTreeMap<String, u64>,
    /// How long they took.
    pub durations: Histogram,
}

impl Group {
    /// Calls that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// The names as one text: `TCSETS`, `A or B`.
    #[must_use]
    pub fn label(&self) -> String {
        self.names.iter().map(String::as_str).collect::<Vec<_>>().join(" or ")
    }

    /// Errors by name.
    #[must_use]
    pub fn named_errors(&self) -> BTreeMap<String, u64> {
        self.errors.iter().map(|(number, calls)| (errno::name(*number).into_owned(), *calls)).collect()
    }

    /// Every call failed with `ENOTTY` or `EBADF`: nobody there knows the request.
    #[must_use]
    pub fn never_known(&self) -> bool {
        let unknown = |errno: &i32| matches!(*errno, libc::ENOTTY | libc::EBADF);
        self.calls > 0 && self.errors.keys().all(unknown) && self.failed() == self.calls
    }

    fn add(&mut self, event: &Event) {
        let named = event.request.named();
        if self.names.len() < MAX_NAMES {
            match named {
                [] => _ = self.names.insert(event.request.to_string()),
                // Names can be from a file.
                several => {
                    self.names.extend(several.iter().map(|name| visible(&name.to_string()).into_owned()))
                }
            }
        }
        self.calls += 1;
        if let Some(errno) = event.call.error() {
            *self.errors.entry(errno).or_default() += 1;
        }
        self.durations.add(event.call.duration_ns);
        let mut comm = escaped(event.call.comm.as_bytes());
        if self.comms.len() >= MAX_NAMES && !self.comms.contains_key(&comm) {
            OTHERS.clone_into(&mut comm);
        }
        *self.comms.entry(comm).or_default() += 1;
    }
}

/// What was asked of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Where it was, as far as that fits: paths of what has a place in a directory.
    pub paths: BTreeSet<String>,
    /// By request number.
    pub requests: BTreeMap<u32, Group>,
}

/// What calls came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Per device.
    pub places: BTreeMap<Place, Asked>,
    /// Devices of one driver are told apart.
    pub by_device: bool,
    /// Calls of requests beyond those that are kept.
    pub left_out: u64,
    requests: usize,
    paths: usize,
}

#[cfg(test)]
impl Tally {
    /// With these requests of one terminal, by number.
    pub(crate) fn of_terminal(requests: impl IntoIterator<Item = (u32, Group)>) -> Self {
        let place = Place { kind: "char", name: "pts".to_owned(), numbers: None };
        let asked = Asked { requests: requests.into_iter().collect(), ..Asked::default() };
        let mut tally = Self::new(false);
        tally.places.insert(place, asked);
        tally
    }
}

impl Tally {
    /// An empty one.
    #[must_use]
    pub fn new(by_device: bool) -> Self {
        Self { by_device, ..Self::default() }
    }

    /// Adds a call.
    pub fn add(&mut self, event: &Event, decoder: &mut Decoder) {
        let place = Place::of(event, decoder, self.by_device);
        let number = event.call.request;
        let known = self.places.get(&place).is_some_and(|asked| asked.requests.contains_key(&number));
        if !known {
            if self.requests >= MAX_REQUESTS {
                self.left_out += 1;
                return;
            }
            self.requests += 1;
        }
        let asked = self.places.entry(place).or_default();
        if let Some(path) = event.call.target.file().and_then(path_of)
            && asked.paths.len() < MAX_NAMES
            && self.paths < MAX_PATHS
        {
            self.paths += usize::from(asked.paths.insert(path));
        }
        asked.requests.entry(number).or_default().add(event);
    }

    /// Leaves out what is no request of Linux.
    pub fn keep_requests(&mut self) {
        self.places.retain(|place, _| place.kind != WINDOWS);
    }

    /// Leaves out requests that nobody ever knew.
    pub fn keep_known(&mut self) {
        for asked in self.places.values_mut() {
            asked.requests.retain(|_, group| !group.never_known());
        }
        self.places.retain(|_, asked| !asked.requests.is_empty());
    }

    /// Every request of every device, in their order.
    pub fn groups(&self) -> impl Iterator<Item = (&Place, u32, &Group)> {
        self.places
            .iter()
            .flat_map(|(place, asked)| asked.requests.iter().map(move |(n, group)| (place, *n, group)))
    }

    /// Calls, and those that failed.
    #[must_use]
    pub fn calls(&self) -> (u64, u64) {
        self.groups().fold((0, 0), |(calls, failed), (_, _, g)| (calls + g.calls, failed + g.failed()))
    }
}

/// The path of what has a place in a directory.
fn path_of(file: &File) -> Option<String> {
    file.target.starts_with(b"/").then(|| escaped(&file.target))
}

/// An output that counts. What it counts in is shared with whoever reads it at the end.
#[derive(Clone, Debug, Default)]
pub struct TallySink(Arc<Mutex<Tally>>);

impl TallySink {
    /// Adds to what was counted before.
    #[must_use]
    pub fn into(tally: Tally) -> Self {
        Self(Arc::new(Mutex::new(tally)))
    }

    /// What was counted, which leaves nothing.
    #[must_use]
    pub fn take(&self) -> Tally {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for TallySink {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(event, decoder);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
