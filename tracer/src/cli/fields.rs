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
        writeln!(out, "{:<18} {:<15} {}", field.name, format!("{}{unit}", field.kind.as_str()), field.description)?;
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
