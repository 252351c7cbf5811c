//! Layouts of what control codes' buffers hold, from the headers of mingw-w64, and the constants that go with them. The
//! codes themselves are in `windows`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use ioctl_registry::{definition, glob_matches};
use ioctl_registry_extract::{
    dwarf::{self, Described},
    macros,
    model::{Name, Type},
    spell,
    table::Line,
};

use super::{
    arch::{COUNT, WINDOWS},
    compiler::Compiler,
    evaluate,
    facts::{self, Problems},
    inputs::Inputs,
    known_types::Types,
    output, overlay,
    sets::{Sets, Values},
    types::{self, Flavour, Names, Table},
    windows::{ROOT, argument_types},
};

/// Headers that go together: those of programs first, then those of drivers, which exclude them.
const UNITS: [&[&str]; 2] = [
    &[
        "winsock2.h",
        "windows.h",
        "winioctl.h",
        "ddk/acpiioct.h",
        "ddk/mountdev.h",
        "ddk/mountmgr.h",
        "ddk/ntddsnd.h",
        "ddk/pfhook.h",
        "ddk/scsiscan.h",
        "ddk/swenum.h",
        "ddk/usbscan.h",
        "ddk/usbstorioctl.h",
        "emi.h",
        "hidclass.h",
        "ks.h",
        "ntdd1394.h",
        "ntddbeep.h",
        "ntddcdrm.h",
        "ntddcdvd.h",
        "ntddmmc.h",
        "ntddmodm.h",
        "ntddndis.h",
        "ntddscsi.h",
        "ntddser.h",
        "ntddvdeo.h",
        "poclass.h",
        "storduid.h",
        "usbioctl.h",
        "usbprint.h",
    ],
    &[
        "ddk/ntifs.h",
        "ntddcdrm.h",
        "ntddvol.h",
        "ddk/kbdmou.h",
        "ddk/ntddpcm.h",
        "ddk/parallel.h",
        "ntdd8042.h",
        "ddk/scsi.h",
        "ntddchgr.h",
        "ntddtape.h",
    ],
];
/// Where all of their types are at home: one definition of a name serves, the first.
const HOME: &str = "windows";
/// Names that programs and vendors' files use for numbers.
const WORDS: [&str; 34] = [
    "BOOL",
    "BOOLEAN",
    "BYTE",
    "CHAR",
    "DWORD",
    "DWORD64",
    "DWORDLONG",
    "DWORD_PTR",
    "GUID",
    "HANDLE",
    "INT",
    "INT64",
    "LARGE_INTEGER",
    "LONG",
    "LONG64",
    "LONGLONG",
    "LONG_PTR",
    "NTSTATUS",
    "PVOID",
    "SHORT",
    "SIZE_T",
    "UCHAR",
    "UINT",
    "UINT16",
    "UINT32",
    "UINT64",
    "UINT8",
    "ULARGE_INTEGER",
    "ULONG",
    "ULONG64",
    "ULONGLONG",
    "ULONG_PTR",
    "USHORT",
    "WCHAR",
];

/// `windows-types.tsv`, `windows-sets.tsv` and `windows-subcommands.tsv`.
///
/// # Errors
///
/// When the headers do not compile, or lack a type or a constant that tables by hand name.
pub fn render(inputs: &Inputs, overlay: &Path) -> Result<Vec<(&'static str, String)>> {
    let by_hand = overlay::rows::<3>(&overlay.join("windows-definitions.tsv"))?;
    let subcommands = overlay::rows::<6>(&overlay.join("windows-subcommands.tsv"))?;
    let codes = argument_types(overlay)?;
    let mut wanted: BTreeSet<String> = WORDS.map(str::to_owned).into();
    let mut want = |ty: &str| {
        let ty = ty.split('[').next().unwrap_or_default();
        // The registry's own words are in small letters.
        wanted.extend(
            Some(ty).filter(|ty| ty.starts_with(|c: char| c.is_ascii_uppercase())).map(str::to_owned),
        );
    };
    codes.values().for_each(|[input, output, _]| [input, output].into_iter().for_each(|ty| want(ty)));
    subcommands.iter().for_each(|[_, _, _, target, ..]| want(facts::target(target)));
    for [_, _, fact, detail] in overlay::rows::<4>(&overlay.join("windows-fields.tsv"))? {
        if matches!(fact.as_str(), "of" | "offset") {
            want(detail.split(' ').next().unwrap_or_default());
        }
    }
    for [name, _, definition] in &by_hand {
        let ty = definition::Type::parse(definition).with_context(|| name.clone())?;
        each_name(&ty, &mut want);
    }
    wanted.retain(|name| by_hand.iter().all(|[other, ..]| other != name));
    let mut rows = types(inputs, &wanted)?;
    rows.retain(|[name, ..]| by_hand.iter().all(|[other, ..]| other != name));
    rows.extend(by_hand);
    let known = Types::new(&rows)?;
    let values = constants(inputs, overlay, &subcommands)?;
    let mut problems = Problems::default();
    let sets = Sets::read(&overlay.join("windows-sets.tsv"), &values, &mut problems)?;
    let selected =
        facts::selected(subcommands, &known, |name| codes.contains_key(name), &values, &mut problems);
    problems.report()?;
    eprintln!("registry: {} types of Windows", rows.len());
    Ok(vec![
        ("windows-types.tsv", output::types(&rows)),
        ("windows-sets.tsv", output::sets(&sets)),
        ("windows-subcommands.tsv", output::subcommands(selected)),
    ])
}

