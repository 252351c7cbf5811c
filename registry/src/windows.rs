//! Windows I/O control codes: what their parts mean, and the names that public headers give them.
//!
//! ```
//! use ioctl_registry::windows::{Codes, Method};
//!
//! let named = Codes::builtin().find("IOCTL_DISK_GET_DRIVE_GEOMETRY").expect("disk.sys knows it");
//! assert_eq!(named.code.parts().method, Method::Buffered);
//! assert_eq!(named.code.to_string(), "CTL_CODE(FILE_DEVICE_DISK, 0, METHOD_BUFFERED, FILE_ANY_ACCESS)");
//! ```

use std::{fmt, sync::OnceLock};

use crate::{encoding::parse_number, facts::collect, parse, registry::NO_FAMILY, request::Text, tables};

pub use crate::status::status_name;

/// A control code: 16 bits of device type, two of access, twelve of function, two of method.
///
/// Its `Display` is the call of `CTL_CODE` that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ControlCode(pub u32);

/// The parts of a control code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parts {
    /// The kind of device, `FILE_DEVICE_…`. From 0x8000 on they are the vendors' own.
    pub device: u16,
    /// What the caller's handle must allow.
    pub access: Access,
    /// The function of that device; below 0x1000. From 0x800 on they are the vendors' own.
    pub function: u16,
    /// How the buffers travel.
    pub method: Method,
}

/// What the caller's handle must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Access {
    Any,
    Read,
    Write,
    ReadWrite,
}

/// How the buffers of a request travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The I/O manager copies both.
    Buffered,
    /// The second buffer is locked in memory, for the driver to read.
    InDirect,
    /// The second buffer is locked in memory, for the driver to write.
    OutDirect,
    /// The driver gets the caller's addresses as they are.
    Neither,
}

/// Who defines a code, and who may send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Device type and function are from Microsoft's range, or a public header defines it.
    Public,
    /// Device type or function are from the vendors' range, and no public header defines it.
    Private,
    /// Drivers send it to each other; programs cannot.
    Internal,
    /// `WSAIoctl` takes it, for a socket. It is not made by `CTL_CODE`, so its parts are not those of one.
    Socket,
}

/// One of the two buffers of a call of `DeviceIoControl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// What the program hands over.
    Input,
    /// What it gets back; with [`Method::InDirect`] it hands that over, too.
    Output,
}

/// A buffer, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffer<'b> {
    /// The first of its bytes.
    pub bytes: &'b [u8],
    /// How many it has: those that the program states, or after the call those that were returned.
    pub size: u64,
}

/// Both buffers of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffers<'b> {
    /// What the program hands over.
    pub input: Buffer<'b>,
    /// What it gets back.
    pub output: Buffer<'b>,
}

impl<'b> Buffers<'b> {
    /// One of them.
    #[must_use]
    pub const fn of(&self, side: Side) -> Buffer<'b> {
        match side {
            Side::Input => self.input,
            Side::Output => self.output,
        }
    }
}

impl Access {
    const ALL: [Self; 4] = [Self::Any, Self::Read, Self::Write, Self::ReadWrite];

    /// The constant of the headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "FILE_ANY_ACCESS",
            Self::Read => "FILE_READ_DATA",
            Self::Write => "FILE_WRITE_DATA",
            Self::ReadWrite => "FILE_READ_DATA|FILE_WRITE_DATA",
        }
    }
}

impl Method {
    const ALL: [Self; 4] = [Self::Buffered, Self::InDirect, Self::OutDirect, Self::Neither];

    /// The constant of the headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buffered => "METHOD_BUFFERED",
            Self::InDirect => "METHOD_IN_DIRECT",
            Self::OutDirect => "METHOD_OUT_DIRECT",
            Self::Neither => "METHOD_NEITHER",
        }
    }
}

