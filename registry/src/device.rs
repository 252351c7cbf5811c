//! What is known of the file behind a descriptor; it decides between requests that share a number.

/// What kind of file a descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceKind {
    /// Not known.
    #[default]
    Unknown,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A socket.
    Socket,
    /// A pipe or a named pipe.
    Fifo,
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A kernel object without a place in any file system, such as an event poll or a virtual machine.
    AnonInode,
}

/// A hint of what a request was addressed to. Every part may be unknown; the default knows nothing.
///
/// ```
/// use ioctl_registry::{Device, DeviceKind};
///
/// let camera = Device { kind: DeviceKind::Char, major: 81, handler: Some("v4l2_ioctl"), ..Device::default() };
/// assert_eq!(camera.magic, None);
/// assert_eq!(Device::default().kind, DeviceKind::Unknown);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Device<'a> {
    /// The kind of file.
    pub kind: DeviceKind,
    /// Major number of a device; 0 with minor 0 where it is not known.
    pub major: u32,
    /// Minor number of a device.
    pub minor: u32,
    /// The superblock's magic number (`statfs.f_type`), for files and directories.
    pub magic: Option<u64>,
    /// The kernel symbol of `file_operations.unlocked_ioctl`.
    pub handler: Option<&'a str>,
    /// Name of an anonymous inode, as in `anon_inode:NAME`.
    pub anon: Option<&'a str>,
    /// The family of a socket (`AF_INET`).
    pub domain: Option<u32>,
    /// The driver's name, as the device model has it: `i915`.
    pub driver: Option<&'a str>,
    /// The module that the file's operations belong to (`file_operations.owner`).
    pub owner: Option<&'a str>,
}

impl Device<'_> {
    /// Whether nothing that could tell requests apart is known.
    pub(crate) fn is_unknown(&self) -> bool {
        self.kind == DeviceKind::Unknown
            && self.magic.is_none()
            && self.handler.is_none()
            && self.anon.is_none()
            && self.domain.is_none()
            && self.driver.is_none()
            && self.owner.is_none()
    }

    /// Whether this is a file or directory of some file system, or could be.
    pub(crate) fn may_be_file(&self) -> bool {
        matches!(self.kind, DeviceKind::Regular | DeviceKind::Directory | DeviceKind::Unknown)
    }
}
