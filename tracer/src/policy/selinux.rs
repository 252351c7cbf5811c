//! Allow-lists as SELinux rules: `allow` and `allowxperm` per program, device and class. Types are placeholders.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use crate::tally::{Group, Place, Tally};

/// Paths of a device that are named.
const SHOWN_PATHS: usize = 4;

/// How rules are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selinux {
    /// The domain of all programs; without it, each has one that is named after it.
    pub domain: Option<String>,
    /// The type of all devices and files; without it, each has one that is named after its driver.
    pub device_type: Option<String>,
}

/// What the kernel checks for a request. From `selinux_file_ioctl` in `security/selinux/hooks.c`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// `ioctl`, and the low 16 bits of the number.
    Ioctl,
    /// Another permission on the file.
    Permission(&'static str),
    /// A capability of the program.
    Capability(&'static str),
    /// Nothing.
    Nothing,
}

impl Check {
    /// By the numbers of the architectures that share the generic ones, and those of their 32-bit programs.
    const fn of(number: u32) -> Self {
        match number {
            // FIBMAP, FIGETBSZ, FIONREAD, FS_IOC_GETFLAGS, FS_IOC_GETVERSION and both of 32 bits
            0x1 | 0x2 | 0x541b | 0x8008_6601 | 0x8008_7601 | 0x8004_6601 | 0x8004_7601 => {
                Self::Permission("getattr")
            }
            // FS_IOC_SETFLAGS, FS_IOC_SETVERSION and both of 32 bits
            0x4008_6602 | 0x4008_7602 | 0x4004_6602 | 0x4004_7602 => Self::Permission("setattr"),
            // FIONBIO, FIOASYNC
            0x5421 | 0x5452 => Self::Nothing,
            // KDSKBENT, KDSKBSENT
            0x4b47 | 0x4b49 => Self::Capability("sys_tty_config"),
            _ => Self::Ioctl,
        }
    }
}

/// The rules for one domain, type and class.
#[derive(Default)]
struct Rules {
    /// Devices, with some of their paths.
    places: BTreeSet<String>,
    permissions: BTreeSet<&'static str>,
    capabilities: BTreeSet<&'static str>,
    numbers: BTreeSet<u16>,
    /// By number, then by name: several numbers share the low 16 bits.
    comments: BTreeMap<(u32, String), (u64, Option<&'static str>)>,
}

/// The rules that allow the requests of a tally. Calls on descriptors that were not open, or whose file is not known, have no
/// target and are left out.
#[must_use]
pub fn selinux(tally: &Tally, names: &Selinux) -> String {
    let mut all: BTreeMap<(String, String, &str), Rules> = BTreeMap::new();
    let mut left_out = 0;
    for (place, number, group) in tally.groups() {
        let Some((target, class)) = target(place, names) else {
            left_out += group.calls;
            continue;
        };
        for (domain, calls) in domains(group, names) {
            let rules = all.entry((domain, target.clone(), class)).or_default();
            rules.places.insert(with_paths(place, tally));
            rules.add(number, group, calls);
        }
    }
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_rules(&mut out, &all, left_out);
    out
}

/// A device, and where it was: types of a policy often go by path.
fn with_paths(place: &Place, tally: &Tally) -> String {
    let mut text = place.to_string();
    let paths = tally.places.get(place).map(|asked| &asked.paths);
    for (index, path) in paths.into_iter().flatten().take(SHOWN_PATHS + 1).enumerate() {
        let path = if index < SHOWN_PATHS { path } else { "..." };
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{path}", if index == 0 { ": " } else { ", " });
    }
    text
}

/// The domains of the programs that made the calls, and how many each made.
fn domains(group: &Group, names: &Selinux) -> BTreeMap<String, u64> {
    if let Some(domain) = &names.domain {
        return BTreeMap::from([(domain.clone(), group.calls)]);
    }
    let mut domains = BTreeMap::new();
    for (comm, calls) in &group.comms {
        *domains.entry(format!("{}_t", sanitised(comm))).or_default() += calls;
    }
    domains
}

/// The type and class of a device. What a program makes for itself, such as sockets and pipes, is of its own type.
fn target(place: &Place, names: &Selinux) -> Option<(String, &'static str)> {
    let typed = |suffix: &str| {
        let name = if place.name.is_empty() { place.kind } else { &place.name };
        names.device_type.clone().unwrap_or_else(|| format!("{}_{suffix}", sanitised(name)))
    };
    let own = || "self".to_owned();
    Some(match place.kind {
        "char" => (typed("device_t"), "chr_file"),
        "block" => (typed("device_t"), "blk_file"),
        "file" => (typed("file_t"), "file"),
        "dir" => (typed("file_t"), "dir"),
        "fifo" if place.name != "pipe" => (typed("fifo_t"), "fifo_file"),
        "fifo" => (own(), "fifo_file"),
        "anon" => (own(), "anon_inode"),
        "socket" => (own(), socket_class(&place.name)),
        _ => return None,
    })
}

/// The classes that a socket of a family can have; which of several it has depends on its type, which is not recorded.
fn socket_class(family: &str) -> &'static str {
    match family {
        "AF_UNIX" | "AF_LOCAL" => "{ unix_stream_socket unix_dgram_socket }",
        "AF_INET" | "AF_INET6" => "{ tcp_socket udp_socket rawip_socket }",
        "AF_NETLINK" => "{ netlink_route_socket netlink_generic_socket netlink_socket }",
        "AF_PACKET" => "packet_socket",
        "AF_BLUETOOTH" => "bluetooth_socket",
        "AF_CAN" => "can_socket",
        "AF_ALG" => "alg_socket",
        "AF_VSOCK" => "vsock_socket",
        "AF_XDP" => "xdp_socket",
        "AF_KEY" => "key_socket",
        "AF_NFC" => "nfc_socket",
        "AF_TIPC" => "tipc_socket",
        "AF_PPPOX" => "pppox_socket",
        "AF_QIPCRTR" => "qipcrtr_socket",
        _ => "socket",
    }
}

/// A name of SELinux made of any text: letters, digits and `_`, a letter first.
fn sanitised(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        None => "unnamed".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("n{name}"),
        Some(_) => name.to_owned(),
    }
}

