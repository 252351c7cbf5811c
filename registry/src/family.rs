//! Families of requests and the devices that they are addressed to.

use std::borrow::Cow;

use crate::{
    device::{Device, DeviceKind},
    glob::glob_matches,
    parse,
};

/// What a line of `families.tsv` or a vendor file says of devices.
#[derive(Debug)]
pub struct Rule {
    /// The family.
    pub family: Cow<'static, str>,
    /// The devices that its requests are addressed to, as the line has them.
    pub text: Cow<'static, str>,
    devices: Vec<Predicate>,
}

/// How well a device fits; the better verdict is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The family is addressed to other devices.
    Contradicted,
    /// The family or the hint says too little.
    Undecided,
    /// The kind of file fits, as it would for others.
    Kind,
    /// The device is the family's own.
    Own,
}

/// A statement about a device.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Predicate {
    /// Works on every descriptor.
    Any,
    /// A regular file or a directory.
    File,
    Kind(DeviceKind),
    /// The family of a socket.
    Domain(u32),
    /// A miscellaneous character device whose minor number was assigned at run time.
    Misc,
    /// Ranges of major and minor numbers, both ends included.
    Numbers {
        kind: DeviceKind,
        major: (u32, u32),
        minor: (u32, u32),
    },
    /// A glob over the symbol of the ioctl handler.
    Handler(String),
    /// A glob over the name of an anonymous inode.
    Anon(String),
    /// The superblock's magic number.
    Magic(u64),
    /// A glob over the names of the driver and of the module; dashes are underscores there.
    Driver(String),
    /// All of them.
    All(Vec<Self>),
}

impl Rule {
    /// A family and comma-separated devices, or the one that is none.
    pub fn new(family: Cow<'static, str>, text: Cow<'static, str>) -> Result<Self, String> {
        let parse = |text: &str| Predicate::parse(text).ok_or_else(|| text.to_owned());
        let devices = text.split(',').filter(|text| !text.is_empty()).map(parse).collect::<Result<_, _>>()?;
        Ok(Self { family, text, devices })
    }

    /// How well a device fits.
    pub fn judge(&self, device: &Device<'_>) -> Verdict {
        let verdicts = self.devices.iter().map(|predicate| predicate.judge(device));
        let best = verdicts.clone().max().unwrap_or(Verdict::Undecided);
        // One part that is not known must not outweigh another that is known to differ.
        if best == Verdict::Undecided && verdicts.clone().any(|verdict| verdict == Verdict::Contradicted) {
            Verdict::Contradicted
        } else {
            best
        }
    }
}

impl Predicate {
    const MISC_MAJOR: Self = Self::Numbers { kind: DeviceKind::Char, major: (10, 10), minor: (0, u32::MAX) };

    fn parse(text: &str) -> Option<Self> {
        if text.contains('+') {
            return text.split('+').map(Self::parse).collect::<Option<_>>().map(Self::All);
        }
        let (word, rest) = text.split_once(':').map_or((text, None), |(word, rest)| (word, Some(rest)));
        match (word, rest) {
            ("any", None) => Some(Self::Any),
            ("file", None) => Some(Self::File),
            ("char", rest) => Self::device(DeviceKind::Char, rest),
            ("block", rest) => Self::device(DeviceKind::Block, rest),
            ("misc", None) => Some(Self::Misc),
            ("socket", None) => Some(Self::Kind(DeviceKind::Socket)),
            ("domain", Some(number)) => number.parse().ok().map(Self::Domain),
            ("fifo", None) => Some(Self::Kind(DeviceKind::Fifo)),
            ("handler", Some(glob)) => Some(Self::Handler(glob.to_owned())),
            ("driver", Some(glob)) => Some(Self::Driver(glob.replace('-', "_"))),
            ("anon", Some(glob)) => Some(Self::Anon(glob.to_owned())),
            ("magic", Some(number)) => parse::hex(number).map(Self::Magic),
            _ => None,
        }
    }

    /// `MAJ`, `MAJ-MAJ` or `MAJ:MIN-MIN`.
    fn device(kind: DeviceKind, numbers: Option<&str>) -> Option<Self> {
        let Some(numbers) = numbers else { return Some(Self::Kind(kind)) };
        let (major, minor) = match numbers.split_once(':') {
            Some((major, minor)) => (parse::range(major)?, parse::range(minor)?),
            None => (parse::range(numbers)?, (0, u32::MAX)),
        };
        Some(Self::Numbers { kind, major, minor })
    }

