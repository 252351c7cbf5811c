//! The command `doctor`: what this machine has of what tracing needs, and what to do about the rest.

use std::{fs, io::Write, path::Path};

use aya::{programs::ProgramType, sys::BpfHelper};
use ioctl_registry::Registry;

use super::{explained, run::Failure};
use crate::{
    escape::visible,
    privilege, process,
    session::SessionError,
    source::{
        live::{Live, LiveError, ensure_tracefs},
        offsets::VMLINUX,
        setup::{Setup, Wanted},
        wine,
    },
    symbols::Symbols,
};

/// What `doctor --help` says below its options.
pub const HELP: &str = "\
Each line begins with what it means: `ok`; `-` for what this kernel does not have, and what it is like without; `!!` for what
keeps tracing from working, and what to do. The exit code is 1 if there is any of these. Tracefs is mounted where it is missing;
nothing else is changed: a remedy that takes something from the machine's safety is yours to choose.";

/// What came of looking at one thing.
enum Finding {
    /// It is as it should be.
    Good(String),
    /// Tracing works without it, with less: what, and what to do.
    Less(String),
    /// Tracing does not work without it: what, and what to do.
    Bad(String),
}

/// Looks at everything, and says so.
///
/// # Errors
/// When nothing can be printed.
pub fn run(registry: &'static Registry, out: &mut dyn Write) -> Result<u8, Failure> {
    let mut findings = vec![kernel()];
    findings.extend(privileges());
    findings.extend([container(), lockdown(), types()]);
    // Without privileges the rest would only say so again.
    if process::may_trace() {
        findings.extend([tracepoints(), attaching(registry), windows(registry), loops()]);
    }
    findings.extend([programs_of_32_bits(), symbols(), cgroups()]);
    let mut code = 0;
    for finding in findings {
        let (mark, text) = match finding {
            Finding::Good(text) => ("ok", text),
            Finding::Less(text) => ("-", text),
            Finding::Bad(text) => {
                code = 1;
                ("!!", text)
            }
        };
        writeln!(out, "{mark:2}  {}", visible(&text))?;
    }
    Ok(code)
}

/// The oldest kernel that has all that cannot be done without, and the oldest on which it is tried.
const OLDEST: (u32, u32) = (5, 11);
const TRIED: (u32, u32) = (6, 1);

fn kernel() -> Finding {
    let release = read("/proc/sys/kernel/osrelease");
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse().ok());
    let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let named = format!("Linux {release}");
    if version < OLDEST {
        let (major, minor) = OLDEST;
        Finding::Bad(format!("{named}: tracing needs {major}.{minor} or newer (bpf_get_current_task_btf)"))
    } else if version < TRIED {
        Finding::Less(format!("{named}: older than {}.{}, on which this is not tried", TRIED.0, TRIED.1))
    } else {
        Finding::Good(named)
    }
}

/// Those that tracing needs in one line, and each of the others in one of its own.
fn privileges() -> Vec<Finding> {
    let mut findings = vec![if process::may_trace() {
        Finding::Good("CAP_BPF and CAP_PERFMON: tracing".to_owned())
    } else {
        Finding::Bad(explained(&LiveError::Privileges))
    }];
    let others = privilege::held().into_iter().filter(|(name, ..)| !TO_TRACE.contains(&name.as_str()));
    findings.extend(others.map(|(name, what, held)| {
        if held {
            Finding::Good(format!("{name}: {what}"))
        } else {
            Finding::Less(format!("{name}, which is for {what}: not held; run with sudo if you need it"))
        }
    }));
    findings
}

/// The capabilities that nothing can be traced without.
const TO_TRACE: [&str; 2] = ["CAP_BPF", "CAP_PERFMON"];

fn container() -> Finding {
    if process::in_own_pid_namespace() {
        return Finding::Bad(explained(&SessionError::Container));
    }
    Finding::Good("process numbers are those of the machine".to_owned())
}

fn lockdown() -> Finding {
    if process::locked_down() {
        return Finding::Bad(explained(&LiveError::LockedDown));
    }
    Finding::Good("the kernel lets BPF read memory (no lockdown for confidentiality)".to_owned())
}

fn types() -> Finding {
    if Path::new(VMLINUX).exists() {
        return Finding::Good(format!("the kernel describes its types ({VMLINUX})"));
    }
    Finding::Bad(format!("{VMLINUX} is missing: boot a kernel that was built with CONFIG_DEBUG_INFO_BTF"))
}

