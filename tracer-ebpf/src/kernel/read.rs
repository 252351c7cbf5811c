//! Reading kernel memory at raw addresses, and the settings.

use aya_ebpf::helpers::{
    bpf_probe_read_kernel, generated::bpf_probe_read_kernel as bpf_probe_read_kernel_bytes,
};
use ioctl_trace_ebpf::Config;

/// Written by the user side before the object is loaded.
#[unsafe(no_mangle)]
static CONFIG: Config = Config::ZERO;

/// A setting. The read is volatile because the compiler would otherwise use the zero it sees.
macro_rules! config {
    ($field:ident) => {
        $crate::kernel::read::setting(|config| &config.$field)
    };
}
pub(crate) use config;

#[inline(always)]
pub fn setting(field: impl FnOnce(&'static Config) -> &'static u32) -> u32 {
    // SAFETY: a reference to a static is valid to read.
    unsafe { core::ptr::read_volatile(field(&CONFIG)) }
}

/// Reads a `T` at `base + offset`; the error is that of the helper.
#[inline(always)]
pub fn read<T>(base: u64, offset: u32) -> Result<T, i32> {
    // SAFETY: `bpf_probe_read_kernel` checks the address and fails instead of faulting.
    unsafe { bpf_probe_read_kernel((base + u64::from(offset)) as *const T) }
}

/// Copies a value word by word. A plain assignment becomes a loop over single bytes, which costs more than a call of a helper.
///
/// # Safety
/// Both must be aligned to 8 bytes, `from` valid for reading and `to` for writing.
#[inline(always)]
pub unsafe fn copy<T: Copy>(from: *const T, to: *mut T) {
    const { assert!(size_of::<T>() % 8 == 0) };
    for word in 0..size_of::<T>() / 8 {
        // SAFETY: see above.
        unsafe { to.cast::<u64>().add(word).write_volatile(from.cast::<u64>().add(word).read_volatile()) };
    }
}

/// Words of a [`Block`].
const BLOCK_WORDS: usize = 10;

/// The interesting part of a structure, copied at once: what a read costs is the call of the helper, not the bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Block {
    words: [u64; BLOCK_WORDS],
}

impl Block {
    /// Copies the structure at `address` from offset `first` on; gives the part that can then be asked for members.
    #[inline(always)]
    pub fn fill<const BYTES: usize>(&mut self, address: u64, first: u32) -> Result<Part<'_, BYTES>, i32> {
        const { assert!(BYTES <= BLOCK_WORDS * 8) };
        let from = (address + u64::from(first)) as *const core::ffi::c_void;
        // SAFETY: the block has room for `BYTES`; the helper checks the source.
        let status =
            unsafe { bpf_probe_read_kernel_bytes(self.words.as_mut_ptr().cast(), BYTES as u32, from) };
        if status == 0 { Ok(Part { block: self, address, first }) } else { Err(status as i32) }
    }
}

/// `BYTES` of a structure in a [`Block`].
pub struct Part<'b, const BYTES: usize> {
    block: &'b Block,
    address: u64,
    first: u32,
}

impl<const BYTES: usize> Part<'_, BYTES> {
    /// A member at an offset of the structure; one that lies outside of the part is read by itself. Offsets are
    /// constants to the verifier, which removes the way that is not taken.
    #[inline(always)]
    pub fn get<T: Copy>(&self, offset: u32) -> Result<T, i32> {
        if offset < self.first || (offset - self.first) as usize + size_of::<T>() > BYTES {
            return read(self.address, offset);
        }
        let start = self.block.words.as_ptr().cast::<u8>();
        // SAFETY: the member is within the part, and integers may be made from any bytes.
        Ok(unsafe { start.add((offset - self.first) as usize).cast::<T>().read() })
    }
}

/// The least of some offsets.
#[inline(always)]
pub fn first_of<const N: usize>(offsets: [u32; N]) -> u32 {
    let mut first = u32::MAX;
    for offset in offsets {
        if offset < first {
            first = offset;
        }
    }
    first
}
