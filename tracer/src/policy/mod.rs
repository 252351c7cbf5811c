//! Allow-lists of what was traced, for those who confine programs.

mod json;
mod seccomp;
mod selinux;
#[cfg(test)]
mod tests;

pub use json::json;
pub use seccomp::{Seccomp, seccomp};
pub use selinux::{Selinux, selinux};
