//! Requests of a C header as a vendor file, through the C compiler on the machine. Nothing that is compiled is run.

mod compiler;
mod discover;
#[cfg(test)]
mod tests;
mod types;

use std::{collections::BTreeMap, io, path::PathBuf};

use ioctl_registry::{
    Arch, Encoding, Made, Registry,
    vendor::{VendorFile, VendorNumber, VendorRequest},
};
use ioctl_registry_extract::{
    ObjectError, dwarf,
    model::Type,
    table::{self, Line},
};

use self::{
    compiler::Compiler,
    discover::{Candidate, Discovery},
    types::Names,
};

/// What to import.
#[derive(Debug, Default)]
pub struct Order {
    /// The headers that define the requests.
    pub headers: Vec<PathBuf>,
    /// Folders with headers that those include.
    pub include: Vec<PathBuf>,
    /// Macros to define: `NAME` or `NAME=VALUE`.
    pub define: Vec<String>,
    /// Headers to include before.
    pub before: Vec<String>,
    /// The vendor; without one, the first header's name.
    pub name: Option<String>,
    /// The devices that the requests are addressed to.
    pub devices: Vec<String>,
    /// Globs over macros of plain numbers that are requests.
    pub also: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// The requests and the types of their arguments.
    pub file: VendorFile,
    /// What looked like a request, and why it is none.
    pub left_out: Vec<(String, String)>,
}

/// Why a header cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A header cannot be found.
    #[error("cannot read `{0}`: {1}")]
    Header(String, io::Error),
    /// There is no compiler.
    #[error("cannot start the C compiler `{0}`: {1}; install one, or name it in CC")]
    NoCompiler(String, io::Error),
    /// The header does not compile.
    #[error("{0}")]
    Compile(String),
    /// Files of our own.
    #[error("cannot write to the folder for temporary files: {0}")]
    Scratch(io::Error),
    /// The compiler's output.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// There is no request.
    #[error(
        "{0} defines no request: none of its macros is a call of _IO, _IOR, _IOW, _IOWR or _IOC; --also GLOB takes plain numbers"
    )]
    Nothing(String),
    /// The result is not what a vendor file may be.
    #[error("{0}")]
    Vendor(String),
}

/// Imports headers.
///
/// # Errors
/// Says what is wrong with a header or the compiler, and what to do about it.
pub fn import(order: &Order) -> Result<Imported, ImportError> {
    let compiler = Compiler::new(order)?;
    let mut discovery = discover::headers(&compiler, &order.also)?;
    let (object, lines) = compile(&compiler, &mut discovery)?;
    let values = table::values(&object, &lines)?;
    let described = dwarf::read(&object, "", str::to_owned)?;
    let arch = types::arch(&object).unwrap_or(Arch::native());
    let name = vendor_name(order);
    let wanted: Vec<&Type> = described
        .pointees
        .iter()
        .filter(|(name, _)| values.contains_key(*name))
        .map(|(_, (ty, _))| ty)
        .collect();
    let names = Names::new(&described.definitions, wanted, arch, &name)?;
    let mut file = VendorFile {
        source: order
            .headers
            .iter()
            .filter_map(|path| path.file_name()?.to_str())
            .collect::<Vec<_>>()
            .join(", "),
        devices: order.devices.clone(),
        types: names.definitions(),
        name,
        ..VendorFile::default()
    };
    let mut left_out = std::mem::take(&mut discovery.left_out);
    let mut taken: BTreeMap<&str, u32> = BTreeMap::new();
    for candidate in &discovery.candidates {
        let Some(value) = values.get(&candidate.name) else { continue };
        let Ok(number) = u32::try_from(*value) else {
            left_out.push((candidate.name.clone(), "its value is no number of 32 bits".to_owned()));
            continue;
        };
        let same = |other: &&Candidate| {
            candidate.alias_of.contains(&other.name) && values.get(&other.name) == Some(value)
        };
        if let Some(other) = discovery.candidates.iter().find(same) {
            left_out.push((candidate.name.clone(), format!("another name of {}", other.name)));
            continue;
        }
        let arg = described.pointees.get(&candidate.name).map(|(ty, size)| (names.spell(ty), *size));
        file.requests.push(request(candidate, number, arg, arch));
        taken.insert(&candidate.name, number);
    }
    if file.requests.is_empty() {
        return Err(ImportError::Nothing(compiler.headers()));
    }
    file.requests.sort_by(|a, b| a.name.cmp(&b.name));
    verify(&file, &taken, arch)?;
    Ok(Imported { file, left_out })
}

