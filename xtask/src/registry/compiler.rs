//! The pinned compiler, for one architecture and the headers of one kernel version.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result};

use super::{arch::Arch, inputs::Inputs};

/// The C library folder whose headers can define requests (`scsi/sg.h`).
pub const LIBC_ROOT: &str = "generic-glibc";
/// The C library's version as its headers want to be told.
const LIBC_VERSION: &str = "-D__GLIBC_MINOR__=42";

/// The translation unit's file.
const SOURCE: &str = "source.c";

/// The headers of one kernel version.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The version, as `seen` names it.
    pub version: &'static str,
    /// The headers that all architectures share.
    generic: PathBuf,
    /// Whether that folder is what a program for x86 includes, with x86's own headers among them.
    whole: bool,
    /// The folder of each architecture's own headers lies in one of these, the first that has it.
    own: Vec<PathBuf>,
}

impl Kernel {
    /// The kernels that are read, the newest first.
    pub fn all(inputs: &Inputs) -> Vec<Self> {
        let newest = inputs.zig.join("lib/libc/include");
        let oldest = inputs.old_zig.join("lib/libc/include");
        let split = |version, root: &Path, own| Self {
            version,
            generic: root.join("any-linux-any"),
            whole: false,
            own,
        };
        let whole = |version, root: &Path, own| Self { version, generic: root.to_owned(), whole: true, own };
        // Where a kernel's own headers of an architecture are not to be had, the nearest kernel's serve: they hardly change.
        vec![
            split("7.2", &newest, vec![newest.clone()]),
            whole("6.12", &inputs.headers_6_12, vec![newest.clone()]),
            whole("6.1", &inputs.headers_6_1, vec![oldest.clone(), newest.clone()]),
            split("5.16", &oldest, vec![oldest.clone(), newest.clone()]),
        ]
    }

    /// Whether this kernel's own headers of an architecture are there, and not borrowed.
    pub fn has_own(&self, arch: &Arch) -> bool {
        self.own.first().is_some_and(|root| root.join(format!("{}-linux-any", arch.kernel)).is_dir())
    }

    /// The folders with this kernel's headers for an architecture, in the order in which they are searched.
    pub fn roots(&self, arch: &Arch) -> Vec<PathBuf> {
        let folder = format!("{}-linux-any", arch.kernel);
        let own = self.own.iter().map(|root| root.join(&folder)).find(|root| root.is_dir());
        let mut roots: Vec<PathBuf> = own.into_iter().chain([self.generic.clone()]).collect();
        if self.whole && arch.kernel == "x86" {
            roots.reverse();
        }
        roots
    }

    /// Whether a header in one of the roots (by place) is another architecture's or another kernel's.
    pub fn hides(&self, place: usize, header: &str) -> bool {
        self.whole && place > 0 && header.starts_with("asm/")
    }
}

/// `clang`, bound to headers and a scratch folder.
pub struct Compiler {
    program: PathBuf,
    arguments: Vec<OsString>,
    roots: Vec<PathBuf>,
    scratch: tempfile::TempDir,
}

