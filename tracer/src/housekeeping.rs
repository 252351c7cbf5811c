//! Which control codes are those by which Wine keeps house: its services', its loader's, its console's. Programs cause
//! them, but do not send them.

use std::sync::OnceLock;

use ioctl_registry::{
    glob_matches,
    windows::{Codes, ControlCode},
};

use crate::event::Call;

/// The table, one rule a line; its first lines say what it holds.
const TABLE: &str = include_str!("housekeeping.tsv");

/// A line of the table.
#[derive(Debug, PartialEq, Eq)]
enum Rule {
    Thread(&'static str),
    Code(u32, &'static str),
    Device(u16),
}

impl Rule {
    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let (kind, value) = (columns.next()?, columns.next()?);
        match kind {
            "thread" => Some(Self::Thread(value)),
            "code" => Some(Self::Code(Codes::builtin().parse(value).ok()?.0, columns.next()?)),
            "device" => {
                // A code's device type, read as one that has nothing else.
                let code = Codes::builtin().parse(&format!("CTL_CODE({value}, 0, 0, 0)")).ok()?;
                Some(Self::Device(code.parts().device))
            }
            _ => None,
        }
    }

    fn fits(&self, call: &Call, name: &str) -> bool {
        match self {
            Self::Thread(pattern) => glob_matches(pattern, &String::from_utf8_lossy(call.comm.as_bytes())),
            Self::Code(code, pattern) => *code == call.request && glob_matches(pattern, name),
            Self::Device(device) => *device == ControlCode(call.request).parts().device,
        }
    }
}

fn lines() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.starts_with('#'))
}

/// Whether a call of a Windows program is one of Wine's own.
pub fn is_housekeeping(call: &Call) -> bool {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    let rules = RULES.get_or_init(|| lines().filter_map(Rule::parse).collect());
    let name = call.target.file().map(|file| String::from_utf8_lossy(&file.target).to_ascii_lowercase());
    rules.iter().any(|rule| rule.fits(call, name.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_rule() {
        for line in lines() {
            assert!(Rule::parse(line).is_some(), "{line}");
        }
        assert_eq!(Rule::parse("device\tFILE_DEVICE_CONSOLE"), Some(Rule::Device(0x50)));
    }
}
