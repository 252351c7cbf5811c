//! Decoded values.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use crate::name::Name;

/// Bytes with a meaning.
///
/// Its `Display` is how strace would write it in full; [`Value::display`] shortens and takes other wishes.
///
/// ```
/// use ioctl_registry::{Arch, Registry};
///
/// let registry = Registry::builtin();
/// let layout = registry.layout("struct winsize", Arch::X86_64).unwrap();
/// let value = registry.decode(&layout, &[24, 0, 80, 0, 0, 0]);
/// assert_eq!(value.to_string(), "{ws_row=24, ws_col=80, ws_xpixel=0, ...}");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number.
    Integer(i128),
    /// A number whose bits matter.
    Hex(u64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// An address that was not followed, or at which nothing is known.
    Pointer(u64),
    /// An address, and what lies there.
    Pointee {
        /// The address.
        address: u64,
        /// What lies there.
        value: Box<Self>,
    },
    /// Bits with names.
    Flags {
        /// The whole number.
        value: u64,
        /// The names of the bits that have one.
        names: Vec<Name>,
        /// The bits that have none.
        rest: u64,
        /// What all names begin with; only where there are none, or where the rest should be one of several values.
        prefix: Option<Name>,
    },
    /// A number that should be one of several.
    Enumeration {
        /// The number.
        value: i128,
        /// Its name, if it has one.
        name: Option<Name>,
        /// What the names of the others begin with; only where it has none.
        prefix: Option<Name>,
    },
    /// A number that may have a name, and is shown beside it.
    Numbered {
        /// The number.
        value: u64,
        /// Its name, if it has one.
        name: Option<Name>,
    },
    /// Four characters that name a format.
    Fourcc {
        /// The number.
        value: u32,
        /// The constant of that value, if there is one.
        name: Option<Name>,
    },
    /// A tone.
    Tone {
        /// Its period, in ticks of the PC's timer.
        period: u64,
        /// Milliseconds, where the number says how long it lasts.
        duration: Option<u64>,
    },
    /// A character.
    Char(u8),
    /// A fraction: two numbers of a struct.
    Fraction(Vec<Member>),
    /// A file descriptor.
    Descriptor(i64),
    /// The number of a device.
    Device {
        /// The driver.
        major: u64,
        /// Which of its devices.
        minor: u64,
    },
    /// Seconds since the beginning of 1970.
    Time(i64),
    /// The version of a kernel.
    Kernel(u32),
    /// A port of TCP or UDP.
    Port(u16),
    /// An address of IPv4.
    Ipv4(Ipv4Addr),
    /// An address of IPv6.
    Ipv6(Ipv6Addr),
    /// A hardware address.
    Mac([u8; 6]),
    /// A UUID.
    Uuid([u8; 16]),
    /// A GUID of Windows, as it lies in memory.
    Guid([u8; 16]),
    /// Text, as bytes; that of UTF-16 as UTF-8.
    Text {
        /// Up to the NUL, if there is one.
        bytes: Vec<u8>,
        /// The data ended before the text did.
        cut: bool,
        /// It lies in an array of fixed size.
        fixed: bool,
        /// It fills that, and no NUL ends it.
        full: bool,
    },
    /// Bytes of no known meaning.
    Bytes {
        /// As they lie in memory.
        bytes: Vec<u8>,
        /// The data ended before they did.
        cut: bool,
    },
    /// Bytes with a bit for each value of a set, the lowest first.
    Bitmap {
        /// As they lie in memory.
        bytes: Vec<u8>,
        /// The names of the bits that are set; of one that has none, its number.
        names: Vec<Name>,
        /// The data ended before they did.
        cut: bool,
    },
    /// A row of elements.
    Array {
        /// In their order.
        items: Vec<Self>,
        /// The data, or what one decoding may yield, ended before the row did.
        cut: bool,
    },
    /// A row of elements whose places have names.
    Indexed {
        /// The elements, by the names or else the numbers of their places.
        members: Vec<Member>,
        /// The data ended before the row did.
        cut: bool,
    },
    /// The fields of a struct. Those of anonymous members are among them.
    Record(Vec<Member>),
    /// The member in use of a union.
    Variant {
        /// Its name.
        name: Name,
        /// What it holds.
        value: Box<Self>,
    },
    /// Several readings of the same bytes, of which the data does not say which holds.
    Union {
        /// The bytes; none where they are not all known.
        bytes: Vec<u8>,
        /// What each member makes of them.
        members: Vec<Member>,
    },
    /// The data ended before it.
    Missing,
}

