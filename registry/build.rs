//! Prepares the embedded tables: comments go, families are given to requests, and what is left is compressed.

use std::{cmp::Reverse, env, error::Error, fs, path::Path};

#[path = "src/cover.rs"]
mod cover;
#[path = "src/glob.rs"]
mod glob;
#[path = "src/parse.rs"]
#[expect(dead_code, reason = "shared with the crate")]
mod parse;

use cover::Cover;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=data");
    println!("cargo::rerun-if-changed=overlay");
    let families = lines([table("overlay/families.tsv")?, table("data/vendor-families.tsv")?]);
    write("requests", &requests(&families)?)?;
    write("families", &rules(&families)?)?;
    let generated = ["aliases", "blocks", "subcommands"];
    let windows =
        ["", "-devices", "-status", "-types", "-sets", "-subcommands"].map(|table| format!("windows{table}"));
    for name in generated.into_iter().chain(windows.iter().map(String::as_str)) {
        write(name, &lines([table(&format!("data/{name}.tsv"))?]))?;
    }
    write("windows-fields", &lines([table("overlay/windows-fields.tsv")?]))?;
    for name in ["types", "sets", "fields"] {
        let own = table(&format!("data/{name}.tsv"))?;
        write(name, &lines([own, table(&format!("data/vendor-{name}.tsv"))?]))?;
    }
    Ok(())
}

fn table(path: &str) -> Result<String> {
    println!("cargo::rerun-if-changed={path}");
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}").into())
}

/// The lines that hold data.
fn lines<const N: usize>(tables: [String; N]) -> String {
    let lines: Vec<_> = tables.iter().flat_map(|table| parse::lines(table)).collect();
    lines.join("\n")
}

/// The requests of all tables in one form, by name and the newest first, each with the place of its family's line.
fn requests(families: &str) -> Result<String> {
    let covers: Vec<_> = parse::lines(families).filter_map(Cover::parse).collect();
    let mut rows: Vec<[String; 10]> = Vec::new();
    let mut add = |columns: [&str; 8], parameters: String| {
        let [name, .., header, _seen, _source] = columns;
        let cover = covers.iter().position(|cover| cover.covers(header, name));
        let [a, b, c, d, e, f, g, h] = columns.map(str::to_owned);
        rows.push([
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            cover.map_or_else(String::new, |place| place.to_string()),
            parameters,
        ]);
    };
    for path in ["data/requests.tsv", "data/vendor-requests.tsv", "overlay/requests.tsv"] {
        for line in parse::lines(&table(path)?) {
            let columns =
                parse::columns(line).ok_or_else(|| format!("{path}: more than eight columns: {line}"))?;
            add(columns, String::new());
        }
    }
    let path = "data/parametrised.tsv";
    for line in parse::lines(&table(path)?) {
        let [name, parameters, made, dir, ty, nr, size, arg, header, sets] =
            parse::columns(line).ok_or_else(|| format!("{path}: more than ten columns: {line}"))?;
        add([name, made, "", dir, arg, header, "", ""], [parameters, ty, nr, size, sets].join(";"));
    }
    rows.sort_by_key(|row| {
        let [name, _, _, _, _, _, seen, ..] = row;
        let (first, last) = seen.split_once('-').unwrap_or_default();
        (name.clone(), Reverse(last.is_empty()), Reverse(version(last)), Reverse(version(first)))
    });
    Ok(rows.iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n"))
}

/// `6.12` as numbers that can be compared.
fn version(text: &str) -> Vec<u32> {
    text.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// What the lines of `families.tsv` say of devices.
fn rules(families: &str) -> Result<String> {
    let mut rules = Vec::new();
    for line in parse::lines(families) {
        let cover =
            Cover::parse(line).ok_or_else(|| format!("families.tsv: more than four columns: {line}"))?;
        rules.push(format!("{}\t{}", cover.family, cover.devices));
    }
    Ok(rules.join("\n"))
}

/// Compressed, behind its size. LZ4 opens in a fraction of the time that closer packing would take.
fn write(name: &str, text: &str) -> Result<()> {
    let out = env::var("OUT_DIR")?;
    let closest = Some(lz4::block::CompressionMode::HIGHCOMPRESSION(12));
    let packed = match text {
        // Which the compressor crashes on.
        "" => Vec::new(),
        text => lz4::block::compress(text.as_bytes(), closest, true)?,
    };
    fs::write(Path::new(&out).join(name).with_extension("lz4"), packed)?;
    Ok(())
}
