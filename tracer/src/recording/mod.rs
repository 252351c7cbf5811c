//! Recordings: the kernel side's records as they came, with what is needed to read them elsewhere. `docs/format.md` describes
//! the format.

mod frame;
mod known;
mod pack;
mod reader;
mod tap;
mod writer;

use ioctl_registry::{Arch, Registry};
use ioctl_trace_ebpf::{
    CallRecord, ControlBegun, ControlPart, InFlight, RecordHeader, RecordKind, SegmentHeader, SegmentKind,
    call_flags,
};
use serde::{Deserialize, Serialize};

pub use frame::{FrameKind, Header};
pub use reader::{ReadError, Reader};
pub use tap::Tap;
pub use writer::{Rotation, Writer};

use crate::{clock::WallClock, host::Fact, raw, source::Accounts};

/// What is needed to read a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The program that wrote it.
    pub program: String,
    /// Requests that its registry knew. A recording is decoded by the reader's own registry.
    pub registry_requests: usize,
    /// The machine's name.
    pub host: String,
    /// Its kernel.
    pub kernel: String,
    /// The architecture of native calls: records are in its byte order.
    pub arch: String,
    /// Nanoseconds since 1970 at zero of `CLOCK_MONOTONIC`, whose times the records have.
    pub epoch_ns: i64,
    /// The command line of the tracer.
    pub command: Vec<String>,
    /// Which file of a series it is, from 0.
    pub part: u32,
}

/// What a recording came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Calls that the kernel side saw.
    pub seen: u64,
    /// Calls that no filter wanted.
    pub filtered: u64,
    /// Calls that were delivered.
    pub delivered: u64,
    /// Calls that were lost.
    pub lost: u64,
    /// Nanoseconds from attaching to detaching.
    pub elapsed_ns: u64,
}

impl Meta {
    /// Of this machine, now.
    #[must_use]
    pub fn here(registry: &Registry, clock: &WallClock) -> Self {
        let system = nix::sys::utsname::uname().ok();
        let text = |of: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
            system.as_ref().map(|system| of(system).to_string_lossy().into_owned()).unwrap_or_default()
        };
        let (seconds, nanos) = clock.epoch(0);
        Self {
            program: concat!("ioctl-trace ", env!("CARGO_PKG_VERSION")).to_owned(),
            registry_requests: registry.requests().count(),
            host: text(nix::sys::utsname::UtsName::nodename),
            kernel: text(nix::sys::utsname::UtsName::release),
            arch: Arch::native().to_string(),
            epoch_ns: seconds.saturating_mul(1_000_000_000).saturating_add(nanos.into()),
            command: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
            part: 0,
        }
    }

    /// The architecture of native calls, if this program knows it.
    #[must_use]
    pub fn arch(&self) -> Option<Arch> {
        self.arch.parse().ok()
    }
}

impl Closing {
    /// From the accounts of a session.
    #[must_use]
    pub fn of(accounts: &Accounts, elapsed_ns: u64) -> Self {
        Self {
            seen: accounts.total.seen,
            filtered: accounts.total.filtered,
            delivered: accounts.delivered(),
            lost: accounts.lost(),
            elapsed_ns,
        }
    }
}

/// A recording of one frame of records, whose unpacked payload is any bytes: what a fuzzer would hardly find behind
/// checksums.
#[cfg(fuzzing)]
#[must_use]
pub fn around(payload: &[u8]) -> Vec<u8> {
    let meta = serde_json::to_vec(&Meta::here(Registry::builtin(), &WallClock::fixed(0))).unwrap_or_default();
    let mut file = frame::MAGIC.to_vec();
    file.extend(frame::VERSION.to_le_bytes());
    file.extend([0; 4]);
    for (kind, payload) in [(FrameKind::Meta, &meta[..]), (FrameKind::Records, payload)] {
        // What cannot be compressed is left out.
        let _ = frame::write(&mut file, kind, frame::Index::default(), payload);
    }
    file
}

/// Records packed as in a frame.
#[cfg(fuzzing)]
#[must_use]
pub fn packed(records: &[Vec<u8>]) -> Vec<u8> {
    pack::pack(records.iter().map(Vec::as_slice))
}

fn header(kind: RecordKind, time_ns: u64) -> Vec<u8> {
    raw::bytes_of(&RecordHeader { kind: kind as u16, flags: 0, cpu: 0, time_ns })
}

/// An answer of the host, as a record among those of the kernel side: it stands before the one that needs it.
fn fact_record(fact: &Fact) -> Option<Vec<u8>> {
    let mut record = header(RecordKind::Fact, 0);
    serde_json::to_writer(&mut record, fact).ok()?;
    Some(record)
}

/// The record of a control code that a thread had not carried out at this time.
#[must_use]
pub fn running_control(tid: u32, begun: &ControlBegun, now_ns: u64) -> Vec<u8> {
    // Those known when it began fit.
    let flags = u16::try_from(begun.flags).unwrap_or_default() | call_flags::RUNNING;
    let call = CallRecord {
        header: RecordHeader { kind: RecordKind::Call as u16, flags, cpu: 0, time_ns: begun.enter_ns },
        duration_ns: now_ns.saturating_sub(begun.enter_ns),
        arg: begun.part.input,
        fd: u32::MAX,
        request: begun.code,
        tgid: begun.tgid,
        tid,
        ..CallRecord::default()
    };
    let length = u32::try_from(size_of::<ControlPart>()).unwrap_or_default();
    let segment = SegmentHeader {
        wanted: length,
        length,
        kind: SegmentKind::Control as u16,
        ..SegmentHeader::default()
    };
    [raw::bytes_of(&call), raw::bytes_of(&segment), raw::bytes_of(&begun.part)].concat()
}

/// A call that was inside the kernel when tracing ended.
#[must_use]
pub fn running_record(tid: u32, call: &InFlight, now_ns: u64) -> Vec<u8> {
    let mut record = header(RecordKind::Running, now_ns);
    record.extend(u64::from(tid).to_ne_bytes());
    record.extend(raw::bytes_of(call));
    record
}
