//! Makes known ioctls in every way that matters and writes down what it did: the truth that the live tests compare a
//! trace with. Each line of the log is `tid fd request arg result`, in the order of that thread.
//!
//! `exerciser LOG` does everything once. The loops make N calls and print how many nanoseconds they took: `--loop N` of
//! `FIONREAD` on a pipe, `--loop-when-told N` of these after standard input is closed, `--loop-threads T N` of these in each
//! of T threads at once, `--loop-sized SIZE N` of an unknown request that hands over SIZE bytes, less than 16 KiB,
//! `--loop-decoded N` of `VIDIOC_S_FMT`, whose argument is a known type of 208 bytes, on a pipe, which refuses it at once,
//! `--loop-decoded-at RATE N` of these, RATE in a second, `--loop-getppid N` of a system call that is no ioctl. `--forever` calls `FIONREAD` until it is killed;
//! `--loop-resting MICROSECONDS N` makes these with a rest after each. `--forks N` has N child processes at once that make one each, `--descriptors N` makes one on each of N descriptors;
//! `--block-when-told` makes a call that never returns after standard input is closed.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a fixture of the tests: it must stop where it is surprised"
)]

use std::{
    env, fs,
    io::{self, Read, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    sync::{Barrier, Mutex},
    time::Instant,
};

/// What was done so far.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn tid() -> i32 {
    // SAFETY: no preconditions.
    unsafe { libc::gettid() }
}

