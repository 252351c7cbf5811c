//! Which outputs a session has, and what they are written to.

use std::{
    io::{self, BufWriter, IsTerminal},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use ioctl_registry::Xlat;

use super::{
    args::{Args, Color, Constants, Format, Sort},
    formats::{Named, by_name, endings},
    replay::Mode,
    run::Failure,
};
use crate::{
    clock::WallClock,
    create,
    recording::{Meta, Rotation, Writer},
    sink::{
        Sink,
        csv::Csv,
        jsonl::Jsonl,
        out::{Compression, Output},
        parquet::Parquet,
        perfetto::Perfetto,
        summary::{Summary, SummarySink},
        table::{Form, Table},
        text::{FdStyle, Text, TextStyle, TimeStyle, ValueStyle},
    },
    tui,
};

/// Output is written in pieces of this size under load.
const WRITE_BYTES: usize = 128 * 1024;

/// The stream that shows lines when no file is asked for: standard error beside a command, whose own output goes to
/// standard output.
#[must_use]
pub fn stream(args: &Args) -> Box<dyn Output> {
    if args.command.is_empty() { Box::new(io::stdout()) } else { Box::new(io::stderr()) }
}

fn stream_is_terminal(args: &Args) -> bool {
    if args.command.is_empty() { io::stdout().is_terminal() } else { io::stderr().is_terminal() }
}

/// Whether coloured text suits what it is written to.
#[must_use]
pub fn colored(choice: Color, terminal: bool) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

/// What totals are written to, and how: a file of their own, or the screen.
pub struct Totals {
    /// Where they go.
    pub out: Box<dyn Output>,
    /// How they look.
    pub table: Table,
}

impl Totals {
    /// An output for them.
    #[must_use]
    pub fn sink(self) -> Box<dyn Sink> {
        Box::new(SummarySink::new(self.out, self.table))
    }
}

/// Prints the totals that the dashboard showed, to the screen that is there again.
///
/// # Errors
/// When they cannot be written.
pub fn shown_totals(args: &Args, summary: &Summary) -> io::Result<()> {
    if args.quiet > 0 || summary.all().totals().calls() == 0 {
        return Ok(());
    }
    match Table::default().write(summary, &mut io::stdout()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Where the totals go, if any are wanted.
///
/// # Errors
/// When they have no such format, or their file cannot be created.
pub fn totals(args: &Args) -> Result<Option<Totals>, Failure> {
    if !args.summary_only && !args.summary {
        return Ok(None);
    }
    let mut files = args.output.iter().filter(|path| is_totals(args, path));
    let (file, more) = (files.next(), files.next());
    if let Some(more) = more {
        return Err(Failure::Usage(format!("totals go to one file: leave out `{}`", more.display())));
    }
    let sort = args.sort.map(Sort::key).unwrap_or_default();
    if let Some(file) = file {
        let out = create::file(file).map_err(|error| cannot_create(file, &error))?;
        return Ok(Some(Totals { out: Box::new(out), table: Table { sort, form: Form::Array } }));
    }
    // Beside calls, the format is theirs.
    let form = match args.format.filter(|_| args.summary_only && args.output.is_empty()) {
        None | Some(Format::Text) => Form::Text,
        Some(Format::Jsonl) => Form::Lines,
        Some(_) => return Err(Failure::Usage("totals are text or JSON: --format text or jsonl".to_owned())),
    };
    Ok(Some(Totals { out: stream(args), table: Table { sort, form } }))
}

/// Whether a file is for the totals: its name says so, and there are any.
fn is_totals(args: &Args, path: &Path) -> bool {
    (args.summary_only || args.summary) && path.extension().is_some_and(|extension| extension == "json")
}

/// Whether nothing but totals is wanted.
#[must_use]
pub fn only_totals(args: &Args) -> bool {
    args.summary_only && args.output.iter().all(|path| is_totals(args, path))
}

/// The outputs that the command line asks for. `lines` adds lines to the screen when there is no file.
///
/// # Errors
/// When a file's format is not clear or does not suit where it goes, or it cannot be created.
pub fn sinks(args: &Args, lines: bool, clock: &WallClock) -> Result<Vec<Box<dyn Sink>>, Failure> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    // All of them before the first is created: a mistake must not empty a file.
    for target in targets(args)?.into_iter().filter(|target| target.format != Format::Recording) {
        let style = style(args, target.stdout && io::stdout().is_terminal());
        sinks.push(open(&target, style, clock)?);
    }
    if lines && sinks.is_empty() && !args.summary_only {
        let format = args.format.unwrap_or(Format::Text);
        let here = !stream_is_terminal(args) && args.command.is_empty() && format != Format::Recording;
        if !format.kind().text && !here {
            return Err(not_here(format));
        }
        let sink = sink(format, stream(args), style(args, stream_is_terminal(args)), clock);
        sinks.push(sink.context("cannot write the output")?);
    }
    if args.summary {
        sinks.extend(totals(args)?.map(Totals::sink));
    }
    Ok(sinks)
}

/// Opens an output.
fn open(target: &Target<'_>, style: TextStyle, clock: &WallClock) -> Result<Box<dyn Sink>, Failure> {
    let out: Box<dyn Output> = if target.stdout {
        Box::new(io::stdout())
    } else {
        let file = create::file(target.path).map_err(|error| cannot_create(target.path, &error))?;
        if file.is_terminal() && !target.format.kind().text {
            return Err(not_here(target.format));
        }
        match target.compression {
            Some(compression) => {
                compression.around(file).map_err(|error| cannot_create(target.path, &error))?
            }
            None => Box::new(file),
        }
    };
    sink(target.format, out, style, clock).map_err(|error| cannot_create(target.path, &error))
}

/// Opens outputs that are asked for on the dashboard, as `-o` would; recordings are of what this says.
#[must_use]
pub fn opener(args: &Args, clock: &WallClock, meta: Meta) -> tui::Outputs {
    let (style, clock) = (style(args, false), clock.clone());
    Box::new(move |path| {
        let (named, compression) = by_name(path);
        let format = match named {
            Named::As(Format::Recording) => {
                let writer = Writer::create(path, meta.clone(), Rotation::default());
                return writer
                    .map(|writer| tui::Opened::Recording(Box::new(writer)))
                    .map_err(|error| format!("cannot create it: {error}"));
            }
            Named::As(format) => format,
            Named::Plain => Format::Text,
            Named::Unknown => return Err(format!("its format is not clear: end its name in {}", endings())),
        };
        let compression = compression.filter(|_| format.kind().compressible);
        let target = Target { path, stdout: false, format, compression };
        open(&target, style, &clock).map(tui::Opened::Sink).map_err(|failure| match failure {
            Failure::Tracing(error) => error.to_string(),
            Failure::Usage(message) => message,
            Failure::Filter(error) => error.message().to_owned(),
        })
    })
}

/// Where one output of calls goes, and how.
pub struct Target<'a> {
    /// Its name.
    pub path: &'a Path,
    /// The name stands for standard output.
    pub stdout: bool,
    /// What is written.
    pub format: Format,
    compression: Option<Compression>,
}

/// The outputs of calls that the command line names.
///
/// # Errors
/// When a format is not clear or does not suit where it goes, or a name is given twice.
pub fn targets(args: &Args) -> Result<Vec<Target<'_>>, Failure> {
    let named = args.output.iter().filter(|path| !is_totals(args, path));
    let targets = named.map(|path| target(args, path)).collect::<Result<Vec<_>, _>>()?;
    for (index, target) in targets.iter().enumerate() {
        if targets[..index].iter().any(|other| other.path == target.path) {
            return Err(Failure::Usage(format!("`{}` is given twice", target.path.display())));
        }
    }
    Ok(targets)
}