impl Kind {
    /// `public`, `private`, `internal` or `socket`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Socket => "socket",
        }
    }

    /// The kinds of I/O request packet that may carry such a code, the one that `DeviceIoControl` makes first; for a
    /// socket's, the function that takes it.
    #[must_use]
    pub const fn packets(self) -> &'static [&'static str] {
        match self {
            Self::Internal => &["IRP_MJ_INTERNAL_DEVICE_CONTROL"],
            Self::Socket => &["WSAIoctl"],
            Self::Public | Self::Private => &["IRP_MJ_DEVICE_CONTROL", "IRP_MJ_INTERNAL_DEVICE_CONTROL"],
        }
    }
}

impl Parts {
    /// Puts the code together. Bits of the function that have no room are dropped.
    ///
    /// ```
    /// use ioctl_registry::windows::ControlCode;
    ///
    /// let code = ControlCode(0x0007_c084);
    /// assert_eq!(code.parts().encode(), code);
    /// ```
    #[must_use]
    pub const fn encode(self) -> ControlCode {
        let function = (self.function & 0xfff) as u32;
        ControlCode(
            ((self.device as u32) << 16)
                | ((self.access as u32) << 14)
                | (function << 2)
                | self.method as u32,
        )
    }
}

impl ControlCode {
    /// Takes the code apart.
    #[must_use]
    pub const fn parts(self) -> Parts {
        let access = match (self.0 >> 14) & 3 {
            0 => Access::Any,
            1 => Access::Read,
            2 => Access::Write,
            _ => Access::ReadWrite,
        };
        let method = match self.0 & 3 {
            0 => Method::Buffered,
            1 => Method::InDirect,
            2 => Method::OutDirect,
            _ => Method::Neither,
        };
        Parts { device: (self.0 >> 16) as u16, access, function: ((self.0 >> 2) & 0xfff) as u16, method }
    }

    /// Whether the device type is from the vendors' range.
    #[must_use]
    pub const fn has_vendor_device(self) -> bool {
        self.0 & (1 << 31) != 0
    }

    /// The name of its device type, if that is certain: one from the vendors' range is anybody's.
    ///
    /// ```
    /// use ioctl_registry::windows::ControlCode;
    ///
    /// assert_eq!(ControlCode(0x0007_0000).device_name(), Some("FILE_DEVICE_DISK"));
    /// assert_eq!(ControlCode(0x8000_2004).device_name(), None);
    /// ```
    #[must_use]
    pub fn device_name(self) -> Option<&'static str> {
        Codes::builtin().device_name(self.parts().device).filter(|_| !self.has_vendor_device())
    }

    /// Whether the function is from the vendors' range.
    #[must_use]
    pub const fn has_vendor_function(self) -> bool {
        self.0 & (1 << 13) != 0
    }

    /// What the ranges say of a code that no header names.
    #[must_use]
    pub const fn kind(self) -> Kind {
        if self.has_vendor_device() || self.has_vendor_function() { Kind::Private } else { Kind::Public }
    }
}

impl fmt::Display for ControlCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        match self.device_name() {
            Some(name) => write!(formatter, "CTL_CODE({name}, ")?,
            None => write!(formatter, "CTL_CODE({:#x}, ", parts.device)?,
        }
        match parts.function {
            0 => write!(formatter, "0")?,
            function => write!(formatter, "{function:#x}")?,
        }
        write!(formatter, ", {}, {})", parts.method.as_str(), parts.access.as_str())
    }
}

/// A named control code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The macro.
    pub name: &'static str,
    /// The code.
    pub code: ControlCode,
    /// The header that defines it.
    pub header: &'static str,
    /// The line of the header.
    pub line: Option<u32>,
    /// Type of the input buffer; empty if not known.
    pub input: &'static str,
    /// Type of the output buffer; empty if not known.
    pub output: &'static str,
    /// Who may send it. What a public header names is public, whatever its ranges.
    pub kind: Kind,
}

