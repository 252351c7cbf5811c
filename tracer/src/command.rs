//! The command that is traced from its first instruction on: as whom it runs, and how it ended.

use std::{
    ffi::OsString,
    io,
    os::unix::{fs::chown, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

use crate::{process, raw, source::wine};

/// A command to start.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// Run as this user; `None` for the user behind sudo, or ourselves.
    pub user: Option<String>,
    /// Run on this terminal; `None` for ours.
    pub terminal: Option<PathBuf>,
}

/// Why a command cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No such user.
    #[error("there is no user `{0}`")]
    User(String),
    /// It could not be given its terminal.
    #[error("cannot give the command a terminal: {0}")]
    Terminal(io::Error),
    /// There is no Wine by this name.
    #[error("there is no `{program}`: {remedy}, in /usr/lib/wine if not in PATH", remedy = wine::REMEDY)]
    NoWine {
        /// The program.
        program: String,
    },
    /// It could not be executed.
    #[error("cannot run `{program}`: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
}

/// The command, ready to be spawned.
///
/// # Errors
/// When the user does not exist, or the terminal cannot be opened.
pub fn prepare(spec: &Spec) -> Result<Command, CommandError> {
    let mut argv = spec.argv.iter();
    let mut command = Command::new(argv.next().map(OsString::as_os_str).unwrap_or_default());
    command.args(argv);
    if let Some(terminal) = &spec.terminal {
        raw::on_terminal(&mut command, terminal).map_err(CommandError::Terminal)?;
        // What it is like: nothing of the terminal around it holds. Lines are drawn without another set of characters.
        command.env("TERM", "xterm-256color").env("NCURSES_NO_UTF8_ACS", "1");
        for variable in ["COLUMNS", "LINES", "TMUX", "TMUX_PANE", "STY"] {
            command.env_remove(variable);
        }
    }
    let named = spec.user.clone();
    let behind_sudo = || {
        let name = std::env::var("SUDO_USER").ok()?;
        (name != "root" && geteuid().is_root() && !process::in_shell_of_root()).then_some(name)
    };
    let Some(name) = named.or_else(behind_sudo) else { return Ok(command) };
    let user = User::from_name(&name).ok().flatten().ok_or_else(|| CommandError::User(name.clone()))?;
    if user.uid == Uid::current() {
        return Ok(command);
    }
    if let Some(terminal) = &spec.terminal {
        // Its owner may open it by name, as on every terminal.
        chown(terminal, Some(user.uid.as_raw()), None).map_err(CommandError::Terminal)?;
    }
    let groups = supplementary_groups(&user);
    raw::run_as(&mut command, user.uid, user.gid, groups);
    // sudo has put root's into the environment.
    command.env("HOME", &user.dir).env("USER", &name).env("LOGNAME", &name).env("SHELL", &user.shell);
    for variable in ["SUDO_USER", "SUDO_UID", "SUDO_GID", "SUDO_COMMAND"] {
        command.env_remove(variable);
    }
    Ok(command)
}

fn supplementary_groups(user: &User) -> Vec<Gid> {
    let name = std::ffi::CString::new(user.name.as_bytes()).unwrap_or_default();
    getgrouplist(&name, user.gid).unwrap_or_else(|_| vec![user.gid])
}

/// Whether the program is a 32-bit one, as far as can be told before it runs: a script's interpreter is not looked at.
#[must_use]
pub fn is_32_bit(spec: &Spec) -> bool {
    let Some(program) = spec.argv.first().map(Path::new) else { return false };
    if program.components().count() > 1 {
        return process::is_32_bit(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file());
    found.is_some_and(|file| process::is_32_bit(&file))
}

/// What a shell would report: the exit code, or 128 and the signal that killed it.
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
    }

    #[test]
    fn unknown_users_are_refused() {
        let spec = Spec { argv: vec!["true".into()], user: Some("no-such-user-here".into()), terminal: None };
        assert_eq!(prepare(&spec).expect_err("unknown").to_string(), "there is no user `no-such-user-here`");
    }
}
