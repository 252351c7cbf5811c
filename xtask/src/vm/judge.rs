//! Compares what ioctl-trace recorded of a scenario with what strace saw at the same time, and with what the scenario says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use ioctl_registry::{Arch, Registry, Request};
use serde_json::Value;

use super::{
    fields,
    scenario::{DOCTOR, Scenario},
    strace::{self, Call},
};

/// What came out of one scenario on one kernel.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Calls that strace saw.
    pub calls: usize,
    /// Different requests.
    pub requests: BTreeSet<String>,
    /// Calls that are missing, too many, or have another result.
    pub different: usize,
    /// Calls whose name strace has another of.
    pub wrong_names: usize,
    /// Calls that a driver was declared for.
    pub drivers: usize,
    /// Those of them that have another.
    pub wrong_drivers: usize,
    /// Arguments that hand something over or bring something back.
    pub carrying: usize,
    /// Those of them that were decoded.
    pub decoded: usize,
    /// Requests with arguments that were not, and how often.
    pub undecoded: BTreeMap<String, usize>,
    /// Fields that strace shows too.
    pub fields: usize,
    /// Those of them that have the same name and value.
    pub same_fields: usize,
    /// The others, each once, and how often.
    pub other_fields: BTreeMap<String, usize>,
    /// What is wrong, each once, and how often.
    pub problems: BTreeMap<String, usize>,
}

impl Verdict {
    fn problem(&mut self, text: String) {
        *self.problems.entry(text).or_default() += 1;
    }

    fn differ(&mut self, text: String) {
        self.different += 1;
        self.problem(text);
    }

    fn count_fields(&mut self, event: &Value, ours: [&str; 2], theirs: &str) {
        let name = names(event).map(head).collect::<Vec<_>>().join(" or ");
        let compared = fields::compare(&name, ours, theirs);
        self.fields += compared.same + compared.explained + compared.differing.len();
        self.same_fields += compared.same;
        for other in compared.differing {
            *self.other_fields.entry(format!("{name}: {other}")).or_default() += 1;
        }
    }

