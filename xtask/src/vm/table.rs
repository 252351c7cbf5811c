//! `docs/zoo.md`: the table of what came out of all scenarios.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use anyhow::{Context, Result};

use super::{Outcome, kernel::Version, scenario::Scenario};
use crate::sh;

const FILE: &str = "docs/zoo.md";

/// Writes the table.
///
/// # Errors
/// When it cannot be written.
pub fn write(scenarios: &[Scenario], outcomes: &[Outcome]) -> Result<()> {
    let path = sh::root().join(FILE);
    fs::write(&path, text(scenarios, outcomes)).with_context(|| path.display().to_string())
}

fn text(scenarios: &[Scenario], outcomes: &[Outcome]) -> String {
    let releases: BTreeSet<&str> = outcomes.iter().map(|outcome| outcome.release.as_str()).collect();
    let releases: Vec<&str> = releases.into_iter().filter(|release| !release.is_empty()).collect();
    let date = sh::output_of("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default();
    let mut totals = Totals::default();
    for outcome in outcomes {
        totals.add(outcome);
    }
    let mut text = format!(
        "# The zoo: real drivers and their clients\n\n\
         Written by `cargo xtask vm zoo` on {date}, on Debian's kernels {}, in QEMU without KVM.\n\n\
         Each client runs under ioctl-trace and strace at once. Every call that strace saw must be there, in its thread's order,\n\
         with the same name and result; the driver must be the one that the scenario declares for the file; arguments that hand\n\
         something over or bring something back must be decoded. Fields are those that strace shows too: how many have its\n\
         name and value. Scenarios are files in `xtask/vm/scenarios`.\n\n\
         **{} families, {} calls, {} different requests; {} calls missing or different, {} wrong names, {} wrong drivers of {};\n\
         {} of {} arguments with data decoded ({}); {} of {} fields as strace has them ({}).**\n\n",
        releases.join(" and "),
        totals.families.len(),
        totals.calls,
        totals.requests.len(),
        totals.different,
        totals.wrong_names,
        totals.wrong_drivers,
        totals.drivers,
        totals.decoded,
        totals.carrying,
        share(totals.decoded, totals.carrying),
        totals.same_fields,
        totals.fields,
        share(totals.same_fields, totals.fields),
    );
    text += "| family | drivers: clients |";
    for version in Version::ALL {
        let _ = write!(text, " {}: calls | requests | decoded | fields | |", version.name());
    }
    text += "\n|---|---|";
    text += &"--:|--:|--:|--:|---|".repeat(Version::ALL.len());
    text += "\n";
    for scenario in scenarios {
        let _ = write!(text, "| {} | {} |", scenario.family, scenario.about);
        for version in Version::ALL {
            let outcome = outcomes.iter().find(|it| it.scenario == scenario.name && it.version == version);
            text += &match outcome.map(|outcome| &outcome.verdict) {
                None => " | | | | not there |".to_owned(),
                Some(Err(_)) => " | | | | **did not run** |".to_owned(),
                Some(Ok(verdict)) => format!(
                    " {} | {} | {} | {}/{} | {} |",
                    verdict.calls,
                    verdict.requests.len(),
                    share(verdict.decoded, verdict.carrying),
                    verdict.same_fields,
                    verdict.fields,
                    if verdict.passes() { "passes" } else { "**differs**" }
                ),
            };
        }
        text += "\n";
    }
    text += &remarks(scenarios, outcomes);
    text
}

/// What is explained, what differs, and which arguments are not decoded.
fn remarks(scenarios: &[Scenario], outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let explained = scenarios.iter().flat_map(|scenario| &scenario.explained);
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (what, why) in explained {
        reasons.entry(why).or_default().insert(what);
    }
    text += "\n## Explained\n\n";
    for (why, what) in reasons {
        let what: Vec<String> = what.into_iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "- {}: {why}.", what.join(", "));
    }
    let (mut problems, mut undecoded) = (String::new(), BTreeMap::<&str, usize>::new());
    let mut fields = BTreeMap::<&str, usize>::new();
    for outcome in outcomes {
        let Ok(verdict) = &outcome.verdict else { continue };
        for (problem, times) in &verdict.problems {
            let (version, name) = (outcome.version.name(), &outcome.scenario);
            let problem = problem.replace('|', "\\|");
            let _ = writeln!(problems, "- {version} {name}: {times} x {problem}");
        }
        for (request, times) in &verdict.undecoded {
            *undecoded.entry(request).or_default() += times;
        }
        for (field, times) in &verdict.other_fields {
            // Values are of one run.
            let field = field.split(" is ").next().unwrap_or(field);
            *fields.entry(field).or_default() += times;
        }
    }
    if !problems.is_empty() {
        text += "\n## Different\n\n";
        text += &problems;
    }
    for (heading, counts) in
        [("Arguments that stay bytes", &undecoded), ("Fields that strace shows otherwise", &fields)]
    {
        if !counts.is_empty() {
            let list: Vec<String> = counts.iter().map(|(what, times)| format!("{what} ({times})")).collect();
            let _ = writeln!(text, "\n## {heading}\n\n{}.", list.join(", "));
        }
    }
    text
}

/// Sums over all outcomes.
#[derive(Default)]
struct Totals<'o> {
    families: BTreeSet<&'o str>,
    requests: BTreeSet<&'o str>,
    calls: usize,
    different: usize,
    wrong_names: usize,
    drivers: usize,
    wrong_drivers: usize,
    carrying: usize,
    decoded: usize,
    fields: usize,
    same_fields: usize,
}

impl<'o> Totals<'o> {
    fn add(&mut self, outcome: &'o Outcome) {
        let Ok(verdict) = &outcome.verdict else { return };
        self.families.insert(&outcome.scenario);
        self.requests.extend(verdict.requests.iter().map(String::as_str));
        self.calls += verdict.calls;
        self.different += verdict.different;
        self.wrong_names += verdict.wrong_names;
        self.drivers += verdict.drivers;
        self.wrong_drivers += verdict.wrong_drivers;
        self.carrying += verdict.carrying;
        self.decoded += verdict.decoded;
        self.fields += verdict.fields;
        self.same_fields += verdict.same_fields;
    }
}

/// A share in per cent, never rounded up to all.
fn share(part: usize, whole: usize) -> String {
    let tenths = (part * 1_000).checked_div(whole).unwrap_or(1_000);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn all_is_only_what_is_all() {
        assert_eq!((share(9_999, 10_000).as_str(), share(7, 7).as_str()), ("99.9 %", "100.0 %"));
        assert_eq!(share(0, 0), "100.0 %");
    }
}