/// Makes a call and writes it down. `arg` is passed as it is.
fn call(fd: RawFd, request: u32, arg: u64) -> i64 {
    // SAFETY: the requests used here take a pointer to memory of ours that outlives the call, or none.
    let result = unsafe { libc::syscall(libc::SYS_ioctl, i64::from(fd), i64::from(request), arg) };
    let result =
        if result < 0 { -i64::from(io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { result };
    LOG.lock().expect("log").push(format!("{} {fd} {request:#x} {arg:#x} {result}", tid()));
    result
}

fn save(path: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).expect("log file");
    for line in LOG.lock().expect("log").drain(..) {
        writeln!(file, "{line}").expect("log file");
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: the array has room for two descriptors, which are ours afterwards.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

const fn ioc(dir: u32, ty: u32, nr: u32, size: u32) -> u32 {
    dir << 30 | size << 16 | ty << 8 | nr
}

const FIONREAD: u32 = 0x541b;
const FIOCLEX: u32 = 0x5451;
const TCGETS: u32 = 0x5401;
const TCSETS: u32 = 0x5402;
const TIOCGWINSZ: u32 = 0x5413;
const TIOCGPTN: u32 = 0x8004_5430;
const UFFDIO_API: u32 = 0xc018_aa3f;
const UFFDIO_REGISTER: u32 = 0xc020_aa00;
const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
const VIDIOC_S_FMT: u32 = 0xc0d0_5605;

/// Every direction and size, on files of every kind, working and failing.
fn every_kind() {
    let mut buffer = [0_u64; 16];
    let arg = buffer.as_mut_ptr() as u64;
    let null = fs::File::open("/dev/null").expect("/dev/null");
    for dir in 0..4 {
        for size in [0, 1, 8, 0x3fff] {
            call(null.as_raw_fd(), ioc(dir, 0xde, 0xad, size), arg);
        }
    }
    let (read, write) = pipe();
    fs::File::from(write.try_clone().expect("dup")).write_all(b"12345").expect("pipe");
    assert_eq!(call(read.as_raw_fd(), FIONREAD, arg), 0);
    call(read.as_raw_fd(), FIOCLEX, 0);
    for fd in [-1, 9999, i32::MAX] {
        call(fd, TCGETS, arg);
    }
    let ptmx = fs::File::options().read(true).write(true).open("/dev/ptmx").expect("/dev/ptmx");
    for request in [TCGETS, TIOCGWINSZ, TIOCGPTN, FIONREAD] {
        call(ptmx.as_raw_fd(), request, arg);
    }
    call(ptmx.as_raw_fd(), TCSETS, 8); // an address that is not mapped
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("socket");
    call(socket.as_raw_fd(), FIONREAD, arg);
    // SAFETY: the descriptor is ours.
    let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(0)) };
    call(epoll.as_raw_fd(), FIONREAD, arg);
    let directory = fs::File::open("/").expect("/");
    call(directory.as_raw_fd(), FS_IOC_GETFLAGS, arg);
}

/// Descriptors that are closed, and files that are removed, before anyone can look.
fn short_lived(dir: &str) {
    for n in 0..50 {
        let path = format!("{dir}/short-{n}");
        let file = fs::File::create(&path).expect("file");
        if n % 2 == 0 {
            fs::remove_file(&path).expect("remove");
        }
        call(file.as_raw_fd(), TCGETS, 0);
        drop(file);
        // Those with an odd number go after the call.
        let _ = fs::remove_file(&path);
    }
}

fn threads() {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let (read, _write) = pipe();
                let mut n = 0_u64;
                for i in 0..250 {
                    call(read.as_raw_fd(), if i % 3 == 0 { TCGETS } else { FIONREAD }, (&raw mut n) as u64);
                    if i % 50 == thread {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
}

/// Runs `child` in a child process; gives its process id.
fn fork(child: impl FnOnce()) -> i32 {
    // SAFETY: the child uses no lock of another thread: there is no other thread now.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        LOG.lock().expect("log").clear(); // The parent will save what it did so far.
        child();
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { libc::_exit(0) };
    }
    pid
}

fn wait(pid: i32) {
    // SAFETY: a null status pointer is allowed.
    assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
}

/// Makes a call that never returns: its argument lies on a page that a userfaultfd never provides. `before` is told the
/// descriptor of the call.
fn block_inside(before: impl FnOnce(RawFd)) {
    // SAFETY: a mapping and a userfaultfd of our own.
    let (fd, page) = unsafe {
        let fd = libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) as RawFd;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        (fd, libc::mmap(std::ptr::null_mut(), 4096, prot, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0))
    };
    // The structures are those of linux/userfaultfd.h.
    let mut api = [0xaa_u64, 0, 0];
    assert_eq!(call(fd, UFFDIO_API, api.as_mut_ptr() as u64), 0, "UFFDIO_API");
    let mut register = [page as u64, 4096, 1, 0];
    assert_eq!(call(fd, UFFDIO_REGISTER, register.as_mut_ptr() as u64), 0, "UFFDIO_REGISTER");
    let ptmx = fs::File::options().read(true).write(true).open("/dev/ptmx").expect("/dev/ptmx");
    before(ptmx.as_raw_fd());
    // SAFETY: the kernel waits for the page; the process is killed meanwhile.
    unsafe { libc::syscall(libc::SYS_ioctl, i64::from(ptmx.as_raw_fd()), i64::from(TCSETS), page) };
}

/// A child that is killed inside a call.
fn killed_inside(log: &str) {
    let (ready, signal) = pipe();
    let pid = fork(|| {
        block_inside(|fd| {
            save(log);
            writeln!(fs::File::from(signal), "{fd}").expect("pipe");
        });
    });
    let mut fd = [0_u8; 8];
    let n = fs::File::from(ready).read(&mut fd).expect("pipe");
    // The child is inside the call when the kernel says which system call it is in.
    let inside = || fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = format!("{} ", libc::SYS_ioctl);
    while !inside().starts_with(&number) {
        std::thread::yield_now();
    }
    // SAFETY: no preconditions.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    wait(pid);
    let fd = String::from_utf8_lossy(&fd[..n]);
    LOG.lock().expect("log").push(format!("{pid} {} {TCSETS:#x} ? killed", fd.trim()));
}

fn everything(log: &str) {
    let dir =
        std::path::Path::new(log).parent().and_then(|p| p.to_str()).expect("directory of the log").to_owned();
    every_kind();
    short_lived(&dir);
    save(log);
    wait(fork(|| {
        every_kind();
        wait(fork(|| {
            short_lived(&dir);
            save(log);
        }));
        save(log);
    }));
    threads();
    save(log);
    killed_inside(log);
    save(log);
}

/// Calls `FIONREAD` on a pipe of its own.
fn fionread() -> impl FnMut() {
    let (read, write) = pipe();
    let mut n = 0_i32;
    move || {
        let _open = &write;
        // SAFETY: FIONREAD writes an `int`.
        let result = unsafe { libc::ioctl(read.as_raw_fd(), libc::FIONREAD, &raw mut n) };
        assert_eq!(result, 0);
    }
}

/// Makes a request that a pipe does not know, with this memory.
fn refused(request: u32, memory: Vec<u8>) -> impl FnMut() {
    let (read, write) = pipe();
    move || {
        let _open = &write;
        // SAFETY: the request is unknown to pipes and fails.
        unsafe { libc::ioctl(read.as_raw_fd(), u64::from(request), memory.as_ptr()) };
    }
}

/// A `struct v4l2_format` as a program that takes pictures fills it: 640 by 480, YUYV.
fn video_format() -> Vec<u8> {
    let mut format = [0_u32; 52];
    let (kind, pixels) = (1, [640, 480, u32::from_le_bytes(*b"YUYV"), 1, 1280, 614_400, 8]);
    format[0] = kind;
    format[2..9].copy_from_slice(&pixels);
    format.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// Makes calls, and prints how long they took.
fn repeat(count: &str, mut call: impl FnMut()) {
    let count: u64 = count.parse().expect("a number of calls");
    let begin = Instant::now();
    (0..count).for_each(|_| call());
    println!("{}", begin.elapsed().as_nanos());
}

/// Waits before each call until its time has come, with so many of them in a second.
fn paced(rate: &str, mut call: impl FnMut()) -> impl FnMut() {
    let rate: f64 = rate.parse().expect("calls a second");
    let mut calls = 0.0;
    let mut begin = None;
    move || {
        let begin = *begin.get_or_insert_with(Instant::now);
        while begin.elapsed().as_secs_f64() * rate < calls {
            std::hint::spin_loop();
        }
        calls += 1.0;
        call();
    }
}

/// The same in several threads that begin together, until the last is done.
fn repeat_in_threads(threads: &str, count: &str) {
    let (threads, count): (usize, u64) = (threads.parse().expect("threads"), count.parse().expect("calls"));
    let ready = Barrier::new(threads + 1);
    let begin = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut call = fionread();
                ready.wait();
                (0..count).for_each(|_| call());
            });
        }
        ready.wait();
        Instant::now()
    });
    println!("{}", begin.elapsed().as_nanos());
}

