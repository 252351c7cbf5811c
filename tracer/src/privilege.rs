//! What we may do, and what of it is given up. Capabilities are a thread's: each gives up its own.

use std::{collections::HashSet, io};

use caps::{CapSet, Capability};
use nix::sys::prctl::set_no_new_privs;

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
const NEEDS: [(Capability, &[Duty]); 12] = [
    // Programs and maps; 32-bit programs are attached to when there are any.
    (Capability::CAP_BPF, &[Start, Watch, Probe]),
    // Programs that read the kernel's memory; the stacks' mappings.
    (Capability::CAP_PERFMON, &[Start, Watch, Probe]),
    // Mounting tracefs where it is missing; probes in programs, for which newer kernels want it.
    (Capability::CAP_SYS_ADMIN, &[Start, Probe]),
    // Descriptors, mappings and cgroups of other users' processes.
    (Capability::CAP_SYS_PTRACE, &[Start, Watch, Probe, Write]),
    (Capability::CAP_DAC_READ_SEARCH, &[Start, Watch, Probe, Write, Replay]),
    // Files of stacks that have been removed.
    (Capability::CAP_CHECKPOINT_RESTORE, &[Start, Write]),
    // The addresses of the kernel's symbols.
    (Capability::CAP_SYSLOG, &[Start, Watch, Probe, Write]),
    // Outputs in folders of others, where root itself asks for it.
    (Capability::CAP_DAC_OVERRIDE, &[Start, Watch, Probe, Write, Replay]),
    // The command's user, and the rights with which files are written under sudo.
    (Capability::CAP_SETUID, &[Start, Watch, Probe, Write, Replay]),
    (Capability::CAP_SETGID, &[Start, Watch, Probe, Write, Replay]),
    // The command's terminal.
    (Capability::CAP_CHOWN, &[Start]),
    // Passing a signal on to the command.
    (Capability::CAP_KILL, &[Start, Watch, Probe]),
];

/// Gives up what the calling thread, and those that it starts, do not need for this.
pub fn keep(duty: Duty) {
    // A sandbox may not allow it, and is then what holds us.
    if let Err(error) = try_keep(duty) {
        log::warn!("privileges cannot be given up: {error}");
    }
}

fn try_keep(duty: Duty) -> io::Result<()> {
    let needed: HashSet<_> =
        NEEDS.iter().filter(|(_, duties)| duties.contains(&duty)).map(|(it, _)| *it).collect();
    for set in [CapSet::Effective, CapSet::Inheritable, CapSet::Permitted] {
        let kept = caps::read(None, set).map_err(io::Error::other)?.intersection(&needed).copied().collect();
        caps::set(None, set, &kept).map_err(io::Error::other)?;
    }
    // The command is started as it would be without us; nothing else is.
    if duty != Start {
        set_no_new_privs()?;
    }
    Ok(())
}
