//! `cargo xtask btf`: compares the registry's layouts with a kernel's own description of its types (BTF). Sizes, and offset
//! and width of every field, must be equal, but for differences that `registry/overlay/btf-differences.tsv` explains.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use btf_rs::{Btf, Type};
use ioctl_registry::{Arch, Layout, Registry, Shape};
use object::{Object, ObjectSection};

use crate::registry::{inputs, overlay};

/// Options of `cargo xtask btf`.
#[derive(Debug, clap::Args)]
pub struct BtfArgs {
    /// Compare with Debian's 6.1 kernel and all of its modules instead of the running one
    #[arg(long)]
    debian: bool,
    /// Print every difference as a line for btf-differences.tsv
    #[arg(long)]
    print: bool,
    /// The workspace
    #[arg(long, hide = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    root: PathBuf,
}

/// Structs nest this deep at most, as a bound against type information that loops.
const MAX_DEPTH: usize = 32;

/// Size in bytes, and by path: bits from the beginning and width in bits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extent {
    size: u64,
    fields: BTreeMap<String, (u64, u64)>,
}

/// The kernel's types: vmlinux, then the modules.
struct Kernel {
    name: String,
    parts: Vec<Btf>,
}

/// Compares all types.
///
/// # Errors
///
/// When a layout differs and no line explains it, or a line explains what does not differ.
pub fn run(args: &BtfArgs) -> Result<()> {
    let root = args.root.canonicalize().with_context(|| format!("workspace {}", args.root.display()))?;
    let kernel = if args.debian { debian(&root.join("target/registry-inputs"))? } else { running()? };
    let registry = Registry::builtin();
    let mut found = BTreeMap::new();
    let (mut compared, mut equal) = (0, 0);
    for name in registry.type_names() {
        let Some((key, union)) = key(name) else { continue };
        let Ok(layout) = registry.layout(name, Arch::X86_64) else { continue };
        let candidates = kernel.extents(key, union)?;
        let ours = ours(&layout);
        let Some(closest) = candidates.iter().min_by_key(|theirs| differences(&ours, theirs).len()) else {
            continue;
        };
        compared += 1;
        let differences = differences(&ours, closest);
        if differences.is_empty() {
            equal += 1;
        } else {
            found.insert(name.to_owned(), differences);
        }
    }
    ensure!(compared > 100, "only {compared} types of {} are known: is its BTF complete?", kernel.name);
    eprintln!("btf: {}: {compared} types compared, {equal} equal, {} differ", kernel.name, found.len());
    if args.print {
        for (name, differences) in &found {
            eprintln!("{}\t{name}\t{}", kernel.name, differences.join("; "));
        }
    }
    explain(&kernel.name, &found, &root.join("registry/overlay/btf-differences.tsv"))
}

/// Fails unless exactly the differences found are explained. What a kernel that the table does not know has otherwise is
/// no mistake: every version has types that grew since, or have not grown yet.
fn explain(kernel: &str, found: &BTreeMap<String, Vec<String>>, file: &Path) -> Result<()> {
    let rows: Vec<[String; 3]> = overlay::rows(file)?;
    if rows.iter().all(|[of, ..]| of != kernel) {
        for (name, differences) in found {
            eprintln!("btf: {name}: {}", differences.join("; "));
        }
        return Ok(());
    }
    let explained: BTreeSet<&str> =
        rows.iter().filter(|[of, ..]| of == kernel).map(|[_, name, _]| name.as_str()).collect();
    let missing: Vec<String> = found
        .iter()
        .filter(|(name, _)| !explained.contains(name.as_str()))
        .map(|(name, differences)| format!("{name}: {}", differences.join("; ")))
        .collect();
    let stale: Vec<&str> = explained.into_iter().filter(|name| !found.contains_key(*name)).collect();
    ensure!(
        missing.is_empty(),
        "layouts that differ from {kernel} and are not explained:\n{}",
        missing.join("\n")
    );
    // Only the kernel that is fetched is the same everywhere.
    ensure!(
        kernel != DEBIAN || stale.is_empty(),
        "{} explains what is equal: {}",
        file.display(),
        stale.join(", ")
    );
    Ok(())
}

