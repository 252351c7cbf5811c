//! Makes every request of the registry that hands memory to the kernel, on a descriptor that is not open, with a buffer
//! of known bytes: what a trace shows of it must be what the buffer holds.
//!
//! `sweep LOG` writes a line `number name` for each call, in order; its buffer begins at the address that `arg` of the
//! call has, and holds [`BUFFER`] bytes made from the number.
#![expect(clippy::expect_used, reason = "a fixture of the tests: it must stop where it is surprised")]

use std::{env, fmt::Write as _, fs};

use ioctl_registry::{Arch, Arg, Direction, Registry};

/// Bytes behind the argument.
const BUFFER: usize = 64 * 1024;

fn main() {
    let log = env::args().nth(1).expect("a file for the log");
    let arch = Arch::native();
    let mut lines = String::new();
    let mut buffer = vec![0_u64; BUFFER / 8];
    for request in Registry::builtin().requests() {
        let writes = matches!(request.dir(), Some(Direction::Write | Direction::ReadWrite));
        if let (Arg::Pointer(_), true, Some(number)) = (request.arg(), writes, request.number(arch)) {
            fill(number, &mut buffer);
            // SAFETY: the descriptor is not open, so the kernel touches nothing.
            unsafe { libc::syscall(libc::SYS_ioctl, -1_i64, i64::from(number), buffer.as_ptr()) };
            writeln!(lines, "{number:#x} {}", request.name()).expect("memory");
        }
    }
    fs::write(log, lines).expect("the log");
}

/// Bytes that a number determines (xorshift64*). The tests make the same ones.
fn fill(number: u32, buffer: &mut [u64]) {
    let mut state = u64::from(number) | 1 << 32;
    for word in buffer {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        *word = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
    }
}
