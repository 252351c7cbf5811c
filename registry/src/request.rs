//! A row of the requests' table: a name, its number on every architecture, its argument, its history.

use std::borrow::Cow;

use crate::{
    arch::{Arch, NumberLayout},
    encoding::{Direction, Encoding},
    parameters::Parameters,
    parse, windows,
};

/// Text of the embedded tables, or of a vendor file.
pub type Text = Cow<'static, str>;

/// How a header makes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Made {
    /// It spells the number out. Nothing in the number tells of the argument then.
    Plain,
    /// `_IO()`
    Io,
    /// `_IOR()`
    Ior,
    /// `_IOW()`
    Iow,
    /// `_IOWR()`
    Iowr,
    /// `_IOC()`
    Ioc,
}

impl Made {
    /// The macro's name; `-` for a number spelled out.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "-",
            Self::Io => "_IO",
            Self::Ior => "_IOR",
            Self::Iow => "_IOW",
            Self::Iowr => "_IOWR",
            Self::Ioc => "_IOC",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Plain, Self::Io, Self::Ior, Self::Iow, Self::Iowr, Self::Ioc];
        all.into_iter().find(|made| made.as_str() == text)
    }

    /// The direction that the macro puts into the number, if its name says.
    pub(crate) const fn direction(self) -> Option<Direction> {
        match self {
            Self::Io => Some(Direction::None),
            Self::Ior => Some(Direction::Read),
            Self::Iow => Some(Direction::Write),
            Self::Iowr => Some(Direction::ReadWrite),
            Self::Plain | Self::Ioc => None,
        }
    }
}

/// What the third argument of `ioctl(2)` is. The text is a type, as [`crate::Registry::layout`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg<'a> {
    /// Not known.
    Unknown,
    /// Nothing: the request takes no argument.
    None,
    /// A value of this type itself.
    Value(Cow<'a, str>),
    /// The address of a value of this type.
    Pointer(Cow<'a, str>),
}

impl<'a> Arg<'a> {
    fn parse(text: &'a str) -> Self {
        match (text, text.strip_prefix('=')) {
            ("", _) => Self::Unknown,
            ("void", _) => Self::None,
            (_, Some(ty)) => Self::Value(ty.into()),
            (ty, None) => Self::Pointer(ty.into()),
        }
    }

    /// The type, if there is one.
    #[must_use]
    pub fn ty(&self) -> Option<&str> {
        match self {
            Self::Unknown | Self::None => None,
            Self::Value(ty) | Self::Pointer(ty) => Some(ty),
        }
    }

    /// The type of what lies at the argument, if it is an address. Some headers state the type of the argument itself
    /// there, `struct x*`; it is that of a struct all the same.
    #[must_use]
    pub fn pointee(&self) -> Option<&str> {
        match self {
            Self::Pointer(ty) => Some(pointee(ty)),
            Self::Unknown | Self::None | Self::Value(_) => None,
        }
    }
}

/// See [`Arg::pointee`].
pub(crate) fn pointee(ty: &str) -> &str {
    let is_record = ty.starts_with("struct ") || ty.starts_with("union ");
    ty.strip_suffix('*').filter(|_| is_record).unwrap_or(ty)
}

/// The kernel versions whose headers have a request, of those that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// The oldest, such as `5.16`.
    pub first: &'a str,
    /// The newest; `None` if the newest that was read still has it.
    pub last: Option<&'a str>,
    /// Only `first` was read for it: nothing is known of other kernels. So with drivers' own headers.
    pub only: bool,
}

