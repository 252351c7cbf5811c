//! What the dashboard looks like, and which key does what: the usual, and what the user's file says.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User, geteuid};
use serde::Deserialize;

use super::{keymap::Keymap, theme::Theme};
use crate::{escape::visible, process};

/// What the dashboard looks like, and which key does what.
#[derive(Clone, Debug)]
pub struct Looks {
    pub(super) theme: Theme,
    /// Nothing but ASCII is drawn.
    pub(super) ascii: bool,
    /// The mouse is listened to.
    pub(super) mouse: bool,
    /// Bytes that the calls kept may take, together with those of a picture that is held.
    pub(super) memory: usize,
    pub(super) keymap: Keymap,
}

/// Bytes for calls, unless the user says otherwise.
const MEMORY: usize = 128 << 20;
/// Less is too little to see anything, more is nobody's wish.
const MEMORIES: std::ops::RangeInclusive<u64> = 1 << 20..=64 << 30;
/// No configuration is larger.
const MAX_FILE: u64 = 64 << 10;

/// What a file can say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    theme: Option<String>,
    ascii: Option<bool>,
    mouse: Option<bool>,
    memory: Option<String>,
    #[serde(default)]
    keys: BTreeMap<String, Keys>,
}

/// A key, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Several(Vec<String>),
}

impl Looks {
    /// The usual ones, on a terminal with colours or without.
    #[must_use]
    pub fn usual(colors: bool) -> Self {
        Self {
            theme: Theme::new(colors),
            ascii: false,
            mouse: true,
            memory: MEMORY,
            keymap: Keymap::default(),
        }
    }

    /// The usual ones, changed as the user's file says, if there is one: that in `~/.config` of the user behind sudo, or
    /// `$XDG_CONFIG_HOME/ioctl-trace/config.toml`, or that in our own `~/.config`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn load(colors: bool) -> Result<Self, String> {
        for (path, owners) in places(|name| env::var_os(name), geteuid(), process::behind_sudo()) {
            let said = |error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
            match read(&path, &owners) {
                Ok(text) => return Self::parse(&text, colors).map_err(|error| said(&error)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(said(&error)),
            }
        }
        Ok(Self::usual(colors))
    }

    fn parse(text: &str, colors: bool) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| visible(error.message()).into_owned())?;
        let mut looks = Self::usual(colors);
        if let Some(name) = file.theme {
            let names = Theme::ALL.map(|theme| theme.name).join(", ");
            let theme = Theme::named(&name);
            let theme = theme.ok_or_else(|| format!("there is no theme `{}`: {names}", visible(&name)))?;
            // Who wants no colours gets none.
            looks.theme = if colors { theme } else { looks.theme };
        }
        looks.ascii = file.ascii.unwrap_or(looks.ascii);
        looks.mouse = file.mouse.unwrap_or(looks.mouse);
        if let Some(memory) = file.memory {
            looks.memory = bytes(&memory)
                .ok_or_else(|| format!("`memory = \"{}\"` is no size from 1M to 64G", visible(&memory)))?;
        }
        for (action, keys) in file.keys {
            let keys = match keys {
                Keys::One(key) => vec![key],
                Keys::Several(keys) => keys,
            };
            looks.keymap.bind(&action, &keys).map_err(|error| visible(&error).into_owned())?;
        }
        Ok(looks)
    }
}

/// `64M`, `1G`.
fn bytes(text: &str) -> Option<usize> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let shift = match unit.to_ascii_uppercase().as_str() {
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    let bytes = digits.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    usize::try_from(bytes).ok().filter(|_| MEMORIES.contains(&bytes))
}