/// What the kernel calls a type of the registry, and whether it is a union; enums have no layout to compare.
fn key(name: &str) -> Option<(&str, bool)> {
    let (kind, name) = name.split_once(' ')?;
    // A suffix marks another definition of the same name, such as an older one.
    (kind != "enum" && !name.contains('~')).then_some((name, kind == "union"))
}

/// At most this many are named for one type.
const MAX_NAMED: usize = 6;

fn differences(ours: &Extent, theirs: &Extent) -> Vec<String> {
    let mut list = Vec::new();
    if ours.size != theirs.size {
        list.push(format!("{} bytes, the kernel {}", ours.size, theirs.size));
    }
    for (path, place) in &ours.fields {
        match theirs.fields.get(path) {
            None => list.push(format!("the kernel lacks {path}")),
            Some(other) if other != place => list.push(format!("{path} {place:?}, the kernel {other:?}")),
            Some(_) => {}
        }
    }
    list.extend(
        theirs
            .fields
            .keys()
            .filter(|path| !ours.fields.contains_key(*path))
            .map(|path| format!("lacks {path}")),
    );
    list.truncate(MAX_NAMED);
    list
}

fn ours(layout: &Layout) -> Extent {
    let mut fields = BTreeMap::new();
    flatten(layout, "", 0, &mut fields);
    Extent { size: layout.size, fields }
}

