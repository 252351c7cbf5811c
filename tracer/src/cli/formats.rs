//! The formats of files: what their names end in, and what each can do.

use std::path::Path;

use super::args::Format;
use crate::sink::out::Compression;

/// A format, as far as its outputs are set up alike.
#[derive(Debug)]
pub struct Kind {
    /// Which one.
    pub format: Format,
    /// What names of its files end in; the first one is told.
    pub endings: &'static [&'static str],
    /// It is text, fit for a terminal.
    pub text: bool,
    /// It gains from being compressed as a whole, which the format does not do by itself.
    pub compressible: bool,
    /// It says of a device all there is to know.
    pub devices: bool,
}

/// All formats. A new one is a row here, and an arm where outputs are made.
static KINDS: [Kind; 6] = [
    Kind { format: Format::Text, endings: &["txt", "log"], text: true, compressible: true, devices: false },
    Kind {
        format: Format::Jsonl,
        endings: &["jsonl", "ndjson"],
        text: true,
        compressible: true,
        devices: true,
    },
    Kind { format: Format::Csv, endings: &["csv"], text: true, compressible: true, devices: true },
    Kind { format: Format::Parquet, endings: &["parquet"], text: false, compressible: false, devices: true },
    Kind { format: Format::Perfetto, endings: &["pftrace"], text: false, compressible: true, devices: true },
    Kind {
        format: Format::Recording,
        endings: &["iotrace"],
        text: false,
        compressible: false,
        devices: true,
    },
];

impl Format {
    /// What is known of it.
    #[must_use]
    pub fn kind(self) -> &'static Kind {
        match self {
            Self::Text => &KINDS[0],
            Self::Jsonl => &KINDS[1],
            Self::Csv => &KINDS[2],
            Self::Parquet => &KINDS[3],
            Self::Perfetto => &KINDS[4],
            Self::Recording => &KINDS[5],
        }
    }
}

/// What a file's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The format.
    As(Format),
    /// Nothing: there is no ending.
    Plain,
    /// An ending that is not known.
    Unknown,
}

/// What the name of a file says of its format and its compression.
#[must_use]
pub fn by_name(path: &Path) -> (Named, Option<Compression>) {
    let ending = |path: &Path| path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let compression = match ending(path).as_deref() {
        Some("gz") => Some(Compression::Gzip),
        Some("zst") => Some(Compression::Zstd),
        _ => None,
    };
    let rest = if compression.is_some() { path.with_extension("") } else { path.to_owned() };
    let named = match ending(&rest) {
        None => Named::Plain,
        Some(ending) => {
            let kind = KINDS.iter().find(|kind| kind.endings.contains(&ending.as_str()));
            kind.map_or(Named::Unknown, |kind| Named::As(kind.format))
        }
    };
    (named, compression)
}

/// The endings there are, for people: `.txt, .jsonl or .csv`.
#[must_use]
pub fn endings() -> String {
    let all: Vec<_> =
        KINDS.iter().filter_map(|kind| kind.endings.first()).map(|ending| format!(".{ending}")).collect();
    match all.split_last() {
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_format_has_its_row() {
        for format in Format::value_variants() {
            assert_eq!(format.kind().format, *format);
        }
        assert_eq!(Format::value_variants().len(), KINDS.len());
        assert_eq!(endings(), ".txt, .jsonl, .csv, .parquet, .pftrace or .iotrace");
    }

    #[test]
    fn names_say_what_a_file_is() {
        let says = |name: &str| by_name(Path::new(name));
        assert_eq!(says("a.txt"), (Named::As(Format::Text), None));
        assert_eq!(says("/x.y/A.JSONL"), (Named::As(Format::Jsonl), None));
        assert_eq!(says("a.csv.gz"), (Named::As(Format::Csv), Some(Compression::Gzip)));
        assert_eq!(says("a.b.pftrace.zst"), (Named::As(Format::Perfetto), Some(Compression::Zstd)));
        assert_eq!(says("a.parquet"), (Named::As(Format::Parquet), None));
        assert_eq!(says("a.iotrace"), (Named::As(Format::Recording), None));
        for plain in ["calls", "/dev/null", "/dev/fd/63", "/x.d/calls", ".hidden"] {
            assert_eq!(says(plain), (Named::Plain, None), "{plain}");
        }
        assert_eq!(says("calls.zst"), (Named::Plain, Some(Compression::Zstd)));
        assert_eq!(says("a.dat"), (Named::Unknown, None));
    }
}
