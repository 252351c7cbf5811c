//! Passes over headers: every header of one kernel version, on one architecture, as many at a time as there are
//! processors.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};

use super::{
    arch::Arch,
    compiler::{Compiler, Kernel},
    discover::{self, Discovery},
    evaluate::{self, Report},
    files_below,
    inputs::Inputs,
    overlay::Overlay,
    parametrised,
};

/// What a pass goes over.
pub struct Scope<'a> {
    /// Where the inputs lie.
    pub inputs: &'a Inputs,
    /// The hand-written tables.
    pub overlay: &'a Overlay,
    /// The kernel version.
    pub kernel: &'a Kernel,
    /// The architecture.
    pub arch: &'static Arch,
    /// Whether times have 64 bits where the architecture has both.
    pub time64: bool,
    /// Whether values of constants are wanted, of every header that compiles.
    pub constants: bool,
    /// Whether headers that do not compile are left out, as those of a kernel may with another's `asm/`.
    pub lenient: bool,
    /// Whether files of the kernel's own tree are meant, compiled as part of it.
    pub private: bool,
}

/// What one header yields.
#[derive(Debug, Default)]
pub struct Header {
    /// What was looked for.
    pub discovery: Discovery,
    /// What was found.
    pub report: Report,
}

/// Headers by include name.
pub type Headers = BTreeMap<String, Header>;

impl<'a> Scope<'a> {
    /// A pass over headers, without anything special.
    pub fn new(inputs: &'a Inputs, overlay: &'a Overlay, kernel: &'a Kernel, arch: &'static Arch) -> Self {
        Self {
            inputs,
            overlay,
            kernel,
            arch,
            time64: false,
            constants: false,
            lenient: false,
            private: false,
        }
    }

    /// How progress names the pass.
    fn title(&self) -> String {
        let special = match (self.time64, self.private) {
            (true, _) => ", 64-bit time",
            (_, true) => ", files of drivers",
            _ => "",
        };
        format!("Linux {}, {}{special}", self.kernel.version, self.arch.name)
    }

    /// Goes over the headers named. A header that `known` has is not searched anew for what it defines.
    pub fn run(&self, headers: &[String], known: Option<&Headers>) -> Result<Headers> {
        let started = Instant::now();
        let next = AtomicUsize::new(0);
        let results = Mutex::new(BTreeMap::new());
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|threads| {
            let work = || -> Result<()> {
                let empty = self.overlay.empty_headers();
                let compiler = if self.private {
                    Compiler::kernel(self.inputs, self.arch)?
                } else {
                    Compiler::new(self.inputs, self.kernel, self.arch, self.time64, empty)?
                };
                while let Some(header) = headers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = self.header(&compiler, header, known);
                    let mut results = results.lock().map_err(|_| anyhow!("another worker failed"))?;
                    results.insert(header.clone(), result);
                    if results.len().is_multiple_of(250) {
                        eprintln!("registry: {}: {}/{} headers", self.title(), results.len(), headers.len());
                    }
                }
                Ok(())
            };
            let tasks: Vec<_> = (0..workers).map(|_| threads.spawn(work)).collect();
            tasks.into_iter().try_for_each(|task| task.join().map_err(|_| anyhow!("a worker panicked"))?)
        })?;
        let results = results.into_inner().map_err(|_| anyhow!("a worker failed"))?;
        let mut done = Headers::new();
        let mut failures = Vec::new();
        for (header, result) in results {
            match result {
                Ok(found) => {
                    done.insert(header, found);
                }
                Err(error) => failures.push(format!("{header}: {error:#}")),
            }
        }
        if self.lenient {
            for failure in failures.drain(..) {
                eprintln!("registry: {}: left out {failure}", self.title());
            }
        }
        let took = started.elapsed().as_secs_f32();
        eprintln!("registry: {}: {} headers in {took:.1} s", self.title(), done.len());
        ensure!(
            failures.is_empty(),
            "{}: headers that need a line in headers.tsv:\n{}",
            self.title(),
            failures.join("\n")
        );
        Ok(done)
    }

    fn header(&self, compiler: &Compiler, header: &str, known: Option<&Headers>) -> Result<Header> {
        let known = known.and_then(|known| known.get(header));
        let own = header.starts_with("asm/");
        let mut discovery = match known.filter(|known| !own && !known.discovery.conditional) {
            Some(known) => Discovery { requests: known.discovery.requests.clone(), ..Discovery::default() },
            None => match discover::header(compiler, header, self.overlay) {
                Ok(discovery) => discovery,
                Err(error) if self.may_fail(compiler, header, &error) => return Ok(Header::default()),
                Err(error) => return Err(error),
            },
        };
        if !self.constants && !own {
            discovery.constants.clear();
        }
        let probes = parametrised::probes(&discovery.functions);
        match evaluate::header(compiler, header, &discovery, &probes, self.overlay) {
            Ok(report) => Ok(Header { discovery, report }),
            Err(error) if self.may_fail(compiler, header, &error) => Ok(Header::default()),
            Err(error) => Err(error),
        }
    }

    /// Whether a header may be left out that does not compile: it defines no request, or what it includes does not
    /// exist on this architecture.
    fn may_fail(&self, compiler: &Compiler, header: &str, error: &anyhow::Error) -> bool {
        let text = compiler.header_text(header).unwrap_or_default();
        let missing = error.to_string().contains("fatal error: 'asm/");
        missing || !(text.contains("_IO") || self.overlay.is_legacy(header))
    }
}

/// Include names of the headers that can hold requests: those that use `_IO*()` and those the overlay names. With
/// `all`, of all headers.
pub fn select(
    inputs: &Inputs,
    kernel: &Kernel,
    arch: &Arch,
    overlay: &Overlay,
    all: bool,
) -> Result<Vec<String>> {
    let mut headers = Vec::new();
    let roots = kernel.roots(arch);
    for (place, root) in roots.iter().enumerate() {
        for path in files_below(root, "h")? {
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            if kernel.hides(place, &name) {
                continue;
            }
            let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
            if all
                || overlay.is_legacy(&discover::home(&name))
                || text.windows(3).any(|window| window == b"_IO")
            {
                headers.push(name);
            }
        }
    }
    // Some kernel headers (`scsi/sg.h`) reach programs through the C library alone.
    headers.extend(overlay.legacy_headers().filter(|name| libc_has(inputs, name)).map(str::to_owned));
    // Architectures have an `asm/x.h` for each `asm-generic/x.h` that programs can include, and it decides.
    let own: Vec<String> = headers.iter().map(|name| discover::home(name)).collect();
    let exists = |name: &str| roots.iter().any(|root| root.join(name).is_file());
    for (name, own) in headers.iter_mut().zip(own) {
        if exists(&own) {
            *name = own;
        }
    }
    headers.retain(|name| !overlay.is_empty_header(name));
    headers.sort();
    headers.dedup();
    Ok(headers)
}

fn libc_has(inputs: &Inputs, header: &str) -> bool {
    inputs.zig.join("lib/libc/include").join(super::compiler::LIBC_ROOT).join(header).is_file()
}