fn flatten(layout: &Layout, path: &str, base: u64, fields: &mut BTreeMap<String, (u64, u64)>) {
    let Shape::Record(record) = &layout.shape else { return };
    for field in &record.fields {
        let start = field.bits.map_or(field.offset * 8, |bits| bits.start) + base;
        let anonymous = field.name.is_empty();
        let path = if anonymous { path.to_owned() } else { join(path, &field.name) };
        if !anonymous {
            let width = field.bits.map_or(field.layout.size * 8, |bits| bits.width);
            fields.insert(path.clone(), (start, width));
        }
        // What lies in a type of another name is compared with that type.
        if field.layout.name.is_empty() {
            flatten(&field.layout, &path, start, fields);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl Kernel {
    /// All types of a name, each once.
    fn extents(&self, name: &str, union: bool) -> Result<Vec<Extent>> {
        let mut extents = Vec::new();
        for btf in &self.parts {
            let Ok(types) = btf.resolve_types_by_name(name) else { continue };
            for ty in types {
                let fitting = matches!((&ty, union), (Type::Struct(_), false) | (Type::Union(_), true));
                if fitting
                    && let Some(extent) = theirs(btf, &ty)?
                    && !extents.contains(&extent)
                {
                    extents.push(extent);
                }
            }
        }
        Ok(extents)
    }
}

fn theirs(btf: &Btf, ty: &Type) -> Result<Option<Extent>> {
    let (Type::Struct(record) | Type::Union(record)) = ty else { return Ok(None) };
    let mut fields = BTreeMap::new();
    flatten_btf(btf, ty, "", 0, 0, &mut fields)?;
    Ok(Some(Extent { size: record.size() as u64, fields }))
}

fn flatten_btf(
    btf: &Btf,
    ty: &Type,
    path: &str,
    base: u64,
    depth: usize,
    fields: &mut BTreeMap<String, (u64, u64)>,
) -> Result<()> {
    let (Type::Struct(record) | Type::Union(record)) = ty else { return Ok(()) };
    ensure!(depth < MAX_DEPTH, "types nest without end");
    for member in &record.members {
        let name = btf.resolve_name(member).unwrap_or_default();
        let start = base + u64::from(member.bit_offset());
        let declared = btf.resolve_chained_type(member)?;
        // A typedef is a name, too.
        let is_typedef = is_typedef(btf, &declared)?;
        let inner = strip(btf, declared)?;
        let anonymous = name.is_empty();
        let path = if anonymous { path.to_owned() } else { join(path, &name) };
        if !anonymous {
            let width = match member.bitfield_size() {
                Some(width) if width > 0 => u64::from(width),
                _ => size(btf, &inner, 0)? * 8,
            };
            fields.insert(path.clone(), (start, width));
        }
        let unnamed = |it: &btf_rs::Struct| btf.resolve_name(it).unwrap_or_default().is_empty();
        let unnamed = matches!(&inner, Type::Struct(it) | Type::Union(it) if unnamed(it));
        if unnamed && !is_typedef {
            flatten_btf(btf, &inner, &path, start, depth + 1, fields)?;
        }
    }
    Ok(())
}

/// Whether a typedef gives a type its name, behind qualifiers.
fn is_typedef(btf: &Btf, ty: &Type) -> Result<bool> {
    Ok(match ty {
        Type::Typedef(_) => true,
        Type::Volatile(it) | Type::Const(it) | Type::Restrict(it) => {
            matches!(btf.resolve_chained_type(it)?, Type::Typedef(_))
        }
        _ => false,
    })
}

/// Without typedefs and qualifiers.
fn strip(btf: &Btf, mut ty: Type) -> Result<Type> {
    for _ in 0..MAX_DEPTH {
        let next = match &ty {
            Type::Typedef(it) => btf.resolve_chained_type(it)?,
            Type::Volatile(it) | Type::Const(it) | Type::Restrict(it) => btf.resolve_chained_type(it)?,
            Type::TypeTag(it) => btf.resolve_chained_type(it)?,
            _ => return Ok(ty),
        };
        ty = next;
    }
    Ok(ty)
}

/// Size in bytes.
fn size(btf: &Btf, ty: &Type, depth: usize) -> Result<u64> {
    ensure!(depth < MAX_DEPTH, "types nest without end");
    let pointer = 8;
    Ok(match ty {
        Type::Int(it) => it.size() as u64,
        Type::Float(it) => it.size() as u64,
        Type::Enum(it) => it.size() as u64,
        Type::Enum64(it) => it.size() as u64,
        Type::Struct(it) | Type::Union(it) => it.size() as u64,
        Type::Ptr(_) => pointer,
        Type::Array(it) => {
            let element = strip(btf, btf.resolve_chained_type(it)?)?;
            it.len() as u64 * size(btf, &element, depth + 1)?
        }
        _ => 0,
    })
}

/// The name under which differences to Debian's kernel are listed.
const DEBIAN: &str = "6.1";

fn running() -> Result<Kernel> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel's release")?;
    let version: Vec<&str> = release.trim().splitn(3, ['.', '-']).take(2).collect();
    let folder = Path::new("/sys/kernel/btf");
    let base = Btf::from_file(folder.join("vmlinux"))
        .context("/sys/kernel/btf/vmlinux: is CONFIG_DEBUG_INFO_BTF set?")?;
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name != "vmlinux") {
            parts.push(Btf::from_split_file(&path, &base).with_context(|| path.display().to_string())?);
        }
    }
    parts.insert(0, base);
    Ok(Kernel { name: version.join("."), parts })
}

fn debian(cache: &Path) -> Result<Kernel> {
    let image = inputs::kernel_image(cache)?;
    let base = Btf::from_bytes(&section(&image.vmlinux)?).context("vmlinux")?;
    let mut parts = Vec::new();
    for module in &image.modules {
        // Modules without types of their own have none.
        if let Ok(bytes) = section(module) {
            parts.push(Btf::from_split_bytes(&bytes, &base).with_context(|| module.display().to_string())?);
        }
    }
    parts.insert(0, base);
    Ok(Kernel { name: DEBIAN.to_owned(), parts })
}

fn section(file: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    let object = object::File::parse(&*bytes).with_context(|| file.display().to_string())?;
    let section =
        object.section_by_name(".BTF").with_context(|| format!("{}: no .BTF section", file.display()))?;
    Ok(section.data()?.to_vec())
}
