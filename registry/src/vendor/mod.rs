//! Requests that a user adds: private ones of a vendor's driver, in a TOML file.
//!
//! ```toml
//! [vendor]
//! name = "acme"                                # the family of its requests
//! source = "acme.h of the SDK 2.1"             # optional
//! devices = ["char:240", "handler:acme_ioctl"] # optional; in the words of overlay/families.tsv
//!
//! [types]                                      # what the registry does not know yet
//! "struct acme_job" = "struct{u32 flags;u32 count;u64 jobs;}"
//!
//! [fields]                                     # facts about fields, in the words of data/fields.tsv; several with `;`
//! "struct acme_job.flags" = "set ACME_JOB"     # a set of this file, or else one of the registry
//! "struct acme_job.count" = "count jobs"
//! "struct acme_job.jobs" = "pointer write u64[]; verbose"
//!
//! [sets.ACME_JOB]
//! kind = "flags"                               # bits; `enum`: one of; `bits`: the constants are numbers of bits
//! constants = "ACME_JOB_SYNC=0x1,ACME_JOB_LAST=0x2"
//!
//! [[request]]
//! name = "ACME_SUBMIT"
//! ioc = "_IOWR('F', 0x2a, struct acme_job)"    # the number follows each architecture; arg and dir follow from it
//!
//! [[request]]
//! name = "ACME_RESET"
//! number = 0x4601                              # this number on every architecture
//! arg = "=u32"                                 # a type: what the argument points to; `=TYPE`: by value; `void`: none
//! dir = "none"                                 # none, read, write or read-write, as the program sees it
//! devices = ["handler:acme_reset"]             # instead of the vendor's
//! size = 4                                     # of the argument on x86_64, if only that is known, or as a check
//! ```
//!
//! With `os = "windows"` a file adds control codes of Windows: then a request has a `code` or a `number`, and the types of
//! the two buffers of `DeviceIoControl`. A file is of one system.
//!
//! ```toml
//! [vendor]
//! name = "acme"
//! os = "windows"
//!
//! [types]
//! ACME_STATUS = "struct{ULONG State;HANDLE Owner;WCHAR Name[32];}"
//!
//! [[request]]
//! name = "IOCTL_ACME_GET_STATUS"
//! code = "CTL_CODE(0x8000, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)"
//! input = "void"                               # no such buffer; left out if not known
//! output = "ACME_STATUS"
//! ```

mod read;
mod render;

use std::{borrow::Cow, fmt, path::Path};

use crate::{
    arch::{Arch, NumberLayout},
    encoding::{Direction, Encoding, parse_number},
    facts::{Fact, MoreFact},
    family::Rule,
    registry::{More, Registry},
    request::{Control, Made, Request},
    set::Set,
    types::TypeError,
    windows::{Codes, ControlCode},
};
use read::{Lines, read};

/// A file that adds requests, as this module's documentation shows one.
///
/// ```
/// use ioctl_registry::vendor::VendorFile;
///
/// let text = "[vendor]\nname = \"acme\"\n\n[[request]]\nname = \"ACME_RESET\"\nnumber = 0x4601\n";
/// let file = VendorFile::parse("acme.toml", text).unwrap();
/// assert_eq!(file.requests[0].name, "ACME_RESET");
/// assert_eq!(file.render(), text);
///
/// let mistakes = VendorFile::parse("acme.toml", "[vendor]\nnom = \"acme\"\n").unwrap_err();
/// assert_eq!(mistakes[0].to_string(),
///     "acme.toml:1: `name` is missing; add it to [vendor]");
/// assert_eq!(mistakes[1].to_string(),
///     "acme.toml:2: unknown key `nom`; known here are `name`, `source`, `os`, `devices`");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VendorFile {
    /// The vendor, which becomes the family of the requests.
    pub name: String,
    /// Where the facts are from; may be empty.
    pub source: String,
    /// Its requests are control codes of Windows.
    pub windows: bool,
    /// The devices that the requests are addressed to; may be empty.
    pub devices: Vec<String>,
    /// Names and definitions of types.
    pub types: Vec<(String, String)>,
    /// Sets of constants.
    pub sets: Vec<VendorSet>,
    /// Fields, as `struct x.path`, each with a fact, `set NAME`, or with several: `fd; out`.
    pub fields: Vec<(String, String)>,
    /// The requests.
    pub requests: Vec<VendorRequest>,
}

