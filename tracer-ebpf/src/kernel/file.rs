//! Who is behind a file descriptor: `struct file` → inode → superblock. What a file is does not change while it is open, so
//! all of it is read once and remembered; afterwards a few words tell that it is the same.

use ioctl_trace_ebpf::{FileIdentity, FileMark, FileStatus, KnownFile};

use super::{
    current::{Task, cast, walk},
    maps::{FILES, Scratch, scratch},
    path,
    read::{Block, config, first_of, read},
};

/// Magic number of the filesystem of sockets (`SOCKFS_MAGIC`).
const SOCKFS: u64 = 0x534f_434b;

/// Whether a descriptor of the running task leads to the same file as before.
#[inline(always)]
pub fn is_still(before: &KnownFile, task: Task, fd: u32) -> bool {
    let (Some(Scratch { file, block }), Ok(address)) = (scratch(), task.open_file(fd)) else { return false };
    address != 0 && look(file, block, address).is_ok() && is_same(before, file)
}

/// The file behind a descriptor of the running task. Its path is sent unless the user side has it already.
#[inline(always)]
pub fn of(fd: u32) -> Option<&'static KnownFile> {
    describe(fd);
    scratch().map(|scratch| &scratch.file)
}

/// Finds out what is behind a descriptor of the running task; the answer lies in this CPU's [`Scratch`].
///
/// A global function: the verifier looks at it once, whoever calls it, and it has a stack frame of its own.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn describe(fd: u32) -> u32 {
    let Some(Scratch { file, block }) = scratch() else { return FileStatus::Unreadable as u32 };
    let status = match Task::current().open_file(fd) {
        Ok(0) => FileStatus::NotOpen,
        Ok(address) => match identify(file, block, address, fd) {
            Ok(()) => return FileStatus::Known as u32,
            Err(_) => FileStatus::Unreadable,
        },
        Err(_) => FileStatus::Unreadable,
    };
    *file = KnownFile {
        identity: FileIdentity { status: status as u32, ..FileIdentity::NOTHING },
        mark: FileMark::NOTHING,
    };
    status as u32
}

#[inline(always)]
fn identify(known: &mut KnownFile, block: &mut Block, address: u64, fd: u32) -> Result<(), i32> {
    let sb = look(known, block, address)?;
    if let Some(before) = FILES.get_ptr(address) {
        // SAFETY: map values live until the program ends; a torn read only means that all is read once more.
        let before = unsafe { &*before };
        if is_same(before, known) {
            known.identity = FileIdentity { flags: known.identity.flags, ..before.identity };
            return Ok(());
        }
    }
    let identity = &mut known.identity;
    let (native, compat) = (config!(op_ioctl_off), config!(op_compat_off));
    let operations = block.fill::<16>(identity.f_op, first_of([native, compat]))?;
    identity.ioctl = operations.get(native)?;
    identity.compat_ioctl = operations.get(compat)?;
    identity.magic = read(sb, config!(sb_magic_off))?;
    identity.dev = read(sb, config!(sb_dev_off))?;
    identity.domain = 0;
    if identity.magic == SOCKFS {
        let socket = read(address, config!(file_private_off))?;
        let sock: u64 = read(socket, config!(socket_sk_off))?;
        // A socket that is being closed has none.
        identity.domain = read::<u16>(sock, config!(sock_family_off)).map_or(0, u32::from);
    }
    identity.status = FileStatus::Known as u32;
    if config!(summary_only) != 0 || path::announce(known, sb, fd) {
        // A failure only means that all is read, and sent, with the next call again.
        let _ = FILES.insert(address, &*known, 0);
    }
    Ok(())
}

/// Reads what tells one file from another. Gives the superblock.
#[inline(always)]
fn look(known: &mut KnownFile, block: &mut Block, address: u64) -> Result<u64, i32> {
    if config!(has_cast) != 0 {
        // SAFETY: the address is that of a file.
        return Ok(unsafe { look_typed(known, address) });
    }
    look_anywhere(known, block, address)
}

/// By plain loads.
///
/// # Safety
/// There must be a file at the address, or have been.
#[inline(always)]
unsafe fn look_typed(known: &mut KnownFile, address: u64) -> u64 {
    let (identity, mark) = (&mut known.identity, &mut known.mark);
    // SAFETY: the verifier knows all types from that of the file on.
    unsafe {
        let file = cast(address, config!(type_file));
        let inode: u64 = walk(file, config!(file_inode_off));
        let dentry: u64 = walk(file, config!(file_dentry_off));
        identity.file = address;
        identity.f_op = walk(file, config!(file_op_off));
        identity.flags = walk(file, config!(file_flags_off));
        identity.mode = u32::from(walk::<u16>(inode, config!(inode_mode_off)));
        identity.rdev = walk(inode, config!(inode_rdev_off));
        identity.ino = walk(inode, config!(inode_ino_off));
        mark.inode = inode;
        mark.dentry = dentry;
        mark.name_hash = walk(dentry, config!(dentry_hash_off));
        mark.parent = walk(dentry, config!(dentry_parent_off));
        mark.pprev = walk(dentry, config!(dentry_pprev_off));
        walk(inode, config!(inode_sb_off))
    }
}

/// By helpers.
#[inline(always)]
fn look_anywhere(known: &mut KnownFile, block: &mut Block, address: u64) -> Result<u64, i32> {
    let (identity, mark) = (&mut known.identity, &mut known.mark);
    let (op, inode, flags) = (config!(file_op_off), config!(file_inode_off), config!(file_flags_off));
    let dentry = config!(file_dentry_off);
    let part = block.fill::<80>(address, first_of([op, inode, flags, dentry]))?;
    identity.file = address;
    identity.f_op = part.get(op)?;
    identity.flags = part.get(flags)?;
    mark.inode = part.get(inode)?;
    mark.dentry = part.get(dentry)?;

    let (mode, rdev) = (config!(inode_mode_off), config!(inode_rdev_off));
    let (ino, sb) = (config!(inode_ino_off), config!(inode_sb_off));
    let part = block.fill::<80>(mark.inode, first_of([mode, rdev, ino, sb]))?;
    identity.mode = u32::from(part.get::<u16>(mode)?);
    identity.rdev = part.get(rdev)?;
    identity.ino = part.get(ino)?;
    let sb = part.get(sb)?;

    let (hash, parent) = (config!(dentry_hash_off), config!(dentry_parent_off));
    let pprev = config!(dentry_pprev_off);
    let part = block.fill::<40>(mark.dentry, first_of([hash, parent, pprev]))?;
    mark.name_hash = part.get(hash)?;
    mark.parent = part.get(parent)?;
    mark.pprev = part.get(pprev)?;
    Ok(sb)
}

#[inline(always)]
fn is_same(before: &KnownFile, now: &KnownFile) -> bool {
    let (a, b) = (&before.identity, &now.identity);
    let (old, new) = (&before.mark, &now.mark);
    a.file == b.file
        && a.f_op == b.f_op
        && a.ino == b.ino
        && a.rdev == b.rdev
        && a.mode == b.mode
        && old.inode == new.inode
        && old.dentry == new.dentry
        && old.name_hash == new.name_hash
        && old.parent == new.parent
        && old.pprev == new.pprev
}
