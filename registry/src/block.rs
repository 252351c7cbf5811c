//! Blocks of numbers that the kernel's ioctl-number document assigns to drivers.

/// An edition of the kernel's ioctl-number document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Edition {
    /// The widely mirrored edition that covers "most drivers up to 2.6.31".
    Linux2_6_31,
    /// The edition of Linux 6.12.
    Linux6_12,
}

impl Edition {
    /// The kernel version, as the table names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux2_6_31 => "2.6.31",
            Self::Linux6_12 => "6.12",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Linux2_6_31, Self::Linux6_12].into_iter().find(|edition| edition.as_str() == text)
    }
}

/// A block of numbers of one type, assigned to a driver or a subsystem. Blocks overlap.
///
/// ```
/// use ioctl_registry::Registry;
///
/// let block = Registry::builtin().blocks(0xfd, 0x00).next().unwrap();
/// assert_eq!(block.headers().collect::<Vec<_>>(), ["linux/dm-ioctl.h"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The type: a driver's letter or code.
    pub ty: u8,
    /// First number of the block.
    pub first: u8,
    /// Last number of the block.
    pub last: u8,
    /// The comment, such as `conflict!` or the driver's name; may be empty.
    pub comment: &'static str,
    /// The newest edition that lists the block.
    pub newest: Edition,
    /// The oldest edition that lists the block.
    pub oldest: Edition,
    headers: &'static str,
}

impl Block {
    /// The files that define the block's requests, as the document names them; none for drivers outside the kernel.
    pub fn headers(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.headers.split(',').filter(|header| !header.is_empty())
    }

    /// Whether the block holds a number of its type.
    #[must_use]
    pub fn contains(&self, nr: u8) -> bool {
        (self.first..=self.last).contains(&nr)
    }

    /// Whether an edition of the document lists the block.
    #[must_use]
    pub fn is_in(&self, edition: Edition) -> bool {
        // With two editions, what both ends name is all there is.
        edition == self.oldest || edition == self.newest
    }

    /// A line of `blocks.tsv`.
    pub(crate) fn parse(line: &'static str) -> Option<Self> {
        let [ty, first, last, editions, headers, comment] = crate::parse::columns(line)?;
        let mut editions = editions.split(',').map(Edition::parse);
        let oldest = editions.next()??;
        let newest = editions.try_fold(oldest, |_, edition| edition)?;
        let byte = crate::parse::hex_byte;
        Some(Self { ty: byte(ty)?, first: byte(first)?, last: byte(last)?, comment, newest, oldest, headers })
    }
}
