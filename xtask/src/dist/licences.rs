//! The licences of the crates that are in the program: their texts, as the crates have them.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::Release;
use crate::sh::quietly;

/// The file, in what is packed.
pub const FILE: &str = "LICENSES-THIRD-PARTY.txt";
/// The settings of cargo-about.
const SETTINGS: &str = "about.toml";

/// What of them cargo itself is asked about too: what the program and the BPF object in it are built for.
#[derive(Deserialize)]
struct Settings {
    targets: Vec<String>,
}

/// What cargo-about finds.
#[derive(Deserialize)]
struct Found {
    licenses: Vec<License>,
}

/// A text, and whose it is.
#[derive(Deserialize)]
struct License {
    id: String,
    name: String,
    text: String,
    /// Where it was found; `None` where the crate has none, and it is the licence's own.
    source_path: Option<String>,
    used_by: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "crate")]
    of: Crate,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    /// `None` for those of this workspace.
    source: Option<String>,
    authors: Vec<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
}

impl Release {
    /// Writes the texts where they are packed from.
    ///
    /// # Errors
    /// When one is missing.
    pub fn licences(&self) -> Result<()> {
        let file = self.work.join("licences.json");
        let mut about = self.command(&self.tools.join("cargo-about").to_string_lossy());
        about.args(["generate", "--format", "json", "--locked", "--fail", "--config", SETTINGS]);
        about.args(["--manifest-path", "tracer/Cargo.toml", "--output-file"]).arg(&file);
        quietly("collecting the licences of what is in the program", &mut about)?;
        let found: Found = serde_json::from_slice(&fs::read(&file)?).context("what cargo-about found")?;
        let text = written(&found, &self.linked()?)?;
        fs::create_dir_all(self.dist())?;
        Ok(fs::write(self.dist().join(FILE), text)?)
    }

    /// Name and version of each crate of others that is linked, as cargo's own tree has them.
    fn linked(&self) -> Result<BTreeSet<(String, String)>> {
        let settings: Settings =
            toml::from_str(&fs::read_to_string(self.src().join(SETTINGS))?).context(SETTINGS)?;
        let mut tree = self.cargo();
        tree.args(["tree", "--locked", "--package", "ioctl-trace", "--edges", "normal,no-proc-macro"]);
        tree.args(["--prefix", "none", "--format", "{p}"]);
        tree.args(settings.targets.iter().flat_map(|target| ["--target", target]));
        let output = tree.output().context("cannot run cargo tree")?;
        ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let ours = |line: &str| line.contains(" (/");
        let named = |line: &str| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
        };
        Ok(text.lines().filter(|line| !ours(line)).filter_map(named).collect())
    }
}

/// The file's text: every licence once, below those whose it is.
fn written(found: &Found, linked: &BTreeSet<(String, String)>) -> Result<String> {
    let mut left = linked.clone();
    let mut text = format!(
        "ioctl-trace is built with the crates below, {} in number, under these licences. What else it is from says NOTICE.\n\
         Rust's standard library is in it too, under the MIT License or the Apache License, Version 2.0.\n",
        linked.len()
    );
    for license in &found.licenses {
        let of = license.used_by.iter().map(|user| &user.of);
        let mut crates: Vec<_> = of
            .filter(|of| of.source.is_some() && linked.contains(&(of.name.clone(), of.version.clone())))
            .collect();
        crates.sort();
        crates.dedup();
        if crates.is_empty() {
            continue;
        }
        ensure!(
            !license.text.trim().is_empty(),
            "no text of {} for {}",
            license.id,
            crates.iter().map(|of| of.name.as_str()).collect::<Vec<_>>().join(", ")
        );
        write!(text, "\n{:=<80}\n{} ({})\n\n", "", license.name, license.id)?;
        for of in &crates {
            left.remove(&(of.name.clone(), of.version.clone()));
            write!(text, "    {} {}", of.name, of.version)?;
            // The licence's own text does not say whose it is.
            if license.source_path.is_none() && !of.authors.is_empty() {
                write!(text, ", by {}", of.authors.join(", "))?;
            }
            writeln!(text, "{}", of.repository.as_ref().map(|it| format!(", {it}")).unwrap_or_default())?;
        }
        write!(text, "\n{}\n", license.text.trim_end())?;
        // Which the Apache License wants to be passed on.
        for of in crates.iter().filter(|_| license.id.starts_with("Apache")) {
            for notice in notices(&of.manifest_path)? {
                write!(text, "\nNOTICE of {} {}:\n\n{}\n", of.name, of.version, notice.trim_end())?;
            }
        }
    }
    ensure!(left.is_empty(), "no licence of {left:?}");
    Ok(text)
}

/// The notices beside a crate's manifest.
fn notices(manifest: &Path) -> Result<Vec<String>> {
    let folder = manifest.parent().with_context(|| manifest.display().to_string())?;
    let files = fs::read_dir(folder).with_context(|| folder.display().to_string())?.flatten();
    let is_one = |path: &PathBuf| {
        path.file_stem().is_some_and(|name| name.eq_ignore_ascii_case("NOTICE")) && path.is_file()
    };
    let mut files: Vec<_> = files.map(|file| file.path()).filter(is_one).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).with_context(|| file.display().to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: &str, text: &str, manifest: &Path) -> Found {
        let of = |name: &str, source: Option<&str>| User {
            of: Crate {
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                source: source.map(str::to_owned),
                authors: vec!["A. Author".to_owned()],
                repository: None,
                manifest_path: manifest.to_owned(),
            },
        };
        Found {
            licenses: vec![License {
                id: id.to_owned(),
                name: format!("{id} License"),
                text: text.to_owned(),
                source_path: None,
                used_by: vec![of("theirs", Some("registry")), of("ours", None), of("tool", Some("registry"))],
            }],
        }
    }

    #[test]
    fn every_linked_crate_has_a_text() {
        let linked = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), "1.0.0".to_owned())).collect::<BTreeSet<_>>()
        };
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = folder.path().join("Cargo.toml");
        fs::write(folder.path().join("NOTICE.txt"), "It is from …\n").expect("written");
        let of = |id: &str, text: &str| found(id, text, &manifest);
        let text = written(&of("MIT", "Permission is …\n"), &linked(&["theirs"])).expect("complete");
        assert!(text.contains("    theirs 1.0.0, by A. Author\n\nPermission is …\n"), "{text}");
        assert!(!text.contains("ours") && !text.contains("tool") && !text.contains("NOTICE of"), "{text}");
        let text = written(&of("Apache-2.0", "You may …"), &linked(&["theirs"])).expect("complete");
        assert!(text.ends_with("You may …\n\nNOTICE of theirs 1.0.0:\n\nIt is from …\n"), "{text}");
        let missing = |text: &str, names: &[&str]| {
            written(&of("MIT", text), &linked(names)).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(missing(" \n", &["theirs"]).starts_with("no text of MIT for theirs"));
        assert!(missing("text", &["theirs", "other"]).starts_with("no licence of"));
    }
}