/// Where a file may be, the first one counts; and whose it may be: another user's could give keys a meaning that we do not
/// expect.
fn places(env: impl Fn(&str) -> Option<OsString>, we: Uid, sudo: Option<u32>) -> Vec<(PathBuf, Vec<u32>)> {
    const NAME: &str = "ioctl-trace/config.toml";
    let folder = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // sudo may have put root's home into the environment, and may have left the user's there.
    let user = sudo.and_then(|uid| User::from_uid(Uid::from_raw(uid)).ok().flatten());
    let behind = user.map(|user| (user.dir.join(".config").join(NAME), vec![user.uid.as_raw()]));
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let own = config.map(|config| {
        (config.join(NAME), [Some(0), Some(we.as_raw()), sudo].into_iter().flatten().collect())
    });
    behind.into_iter().chain(own).collect()
}

/// Reads a file of one of these users.
fn read(path: &Path, owners: &[u32]) -> io::Result<String> {
    // A pipe there must not make us wait.
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        // A home that is closed to us is not ours: `setpriv` and the like leave the one of before in the environment.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(io::ErrorKind::NotFound.into()),
        opened => opened,
    }?;
    let known = file.metadata()?;
    if !owners.contains(&known.uid()) {
        let message = format!("it belongs to another user ({}): remove it, or chown it", known.uid());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    if !known.is_file() || known.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file of at most 64 KiB"));
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::tui::keymap::Action;

    #[test]
    fn a_file_changes_what_it_names() {
        let text = "theme = 'light'\nascii = true\nmemory = '64M'\n[keys]\nquit = 'x'\nzoom = ['q', 'F5']\n";
        let looks = Looks::parse(text, true).expect("valid");
        assert_eq!(
            (looks.theme.name, looks.ascii, looks.mouse, looks.memory),
            ("light", true, true, 64 << 20)
        );
        let action = |c| looks.keymap.action(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        assert_eq!((action('x'), action('q')), (Some(Action::Quit), Some(Action::Zoom)));
        assert_eq!(Looks::parse(text, false).expect("valid").theme.name, "mono", "colours are not wanted");
        assert_eq!(Looks::parse("", true).expect("valid").memory, MEMORY);
    }

    #[test]
    fn mistakes_are_told() {
        let error = |text| Looks::parse(text, true).expect_err("a mistake");
        assert_eq!(error("theme = 'drak'"), "there is no theme `drak`: dark, light, colour-blind, mono");
        assert_eq!(error("memory = '5'"), "`memory = \"5\"` is no size from 1M to 64G");
        assert!(error("colour = 1").contains("unknown field `colour`"), "{}", error("colour = 1"));
        assert!(error("[keys]\nquti = 'q'").starts_with("there is no action `quti`"));
        assert!(error("[keys]\nquit = 'Hyper-q'").starts_with("there is no key `Hyper-q`"));
    }

    #[test]
    fn only_files_of_their_users_are_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("config.toml");
        let we = geteuid().as_raw();
        assert_eq!(read(&path, &[we]).expect_err("none").kind(), io::ErrorKind::NotFound);
        std::fs::write(&path, "ascii = true").expect("written");
        assert_eq!(read(&path, &[we]).expect("ours"), "ascii = true");
        let error = read(&path, &[we + 1]).expect_err("another's");
        assert_eq!(error.to_string(), format!("it belongs to another user ({we}): remove it, or chown it"));
        assert_eq!(read(dir.path(), &[we]).expect_err("a folder").kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_user_behind_sudo_comes_first() {
        let nobody = User::from_name("nobody").expect("users").expect("there on every system");
        let uid = nobody.uid.as_raw();
        let places = |sudo: Option<u32>, we: u32| {
            let env = |name: &str| match name {
                "HOME" => Some("/root".into()),
                _ => None,
            };
            places(env, Uid::from_raw(we), sudo)
        };
        let root = |owners: &[u32]| (PathBuf::from("/root/.config/ioctl-trace/config.toml"), owners.to_vec());
        let theirs = (nobody.dir.join(".config/ioctl-trace/config.toml"), vec![uid]);
        assert_eq!(places(Some(uid), 0), [theirs, root(&[0, 0, uid])]);
        assert_eq!(places(None, 0), [root(&[0, 0])]);
    }
}
