//! Live ioctl tracer.

use std::process::ExitCode;

fn main() -> ExitCode {
    ioctl_trace::cli::main()
}
