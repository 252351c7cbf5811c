//! The program against the running kernel. These tests need root and BPF; where there is root they fail rather than
//! skip, because then the kernel must be usable.

#![expect(clippy::expect_used, reason = "tests")]

mod accounts;
mod arguments;
mod compare;
mod compat;
mod dashboard;
mod errors;
mod exact;
mod faults;
mod fields;
mod files;
mod filter;
mod lifecycle;
mod pane;
mod privilege;
mod recording;
mod recordings;
mod redact;
mod select;
mod stacks;
mod terminal;
mod trace;
mod vendor;
mod windows;