/// Calls `visit` for each name that a definition consists of.
fn each_name(ty: &definition::Type, visit: &mut impl FnMut(&str)) {
    match ty {
        definition::Type::Named(name) => visit(name),
        definition::Type::Array(element, _) => each_name(element, visit),
        definition::Type::Record(record) => {
            record.fields.iter().for_each(|field| each_name(&field.ty, visit));
        }
        _ => {}
    }
}

/// The translation unit that begins with such headers.
fn unit(headers: &[&str]) -> String {
    headers.iter().map(|header| format!("#include <{header}>\n")).collect()
}

/// Rows of the types' table: those that are wanted, and what they consist of.
fn types(inputs: &Inputs, wanted: &BTreeSet<String>) -> Result<Vec<[String; 3]>> {
    let mut flavour = Flavour::of("", &WINDOWS);
    let mut roots = BTreeSet::new();
    let mut others: BTreeMap<&str, BTreeMap<usize, Type>> = BTreeMap::new();
    for (arch, machine) in WINDOWS.iter().enumerate() {
        let compiler = Compiler::windows(inputs, &inputs.zig.join(ROOT), machine)?;
        let mut missing: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
        for headers in UNITS {
            let lines = missing.iter().map(|name| Line::Type((*name).to_owned(), (*name).to_owned()));
            let described = described(&compiler, headers, lines.collect())?;
            flavour.add(arch, "", &described.definitions);
            for (name, (ty, _)) in described.pointees {
                let Some(name) = missing.take(name.as_str()) else { continue };
                match ty {
                    Type::Named(own) if own.name == name => _ = roots.insert(own),
                    other => _ = others.entry(name).or_default().insert(arch, other),
                }
            }
        }
        ensure!(
            missing.is_empty(),
            "no header of Windows has {missing:?}; define them in overlay/windows-definitions.tsv"
        );
    }
    for ty in others.values().flat_map(BTreeMap::values) {
        ty.each_embedded_name(&mut |name| _ = roots.insert(name.clone()));
    }
    let embedded = flavour.embedded(roots);
    let mut names = Names::default();
    types::name_newest(&flavour, &embedded, &mut names);
    let mut table = Table::default();
    table.add(&flavour, &embedded, &names)?;
    let mut rows = table.rows_of(&WINDOWS);
    for (name, by_arch) in others {
        let texts: BTreeSet<String> =
            by_arch.values().map(|ty| spell::ty(ty, &|name: &Name| name.name.clone())).collect();
        ensure!(texts.len() == 1, "{name} is {texts:?}");
        rows.extend(texts.into_iter().map(|text| [name.to_owned(), String::new(), text]));
    }
    Ok(rows)
}

fn described(compiler: &Compiler, headers: &[&str], mut lines: Vec<Line>) -> Result<Described> {
    let object = evaluate::object(compiler, &unit(headers), &mut lines)?;
    Ok(dwarf::read(&object, "", |_| HOME.to_owned())?)
}

/// The constants that the tables by hand select, by header and name.
fn constants(inputs: &Inputs, overlay: &Path, subcommands: &[[String; 6]]) -> Result<Values> {
    let compiler = Compiler::windows(inputs, &inputs.zig.join(ROOT), &WINDOWS[0])?;
    let mut globs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for [_, _, headers, texts] in overlay::rows::<4>(&overlay.join("windows-sets.tsv"))? {
        for header in headers.split(',') {
            let parts = texts.split(' ').flat_map(|glob| glob.split([':', '!']));
            globs.entry(header.to_owned()).or_default().extend(parts.map(str::to_owned));
        }
    }
    for [_, _, name, .., header] in subcommands {
        globs.entry(header.clone()).or_default().insert(name.clone());
    }
    let mut found = BTreeMap::new();
    for headers in UNITS {
        let unit = unit(headers);
        let listing = match compiler.preprocess(&["-dD"], &unit)? {
            Ok(listing) => listing,
            Err(message) => bail!("{message}"),
        };
        let mut names = Vec::new();
        for (header, globs) in &globs {
            let own = macros::own_lines(&listing, |file| {
                compiler.include_name(file).filter(|name| *name == header)
            });
            let macros = macros::definitions(own);
            let selected = macros.keys().filter(|name| globs.iter().any(|glob| glob_matches(glob, name)));
            // An enumerator is selected by its name alone.
            let plain =
                globs.iter().filter(|glob| glob.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
            names.extend(selected.chain(plain).map(|name| (header.clone(), name.clone())));
        }
        let expressions: Vec<String> = names.iter().map(|(_, name)| name.clone()).collect();
        for (key, value) in names.into_iter().zip(evaluate::expressions(&compiler, &unit, &expressions)?) {
            if value.is_some() {
                found.entry(key).or_insert([value; COUNT]);
            }
        }
    }
    Ok(Values::new(found, &[]))
}