fn target<'a>(args: &Args, path: &'a Path) -> Result<Target<'a>, Failure> {
    if path.as_os_str() == "-" {
        let format = args.format.or(plain(args)).unwrap_or(Format::Text);
        if !format.kind().text && io::stdout().is_terminal() {
            return Err(not_here(format));
        }
        return Ok(Target { path, stdout: true, format, compression: None });
    }
    let (named, compression) = by_name(path);
    let format = format_of(args, named).ok_or_else(|| {
        Failure::Usage(format!(
            "the format of `{}` is not clear: end its name in {}, or add --format",
            path.display(),
            endings()
        ))
    })?;
    if compression.is_some() && !format.kind().compressible {
        return Err(Failure::Usage(format!(
            "`{}`: a .{} is compressed by itself: leave out the last ending",
            path.display(),
            format.kind().endings.first().copied().unwrap_or_default()
        )));
    }
    Ok(Target { path, stdout: false, format, compression })
}

/// The format of a file of such a name. `--format` is for the only output; of several for those whose names do not tell.
fn format_of(args: &Args, named: Named) -> Option<Format> {
    match (named, args.format) {
        (Named::As(format), Some(_)) if args.output.len() > 1 => Some(format),
        (_, Some(format)) | (Named::As(format), None) => Some(format),
        // As strace writes them: `-o calls`, `-o /dev/null`.
        (Named::Plain, None) => Some(plain(args).unwrap_or(Format::Text)),
        (Named::Unknown, None) => None,
    }
}

