//! The running kernel as a source: loads the BPF object, attaches it, and reads its ring buffer and maps.

use std::{collections::HashMap as StdHashMap, fs::File, io, os::fd::AsFd, path::Path, time::Duration};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, CgroupArray, HashMap, MapData, PerCpuArray, PerCpuHashMap, RingBuf},
    programs::{Program, RawTracePoint, TracePoint},
};
use ioctl_registry::Registry;
use ioctl_trace_ebpf::{
    COMM_LEN, Choice, ChoiceKey, Config, ControlBegun, ControlKey, Counters, InFlight, Node, Plan, PlanKey,
    ROOMS_PER_CPU, Step, SummaryKey, SummaryValue, in_flight_flags,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    Accounts, Batch, ControlCall, InFlightCall, Source, cast, offsets,
    setup::{Requests, Setup, Wanted},
    wine,
};
use crate::{plan::Plans, raw::Shared};

/// The BPF object that `build.rs` made.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ioctl-trace-bpf"));

/// Handles of Windows programs whose names are known at a time.
const MAX_HANDLES: u32 = 65_536;

/// Why tracing cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Not enough privileges.
    #[error(
        "tracing needs CAP_BPF and CAP_PERFMON: run with sudo, or `setcap cap_bpf,cap_perfmon,cap_dac_read_search,cap_sys_ptrace+ep` the program"
    )]
    Privileges,
    /// Privileges that suffice elsewhere do not here.
    #[error(
        "this kernel lets only root attach (kernel.perf_event_paranoid is {0}, as Debian has it): run with sudo, or `sysctl \
         kernel.perf_event_paranoid=2` as root"
    )]
    Paranoid(i32),
    /// The kernel lets nobody read its memory.
    #[error(
        "the kernel is locked down for confidentiality, where BPF may not read memory: boot with lockdown=integrity, or without"
    )]
    LockedDown,
    /// There is no tracefs and none could be mounted.
    #[error(
        "tracefs is not mounted and cannot be mounted here ({0}): run `mount -t tracefs tracefs /sys/kernel/tracing` as root"
    )]
    Tracefs(io::Error),
    /// The kernel has no system call tracepoints.
    #[error("this kernel has no tracepoint syscalls:sys_enter_ioctl (built without CONFIG_FTRACE_SYSCALLS)")]
    NoTracepoint,
    /// There are no probes for this machine's calling convention.
    #[error("--windows: control codes of Windows programs are seen on x86-64 only")]
    NoWindows,
    /// Structure offsets are unknown.
    #[error(transparent)]
    Offsets(#[from] offsets::OffsetError),
    /// A cgroup is not usable.
    #[error("cgroup {path}: {reason}")]
    Cgroup {
        /// As the user wrote it.
        path: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The kernel refused something else.
    #[error("{what}: {source}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// What came back.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The attached kernel side. Dropping it detaches everything.
pub struct Live {
    ebpf: Ebpf,
    compat_attached: bool,
    /// Plans for 32-bit programs are added to these when there is such a program.
    plans: Option<Plans<'static>>,
    /// Entries of the maps that are filled.
    filled: [usize; 4],
    /// The Wines that are watched.
    pub(super) wine: wine::Attached,
}

/// The kernel side's log; it is empty unless diagnostics were asked for.
pub type KernelLog = aya_log::EbpfLogger<&'static dyn log::Log>;

/// Whether 32-bit programs need programs of their own, since the kernel leaves their calls out of the tracepoints
/// (`ARCH_TRACE_IGNORE_COMPAT_SYSCALLS`); elsewhere they fire the same ones.
const COMPAT: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Where the tracepoints are described; the second is where older systems mount it.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
const TRACEPOINT_ID: &str = "events/syscalls/sys_enter_ioctl/id";

impl Live {
    /// Loads the BPF object and fills its maps; nothing is attached yet.
    ///
    /// # Errors
    /// Every way in which this kernel, or our privileges, do not suffice.
    pub fn load(setup: &Setup, registry: &'static Registry) -> Result<Self, LiveError> {
        if !crate::process::may_trace() {
            return Err(LiveError::Privileges);
        }
        if crate::process::locked_down() {
            return Err(LiveError::LockedDown);
        }
        // Two of them read the kernel's whole type information, which takes a while.
        let (offsets, plans, mut loader) = std::thread::scope(|scope| {
            let offsets = scope.spawn(|| {
                let mut config = Config::ZERO;
                offsets::fill(&mut config, Path::new(offsets::VMLINUX)).map(|cast| (config, cast))
            });
            let plans = scope.spawn(|| {
                setup.copies().then(|| {
                    let mut plans = Plans::new(registry);
                    plans.compile(false);
                    plans
                })
            });
            let loader = EbpfLoader::new();
            (offsets.join(), plans.join(), loader)
        });
        let panicked = |_| kernel("a thread failed", io::Error::other("panic"));
        let ((offsets, cast), plans) = (offsets.map_err(panicked)??, plans.map_err(panicked)?);
        let object = cast::linked(OBJECT, cast).map_err(|e| kernel("the BPF object is damaged", e))?;
        let config = setup.config(offsets);
        let log_level: u8 = if setup.debug { aya_log::Level::Debug as u8 } else { 0 };
        let config = Shared(config);
        let length = |of: fn(&Plans<'_>) -> usize| entries(plans.as_ref().map_or(0, of));
        let ebpf = loader
            .override_global("CONFIG", &config, true)
            .override_global(aya_log::LEVEL, &log_level, false)
            .map_max_entries("EVENTS", setup.buffer_bytes)
            .map_max_entries("WORK", cpus()?)
            .map_max_entries("ROOMS", if setup.windows { cpus()?.saturating_mul(ROOMS_PER_CPU) } else { 1 })
            .map_max_entries("HANDLES", if setup.windows { MAX_HANDLES } else { 1 })
            .map_max_entries("PLANS", length(|plans| plans.plans().len()))
            .map_max_entries("NODES", length(|plans| plans.nodes().len()))
            .map_max_entries("STEPS", length(|plans| plans.steps().len()))
            .map_max_entries("CHOICES", length(|plans| plans.choices().len()))
            .load(&object)
            .map_err(|e| kernel("cannot load the BPF object", e))?;
        let mut live = Self {
            ebpf,
            compat_attached: false,
            plans: None,
            filled: [0; 4],
            wine: wine::Attached::default(),
        };
        live.fill_maps(&setup.wanted)?;
        if let Some(plans) = &plans {
            live.fill_plans(plans)?;
        }
        live.plans = plans;
        Ok(live)
    }

    /// Puts what is new into the maps. Plans come last: what they lead to is there then.
    fn fill_plans(&mut self, plans: &Plans<'_>) -> Result<(), LiveError> {
        let set = |error| kernel("cannot fill a BPF map", error);
        let [nodes, steps, choices, requests] = self.filled;
        let mut map: Array<_, Shared<Node>> = self.map("NODES")?;
        for (place, node) in (0..).zip(plans.nodes()).skip(nodes) {
            map.set(place, Shared(*node), 0).map_err(set)?;
        }
        let mut map: Array<_, Shared<Step>> = self.map("STEPS")?;
        for (place, step) in (0..).zip(plans.steps()).skip(steps) {
            map.set(place, Shared(*step), 0).map_err(set)?;
        }
        let mut map: HashMap<_, Shared<ChoiceKey>, Shared<Choice>> = self.map("CHOICES")?;
        for (key, choice) in plans.choices().iter().skip(choices) {
            map.insert(Shared(*key), Shared(*choice), 0).map_err(set)?;
        }
        let mut map: HashMap<_, Shared<PlanKey>, Shared<Plan>> = self.map("PLANS")?;
        for (key, plan) in plans.plans().iter().skip(requests) {
            map.insert(Shared(*key), Shared(*plan), 0).map_err(set)?;
        }
        self.filled = [plans.nodes().len(), plans.steps().len(), plans.choices().len(), plans.plans().len()];
        Ok(())
    }

    fn fill_maps(&mut self, wanted: &Wanted) -> Result<(), LiveError> {
        let set = |error| kernel("cannot fill a BPF map", error);
        let mut uids: HashMap<_, u32, u32> = self.map("UIDS")?;
        for uid in &wanted.uids {
            uids.insert(uid, 1, 0).map_err(set)?;
        }
        let mut processes: HashMap<_, u32, u32> = self.map("PROCESSES")?;
        for pid in &wanted.processes {
            processes.insert(pid, 1, 0).map_err(set)?;
        }
        let mut comms: HashMap<_, [u8; COMM_LEN], u32> = self.map("COMMS")?;
        for name in &wanted.comms {
            comms.insert(crate::process::comm_bytes(name), 1, 0).map_err(set)?;
        }
        if let Requests::Only(numbers) | Requests::Except(numbers) = &wanted.requests {
            let mut requests: HashMap<_, u32, u32> = self.map("REQUESTS")?;
            for number in numbers {
                requests.insert(number, 1, 0).map_err(set)?;
            }
        }
        let mut cgroups: CgroupArray<_> = self.map("CGROUPS")?;
        for (slot, path) in (0..).zip(&wanted.cgroups) {
            let failed = |reason: String| LiveError::Cgroup { path: path.display().to_string(), reason };
            let directory = File::open(path).map_err(|e| failed(e.to_string()))?;
            cgroups.set(slot, directory, 0).map_err(|_| {
                failed("not a directory of the cgroup v2 hierarchy (usually below /sys/fs/cgroup)".to_owned())
            })?;
        }
        for pid in wanted.pids.iter().flatten() {
            self.add_target(*pid)?;
        }
        Ok(())
    }

    /// Attaches the programs. From here on every wanted call is recorded or counted as lost.
    ///
    /// # Errors
    /// When a tracepoint is missing or attaching is refused.
    pub fn attach(&mut self, follow_processes: bool) -> Result<(), LiveError> {
        self.attach_raw("process_exit", "sched_process_exit")?;
        if follow_processes {
            self.attach_raw("process_fork", "sched_process_fork")?;
        }
        if COMPAT {
            self.attach_raw("process_exec", "sched_process_exec")?;
        }
        // Exit first: a call that is seen to begin must be seen to end.
        for (program, tracepoint) in [("exit_ioctl", "sys_exit_ioctl"), ("enter_ioctl", "sys_enter_ioctl")] {
            let program: &mut TracePoint = self.program(program)?;
            program.load().map_err(|e| kernel("the kernel's verifier refused a program", e))?;
            program.attach("syscalls", tracepoint).map_err(|error| {
                match crate::process::restricted_perf_events() {
                    Some(level) => LiveError::Paranoid(level),
                    None => kernel("cannot attach to a system call tracepoint", error),
                }
            })?;
        }
        Ok(())
    }

    pub(super) fn attach_raw(&mut self, program: &'static str, tracepoint: &str) -> Result<(), LiveError> {
        let program: &mut RawTracePoint = self.program(program)?;
        if program.fd().is_err() {
            program.load().map_err(|e| kernel("the kernel's verifier refused a program", e))?;
        }
        program.attach(tracepoint).map_err(|e| kernel("cannot attach to a raw tracepoint", e))?;
        Ok(())
    }

    /// Loads what watches 32-bit programs, so that [`Live::attach_compat`] is quick.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn prepare_compat(&mut self) -> Result<(), LiveError> {
        if !COMPAT || self.compat_attached {
            return Ok(());
        }
        for name in ["compat_exit", "compat_enter"] {
            let program: &mut RawTracePoint = self.program(name)?;
            program.load().map_err(|e| kernel("the kernel's verifier refused a program", e))?;
        }
        self.compile_compat()
    }

    /// Adds the plans for 32-bit programs, once. It takes as long as the native ones did, which is why they do not wait for it.
    fn compile_compat(&mut self) -> Result<(), LiveError> {
        let Some(mut plans) = self.plans.take() else { return Ok(()) };
        plans.compile(true);
        self.fill_plans(&plans)
    }

    /// Watches 32-bit programs from here on. It makes every system call of the machine a little slower, and is
    /// therefore for when there is such a program to watch.
    ///
    /// # Errors
    /// When attaching is refused.
    pub fn attach_compat(&mut self) -> Result<(), LiveError> {
        if COMPAT && !self.compat_attached {
            self.compile_compat()?;
            self.attach_raw("compat_exit", "sys_exit")?;
            self.attach_raw("compat_enter", "sys_enter")?;
            self.compat_attached = true;
        }
        Ok(())
    }

    /// Detaches the programs; maps and ring buffer stay readable. Entries stop first, so that calls under way still end.
    pub fn detach(&mut self) {
        let names = [
            "enter_ioctl",
            "compat_enter",
            "exit_ioctl",
            "compat_exit",
            "process_fork",
            "process_exec",
            "process_exit",
        ];
        for name in wine::programs().chain(names) {
            // A program that was never loaded has nothing to detach.
            let _ = match self.ebpf.program_mut(name) {
                Some(Program::TracePoint(program)) => program.unload(),
                Some(Program::RawTracePoint(program)) => program.unload(),
                Some(Program::UProbe(program)) => program.unload(),
                _ => Ok(()),
            };
        }
    }

    /// Takes the ring buffer out, for the thread that reads it.
    ///
    /// # Errors
    /// When it cannot be mapped, or has been taken already.
    pub fn take_ring(&mut self) -> Result<Ring, LiveError> {
        let map = self.ebpf.take_map("EVENTS").ok_or_else(|| kernel("ring buffer", missing("EVENTS")))?;
        Ok(Ring(RingBuf::try_from(map).map_err(|e| kernel("cannot map the ring buffer", e))?))
    }

    /// Takes the kernel side's log. `None` if it logs nothing.
    pub fn take_log(&mut self, logger: &'static dyn log::Log) -> Option<KernelLog> {
        aya_log::EbpfLogger::init_with_logger(&mut self.ebpf, logger).ok()
    }

    /// Makes a process wanted.
    ///
    /// # Errors
    /// When the map is full.
    pub fn add_target(&mut self, pid: u32) -> Result<(), LiveError> {
        let mut targets: HashMap<_, u32, u32> = self.map("TARGETS")?;
        targets.insert(pid, 1, 0).map_err(|e| kernel("cannot trace another process", e))
    }

    /// Makes a process not wanted any more.
    pub fn remove_target(&mut self, pid: u32) {
        if let Ok(mut targets) = self.map::<HashMap<_, u32, u32>>("TARGETS") {
            // It may be gone already: the kernel side removes processes that end.
            let _ = targets.remove(&pid);
        }
    }

    /// Processes that are wanted now.
    #[must_use]
    pub fn targets(&mut self) -> Vec<u32> {
        match self.map::<HashMap<_, u32, u32>>("TARGETS") {
            Ok(targets) => targets.keys().filter_map(Result::ok).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// What happened to every call so far.
    ///
    /// # Errors
    /// When the kernel does not let us read the counters.
    pub fn accounts(&mut self) -> Result<Accounts, LiveError> {
        let counters: PerCpuArray<_, Shared<Counters>> = self.map("COUNTERS")?;
        let cpus = counters.get(&0, 0).map_err(|e| kernel("cannot read the counters", e))?;
        let cpus: Vec<Counters> = cpus.iter().map(|c| c.0).collect();
        Ok(Accounts::from_cpus(&cpus))
    }

    /// Calls that are inside the kernel now.
    #[must_use]
    pub fn in_flight(&mut self) -> Vec<InFlightCall> {
        match self.map::<HashMap<_, u32, Shared<InFlight>>>("IN_FLIGHT") {
            Ok(map) => {
                let calls = map.iter().filter_map(Result::ok).map(|(tid, call)| (tid, call.0));
                calls.filter(|(_, call)| call.flags & in_flight_flags::INSIDE != 0).collect()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Control codes that threads carry out now.
    #[must_use]
    pub fn controls(&mut self) -> Vec<ControlCall> {
        match self.map::<HashMap<_, Shared<ControlKey>, Shared<ControlBegun>>>("CONTROLS") {
            Ok(map) => map.iter().filter_map(Result::ok).map(|(key, begun)| (key.0.tid, begun.0)).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Totals per request and device, added up over CPUs.
    ///
    /// # Errors
    /// When the kernel does not let us read the map.
    pub fn summary(&mut self) -> Result<StdHashMap<SummaryKey, SummaryValue>, LiveError> {
        let map: PerCpuHashMap<_, Shared<SummaryKey>, Shared<SummaryValue>> = self.map("SUMMARY")?;
        let mut sums: StdHashMap<SummaryKey, SummaryValue> = StdHashMap::new();
        for item in map.iter() {
            let (key, cpus) = item.map_err(|e| kernel("cannot read the summary", e))?;
            let sum = sums.entry(key.0).or_default();
            for Shared(cpu) in cpus.iter() {
                if cpu.calls == 0 {
                    continue;
                }
                sum.min_ns = if sum.calls == 0 { cpu.min_ns } else { sum.min_ns.min(cpu.min_ns) };
                sum.max_ns = sum.max_ns.max(cpu.max_ns);
                sum.calls += cpu.calls;
                sum.errors += cpu.errors;
                sum.total_ns += cpu.total_ns;
                for (bucket, more) in sum.buckets.iter_mut().zip(cpu.buckets) {
                    *bucket += more;
                }
            }
        }
        Ok(sums)
    }

    fn map<'a, M>(&'a mut self, name: &'static str) -> Result<M, LiveError>
    where
        M: TryFrom<&'a mut aya::maps::Map, Error = aya::maps::MapError>,
    {
        let map = self.ebpf.map_mut(name).ok_or_else(|| kernel("BPF map", missing(name)))?;
        M::try_from(map).map_err(|e| kernel("cannot open a BPF map", e))
    }

    pub(super) fn program<'a, P>(&'a mut self, name: &'static str) -> Result<&'a mut P, LiveError>
    where
        &'a mut P: TryFrom<&'a mut Program, Error = aya::programs::ProgramError>,
    {
        let program = self.ebpf.program_mut(name).ok_or_else(|| kernel("BPF program", missing(name)))?;
        <&mut P>::try_from(program).map_err(|e| kernel("BPF program", e))
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::other(format!("`{name}` is not in the BPF object"))
}

/// An error of the kernel; "not permitted" anywhere in its chain means that privileges are missing.
pub(super) fn kernel(what: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> LiveError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(e) = cause {
        if e.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) == Some(libc::EPERM) {
            return LiveError::Privileges;
        }
        cause = e.source();
    }
    LiveError::Kernel { what, source: Box::new(error) }
}

/// Entries of a map for plans of so many: at least one, and as many again for 32-bit programs.
fn entries(length: usize) -> u32 {
    u32::try_from(length.max(1)).unwrap_or(u32::MAX).saturating_mul(if COMPAT { 2 } else { 1 })
}

/// CPUs that there can ever be.
fn cpus() -> Result<u32, LiveError> {
    let cpus = aya::util::nr_cpus().map_err(|(_, e)| kernel("cannot count the processors", e))?;
    u32::try_from(cpus).map_err(|e| kernel("cannot count the processors", e))
}

/// Makes sure that the tracepoints can be found. `true` if tracefs had to be mounted for that.
///
/// # Errors
/// When there is no tracefs and it cannot be mounted, or the kernel has no system call tracepoints.
pub fn ensure_tracefs() -> Result<bool, LiveError> {
    if tracepoint_exists() {
        return Ok(false);
    }
    let mounted = TRACEFS.iter().any(|root| Path::new(root).join("events").exists());
    if mounted {
        return Err(LiveError::NoTracepoint);
    }
    nix::mount::mount(
        Some("tracefs"),
        TRACEFS[0],
        Some("tracefs"),
        nix::mount::MsFlags::MS_NOSUID | nix::mount::MsFlags::MS_NODEV | nix::mount::MsFlags::MS_NOEXEC,
        None::<&str>,
    )
    .map_err(|e| LiveError::Tracefs(e.into()))?;
    if tracepoint_exists() { Ok(true) } else { Err(LiveError::NoTracepoint) }
}

fn tracepoint_exists() -> bool {
    TRACEFS.iter().any(|root| Path::new(root).join(TRACEPOINT_ID).exists())
}

/// The ring buffer, on the side of the thread that drains it.
pub struct Ring(RingBuf<MapData>);

impl Source for Ring {
    fn read(&mut self, batch: &mut Batch, timeout: Duration) -> bool {
        if self.drain(batch) {
            return true;
        }
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        // Being interrupted is as good as a timeout: the ring is looked at again in any case.
        let _ = poll(&mut fds, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO));
        self.drain(batch);
        true
    }
}

impl Ring {
    fn drain(&mut self, batch: &mut Batch) -> bool {
        let mut any = false;
        while !batch.is_full() {
            let Some(record) = self.0.next() else { break };
            batch.push(&record);
            any = true;
        }
        any
    }
}
