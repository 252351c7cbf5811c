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

#[cfg(test)]
mod tests {
    use ioctl_trace_ebpf::{ControlBegun, NAME_BYTES, NameRecord, RecordHeader, RecordKind, call_flags};

    use super::*;
    use crate::{
        assemble::{Assembled, Assembler},
        event::{Call, Outcome},
        host::RecordedHost,
        raw, recording,
        wire::{self, Record},
    };

    fn name(handle: u64, time_ns: u64, root: (u64, u64), text: &str) -> NameRecord {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_ne_bytes).collect();
        let mut bytes = [0; NAME_BYTES];
        let kept = units.len().min(NAME_BYTES);
        bytes[..kept].copy_from_slice(&units[..kept]);
        NameRecord {
            header: RecordHeader { kind: RecordKind::Handle as u16, time_ns, ..RecordHeader::default() },
            handle,
            root: root.0,
            root_opened_ns: root.1,
            tgid: 7,
            length: u32::try_from(units.len()).expect("short"),
            name: bytes,
        }
    }

    /// The target of a handle after some were opened.
    fn target(names: &[NameRecord], handle: u64, opened_ns: u64) -> Option<(String, bool)> {
        let mut windows = Windows::default();
        for name in names {
            let bytes = raw::bytes_of(name);
            let Ok(Record::Name(_, name)) = wire::parse(&bytes) else { panic!("a name") };
            windows.named(&name);
        }
        let part = ControlPart { handle, opened_ns, ..ControlPart::default() };
        let target = windows.target(7, &part);
        let file = target.file()?;
        Some((String::from_utf8(file.target.clone()).expect("UTF-8"), file.truncated))
    }

    #[test]
    fn handles_have_the_names_that_they_were_opened_by() {
        let drive = name(0x30, 10, (0, 0), "\\??\\C:");
        let known = |text: &str| Some((text.to_owned(), false));
        assert_eq!(target(&[drive], 0x30, 10), known("\\??\\C:"));
        assert_eq!(target(&[drive], 0x30, 11), None, "the handle was opened again, and its name not seen");
        assert_eq!(target(&[drive], 0x34, 10), None);
        let below = name(0x34, 20, (0x30, 10), "a\\b");
        assert_eq!(target(&[drive, below], 0x34, 20), known("\\??\\C:\\a\\b"));
        let lost = target(&[below], 0x34, 20);
        assert_eq!(lost, Some(("a\\b".to_owned(), true)), "its root is not known");
        let long = target(&[name(0x30, 1, (0, 0), &"x".repeat(300))], 0x30, 1).expect("a name");
        assert!(long.1 && long.0.len() == NAME_BYTES / 2);
        let hostile = name(0x30, 1, (0, 0), "\u{1b}[2J");
        assert_eq!(target(&[hostile], 0x30, 1), known("\u{1b}[2J"), "outputs make it harmless");
    }

    fn call(assembler: &mut Assembler, record: &[u8]) -> Call {
        match assembler.record(record, &mut RecordedHost::default()) {
            Assembled::Call(call) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn calls_for_a_code_know_it() {
        let mut assembler = Assembler::default();
        let begin = ioctl_trace_ebpf::DataRecord {
            header: RecordHeader { kind: RecordKind::Data as u16, time_ns: 50, ..RecordHeader::default() },
            tid: 9,
            control: 1,
        };
        assembler.record(&raw::bytes_of(&begin), &mut RecordedHost::default());
        let ioctl = |tid, time_ns| {
            raw::bytes_of(&ioctl_trace_ebpf::CallRecord {
                header: RecordHeader { kind: RecordKind::Call as u16, time_ns, ..RecordHeader::default() },
                tid,
                ..Default::default()
            })
        };
        assert_eq!(call(&mut assembler, &ioctl(9, 60)).parent_ns, Some(50));
        assert_eq!(call(&mut assembler, &ioctl(8, 60)).parent_ns, None, "of another thread");
        assert_eq!(call(&mut assembler, &ioctl(9, 40)).parent_ns, None, "it began before");
        let part = ControlPart { handle: 0x44, function: 1, input_len: 3, ..ControlPart::default() };
        let flags = u32::from(call_flags::CONTROL);
        let begun =
            ControlBegun { enter_ns: 50, code: 0x9009c, flags, tgid: 7, part, ..ControlBegun::default() };
        let running = call(&mut assembler, &recording::running_control(9, &begun, 90));
        assert_eq!((running.outcome, running.duration_ns, running.pid), (Outcome::Running, 40, 7));
        let control = running.control.expect("a code");
        assert_eq!(
            (control.handle, control.function_name(), control.input_len),
            (0x44, "NtFsControlFile", 3)
        );
        assert_eq!(call(&mut assembler, &ioctl(9, 95)).parent_ns, None, "it is over");
    }
}
