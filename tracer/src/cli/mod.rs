//! The command line: what the user asks for, and what it is told.

mod args;
mod output;
mod run;

use std::{
    io::{self, Write},
    process::ExitCode,
};

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
            say(&message);
            ExitCode::from(USAGE)
        }
        Err(run::Failure::Tracing(error)) => {
            say(&explained(error.as_ref()));
            ExitCode::from(FAILED)
        }
    }
}

/// Says something to the user, who may have closed the terminal meanwhile.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "ioctl-trace: {line}");
}

/// An error with its causes, as far as its own words do not contain them.
fn explained(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    // One line, whatever a library has to say.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
