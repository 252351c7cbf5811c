//! Requests whose number takes a parameter: what the parameter does is read from the values of probes.

use anyhow::{Context, Result, bail, ensure};

use ioctl_registry_extract::{
    macros::ARGUMENT,
    model::Type,
    spell::{self, Naming},
};

use super::{
    discover::Function,
    extract::Constants,
    overlay::{Overlay, ParametrisedFacts},
    pass::Headers,
};

const PROBE: &str = "PROBE";

/// A request with a parameter.
#[derive(Debug)]
pub struct Parametrised {
    function: Function,
    roles: Vec<Role>,
    /// The number with all parameters nought.
    base: u32,
    /// The type of the argument, where the parameter is not its length.
    pub arg: Option<Type>,
    facts: ParametrisedFacts,
}

/// What a parameter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is added to the nr.
    Nr,
    /// The size is this many times the parameter.
    Size(u32),
}

/// Names and expressions to evaluate, from which the parameters' roles are read.
pub fn probes(functions: &[Function]) -> Vec<(String, String)> {
    let mut probes = Vec::new();
    for function in functions {
        let count = function.parameters.len();
        // All parameters 1, then each of them 2.
        for varied in 0..=count {
            let arguments: Vec<&str> =
                (0..count).map(|index| if index + 1 == varied { "2" } else { "1" }).collect();
            let expression = format!("{}({})", function.name, arguments.join(", "));
            probes.push((probe_name(&function.name, varied), expression));
        }
    }
    probes
}

/// The name of the probe that varies a parameter (from 1), or none (0).
fn probe_name(function: &str, varied: usize) -> String {
    format!("{PROBE}{varied}__{function}")
}

/// Whether a value belongs to a probe.
pub fn is_probe(name: &str) -> bool {
    name.strip_prefix(PROBE).is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}

/// The requests with a parameter that the headers define, sorted by name.
pub fn read(headers: &Headers, overlay: &Overlay, constants: &Constants) -> Result<Vec<Parametrised>> {
    let mut found = Vec::new();
    let mut unlisted = Vec::new();
    for header in headers.values() {
        for function in &header.discovery.functions {
            let Some(facts) = overlay.parametrised(&function.name) else {
                unlisted.push(format!("{}: {}", function.header, function.name));
                continue;
            };
            if facts.helper {
                continue;
            }
            let facts = ParametrisedFacts { range: range(&facts.range, constants)?, ..facts };
            let values = (0..=function.parameters.len()).map(|varied| {
                let value = header.report.values.get(&probe_name(&function.name, varied))?;
                u32::try_from(*value).ok()
            });
            let values: Option<Vec<u32>> = values.collect();
            let (roles, base) = values
                .context("its value is no number")
                .and_then(|values| roles(&values))
                .with_context(|| format!("{} of {}", function.name, function.header))?;
            let arg = header.report.types.pointees.get(&function.name).map(|(ty, _)| ty.clone());
            found.push(Parametrised { function: function.clone(), roles, base, arg, facts });
        }
    }
    ensure!(unlisted.is_empty(), "macros that overlay/parametrised.tsv must list:\n{}", unlisted.join("\n"));
    overlay.check_parametrised(found.iter().map(|entry| entry.function.name.as_str()))?;
    found.sort_by(|a, b| a.function.name.cmp(&b.function.name));
    Ok(found)
}

/// A range with its constant, if it ends in one, replaced by the value.
fn range(text: &str, constants: &Constants) -> Result<String> {
    let Some((first, constant)) = text.split_once("..").filter(|(_, last)| last.contains(':')) else {
        return Ok(text.to_owned());
    };
    let value = constant.split_once(':').and_then(|(header, name)| constants.get(header, name, 0));
    let value = value.with_context(|| format!("parametrised.tsv: no constant {constant}"))?;
    Ok(format!("{first}..{value:#x}"))
}

