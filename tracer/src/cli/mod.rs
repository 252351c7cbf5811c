//! The command line: what the user asks for, and what it is told.

mod args;
mod diff;
mod doctor;
mod fields;
mod formats;
mod info;
mod output;
mod pages;
mod policy;
mod recorded;
mod registry;
mod replay;
mod run;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{ArgMatches, CommandFactory, FromArgMatches, error::ErrorKind, parser::ValueSource};

use args::Action;
pub use args::Args;

use crate::escape::visible;
use replay::{Mode, Verb};

/// Exit code when tracing failed.
const FAILED: u8 = 1;
/// Exit code for a command line that cannot be understood; clap's too.
const USAGE: u8 = 2;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().collect();
    let verb = Verb::take(&mut words);
    let matches = verb.command().get_matches_from(words);
    let args = checked(&matches).and_then(|args| Ok(Args { mode: verb.mode(&matches)?, ..args }));
    let args = args.unwrap_or_else(|error| error.format(&mut verb.command()).exit());
    match unless_closed(perform(args)) {
        Ok(code) => ExitCode::from(code),
        Err(run::Failure::Usage(message)) => {
            say(&message);
            ExitCode::from(USAGE)
        }
        Err(run::Failure::Filter(error)) => {
            say_with_place(&format!("--filter: {error}"));
            ExitCode::from(USAGE)
        }
        Err(run::Failure::Tracing(error)) => {
            say(&explained(error.as_ref()));
            ExitCode::from(FAILED)
        }
    }
}

/// What the user asks for. Options that are about tracing do not go with a command that does not trace.
fn checked(matches: &ArgMatches) -> Result<Args, clap::Error> {
    if let Some(action) = matches.subcommand_name() {
        let command = Args::command();
        let given = |option: &&clap::Arg| {
            matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine)
        };
        let mut own =
            command.get_arguments().filter(|option| !FOR_EVERY_COMMAND.contains(&option.get_id().as_str()));
        if let Some(option) = own.find(given) {
            let message = format!("`{}` is about tracing and does not go with `{action}`", spelled(option));
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        }
    }
    Args::from_arg_matches(matches)
}

/// Options that mean something to every command.
const FOR_EVERY_COMMAND: [&str; 2] = ["vendor_files", "color"];

/// An option as it is written.
fn spelled(option: &clap::Arg) -> String {
    let short = || option.get_short().map(|short| format!("-{short}"));
    option.get_long().map(|long| format!("--{long}")).or_else(short).unwrap_or_else(|| "--".to_owned())
}

fn perform(args: Args) -> Result<u8, run::Failure> {
    let known = registry::open(&args.vendor_files)?;
    match &args.action {
        Some(Action::Ask(question)) => registry::run(question, known).map(|()| 0),
        Some(Action::Diff(options)) => diff::run(options, args.color, known),
        Some(Action::Policy(options)) => policy::run(options, known),
        Some(Action::Doctor) => doctor::run(known, &mut io::stdout().lock()),
        Some(Action::Completions(options)) => {
            pages::completions(*options, &mut io::stdout().lock()).map(|()| 0)
        }
        Some(Action::Man(options)) => pages::manual(options, &mut io::stdout().lock()).map(|()| 0),
        None => match &args.mode {
            Mode::Replay(file) => replay::run(&file.clone(), &args, known),
            Mode::Demo => replay::demo(&args, known),
            Mode::Trace | Mode::Record => run::run(args, known),
        },
    }
}

/// What was done, which is enough where whoever reads has seen enough.
fn unless_closed<T: Default>(done: Result<T, run::Failure>) -> Result<T, run::Failure> {
    match done {
        Err(run::Failure::Tracing(error))
            if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(T::default())
        }
        done => done,
    }
}

/// Says something to the user, who may have closed the terminal meanwhile.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "ioctl-trace: {}", visible(line));
}

/// Says what is wrong in its first line; those that follow show where.
fn say_with_place(message: &str) {
    let mut lines = message.lines();
    say(lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(io::stderr(), "{}", visible(line));
    }
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
