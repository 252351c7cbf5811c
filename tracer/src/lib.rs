//! Live ioctl tracer: what a program says to its devices.
//!
//! The way of a call: [`source`] (the kernel, or a script) yields raw records, [`wire`] reads them, [`assemble`] joins
//! them into calls, [`decode`] names them with the registry, [`filter`]s choose among them by their [`field`]s, and
//! [`sink`]s write them. [`pipeline`] runs these on threads of their own; [`session`] runs the whole from attaching to
//! accounting.

pub mod assemble;
pub mod cli;
pub mod clock;
pub mod command;
pub mod create;
pub mod decode;
pub mod diff;
pub mod errno;
pub mod escape;
pub mod event;
pub mod families;
pub mod fence;
pub mod field;
pub mod filter;
pub mod histogram;
pub mod host;
mod housekeeping;
pub mod import;
pub mod json;
pub mod memory;
pub mod pipeline;
pub mod plan;
pub mod policy;
pub mod privilege;
pub mod process;
mod raw;
pub mod recording;
pub mod redact;
pub mod replay;
pub mod select;
pub mod session;
pub mod sink;
pub mod source;
pub mod stack;
pub mod suggest;
pub mod symbols;
pub mod tally;
pub mod totals;
pub mod tui;
pub mod wire;