impl Compiler {
    /// Prepares the compiler; `empty_headers` are added, empty. `time64` selects 64-bit times where an architecture has both.
    pub fn new(
        inputs: &Inputs,
        kernel: &Kernel,
        arch: &'static Arch,
        time64: bool,
        empty_headers: &[String],
    ) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let stubs = scratch.path().join("include");
        for header in empty_headers {
            let stub = stubs.join(header);
            fs::create_dir_all(stub.parent().unwrap_or(&stubs))?;
            fs::write(&stub, "")?;
        }
        let libc = inputs.zig.join("lib/libc/include");
        let mut arguments: Vec<OsString> =
            ["-target", arch.triple, "-nostdinc", "-w", LIBC_VERSION].map(OsString::from).into();
        if time64 {
            arguments.extend(["-D_TIME_BITS=64", "-D_FILE_OFFSET_BITS=64"].map(OsString::from));
        }
        let kernel_roots = kernel.roots(arch);
        let first = [inputs.zig.join("lib/include"), libc.join(arch.libc), libc.join(LIBC_ROOT)];
        // A distribution may leave out headers that others include; the newest serve.
        let spare = libc.join("any-linux-any");
        for root in first.iter().chain(&kernel_roots).chain([&spare, &stubs]) {
            arguments.extend(["-isystem".into(), root.into()]);
        }
        let roots = kernel_roots.into_iter().chain([libc.join(LIBC_ROOT)]).collect();
        Ok(Self { program: inputs.zig.join("zig"), arguments, roots, scratch })
    }

    /// Prepares the compiler for files of the kernel's own source tree; include names are paths in the tree.
    pub fn kernel(inputs: &Inputs, arch: &'static Arch) -> Result<Self> {
        let mut arguments: Vec<OsString> =
            ["-target", arch.triple, "-nostdinc", "-w", "-std=gnu11", "-fshort-wchar", "-funsigned-char"]
                .map(OsString::from)
                .into();
        // As the kernel's makefiles have it, as far as types depend on it.
        for (name, value) in [
            ("__KERNEL__", "1"),
            ("MODULE", "1"),
            ("KBUILD_MODNAME", "\"registry\""),
            ("KBUILD_BASENAME", "\"registry\""),
            ("__KBUILD_MODNAME", "kmod_registry"),
            ("CC_USING_FENTRY", "1"),
        ] {
            arguments.push(format!("-D{name}={value}").into());
        }
        // Inline functions with assembly need their constants folded.
        arguments.extend(
            ["-mno-sse", "-mno-mmx", "-mcmodel=kernel", "-fcf-protection=none", "-O1"].map(OsString::from),
        );
        let folders = ["arch/x86/include", "include", "arch/x86/include/uapi", "include/uapi"];
        for folder in folders {
            let generated = match folder.strip_prefix("arch/x86/include") {
                Some(rest) => format!("arch/x86/include/generated{rest}"),
                None => folder.replace("include/uapi", "include/generated/uapi"),
            };
            arguments.extend(["-isystem".into(), inputs.source.join(folder).into()]);
            arguments.extend(["-isystem".into(), inputs.generated.join(generated).into()]);
        }
        arguments.extend(["-isystem".into(), inputs.source.clone().into()]);
        for header in ["compiler-version.h", "kconfig.h", "compiler_types.h"] {
            arguments.extend(["-include".into(), inputs.source.join("include/linux").join(header).into()]);
        }
        Self::with(inputs, arguments, vec![inputs.source.clone()])
    }

    /// Prepares the compiler for Windows' headers below `root`.
    pub fn windows(inputs: &Inputs, root: &Path, arch: &'static Arch) -> Result<Self> {
        let mut arguments: Vec<OsString> = [
            "-target",
            arch.triple,
            "-nostdinc",
            "-w",
            "-D_WIN32_WINNT=0x0A00",
            "-DNTDDI_VERSION=0x0A00000C",
        ]
        .map(OsString::from)
        .into();
        for folder in [inputs.zig.join("lib/include"), root.to_owned(), root.join("ddk")] {
            arguments.extend(["-isystem".into(), folder.into()]);
        }
        Self::with(inputs, arguments, vec![root.to_owned()])
    }

    fn with(inputs: &Inputs, arguments: Vec<OsString>, roots: Vec<PathBuf>) -> Result<Self> {
        Ok(Self { program: inputs.zig.join("zig"), arguments, roots, scratch: tempfile::tempdir()? })
    }

    /// The include name of a file that is one of the kernel's headers, or of the C library's that can define requests.
    pub fn include_name<'a>(&self, file: &'a str) -> Option<&'a str> {
        self.roots.iter().find_map(|root| file.strip_prefix(root.to_str()?)?.strip_prefix('/'))
    }

    /// Whether a file is the translation unit itself.
    pub fn is_source(&self, file: &str) -> bool {
        Path::new(file) == self.scratch.path().join(SOURCE)
    }

    /// The text of a header, if it exists.
    pub fn header_text(&self, header: &str) -> Option<String> {
        let bytes = self.roots.iter().find_map(|root| fs::read(root.join(header)).ok())?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Expands `source`; `Err` inside holds the compiler's messages.
    pub fn preprocess(&self, options: &[&str], source: &str) -> Result<Result<String, String>> {
        let output = self.run(&["-E"], options, source)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(if output.status.success() { Ok(text) } else { Err(messages(&output)) })
    }

    /// Compiles `source` to an object file with a description of every type; `Err` inside holds the compiler's messages.
    pub fn compile(&self, source: &str) -> Result<Result<Vec<u8>, String>> {
        let object = self.scratch.path().join("table.o");
        let options = [
            "-c",
            "-O0",
            "-gdwarf-4",
            "-fno-eliminate-unused-debug-types",
            "-ferror-limit=0",
            "-fno-caret-diagnostics",
            "-fbracket-depth=1024",
            "-o",
        ];
        let output = self.run(&options, &[&object.to_string_lossy()], source)?;
        Ok(if output.status.success() { Ok(fs::read(&object)?) } else { Err(messages(&output)) })
    }

    fn run(&self, first: &[&str], then: &[&str], source: &str) -> Result<Output> {
        let file = self.scratch.path().join(SOURCE);
        fs::write(&file, source)?;
        let mut command = Command::new(&self.program);
        // Files below the working folder would be described by relative paths.
        command.current_dir(self.scratch.path());
        command.arg("clang").args(first).args(then).args(&self.arguments).arg(&file).env("LC_ALL", "C");
        command.output().with_context(|| format!("cannot start {}", self.program.display()))
    }
}

fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
