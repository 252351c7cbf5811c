//! What is known of a program's memory.

/// What is known of a program's memory.
pub trait Memory {
    /// The known bytes from `address` on: at most `length`, fewer or none where less is known.
    fn bytes(&self, address: u64, length: u64) -> &[u8];

    /// Who is to be told what the bytes are taken for.
    fn watch(&self) -> Option<&dyn Watch> {
        None
    }
}

/// Who is told what the bytes of a memory are taken for. The same bytes may be taken for several things: by the readings
/// of a union, and before and after a call.
pub trait Watch {
    /// These bytes, a part of what the memory gave, were taken for this.
    fn taken(&self, bytes: &[u8], taken: Taken);
}

/// What bytes are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Numbers, whatever they mean.
    Number,
    /// Text that is not empty, or bytes of no known meaning that are not all zero.
    Text,
}

/// Which side of a call an argument is of.
#[derive(Clone, Copy)]
pub enum When<'m> {
    /// What the program handed over.
    Before,
    /// What it got back; with the memory before the call, whose lengths bound those that the kernel changed.
    After(Option<&'m dyn Memory>),
}

/// A memory of which nothing is known.
pub struct Nothing;

impl Memory for Nothing {
    fn bytes(&self, _: u64, _: u64) -> &[u8] {
        &[]
    }
}
