//! `registry import`: a header's requests as a file for `--registry`.

use std::{io::Write, path::Path};

use super::args::ImportArgs;
use crate::{
    cli::{run::Failure, say},
    create,
    import::{self, ImportError, Order},
};

/// Imports headers and writes the file.
///
/// # Errors
/// What is wrong with the headers or the compiler, and why the file cannot be written.
pub fn run(args: &ImportArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let order = Order {
        headers: args.headers.clone(),
        include: args.include.clone(),
        define: args.define.clone(),
        before: args.before.clone(),
        name: args.name.clone(),
        devices: args.devices.clone(),
        also: args.also.clone(),
    };
    let imported = import::import(&order).map_err(|error| match error {
        // The user's own words are wrong, not the header.
        ImportError::Header(..) => Failure::Usage(error.to_string()),
        error => error.into(),
    })?;
    let text = imported.file.render();
    if args.output == Path::new("-") {
        out.write_all(text.as_bytes())?;
        out.flush()?;
    } else {
        create::file(&args.output)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| anyhow::anyhow!("cannot write `{}`: {error}", args.output.display()))?;
    }
    for (name, why) in &imported.left_out {
        say(&format!("left out `{name}`: {why}"));
    }
    let (requests, types) = (imported.file.requests.len(), imported.file.types.len());
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    say(&format!(
        "{} and {} in `{}`",
        counted(requests, "request"),
        counted(types, "type"),
        args.output.display()
    ));
    Ok(())
}
