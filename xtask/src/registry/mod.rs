//! `cargo xtask registry`: writes `registry/data` from the kernel's user-space headers. What the numbers mean to a
//! program lives in the `ioctl-registry` crate, not here.
//!
//! Per header: list its own macros, expand them with `_IO*()` redefined as markers, compile the candidates into
//! constant tables and read those, and the types, from the object file. Nothing that is compiled here is ever run.

mod arch;
mod blocks;
mod compiler;
mod discover;
mod entries;
mod evaluate;
mod export;
mod extract;
mod facts;
mod gate;
pub mod inputs;
mod known_types;
mod output;
pub mod overlay;
mod parametrised;
mod pass;
mod private;
mod requests;
mod sets;
mod shipped;
mod status;
mod types;
mod windows;
mod windows_types;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::{
    extract::Extracted,
    facts::{Arguments, Fields, Problems},
    inputs::Inputs,
    known_types::Types,
    overlay::Overlay,
    sets::{Sets, Values},
};

/// Options of `cargo xtask registry`.
#[derive(Debug, clap::Args)]
pub struct RegistryArgs {
    /// Write nothing; fail when the committed data differs from what would be written
    #[arg(long)]
    check: bool,
    /// Only the tables of Windows
    #[arg(long)]
    windows: bool,
    /// Accept tables that are smaller than the committed ones
    #[arg(long)]
    allow_shrink: bool,
    /// Write there instead
    #[arg(long, hide = true)]
    output: Option<PathBuf>,
    /// The workspace
    #[arg(long, hide = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    root: PathBuf,
}

/// Regenerates or checks the registry's data.
///
/// # Errors
///
/// When an input cannot be fetched or compiled, a table would shrink, or `--check` finds a difference.
pub fn run(args: &RegistryArgs) -> Result<()> {
    let root = args.root.canonicalize().with_context(|| format!("workspace {}", args.root.display()))?;
    let registry = root.join("registry");
    let overlay = Overlay::read(&registry.join("overlay"))?;
    let inputs = Inputs::fetch(&root.join("target/registry-inputs"), &overlay)?;
    let mut files = windows::render(&inputs, &registry.join("overlay"))?;
    files.extend(windows_types::render(&inputs, &registry.join("overlay"))?);
    files.push(status::render(&inputs)?);
    if !args.windows {
        files.extend(linux(&inputs, &overlay, &registry)?);
    }
    let data = args.output.clone().unwrap_or_else(|| registry.join("data"));
    if args.check { output::check(&data, &files) } else { output::write(&data, &files, args.allow_shrink) }
}

/// The tables of Linux, and those that come with vendor files.
fn linux(inputs: &Inputs, overlay: &Overlay, registry: &Path) -> Result<Vec<(&'static str, String)>> {
    let found = extract::extract(inputs, overlay)?;
    output::print_counts(&found);
    gate::sizes(&found.rows, overlay)?;
    let mut files = tables(registry, &found)?;
    files.push(("blocks.tsv", blocks::render(&inputs.block_table, &registry.join("overlay"))?));
    files.extend(shipped::render(registry)?);
    Ok(files)
}

/// The tables of Linux: what the headers yield, and what is known beside them.
fn tables(registry: &Path, found: &Extracted) -> Result<Vec<(&'static str, String)>> {
    let mut rows = found.types.rows();
    rows.extend(overlay::rows(&registry.join("overlay/definitions.tsv"))?);
    let types = Types::new(&rows)?;
    let values = Values::new(found.constants.all(), &overlay::rows(&registry.join("overlay/constants.tsv"))?);
    let mut problems = Problems::default();
    let mut sets = Sets::read(&registry.join("overlay/sets.tsv"), &values, &mut problems)?;
    let mut arguments = Arguments::read(registry, &types, &mut problems)?;
    let requests = output::requests(found, &mut arguments, &types);
    arguments.check_used(&mut problems);
    let parametrised = output::parametrised(found);
    let known = facts::requests([(&requests, 4), (&parametrised, 7)]);
    let mut fields = Fields::read(registry, &types, &known, &values, &mut sets, &mut problems)?;
    facts::value_sets(registry, &values, &mut sets, &mut fields, &mut problems)?;
    fields.check_sets(&sets, &mut problems);
    let subcommands = facts::subcommands(registry, &types, &known, &values, &mut problems)?;
    problems.report()?;
    for (table, count) in &fields.unmatched {
        eprintln!("registry: {count} facts about {table} are of nothing that the headers have");
    }
    Ok(vec![
        ("requests.tsv", requests),
        ("aliases.tsv", output::aliases(found)),
        ("parametrised.tsv", parametrised),
        ("types.tsv", output::types(&rows)),
        ("sets.tsv", output::sets(&sets)),
        ("fields.tsv", output::fields(&fields)),
        ("subcommands.tsv", output::subcommands(subcommands)),
    ])
}

fn files_below(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path, extension)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(files)
}