/// The format of names that do not tell, where it is not text: `record` writes a recording somewhere.
fn plain(args: &Args) -> Option<Format> {
    let named = |path: &PathBuf| by_name(path).0 == Named::As(Format::Recording);
    (args.mode == Mode::Record && !args.output.iter().any(named)).then_some(Format::Recording)
}

fn not_here(format: Format) -> Failure {
    let ending = format.kind().endings.first().copied().unwrap_or_default();
    Failure::Usage(format!(
        "this format is not text, and is not written to a terminal or beside a command's output: add -o FILE.{ending}"
    ))
}

fn cannot_create(path: &Path, error: &io::Error) -> Failure {
    Failure::Tracing(anyhow::anyhow!("cannot create `{}`: {error}", path.display()))
}

/// Whether any output shows all there is to know of a device.
#[must_use]
pub fn needs_devices(args: &Args) -> bool {
    let of_file = |path: &PathBuf| {
        let named = if path.as_os_str() == "-" { Named::Plain } else { by_name(path).0 };
        format_of(args, named)
    };
    let of_screen = args.format.filter(|_| args.output.is_empty());
    let mut formats = args.output.iter().filter_map(of_file).chain(of_screen);
    args.summary || args.summary_only || formats.any(|format| format.kind().devices)
}

fn sink(
    format: Format,
    out: Box<dyn Output>,
    style: TextStyle,
    clock: &WallClock,
) -> io::Result<Box<dyn Sink>> {
    let out = BufWriter::with_capacity(WRITE_BYTES, out);
    let clock = clock.clone();
    Ok(match format {
        Format::Text => Box::new(Text::new(out, style, clock)),
        Format::Jsonl => Box::new(Jsonl::new(out, clock)),
        Format::Csv => Box::new(Csv::new(out, clock)?),
        Format::Parquet => Box::new(Parquet::new(out, clock)?),
        Format::Perfetto => Box::new(Perfetto::new(out, clock)),
        Format::Recording => return Err(io::Error::other("a recording is no output of calls")),
    })
}

