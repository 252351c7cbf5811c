//! The fields of a call: one definition each, which says what it is called, what it holds and how it is found.

use std::borrow::Cow;

use ioctl_registry::{
    DeviceKind, Direction, Encoding, Value,
    windows::{ControlCode, Method},
};

use crate::{
    clock::WallClock,
    decode::Decoder,
    errno::status_name,
    event::{Control, Event, File, kind_name},
};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Integer,
    /// A number of bytes.
    Size,
    /// An address.
    Address,
    /// Nanoseconds.
    Duration,
    /// Nanoseconds since the beginning of 1970.
    Time,
    /// Text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Several texts.
    Texts,
    /// A truth value.
    Truth,
    /// An error number.
    Errno,
    /// A request: its name.
    Request,
    /// A decoded value with fields of its own.
    Value,
}

impl Kind {
    /// The kind in a word or two.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integer | Self::Size => "number",
            Self::Address => "address",
            Self::Duration => "duration",
            Self::Time => "time",
            Self::Text => "text",
            Self::Word(_) => "word",
            Self::Texts => "texts",
            Self::Truth => "truth value",
            Self::Errno => "error number",
            Self::Request => "request",
            Self::Value => "value",
        }
    }

    /// What it is counted in.
    #[must_use]
    pub const fn unit(self) -> Option<&'static str> {
        match self {
            Self::Size => Some("bytes"),
            Self::Duration => Some("ns"),
            _ => None,
        }
    }
}

/// What finding a field's value takes; the cheaper ones are looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// It is there.
    None,
    /// A look at what is known of the request.
    Request,
    /// Looked up once per file or cgroup.
    Device,
    /// The argument is decoded.
    Argument,
    /// Addresses are looked up in programs.
    Stack,
}

/// A field's value in one event.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'e> {
    /// This call has none.
    Absent,
    /// A number, in the field's unit.
    Integer(i128),
    /// Text, as bytes.
    Text(Cow<'e, [u8]>),
    /// Several texts.
    Texts(Vec<Cow<'e, [u8]>>),
    /// A truth value.
    Truth(bool),
    /// A decoded value.
    Value(Value),
}

impl<'e> FieldValue<'e> {
    fn text(text: Option<impl Into<Cow<'e, str>>>) -> Self {
        match text.map(Into::into) {
            Some(Cow::Borrowed(text)) => Self::Text(Cow::Borrowed(text.as_bytes())),
            Some(Cow::Owned(text)) => Self::Text(Cow::Owned(text.into_bytes())),
            None => Self::Absent,
        }
    }

    fn number(number: Option<impl Into<i128>>) -> Self {
        number.map_or(Self::Absent, |number| Self::Integer(number.into()))
    }

    /// A decoded value. An address alone says nothing that the argument's own field does not.
    fn value(value: Option<Value>) -> Self {
        value.filter(|value| !matches!(value, Value::Pointer(_))).map_or(Self::Absent, Self::Value)
    }
}

/// What there is to say of a field.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Which field.
    pub id: FieldId,
    /// Its name: the key of JSON lines, where that is not given as another name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// What it holds.
    pub kind: Kind,
    /// What finding it takes.
    pub cost: Cost,
    /// What it is.
    pub description: &'static str,
    /// An expression with it.
    pub example: &'static str,
}

macro_rules! fields {
    ($($id:ident, $name:literal $(/ $alias:literal)*, $kind:expr, $cost:ident, $description:literal, $example:literal;)*) => {
        /// A field of a call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FieldId { $(#[doc = $description] $id,)* }

        impl FieldId {
            /// Every field, in the order of JSON lines.
            pub const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// What there is to say of it.
            #[must_use]
            pub const fn definition(self) -> Definition {
                match self {
                    $(Self::$id => Definition {
                        id: self,
                        name: $name,
                        aliases: &[$($alias,)*],
                        kind: $kind,
                        cost: Cost::$cost,
                        description: $description,
                        example: $example,
                    },)*
                }
            }
        }
    };
}

