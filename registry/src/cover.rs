//! Which requests belong to a line of `families.tsv`. The build asks this once; nothing does at run time.

use crate::{glob::glob_matches, parse};

/// The globs of a line of `families.tsv`.
#[derive(Debug)]
pub struct Cover<'t> {
    /// The family.
    pub family: &'t str,
    /// Which headers.
    pub headers: Vec<&'t str>,
    /// Which names of these headers.
    pub names: Vec<&'t str>,
    /// The devices, as the line has them.
    pub devices: &'t str,
}

impl<'t> Cover<'t> {
    /// A line of the table.
    pub fn parse(line: &'t str) -> Option<Self> {
        let [family, headers, names, devices] = parse::columns(line)?;
        let globs = |text: &'t str| text.split(',').collect();
        Some(Self { family, headers: globs(headers), names: globs(names), devices })
    }

    /// Whether a request belongs to the line, if none before it has it. `header` may end in `:LINE`.
    pub fn covers(&self, header: &str, name: &str) -> bool {
        let header = header.split(':').next().unwrap_or(header);
        let any = |globs: &[&str], text: &str| globs.iter().any(|glob| glob_matches(glob, text));
        any(&self.headers, header) && any(&self.names, name)
    }
}
