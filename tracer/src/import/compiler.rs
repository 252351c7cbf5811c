//! The C compiler on the machine, bound to what is imported.

use std::{
    env,
    ffi::OsString,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

use super::{ImportError, Order};

/// What most headers want to see first, and words that only the kernel's own compiler knows.
const PRELUDE: &str = "#include <stddef.h>\n#include <stdint.h>\n#include <sys/types.h>\n#include <linux/types.h>\n\
                       #include <linux/ioctl.h>\n#define __user\n#define __iomem\n#define __force\n";

/// The compiler.
pub struct Compiler {
    program: String,
    arguments: Vec<OsString>,
    headers: Vec<PathBuf>,
    prelude: String,
    scratch: TempDir,
}

impl Compiler {
    /// Finds the headers and the compiler.
    pub fn new(order: &Order) -> Result<Self, ImportError> {
        let mut headers = Vec::new();
        for path in &order.headers {
            let header = |error| ImportError::Header(path.display().to_string(), error);
            let found = path.canonicalize().map_err(header)?;
            // It is read several times, and a device may have no end.
            if !fs::File::open(&found).and_then(|file| file.metadata()).map_err(header)?.is_file() {
                return Err(header(std::io::Error::other("it is no regular file")));
            }
            headers.push(found);
        }
        // As make has it, with options.
        let named = env::var("CC").unwrap_or_default();
        let mut words = named.split_whitespace();
        let program = words.next().unwrap_or("cc").to_owned();
        let mut arguments: Vec<OsString> = words.map(OsString::from).collect();
        arguments.push("-w".into());
        for folder in &order.include {
            arguments.extend(["-I".into(), folder.clone().into_os_string()]);
        }
        arguments.extend(order.define.iter().map(|define| OsString::from(format!("-D{define}"))));
        let before =
            order.before.iter().map(|header| format!("#include <{}>\n", header.trim_matches(['<', '>'])));
        let prelude = format!("{PRELUDE}{}", before.collect::<String>());
        let scratch = tempfile::tempdir().map_err(ImportError::Scratch)?;
        let mut compiler = Self { program, arguments, headers, prelude, scratch };
        let is_clang = compiler.preprocess(&["-P"], "__clang__\n")?.is_ok_and(|text| text.trim() == "1");
        // Every error is wanted, at the place where a macro is used: in the table.
        let option = if is_clang { "-ferror-limit=0" } else { "-ftrack-macro-expansion=0" };
        compiler.arguments.push(option.into());
        Ok(compiler)
    }

    /// The translation unit that has the headers.
    pub fn unit(&self) -> String {
        format!("{}{}", self.prelude, self.includes())
    }

    /// What comes before the headers.
    pub fn prelude(&self) -> &str {
        &self.prelude
    }

    /// The lines that include the headers.
    pub fn includes(&self) -> String {
        self.headers.iter().map(|header| format!("#include \"{}\"\n", header.display())).collect()
    }

    /// The headers' names, for messages.
    pub fn headers(&self) -> String {
        let names = self.headers.iter().map(|header| format!("`{}`", header.display()));
        names.collect::<Vec<_>>().join(", ")
    }

    /// The name of a file that is one of the headers.
    pub fn own<'f>(&self, file: &'f str) -> Option<&'f str> {
        self.headers.iter().any(|header| header.as_os_str() == file).then_some(file)
    }

    /// Expands `source`; `Err` inside holds the compiler's messages.
    pub fn preprocess(&self, options: &[&str], source: &str) -> Result<Result<String, String>, ImportError> {
        let output = self.run(&[&["-E"], options].concat(), source)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(if output.status.success() { Ok(text) } else { Err(messages(&output)) })
    }

    /// Compiles `source` to an object file that describes its types; `Err` inside holds the compiler's messages.
    pub fn compile(&self, source: &str) -> Result<Result<Vec<u8>, String>, ImportError> {
        let object = self.scratch.path().join("table.o");
        let options =
            ["-c", "-O0", "-gdwarf-4", "-fno-eliminate-unused-debug-types", "-o", &object.to_string_lossy()];
        let output = self.run(&options, source)?;
        if !output.status.success() {
            return Ok(Err(messages(&output)));
        }
        fs::read(&object).map(Ok).map_err(ImportError::Scratch)
    }

    fn run(&self, options: &[&str], source: &str) -> Result<Output, ImportError> {
        let file = self.scratch.path().join("import.c");
        fs::write(&file, source).map_err(ImportError::Scratch)?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(options).arg(&file).env("LC_ALL", "C");
        command.output().map_err(|error| ImportError::NoCompiler(self.program.clone(), error))
    }

    /// The first of the compiler's errors, with what may help.
    pub fn explain(&self, message: &str) -> ImportError {
        let first = message.lines().find(|line| line.contains("error:")).or_else(|| message.lines().next());
        let first = first.unwrap_or("the compiler says nothing");
        let scratch = format!("{}/", self.scratch.path().display());
        let remedy = match first {
            line if line.contains("No such file") || line.contains("file not found") => {
                "; pass -I DIR for the folder that has it"
            }
            line if line.contains("unknown type")
                || line.contains("incomplete")
                || line.contains("undeclared") =>
            {
                "; pass --before HEADER for the header that defines it, or -D MACRO"
            }
            _ => "",
        };
        ImportError::Compile(format!(
            "{} does not compile: {}{remedy}",
            self.headers(),
            first.replace(&scratch, "")
        ))
    }
}

fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