/// The kinds of files.
const KINDS: &[&str] = &[
    kind_name(DeviceKind::Char),
    kind_name(DeviceKind::Block),
    kind_name(DeviceKind::Socket),
    kind_name(DeviceKind::Fifo),
    kind_name(DeviceKind::Regular),
    kind_name(DeviceKind::Directory),
    kind_name(DeviceKind::AnonInode),
    kind_name(DeviceKind::Unknown),
];
/// The directions of arguments.
const DIRECTIONS: &[&str] = &[
    Direction::None.as_str(),
    Direction::Read.as_str(),
    Direction::Write.as_str(),
    Direction::ReadWrite.as_str(),
];

/// The ways of a control code's buffers.
const METHODS: &[&str] = &[
    Method::Buffered.as_str(),
    Method::InDirect.as_str(),
    Method::OutDirect.as_str(),
    Method::Neither.as_str(),
];

fields! {
    Ts, "ts" / "time", Kind::Time, None, "When the call began", "ts >= '2026-11-20T23:40:00Z'";
    Pid, "pid", Kind::Integer, None, "Process", "pid in (4711, 4712)";
    Tid, "tid", Kind::Integer, None, "Thread", "tid == 4711";
    NsPid, "ns_pid", Kind::Integer, Device, "Process, as it is numbered in its own namespace (with --pidns-translation)", "ns_pid == 1";
    NsTid, "ns_tid", Kind::Integer, Device, "Thread, as it is numbered in its own namespace (with --pidns-translation)", "ns_tid == 7";
    Comm, "comm", Kind::Text, None, "Name of the thread, up to 15 bytes", "comm == stty";
    Uid, "uid" / "user", Kind::Integer, None, "Real user id; users' names do too", "uid == nobody";
    Cgroup, "cgroup", Kind::Text, Device, "Path of the cgroup (version 2)", "cgroup ~ '/system.slice/*'";
    Fd, "fd", Kind::Integer, None, "File descriptor", "fd > 2";
    Path, "path", Kind::Text, None, "File behind the descriptor", "path ~ '/dev/dri/*'";
    DeviceKind, "device.kind" / "kind", Kind::Word(KINDS), None, "Kind of file", "kind == char";
    DeviceMajor, "device.major" / "major", Kind::Integer, None, "Major number of a device node", "major == 136";
    DeviceMinor, "device.minor" / "minor", Kind::Integer, None, "Minor number of a device node", "minor < 8";
    Driver, "device.driver" / "driver", Kind::Text, Device, "Driver of the device", "driver == i915";
    Module, "device.module" / "module", Kind::Text, Device, "Kernel module of the ioctl handler", "module == kvm";
    Handler, "device.handler" / "handler", Kind::Text, Device, "Kernel function that handles the file's ioctls", "handler ~ 'drm_*'";
    DeviceName, "device.name", Kind::Text, Device, "The kernel's name of a block device", "device.name == sda1";
    Filesystem, "device.filesystem" / "filesystem", Kind::Text, None, "Type of the filesystem that a file or directory is on", "filesystem == btrfs";
    Domain, "device.domain" / "domain", Kind::Text, Request, "Family of a socket", "domain == AF_INET6";
    Os, "os", Kind::Word(&["linux", "windows"]), None, "Whose program made the call: a control code is of windows", "os == windows";
    Handle, "handle", Kind::Address, None, "Handle that a control code is sent to", "handle == 0x44";
    Request, "request.name" / "request" / "request.names", Kind::Request, Request, "Request, by name, alias, number or pattern; of several that cannot be told apart, any", "request ~ VIDIOC_*";
    Number, "request.number" / "number", Kind::Integer, None, "Number of the request", "number == 0x5413";
    Direction, "request.dir" / "dir", Kind::Word(DIRECTIONS), Request, "Which way the argument travels", "dir == read-write";
    Type, "request.type" / "type", Kind::Integer, None, "Type of the request's number; a character does too", "type == 'V'";
    Nr, "request.nr" / "nr", Kind::Integer, None, "Number within the type", "nr >= 0xa0";
    Size, "request.size" / "size", Kind::Size, None, "Size of the argument in the request's number", "size > 1K";
    Code, "request.code", Kind::Text, None, "Parts of a control code, as CTL_CODE has them", "request.code ~ '*FILE_DEVICE_DISK*'";
    Method, "request.method" / "method", Kind::Word(METHODS), None, "How the buffers of a control code travel", "method == METHOD_NEITHER";
    Family, "request.family" / "family", Kind::Texts, Request, "Family of the request, as `list --families` has them", "family in (drm, v4l2)";
    Header, "request.header" / "header", Kind::Texts, Request, "Header that defines the request", "header ~ 'linux/*'";
    Arg, "arg", Kind::Address, None, "The argument as a number: mostly an address", "arg != 0";
    Argument, "arg.*", Kind::Value, Argument, "Fields of the decoded argument, before or after the call", "arg.flags has O_CLOEXEC";
    In, "in", Kind::Value, Argument, "The decoded argument before the call, and its fields in.*", "in.count > 16";
    Out, "out", Kind::Value, Argument, "The decoded argument after the call, and its fields out.*", "out.ws_col < 80";
    InLen, "in_len", Kind::Size, None, "Bytes of a control code's input buffer", "in_len > 4K";
    OutLen, "out_len", Kind::Size, None, "Bytes of a control code's output buffer", "out_len == 0";
    Ret, "ret", Kind::Integer, None, "What the call returned: below zero a negative error number, or the NTSTATUS of a warning or an error", "ret < 0";
    Errno, "errno", Kind::Errno, None, "Error, by name or number", "errno in (ENOTTY, EINVAL)";
    Status, "status", Kind::Text, None, "NTSTATUS of a control code", "status == STATUS_NOT_SUPPORTED";
    Information, "information", Kind::Integer, None, "What a control code gave besides its status: mostly the bytes that it filled", "information > 512";
    Result, "result", Kind::Value, Argument, "What the returned number means, and its fields", "result exists";
    Duration, "dur" / "dur_ns", Kind::Duration, None, "Time inside the kernel", "dur > 1ms";
    Compat, "compat", Kind::Truth, None, "Whether a 32-bit program made the call", "not compat";
    WindowsPid, "windows_pid", Kind::Integer, None, "The id that a Windows program knows its process by", "windows_pid == 32";
    WindowsTid, "windows_tid", Kind::Integer, None, "The id that a Windows program knows its thread by", "windows_tid == 36";
    Parent, "parent", Kind::Time, None, "When the control code began that the call was made for, by the same thread", "parent exists";
    Fds, "fds", Kind::Texts, None, "Files behind descriptors in the argument or the result", "fds ~ '/dev/dri/*'";
    Stack, "stack", Kind::Texts, Stack, "Functions of the program's stack (with -k)", "stack has eglSwapBuffers";
    KernelStack, "kernel_stack", Kind::Texts, Stack, "Functions of the kernel's stack (with --kernel-stack)", "kernel_stack has drm_ioctl";
    Notes, "notes", Kind::Texts, None, "What is incomplete or unusual about the call", "notes has truncated";
}

