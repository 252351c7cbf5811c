//! What is asked of the kernel side: which calls, and how much of each.

use std::{
    collections::{BTreeSet, HashSet},
    path::PathBuf,
};

use ioctl_trace_ebpf::{Config, MAX_CAPTURE, RequestMode};

/// At most this many cgroups: slots of the kernel side's map.
pub const MAX_CGROUPS: usize = 16;
/// At most this many names, users, processes and requests: room in the kernel side's maps.
pub const MAX_COMMS: usize = 64;
/// See [`MAX_COMMS`].
pub const MAX_UIDS: usize = 64;
/// See [`MAX_COMMS`].
pub const MAX_PROCESSES: usize = 1_024;
/// See [`MAX_COMMS`].
pub const MAX_REQUESTS: usize = 16_384;

/// Which calls the kernel side records. Kinds of filter that are set must all agree on a call.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only these processes and, if `follow` says so, their children; `None` for every process.
    pub pids: Option<Vec<u32>>,
    /// Child processes of the calling thread are wanted as soon as they exist (only with `pids`).
    pub own_children: bool,
    /// Children of wanted processes are wanted.
    pub follow: bool,
    /// Only calls of these processes themselves, whichever are followed; empty for any.
    pub processes: Vec<u32>,
    /// Only threads of these names, or of processes of these names; empty for any.
    pub comms: Vec<String>,
    /// Only these real user ids; empty for any.
    pub uids: Vec<u32>,
    /// Only tasks below these directories of the cgroup v2 hierarchy; empty for any.
    pub cgroups: Vec<PathBuf>,
    /// Which requests.
    pub requests: Requests,
}

/// A filter on request numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Requests {
    /// All of them.
    #[default]
    Any,
    /// Only these.
    Only(Vec<u32>),
    /// All but these.
    Except(Vec<u32>),
}

impl Requests {
    /// The requests that both want.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, other) | (other, Self::Any) => other,
            (Self::Only(mut left), Self::Only(right)) => {
                let right: HashSet<u32> = right.into_iter().collect();
                left.retain(|number| right.contains(number));
                Self::Only(left)
            }
            (Self::Only(mut wanted), Self::Except(dropped))
            | (Self::Except(dropped), Self::Only(mut wanted)) => {
                let dropped: HashSet<u32> = dropped.into_iter().collect();
                wanted.retain(|number| !dropped.contains(number));
                Self::Only(wanted)
            }
            (Self::Except(left), Self::Except(right)) => Self::Except(joined(left, right)),
        }
    }

    /// The requests that any of the two wants.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Only(left), Self::Only(right)) => Self::Only(joined(left, right)),
            (Self::Only(wanted), Self::Except(mut dropped))
            | (Self::Except(mut dropped), Self::Only(wanted)) => {
                let wanted: HashSet<u32> = wanted.into_iter().collect();
                dropped.retain(|number| !wanted.contains(number));
                Self::except(dropped)
            }
            (Self::Except(mut left), Self::Except(right)) => {
                let right: HashSet<u32> = right.into_iter().collect();
                left.retain(|number| right.contains(number));
                Self::except(left)
            }
        }
    }

    /// How many numbers it lists.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::Only(numbers) | Self::Except(numbers) => numbers.len(),
        }
    }

    /// Whether it lists none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a number is wanted.
    #[must_use]
    pub fn wants(&self, number: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Only(numbers) => numbers.contains(&number),
            Self::Except(numbers) => !numbers.contains(&number),
        }
    }

    fn except(numbers: Vec<u32>) -> Self {
        if numbers.is_empty() { Self::Any } else { Self::Except(numbers) }
    }
}

/// The numbers of both lists, each once.
fn joined(left: Vec<u32>, right: Vec<u32>) -> Vec<u32> {
    let all: BTreeSet<u32> = left.into_iter().chain(right).collect();
    all.into_iter().collect()
}

/// How the kernel side is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What to record.
    pub wanted: Wanted,
    /// Count calls in the kernel and send none.
    pub summary_only: bool,
    /// Bytes of memory that are copied of each call's input, and of its output, at most; 0 copies none.
    pub max_bytes: u32,
    /// Copy the program's stack with each call.
    pub user_stack: bool,
    /// Copy the kernel's stack with each call.
    pub kernel_stack: bool,
    /// Size of the ring buffer in bytes: a power of two, at least a page.
    pub buffer_bytes: u32,
    /// Watch the control codes of Windows programs, too.
    pub windows: bool,
    /// Let the kernel side log its diagnostics.
    pub debug: bool,
}

impl Setup {
    /// Whether memory of the traced programs is copied.
    pub(super) const fn copies(&self) -> bool {
        !self.summary_only && self.max_bytes > 0
    }

    /// The settings, beside the offsets.
    pub(super) fn config(&self, offsets: Config) -> Config {
        let wanted = &self.wanted;
        Config {
            own_tgid: std::process::id(),
            spawner_tid: if wanted.own_children { nix::unistd::gettid().as_raw().cast_unsigned() } else { 0 },
            by_pid: u32::from(wanted.pids.is_some()),
            follow: u32::from(wanted.follow),
            by_process: u32::from(!wanted.processes.is_empty()),
            by_comm: u32::from(!wanted.comms.is_empty()),
            by_uid: u32::from(!wanted.uids.is_empty()),
            cgroups: u32::try_from(wanted.cgroups.len().min(MAX_CGROUPS)).unwrap_or(0),
            request_mode: match wanted.requests {
                Requests::Any => RequestMode::Any,
                Requests::Only(_) => RequestMode::Only,
                Requests::Except(_) => RequestMode::Except,
            } as u32,
            summary_only: u32::from(self.summary_only),
            max_bytes: self.max_bytes.min(MAX_CAPTURE),
            has_loop: u32::from(has_loop()),
            user_stack: u32::from(self.user_stack),
            kernel_stack: u32::from(self.kernel_stack),
            windows: u32::from(self.windows),
            // A process may end soon after its call, and with it what tells the names of the addresses in a stack.
            watermark: if self.user_stack { 0 } else { self.buffer_bytes / 4 },
            ..offsets
        }
    }
}

/// Whether the kernel can run a loop that its verifier goes through only once.
fn has_loop() -> bool {
    let helper = aya::sys::BpfHelper::BPF_FUNC_loop;
    aya::sys::is_helper_supported(aya::programs::ProgramType::TracePoint, helper).unwrap_or(false)
}
