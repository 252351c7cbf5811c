//! Where the running kernel keeps what the BPF programs read: byte offsets from its BTF.

use std::{fs, io, os::fd::AsRawFd, path::Path};

use btf_rs::{Backend, Btf, BtfType, Type};
use ioctl_trace_ebpf::Config;
use nix::sys::memfd::{MFdFlags, memfd_create};

/// The running kernel's type information.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Why the offsets are not known.
#[derive(Debug, thiserror::Error)]
pub enum OffsetError {
    /// The kernel offers no type information, or it cannot be read.
    #[error(
        "cannot read the kernel's type information in {path}: {source} (the kernel must be built with CONFIG_DEBUG_INFO_BTF)"
    )]
    Btf {
        /// The file.
        path: String,
        /// What the parser says.
        source: btf_rs::Error,
        /// What to do about it.
        hint: &'static str,
    },
    /// A structure is not what this program knows.
    #[error("the kernel's type information has no `{0}`: this kernel is not supported")]
    Missing(String),
}

/// Writes every offset that the kernel side needs into `config`. Gives the id of the function `bpf_rdonly_cast`, if the kernel
/// has it.
///
/// # Errors
/// Without readable BTF, or when a member does not exist in this kernel.
pub fn fill(config: &mut Config, btf_file: &Path) -> Result<Option<u32>, OffsetError> {
    let btf = open(btf_file).map_err(|source| OffsetError::Btf {
        path: btf_file.display().to_string(),
        source,
        hint: if btf_file.exists() { "" } else { " (the kernel must be built with CONFIG_DEBUG_INFO_BTF)" },
    })?;
    let members: &mut [(&mut u32, &str)] = &mut [
        (&mut config.task_files_off, "task_struct.files"),
        (&mut config.task_signal_off, "task_struct.signal"),
        (&mut config.task_mm_off, "task_struct.mm"),
        (&mut config.mm_size_off, "mm_struct.task_size"),
        (&mut config.task_tgid_off, "task_struct.tgid"),
        (&mut config.task_pid_off, "task_struct.pid"),
        (&mut config.task_cred_off, "task_struct.cred"),
        (&mut config.cred_uid_off, "cred.uid"),
        (&mut config.cred_gid_off, "cred.gid"),
        (&mut config.task_cgroups_off, "task_struct.cgroups"),
        (&mut config.cgroups_default_off, "css_set.dfl_cgrp"),
        (&mut config.cgroup_kn_off, "cgroup.kn"),
        (&mut config.kn_id_off, "kernfs_node.id"),
        (&mut config.task_leader_off, "task_struct.group_leader"),
        (&mut config.task_start_off, "task_struct.start_time"),
        (&mut config.task_comm_off, "task_struct.comm"),
        (&mut config.task_pending_off, "task_struct.pending.signal"),
        (&mut config.signal_live_off, "signal_struct.live"),
        (&mut config.files_fdt_off, "files_struct.fdt"),
        (&mut config.fdt_max_off, "fdtable.max_fds"),
        (&mut config.fdt_fd_off, "fdtable.fd"),
        (&mut config.file_op_off, "file.f_op"),
        (&mut config.file_inode_off, "file.f_inode"),
        (&mut config.file_flags_off, "file.f_flags"),
        (&mut config.file_private_off, "file.private_data"),
        (&mut config.file_dentry_off, "file.f_path.dentry"),
        (&mut config.file_mnt_off, "file.f_path.mnt"),
        (&mut config.op_ioctl_off, "file_operations.unlocked_ioctl"),
        (&mut config.op_compat_off, "file_operations.compat_ioctl"),
        (&mut config.op_owner_off, "file_operations.owner"),
        (&mut config.module_name_off, "module.name"),
        (&mut config.inode_mode_off, "inode.i_mode"),
        (&mut config.inode_rdev_off, "inode.i_rdev"),
        (&mut config.inode_ino_off, "inode.i_ino"),
        (&mut config.inode_sb_off, "inode.i_sb"),
        (&mut config.sb_magic_off, "super_block.s_magic"),
        (&mut config.sb_dev_off, "super_block.s_dev"),
        (&mut config.sb_type_off, "super_block.s_type"),
        (&mut config.fs_name_off, "file_system_type.name"),
        (&mut config.socket_sk_off, "socket.sk"),
        (&mut config.sock_family_off, "sock.__sk_common.skc_family"),
        (&mut config.dentry_name_off, "dentry.d_name.name"),
        (&mut config.dentry_hash_off, "dentry.d_name.hash_len"),
        (&mut config.dentry_parent_off, "dentry.d_parent"),
        (&mut config.dentry_pprev_off, "dentry.d_hash.pprev"),
        (&mut config.mnt_root_off, "vfsmount.mnt_root"),
        (&mut config.mount_mnt_off, "mount.mnt"),
        (&mut config.mount_parent_off, "mount.mnt_parent"),
        (&mut config.mount_point_off, "mount.mnt_mountpoint"),
    ];
    for (offset, path) in members {
        **offset = member_offset(&btf, path).ok_or_else(|| OffsetError::Missing((*path).to_owned()))?;
    }
    // Other architectures have neither.
    config.task_gs_off = member_offset(&btf, "task_struct.thread.gsbase").unwrap_or(0);
    config.task_tls_off = member_offset(&btf, "task_struct.thread.tls_array").unwrap_or(0);
    let cast = id_of(&btf, "bpf_rdonly_cast", |ty| matches!(ty, Type::Func(_)));
    config.type_word = id_of(&btf, "list_head", is_whole).unwrap_or_default();
    config.type_file = id_of(&btf, "file", is_whole).unwrap_or_default();
    config.has_cast = u32::from(cast.is_some() && config.type_word != 0 && config.type_file != 0);
    Ok(cast)
}

