//! Answers of a host, as recordings keep them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An answer. What is not answered is not known there either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A function of the kernel, and the module that it is in.
    Symbol {
        /// Where it begins.
        address: u64,
        /// Its name.
        name: Arc<str>,
        /// The module.
        module: Option<Arc<str>>,
    },
    /// The function that an address of the kernel is in.
    Within {
        /// The address.
        address: u64,
        /// The function's name.
        name: Arc<str>,
        /// The module.
        module: Option<Arc<str>>,
        /// How far into it.
        into: u64,
    },
    /// The driver of a device.
    Driver {
        /// A block device.
        block: bool,
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
        /// The driver.
        name: Arc<str>,
    },
    /// The name of a block device.
    Block {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
        /// Its name.
        name: Arc<str>,
    },
    /// A cgroup.
    Cgroup {
        /// Its id.
        id: u64,
        /// Its path.
        path: Arc<str>,
    },
    /// What a descriptor led to.
    Target {
        /// The process.
        pid: u32,
        /// The descriptor.
        fd: u32,
        /// The inode.
        ino: u64,
        /// The path, as bytes.
        path: Vec<u8>,
    },
    /// A place in a program.
    Place {
        /// The process.
        pid: u32,
        /// The address.
        address: u64,
        /// The file, as bytes.
        file: Vec<u8>,
        /// Where in the file.
        offset: u64,
        /// The function, and how far into it.
        symbol: Option<(String, u64)>,
        /// File and line of the source.
        source: Option<(String, u32)>,
    },
    /// The numbers that a thread has in its own namespace of processes.
    Numbers {
        /// Its process, as the machine numbers it.
        pid: u32,
        /// The thread.
        tid: u32,
        /// Process and thread there; `None` where they are the machine's, or are not known any more.
        ids: Option<(u32, u32)>,
    },
    /// A thread that was inside a call when tracing ended.
    Task {
        /// The thread.
        tid: u32,
        /// Its name.
        comm: Option<String>,
        /// Its user.
        uid: Option<u32>,
    },
}
