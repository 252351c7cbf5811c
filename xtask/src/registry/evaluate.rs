//! Computes values and reads types: one translation unit per header, compiled and never run.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use ioctl_registry_extract::{
    dwarf::{self, Described},
    table::{self, Line},
};

use super::{
    compiler::Compiler,
    discover::{self, Discovery, first_error},
    overlay::Overlay,
    parametrised,
};

/// What one header yields on one architecture.
#[derive(Debug, Default)]
pub struct Report {
    /// Values of requests, constants, and of functions' probes.
    pub values: BTreeMap<String, i128>,
    /// Types of arguments and of the header itself.
    pub types: Described,
    /// Candidates that do not compile.
    pub lost: Vec<Lost>,
}

/// A candidate that does not compile.
#[derive(Debug)]
pub struct Lost {
    /// Its name.
    pub name: String,
    /// The compiler's message.
    pub reason: String,
}

/// Evaluates what was discovered in one header; `probes` are further names with expressions.
pub fn header(
    compiler: &Compiler,
    header: &str,
    discovery: &Discovery,
    probes: &[(String, String)],
    overlay: &Overlay,
) -> Result<Report> {
    let mut lines = Vec::new();
    for candidate in &discovery.requests {
        lines.push(Line::Value(candidate.name.clone(), candidate.name.clone()));
        if let Some(ty) = &candidate.arg_type {
            lines.push(Line::Type(candidate.name.clone(), ty.clone()));
        }
    }
    for function in &discovery.functions {
        lines.extend(parametrised::fixed_type(function).map(|ty| Line::Type(function.name.clone(), ty)));
    }
    lines.extend(discovery.constants.iter().map(|name| Line::Value(name.clone(), name.clone())));
    lines.extend(probes.iter().map(|(name, expression)| Line::Value(name.clone(), expression.clone())));
    let unit = format!(
        "{}#ifndef _IOC\n#include <asm/ioctl.h>\n#endif\n#include <linux/sockios.h>\n",
        discover::unit(header, overlay)
    );
    let (object, bad) = compile(compiler, &unit, &mut lines)?;
    let requested = |lost: &Lost| discovery.requests.iter().any(|candidate| candidate.name == lost.name);
    let lost = bad.into_iter().filter(requested).collect();
    let types = dwarf::read(&object, header, |file| match compiler.include_name(file) {
        _ if compiler.is_source(file) => header.to_owned(),
        Some(name) if !name.starts_with("bits/") => discover::home(name),
        _ => "libc".to_owned(),
    })?;
    Ok(Report { values: table::values(&object, &lines)?, types, lost })
}

/// The values of expressions over what `unit` declares; none for what is no integer constant.
pub fn expressions(compiler: &Compiler, unit: &str, expressions: &[String]) -> Result<Vec<Option<i128>>> {
    let name = |place: usize| format!("V{place}");
    let values = expressions.iter().enumerate();
    let mut lines = values.map(|(place, expression)| Line::Value(name(place), expression.clone())).collect();
    let (object, _) = compile(compiler, unit, &mut lines)?;
    let values = table::values(&object, &lines)?;
    Ok((0..expressions.len()).map(|place| values.get(&name(place)).copied()).collect())
}

/// The object file of a table of those lines that compile; the others are taken out.
pub fn object(compiler: &Compiler, unit: &str, lines: &mut Vec<Line>) -> Result<Vec<u8>> {
    compile(compiler, unit, lines).map(|(object, _)| object)
}

/// Compiles the lines; those that do not compile are taken out and returned.
fn compile(compiler: &Compiler, unit: &str, lines: &mut Vec<Line>) -> Result<(Vec<u8>, Vec<Lost>)> {
    let mut lost = Vec::new();
    loop {
        let message = match compiler.compile(&table::source(unit, lines))? {
            Ok(object) => return Ok((object, lost)),
            Err(message) => message,
        };
        let bad = table::errors(&message);
        ensure!(!bad.is_empty(), "does not compile: {}", first_error(&message));
        for (line, reason) in bad.into_iter().rev() {
            ensure!(line < lines.len(), "an error outside the table: {reason}");
            lost.push(Lost { name: lines.remove(line).name().to_owned(), reason });
        }
    }
}
