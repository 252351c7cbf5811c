//! Windows programs: the names of their handles, and which control code a thread is carrying out.

use std::{num::NonZeroUsize, sync::Arc};

use ioctl_trace_ebpf::{ControlFunction, ControlPart, control_flags};
use lru::LruCache;

use crate::{
    event::{Control, File, Target},
    wire::NameRef,
};

/// Handles whose names are remembered: as many as the kernel side does.
const MAX_NAMES: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");
/// Threads that can be inside a control code at a time.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// Bytes of a name that is put together: of a path in Windows, in UTF-8.
const MAX_NAME: usize = 3 * 32_768;

/// A handle of a process, and when it was opened.
type Handle = (u32, u64, u64);

/// What is known of Windows programs.
#[derive(Debug)]
pub(super) struct Windows {
    names: LruCache<Handle, Arc<File>>,
    /// When the control code began, by thread.
    inside: LruCache<u32, u64>,
}

impl Default for Windows {
    fn default() -> Self {
        Self { names: LruCache::new(MAX_NAMES), inside: LruCache::new(MAX_THREADS) }
    }
}

impl Windows {
    /// A handle was opened.
    pub fn named(&mut self, name: &NameRef<'_>) {
        let units: Vec<u16> = name.name.as_chunks().0.iter().map(|unit| u16::from_ne_bytes(*unit)).collect();
        let own = String::from_utf16_lossy(&units).into_bytes();
        let (target, truncated) = match name.root {
            None => (own, name.truncated),
            Some((root, opened_ns)) => match self.names.get(&(name.tgid, root, opened_ns)) {
                Some(root) if root.target.len() + own.len() < MAX_NAME => {
                    let gap: &[u8] = if own.is_empty() { b"" } else { b"\\" };
                    ([&root.target, gap, &own].concat(), name.truncated || root.truncated)
                }
                _ => (own, true),
            },
        };
        // An empty name is that of nothing in particular.
        if !target.is_empty() {
            let file = File { target, truncated, ..File::default() };
            self.names.put((name.tgid, name.handle, name.time_ns), Arc::new(file));
        }
    }

    /// A thread began to carry out a control code.
    pub fn began(&mut self, tid: u32, time_ns: u64) {
        self.inside.put(tid, time_ns);
    }

    /// It has done so.
    pub fn ended(&mut self, tid: u32) {
        self.inside.pop(&tid);
    }

    /// When the control code began that a thread's call is made for.
    pub fn parent(&self, tid: u32, time_ns: u64) -> Option<u64> {
        // Most programs are none of Windows.
        if self.inside.is_empty() {
            return None;
        }
        self.inside.peek(&tid).copied().filter(|began_ns| *began_ns <= time_ns)
    }

    /// What a handle leads to.
    pub fn target(&mut self, tgid: u32, part: &ControlPart) -> Target {
        match self.names.get(&(tgid, part.handle, part.opened_ns)) {
            Some(file) => Target::File(Arc::clone(file)),
            None => Target::Handle,
        }
    }
}

/// What a record says of a control code.
pub(super) fn control(part: &ControlPart) -> Control {
    let known = |id| Some(id).filter(|id| *id != 0);
    Control {
        function: ControlFunction::from_raw(part.function),
        handle: part.handle,
        input_len: part.input_len,
        output: part.output,
        output_len: part.output_len,
        information: (part.flags & control_flags::INFORMATION != 0).then_some(part.information),
        process: known(part.process),
        thread: known(part.thread),
        housekeeping: false,
    }
}
