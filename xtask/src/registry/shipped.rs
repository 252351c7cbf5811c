//! Tables of the vendor files that ship with the registry, so that they cost no more at run time than what headers have.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use ioctl_registry::{
    Arch, Arg, Encoding, Registry,
    vendor::{VendorFile, VendorNumber, VendorRequest},
};

use super::output::table;

/// Rows by table.
#[derive(Default)]
struct Rows {
    requests: Vec<Vec<String>>,
    types: Vec<Vec<String>>,
    sets: Vec<Vec<String>>,
    fields: Vec<Vec<String>>,
    families: Vec<Vec<String>>,
}

/// The tables of all files in `registry/vendor`.
///
/// # Errors
///
/// When a file cannot be read or has mistakes.
pub fn render(registry: &Path) -> Result<Vec<(&'static str, String)>> {
    let mut rows = Rows::default();
    let mut paths = super::files_below(&registry.join("vendor"), "toml")?;
    paths.sort();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let label = format!("vendor/{}", path.file_name().unwrap_or_default().to_string_lossy());
        let (loaded, mistakes) = Registry::with_vendor_texts([(label.as_str(), text.as_str())]);
        let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        ensure!(mistakes.is_empty(), "{}", mistakes.join("\n"));
        let file = VendorFile::parse(&label, &text).map_err(|_| anyhow::anyhow!("{label} has mistakes"))?;
        rows.add(&loaded, &file, &label, &text)?;
    }
    Ok(vec![
        ("vendor-requests.tsv", table("name, made, number, dir, arg, header, seen, source", rows.requests)),
        ("vendor-types.tsv", table("name, architectures, definition", rows.types)),
        ("vendor-sets.tsv", table("set, kind, constants, architectures", rows.sets)),
        ("vendor-fields.tsv", table("type, field, fact, detail", rows.fields)),
        ("vendor-families.tsv", table("family, headers, names, devices", rows.families)),
    ])
}

impl Rows {
    fn add(&mut self, loaded: &Registry, file: &VendorFile, label: &str, text: &str) -> Result<()> {
        let mut special: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for request in &file.requests {
            self.requests.push(row(loaded, request, label, text)?);
            if !request.devices.is_empty() {
                special.entry(request.devices.join(",")).or_default().push(request.name.clone());
            }
        }
        let mut family = |names: String, devices: String| {
            self.families.push(vec![file.name.clone(), label.to_owned(), names, devices]);
        };
        let all = special.values().flatten().collect::<Vec<_>>();
        let rest = file.requests.iter().map(|request| &request.name).filter(|name| !all.contains(name));
        // The order of lines decides, and they are sorted: so each line names its requests.
        family(rest.cloned().collect::<Vec<_>>().join(","), file.devices.join(","));
        for (devices, names) in special {
            family(names.join(","), devices);
        }
        let types = file.types.iter();
        self.types
            .extend(types.map(|(name, definition)| vec![name.clone(), String::new(), definition.clone()]));
        let own = |set: &str| format!("{}:{set}", file.name);
        for set in &file.sets {
            self.sets.push(vec![
                own(&set.name),
                set.kind.clone(),
                set.constants.replace(' ', ""),
                String::new(),
            ]);
        }
        for (field, fact) in &file.fields {
            let (ty, path) = field.split_once('.').with_context(|| format!("{label}: {field}: no field"))?;
            let (fact, detail) = fact.split_once(' ').unwrap_or((fact, ""));
            let is_own = fact == "set" && file.sets.iter().any(|set| set.name == detail);
            let detail = if is_own { own(detail) } else { detail.to_owned() };
            self.fields.push(vec![ty.to_owned(), path.to_owned(), fact.to_owned(), detail]);
        }
        Ok(())
    }
}

/// The request's row of the table.
fn row(loaded: &Registry, request: &VendorRequest, label: &str, text: &str) -> Result<Vec<String>> {
    let (made, number) = match &request.number {
        VendorNumber::Plain(number) => ("-", *number),
        VendorNumber::Ioc(call) => {
            let number = loaded.number(call, Arch::X86_64).with_context(|| format!("{label}: {call}"))?;
            (call.split('(').next().unwrap_or_default().trim(), number)
        }
        VendorNumber::Code(_) => {
            bail!("{label}: {}: control codes of Windows come from its headers", request.name)
        }
    };
    let mut column = format!("{number:#x}");
    if let VendorNumber::Ioc(call) = &request.number {
        let mut exceptions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for arch in Arch::ALL {
            let there = loaded.number(call, arch).ok();
            if there != Some(Encoding::of(number, Arch::X86_64).encode(arch)) {
                let there = there.map_or_else(|| "!".to_owned(), |number| format!("{number:#x}"));
                exceptions.entry(there).or_default().push(arch.as_str());
            }
        }
        for (there, arches) in exceptions {
            column.push_str(&format!(" {}={there}", arches.join(",")));
        }
    }
    let same = |row: &&ioctl_registry::Request| row.number(Arch::X86_64) == Some(number);
    let known =
        loaded.rows(&request.name).iter().find(same).context("a request that was loaded is not there")?;
    let arg = match known.arg() {
        Arg::Unknown => String::new(),
        Arg::None => "void".to_owned(),
        Arg::Value(ty) => format!("={ty}"),
        Arg::Pointer(ty) => ty.into_owned(),
    };
    let dir = known.dir().map_or("?", ioctl_registry::Direction::as_str).to_owned();
    let wanted = format!("name = \"{}\"", request.name);
    let line = text.lines().position(|line| line.trim() == wanted).map_or(0, |place| place + 1);
    let source = if arg.is_empty() { "" } else { "vendor" };
    let header = format!("{label}:{line}");
    Ok([&request.name, made, &column, &dir, &arg, &header, "", source].map(str::to_owned).to_vec())
}