impl Rules {
    fn add(&mut self, number: u32, group: &Group, calls: u64) {
        let instead = match Check::of(number) {
            Check::Ioctl => {
                self.permissions.insert("ioctl");
                self.numbers.insert((number & 0xffff) as u16);
                None
            }
            Check::Permission(permission) => {
                self.permissions.insert(permission);
                Some(permission)
            }
            Check::Capability(capability) => {
                self.capabilities.insert(capability);
                Some(capability)
            }
            Check::Nothing => Some("nothing"),
        };
        self.comments.entry((number, group.label())).or_insert((0, instead)).0 += calls;
    }
}

fn write_rules(
    out: &mut String,
    all: &BTreeMap<(String, String, &str), Rules>,
    left_out: u64,
) -> fmt::Result {
    let types: BTreeSet<_> = all.keys().flat_map(|(domain, target, _)| [domain, target]).collect();
    let types: Vec<_> = types.into_iter().map(String::as_str).filter(|name| *name != "self").collect();
    writeln!(
        out,
        "# Made from what was traced. These types are placeholders, to be replaced by those of your policy:"
    )?;
    writeln!(out, "#   {}", if types.is_empty() { "(none)".to_owned() } else { types.join(" ") })?;
    if left_out > 0 {
        writeln!(
            out,
            "# Left out: {left_out} on descriptors that were not open, or whose file is not known."
        )?;
    }
    for ((domain, target, class), rules) in all {
        writeln!(out)?;
        rules.places.iter().try_for_each(|place| writeln!(out, "# {place}"))?;
        for ((number, name), (calls, instead)) in &rules.comments {
            write!(out, "#   {:#06x}  {name} ({calls})", number & 0xffff)?;
            if *number > 0xffff {
                write!(out, ", {number:#x}")?;
            }
            match instead {
                Some(permission) => writeln!(out, ", checked as {permission}")?,
                None => writeln!(out)?,
            }
        }
        if !rules.permissions.is_empty() {
            writeln!(out, "allow {domain} {target}:{class} {};", set(rules.permissions.iter()))?;
        }
        if !rules.capabilities.is_empty() {
            writeln!(out, "allow {domain} self:capability {};", set(rules.capabilities.iter()))?;
        }
        if !rules.numbers.is_empty() {
            let ranges = ranges(&rules.numbers).join(" ");
            writeln!(out, "allowxperm {domain} {target}:{class} ioctl {{ {ranges} }};")?;
        }
    }
    Ok(())
}

/// Names as the language has one or several of them.
fn set<'s>(names: impl ExactSizeIterator<Item = &'s &'static str>) -> String {
    let one = names.len() == 1;
    let names = names.copied().collect::<Vec<_>>().join(" ");
    if one { names } else { format!("{{ {names} }}") }
}

/// Numbers, those that follow each other as a range.
fn ranges(numbers: &BTreeSet<u16>) -> Vec<String> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |(first, last): (u16, u16)| {
        if first == last { format!("{first:#06x}") } else { format!("{first:#06x}-{last:#06x}") }
    };
    ranges.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_any_text() {
        let names = ["stty", "Chrome_ChildIOT", "kworker/0:1", "[eventfd]", "7z", "", "\\033]0;x", "__"];
        let made =
            ["stty", "chrome_childiot", "kworker_0_1", "eventfd", "n7z", "unnamed", "n033_0_x", "unnamed"];
        assert_eq!(names.map(sanitised), made);
    }

    #[test]
    fn numbers_that_follow_each_other_are_a_range() {
        let of = |numbers: &[u16]| ranges(&numbers.iter().copied().collect());
        assert_eq!(
            of(&[0x5401, 1, 0x5402, 0x5404, 0xffff, 0xfffe]),
            ["0x0001", "0x5401-0x5402", "0x5404", "0xfffe-0xffff"]
        );
        assert!(of(&[]).is_empty());
    }
}
