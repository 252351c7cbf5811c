//! The capture plan: which bytes of a program's memory the kernel side copies for a request. Data that the user side
//! compiles from the registry; the kernel side knows no request.
//!
//! Memory is copied in *segments*. The first is what the argument points to. A segment's [`Node`] says what its elements
//! are, and lists the [`Step`]s that lead from each element to further segments.

/// Travels from the program to the kernel: copied when the call begins.
pub const PLAN_IN: u32 = 1;
/// Travels from the kernel to the program: copied when the call has returned.
pub const PLAN_OUT: u32 = 2;

/// A node without steps: bytes.
pub const NO_NODE: u32 = 0;

/// Segments of one copying at most; what lies behind further pointers is left out and the record says so.
pub const MAX_SEGMENTS: usize = 128;

/// The largest `--max-bytes`.
pub const MAX_CAPTURE: u32 = 64 * 1024;

/// Key of the map `PLANS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PlanKey {
    /// Request number.
    pub request: u32,
    /// 1 for calls through the 32-bit system call table.
    pub compat: u32,
}

/// What to copy for a request; one that has no plan is copied as its number says.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Bytes that the argument points to, 0 for none.
    pub size: u32,
    /// Index of their [`Node`], [`NO_NODE`] for bytes.
    pub node: u32,
    /// [`PLAN_IN`], [`PLAN_OUT`], of these bytes and of all that is found through them.
    pub dir: u32,
    /// The part of `dir` that a call does not earn by failing.
    pub on_success: u32,
    /// The argument itself is a descriptor.
    pub arg_is_fd: u32,
    /// The result is a descriptor.
    pub result_is_fd: u32,
    /// The argument points to a text that a NUL ends; `size` is the most that it may have.
    pub text: u32,
    /// Always 0.
    pub reserved: u32,
}

impl Plan {
    /// What is copied for a request without a plan: as many bytes as its number says, in the direction that it says (in the
    /// layout of `asm-generic/ioctl.h`).
    #[must_use]
    #[inline(always)]
    pub const fn of_number(request: u32) -> Self {
        let (size, dir) = (request >> 16 & 0x3fff, request >> 30);
        let dir = if size == 0 {
            0
        } else {
            // What the number calls write is written by the program.
            (if dir & 1 != 0 { PLAN_IN } else { 0 }) | (if dir & 2 != 0 { PLAN_OUT } else { 0 })
        };
        Self {
            size,
            node: NO_NODE,
            dir,
            on_success: if dir == PLAN_OUT { PLAN_OUT } else { 0 },
            arg_is_fd: 0,
            result_is_fd: 0,
            text: 0,
            reserved: 0,
        }
    }
}

/// A kind of element, in the map `NODES`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// Bytes from one element to the next; 0 if there is one only.
    pub size: u32,
    /// Index of its first [`Step`].
    pub first: u32,
    /// How many steps.
    pub steps: u32,
    /// Always 0.
    pub reserved: u32,
}

/// What a step finds.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Bytes.
    Bytes = 0,
    /// A text that a NUL ends; the length is the most that it may have.
    Text = 1,
    /// A descriptor, `pointer` bytes wide, whose file is identified.
    Descriptor = 2,
}

/// A way from an element to another segment, in the map `STEPS`. Offsets and sizes are in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Step {
    /// Where in the element the pointer lies; or, without one, where the segment begins.
    pub offset: u32,
    /// Bytes of the pointer: 4 or 8; 0 if the segment lies at `offset` itself.
    pub pointer: u32,
    /// [`PLAN_IN`], [`PLAN_OUT`]. What lies at `offset` itself travels as its element does, unless a value chooses it.
    pub dir: u32,
    /// The segment's node.
    pub node: u32,
    /// Where in the element its length stands.
    pub length_offset: u32,
    /// Bytes of that field: 1, 2, 4 or 8; 0 if the length is `unit`.
    pub length_width: u32,
    /// Bytes per unit of the length.
    pub unit: u32,
    /// Bytes by which that is too much: those of the element in front of the segment.
    pub less: u32,
    /// If not 0, the directions in which what lies at `offset` itself travels, whatever its element does.
    pub only: u32,
    /// A [`StepKind`].
    pub kind: u32,
    /// Table of the map `CHOICES` that gives the node, 0 for none.
    pub table: u32,
    /// The directions in which `node` travels where the value is not in the table: 0 if such a value leads nowhere.
    pub otherwise: u32,
    /// Where in the element the value stands that chooses.
    pub choice_offset: u32,
    /// Bytes of that field.
    pub choice_width: u32,
    /// The bits of it that choose.
    pub choice_mask: u32,
}

/// Key of the map `CHOICES`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChoiceKey {
    /// As in [`Step`].
    pub table: u32,
    /// The value, cut to 32 bits.
    pub value: u32,
}

/// What a value chooses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The segment's node.
    pub node: u32,
    /// Bytes of the segment, 0 if the step says how many.
    pub size: u32,
    /// [`PLAN_IN`], [`PLAN_OUT`].
    pub dir: u32,
    /// A [`StepKind`].
    pub kind: u32,
}

/// What a [`SegmentHeader`] is followed by.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// Bytes of the program's memory.
    Memory = 0,
    /// Return addresses of the program, innermost first, 8 bytes each.
    UserStack = 1,
    /// Return addresses in the kernel, innermost first, 8 bytes each.
    KernelStack = 2,
    /// The [`FileIdentity`](crate::FileIdentity) of the descriptor that `address` is.
    File = 3,
    /// A [`ControlPart`](crate::ControlPart).
    Control = 4,
}

impl SegmentKind {
    /// The kind for a number found in a record, if it is one we know.
    #[must_use]
    pub const fn from_raw(raw: u16) -> Option<Self> {
        Some(match raw {
            0 => Self::Memory,
            1 => Self::UserStack,
            2 => Self::KernelStack,
            3 => Self::File,
            4 => Self::Control,
            _ => return None,
        })
    }
}

/// Flags of a segment.
pub mod segment_flags {
    /// The limit of the call was reached: fewer bytes than there are.
    pub const TRUNCATED: u16 = 1;
    /// Not all of it could be read.
    pub const UNREADABLE: u16 = 2;
    /// On the user side: its bytes were left out, and are zeros.
    pub const REDACTED: u16 = 4;
}

/// Begin of a segment in a record; `length` bytes follow, and zeros up to a multiple of 8.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Where the bytes were in the program's memory.
    pub address: u64,
    /// Bytes that should have been copied.
    pub wanted: u32,
    /// Bytes that were.
    pub length: u32,
    /// A [`SegmentKind`].
    pub kind: u16,
    /// [`segment_flags`].
    pub flags: u16,
    /// Always 0.
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<Plan>() == 32);
    assert!(size_of::<Node>() == 16);
    assert!(size_of::<Step>() == 60);
    assert!(size_of::<Choice>() == 16);
    assert!(size_of::<SegmentHeader>() == 24);
};
