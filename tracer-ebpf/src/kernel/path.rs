//! The path behind a file, walked once per file and sent ahead of its first call, so that it is known even when the
//! process is gone by the time the user side looks.

use aya_ebpf::{
    helpers::generated::{bpf_ktime_get_ns, bpf_probe_read_kernel_str},
    maps::ring_buf::RingBufEntry,
};
use ioctl_trace_ebpf::{FileIdentity, FileRecord, PATH_BYTES, RecordKind, file_flags};

use super::{
    maps::{SENT_PATHS, SentPath, count, header, reserve, submit},
    read::{Block, config, first_of, read},
};

/// Longest name of a directory entry, its NUL included (`NAME_MAX + 1`).
const NAME_BYTES: usize = 256;
/// Directory levels and mount crossings followed at most.
const MAX_STEPS: usize = 40;

/// Sends the file's path unless the user side has it already.
#[inline(always)]
pub fn announce(block: &mut Block, file: &FileIdentity, tgid: u32, fd: u32) {
    let Ok(now) = names(block, file.file) else { return };
    if let Some(sent) = SENT_PATHS.get_ptr(file.file) {
        // SAFETY: map values live until the program ends; a torn read only sends the path once more.
        if unsafe { *sent } == now {
            return;
        }
    }
    let Some(entry) = reserve::<FileRecord>() else {
        count(|c| c.lost_control += 1);
        return;
    };
    send(entry, file, &now, tgid, fd);
    // A failure leaves the path unknown to this side; it is then sent again with the next call.
    let _ = SENT_PATHS.insert(file.file, now, 0);
}

#[inline(always)]
fn names(block: &mut Block, file: u64) -> Result<SentPath, i32> {
    let dentry: u64 = read(file, config!(file_dentry_off))?;
    let (hash, parent, pprev) =
        (config!(dentry_hash_off), config!(dentry_parent_off), config!(dentry_pprev_off));
    let block = block.fill::<40>(dentry, first_of([hash, parent, pprev]))?;
    Ok(SentPath { dentry, name_hash: block.get(hash)?, parent: block.get(parent)?, pprev: block.get(pprev)? })
}

#[inline(always)]
fn send(mut entry: RingBufEntry<FileRecord>, file: &FileIdentity, names: &SentPath, tgid: u32, fd: u32) {
    let record = entry.as_mut_ptr();
    // SAFETY: `record` points to reserved memory of the record's size; every field but `path` is written here, and
    // `path` is zeroed before names are copied into it, so that nothing stale reaches the user side.
    unsafe {
        (*record).file = *file;
        (*record).tgid = tgid;
        (*record).fd = fd;
        (*record).reserved = 0;
        let path = (&raw mut (*record).path).cast::<u64>();
        for word in 0..PATH_BYTES / 8 {
            path.add(word).write_volatile(0);
        }
        let mut flags = walk(
            (&raw mut (*record).path).cast::<u8>(),
            &raw mut (*record).path_len,
            file.file,
            names.dentry,
        );
        // Roots of trees are unhashed as well, but their names are not in a directory that could lose them.
        if names.pprev == 0 && names.parent != names.dentry {
            flags |= file_flags::DELETED;
        }
        (*record).header = header(RecordKind::File, flags, bpf_ktime_get_ns());
    }
    submit(entry);
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
