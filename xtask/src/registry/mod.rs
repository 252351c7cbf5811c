//! `cargo xtask registry`: writes `registry/data` from the kernel's user-space headers. What the numbers mean to a
//! program lives in the `ioctl-registry` crate, not here.
//!
//! Per header: list its own macros, expand them with `_IO*()` redefined as markers, compile the candidates into
//! constant tables and read those from the object file. Nothing that is compiled here is ever run.

mod blocks;
mod compiler;
mod evaluate;
mod inputs;
mod macros;
mod output;
mod overlay;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result, anyhow, ensure};

use self::{compiler::Compiler, evaluate::HeaderReport, output::Tables, overlay::Overlay};

/// Where the headers come from, as named in the generated files.
const SOURCE: &str = "Linux UAPI 7.2, x86_64, headers of the ziglang 0.17.0 wheel";

/// Options of `cargo xtask registry`.
#[derive(Debug, clap::Args)]
pub struct RegistryArgs {
    /// Write nothing; fail when the committed data differs from what would be written
    #[arg(long)]
    check: bool,
    /// Accept tables that are smaller than the committed ones
    #[arg(long)]
    allow_shrink: bool,
    /// The kernel's ioctl-number document; both editions rewrite `blocks.tsv` (repeatable)
    #[arg(long, value_name = "FILE")]
    block_table: Vec<PathBuf>,
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
    let include = inputs::headers(&root.join("target/registry-inputs"))?;
    let headers = select_headers(&include, &overlay)?;
    eprintln!("registry: {} headers", headers.len());

    let reports = evaluate_all(&include, &headers, &overlay)?;
    let tables = Tables::from_reports(reports, &overlay)?;
    tables.print_counts();

    let data = registry.join("data");
    let mut files = vec![
        ("requests.tsv", output::render_requests(&tables)),
        ("aliases.tsv", output::render_aliases(&tables)),
    ];
    if !args.block_table.is_empty() {
        files.push(("blocks.tsv", blocks::render(&args.block_table)?));
    }
    if args.check { output::check(&data, &files) } else { output::write(&data, &files, args.allow_shrink) }
}

/// Include names of the headers that can hold requests: those that use `_IO*()` and those the overlay names.
fn select_headers(include: &Path, overlay: &Overlay) -> Result<Vec<String>> {
    let mut headers = Vec::new();
    for root in compiler::KERNEL_ROOTS {
        let root = include.join(root);
        for path in files_below(&root)? {
            let name = path.strip_prefix(&root)?.to_string_lossy().into_owned();
            let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
            if overlay.is_legacy(&name) || text.windows(3).any(|window| window == b"_IO") {
                headers.push(name);
            }
        }
    }
    headers.sort();
    headers.dedup();
    // Some kernel headers (`scsi/sg.h`) reach programs through the C library alone.
    for name in overlay.legacy_headers() {
        if let Err(place) = headers.binary_search_by(|header| header.as_str().cmp(name)) {
            let path = include.join(compiler::LIBC_ROOT).join(name);
            ensure!(path.is_file(), "legacy.tsv names {name}, which is not among the headers");
            headers.insert(place, name.to_owned());
        }
    }
    Ok(headers)
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "h") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Evaluates every header, as many at a time as there are processors; all failures are reported together.
fn evaluate_all(include: &Path, headers: &[String], overlay: &Overlay) -> Result<Vec<HeaderReport>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(headers.len()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            let compiler = Compiler::new(include, overlay.empty_headers())?;
            while let Some(header) = headers.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = evaluate::header(&compiler, header, overlay);
                let mut results = results.lock().map_err(|_| anyhow!("another worker failed"))?;
                results.push((header, result));
                if results.len().is_multiple_of(50) || results.len() == headers.len() {
                    eprintln!("registry: {}/{} headers", results.len(), headers.len());
                }
            }
            Ok(())
        };
        let tasks: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        tasks.into_iter().try_for_each(|task| task.join().map_err(|_| anyhow!("a worker panicked"))?)
    })?;
    let mut results = results.into_inner().map_err(|_| anyhow!("a worker failed"))?;
    results.sort_by_key(|(header, _)| *header);
    let mut reports = Vec::new();
    let mut failures = Vec::new();
    for (header, result) in results {
        match result {
            Ok(report) => reports.push(report),
            Err(error) => failures.push(format!("{header}: {error:#}")),
        }
    }
    ensure!(failures.is_empty(), "headers that need a line in headers.tsv:\n{}", failures.join("\n"));
    Ok(reports)
}