/// Child processes that are all there before the first makes its call.
fn forks(count: &str) {
    let (wait_here, go) = pipe();
    let mut call = fionread();
    let children: Vec<_> = (0..count.parse::<u32>().expect("a number"))
        .map(|_| {
            // SAFETY: there is no other thread.
            let pid = unsafe { libc::fork() };
            assert!(pid >= 0, "fork: {}", io::Error::last_os_error());
            if pid == 0 {
                let mut end = [0];
                // SAFETY: the descriptor is the child's own copy, and the child ends here.
                unsafe {
                    libc::close(go.as_raw_fd());
                    libc::read(wait_here.as_raw_fd(), end.as_mut_ptr().cast(), 1);
                    call();
                    libc::_exit(0);
                }
            }
            pid
        })
        .collect();
    drop(go);
    children.into_iter().for_each(wait);
}

/// A call on each of so many descriptors.
fn descriptors(count: &str) {
    let count: u64 = count.parse().expect("a number");
    let room = libc::rlimit { rlim_cur: count + 64, rlim_max: count + 64 };
    // SAFETY: the structure is ours.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const room) }, 0, "root may raise it");
    let (read, write) = pipe();
    let all: Vec<_> = (0..count).map(|_| read.try_clone().expect("a descriptor")).collect();
    let mut n = 0_i32;
    for fd in &all {
        // SAFETY: FIONREAD writes an `int`.
        assert_eq!(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut n) }, 0);
    }
    drop(write);
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--loop", count] => repeat(count, fionread()),
        ["--loop-when-told", count] => {
            io::copy(&mut io::stdin(), &mut io::sink()).expect("standard input");
            repeat(count, fionread());
        }
        ["--loop-threads", threads, count] => repeat_in_threads(threads, count),
        ["--loop-sized", size, count] => {
            let size: u32 = size.parse().expect("a number of bytes");
            repeat(count, refused(ioc(1, 0xde, 0xad, size), vec![7; 1 << 14]));
        }
        ["--loop-decoded", count] => repeat(count, refused(VIDIOC_S_FMT, video_format())),
        ["--loop-decoded-at", rate, count] => {
            repeat(count, paced(rate, refused(VIDIOC_S_FMT, video_format())));
        }
        ["--loop-resting", rest, count] => {
            let rest = std::time::Duration::from_micros(rest.parse().expect("microseconds"));
            let mut call = refused(VIDIOC_S_FMT, video_format());
            repeat(count, || {
                call();
                std::thread::sleep(rest);
            });
        }
        ["--loop-getppid", count] => repeat(count, || {
            // SAFETY: no preconditions.
            unsafe { libc::getppid() };
        }),
        ["--forks", count] => forks(count),
        ["--descriptors", count] => descriptors(count),
        ["--block-when-told"] => {
            io::copy(&mut io::stdin(), &mut io::sink()).expect("standard input");
            block_inside(|_| ());
        }
        ["--forever"] => {
            let mut call = fionread();
            loop {
                call();
            }
        }
        [log] => everything(log),
        _ => panic!("see the head of this program's source for its usage"),
    }
}
