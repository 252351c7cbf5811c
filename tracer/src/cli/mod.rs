//! The command line: what the user asks for, and what it is told.

mod args;
mod output;
mod run;

use std::process::ExitCode;

use clap::Parser;

pub use args::Args;

/// Exit code when tracing failed.
const FAILED: u8 = 1;
/// Exit code for a command line that cannot be understood; clap's too.
const USAGE: u8 = 2;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run::run(args) {
        Ok(code) => ExitCode::from(code),
        Err(run::Failure::Usage(message)) => {
            eprintln!("ioctl-trace: {message}");
            ExitCode::from(USAGE)
        }
        Err(run::Failure::Tracing(error)) => {
            eprintln!("ioctl-trace: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}