    fn judge(&self, device: &Device<'_>) -> Verdict {
        let decide = |known: bool, fits: bool, fitting: Verdict| match (known, fits) {
            (false, _) => Verdict::Undecided,
            (true, true) => fitting,
            (true, false) => Verdict::Contradicted,
        };
        let kind_known = device.kind != DeviceKind::Unknown;
        match self {
            Self::Any => decide(!device.is_unknown(), true, Verdict::Kind),
            Self::File => decide(kind_known, device.may_be_file(), Verdict::Kind),
            Self::Kind(kind) => decide(kind_known, device.kind == *kind, Verdict::Kind),
            Self::Domain(number) => match device.domain {
                Some(domain) => decide(true, domain == *number, Verdict::Own),
                None => decide(kind_known && device.kind != DeviceKind::Socket, false, Verdict::Own),
            },
            // Minor numbers from 128 to 255 belong to certain drivers.
            Self::Misc if device.major == 10 && (128..=255).contains(&device.minor) => Verdict::Contradicted,
            Self::Misc => Self::MISC_MAJOR.judge(device),
            Self::Numbers { kind, major, minor } => {
                let numbered = (device.major, device.minor) != (0, 0);
                let within = |(first, last): &(u32, u32), number| (*first..=*last).contains(&number);
                let fits = device.kind == *kind && within(major, device.major) && within(minor, device.minor);
                decide(kind_known && (numbered || device.kind != *kind), fits, Verdict::Own)
            }
            Self::Handler(glob) => match device.handler {
                Some(handler) => decide(true, glob_matches(glob, handler), Verdict::Own),
                None => Verdict::Undecided,
            },
            Self::Anon(glob) => match device.anon {
                Some(name) => decide(true, glob_matches(glob, name), Verdict::Own),
                None => decide(kind_known && device.kind != DeviceKind::AnonInode, false, Verdict::Own),
            },
            Self::Driver(glob) => {
                let fits = |name: &str| glob_matches(glob, &name.replace('-', "_"));
                let names = [device.driver, device.owner];
                let mut names = names.into_iter().flatten();
                decide(names.clone().next().is_some(), names.any(fits), Verdict::Own)
            }
            Self::All(parts) => {
                parts.iter().map(|part| part.judge(device)).min().unwrap_or(Verdict::Undecided)
            }
            // A device node lies in a file system too, whose magic says nothing of the device.
            Self::Magic(number) => match device.magic {
                Some(magic) if device.may_be_file() => decide(true, magic == *number, Verdict::Own),
                _ => decide(!device.may_be_file(), false, Verdict::Own),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(devices: &'static str, device: Device<'_>) -> Verdict {
        Rule::new("".into(), devices.into()).unwrap().judge(&device)
    }

    fn char_device(major: u32, minor: u32) -> Device<'static> {
        Device { kind: DeviceKind::Char, major, minor, ..Device::default() }
    }

    #[test]
    fn numbers_decide() {
        assert_eq!(judge("char:14", char_device(14, 1)), Verdict::Own);
        assert_eq!(judge("char:10:130-131,handler:x", char_device(10, 130)), Verdict::Own);
        assert_eq!(judge("char:10:130-131,handler:x", char_device(10, 132)), Verdict::Contradicted);
        assert_eq!(judge("char:136-143", char_device(140, 9)), Verdict::Own);
        assert_eq!(judge("char:14", char_device(0, 0)), Verdict::Undecided);
        assert_eq!(judge("misc", char_device(10, 60)), Verdict::Own);
        assert_eq!(judge("misc", char_device(10, 200)), Verdict::Contradicted);
        assert_eq!(judge("block:7", char_device(7, 0)), Verdict::Contradicted);
    }

    #[test]
    fn a_hint_that_knows_nothing_contradicts_nothing() {
        for devices in ["any", "file", "socket", "char:4", "handler:x", "anon:x", "magic:0x1"] {
            assert_eq!(judge(devices, Device::default()), Verdict::Undecided, "{devices}");
        }
    }

    #[test]
    fn handlers_and_names_decide() {
        let tty = Device { handler: Some("tty_ioctl"), ..char_device(240, 0) };
        assert_eq!(judge("char:4,handler:tty_*", tty), Verdict::Own);
        let vm = Device { kind: DeviceKind::AnonInode, anon: Some("kvm-vm"), ..Device::default() };
        assert_eq!(judge("char:10:232,anon:kvm-v*", vm), Verdict::Own);
        assert_eq!(judge("anon:kvm-v*", char_device(1, 3)), Verdict::Contradicted);
    }

    #[test]
    fn drivers_decide() {
        let card = |driver, owner| Device { driver, owner, ..char_device(226, 0) };
        let rule = "char:226+driver:virtio-gpu";
        assert_eq!(judge(rule, card(Some("virtio-pci"), Some("virtio_gpu"))), Verdict::Own);
        assert_eq!(judge(rule, card(Some("i915"), None)), Verdict::Contradicted);
        assert_eq!(judge(rule, card(None, None)), Verdict::Undecided);
        assert_eq!(judge(rule, char_device(1, 3)), Verdict::Contradicted);
    }

    #[test]
    fn the_family_of_a_socket_decides() {
        let socket = |domain| Device { kind: DeviceKind::Socket, domain, ..Device::default() };
        assert_eq!(judge("domain:10", socket(Some(10))), Verdict::Own);
        assert_eq!(judge("domain:10", socket(Some(2))), Verdict::Contradicted);
        assert_eq!(judge("domain:10", socket(None)), Verdict::Undecided);
        assert_eq!(judge("domain:10", char_device(1, 3)), Verdict::Contradicted);
    }

    #[test]
    fn the_file_system_of_a_device_node_says_nothing() {
        let node = Device { magic: Some(0x0102_1994), ..char_device(1, 3) };
        assert_eq!(judge("magic:0x1021994", node), Verdict::Contradicted);
        let file = Device { kind: DeviceKind::Regular, ..node };
        assert_eq!(judge("magic:0x1021994", file), Verdict::Own);
    }
}
