//! The machine's C compiler, used to expand and to compile, with the fetched headers alone.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};

/// Folders of the kernel's own headers.
pub const KERNEL_ROOTS: [&str; 2] = ["any-linux-any", "x86-linux-any"];
/// Folders of the C library's headers, which kernel headers rely on.
pub const GLIBC_ROOTS: [&str; 2] = ["x86-linux-gnu", LIBC_ROOT];
/// The C library folder whose headers can define requests (`scsi/sg.h`).
pub const LIBC_ROOT: &str = "generic-glibc";

/// The name errors in evaluated lines carry.
pub const TABLE: &str = "TABLE";

/// `gcc`, bound to the fetched headers and a scratch folder.
pub struct Compiler {
    arguments: Vec<OsString>,
    roots: Vec<PathBuf>,
    scratch: tempfile::TempDir,
}

impl Compiler {
    /// Prepares the compiler for the header trees below `include`; `empty_headers` are added, empty.
    pub fn new(include: &Path, empty_headers: &[String]) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let stubs = scratch.path().join("include");
        for header in empty_headers {
            let stub = stubs.join(header);
            fs::create_dir_all(stub.parent().unwrap_or(&stubs))?;
            fs::write(&stub, "")?;
        }
        let own = gcc().arg("-print-file-name=include").output().context("cannot start gcc")?;
        let own = String::from_utf8(own.stdout)?;
        ensure!(Path::new(own.trim()).is_absolute(), "gcc does not know its own header folder");
        let mut arguments: Vec<OsString> =
            ["-nostdinc", "-w", "-m64", "-D__GLIBC_MINOR__=31", "-isystem", own.trim()]
                .map(OsString::from)
                .into();
        for root in GLIBC_ROOTS.into_iter().chain(KERNEL_ROOTS) {
            arguments.extend(["-isystem".into(), include.join(root).into()]);
        }
        arguments.extend(["-isystem".into(), stubs.into()]);
        let roots = KERNEL_ROOTS.into_iter().chain([LIBC_ROOT]).map(|root| include.join(root)).collect();
        Ok(Self { arguments, roots, scratch })
    }

    /// Whether a line marker's file is the header that is included as `header`.
    pub fn is_header(&self, file: &str, header: &str) -> bool {
        self.roots.iter().any(|root| root.join(header) == Path::new(file))
    }

    /// Expands `source`; `Err` inside holds the compiler's messages.
    pub fn preprocess(&self, options: &[&str], source: &str) -> Result<Result<String, String>> {
        let output = self.run(&["-E"], options, source)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(if output.status.success() { Ok(text) } else { Err(messages(&output)) })
    }

    /// Compiles `source` to an object file; `Err` inside holds the compiler's messages.
    pub fn compile(&self, source: &str) -> Result<Result<Vec<u8>, String>> {
        let object = self.scratch.path().join("table.o");
        // Without tracking, an error inside a macro is reported where the macro is used: in the table.
        let options = ["-c", "-O0", "-ftrack-macro-expansion=0", "-fno-diagnostics-show-caret", "-o"];
        let output = self.run(&options, &[&object.to_string_lossy()], source)?;
        Ok(if output.status.success() { Ok(fs::read(&object)?) } else { Err(messages(&output)) })
    }

    fn run(&self, first: &[&str], then: &[&str], source: &str) -> Result<Output> {
        let file = self.scratch.path().join("source.c");
        fs::write(&file, source)?;
        gcc().args(first).args(then).args(&self.arguments).arg(&file).output().context("cannot start gcc")
    }
}

fn gcc() -> Command {
    let mut command = Command::new("gcc");
    command.env("LC_ALL", "C");
    command
}

fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
