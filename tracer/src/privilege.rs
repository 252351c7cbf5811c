//! What we may do, and what of it is given up. Capabilities are a thread's: each gives up its own.

use std::{collections::HashSet, io};

use caps::{CapSet, Capability};
use nix::sys::prctl::set_no_new_privs;

use crate::fence;

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// To load, to attach and to start the command.
    Start,
    /// To watch over what is attached.
    Watch,
    /// The same, and to put probes into libraries that programs come to use.
    Probe,
    /// To take records out of the kernel's buffer.
    Read,
    /// To decode and to write.
    Write,
    /// To play a recording.
    Replay,
}

use Duty::{Probe, Replay, Start, Watch, Write};

/// Which capability is for what, and for whom.
const NEEDS: [(Capability, &str, &[Duty]); 12] = [
    // 32-bit programs are attached to when there are any.
    (Capability::CAP_BPF, "loading the programs into the kernel", &[Start, Watch, Probe]),
    // The stacks' mappings too.
    (Capability::CAP_PERFMON, "reading calls and their arguments", &[Start, Watch, Probe]),
    (
        Capability::CAP_SYS_ADMIN,
        "mounting tracefs where it is missing, and probes in programs",
        &[Start, Probe],
    ),
    (
        Capability::CAP_SYS_PTRACE,
        "descriptors, mappings and stacks of other users' processes",
        &[Start, Watch, Probe, Write],
    ),
    (
        Capability::CAP_DAC_READ_SEARCH,
        "tracefs, and /proc of other users' processes",
        &[Start, Watch, Probe, Write, Replay],
    ),
    (Capability::CAP_CHECKPOINT_RESTORE, "stacks through files that have been removed", &[Start, Write]),
    (
        Capability::CAP_SYSLOG,
        "names of kernel functions, and drivers' handlers",
        &[Start, Watch, Probe, Write],
    ),
    (
        Capability::CAP_DAC_OVERRIDE,
        "outputs of root in folders of others",
        &[Start, Watch, Probe, Write, Replay],
    ),
    (
        Capability::CAP_SETUID,
        "the command's user, and files under sudo",
        &[Start, Watch, Probe, Write, Replay],
    ),
    (
        Capability::CAP_SETGID,
        "the command's groups, and files under sudo",
        &[Start, Watch, Probe, Write, Replay],
    ),
    (Capability::CAP_CHOWN, "the terminal of a command on the dashboard", &[Start]),
    (Capability::CAP_KILL, "passing a signal on to the command", &[Start, Watch, Probe]),
];

/// Each capability that is of use, what for, and whether this thread has it.
#[must_use]
pub fn held() -> Vec<(String, &'static str, bool)> {
    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    NEEDS.iter().map(|(it, what, _)| (it.to_string(), *what, held.contains(it))).collect()
}

/// Gives up what the calling thread, and those that it starts, do not need for this.
pub fn keep(duty: Duty) {
    // A sandbox may not allow it, and is then what holds us.
    if let Err(error) = try_keep(duty) {
        log::warn!("privileges cannot be given up: {error}");
    }
}

fn try_keep(duty: Duty) -> io::Result<()> {
    let needed: HashSet<_> =
        NEEDS.iter().filter(|(.., duties)| duties.contains(&duty)).map(|(it, ..)| *it).collect();
    for set in [CapSet::Effective, CapSet::Inheritable, CapSet::Permitted] {
        let kept = caps::read(None, set).map_err(io::Error::other)?.intersection(&needed).copied().collect();
        caps::set(None, set, &kept).map_err(io::Error::other)?;
    }
    // The command is started as it would be without us; nothing else is.
    if duty != Start {
        set_no_new_privs()?;
        fence::raise(duty == Duty::Read)?;
    }
    Ok(())
}
