//! What ioctl numbers mean: names, encodings, argument types, families and the devices they belong to, on every
//! architecture of Linux; and Windows control codes in [`windows`].
//!
//! The facts come from the kernel's user-space (UAPI) headers and from the kernel's ioctl-number document; they are
//! embedded, so nothing is read at run time. The crate knows nothing of tracing.
//!
//! ```
//! use ioctl_registry::{Arch, Device, DeviceKind, Encoding, Lookup, Registry};
//!
//! let registry = Registry::builtin();
//! let terminal = Device { kind: DeviceKind::Char, major: 136, minor: 3, ..Device::default() };
//! let Lookup::Exact(request) = registry.lookup(0x5413, Arch::X86_64, &terminal) else { panic!("terminals have sizes") };
//! assert_eq!((request.name(), request.family()), ("TIOCGWINSZ", "tty"));
//!
//! // The argument's bytes, by the layout of its type.
//! let layout = registry.layout("struct winsize", Arch::X86_64).unwrap();
//! let value = registry.decode(&layout, &[24, 0, 80, 0, 0, 0, 0, 0]);
//! assert_eq!(value.to_string(), "{ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}");
//!
//! // A number that nobody named is still an encoding.
//! let unknown = Encoding::of(0xc008_dead, Arch::X86_64);
//! assert_eq!(unknown.to_string(), "_IOC(_IOC_READ|_IOC_WRITE, 0xde, 0xad, 0x8)");
//! ```

mod arch;
mod block;
#[cfg(test)]
#[expect(dead_code, reason = "the build reads all of it")]
mod cover;
mod decode;
mod device;
mod encoding;
mod expression;
mod facts;
mod family;
mod glob;
mod lookup;
mod name;
mod parameters;
mod parse;
mod registry;
mod request;
mod selector;
mod set;
mod status;
mod tables;
mod types;
pub mod vendor;
pub mod windows;

pub use arch::{Arch, NumberLayout, UnknownArch};
pub use block::{Block, Edition};
pub use decode::{Exchange, Member, Memory, Show, Style, Taken, Value, Watch, When, Xlat};
pub use device::{Device, DeviceKind};
pub use encoding::{Direction, Encoding, parse_number};
pub use expression::NumberError;
pub use facts::{Fact, Subcommand};
pub use glob::glob_matches;
pub use lookup::{Lookup, Named, ParameterValue};
pub use name::Name;
pub use parameters::Parameters;
pub use registry::{Registry, embedded_sizes};
pub use request::{Arg, Control, Made, Request, Seen};
pub use selector::{Base, Selector, Target, What};
pub use set::{Set, SetKind};
pub use types::definition;
pub use types::{Bits, Enumeration, Field, Layout, Place, Record, Scalar, ScalarKind, Shape, TypeError};