/// A named request.
///
/// ```
/// use ioctl_registry::{Arch, Arg, Made, Registry};
///
/// let request = Registry::builtin().find("VIDIOC_QUERYCAP").unwrap();
/// assert_eq!(request.number(Arch::X86_64), Some(0x8068_5600));
/// assert_eq!(request.number(Arch::Mips), Some(0x4068_5600));
/// assert_eq!(request.made(), Made::Ior);
/// assert_eq!(request.arg(), Arg::Pointer("struct v4l2_capability".into()));
/// assert_eq!((request.header(), request.family()), ("linux/videodev2.h", "v4l2"));
/// ```
#[derive(Debug)]
pub struct Request {
    pub(crate) name: Text,
    pub(crate) made: Made,
    /// Per architecture, as the tables have it; empty with parameters.
    pub(crate) number: Text,
    pub(crate) dir: Option<Direction>,
    pub(crate) arg: Text,
    /// With the line behind a colon.
    pub(crate) header: Text,
    pub(crate) seen: Text,
    pub(crate) source: Text,
    pub(crate) family: Text,
    /// The place of the devices that it is addressed to.
    pub(crate) rule: Option<usize>,
    pub(crate) parameters: Option<Box<Parameters>>,
    pub(crate) control: Option<Box<Control>>,
}

/// What is known of a control code of Windows beyond its name and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Type of the input buffer, as in [`windows::Named`].
    pub input: Text,
    /// Type of the output buffer.
    pub output: Text,
    /// Who may send it.
    pub kind: windows::Kind,
}

impl Request {
    /// A line of the requests' table as the build leaves it; the family's name follows from its place.
    pub(crate) fn parse(line: &'static str) -> Option<Self> {
        let [name, made, number, dir, arg, header, seen, source, rule, parameters] = parse::columns(line)?;
        let made = Made::parse(made)?;
        let dir = if dir == "?" { None } else { Some(Direction::parse(dir)?) };
        let parameters = match parameters {
            "" if !is_number(number) => return None,
            "" => None,
            text => Some(Box::new(Parameters::parse(text, made, dir)?)),
        };
        Some(Self {
            name: name.into(),
            made,
            number: number.into(),
            dir,
            arg: arg.into(),
            header: header.into(),
            seen: seen.into(),
            source: source.into(),
            family: crate::registry::NO_FAMILY.into(),
            rule: if rule.is_empty() { None } else { Some(rule.parse().ok()?) },
            parameters,
            control: None,
        })
    }

    /// A control code as a request.
    pub(crate) fn of_code(named: &windows::Named) -> Self {
        let control = Control { input: named.input.into(), output: named.output.into(), kind: named.kind };
        let header =
            named.line.map_or_else(|| named.header.into(), |line| format!("{}:{line}", named.header).into());
        Self {
            name: named.name.into(),
            made: Made::Plain,
            number: format!("{:#x}", named.code.0).into(),
            dir: None,
            arg: "".into(),
            header,
            seen: "".into(),
            source: "".into(),
            family: named.family(),
            rule: None,
            parameters: None,
            control: Some(Box::new(control)),
        }
    }

    /// The name of the macro or the enumerator.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the header makes the number.
    #[must_use]
    pub const fn made(&self) -> Made {
        self.made
    }

    /// The number on an architecture; `None` where it does not exist there, and for a request with parameters (see
    /// [`Request::parameters`]).
    #[must_use]
    pub fn number(&self, arch: Arch) -> Option<u32> {
        let mut values = self.number.split(' ');
        let default = values.next()?;
        let exception = values.filter_map(|value| value.split_once('=')).find(|(list, _)| arch.is_in(list));
        if let Some((_, value)) = exception {
            return number(value);
        }
        let number = number(default)?;
        let moved = self.made != Made::Plain && arch.number_layout() != NumberLayout::Generic;
        Some(if moved { Encoding::of(number, Arch::X86_64).encode(arch) } else { number })
    }

    /// The architectures where the request exists.
    pub fn arches(&self) -> impl Iterator<Item = Arch> {
        Arch::ALL.into_iter().filter(|arch| self.parameters.is_some() || self.number(*arch).is_some())
    }

    /// How the argument's memory travels, from the program's point of view; `None` where it is not known.
    ///
    /// This is the truth as far as it is known; the number's own direction may say less, or the wrong thing.
    #[must_use]
    pub const fn dir(&self) -> Option<Direction> {
        self.dir
    }