fn tracepoints() -> Finding {
    match ensure_tracefs() {
        Ok(mounted) => Finding::Good(format!(
            "tracepoints of system calls (syscalls:sys_enter_ioctl){}",
            if mounted { "; tracefs was not mounted, and is now on /sys/kernel/tracing" } else { "" }
        )),
        Err(error) => Finding::Bad(explained(&error)),
    }
}

/// Does all of it, for calls of no process.
fn attaching(registry: &'static Registry) -> Finding {
    let attached = Live::load(&of_nobody(false), registry).and_then(|mut live| {
        live.attach(true)?;
        live.attach_compat()
    });
    match attached {
        Ok(()) => {
            Finding::Good("the kernel's verifier takes the programs, and they can be attached".to_owned())
        }
        Err(error) => Finding::Bad(format!("the programs cannot be attached: {}", explained(&error))),
    }
}

/// Calls of no process.
fn of_nobody(windows: bool) -> Setup {
    Setup {
        wanted: Wanted { pids: Some(Vec::new()), ..Wanted::default() },
        summary_only: false,
        max_bytes: 4_096,
        user_stack: false,
        kernel_stack: false,
        buffer_bytes: 64 << 10,
        windows,
        debug: false,
    }
}

fn windows(registry: &'static Registry) -> Finding {
    if !wine::SUPPORTED {
        return Finding::Less(
            "control codes of Windows programs (--windows) are seen on x86-64 only".to_owned(),
        );
    }
    let attached = Live::load(&of_nobody(true), registry).and_then(|mut live| {
        live.attach_windows()?;
        Ok(live.wines())
    });
    match attached {
        Ok(0) => Finding::Good(format!(
            "control codes of Windows programs (--windows), but no Wine was found: {}",
            wine::REMEDY
        )),
        Ok(_) => Finding::Good("control codes of Windows programs under Wine (--windows)".to_owned()),
        Err(error) => Finding::Less(format!(
            "control codes of Windows programs (--windows) cannot be seen: {}",
            explained(&error)
        )),
    }
}

fn loops() -> Finding {
    if aya::sys::is_helper_supported(ProgramType::TracePoint, BpfHelper::BPF_FUNC_loop).unwrap_or(false) {
        return Finding::Good(
            "loops in BPF (bpf_loop): arrays in arguments are followed as far as they go".to_owned(),
        );
    }
    Finding::Less(
        "no bpf_loop, which Linux 5.17 has: of arrays in arguments only the first elements are followed"
            .to_owned(),
    )
}

fn programs_of_32_bits() -> Finding {
    // The function that their calls come to, and the option that it is built with.
    let known = match std::env::consts::ARCH {
        "x86_64" => Some(("__ia32_compat_sys_ioctl", "CONFIG_IA32_EMULATION")),
        "aarch64" => Some(("__arm64_compat_sys_ioctl", "CONFIG_COMPAT")),
        _ => None,
    };
    let Some((function, option)) = known else {
        return Finding::Good("calls of 32-bit programs: by the same tracepoints".to_owned());
    };
    let symbols = read("/proc/kallsyms");
    if symbols.is_empty() || symbols.contains(function) {
        Finding::Good(
            "32-bit programs: seen (raw tracepoint sys_enter, attached while there is one)".to_owned(),
        )
    } else {
        Finding::Less(format!("32-bit programs: this kernel runs none ({option})"))
    }
}

fn symbols() -> Finding {
    if Symbols::readable() {
        return Finding::Good("the kernel's symbols can be read: handlers of devices have names".to_owned());
    }
    Finding::Less(
        "the kernel's symbols are hidden, so that handlers have no names and shared numbers may keep several: run as root, or \
         with CAP_SYSLOG, and `sysctl kernel.kptr_restrict=1`"
            .to_owned(),
    )
}

fn cgroups() -> Finding {
    match process::cgroup_mount() {
        Some(path) => Finding::Good(format!("cgroups (version 2) at {path}")),
        None => Finding::Less(
            "cgroup v2 is not mounted, so that calls have none and --cgroup selects nothing: `mount -t cgroup2 none \
             /sys/fs/cgroup`"
                .to_owned(),
        ),
    }
}

fn read(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()).unwrap_or_default()
}