/// Compiles a table of all candidates; those that do not compile are left out.
fn compile(compiler: &Compiler, discovery: &mut Discovery) -> Result<(Vec<u8>, Vec<Line>), ImportError> {
    let unit = compiler.unit();
    compiler.compile(&unit)?.map_err(|message| compiler.explain(&message))?;
    let mut lines = Vec::new();
    for candidate in &discovery.candidates {
        lines.push(Line::Value(candidate.name.clone(), candidate.name.clone()));
        if let Some(ty) = &candidate.arg_type {
            lines.push(Line::Type(candidate.name.clone(), ty.clone()));
        }
    }
    loop {
        let message = match compiler.compile(&table::source(&unit, &lines))? {
            Ok(object) => return Ok((object, lines)),
            Err(message) => message,
        };
        let bad = table::errors(&message);
        if bad.is_empty() {
            return Err(compiler.explain(&message));
        }
        for (row, reason) in bad.into_iter().rev().filter(|(row, _)| *row < lines.len()).collect::<Vec<_>>() {
            let line = lines.remove(row);
            if matches!(line, Line::Value(..)) {
                discovery.left_out.push((line.name().to_owned(), reason));
            }
        }
    }
}

/// The vendor, as it was named or as its first header is.
fn vendor_name(order: &Order) -> String {
    let stem = || order.headers.first().and_then(|path| path.file_stem()?.to_str());
    order.name.clone().or_else(|| stem().map(str::to_owned)).unwrap_or_else(|| "vendor".to_owned())
}

/// A request as a vendor file has it.
fn request(
    candidate: &Candidate,
    number: u32,
    arg: Option<(String, Option<u64>)>,
    arch: Arch,
) -> VendorRequest {
    let parts = Encoding::of(number, arch);
    let letter = match char::from(parts.ty) {
        c if c.is_ascii_alphanumeric() => format!("'{c}'"),
        _ => format!("{:#x}", parts.ty),
    };
    let (ty, size) = arg.map_or((None, None), |(ty, size)| (Some(ty), size));
    let fits = size == Some(u64::from(parts.size));
    let (number, arg) = match (candidate.made, ty) {
        (Made::Plain, _) => (VendorNumber::Plain(number), None),
        (Made::Io, _) => (VendorNumber::Ioc(format!("_IO({letter}, {:#x})", parts.nr)), None),
        (Made::Ioc, ty) => (VendorNumber::Ioc(parts.to_string()), ty),
        (made, Some(ty)) if fits => {
            (VendorNumber::Ioc(format!("{}({letter}, {:#x}, {ty})", made.as_str(), parts.nr)), None)
        }
        // The number holds another size than the type has.
        (made, ty) => {
            (VendorNumber::Ioc(format!("{}({letter}, {:#x}, {})", made.as_str(), parts.nr, parts.size)), ty)
        }
    };
    VendorRequest { name: candidate.name.clone(), number, arg, ..VendorRequest::default() }
}

/// Whether the file loads and yields the numbers that the compiler has computed.
fn verify(file: &VendorFile, numbers: &BTreeMap<&str, u32>, arch: Arch) -> Result<(), ImportError> {
    let text = file.render();
    let (registry, mistakes) = Registry::with_vendor_texts([(&*file.name, &*text)]);
    if let Some(mistake) = mistakes.first() {
        return Err(ImportError::Vendor(format!("what was found is not consistent: {}", mistake.what)));
    }
    for (name, number) in numbers {
        if !registry.rows(name).iter().any(|row| row.number(arch) == Some(*number)) {
            return Err(ImportError::Vendor(format!(
                "`{name}` has the number {number:#x}, which its parts do not yield"
            )));
        }
    }
    Ok(())
}