impl FieldId {
    /// A field by one of its names.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| id.names().any(|known| known == name))
    }

    /// All names of this field, its own first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let definition = self.definition();
        std::iter::once(definition.name).chain(definition.aliases.iter().copied())
    }

    /// The field's value in an event. What takes more than the event itself is asked of the decoder; the clock turns
    /// the event's time into that of the day.
    #[must_use]
    pub fn get<'e>(self, event: &'e Event, decoder: &mut Decoder, clock: &WallClock) -> FieldValue<'e> {
        let call = &event.call;
        let file = call.target.file();
        // A control code has other parts.
        let encoding = || call.control.is_none().then(|| Encoding::of(call.request, call.arch()));
        let time = |time_ns| {
            let (second, nanos) = clock.epoch(time_ns);
            FieldValue::Integer(i128::from(second) * 1_000_000_000 + i128::from(nanos))
        };
        match self {
            Self::Ts => time(call.start_ns),
            Self::Parent => call.parent_ns.map_or(FieldValue::Absent, time),
            Self::Os
            | Self::Handle
            | Self::Code
            | Self::Method
            | Self::InLen
            | Self::OutLen
            | Self::Status
            | Self::Information
            | Self::WindowsPid
            | Self::WindowsTid => match &call.control {
                Some(control) => self.of_control(control, event),
                None if self == Self::Os => FieldValue::text(Some("linux")),
                None => FieldValue::Absent,
            },
            Self::Pid => FieldValue::Integer(call.pid.into()),
            Self::Tid => FieldValue::Integer(call.tid.into()),
            Self::NsPid => FieldValue::number(decoder.ns_ids(call).map(|ids| ids.pid)),
            Self::NsTid => FieldValue::number(decoder.ns_ids(call).map(|ids| ids.tid)),
            Self::Comm => FieldValue::Text(call.comm.as_bytes().into()),
            Self::Uid => FieldValue::Integer(call.uid.into()),
            Self::Cgroup if call.cgroup == 0 => FieldValue::Absent,
            Self::Cgroup => {
                FieldValue::text(decoder.cgroup(call.cgroup, call.pid).map(|path| path.to_string()))
            }
            Self::Fd if call.control.is_some() && call.fd < 0 => FieldValue::Absent,
            Self::Fd => FieldValue::Integer(call.fd.into()),
            Self::Path => match file.filter(|file| !file.target.is_empty()) {
                Some(file) => FieldValue::Text(file.target.as_slice().into()),
                None => FieldValue::Absent,
            },
            Self::DeviceKind
            | Self::DeviceMajor
            | Self::DeviceMinor
            | Self::Driver
            | Self::Module
            | Self::Handler
            | Self::DeviceName
            | Self::Filesystem
            | Self::Domain => file.map_or(FieldValue::Absent, |file| self.of_file(file, decoder)),
            Self::Request => texts(event, ioctl_registry::Request::name),
            Self::Number => FieldValue::Integer(call.request.into()),
            Self::Direction => FieldValue::text(Some(event.direction().as_str())),
            Self::Type => FieldValue::number(encoding().map(|parts| parts.ty)),
            Self::Nr => FieldValue::number(encoding().map(|parts| parts.nr)),
            Self::Size => FieldValue::number(encoding().map(|parts| parts.size)),
            Self::Family => texts(event, ioctl_registry::Request::family),
            Self::Header => texts(event, ioctl_registry::Request::header),
            Self::Arg => FieldValue::number(call.shown_arg()),
            Self::Argument => {
                let (before, after) = decoder.arguments(event);
                FieldValue::value(after.or(before))
            }
            Self::In => FieldValue::value(decoder.arguments(event).0),
            Self::Out => FieldValue::value(decoder.arguments(event).1),
            Self::Ret => FieldValue::number(call.outcome.value()),
            Self::Errno => FieldValue::number(call.outcome.errno()),
            Self::Result => FieldValue::value(decoder.result(event)),
            Self::Duration => FieldValue::Integer(call.duration_ns.into()),
            Self::Compat => FieldValue::Truth(call.compat),
            Self::Fds => {
                let files = call.data.files.iter().filter_map(|(_, target)| target.file());
                let named = files.filter(|file| !file.target.is_empty());
                FieldValue::Texts(named.map(|file| Cow::Borrowed(file.target.as_slice())).collect())
            }
            Self::Stack => {
                let frames = decoder.user_stack(call.pid, &call.data.user_stack).into_iter();
                let symbols = frames.filter_map(|frame| frame.symbol);
                FieldValue::Texts(symbols.map(|(name, _)| Cow::Owned(name.into_bytes())).collect())
            }
            Self::KernelStack => {
                let symbols =
                    call.data.kernel_stack.iter().filter_map(|address| decoder.kernel_symbol(*address));
                FieldValue::Texts(
                    symbols.map(|(symbol, _)| Cow::Owned(symbol.name.as_bytes().to_vec())).collect(),
                )
            }
            Self::Notes => {
                let notes = event.notes().into_iter();
                FieldValue::Texts(notes.map(|note| Cow::Borrowed(note.as_bytes())).collect())
            }
        }
    }

    fn of_control<'e>(self, control: &Control, event: &'e Event) -> FieldValue<'e> {
        let code = ControlCode(event.call.request);
        match self {
            Self::Os => FieldValue::text(Some("windows")),
            Self::Handle => FieldValue::Integer(control.handle.into()),
            Self::Code => FieldValue::text(Some(code.to_string())),
            Self::Method => FieldValue::text(Some(code.parts().method.as_str())),
            Self::InLen => FieldValue::Integer(control.input_len.into()),
            Self::OutLen => FieldValue::Integer(control.output_len.into()),
            Self::Status => FieldValue::text(event.call.status().map(status_name)),
            Self::Information => FieldValue::number(control.information),
            Self::WindowsPid => FieldValue::number(control.process),
            Self::WindowsTid => FieldValue::number(control.thread),
            _ => FieldValue::Absent,
        }
    }

    fn of_file<'e>(self, file: &'e File, decoder: &mut Decoder) -> FieldValue<'e> {
        use ioctl_registry::DeviceKind;
        match self {
            Self::DeviceKind => FieldValue::text(Some(kind_name(file.kind))),
            Self::DeviceMajor => FieldValue::number(file.numbers.map(|numbers| numbers.0)),
            Self::DeviceMinor => FieldValue::number(file.numbers.map(|numbers| numbers.1)),
            Self::Driver => FieldValue::text(decoder.device(file).driver.as_deref()),
            Self::Module => FieldValue::text(decoder.device(file).module.as_deref()),
            Self::Handler => FieldValue::text(decoder.device(file).handler.as_deref()),
            Self::DeviceName => FieldValue::text(decoder.device(file).name.as_deref()),
            Self::Filesystem => {
                let stored = matches!(file.kind, DeviceKind::Regular | DeviceKind::Directory);
                FieldValue::text(Some(&*file.filesystem).filter(|name| stored && !name.is_empty()))
            }
            Self::Domain => FieldValue::text(file.domain.map(|domain| decoder.socket_family(domain))),
            _ => FieldValue::Absent,
        }
    }
}

