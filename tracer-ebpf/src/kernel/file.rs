//! Who is behind a file descriptor: task → files → fdtable → `struct file` → inode → superblock.

use ioctl_trace_ebpf::{FileIdentity, FileStatus};

use super::read::{config, current_task, read};

/// Reads the identity of the running task's open file `fd`.
#[inline(always)]
pub fn identify(fd: u32) -> FileIdentity {
    let mut identity = FileIdentity::default();
    let status = match open_file(fd) {
        Ok(0) => FileStatus::NotOpen,
        Ok(file) => {
            identity.file = file;
            match fill(&mut identity) {
                Ok(()) => FileStatus::Known,
                Err(_) => FileStatus::Unreadable,
            }
        }
        Err(_) => FileStatus::Unreadable,
    };
    identity.status = status as u32;
    identity
}

/// Address of the `struct file` behind `fd`, 0 if it is not open.
#[inline(always)]
fn open_file(fd: u32) -> Result<u64, i32> {
    let files: u64 = read(current_task(), config!(task_files_off))?;
    if files == 0 {
        return Ok(0);
    }
    let table: u64 = read(files, config!(files_fdt_off))?;
    let max: u32 = read(table, config!(fdt_max_off))?;
    if fd >= max {
        return Ok(0);
    }
    let array: u64 = read(table, config!(fdt_fd_off))?;
    read(array + u64::from(fd) * 8, 0)
}

#[inline(always)]
fn fill(identity: &mut FileIdentity) -> Result<(), i32> {
    let file = identity.file;
    identity.flags = read(file, config!(file_flags_off))?;
    identity.f_op = read(file, config!(file_op_off))?;
    identity.ioctl = read(identity.f_op, config!(op_ioctl_off))?;
    identity.compat_ioctl = read(identity.f_op, config!(op_compat_off))?;
    let inode: u64 = read(file, config!(file_inode_off))?;
    identity.mode = u32::from(read::<u16>(inode, config!(inode_mode_off))?);
    identity.rdev = read(inode, config!(inode_rdev_off))?;
    identity.ino = read(inode, config!(inode_ino_off))?;
    let sb: u64 = read(inode, config!(inode_sb_off))?;
    identity.magic = read(sb, config!(sb_magic_off))?;
    identity.dev = read(sb, config!(sb_dev_off))?;
    Ok(())
}