/// A field of a struct, or one reading of a union.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its name; empty for an anonymous one.
    pub name: Name,
    /// What it holds.
    pub value: Value,
    /// When it is worth showing.
    pub show: Show,
}

/// When a field is worth showing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Show {
    /// Always.
    #[default]
    Always,
    /// To who wants to see everything.
    Verbose,
    /// If it is not zero: padding.
    NonZero,
}

impl Member {
    /// A field that is always shown.
    pub fn new(name: impl Into<Name>, value: Value) -> Self {
        Self { name: name.into(), value, show: Show::Always }
    }
}

impl Value {
    /// Whether every bit of it is zero, as far as it is known.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Integer(value) | Self::Enumeration { value, .. } => *value == 0,
            Self::Hex(value) | Self::Pointer(value) | Self::Flags { value, .. } => *value == 0,
            Self::Float(value) => value.to_bits() == 0,
            Self::Bool(value) => !value,
            Self::Fourcc { value, .. } | Self::Kernel(value) => *value == 0,
            Self::Descriptor(value) | Self::Time(value) => *value == 0,
            Self::Device { major, minor } => (*major, *minor) == (0, 0),
            Self::Port(value) => *value == 0,
            Self::Char(value) => *value == 0,
            Self::Numbered { value, .. } => *value == 0,
            Self::Tone { period, duration } => *period == 0 && duration.is_none_or(|duration| duration == 0),
            Self::Ipv4(value) => value.is_unspecified(),
            Self::Ipv6(value) => value.is_unspecified(),
            Self::Mac(bytes) => bytes.iter().all(|byte| *byte == 0),
            Self::Uuid(bytes) | Self::Guid(bytes) => bytes.iter().all(|byte| *byte == 0),
            Self::Text { bytes, .. }
            | Self::Bytes { bytes, .. }
            | Self::Bitmap { bytes, .. }
            | Self::Union { bytes, .. } => bytes.iter().all(|byte| *byte == 0),
            Self::Array { items, .. } => items.iter().all(Self::is_zero),
            Self::Record(members) | Self::Fraction(members) | Self::Indexed { members, .. } => {
                members.iter().all(|member| member.value.is_zero())
            }
            Self::Variant { value, .. } => value.is_zero(),
            Self::Pointee { .. } | Self::Missing => false,
        }
    }

    /// Whether there is text in it, or behind its addresses, that is not empty; bytes of no known meaning may be text.
    #[must_use]
    pub fn has_text(&self) -> bool {
        match self {
            Self::Text { .. } | Self::Bytes { .. } | Self::Char(_) => !self.is_zero(),
            Self::Array { items, .. } => items.iter().any(Self::has_text),
            Self::Record(members) | Self::Indexed { members, .. } | Self::Union { members, .. } => {
                members.iter().any(|member| member.value.has_text())
            }
            Self::Pointee { value, .. } | Self::Variant { value, .. } => value.has_text(),
            _ => false,
        }
    }

    /// The day and the time of seconds since the beginning of 1970, in UTC: `2026-11-20T23:40:01`. `None` beyond the
    /// years of four digits.
    ///
    /// ```
    /// use ioctl_registry::Value;
    ///
    /// assert_eq!(Value::date(0).as_deref(), Some("1970-01-01T00:00:00"));
    /// assert_eq!(Value::date(951_868_799).as_deref(), Some("2000-02-29T23:59:59"));
    /// assert_eq!(Value::date(i64::MAX), None);
    /// ```
    #[must_use]
    pub fn date(seconds: i64) -> Option<String> {
        const DAY: i64 = 86_400;
        // Days since the first of March of the year 0, so that a leap day ends its year.
        let day = seconds.div_euclid(DAY).checked_add(719_468).filter(|day| (0..=3_652_364).contains(day))?;
        let era = day / 146_097;
        let day = day % 146_097;
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (year, month) = (year + era * 400, month + 3);
        let (year, month) = if month > 12 { (year + 1, month - 12) } else { (year, month) };
        let second = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
    }

    /// Whether it has no meaning but that of its bytes, as reserved and padding fields do.
    pub(super) fn is_opaque(&self) -> bool {
        matches!(self, Self::Bytes { .. } | Self::Missing)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = super::Style { limit: usize::MAX, verbose: true, ..super::Style::default() };
        self.display(&all).fmt(formatter)
    }
}