/// A set of a vendor file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorSet {
    /// Its name.
    pub name: String,
    /// `flags` or `enum`.
    pub kind: String,
    /// Names and values: `A=0x1,B=0x2`.
    pub constants: String,
}

/// A request of a vendor file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VendorRequest {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: VendorNumber,
    /// The argument: a type, `=TYPE` or `void`.
    pub arg: Option<String>,
    /// How the argument's memory travels.
    pub dir: Option<Direction>,
    /// The devices that it is addressed to, if not those of the file.
    pub devices: Vec<String>,
    /// Size of the argument on x86-64, in bytes.
    pub size: Option<u64>,
    /// Of a control code, the type of its input buffer, or `void`.
    pub input: Option<String>,
    /// Of a control code, the type of its output buffer, or `void`.
    pub output: Option<String>,
}

/// The number of a vendor's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VendorNumber {
    /// The same on every architecture.
    Plain(u32),
    /// A call of an `_IO*` macro, evaluated for each.
    Ioc(String),
    /// A call of `CTL_CODE`.
    Code(String),
}

impl Default for VendorNumber {
    fn default() -> Self {
        Self::Plain(0)
    }
}

/// A mistake in a vendor file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 if the file itself cannot be read.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.file, self.what),
            line => write!(formatter, "{}:{line}: {}", self.file, self.what),
        }
    }
}

impl std::error::Error for Mistake {}

/// Larger than any file with requests is.
const MAX_FILE: u64 = 16 << 20;

impl VendorFile {
    /// Reads the text of a file. `label` is what mistakes call it.
    ///
    /// # Errors
    /// Every mistake that the text alone shows; whether types are known only [`Registry::with_vendor_files`] tells.
    pub fn parse(label: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        read(label, text).map(|(file, _)| file)
    }
}

impl Registry {
    /// The embedded registry with the requests of some files added, and the mistakes in these files. A file with a
    /// mistake adds nothing.
    ///
    /// A vendor's request wins over others of its number where the device fits it better.
    ///
    /// ```
    /// let (registry, mistakes) = ioctl_registry::Registry::with_vendor_files(["/no/such.toml"]);
    /// assert!(mistakes[0].to_string().starts_with("/no/such.toml: cannot be read: "));
    /// assert!(registry.find("TCGETS").is_some());
    /// ```
    #[must_use]
    pub fn with_vendor_files<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> (Self, Vec<Mistake>) {
        let (mut texts, mut mistakes) = (Vec::new(), Vec::new());
        for path in paths {
            let path = path.as_ref();
            let label = path.display().to_string();
            match text_of(path) {
                Ok(text) => texts.push((label, text)),
                Err(error) => {
                    let what = format!("cannot be read: {error}; check its name and who may read it");
                    mistakes.push(Mistake { file: label, line: 0, what });
                }
            }
        }
        let (registry, more) = Self::with_vendor_texts(texts.iter().map(|(label, text)| (&**label, &**text)));
        mistakes.extend(more);
        (registry, mistakes)
    }

    /// As [`Registry::with_vendor_files`], of texts with what mistakes shall call them.
    #[must_use]
    pub fn with_vendor_texts<'t>(
        texts: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> (Self, Vec<Mistake>) {
        let (mut files, mut mistakes) = (Vec::new(), Vec::new());
        for (label, text) in texts {
            match read(label, text) {
                Ok((file, lines)) => files.push((label, file, lines)),
                Err(found) => mistakes.extend(found),
            }
        }
        let [mut linux, mut windows] = [More::default(), More::default()];
        for (label, file, lines) in &files {
            let more = if file.windows { &mut windows } else { &mut linux };
            // A file's types are its own until they are known to be right, but later files may use earlier ones'.
            let types = more.types.iter().chain(&file.types).cloned().collect();
            let own = More { types, ..More::default() };
            let staging = if file.windows { Self::of_windows(own) } else { Self::with(own) };
            let builtin = if file.windows { Self::builtin().windows() } else { Self::builtin() };
            let mut check = Check { registry: &staging, builtin, file, lines, label, mistakes: Vec::new() };
            let found = check.file(more);
            if check.mistakes.is_empty() {
                more.append(found);
            } else {
                check.mistakes.sort_by_key(|mistake| mistake.line);
                mistakes.append(&mut check.mistakes);
            }
        }
        let windows = (!windows.is_empty()).then(|| Box::new(windows));
        (Self::with(More { windows, ..linux }), mistakes)
    }
}