    /// Whether all is as it must be.
    pub fn passes(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Judges the results in a job's folder.
///
/// # Errors
/// When they cannot be read.
pub fn judge(scenario: &Scenario, job: &Path, tracer: &Path) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut succeeded = BTreeSet::new();
    for client in scenario.clients.keys() {
        let file = |extension: &str| job.join("out").join(format!("{client}.{extension}"));
        let rc = fs::read_to_string(file("rc")).with_context(|| format!("{client} did not run"))?;
        if rc.trim() != "0" {
            let text = fs::read(file("out")).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let last = text.lines().next_back().unwrap_or_default().escape_debug().to_string();
            verdict.problem(format!("{client}: exit code {}: {last}", rc.trim()));
        }
        let lines = file("jsonl");
        replay(tracer, &["--format", "jsonl"], &file("iotrace"), &lines)?;
        let [ours, raw] = [("txt", "abbrev"), ("raw.txt", "raw")].map(|(extension, style)| {
            let text = file(extension);
            replay(tracer, &["-v", "-s", "65536", "-X", style], &file("iotrace"), &text)?;
            let text = fs::read(&text).with_context(|| text.display().to_string())?;
            anyhow::Ok(by_thread(strace::calls(&without_names(&String::from_utf8_lossy(&text)))))
        });
        let (ours, raw) = (ours?, raw?);
        let text = fs::read(file("strace")).with_context(|| format!("{client}: strace"))?;
        let theirs = by_thread(strace::calls(&String::from_utf8_lossy(&text)));
        let mut places: BTreeMap<i64, usize> = BTreeMap::new();
        for line in BufReader::new(File::open(&lines)?).lines() {
            let event: Value = serde_json::from_str(&line?)?;
            let tid = event["tid"].as_i64().unwrap_or_default();
            // Our tracer's child strace makes calls of its own.
            let Some(of_thread) = theirs.get(&tid) else { continue };
            let place = places.entry(tid).or_default();
            match of_thread.get(*place) {
                Some(call) => {
                    compare(scenario, client, &event, call, &mut verdict);
                    let mine = [&ours, &raw].map(|calls| {
                        let call = calls.get(&tid).and_then(|calls| calls.get(*place));
                        call.map(|call| call.argument.as_str()).unwrap_or_default()
                    });
                    verdict.count_fields(&event, mine, &call.argument);
                }
                None => verdict.differ(format!("{client}: more calls of a thread than strace has")),
            }
            *place += 1;
            look(scenario, client, &event, &mut verdict);
            if event["ret"].as_i64().is_some_and(|ret| ret >= 0) {
                succeeded.extend(names(&event).map(|name| head(name).to_owned()));
            }
        }
        for (tid, calls) in &theirs {
            verdict.calls += calls.len();
            let seen = places.get(tid).copied().unwrap_or_default();
            for call in calls.iter().skip(seen) {
                verdict.differ(format!("{client}: {} is missing", call.name.escape_debug()));
            }
        }
    }
    if scenario.small {
        let doctor = fs::read_to_string(job.join("out").join(DOCTOR)).context("the doctor did not run")?;
        // No other architecture has Wine's probes.
        let bad = |line: &&str| !line.starts_with("ok") && !line.ends_with("on x86-64 only");
        for line in doctor.lines().filter(bad) {
            verdict.problem(format!("doctor: {}", line.escape_debug()));
        }
    }
    for request in scenario.requests.iter().filter(|request| !succeeded.contains(*request)) {
        verdict.problem(format!("{request} was not seen to succeed"));
    }
    if verdict.requests.len() < scenario.least {
        verdict.problem(format!(
            "{} different requests, {} expected",
            verdict.requests.len(),
            scenario.least
        ));
    }
    Ok(verdict)
}

/// Writes a recording as lines or JSON.
fn replay(tracer: &Path, options: &[&str], recording: &Path, to: &Path) -> Result<()> {
    let mut replay = Command::new(tracer);
    replay.args(["replay", "-q", "--no-tui"]).args(options).arg("-o").arg(to).arg(recording);
    let output = replay.output().with_context(|| tracer.display().to_string())?;
    let (name, error) = (recording.display(), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "replay of {name}: {error}");
    Ok(())
}

/// Lines `COMMAND TID ioctl(…` as strace has them, which does not say the command's name.
fn without_names(text: &str) -> String {
    let calls = text.lines().filter_map(|line| {
        let (before, call) = line.split_once(" ioctl(")?;
        Some(format!("{} ioctl({call}\n", before.rsplit(' ').next()?))
    });
    calls.collect()
}

fn by_thread(calls: Vec<Call>) -> BTreeMap<i64, Vec<Call>> {
    let mut threads: BTreeMap<i64, Vec<Call>> = BTreeMap::new();
    for call in calls {
        threads.entry(call.tid).or_default().push(call);
    }
    threads
}

/// A name without its parameters.
fn head(name: &str) -> &str {
    name.split('(').next().unwrap_or(name)
}

fn names(event: &Value) -> impl Iterator<Item = &str> {
    event["request"]["names"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn text<'e>(event: &'e Value, pointer: &str) -> &'e str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The same call twice: descriptor, name, result.
fn compare(scenario: &Scenario, client: &str, event: &Value, call: &Call, verdict: &mut Verdict) {
    let fd = event["fd"].as_i64().unwrap_or_default().to_string();
    let result = match (event["ret"].as_i64(), text(event, "/errno")) {
        (Some(_), errno) if errno.starts_with("ERESTART") => format!("? {errno}"),
        (Some(ret), "") => ret.to_string(),
        (Some(_), errno) => format!("-1 {errno}"),
        (None, _) => "?".to_owned(),
    };
    let ours: Vec<&str> = names(event).collect();
    let shown = if ours.is_empty() { text(event, "/request/hex").to_owned() } else { ours.join(" or ") };
    if call.fd.split('<').next() != Some(&fd) {
        verdict
            .problem(format!("{client}: {shown} on descriptor {fd}, strace has {}", call.fd.escape_debug()));
    }
    if !same_result(&result, &call.result) {
        verdict.differ(format!("{client}: {shown} = {result}, strace has {}", call.result.escape_debug()));
    }
    let same = call.name.split(" or ").any(|theirs| ours.iter().any(|ours| same_name(ours, theirs)));
    // What strace has no name for we may know.
    let unnamed = call.name.starts_with("_IOC(") || call.name.starts_with("0x");
    let known = |name: &str| scenario.explained.contains_key(head(name));
    let explained = ours.iter().any(|name| known(name)) || call.name.split(" or ").any(known);
    if !same && !unnamed && !explained {
        verdict.wrong_names += 1;
        verdict.problem(format!("{client}: {shown}, strace has {}", call.name.escape_debug()));
    }
}

/// strace shows addresses and sets of flags in hexadecimal, and does not see the end of calls whose process ends meanwhile.
fn same_result(ours: &str, theirs: &str) -> bool {
    let hex = || i64::from_str_radix(theirs.strip_prefix("0x")?, 16).ok();
    ours == theirs || theirs == "?" || hex().is_some_and(|value| value.to_string() == ours)
}

/// Whether two names are of the same request.
fn same_name(ours: &str, theirs: &str) -> bool {
    let (ours, theirs) = (head(ours), head(theirs));
    if ours == theirs {
        return true;
    }
    let registry = Registry::builtin();
    // Headers that define what another one has call it by a name of their own.
    let same = |ours: &Request, theirs: &Request| {
        ours.name() == theirs.name()
            || (ours.number(Arch::X86_64) == theirs.number(Arch::X86_64) && ours.arg() == theirs.arg())
    };
    registry.find(ours).zip(registry.find(theirs)).is_some_and(|(ours, theirs)| same(ours, theirs))
}

/// What one call must be by itself: named, its driver as declared, its argument decoded.
fn look(scenario: &Scenario, client: &str, event: &Value, verdict: &mut Verdict) {
    let hex = text(event, "/request/hex");
    let names: Vec<&str> = names(event).collect();
    let explained = names.iter().any(|name| scenario.explained.contains_key(head(name)))
        || scenario.explained.contains_key(hex);
    match names.as_slice() {
        [] if explained => return,
        [] => verdict.problem(format!(
            "{client}: {hex} on {} has no name = {}",
            text(event, "/path"),
            event["ret"]
        )),
        [name] => {
            verdict.requests.insert(head(name).to_owned());
        }
        several => {
            verdict.requests.insert(several.iter().map(|name| head(name)).collect::<Vec<_>>().join(" or "));
        }
    }
    let path = text(event, "/path");
    if let Some(wanted) = scenario.driver_of(path) {
        verdict.drivers += 1;
        let driver = text(event, "/device/driver");
        if driver != wanted {
            verdict.wrong_drivers += 1;
            verdict.problem(format!("{client}: driver of {path} is {driver:?}, not {wanted:?}"));
        }
    }
    let Some(decoded) = decoded(event) else { return };
    verdict.carrying += 1;
    if decoded {
        verdict.decoded += 1;
    } else {
        *verdict
            .undecoded
            .entry(if names.is_empty() { hex.to_owned() } else { names.join(" or ") })
            .or_default() += 1;
    }
}

/// Whether the argument of a call was decoded; nothing if it carries no data that the call used.
fn decoded(event: &Value) -> Option<bool> {
    let failed = event["ret"].as_i64().is_none_or(|ret| ret < 0);
    let direction = text(event, "/request/dir");
    let brings = matches!(direction, "read" | "read-write") && !failed;
    let hands = matches!(direction, "write" | "read-write");
    let unknown = event["request"]["names"].as_array().is_none_or(Vec::is_empty);
    let address = text(event, "/arg").len() > 10;
    let sides = [&event["in"], &event["out"]];
    if !(brings || hands) && sides.iter().all(|side| side.is_null()) {
        // Of a number that nobody knows, an address may be the argument.
        return (unknown && address && !failed).then_some(false);
    }
    // What only the kernel fills is not there after a failure.
    let fills = || names(event).any(|name| fills(head(name)));
    if text(event, "/arg") == "0x0" || (failed && event["in"].is_null() && fills()) {
        return None;
    }
    // Only untyped bytes and bare addresses are strings of hexadecimal digits throughout.
    let raw = |side: &Value| {
        side.as_str().is_some_and(|text| {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            digits.len() > 1 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    let seen = |side: &Value| !side.is_null() && !raw(side);
    // A part that could not be read is no fault of decoding; none at all is.
    Some(sides.iter().any(|side| seen(side)))
}

/// Whether the kernel alone fills the argument of a request, whatever its number says.
fn fills(name: &str) -> bool {
    Registry::builtin().facts_of(name).any(|(_, facts)| facts.contains(&ioctl_registry::Fact::Out))
}
