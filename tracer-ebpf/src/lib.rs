//! What the kernel side and the user side of `ioctl-trace` agree on: records, read-only settings, counters.
//!
//! Every type is `repr(C)`, has no padding that could carry uninitialised bytes, and asserts its size, because one side
//! is compiled for BPF and the other for the host. Programs and maps are in the binary of this package.
#![no_std]

mod config;
mod plan;
mod record;
mod summary;

pub use config::{Config, RequestMode};
pub use plan::{
    Choice, ChoiceKey, MAX_CAPTURE, MAX_SEGMENTS, NO_NODE, Node, PLAN_IN, PLAN_OUT, Plan, PlanKey,
    SegmentHeader, SegmentKind, Step, StepKind, segment_flags,
};
pub use record::{
    CallRecord, ControlBegun, ControlFunction, ControlKey, ControlPart, DataRecord, FILESYSTEM_BYTES,
    FileIdentity, FileMark, FileRecord, FileStatus, InFlight, KnownFile, MODULE_BYTES, NAME_BYTES,
    NameRecord, PATH_BYTES, ProcessRecord, ROOMS_PER_CPU, RecordHeader, RecordKind, call_flags,
    control_flags, file_flags, in_flight_flags, process_flags,
};
pub use summary::{BUCKETS, Counters, SummaryKey, SummaryValue, bucket_of, bucket_upper_ns};

/// Number of a helper that does not exist. The user side puts a call of the kernel's function `bpf_rdonly_cast` in the place of
/// each call of it, whose number it finds in the running kernel's BTF, or none at all.
pub const CAST: u32 = 0x7f43_4153;

/// Length of a task's `comm`, its terminating NUL included (`TASK_COMM_LEN`).
pub const COMM_LEN: usize = 16;
