//! Makes calls whose memory is a trap: unmapped, half mapped, not in memory, of the kernel, pointing in circles, with
//! absurd lengths, changed by another thread meanwhile. Each call has a descriptor of its own kind, named on standard
//! output as `LABEL fd request`, in order.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a fixture of the tests: it must stop where it is surprised"
)]

use std::{
    fs,
    os::fd::AsRawFd,
    ptr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

const PAGE: usize = 4096;
const TCSETS: u32 = 0x5402;
const TCGETS: u32 = 0x5401;
const TIOCSWINSZ: u32 = 0x5414;
const I2C_RDWR: u32 = 0x707;
const SG_IO: u32 = 0x2285;
const SIOCGIFCONF: u32 = 0x8912;
const VIDIOC_G_EXT_CTRLS: u32 = 0xc020_5647;
const BINDER_WRITE_READ: u32 = 0xc030_6201;
const UI_SET_PHYS: u32 = 0x4008_556c;

fn call(label: &str, fd: i32, request: u32, arg: u64) {
    // SAFETY: what the kernel may write to is ours, or not mapped, and then the call fails.
    unsafe { libc::syscall(libc::SYS_ioctl, i64::from(fd), i64::from(request), arg) };
    println!("{label} {fd} {request:#x}");
}

/// Pages of our own.
fn map(pages: usize) -> *mut u8 {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: the kernel chooses the place.
    let address = unsafe { libc::mmap(ptr::null_mut(), pages * PAGE, protection, flags, -1, 0) };
    assert_ne!(address, libc::MAP_FAILED);
    address.cast()
}

fn main() {
    let ptmx = fs::File::options().read(true).write(true).open("/dev/ptmx").expect("/dev/ptmx");
    let closed = 999;

    // A struct at the end of a mapped page: its first 20 bytes can be read.
    let pages = map(2);
    // SAFETY: the pages are ours; the second one is given back.
    let end = unsafe {
        ptr::write_bytes(pages, 0x11, 2 * PAGE);
        assert_eq!(libc::munmap(pages.add(PAGE).cast(), PAGE), 0);
        pages.add(PAGE - 20) as u64
    };
    call("page-end", closed, TCSETS, end);

    for (label, address) in [
        ("null", 0),
        ("first-page", 8),
        ("kernel-text", 0xffff_ffff_8100_0000),
        ("kernel-memory", 0xffff_8880_0000_1000),
        ("last-byte", u64::MAX),
        ("non-canonical", 0x8000_0000_0000_0000),
        ("user-end", 0x7fff_ffff_f000 - 4),
    ] {
        call(label, closed, TCSETS, address);
        call(label, ptmx.as_raw_fd(), TCGETS, address);
        call(label, closed, I2C_RDWR, address);
    }

    // Pointers that lead to themselves, into the kernel, and lengths that cannot be.
    let memory = map(16);
    let at = |offset: usize| memory as u64 + offset as u64;
    let put = |offset: usize, value: u64| {
        // SAFETY: within the pages, which are ours.
        unsafe { memory.add(offset).cast::<u64>().write_unaligned(value) };
    };
    put(0, at(0));
    put(8, u64::MAX);
    call("circle", closed, I2C_RDWR, at(0));
    put(0, 0xffff_ffff_8100_0000);
    put(8, 3);
    call("messages-in-kernel", closed, I2C_RDWR, at(0));
    // Messages that are there, the first with its bytes in the kernel.
    put(0, at(64));
    put(8, 2);
    put(64, 0x0000_0010_0000_0050);
    put(72, 0xffff_ffff_8100_0000);
    put(80, 0x0000_0004_0000_0051);
    put(88, at(256));
    put(256, 0x4443_4241);
    call("bytes-in-kernel", closed, I2C_RDWR, at(0));
    for (label, request) in [
        ("all-ones", SG_IO),
        ("all-ones", SIOCGIFCONF),
        ("all-ones", VIDIOC_G_EXT_CTRLS),
        ("all-ones", BINDER_WRITE_READ),
        ("all-ones", UI_SET_PHYS),
    ] {
        // SAFETY: within the pages, which are ours.
        unsafe { ptr::write_bytes(memory, 0xff, 4 * PAGE) };
        call(label, closed, request, at(0));
    }

    // A page of a file that nobody has touched: the kernel brings it in when it reads the argument.
    let path = std::env::temp_dir().join(format!("hostile-{}", std::process::id()));
    fs::write(&path, [7_u8; PAGE]).expect("a file");
    let file = fs::File::open(&path).expect("the file");
    fs::remove_file(&path).expect("remove");
    // SAFETY: the kernel chooses the place.
    let untouched =
        unsafe { libc::mmap(ptr::null_mut(), PAGE, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
    assert_ne!(untouched, libc::MAP_FAILED);
    call("untouched", ptmx.as_raw_fd(), TIOCSWINSZ, untouched as u64);

    // SAFETY: the page is ours; nobody may touch it from here on.
    unsafe { assert_eq!(libc::mprotect(pages.cast(), PAGE, libc::PROT_NONE), 0) };
    call("no-access", closed, TCSETS, pages as u64);

    rewritten(closed);
}

/// A thread writes to the argument all the while.
fn rewritten(fd: i32) {
    static WORDS: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    static DONE: AtomicBool = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut value = 0_u64;
            while !DONE.load(Ordering::Relaxed) {
                value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                for word in &WORDS {
                    word.store(value, Ordering::Relaxed);
                }
            }
        });
        for _ in 0..200 {
            call("rewritten", fd, I2C_RDWR, WORDS.as_ptr() as u64);
        }
        DONE.store(true, Ordering::Relaxed);
    });
}