fn is_whole(ty: &Type) -> bool {
    matches!(ty, Type::Struct(s) if !s.members.is_empty())
}

/// The id of a type with this name.
fn id_of(btf: &Btf, name: &str, is_it: impl Fn(&Type) -> bool) -> Option<u32> {
    let ids = btf.resolve_ids_by_name(name).ok()?;
    ids.into_iter().find(|id| btf.resolve_type_by_id(*id).is_ok_and(|ty| is_it(&ty)))
}

/// Opens type information without parsing all of it, which takes 150 ms. That needs a mapping, which kernels before 6.16
/// refuse for this file but allow for a copy of it.
fn open(file: &Path) -> Result<Btf, btf_rs::Error> {
    Btf::from_file_with_backend(file, Backend::Mmap)
        .or_else(|_| {
            let copy = copy_in_memory(file)?;
            let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
            Btf::from_file_with_backend(path, Backend::Mmap)
        })
        // `/proc/self/fd` is closed to a program with file capabilities.
        .or_else(|_| Btf::from_file(file))
}

fn copy_in_memory(file: &Path) -> io::Result<fs::File> {
    let copy = memfd_create(c"btf", MFdFlags::MFD_CLOEXEC)?;
    let mut copy = fs::File::from(copy);
    io::copy(&mut fs::File::open(file)?, &mut copy)?;
    Ok(copy)
}

/// Byte offset of `struct.member.member…`.
fn member_offset(btf: &Btf, path: &str) -> Option<u32> {
    let mut parts = path.split('.');
    let outer = parts.next()?;
    let mut found = btf.resolve_types_by_name(outer).ok()?.into_iter().find(is_whole)?;
    let mut bits = 0;
    for name in parts {
        let (offset, member) = find_member(btf, &found, name, 0)?;
        bits += offset;
        found = member;
    }
    Some(bits / 8)
}

/// Anonymous structures and unions nest this deep at most; a bound against malformed type information.
const MAX_NESTING: usize = 8;

/// Bit offset and type of a member, looked for in anonymous members too.
fn find_member(btf: &Btf, outer: &Type, name: &str, depth: usize) -> Option<(u32, Type)> {
    let (Type::Struct(outer) | Type::Union(outer)) = outer else { return None };
    for member in &outer.members {
        let member_name = btf.resolve_name(member).ok().unwrap_or_default();
        if member_name == name {
            return Some((member.bit_offset(), strip(btf, btf.resolve_chained_type(member).ok()?)));
        }
        if member_name.is_empty() && depth < MAX_NESTING {
            let inner = strip(btf, btf.resolve_chained_type(member).ok()?);
            if let Some((offset, found)) = find_member(btf, &inner, name, depth + 1) {
                return Some((member.bit_offset() + offset, found));
            }
        }
    }
    None
}

/// The type behind qualifiers and typedefs.
fn strip(btf: &Btf, mut ty: Type) -> Type {
    for _ in 0..MAX_NESTING {
        let next = match &ty {
            Type::Typedef(t) => btf.resolve_chained_type(t as &dyn BtfType),
            Type::Const(t) | Type::Volatile(t) | Type::Restrict(t) => {
                btf.resolve_chained_type(t as &dyn BtfType)
            }
            _ => break,
        };
        match next {
            Ok(next) => ty = next,
            Err(_) => break,
        }
    }
    ty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_has_every_offset() {
        let mut config = Config::ZERO;
        fill(&mut config, Path::new(VMLINUX)).expect("offsets");
        assert_ne!(config.task_files_off, 0);
        assert_ne!(config.op_ioctl_off, config.op_compat_off);
    }

    /// The way that older kernels need works on this one too.
    #[test]
    fn a_copy_has_the_same_offsets() {
        let (mut config, mut of_copy) = (Config::ZERO, Config::ZERO);
        fill(&mut config, Path::new(VMLINUX)).expect("offsets");
        let copy = copy_in_memory(Path::new(VMLINUX)).expect("copy");
        fill(&mut of_copy, Path::new(&format!("/proc/self/fd/{}", copy.as_raw_fd()))).expect("offsets");
        assert_eq!(config, of_copy);
    }

    #[test]
    fn a_missing_file_is_named_with_its_remedy() {
        let error = fill(&mut Config::default(), Path::new("/nonexistent/btf"))
            .expect_err("no such file")
            .to_string();
        assert!(error.contains("/nonexistent/btf") && error.contains("CONFIG_DEBUG_INFO_BTF"), "{error}");
    }
}