impl Named {
    /// The family of its requests: the device type as one word, such as `serial_port`.
    pub(crate) fn family(&self) -> Text {
        if self.kind == Kind::Socket {
            return "socket".into();
        }
        let name = self.code.device_name().map(|name| name.strip_prefix("FILE_DEVICE_").unwrap_or(name));
        name.map_or_else(|| NO_FAMILY.into(), |name| name.to_ascii_lowercase().into())
    }

    fn parse(line: &'static str) -> Option<Self> {
        let [name, code, header, input, output, kind] = parse::columns(line)?;
        let kind = match kind {
            "" | "public" => Kind::Public,
            "private" => Kind::Private,
            "internal" => Kind::Internal,
            "socket" => Kind::Socket,
            _ => return None,
        };
        let (header, line) = header.split_once(':').unwrap_or((header, ""));
        let code = ControlCode(parse::hex(code)?.try_into().ok()?);
        Some(Self { name, code, header, line: line.parse().ok(), input, output, kind })
    }
}

/// Why a text is no control code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// No control code has this name, and it is no number of 32 bits.
    #[error(
        "no control code is named `{0}`; write a name, 0x70000 or CTL_CODE(DEVICE, FUNCTION, METHOD, ACCESS)"
    )]
    Unknown(String),
    /// An argument of `CTL_CODE` is not what should be there.
    #[error("`{text}` is no {what}")]
    Argument {
        /// The argument.
        text: String,
        /// What should be there.
        what: &'static str,
    },
}

/// The named control codes and device types.
#[derive(Debug)]
pub struct Codes {
    /// By name.
    named: Vec<Named>,
    /// By value; the first name of a value is the one that is shown.
    devices: Vec<(u16, &'static str)>,
    pub(crate) skipped: usize,
}

impl Codes {
    /// The codes of the embedded tables, read on first use.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Codes> = OnceLock::new();
        BUILTIN.get_or_init(|| {
            let mut skipped = 0;
            let mut named = collect(tables::WINDOWS.text(), Named::parse, &mut skipped);
            named.sort_by_key(|named| (named.name, named.code));
            let device = |line| {
                let [name, value, header] = parse::columns(line)?;
                let rank = !["devioctl.h:", "winioctl.h:"].iter().any(|common| header.starts_with(common));
                Some((u16::try_from(parse::hex(value)?).ok()?, rank, name))
            };
            let mut devices = collect(tables::WINDOWS_DEVICES.text(), device, &mut skipped);
            // What the headers of all devices say comes before what one of a device does.
            devices.sort_by_key(|(value, rank, _)| (*value, *rank));
            let devices = devices.into_iter().map(|(value, _, name)| (value, name)).collect();
            Self { named, devices, skipped }
        })
    }

