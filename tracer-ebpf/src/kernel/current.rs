//! The running task. What is asked for with every call is read through pointers whose types the verifier knows: plain
//! loads, where each call of a helper costs as much as ten of them.

use aya_ebpf::helpers::generated::bpf_get_current_task_btf;
use ioctl_trace_ebpf::{CAST, COMM_LEN};

use super::read::{config, read};

/// Reads a `T` at an offset of a structure that the verifier knows by its type, which then knows the result's type too.
/// Gives zero where memory cannot be read.
///
/// # Safety
/// `base` must be a [`Task`]'s address or come from another walk, and `offset` from the settings.
#[inline(always)]
pub unsafe fn walk<T>(base: u64, offset: u32) -> T {
    // SAFETY: see above; the verifier refuses any other address.
    unsafe { ((base + u64::from(offset)) as *const T).read_volatile() }
}

/// Tells the verifier that there is a structure at an address, by its type id: its members are then plain loads that give zero
/// where memory cannot be read. Only where [`Config::has_cast`](ioctl_trace_ebpf::Config::has_cast) is set.
#[inline(always)]
pub fn cast(address: u64, of: u32) -> u64 {
    // SAFETY: a number is what calls of helpers are; this one is replaced before the kernel sees it.
    let function: extern "C" fn(u64, u32) -> u64 = unsafe { core::mem::transmute(CAST as usize) };
    function(address, of)
}

/// The running task, by the address of its `task_struct`.
#[derive(Clone, Copy)]
pub struct Task(u64);

impl Task {
    /// The one that runs on this CPU.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: the helper has no preconditions.
        Self(unsafe { bpf_get_current_task_btf() } as u64)
    }

    #[inline(always)]
    fn get<T>(self, offset: u32) -> T {
        // SAFETY: it is the address of a task; callers take the offset from the settings.
        unsafe { walk(self.0, offset) }
    }

    /// Process (thread group) id in the initial namespace.
    #[inline(always)]
    pub fn tgid(self) -> u32 {
        self.get(config!(task_tgid_off))
    }

    /// Thread id in the initial namespace.
    #[inline(always)]
    pub fn tid(self) -> u32 {
        self.get(config!(task_pid_off))
    }

    /// Real user id, as the initial namespace has it.
    #[inline(always)]
    pub fn uid(self) -> u32 {
        // SAFETY: a task's credentials are of a known type.
        unsafe { walk(self.get(config!(task_cred_off)), config!(cred_uid_off)) }
    }

    /// Real group id, as the initial namespace has it.
    #[inline(always)]
    pub fn gid(self) -> u32 {
        // SAFETY: as above.
        unsafe { walk(self.get(config!(task_cred_off)), config!(cred_gid_off)) }
    }

    /// Id of its cgroup (version 2).
    #[inline(always)]
    pub fn cgroup(self) -> u64 {
        // SAFETY: the types are known all along the way.
        unsafe {
            let cgroup = walk(self.get(config!(task_cgroups_off)), config!(cgroups_default_off));
            walk(walk(cgroup, config!(cgroup_kn_off)), config!(kn_id_off))
        }
    }

    /// Its name, NUL-padded.
    #[inline(always)]
    pub fn comm(self) -> [u8; COMM_LEN] {
        let offset = config!(task_comm_off);
        // Word by word: the verifier allows loads of up to 8 bytes.
        let words: [u64; COMM_LEN / 8] = [self.get(offset), self.get(offset + 8)];
        // SAFETY: both are so many plain bytes.
        unsafe { core::mem::transmute(words) }
    }

    /// The name of its process: that of the thread that was the first.
    #[inline(always)]
    pub fn process_comm(self) -> Option<[u8; COMM_LEN]> {
        read(self.get(config!(task_leader_off)), config!(task_comm_off)).ok()
    }

    /// When its process began, in nanoseconds of the kernel's clock.
    #[cfg(bpf_target_arch = "x86_64")]
    #[inline(always)]
    pub fn process_start(self) -> u64 {
        // SAFETY: a task's leader is of a known type.
        unsafe { walk(self.get(config!(task_leader_off)), config!(task_start_off)) }
    }

    /// Address of what Windows calls the thread's environment block, if it is a thread of such a program: 64-bit threads
    /// have it in GS, 32-bit ones in FS, whose base is one of three that the kernel keeps for it. 0 if it cannot be told.
    #[cfg(bpf_target_arch = "x86_64")]
    #[inline(always)]
    pub fn environment(self, narrow: bool) -> u64 {
        if !narrow {
            return if config!(task_gs_off) == 0 { 0 } else { self.get(config!(task_gs_off)) };
        }
        if config!(task_tls_off) == 0 {
            return 0;
        }
        for place in 0..3 {
            // A segment's descriptor: 16 bits of limit, 24 of its base, 16 of others, 8 of its base.
            let Ok(descriptor) = read::<u64>(self.0, config!(task_tls_off) + 8 * place) else { return 0 };
            let base = (descriptor >> 16 & 0xff_ffff) | (descriptor >> 56 << 24);
            // The block begins with the address of a list and has its own at 0x18; what the C library has there is another.
            // SAFETY: the helper checks the address.
            let own = unsafe { aya_ebpf::helpers::bpf_probe_read_user((base + 0x18) as *const u32) };
            if base != 0 && own == Ok(base as u32) {
                return base;
            }
        }
        0
    }

    /// The signals that wait for this thread alone, a bit each.
    #[inline(always)]
    pub fn pending(self) -> u64 {
        self.get(config!(task_pending_off))
    }

    /// Whether its addresses fit 32 bits.
    #[inline(always)]
    pub fn is_compat(self) -> bool {
        let size: Result<u64, i32> = read(self.get(config!(task_mm_off)), config!(mm_size_off));
        matches!(size, Ok(size) if size <= 1 << 32)
    }

    /// Address of the `struct file` behind a descriptor, 0 if it is not open.
    #[inline(always)]
    pub fn open_file(self, fd: u32) -> Result<u64, i32> {
        let files: u64 = self.get(config!(task_files_off));
        if files == 0 {
            return Ok(0);
        }
        // SAFETY: the types are known up to the table.
        let (max, table) = unsafe {
            let table = walk::<u64>(files, config!(files_fdt_off));
            (walk::<u32>(table, config!(fdt_max_off)), walk::<u64>(table, config!(fdt_fd_off)))
        };
        if fd >= max {
            return Ok(0);
        }
        let place = table + u64::from(fd) * 8;
        if config!(has_cast) != 0 {
            // SAFETY: an address of which the verifier has just been told.
            return Ok(unsafe { walk(cast(place, config!(type_word)), 0) });
        }
        read(place, 0)
    }
}