fn text_of(path: &Path) -> std::io::Result<String> {
    use std::io::{Error, ErrorKind, Read as _};
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        Err(Error::new(ErrorKind::FileTooLarge, "larger than 16 MiB"))
    } else {
        Ok(text)
    }
}

impl More {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.types.is_empty()
    }

    fn append(&mut self, mut other: Self) {
        let rules = self.rules.len();
        for request in &mut other.requests {
            request.rule = request.rule.map(|rule| rules + rule);
        }
        self.requests.append(&mut other.requests);
        self.rules.append(&mut other.rules);
        self.types.append(&mut other.types);
        self.sets.append(&mut other.sets);
        self.facts.append(&mut other.facts);
    }
}

/// Compares a file with what the registry knows.
struct Check<'a> {
    /// Knows the file's types.
    registry: &'a Registry,
    /// Knows those of the system alone.
    builtin: &'a Registry,
    file: &'a VendorFile,
    lines: &'a Lines,
    label: &'a str,
    mistakes: Vec<Mistake>,
}

impl Check<'_> {
    fn mistake(&mut self, line: usize, what: String) {
        self.mistakes.push(Mistake { file: self.label.to_owned(), line, what });
    }

    /// What the file adds.
    fn file(&mut self, before: &More) -> More {
        let mut more = More::default();
        let rule = self.rule(&self.file.devices, self.lines.vendor);
        more.rules.extend(rule);
        self.types(before);
        more.types.clone_from(&self.file.types);
        for (set, line) in self.file.sets.iter().zip(&self.lines.sets) {
            let name = own(&self.file.name, &set.name);
            let (kind, constants) = (set.kind.clone(), set.constants.replace(' ', ""));
            let read = Set::new("".into(), &kind, constants.clone().into(), "".into());
            match read {
                Some(read) if read.mistakes() == 0 => more.sets.push([name, kind, constants]),
                Some(_) => self.mistake(
                    *line,
                    format!("`{}` is no list of constants; write `A=0x1,B=0x2`", set.constants),
                ),
                None => self.mistake(*line, format!("`{kind}` is no kind of set; write flags or enum")),
            }
        }
        for ((field, texts), line) in self.file.fields.iter().zip(&self.lines.fields) {
            for text in texts.split(';').map(str::trim) {
                more.facts.extend(self.fact(field, text, *line));
            }
        }
        for (request, line) in self.file.requests.iter().zip(&self.lines.requests) {
            let mut place = 0;
            if !request.devices.is_empty()
                && let Some(rule) = self.rule(&request.devices, *line)
            {
                place = more.rules.len();
                more.rules.push(rule);
            }
            if let Some(mut request) = self.request(request, *line) {
                request.rule = Some(place);
                more.requests.push(request);
            }
        }
        more
    }

    /// One fact about a field. A set is one of this file, or else of the registry.
    fn fact(&mut self, field: &str, text: &str, line: usize) -> Option<MoreFact> {
        let Some((ty, path, fact)) = fact(field, text) else {
            let what = format!("`{field}` = `{text}` is no fact; write as \"struct x.flags\" = \"set NAME\"");
            self.mistake(line, what);
            return None;
        };
        let (Fact::Set(set) | Fact::Bitmap(set) | Fact::Index(set)) = &fact else {
            return Some((ty, path, fact));
        };
        if self.file.sets.iter().any(|other| other.name == *set) {
            let own = own(&self.file.name, set).into();
            let fact = match fact {
                Fact::Bitmap(_) => Fact::Bitmap(own),
                Fact::Index(_) => Fact::Index(own),
                _ => Fact::Set(own),
            };
            return Some((ty, path, fact));
        }
        if self.arches().iter().all(|arch| self.builtin.set(set, *arch).is_none()) {
            self.mistake(line, format!("no set is named `{set}`; define it as [sets.{set}]"));
        }
        Some((ty, path, fact))
    }

    /// The architectures of the file's system.
    const fn arches(&self) -> &'static [Arch] {
        if self.file.windows { &Arch::WINDOWS } else { &Arch::ALL }
    }

    /// Whether a type is known on each of them; one that is only declared is.
    fn layout(&self, ty: &str) -> Result<(), TypeError> {
        // Those of Linux may lack a type that others have.
        let arches = if self.file.windows { self.arches() } else { &[Arch::X86_64] };
        arches.iter().try_for_each(|arch| match self.registry.layout(ty, *arch) {
            Err(TypeError::Opaque(_)) => Ok(()),
            other => other.map(|_| ()),
        })
    }

    fn rule(&mut self, devices: &[String], line: usize) -> Option<Rule> {
        let made = Rule::new(self.file.name.clone().into(), devices.join(",").into());
        made.map_err(|device| {
            self.mistake(
                line,
                format!("`{device}` is no device; write as char:240, char:10:200-210, handler:GLOB, anon:GLOB or magic:0x1"),
            );
        })
        .ok()
    }

    fn types(&mut self, before: &More) {
        let builtin = self.builtin.types();
        for ((name, definition), line) in self.file.types.iter().zip(&self.lines.types) {
            let earlier = before.types.iter().find(|(other, _)| other == name);
            if builtin.contradicts(name, definition) || earlier.is_some_and(|(_, other)| other != definition)
            {
                self.mistake(
                    *line,
                    format!(
                        "`{name}` is known already, and not as this; call it `{name}~{}` where it is used",
                        self.file.name
                    ),
                );
            } else if let Err(error) = self.layout(name) {
                self.mistake(*line, format!("`{name}`: {error}; correct its definition"));
            }
        }
    }

    /// The row of a request.
    fn request(&mut self, request: &VendorRequest, line: usize) -> Option<Request> {
        if self.file.windows {
            return self.code(request, line);
        }
        let (number, made, dir) = self.number(request, line)?;
        let arg = request.arg.clone().or_else(|| pointee(&request.number)).or_else(|| {
            // Of the type only the size is known.
            request.size.map(|size| format!("u8[{size}]"))
        });
        let arg = arg.unwrap_or_default();
        if !self.argument(&arg, request, line) {
            return None;
        }
        Some(Request {
            name: request.name.clone().into(),
            made,
            number: number.into(),
            dir: request.dir.or(dir),
            source: Cow::Borrowed(if arg.is_empty() { "" } else { "vendor" }),
            arg: arg.into(),
            header: self.file.source.clone().into(),
            seen: "".into(),
            family: self.file.name.clone().into(),
            rule: None,
            parameters: None,
            control: None,
        })
    }

    /// The row of a control code.
    fn code(&mut self, request: &VendorRequest, line: usize) -> Option<Request> {
        let code = match &request.number {
            VendorNumber::Plain(number) => ControlCode(*number),
            VendorNumber::Ioc(text) | VendorNumber::Code(text) => match Codes::builtin().parse(text) {
                Ok(code) => code,
                Err(error) => {
                    self.mistake(line, format!("`{}`: {error}; correct `code`", request.name));
                    return None;
                }
            },
        };
        let mut buffer = |ty: &Option<String>, key: &str| match ty.as_deref() {
            None => Some(String::new()),
            Some("void") => Some("-".to_owned()),
            Some(ty) => match self.layout(ty) {
                Ok(()) => Some(ty.to_owned()),
                Err(error) => {
                    let what = format!(
                        "`{}`: {error}; correct `{key}`, or define the type under [types]",
                        request.name
                    );
                    self.mistake(line, what);
                    None
                }
            },
        };
        let (input, output) = (buffer(&request.input, "input"), buffer(&request.output, "output"));
        let control = Control { input: input?.into(), output: output?.into(), kind: code.kind() };
        Some(Request {
            name: request.name.clone().into(),
            made: Made::Plain,
            number: format!("{:#x}", code.0).into(),
            dir: None,
            arg: "".into(),
            header: self.file.source.clone().into(),
            seen: "".into(),
            source: "vendor".into(),
            family: self.file.name.clone().into(),
            rule: None,
            parameters: None,
            control: Some(Box::new(control)),
        })
    }

    /// The number as the tables have it, how it is made, and its direction.
    fn number(&mut self, request: &VendorRequest, line: usize) -> Option<(String, Made, Option<Direction>)> {
        let text = match &request.number {
            VendorNumber::Plain(number) => return Some((format!("{number:#x}"), Made::Plain, None)),
            VendorNumber::Ioc(text) | VendorNumber::Code(text) => text,
        };
        let made = text
            .split_once('(')
            .and_then(|(name, _)| Made::parse(name.trim()))
            .filter(|made| *made != Made::Plain);
        let Some(made) = made else {
            self.mistake(line, format!("`{text}` is no macro call; write as _IOWR('F', 0x2a, struct x)"));
            return None;
        };
        let number = |arch| self.registry.number(text, arch);
        let default = match number(Arch::X86_64) {
            Ok(number) => number,
            Err(error) => {
                self.mistake(line, format!("`{}`: {error}; correct `ioc`", request.name));
                return None;
            }
        };
        let parts = Encoding::of(default, Arch::X86_64);
        let mut values = format!("{default:#x}");
        for arch in Arch::ALL.into_iter().skip(1) {
            let generic = arch.number_layout() == NumberLayout::Generic;
            let follows = if generic { default } else { parts.encode(arch) };
            match number(arch) {
                Ok(number) if number == follows => {}
                Ok(number) => values += &format!(" {arch}={number:#x}"),
                Err(_) => values += &format!(" {arch}=!"),
            }
        }
        Some((values, made, Some(parts.dir)))
    }

    /// Whether the argument's type is known and of the size that is stated.
    fn argument(&mut self, arg: &str, request: &VendorRequest, line: usize) -> bool {
        let ty = arg.strip_prefix('=').unwrap_or(arg);
        if matches!(ty, "" | "void") {
            return true;
        }
        match (self.registry.layout(ty, Arch::X86_64), request.size) {
            (Ok(layout), Some(size)) if layout.size != size => {
                let what = format!(
                    "`{}`: `{ty}` has {} bytes, not {size}; correct its definition, or `size`",
                    request.name, layout.size
                );
                self.mistake(line, what);
                false
            }
            (Ok(_) | Err(TypeError::Opaque(_)), _) => true,
            (Err(error), _) => {
                self.mistake(
                    line,
                    format!("`{}`: {error}; correct `arg`, or define the type under [types]", request.name),
                );
                false
            }
        }
    }
}

/// The type in the last place of `_IOR`, `_IOW` and `_IOWR`; `void` for `_IO`.
fn pointee(number: &VendorNumber) -> Option<String> {
    let VendorNumber::Ioc(text) = number else { return None };
    let (name, arguments) = text.split_once('(')?;
    match Made::parse(name.trim())? {
        Made::Ior | Made::Iow | Made::Iowr => {
            let (_, ty) = arguments.trim_end().strip_suffix(')')?.rsplit_once(',')?;
            let ty = ty.trim();
            if ty.starts_with("sizeof") || parse_number(ty).is_some() { None } else { Some(ty.to_owned()) }
        }
        Made::Io => Some("void".to_owned()),
        Made::Plain | Made::Ioc => None,
    }
}

/// A vendor's set may have the name of another.
fn own(vendor: &str, set: &str) -> String {
    format!("{vendor}:{set}")
}

/// `struct x.path` and `set NAME`
fn fact(field: &str, text: &str) -> Option<(String, String, Fact)> {
    let (ty, path) = field.split_once('.')?;
    let (word, detail) = text.split_once(' ').unwrap_or((text, ""));
    Some((ty.to_owned(), path.to_owned(), Fact::parse(word, detail.to_owned().into())?))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
