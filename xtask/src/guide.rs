//! The guide: every command in it is run, what it prints is put below it, and the book is built.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    setup,
    sh::{self, as_root, cargo, cargo_tool, install_missing, loudly, quietly},
};

/// Options of `cargo xtask guide`.
#[derive(Debug, clap::Args)]
pub struct GuideArgs {
    /// Only these chapters, by their files' names, without building the book
    chapters: Vec<String>,
}

const FOLDER: &str = "docs/guide";
const BOOK: (&str, &str) = ("mdbook", "0.5.4");
/// Programs that the chapters use, and the Debian packages that have them.
const PROGRAMS: &[(&str, &str)] = &[
    ("script", "bsdutils"),
    ("mkfs.ext4", "e2fsprogs"),
    ("fsfreeze", "util-linux"),
    ("findmnt", "mount"),
    ("cc", "gcc"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("python3", "python3-venv"),
];
/// A block of commands begins so; what must be in the output may follow.
const COMMANDS: &str = "```sh";
const EXPECTED: &str = ",expect-";
/// What they printed.
const PRINTED: &str = "```text";
const END: &str = "```";
/// Lines and columns of output that are shown.
const LINES: usize = 30;
const COLUMNS: usize = 160;

/// Runs the chapters' commands and builds the book.
///
/// # Errors
/// When a command fails, or does not print what the chapter speaks of.
pub fn guide(args: &GuideArgs) -> Result<()> {
    setup::setup()?;
    install_missing("the guide", PROGRAMS)?;
    loudly(cargo().args(["build", "--quiet", "--release", "-p", "ioctl-trace"]))?;
    let path = search_path(&python()?)?;
    let source = sh::root().join(FOLDER).join("src");
    let mut chapters: Vec<_> = fs::read_dir(&source)?.flatten().map(|entry| entry.path()).collect();
    chapters.retain(|path| path.file_name().is_none_or(|name| name != "SUMMARY.md"));
    chapters.sort();
    for file in chapters {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if args.chapters.is_empty() || args.chapters.contains(&name) {
            eprintln!("xtask: {name}");
            let text = fs::read_to_string(&file)?;
            let text = chapter(&text, &path).with_context(|| file.display().to_string())?;
            fs::write(&file, text)?;
        }
    }
    if args.chapters.is_empty() {
        let tool = cargo_tool(BOOK.0, BOOK.1)?;
        loudly(Command::new(tool).arg("build").arg(sh::root().join(FOLDER)))?;
    }
    Ok(())
}

/// A Python of its own, with DuckDB.
fn python() -> Result<PathBuf> {
    let folder = sh::target().join("guide-python");
    if !folder.join("bin/duckdb-is-there").exists() {
        let mut make = Command::new("python3");
        quietly("making a Python environment", make.args(["-m", "venv"]).arg(&folder))?;
        let mut install = Command::new(folder.join("bin/pip"));
        quietly("installing DuckDB with pip", install.args(["install", "--quiet", "duckdb"]))?;
        fs::write(folder.join("bin/duckdb-is-there"), "")?;
    }
    Ok(folder.join("bin"))
}

fn search_path(python: &Path) -> Result<OsString> {
    let system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let folders = [python.to_path_buf(), sh::target().join("release")];
    Ok(std::env::join_paths(folders.into_iter().chain(system.map(PathBuf::from)))?)
}

/// A chapter with what its commands print now.
fn chapter(text: &str, path: &OsString) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("guide-").tempdir_in("/tmp")?;
    let mut written = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        written += &format!("{line}\n");
        let Some(expected) = line.strip_prefix(COMMANDS) else { continue };
        let mut commands = String::new();
        for line in lines.by_ref() {
            written += &format!("{line}\n");
            if line == END {
                break;
            }
            commands += &format!("{line}\n");
        }
        // What was printed before goes.
        while lines.next_if(|line| line.is_empty()).is_some() {}
        if lines.next_if_eq(&PRINTED).is_some() {
            for _ in lines.by_ref().take_while(|line| *line != END) {}
            while lines.next_if(|line| line.is_empty()).is_some() {}
        }
        let printed = run(&commands, folder.path(), path)?;
        let expected = expected.strip_prefix(EXPECTED).unwrap_or_default();
        ensure!(
            printed.contains(expected),
            "`{expected}` is not in what this printed:\n{commands}\n{printed}"
        );
        written += &format!("\n{PRINTED}\n{}{END}\n", shortened(&printed, folder.path()));
        if lines.peek().is_some() {
            written.push('\n');
        }
    }
    Ok(written)
}

/// What commands print, both streams together.
fn run(commands: &str, folder: &Path, path: &OsString) -> Result<String> {
    let mut shell = as_root("env");
    shell.arg("-i").arg(format!("PATH={}", path.to_string_lossy())).args(["LC_ALL=C.UTF-8", "TERM=xterm"]);
    shell.arg(format!("RECORDINGS={}", recordings()));
    shell.args(["timeout", "60", "sh", "-euc"]).arg(format!("exec 2>&1\n{commands}"));
    let output = shell.current_dir(folder).stdin(Stdio::null()).output().context("cannot run a shell")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}:\n{commands}\n{text}", output.status);
    ensure!(!text.is_empty(), "nothing is printed by:\n{commands}");
    Ok(text)
}

/// Where the recordings are.
fn recordings() -> String {
    sh::root().join(FOLDER).join("recordings").display().to_string()
}

/// Output without what is particular to this machine, and not too much of it.
fn shortened(text: &str, folder: &Path) -> String {
    let text = text.replace(&*folder.to_string_lossy(), "/tmp/guide").replace(&recordings(), "recordings");
    let mut short = String::new();
    for line in text.lines().take(LINES) {
        let cut: String = line.chars().take(COLUMNS).collect();
        let more = if cut.len() < line.len() { "…" } else { "" };
        short += &format!("{cut}{more}\n");
    }
    if text.lines().count() > LINES {
        short += "…\n";
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_put_below_and_replaced() {
        let path = OsString::from("/usr/bin:/bin");
        let before = "# A\n\n```sh,expect-two\necho one\necho two\n```\n\nEnd.\n";
        let after = "# A\n\n```sh,expect-two\necho one\necho two\n```\n\n```text\none\ntwo\n```\n\nEnd.\n";
        // Twice: the second time there is something to be replaced.
        for text in [before, after] {
            assert_eq!(chapter(text, &path).expect("it runs"), after);
        }
        assert!(chapter("```sh\nfalse\n```\n", &path).is_err());
        assert!(chapter("```sh,expect-three\necho two\n```\n", &path).is_err());
    }
}