/// The parameters' roles and the number with all of them nought, from the numbers with all 1 and with each in turn 2.
fn roles(values: &[u32]) -> Result<(Vec<Role>, u32)> {
    let [ones, varied @ ..] = values else { bail!("no values") };
    let (nr, size) = (|number: u32| number & 0xff, |number: u32| number >> 16 & 0x3fff);
    let mut base = *ones;
    let mut roles = Vec::new();
    for number in varied {
        let step = number.wrapping_sub(*ones);
        let role = match (nr(*number).wrapping_sub(nr(*ones)), size(*number).wrapping_sub(size(*ones))) {
            (1, 0) => Role::Nr,
            (0, size) if size > 0 => Role::Size(size),
            _ => bail!("a parameter is neither a size nor an nr: {number:#x} follows {ones:#x}"),
        };
        base = base.wrapping_sub(step);
        roles.push(role);
    }
    ensure!(
        size(base) == 0 || !roles.iter().any(|role| matches!(role, Role::Size(_))),
        "a size has a constant part"
    );
    Ok((roles, base))
}

impl Parametrised {
    /// The row of the table.
    pub fn row(&self, naming: Naming) -> Vec<String> {
        let names: Vec<String> = self.function.parameters.iter().map(|name| name.to_lowercase()).collect();
        let with_role = |wanted: fn(&Role) -> bool| {
            let mut pairs = names.iter().zip(&self.roles);
            pairs.find(|(_, role)| wanted(role))
        };
        let nr = match with_role(|role| *role == Role::Nr) {
            Some((name, _)) => {
                format!("{:#04x}+{name}:{}", self.base & 0xff, self.facts.range)
            }
            None => format!("{:#04x}", self.base & 0xff),
        };
        let length = with_role(|role| matches!(role, Role::Size(_)));
        let size = match length {
            Some((name, Role::Size(1))) => name.clone(),
            Some((name, Role::Size(step))) => format!("{step}*{name}"),
            _ => (self.base >> 16 & 0x3fff).to_string(),
        };
        let arg = match (&self.facts.arg, length, &self.arg) {
            (Some(arg), ..) => arg.clone(),
            (None, Some((name, Role::Size(1))), _) => format!("char[{name}]"),
            (None, Some((name, _)), _) => {
                self.element().map_or(String::new(), |element| format!("{element}[{name}]"))
            }
            (None, None, Some(ty)) => spell::ty(ty, naming),
            (None, None, None) => String::new(),
        };
        let direction = match self.base >> 30 {
            0 => "none",
            1 => "write",
            2 => "read",
            _ => "read-write",
        };
        vec![
            self.function.name.clone(),
            names.join(","),
            self.function.marker.made().as_str().to_owned(),
            direction.to_owned(),
            format!("{:#04x}", self.base >> 8 & 0xff),
            nr,
            size,
            arg,
            format!("{}:{}", self.function.header, self.function.line),
            self.facts.sets.clone(),
        ]
    }

    /// The type whose size the macro multiplies.
    fn element(&self) -> Option<String> {
        let text = self.function.marker.text();
        let (_, rest) = text.split_once("sizeof")?;
        let (ty, _) = rest.trim_start().strip_prefix('(')?.split_once(')')?;
        Some(ty.trim().to_owned())
    }
}

/// The type of a function's argument as the header has it, unless a parameter decides it.
pub fn fixed_type(function: &Function) -> Option<String> {
    function.marker.arg_type().filter(|ty| !ty.contains(ARGUMENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_from_probes() {
        let (found, base) = roles(&[0x8001_4521, 0x8001_4522, 0x8002_4521]).unwrap();
        assert_eq!((found.as_slice(), base), (&[Role::Nr, Role::Size(1)][..], 0x8000_4520));
        let (found, base) = roles(&[0x4020_6b00, 0x4040_6b00]).unwrap();
        assert_eq!((found.as_slice(), base), (&[Role::Size(32)][..], 0x4000_6b00));
        assert!(roles(&[0x4020_6b00, 0x4020_6b00]).is_err());
    }

    #[test]
    fn probes_are_told_from_constants() {
        assert!(is_probe(&probe_name("EVIOCGBIT", 2)));
        assert!(!is_probe("PROBE_MODE"));
    }
}
