//! Who is behind a file descriptor: task → files → fdtable → `struct file` → inode → superblock.

use ioctl_trace_ebpf::{FileIdentity, FileStatus};

use super::read::{Block, config, current_task, first_of, read};

/// Reads the identity of the running task's open file `fd` into `identity`, which is zero.
#[inline(always)]
pub fn identify(identity: &mut FileIdentity, block: &mut Block, fd: u32) {
    let status = match open_file(block, fd) {
        Ok(0) => FileStatus::NotOpen,
        Ok(file) => {
            identity.file = file;
            match fill(identity, block) {
                Ok(()) => FileStatus::Known,
                Err(_) => FileStatus::Unreadable,
            }
        }
        Err(_) => FileStatus::Unreadable,
    };
    identity.status = status as u32;
}

/// Address of the `struct file` behind `fd`, 0 if it is not open.
#[inline(always)]
fn open_file(block: &mut Block, fd: u32) -> Result<u64, i32> {
    let files: u64 = read(current_task(), config!(task_files_off))?;
    if files == 0 {
        return Ok(0);
    }
    let table: u64 = read(files, config!(files_fdt_off))?;
    let (max, array) = (config!(fdt_max_off), config!(fdt_fd_off));
    let table = block.fill::<16>(table, first_of([max, array]))?;
    if fd >= table.get::<u32>(max)? {
        return Ok(0);
    }
    read(table.get::<u64>(array)? + u64::from(fd) * 8, 0)
}

#[inline(always)]
fn fill(identity: &mut FileIdentity, block: &mut Block) -> Result<(), i32> {
    let (op, inode, flags) = (config!(file_op_off), config!(file_inode_off), config!(file_flags_off));
    let file = block.fill::<48>(identity.file, first_of([op, inode, flags]))?;
    identity.flags = file.get(flags)?;
    identity.f_op = file.get(op)?;
    let inode: u64 = file.get(inode)?;

    let (native, compat) = (config!(op_ioctl_off), config!(op_compat_off));
    let operations = block.fill::<16>(identity.f_op, first_of([native, compat]))?;
    identity.ioctl = operations.get(native)?;
    identity.compat_ioctl = operations.get(compat)?;

    let (mode, rdev) = (config!(inode_mode_off), config!(inode_rdev_off));
    let (ino, sb) = (config!(inode_ino_off), config!(inode_sb_off));
    let inode = block.fill::<80>(inode, first_of([mode, rdev, ino, sb]))?;
    identity.mode = u32::from(inode.get::<u16>(mode)?);
    identity.rdev = inode.get(rdev)?;
    identity.ino = inode.get(ino)?;
    let sb: u64 = inode.get(sb)?;

    let (magic, dev) = (config!(sb_magic_off), config!(sb_dev_off));
    let sb = block.fill::<96>(sb, first_of([magic, dev]))?;
    identity.magic = sb.get(magic)?;
    identity.dev = sb.get(dev)?;
    Ok(())
}
