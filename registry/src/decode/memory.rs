//! What is known of a program's memory.

/// What is known of a program's memory.
pub trait Memory {
    /// The known bytes from `address` on: at most `length`, fewer or none where less is known.
    fn bytes(&self, address: u64, length: u64) -> &[u8];
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
