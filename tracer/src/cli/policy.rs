//! The command `policy`: recordings into allow-lists.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::ValueEnum;
use ioctl_registry::Registry;

use super::{
    recorded::{self, Chosen},
    run::Failure,
};
use crate::{
    policy::{self, Seccomp, Selinux},
    tally::Tally,
};

/// Examples and what the formats need.
pub const HELP: &str = "\
Examples:
  ioctl-trace record -o run.iotrace -- ./app              first, all that the program can do
  ioctl-trace policy --format seccomp run.iotrace         one rule a request
  ioctl-trace policy --format selinux --domain app_t *.iotrace
  ioctl-trace policy --format json -e '!TCGETS' run.iotrace | jq .[].requests[].name

seccomp   The `syscalls` of a profile: put them into yours, and take `ioctl` out of its other
          rules: Docker's default profile allows it whatever the request.
          A filter sees no device: a request is allowed on all of them.
          Docker and Podman know `comment`, the OCI specification does not: --no-comments.
          musl extends the sign of numbers above 0x7fffffff: for its programs add --masked.
selinux   `allow` and `allowxperm` rules with the low 16 bits of the numbers. Types are placeholders:
          domains are named after threads, types after drivers and filesystems; sockets, pipes and
          anonymous inodes are `self`. Sockets have every class of their family: narrow them.
          A few requests are checked as another permission, which the rules say.
json      A list of devices, each with its requests, their counts, errors and programs.

What a program did not do while it was recorded is not in the list.";

/// A kind of allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Rules of a seccomp profile, for runc, Docker, Podman
    Seccomp,
    /// Rules of an SELinux policy
    Selinux,
    /// A list of devices and requests
    Json,
}

/// Options of `policy`.
#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    /// Recordings; several are added up
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// What to make of them
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Kind,

    /// Leave out requests that did nothing but fail with ENOTTY or EBADF: nobody there knows them
    #[arg(long)]
    pub succeeded: bool,

    /// json: tell devices of one driver apart
    #[arg(long)]
    pub by_device: bool,

    /// seccomp: leave out comments
    #[arg(long)]
    pub no_comments: bool,

    /// seccomp: compare the low 32 bits alone, as the kernel does
    #[arg(long)]
    pub masked: bool,

    /// selinux: the domain of all programs, instead of one for each name of a thread
    #[arg(long, value_name = "TYPE", value_parser = parse_type)]
    pub domain: Option<String>,

    /// selinux: the type of all devices and files, instead of one for each driver and filesystem
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    pub device_type: Option<String>,

    #[command(flatten)]
    pub chosen: Chosen,
}

/// A name as SELinux has them.
fn parse_type(text: &str) -> Result<String, String> {
    let sound = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if sound {
        Ok(text.to_owned())
    } else {
        Err("a type has letters, digits and `_`, a letter first".to_owned())
    }
}

/// An option that belongs to another format.
fn misplaced(args: &PolicyArgs) -> Option<&'static str> {
    let given = [
        (args.by_device, Kind::Json, "--by-device"),
        (args.no_comments, Kind::Seccomp, "--no-comments"),
        (args.masked, Kind::Seccomp, "--masked"),
        (args.domain.is_some(), Kind::Selinux, "--domain"),
        (args.device_type.is_some(), Kind::Selinux, "--type"),
    ];
    given.into_iter().find_map(|(given, kind, option)| (given && kind != args.format).then_some(option))
}

/// Prints the allow-list of some recordings.
///
/// # Errors
/// What is wrong with the options or a file, or why nothing can be printed.
pub fn run(args: &PolicyArgs, registry: &'static Registry) -> Result<u8, Failure> {
    if let Some(option) = misplaced(args) {
        return Err(Failure::Usage(format!("`{option}` is about another --format")));
    }
    let tally = Tally::new(args.by_device);
    let meaning = "the list may lack requests";
    let mut tally = recorded::all(tally, &args.files, &args.chosen, registry, meaning)?;
    // No system call carries control codes.
    tally.keep_requests();
    if args.succeeded {
        tally.keep_known();
    }
    if tally.places.is_empty() {
        super::say("no calls: the list is empty");
    }
    let text = match args.format {
        Kind::Seccomp => {
            let style = Seccomp { no_comments: args.no_comments, masked: args.masked };
            policy::seccomp(&tally, style)? + "\n"
        }
        Kind::Selinux => {
            let names = Selinux { domain: args.domain.clone(), device_type: args.device_type.clone() };
            policy::selinux(&tally, &names)
        }
        Kind::Json => policy::json(&tally)? + "\n",
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
    Ok(0)
}
