//! Allow-lists as the `syscalls` of a seccomp profile, as the OCI runtime specification, runc, crun, Docker and Podman have it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::tally::Tally;

/// How a fragment is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seccomp {
    /// Leave out comments, which Docker's and Podman's profiles have and the OCI specification has not.
    pub no_comments: bool,
    /// Compare the low 32 bits alone, as the kernel does.
    pub masked: bool,
}

/// The names of the keys are the specification's.
#[derive(Serialize)]
struct Fragment {
    syscalls: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    names: [&'static str; 1],
    action: &'static str,
    args: [Condition; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[derive(Serialize)]
struct Condition {
    index: u32,
    value: u64,
    #[serde(rename = "valueTwo", skip_serializing_if = "Option::is_none")]
    value_two: Option<u64>,
    op: &'static str,
}

/// What is said of a request.
#[derive(Default)]
struct Said {
    names: BTreeSet<String>,
    calls: u64,
    places: BTreeSet<String>,
}

/// The rules that allow the requests of a tally, by number. A filter does not see which device a descriptor leads to: a
/// request is allowed on all of them.
///
/// # Errors
/// When JSON cannot be written, which is a fault of this program.
pub fn seccomp(tally: &Tally, style: Seccomp) -> serde_json::Result<String> {
    let mut requests: BTreeMap<u32, Said> = BTreeMap::new();
    for (place, number, group) in tally.groups() {
        let said = requests.entry(number).or_default();
        said.names.extend(group.names.iter().cloned());
        said.calls += group.calls;
        said.places.insert(place.to_string());
    }
    let rule = |(number, said): (u32, Said)| Rule {
        names: ["ioctl"],
        action: "SCMP_ACT_ALLOW",
        args: [condition(number, style.masked)],
        comment: (!style.no_comments).then(|| comment(&said)),
    };
    serde_json::to_string_pretty(&Fragment { syscalls: requests.into_iter().map(rule).collect() })
}

fn condition(number: u32, masked: bool) -> Condition {
    let number = u64::from(number);
    if masked {
        // Of a masked comparison the first value is the mask.
        let mask = u64::from(u32::MAX);
        Condition { index: 1, value: mask, value_two: Some(number), op: "SCMP_CMP_MASKED_EQ" }
    } else {
        Condition { index: 1, value: number, value_two: None, op: "SCMP_CMP_EQ" }
    }
}

fn comment(said: &Said) -> String {
    let list = |texts: &BTreeSet<String>, between| {
        texts.iter().map(String::as_str).collect::<Vec<_>>().join(between)
    };
    format!("{} ({}) on {}", list(&said.names, " or "), said.calls, list(&said.places, ", "))
}
