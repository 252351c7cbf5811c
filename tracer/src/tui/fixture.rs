//! Calls for tests.

use std::sync::Arc;

use ioctl_registry::{Arch, DeviceKind, Registry};
use ioctl_trace_ebpf::COMM_LEN;

use crate::{
    decode::{Decoder, Detail},
    event::{Call, Comm, Data, Device, Event, File, Outcome, Target},
    host::RecordedHost,
    memory::Image,
    wire::Segment,
};

pub(crate) const TCGETS: u32 = 0x5401;
pub(crate) const TIOCGWINSZ: u32 = 0x5413;
pub(crate) const FIONREAD: u32 = 0x541b;

/// A call being made up: on a terminal, without error, unless said otherwise.
#[derive(Clone)]
pub(crate) struct Made(Call);

/// A call that begins at this time.
pub(crate) fn call(start_ns: u64) -> Made {
    let file = File {
        kind: DeviceKind::Char,
        numbers: Some((136, 3)),
        target: b"/dev/pts/3".to_vec(),
        ..File::default()
    };
    Made(Call {
        start_ns,
        duration_ns: 1_500,
        pid: 4711,
        tid: 4711,
        uid: 0,
        cgroup: 0,
        comm: comm("stty"),
        fd: 0,
        request: TCGETS,
        arg: 0,
        compat: false,
        arch: Arch::X86_64,
        outcome: Outcome::Returned(0),
        target: Target::File(Arc::new(file)),
        data: Data::default(),
        control: None,
        parent_ns: None,
    })
}

fn comm(name: &str) -> Comm {
    let mut bytes = [0; COMM_LEN];
    bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    Comm::new(bytes)
}

impl Made {
    pub(crate) fn request(mut self, number: u32) -> Self {
        self.0.request = number;
        self
    }

    pub(crate) fn took(mut self, ns: u64) -> Self {
        self.0.duration_ns = ns;
        self
    }

    pub(crate) fn outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    pub(crate) fn fails(self, errno: i64) -> Self {
        self.outcome(Outcome::Returned(-errno))
    }

    pub(crate) fn task(mut self, name: &str, pid: u32, tid: u32) -> Self {
        self.0.comm = comm(name);
        (self.0.pid, self.0.tid) = (pid, tid);
        self
    }

    pub(crate) fn compat(mut self, compat: bool) -> Self {
        self.0.compat = compat;
        self
    }

    pub(crate) fn not_open(mut self) -> Self {
        self.0.target = Target::NotOpen;
        self
    }

    /// What came back, for an argument at an address.
    pub(crate) fn returned(mut self, arg: u64, output: Image) -> Self {
        self.0.arg = arg;
        self.0.data.output = output;
        self
    }

    /// What was handed over.
    pub(crate) fn given(mut self, arg: u64, input: Image) -> Self {
        self.0.arg = arg;
        self.0.data.input = input;
        self
    }

    pub(crate) fn file(mut self, fd: i32, kind: DeviceKind, path: &str) -> Self {
        let file = File { kind, target: path.as_bytes().to_vec(), ..File::default() };
        self.0.fd = fd;
        self.0.target = Target::File(Arc::new(file));
        self
    }

    /// The call as the decoder hands it on.
    pub(crate) fn event(self) -> Event {
        let mut hint = ioctl_registry::Device::default();
        if let Some(file) = self.0.target.file() {
            let (major, minor) = file.numbers.unwrap_or_default();
            hint = ioctl_registry::Device { kind: file.kind, major, minor, ..hint };
            let driver = file.numbers.map(|_| "pts".into());
            let device = Device { kind: file.kind, numbers: file.numbers, driver, ..Device::default() };
            // The file is new, so nothing is known of its device.
            let _ = file.device.set(device);
        }
        let request = Registry::builtin().lookup(self.0.request, self.0.arch(), &hint);
        Event { call: self.0, request }
    }
}

/// A decoder that knows nothing of any machine.
pub(crate) fn decoder() -> Decoder {
    Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(RecordedHost::default()))
}

/// Memory with bytes at an address.
pub(crate) fn image(address: u64, bytes: &[u8]) -> Image {
    let (kind, flags) = (ioctl_trace_ebpf::SegmentKind::Memory, 0);
    Image::new(std::iter::once(Segment { address, wanted: bytes.len() as u32, kind, flags, bytes }))
}
