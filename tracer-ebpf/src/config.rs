//! Settings that the user side writes into the BPF object before it is loaded. The verifier sees them as constants, so
//! a filter that is off costs nothing.

/// How the map `REQUESTS` is read.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestMode {
    /// Every request is wanted.
    Any = 0,
    /// Only requests in the map are wanted.
    Only = 1,
    /// All but the requests in the map are wanted.
    Except = 2,
}

macro_rules! config {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Read-only settings of the kernel side. Fields named `*_off` are byte offsets in the running kernel's
        /// structures, read from its BTF.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Config { $($(#[$doc])* pub $field: u32,)* }

        impl Config {
            /// All settings off, all offsets zero.
            pub const ZERO: Self = Self { $($field: 0,)* };
        }
    };
}

config! {
    /// Process id of the tracer: its own calls are never recorded.
    own_tgid,
    /// Thread of the tracer whose child processes are wanted, 0 for none.
    spawner_tid,
    /// Only processes in the map `TARGETS` are wanted.
    by_pid,
    /// Child processes of wanted processes are wanted.
    follow,
    /// Only calls of processes in the map `PROCESSES` are wanted, whichever are followed.
    by_process,
    /// Only threads named, or in a process named, as in the map `COMMS` are wanted.
    by_comm,
    /// Only users in the map `UIDS` are wanted.
    by_uid,
    /// Number of cgroups in the map `CGROUPS` (0: any): only tasks below one of them are wanted.
    cgroups,
    /// A [`RequestMode`].
    request_mode,
    /// Count calls in the map `SUMMARY` and send no record for them.
    summary_only,
    /// Bytes of memory that are copied of a call's input, and of its output, at most; 0 copies none.
    max_bytes,
    /// The kernel has the helper `bpf_loop` (5.17).
    has_loop,
    /// The kernel has the function `bpf_rdonly_cast` (6.2), and calls of [`CAST`](crate::CAST) are linked to it.
    has_cast,
    /// Type id of `struct list_head`: any type whose first word can be read.
    type_word,
    /// Type id of `struct file`.
    type_file,
    /// Copy the program's stack.
    user_stack,
    /// Copy the kernel's stack.
    kernel_stack,
    /// Control codes of Windows programs are watched.
    windows,
    /// Wake the reader when this many bytes wait in the ring buffer.
    watermark,
    /// `task_struct.files`
    task_files_off,
    /// `task_struct.signal`
    task_signal_off,
    /// `task_struct.mm`
    task_mm_off,
    /// `mm_struct.task_size`
    mm_size_off,
    /// `task_struct.tgid`
    task_tgid_off,
    /// `task_struct.pid`
    task_pid_off,
    /// `task_struct.cred`
    task_cred_off,
    /// `cred.uid`
    cred_uid_off,
    /// `cred.gid`
    cred_gid_off,
    /// `task_struct.cgroups`
    task_cgroups_off,
    /// `css_set.dfl_cgrp`
    cgroups_default_off,
    /// `cgroup.kn`
    cgroup_kn_off,
    /// `kernfs_node.id`
    kn_id_off,
    /// `task_struct.group_leader`
    task_leader_off,
    /// `task_struct.start_time`
    task_start_off,
    /// `task_struct.thread.gsbase`; only on x86-64, else 0
    task_gs_off,
    /// `task_struct.thread.tls_array`; only on x86-64, else 0
    task_tls_off,
    /// `task_struct.comm`
    task_comm_off,
    /// `task_struct.pending.signal`
    task_pending_off,
    /// `signal_struct.live`
    signal_live_off,
    /// `files_struct.fdt`
    files_fdt_off,
    /// `fdtable.max_fds`
    fdt_max_off,
    /// `fdtable.fd`
    fdt_fd_off,
    /// `file.f_op`
    file_op_off,
    /// `file.f_inode`
    file_inode_off,
    /// `file.f_flags`
    file_flags_off,
    /// `file.private_data`
    file_private_off,
    /// `file.f_path.dentry`
    file_dentry_off,
    /// `file.f_path.mnt`
    file_mnt_off,
    /// `file_operations.unlocked_ioctl`
    op_ioctl_off,
    /// `file_operations.compat_ioctl`
    op_compat_off,
    /// `file_operations.owner`
    op_owner_off,
    /// `module.name`
    module_name_off,
    /// `inode.i_mode`
    inode_mode_off,
    /// `inode.i_rdev`
    inode_rdev_off,
    /// `inode.i_ino`
    inode_ino_off,
    /// `inode.i_sb`
    inode_sb_off,
    /// `super_block.s_magic`
    sb_magic_off,
    /// `super_block.s_dev`
    sb_dev_off,
    /// `super_block.s_type`
    sb_type_off,
    /// `file_system_type.name`
    fs_name_off,
    /// `socket.sk`
    socket_sk_off,
    /// `sock.__sk_common.skc_family`
    sock_family_off,
    /// `dentry.d_name.name`
    dentry_name_off,
    /// `dentry.d_name.hash_len`
    dentry_hash_off,
    /// `dentry.d_parent`
    dentry_parent_off,
    /// `dentry.d_hash.pprev`
    dentry_pprev_off,
    /// `vfsmount.mnt_root`
    mnt_root_off,
    /// `mount.mnt`
    mount_mnt_off,
    /// `mount.mnt_parent`
    mount_parent_off,
    /// `mount.mnt_mountpoint`
    mount_point_off,
}
