//! The path behind a file, walked once per file and sent ahead of its first call, so that it is known even when the
//! process is gone by the time the user side looks.

use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_probe_read_kernel_str};
use ioctl_trace_ebpf::{
    FILESYSTEM_BYTES, FileRecord, KnownFile, MODULE_BYTES, PATH_BYTES, RecordKind, file_flags,
};

use super::{
    current::Task,
    maps::{count, header, reserve, submit},
    read::{config, read},
};

/// Longest name of a directory entry, its NUL included (`NAME_MAX + 1`).
const NAME_BYTES: usize = 256;
/// Directory levels and mount crossings followed at most.
const MAX_STEPS: usize = 40;

/// Sends the file's path, and the name of its filesystem. `false` if there was no room for it.
#[inline(always)]
pub fn announce(known: &KnownFile, sb: u64, fd: u32) -> bool {
    let Some(mut entry) = reserve::<FileRecord>() else {
        count(|c| c.lost_control += 1);
        return false;
    };
    let record = entry.as_mut_ptr();
    // SAFETY: `record` points to reserved memory of the record's size; every field is written here, the texts with zeros
    // before names are copied into them, so that nothing stale reaches the user side.
    unsafe {
        (*record).file = known.identity;
        (*record).tgid = Task::current().tgid();
        (*record).fd = fd;
        (*record).reserved = 0;
        let ty = read::<u64>(sb, config!(sb_type_off)).unwrap_or(0);
        let name = read::<u64>(ty, config!(fs_name_off)).unwrap_or(0);
        text::<FILESYSTEM_BYTES>(&raw mut (*record).filesystem, name);
        let module = read::<u64>(known.identity.f_op, config!(op_owner_off)).unwrap_or(0);
        let name = if module == 0 { 0 } else { module + u64::from(config!(module_name_off)) };
        text::<MODULE_BYTES>(&raw mut (*record).owner, name);
        let path = &raw mut (*record).path;
        clear(path);
        let file = known.identity.file;
        let mut flags = walk(path.cast::<u8>(), &raw mut (*record).path_len, file, known.mark.dentry);
        // Roots of trees are unhashed as well, but their names are not in a directory that could lose them.
        if known.mark.pprev == 0 && known.mark.parent != known.mark.dentry {
            flags |= file_flags::DELETED;
        }
        (*record).header = header(RecordKind::File, flags, bpf_ktime_get_ns());
    }
    submit(entry);
    true
}

/// Zeros.
///
/// # Safety
/// `to` must be valid for writing, and begin at a multiple of 8.
#[inline(always)]
pub unsafe fn clear<const BYTES: usize>(to: *mut [u8; BYTES]) {
    for word in 0..BYTES / 8 {
        // SAFETY: see above.
        unsafe { to.cast::<u64>().add(word).write_volatile(0) };
    }
}

/// A text of the kernel's, filled up with zeros; nothing but these if it cannot be read.
///
/// # Safety
/// As for [`clear`].
#[inline(always)]
unsafe fn text<const BYTES: usize>(to: *mut [u8; BYTES], from: u64) {
    // SAFETY: see above; the helper checks the source.
    unsafe {
        clear(to);
        bpf_probe_read_kernel_str(to.cast(), BYTES as u32, from as *const core::ffi::c_void);
    }
}

/// Copies the components from the innermost outwards, crossing mounts. Returns [`file_flags`].
///
/// The number of bytes used lives behind `used`, in memory whose contents the verifier does not follow: as a local
/// variable it would have another range in every round, and the verifier would look at each round's rest separately
/// (0.8 s instead of a few milliseconds).
///
/// # Safety
/// `path` must be valid for writing `PATH_BYTES` bytes, `used` for reading and writing.
#[inline(always)]
unsafe fn walk(path: *mut u8, used: *mut u32, file: u64, mut dentry: u64) -> u16 {
    // SAFETY: see above.
    unsafe { used.write_volatile(0) };
    let Ok(mut mnt) = read::<u64>(file, config!(file_mnt_off)) else { return file_flags::TRUNCATED };
    for step in 0..MAX_STEPS {
        let Ok(root) = read::<u64>(mnt, config!(mnt_root_off)) else { break };
        if dentry == root {
            let mount = mnt - u64::from(config!(mount_mnt_off));
            let Ok(parent) = read::<u64>(mount, config!(mount_parent_off)) else { break };
            if parent == mount {
                return 0;
            }
            let Ok(point) = read::<u64>(mount, config!(mount_point_off)) else { break };
            dentry = point;
            mnt = parent + u64::from(config!(mount_mnt_off));
            continue;
        }
        let Ok(parent) = read::<u64>(dentry, config!(dentry_parent_off)) else { break };
        let Ok(name) = read::<u64>(dentry, config!(dentry_name_off)) else { break };
        // SAFETY: see above.
        let start = unsafe { used.read_volatile() } as usize;
        if start > PATH_BYTES - NAME_BYTES {
            break;
        }
        // SAFETY: `start + NAME_BYTES <= PATH_BYTES`; the helper checks the source.
        let copied = unsafe {
            bpf_probe_read_kernel_str(
                path.add(start).cast(),
                NAME_BYTES as u32,
                name as *const core::ffi::c_void,
            )
        };
        if copied <= 0 {
            break;
        }
        // SAFETY: see above.
        unsafe { used.write_volatile(start as u32 + copied as u32) };
        if parent == dentry {
            return if step == 0 { file_flags::PSEUDO } else { 0 };
        }
        dentry = parent;
    }
    file_flags::TRUNCATED
}
