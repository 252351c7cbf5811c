//! Allow-lists as JSON, for tools that make policies of other kinds.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::tally::{Asked, Group, Place, Tally};

/// The keys are stable: scripts depend on them.
#[derive(Serialize)]
struct Device<'t> {
    device: String,
    kind: &'t str,
    name: Option<&'t str>,
    major: Option<u32>,
    minor: Option<u32>,
    paths: &'t BTreeSet<String>,
    requests: Vec<Request<'t>>,
}

#[derive(Serialize)]
struct Request<'t> {
    number: u32,
    hex: String,
    name: String,
    names: &'t BTreeSet<String>,
    calls: u64,
    failed: u64,
    errors: BTreeMap<String, u64>,
    comms: &'t BTreeMap<String, u64>,
}

/// A list of devices, each with the requests that were made of it.
///
/// # Errors
/// When JSON cannot be written, which is a fault of this program.
pub fn json(tally: &Tally) -> serde_json::Result<String> {
    let devices: Vec<_> = tally.places.iter().map(device).collect();
    serde_json::to_string_pretty(&devices)
}

fn device<'t>((place, asked): (&'t Place, &'t Asked)) -> Device<'t> {
    Device {
        device: place.to_string(),
        kind: place.kind,
        name: Some(place.name.as_str()).filter(|name| !name.is_empty()),
        major: place.numbers.map(|(major, _)| major),
        minor: place.numbers.map(|(_, minor)| minor),
        paths: &asked.paths,
        requests: asked.requests.iter().map(request).collect(),
    }
}

fn request<'t>((number, group): (&u32, &'t Group)) -> Request<'t> {
    Request {
        number: *number,
        hex: format!("{number:#x}"),
        name: group.label(),
        names: &group.names,
        calls: group.calls,
        failed: group.failed(),
        errors: group.named_errors(),
        comms: &group.comms,
    }
}
