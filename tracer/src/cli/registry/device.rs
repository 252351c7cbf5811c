//! A device as the command line names it.

use std::{fs, os::unix::fs::FileTypeExt, path::Path};

use ioctl_registry::{Device, DeviceKind, parse_number};
use nix::sys::{
    stat::{major, minor, stat},
    statfs::statfs,
};

/// What the words say of a device, with text of its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hint {
    kind: DeviceKind,
    major: u32,
    minor: u32,
    magic: Option<u64>,
    handler: Option<String>,
    anon: Option<String>,
    domain: Option<u32>,
    driver: Option<String>,
}

impl Hint {
    /// Puts words together: `char:136`, `socket`, `handler:tty_ioctl`, `/dev/tty`, ….
    ///
    /// # Errors
    /// Says which word is none.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let mut hint = Self::default();
        for word in words {
            hint.add(word)?;
        }
        Ok(hint)
    }

    /// As a lookup takes it.
    pub fn device(&self) -> Device<'_> {
        Device {
            kind: self.kind,
            major: self.major,
            minor: self.minor,
            magic: self.magic,
            handler: self.handler.as_deref(),
            anon: self.anon.as_deref(),
            domain: self.domain,
            driver: self.driver.as_deref(),
            owner: None,
        }
    }

    fn add(&mut self, word: &str) -> Result<(), String> {
        if word.contains('/') {
            return self
                .add_path(Path::new(word))
                .map_err(|error| format!("cannot look at `{word}`: {error}"));
        }
        let (name, value) = word.split_once(':').map_or((word, None), |(name, value)| (name, Some(value)));
        let kind = match name {
            "char" => Some(DeviceKind::Char),
            "block" => Some(DeviceKind::Block),
            "socket" => Some(DeviceKind::Socket),
            "fifo" => Some(DeviceKind::Fifo),
            "file" => Some(DeviceKind::Regular),
            "directory" => Some(DeviceKind::Directory),
            "anon" => Some(DeviceKind::AnonInode),
            _ => None,
        };
        let known = match (name, value) {
            ("char" | "block", Some(value)) => self.add_numbers(value),
            ("handler", Some(value)) => {
                self.handler = Some(value.to_owned());
                Some(())
            }
            ("anon", Some(value)) => {
                self.anon = Some(value.to_owned());
                Some(())
            }
            ("driver", Some(value)) => {
                self.driver = Some(value.to_owned());
                Some(())
            }
            ("domain", Some(value)) => {
                self.kind = DeviceKind::Socket;
                parse_number(value).map(|domain| self.domain = Some(domain))
            }
            ("magic", Some(value)) => parse_number(value).map(|magic| self.magic = Some(magic.into())),
            (_, None) => kind.map(|_| ()),
            (_, Some(_)) => None,
        };
        self.kind = kind.unwrap_or(self.kind);
        known.ok_or_else(|| {
            format!(
                "`{word}` is no device; write /dev/NODE, char:MAJ:MIN, block:MAJ:MIN, socket, fifo, file, directory, \
                 anon:NAME, handler:SYMBOL, driver:NAME, domain:N or magic:0xN"
            )
        })
    }

    fn add_numbers(&mut self, text: &str) -> Option<()> {
        let (major, minor) = text.split_once(':').unwrap_or((text, "0"));
        (self.major, self.minor) = (major.parse().ok()?, minor.parse().ok()?);
        Some(())
    }

    fn add_path(&mut self, path: &Path) -> std::io::Result<()> {
        let kind = fs::metadata(path)?.file_type();
        self.kind = match () {
            () if kind.is_char_device() => DeviceKind::Char,
            () if kind.is_block_device() => DeviceKind::Block,
            () if kind.is_socket() => DeviceKind::Socket,
            () if kind.is_fifo() => DeviceKind::Fifo,
            () if kind.is_dir() => DeviceKind::Directory,
            () => DeviceKind::Regular,
        };
        if matches!(self.kind, DeviceKind::Char | DeviceKind::Block) {
            let node = stat(path)?.st_rdev;
            let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            (self.major, self.minor) = (number(major(node)), number(minor(node)));
        }
        self.magic = Some(statfs(path)?.filesystem_type().0.cast_unsigned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(words: &[&str]) -> Result<Hint, String> {
        Hint::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_are_put_together() {
        let terminal = hint(&["char:136:3", "handler:tty_ioctl"]).unwrap();
        assert_eq!((terminal.kind, terminal.major, terminal.minor), (DeviceKind::Char, 136, 3));
        assert_eq!(terminal.device().handler, Some("tty_ioctl"));
        assert_eq!(hint(&["anon:kvm-vm"]).unwrap().device().anon, Some("kvm-vm"));
        assert_eq!(hint(&["file", "magic:0x9123683e"]).unwrap().magic, Some(0x9123_683e));
        assert_eq!(hint(&["char:226", "driver:i915"]).unwrap().device().driver, Some("i915"));
        let socket = hint(&["domain:10"]).unwrap();
        assert_eq!((socket.kind, socket.domain), (DeviceKind::Socket, Some(10)));
        assert_eq!(hint(&[]), Ok(Hint::default()));
        let null = hint(&["/dev/null"]).unwrap();
        assert_eq!((null.kind, null.major, null.minor), (DeviceKind::Char, 1, 3));
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in ["", "chair", "char:x", "socket:1", "magic:zz", "char:1:2:3"] {
            assert!(hint(&[wrong]).unwrap_err().starts_with(&format!("`{wrong}` is no device")), "{wrong}");
        }
        assert!(
            hint(&["/dev/no such"]).unwrap_err().starts_with("cannot look at `/dev/no such`: No such file")
        );
    }
}
