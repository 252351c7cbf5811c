//! Which outputs a session has, and what they are written to.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
};

use ioctl_registry::Xlat;

use super::{
    args::{Args, Color, Constants, Format},
    run::Failure,
};
use crate::{
    clock::WallClock,
    recording::is_recording,
    sink::{
        Sink,
        jsonl::Jsonl,
        summary::SummarySink,
        text::{FdStyle, Text, TextStyle, TimeStyle, ValueStyle},
    },
};

/// Output is written in pieces of this size under load.
const WRITE_BYTES: usize = 128 * 1024;

/// The stream that shows lines when no file is asked for: standard error beside a command, whose own output goes to
/// standard output.
#[must_use]
pub fn stream(args: &Args) -> Box<dyn Write + Send> {
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

/// The outputs that the command line asks for. `lines` adds lines to the screen when there is no file.
///
/// # Errors
/// When a file's format is not clear, or it cannot be created.
pub fn sinks(args: &Args, lines: bool, clock: &WallClock) -> Result<Vec<Box<dyn Sink>>, Failure> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    for path in args.output.iter().filter(|path| !is_recording(path)) {
        let stdout = path.as_os_str() == "-";
        let format = args.format.or_else(|| if stdout { Some(Format::Text) } else { by_name(path) });
        let format = format.ok_or_else(|| {
            Failure::Usage(format!(
                "the format of `{}` is not clear: end its name in .txt, .jsonl or .iotrace, or add --format",
                path.display()
            ))
        })?;
        let (out, terminal): (Box<dyn Write + Send>, bool) = if stdout {
            (Box::new(io::stdout()), io::stdout().is_terminal())
        } else {
            let file = File::create(path)
                .map_err(|e| Failure::Tracing(anyhow::anyhow!("cannot create `{}`: {e}", path.display())))?;
            (Box::new(file), false)
        };
        sinks.push(sink(args, format, out, terminal, clock));
    }
    if lines && sinks.is_empty() && !args.summary_only {
        let format = args.format.unwrap_or(Format::Text);
        sinks.push(sink(args, format, stream(args), stream_is_terminal(args), clock));
    }
    if args.summary {
        sinks.push(Box::new(SummarySink::new(stream(args))));
    }
    Ok(sinks)
}

/// Whether any output shows all there is to know of a device.
#[must_use]
pub fn needs_devices(args: &Args) -> bool {
    let json = |path: &std::path::PathBuf| args.format.or_else(|| by_name(path)) == Some(Format::Jsonl);
    args.summary || args.summary_only || args.format == Some(Format::Jsonl) || args.output.iter().any(json)
}

fn by_name(path: &Path) -> Option<Format> {
    // As strace writes them: `-o calls`, `-o /dev/null`.
    let Some(extension) = path.extension() else { return Some(Format::Text) };
    match extension.to_str()? {
        "txt" | "log" => Some(Format::Text),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}

fn sink(
    args: &Args,
    format: Format,
    out: Box<dyn Write + Send>,
    terminal: bool,
    clock: &WallClock,
) -> Box<dyn Sink> {
    let out = BufWriter::with_capacity(WRITE_BYTES, out);
    match format {
        Format::Text => Box::new(Text::new(out, style(args, terminal), clock.clone())),
        Format::Jsonl => Box::new(Jsonl::new(out, clock.clone())),
    }
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