    /// The code of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Named> {
        let place = self.named.partition_point(|named| named.name < name);
        self.named.get(place).filter(|named| named.name == name)
    }

    /// Every named code, by name.
    pub fn codes(&self) -> impl Iterator<Item = &Named> {
        self.named.iter()
    }

    /// The name of a device type, as in `FILE_DEVICE_DISK`.
    #[must_use]
    pub fn device_name(&self, device: u16) -> Option<&'static str> {
        let place = self.devices.partition_point(|(value, _)| *value < device);
        self.devices.get(place).filter(|(value, _)| *value == device).map(|(_, name)| *name)
    }

    /// The code that a text stands for: a number, a name, or `CTL_CODE(DEVICE, FUNCTION, METHOD, ACCESS)` with numbers
    /// or the names of the headers.
    ///
    /// ```
    /// use ioctl_registry::windows::{Codes, ControlCode};
    ///
    /// let text = "CTL_CODE(FILE_DEVICE_DISK, 0x21, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)";
    /// assert_eq!(Codes::builtin().parse(text), Ok(ControlCode(0x0007_c084)));
    /// ```
    ///
    /// # Errors
    /// Says what of the text is not understood.
    pub fn parse(&self, text: &str) -> Result<ControlCode, CodeError> {
        let text = text.trim();
        if let Some(code) = parse_number(text) {
            return Ok(ControlCode(code));
        }
        if let Some(named) = self.find(text) {
            return Ok(named.code);
        }
        let unknown = || CodeError::Unknown(text.to_owned());
        let inner = text.strip_prefix("CTL_CODE").map(str::trim_start).ok_or_else(unknown)?;
        let inner = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).ok_or_else(unknown)?;
        let mut arguments = inner.split(',').map(str::trim);
        let (Some(device), Some(function), Some(method), Some(access), None) =
            (arguments.next(), arguments.next(), arguments.next(), arguments.next(), arguments.next())
        else {
            return Err(CodeError::Argument {
                text: inner.to_owned(),
                what: "list of device, function, method, access",
            });
        };
        let wrong = |text: &str, what| CodeError::Argument { text: text.to_owned(), what };
        let parts = Parts {
            device: self.device(device).ok_or_else(|| wrong(device, "device type"))?,
            function: parse_number(function)
                .and_then(|function| u16::try_from(function).ok())
                .filter(|function| *function < 0x1000)
                .ok_or_else(|| wrong(function, "function below 0x1000"))?,
            method: method_of(method).ok_or_else(|| wrong(method, "method"))?,
            access: access_of(access).ok_or_else(|| wrong(access, "access"))?,
        };
        Ok(parts.encode())
    }

    fn device(&self, text: &str) -> Option<u16> {
        let named =
            || self.devices.iter().find(|(_, name)| *name == text).map(|(value, _)| u32::from(*value));
        parse_number(text).or_else(named)?.try_into().ok()
    }
}

fn method_of(text: &str) -> Option<Method> {
    let numbered =
        || parse_number(text).and_then(|number| Method::ALL.get(usize::try_from(number).ok()?).copied());
    Method::ALL.into_iter().find(|method| method.as_str() == text).or_else(numbered)
}

fn access_of(text: &str) -> Option<Access> {
    let bits = text.split('|').try_fold(0, |bits, word| {
        Some(
            bits | match word.trim() {
                "FILE_ANY_ACCESS" | "FILE_SPECIAL_ACCESS" => 0,
                "FILE_READ_DATA" | "FILE_READ_ACCESS" => 1,
                "FILE_WRITE_DATA" | "FILE_WRITE_ACCESS" => 2,
                number => parse_number(number)?,
            },
        )
    })?;
    Access::ALL.get(usize::try_from(bits).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_tell_private_codes() {
        assert_eq!(ControlCode(0x0007_0000).kind(), Kind::Public);
        assert_eq!(ControlCode(0x8000_0000).kind(), Kind::Private);
        assert_eq!(ControlCode(0x0007_2000).kind(), Kind::Private);
        assert_eq!(Kind::Internal.packets(), ["IRP_MJ_INTERNAL_DEVICE_CONTROL"]);
    }

    #[test]
    fn every_code_is_found() {
        let codes = Codes::builtin();
        assert_eq!(codes.skipped, 0);
        for named in codes.codes() {
            assert!(codes.find(named.name).is_some());
        }
    }

    #[test]
    fn mistakes_are_told() {
        let error = |text| Codes::builtin().parse(text).unwrap_err().to_string();
        assert!(error("IOCTL_NOBODY").starts_with("no control code is named `IOCTL_NOBODY`; write "));
        assert_eq!(error("CTL_CODE(7, 0x1000, 0, 0)"), "`0x1000` is no function below 0x1000");
        assert_eq!(error("CTL_CODE(7, 1, 4, 0)"), "`4` is no method");
        assert_eq!(error("CTL_CODE(7, 1, 0, 7)"), "`7` is no access");
        assert_eq!(error("CTL_CODE(7, 1)"), "`7, 1` is no list of device, function, method, access");
    }

    proptest! {
        #[test]
        fn codes_are_taken_apart_and_read_back(code: u32) {
            let code = ControlCode(code);
            prop_assert_eq!(code.parts().encode(), code);
            prop_assert_eq!(Codes::builtin().parse(&code.to_string()), Ok(code));
        }
    }
}