/// What all requests say that may be meant, each once.
fn texts(event: &Event, of: fn(&'static ioctl_registry::Request) -> &'static str) -> FieldValue<'static> {
    let mut texts: Vec<_> =
        event.request.named().iter().map(|named| Cow::Borrowed(of(named.request).as_bytes())).collect();
    texts.dedup();
    FieldValue::Texts(texts)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ioctl_registry::Registry;

    use super::*;
    use crate::{decode::Detail, host::LiveHost, tui::fixture::call};

    #[test]
    fn names_are_used_once() {
        let names: Vec<_> = FieldId::ALL.iter().flat_map(|id| id.names()).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert_eq!(FieldId::find("driver"), FieldId::find("device.driver"));
    }

    #[test]
    fn values_come_from_the_event() {
        let mut decoder = Decoder::new(Registry::builtin(), Detail::AsNeeded, Box::new(LiveHost::default()));
        let clock = WallClock::fixed(1_000_000_000);
        let event = call(5).fails(25).event();
        let mut get = |id: FieldId| id.get(&event, &mut decoder, &clock);
        assert_eq!(get(FieldId::Ts), FieldValue::Integer(1_000_000_005));
        assert_eq!(get(FieldId::Comm), FieldValue::Text(b"stty".as_slice().into()));
        assert_eq!(get(FieldId::Driver), FieldValue::Text(b"pts".as_slice().into()));
        assert_eq!(get(FieldId::Request), FieldValue::Texts(vec![b"TCGETS".as_slice().into()]));
        assert_eq!(
            (get(FieldId::Ret), get(FieldId::Errno)),
            (FieldValue::Integer(-25), FieldValue::Integer(25))
        );
        assert_eq!(get(FieldId::Direction), FieldValue::Text(b"read".as_slice().into()));
        assert_eq!(get(FieldId::Module), FieldValue::Absent);
    }
}
