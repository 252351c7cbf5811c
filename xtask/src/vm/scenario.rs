//! Scenarios: which drivers a machine has, which clients use them, and what must be seen of that. A file each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::{arch::Arch, kernel::Version};
use crate::sh;

/// One family of drivers with its clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name.
    #[serde(skip)]
    pub name: String,
    /// What the table of results calls it.
    pub family: String,
    /// The driver or device, and the clients.
    pub about: String,
    /// Packages of Debian that have the clients.
    pub packages: Vec<String>,
    /// Modules with their options.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Arguments for QEMU, as one would type them.
    #[serde(default)]
    pub qemu: Vec<String>,
    /// Added to the kernel's command line.
    #[serde(default)]
    pub append: String,
    /// Shell commands that run before the clients and are not traced.
    #[serde(default)]
    pub setup: String,
    /// Kernels that have its drivers, if not all do.
    pub kernels: Option<Vec<String>>,
    /// Whether it is in the small set.
    #[serde(default)]
    pub small: bool,
    /// Seconds that a client may take.
    #[serde(default = "minutes")]
    pub seconds: u64,
    /// What runs: by name, a shell script.
    pub clients: BTreeMap<String, String>,
    /// Drivers by the path of the open file, which may be a glob; the first that fits holds.
    #[serde(default)]
    pub drivers: Vec<(String, String)>,
    /// Requests that must be seen to succeed.
    #[serde(default)]
    pub requests: Vec<String>,
    /// How many different requests must be seen.
    #[serde(default)]
    pub least: usize,
    /// Numbers that have no name, and why; or requests that are named otherwise than by strace.
    #[serde(default)]
    pub explained: BTreeMap<String, String>,
    /// What is otherwise on arm64.
    #[serde(default)]
    arm64: Otherwise,
}

/// What is otherwise on another architecture, whose machines have other devices.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Otherwise {
    /// These come before the others.
    drivers: Vec<(String, String)>,
    least: Option<usize>,
}

const fn minutes() -> u64 {
    180
}

/// Where they are.
const FOLDER: &str = "xtask/vm/scenarios";

/// What the doctor says, among a job's results.
pub const DOCTOR: &str = "doctor";

/// The empty disk.
const DISK: &str = "disk";
const DISK_BYTES: u64 = 64 << 20;

/// Files that any program has open, and their drivers.
const COMMON: &str = include_str!("../../vm/drivers.tsv");

/// All of them, by name.
///
/// # Errors
/// When a file cannot be read.
pub fn all() -> Result<Vec<Scenario>> {
    let folder = sh::root().join(FOLDER);
    let mut scenarios = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let mut scenario: Scenario = toml::from_str(&text).with_context(|| path.display().to_string())?;
        scenario.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        ensure!(!scenario.clients.is_empty(), "{}: no clients", path.display());
        scenarios.push(scenario);
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scenarios)
}

/// Those of some names; all if there are none.
///
/// # Errors
/// When a name is not known.
pub fn chosen(names: &[String]) -> Result<Vec<Scenario>> {
    let mut scenarios = all()?;
    if let Some(name) = names.iter().find(|name| !scenarios.iter().any(|s| s.name == **name)) {
        let known: Vec<&str> = scenarios.iter().map(|s| s.name.as_str()).collect();
        bail!("there is no scenario {name}; there are {}", known.join(" "));
    }
    scenarios.retain(|scenario| names.is_empty() || names.contains(&scenario.name));
    Ok(scenarios)
}

/// Packages of some scenarios.
pub fn packages(scenarios: &[Scenario]) -> BTreeSet<String> {
    scenarios.iter().flat_map(|scenario| scenario.packages.clone()).collect()
}

impl Scenario {
    /// Whether a kernel has its drivers.
    pub fn runs_on(&self, version: Version) -> bool {
        self.kernels.as_ref().is_none_or(|kernels| kernels.iter().any(|kernel| kernel == version.name()))
    }

    /// As it is on an architecture.
    pub fn on(&self, arch: Arch) -> Self {
        let mut scenario = self.clone();
        if arch == Arch::Arm64 {
            scenario.drivers.splice(..0, self.arm64.drivers.iter().cloned());
            scenario.least = self.arm64.least.unwrap_or(self.least);
        }
        scenario
    }

    /// QEMU's arguments, one a string; `@disk` is an empty disk in the job's folder.
    pub fn devices(&self, job: &Path) -> Vec<String> {
        let disk = job.join(DISK).display().to_string();
        let words = self.qemu.iter().flat_map(|line| line.split_whitespace());
        words.map(|word| word.replace("@disk", &disk)).collect()
    }

    /// Writes what the machine does into the folder of a job.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, job: &Path) -> Result<()> {
        fs::File::create(job.join(DISK))?.set_len(DISK_BYTES)?;
        let mut script = String::from(". /job/client\n");
        if self.small {
            // It loads every program, those for 32-bit calls too.
            script += &format!("/job/ioctl-trace doctor >/job/out/{DOCTOR} 2>&1\n");
        }
        for module in &self.modules {
            script += &format!("modprobe {module} || say 'no module {module}'\n");
        }
        fs::write(job.join("setup.sh"), &self.setup)?;
        script += ". /job/setup.sh\n";
        for (client, commands) in &self.clients {
            fs::write(job.join(format!("{client}.sh")), commands)?;
            script += &format!("client {client} {}\n", self.seconds);
        }
        script += "true\n";
        Ok(fs::write(job.join("job"), script)?)
    }

    /// The driver that a file must have, if it is declared.
    pub fn driver_of(&self, path: &str) -> Option<&str> {
        let own = self.drivers.iter().map(|(path, driver)| (path.as_str(), driver.as_str()));
        let common =
            COMMON.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
        own.chain(common).find(|(glob, _)| ioctl_registry::glob_matches(glob, path)).map(|(_, driver)| driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_can_be_read_and_name_requests_that_exist() {
        let registry = ioctl_registry::Registry::builtin();
        let scenarios = all().unwrap();
        assert!(scenarios.len() >= 25);
        for scenario in &scenarios {
            for name in &scenario.requests {
                let head = name.split('(').next().unwrap_or(name);
                assert!(registry.find(head).is_some(), "{}: {name}", scenario.name);
            }
        }
    }
}
