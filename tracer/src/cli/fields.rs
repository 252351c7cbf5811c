//! The command `fields`: what there is to filter by.

use std::io::Write;

use serde::Serialize;

use super::run::Failure;
use crate::field::{FieldId, Kind};

/// A field as JSON. The keys are stable: scripts depend on them.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    aliases: &'static [&'static str],
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'static [&'static str]>,
    unit: Option<&'static str>,
    description: &'static str,
    example: &'static str,
}

/// Prints every field.
///
/// # Errors
/// When nothing can be printed.
pub fn run(json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let fields = || FieldId::ALL.iter().map(|id| id.definition());
    if json {
        for field in fields() {
            let line = Line {
                name: field.name,
                aliases: field.aliases,
                r#type: field.kind.as_str(),
                words: if let Kind::Word(words) = field.kind { Some(words) } else { None },
                unit: field.kind.unit(),
                description: field.description,
                example: field.example,
            };
            serde_json::to_writer(&mut *out, &line)?;
            writeln!(out)?;
        }
        return Ok(());
    }
    for field in fields() {
        let unit = field.kind.unit().map(|unit| format!(" ({unit})")).unwrap_or_default();
        writeln!(
            out,
            "{:<18} {:<15} {}",
            field.name,
            format!("{}{unit}", field.kind.as_str()),
            field.description
        )?;
        let mut more = Vec::new();
        if !field.aliases.is_empty() {
            more.push(format!("also {}", field.aliases.join(", ")));
        }
        if let Kind::Word(words) = field.kind {
            more.push(format!("one of {}", words.join(", ")));
        }
        more.push(format!("example: {}", field.example));
        writeln!(out, "{:<34} {}", "", more.join("; "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ioctl_registry::Registry;

    use super::*;
    use crate::filter::Filter;

    fn printed(json: bool) -> String {
        let mut out = Vec::new();
        assert!(run(json, &mut out).is_ok());
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_list_is_as_agreed() {
        insta::assert_snapshot!(printed(false));
    }

    #[test]
    fn every_example_is_an_expression() {
        let lines = printed(true);
        assert_eq!(lines.lines().count(), FieldId::ALL.len());
        for line in lines.lines() {
            let field: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| field[key].as_str().unwrap_or_default().to_owned();
            // Users differ from machine to machine.
            let example = text("example").replace("nobody", "root");
            let filter = Filter::parse(&example, Registry::builtin());
            let filter = filter.unwrap_or_else(|error| panic!("{error}"));
            let id = FieldId::find(&text("name")).expect("a field");
            assert!(filter.uses(id), "{example}");
        }
    }
}
