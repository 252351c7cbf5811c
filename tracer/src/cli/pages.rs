//! The commands `completions` and `man`: what is made of the options themselves, for shells and for `man`.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _, ValueEnum};
use clap_complete::{
    generate,
    shells::{Bash, Fish, Zsh},
};
use clap_mangen::Man;

use super::{args::Args, replay::Verb, run::Failure};

/// What `completions --help` says below its options.
pub const COMPLETIONS: &str = "\
Examples:
  ioctl-trace completions bash > /usr/share/bash-completion/completions/ioctl-trace
  ioctl-trace completions zsh > /usr/share/zsh/vendor-completions/_ioctl-trace
  ioctl-trace completions fish > ~/.config/fish/completions/ioctl-trace.fish";

/// What `man --help` says below its options.
pub const MAN: &str = "\
Examples:
  ioctl-trace man | man -l -
  ioctl-trace man replay > ioctl-trace-replay.1";

/// Options of `completions`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A shell that completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

/// Options of `man`.
#[derive(Clone, Debug, clap::Args)]
pub struct ManArgs {
    /// The page of this command instead of the program's
    #[arg(value_name = "COMMAND")]
    pub about: Option<String>,
}

/// Prints what a shell needs to complete our command lines.
pub fn completions(args: CompletionsArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let mut whole = whole();
    let name = whole.get_name().to_owned();
    // The generators stop the program where they cannot write.
    let mut text = Vec::new();
    match args.shell {
        Shell::Bash => generate(Bash, &mut whole, name, &mut text),
        Shell::Zsh => generate(Zsh, &mut whole, name, &mut text),
        Shell::Fish => generate(Fish, &mut whole, name, &mut text),
    }
    Ok(out.write_all(&text)?)
}

/// Prints a page of the manual.
pub fn manual(args: &ManArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let mut whole = whole();
    whole.build();
    let command = match &args.about {
        None => Some(&whole),
        Some(name) => whole.find_subcommand(name),
    };
    let no_page = || {
        let names: Vec<_> = whole.get_subcommands().map(Command::get_name).collect();
        Failure::Usage(format!("man: there is no such command; there are {}", names.join(", ")))
    };
    Ok(page(command.ok_or_else(no_page)?, out)?)
}

fn page(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    // Without its examples, whose lines a paragraph would join.
    let man = Man::new(command.clone().version(env!("CARGO_PKG_VERSION"))).manual("ioctl-trace").date("");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    if let Some(more) = command.get_after_help() {
        writeln!(out, ".SH NOTES\n.nf")?;
        for line in more.to_string().lines() {
            writeln!(out, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
        }
        writeln!(out, ".fi")?;
    }
    Ok(())
}

/// All that the program does as one command: `record` and `replay` are no commands to those who read the options.
fn whole() -> Command {
    let verbs = [(Verb::Record, "record"), (Verb::Replay, "replay")].map(|(verb, name)| {
        let known = verb.command();
        let shown: Vec<_> = known.get_arguments().filter(|arg| !arg.is_hide_set()).cloned().collect();
        let about = known.get_about().cloned().unwrap_or_default();
        let usage = known.get_overridden_usage().cloned().unwrap_or_default();
        let more = known.get_after_help().cloned().unwrap_or_default();
        Command::new(name).about(about).override_usage(usage).after_help(more).args(shown)
    });
    Args::command().subcommands(verbs).disable_help_subcommand(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> String {
        let mut text = Vec::new();
        print(&mut text).expect("to memory");
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn shells_complete_options_and_commands() {
        for (shell, says) in [
            (Shell::Bash, "--rotate-size"),
            (Shell::Zsh, "#compdef ioctl-trace"),
            (Shell::Fish, "__fish_ioctl_trace_using_subcommand replay"),
        ] {
            let text = printed(|out| completions(CompletionsArgs { shell }, out));
            assert!(text.contains(says) && text.contains("max-bytes"), "{shell:?}");
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let names: Vec<_> = whole().get_subcommands().map(|c| Some(c.get_name().to_owned())).collect();
        assert!(names.len() >= 11, "{names:?}");
        for about in names.into_iter().chain([None]) {
            let text = printed(|out| manual(&ManArgs { about: about.clone() }, out));
            assert!(text.contains(".SH OPTIONS") && text.contains(".SH SYNOPSIS"), "{about:?}");
        }
        let page = printed(|out| manual(&ManArgs { about: Some("replay".to_owned()) }, out));
        assert!(page.contains("\\-\\-speed") && !page.contains("\\-\\-pid\\f"), "options of replay alone");
        assert!(manual(&ManArgs { about: Some("rm".to_owned()) }, &mut Vec::new()).is_err());
    }
}