    /// The third argument. With parameters, see [`crate::Named::arg`].
    #[must_use]
    pub fn arg(&self) -> Arg<'_> {
        Arg::parse(&self.arg)
    }

    /// The header that defines it, as programs include it, or by its path in the kernel's tree.
    #[must_use]
    pub fn header(&self) -> &str {
        self.header.split(':').next().unwrap_or_default()
    }

    /// The line of the header.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.header.split_once(':').and_then(|(_, line)| line.parse().ok())
    }

    /// Which kernels have it; `None` where no header that was read does.
    #[must_use]
    pub fn seen(&self) -> Option<Seen<'_>> {
        let range = self.seen.split_once('-');
        let (first, last) = range.unwrap_or((&self.seen, ""));
        let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
        Some(Seen { first: some(first)?, last: some(last), only: range.is_none() })
    }

    /// Whether the newest kernel that was read has it, or may have it.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.seen().is_none_or(|seen| seen.last.is_none())
    }

    /// Where the argument's type is from: `macro`, `facts`, `overlay`, `vendor`; empty where there is none.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The family, such as `tty`; `other` where it belongs to none.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.family
    }

    /// What a control code of Windows has besides; `None` for a request of Linux.
    #[must_use]
    pub fn control(&self) -> Option<&Control> {
        self.control.as_deref()
    }

    /// The parameters of its number, if it has any.
    #[must_use]
    pub fn parameters(&self) -> Option<&Parameters> {
        self.parameters.as_deref()
    }
}

/// A value of the tables; `!` for none.
fn number(text: &str) -> Option<u32> {
    parse::hex(text)?.try_into().ok()
}

/// Whether a column holds numbers, each with its architectures but for the first.
fn is_number(text: &str) -> bool {
    let valid = |value: &str| value == "!" || number(value).is_some();
    let known = |list: &str| list.split(',').all(|name| Arch::ALL.iter().any(|arch| arch.as_str() == name));
    let mut values = text.split(' ');
    values.next().is_some_and(valid)
        && values.all(|value| value.split_once('=').is_some_and(|(list, value)| known(list) && valid(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: &str, made: &str) -> Option<Request> {
        let line = format!("N\t{made}\t{number}\tread\tu32\tlinux/x.h:12\t5.16-6.1\tmacro\t\t");
        Request::parse(line.leak())
    }

    #[test]
    fn numbers_follow_the_architecture() {
        let it = request("0x80045430 mips,mips64=0x4004667f sparc64=!", "_IOR").unwrap();
        assert_eq!(it.number(Arch::X86_64), Some(0x8004_5430));
        assert_eq!(it.number(Arch::Mips64), Some(0x4004_667f));
        assert_eq!(it.number(Arch::Sparc64), None);
        assert_eq!(it.number(Arch::Ppc64le), Some(0x4004_5430));
        assert_eq!(it.arches().count(), 10);
        let plain = request("! mips=0x7417", "-").unwrap();
        assert_eq!((plain.number(Arch::Arm), plain.number(Arch::Mips)), (None, Some(0x7417)));
        assert_eq!(request("0x5401", "_IO").unwrap().number(Arch::Mips), Some(0x2000_5401));
    }

    #[test]
    fn columns_have_their_meaning() {
        let it = request("0x1", "-").unwrap();
        assert_eq!((it.header(), it.line()), ("linux/x.h", Some(12)));
        assert_eq!(it.seen(), Some(Seen { first: "5.16", last: Some("6.1"), only: false }));
        assert!(!it.is_current());
        assert_eq!(Arg::parse("=int"), Arg::Value("int".into()));
        assert_eq!(Arg::parse("void").ty(), None);
    }

    #[test]
    fn malformed_rows_are_none() {
        for number in ["", "1", "0x1 vax=0x2", "0x1 0x2", "0x100000000", "0x1 mips="] {
            assert!(request(number, "_IO").is_none(), "{number}");
        }
        assert!(request("0x1", "_IOX").is_none());
    }
}