fn style(args: &Args, terminal: bool) -> TextStyle {
    TextStyle {
        time: match (args.relative, args.time) {
            (true, _) => TimeStyle::Relative,
            (false, 0) => TimeStyle::None,
            (false, 1) => TimeStyle::Seconds,
            (false, 2) => TimeStyle::Micros,
            (false, _) => TimeStyle::Epoch,
        },
        fd: if args.paths > 1 { FdStyle::Device } else { FdStyle::Path },
        number: args.number,
        color: colored(args.color, terminal),
        values: ValueStyle {
            limit: args.string_limit,
            verbose: args.no_abbrev,
            xlat: match args.constants {
                Constants::Raw => Xlat::Raw,
                Constants::Abbrev => Xlat::Abbrev,
                Constants::Verbose => Xlat::Verbose,
            },
            hex_strings: args.hex,
        },
        source_lines: args.stack > 1,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::sink::table::SortKey;

    /// The formats of the outputs, as far as they are clear.
    fn formats(words: &[&str]) -> Vec<Option<Format>> {
        let args = Args::try_parse_from([&["ioctl-trace", "-a"], words].concat()).expect("valid");
        args.output.iter().map(|path| target(&args, path).ok().map(|target| target.format)).collect()
    }

    #[test]
    fn names_and_options_say_the_format() {
        let (text, json, csv, parquet) = (Format::Text, Format::Jsonl, Format::Csv, Format::Parquet);
        assert_eq!(formats(&["-o", "a.csv"]), [Some(csv)]);
        assert_eq!(formats(&["-o", "a", "-o", "b.dat", "-o", "-"]), [Some(text), None, Some(text)]);
        assert_eq!(formats(&["-o", "a.csv", "--format", "jsonl"]), [Some(json)], "whatever its name");
        let several = ["-o", "a.parquet", "-o", "-", "-o", "b.dat", "--format", "jsonl"];
        assert_eq!(formats(&several), [Some(parquet), Some(json), Some(json)], "those that do not tell");
        assert_eq!(formats(&["-o", "a.parquet.zst"]), [None]);
    }

    #[test]
    fn totals_have_their_own_file_or_format() {
        let made = |words: &[&str]| {
            let args = Args::try_parse_from([&["ioctl-trace", "-a"], words].concat()).expect("valid");
            (totals(&args).ok().map(|totals| totals.map(|totals| totals.table)), only_totals(&args))
        };
        let table = |sort, form| Some(Some(Table { sort, form }));
        assert_eq!(made(&[]), (Some(None), false));
        assert_eq!(made(&["-c"]), (table(SortKey::Total, Form::Text), true));
        assert_eq!(made(&["-c", "--format", "jsonl"]), (table(SortKey::Total, Form::Lines), true));
        assert_eq!(made(&["-c", "--format", "csv"]), (None, true));
        let beside = ["-C", "-S", "p99", "--format", "csv"];
        assert_eq!(made(&beside), (table(SortKey::Percentile(99), Form::Text), false), "the format of calls");
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("totals.json");
        let name = file.to_str().expect("text");
        assert_eq!(made(&["-c", "-S", "count", "-o", name]), (table(SortKey::Calls, Form::Array), true));
        let both = made(&["-c", "-o", "calls.csv", "-o", name]);
        assert_eq!(both, (table(SortKey::Total, Form::Array), false), "totals there, calls elsewhere");
        assert_eq!(made(&["-c", "-o", name, "-o", name]), (None, true));
        assert!(Args::try_parse_from(["ioctl-trace", "-a", "-S", "name"]).is_err(), "there are none to sort");
    }

    #[test]
    fn devices_are_looked_up_for_who_shows_them() {
        let needs = |words: &[&str]| {
            let args = Args::try_parse_from([&["ioctl-trace", "-a"], words].concat()).expect("valid");
            needs_devices(&args)
        };
        assert!(needs(&["-o", "a.txt", "-o", "b.csv"]) && needs(&["--format", "csv"]) && needs(&["-C"]));
        assert!(!needs(&["-o", "a.txt"]) && !needs(&[]) && !needs(&["-o", "-"]));
    }
}
