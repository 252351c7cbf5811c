//! What Linux ioctl numbers mean: names, encodings, argument types, families and the devices they belong to.
//!
//! The facts come from the kernel's user-space (UAPI) headers and from the kernel's ioctl-number document; they are
//! embedded, so nothing is read at run time. The crate knows nothing of tracing.
//!
//! ```
//! use ioctl_registry::{Device, DeviceKind, Encoding, Lookup, Registry};
//!
//! let registry = Registry::builtin();
//! let terminal = Device { kind: DeviceKind::Char, major: 136, minor: 3, ..Device::default() };
//! let Lookup::Exact(request) = registry.lookup(0x5401, &terminal) else { panic!("terminals have requests") };
//! assert_eq!((request.name, request.family), ("TCGETS", "tty"));
//!
//! // A number that nobody named is still an encoding.
//! assert_eq!(Encoding::of(0xc008_dead).to_string(), "_IOC(_IOC_READ|_IOC_WRITE, 0xde, 0xad, 0x8)");
//! ```

mod block;
mod device;
mod encoding;
mod family;
mod glob;
mod parse;
mod registry;

pub use block::{Block, Edition};
pub use device::{Device, DeviceKind};
pub use encoding::{Direction, Encoding, parse_number};
pub use glob::glob_matches;
pub use registry::{Lookup, Registry, Request};
