//! The commands that ask the registry, and their options.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ioctl_registry::Arch;

/// What to do instead of tracing.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Say what ioctl numbers mean
    #[command(after_help = DECODE)]
    Decode(DecodeArgs),
    /// List requests, families, shared numbers or assigned blocks
    #[command(after_help = LIST)]
    List(ListArgs),
    /// Show all that is known of a request or a type
    #[command(after_help = SHOW)]
    Show(ShowArgs),
    /// Work with files of requests that the registry lacks
    #[command(subcommand)]
    Registry(RegistryAction),
    /// List the fields of a call, for --filter
    #[command(after_help = FIELDS)]
    Fields(FieldsArgs),
}

const DECODE: &str = "\
Examples:
  ioctl-trace decode 0x5413 21505                   numbers, as hexadecimal or decimal
  ioctl-trace decode 'EVIOCGBIT(EV_KEY, 96)'        a name; quotes where the shell wants them
  ioctl-trace decode \"_IOWR('V', 4, struct v4l2_format)\" --arch i386
  ioctl-trace decode 0x5402 --device /dev/tty       which of several requests is meant there
  ioctl-trace decode TIOCGWINSZ --bytes '18 00 50 00 00 00 00 00'
  ioctl-trace decode --os windows 0x70000           a control code of Windows";

const LIST: &str = "\
Examples:
  ioctl-trace list winsz                    names that contain a text, in any case
  ioctl-trace list 'VIDIOC_G_*' --arch arm  a glob, with the numbers of an architecture
  ioctl-trace list --family kvm --json      one JSON object a request
  ioctl-trace list --conflicts              numbers with several names, and what tells these apart
  ioctl-trace list --blocks usb             the kernel's table of assigned blocks
  ioctl-trace list --families               families, with their devices";

const SHOW: &str = "\
Examples:
  ioctl-trace show VIDIOC_G_FMT                     a request, with its argument's layout
  ioctl-trace show VIDIOC_G_FMT --arch arm --expand as on arm, nested structs opened
  ioctl-trace show 'TIOC?WINSZ' 0x5401              globs and numbers
  ioctl-trace show 'struct v4l2_format'             a type alone
  ioctl-trace show --os windows 'IOCTL_DISK_GET_*'  control codes of Windows";

const FIELDS: &str = "\
Expressions:
  driver == i915 && ret < 0 && dur > 1ms && arg.flags has O_CLOEXEC
  request in (TCGETS, TIOCGWINSZ) and not comm ~ 'stty*'

  ==  !=  <  <=  >  >=      compare with numbers (25, 0x19, 4K), durations (1.5ms), names of
                            errors, requests, flags and constants, and texts in quotes
  in (A, B)  not in (A, B)  one of several, or none
  ~ GLOB                    path ~ /dev/dri/*, request ~ VIDIOC_*
  =~ 'REGEX'                a regular expression, which may match anywhere
  has A|B                   all of these flags; or a part of a text, or of any of several
  FIELD  FIELD exists       whether the call has the field
  and or not  && || !  ( )  and binds tighter than or

  Fields of the argument are arg.NAME, or in.NAME before and out.NAME after the call, with
  the names that lines and JSON show. Paths lead on: arg.fmt.pix.width, arg.msgs[0].len,
  arg.msgs[].len (any element).
  A comparison with a field that a call does not have is false, also !=; `not` turns it.";

/// Options of `decode`.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// 0x5413, 21523, a name, a name with parameters, or a call of an _IO macro
    #[arg(required = true, value_name = "NUMBER", allow_negative_numbers = true)]
    pub numbers: Vec<String>,

    /// Decode these bytes as the argument: hexadecimal, a file or "-" for binary standard input
    #[arg(long, value_name = "HEX|FILE", allow_hyphen_values = true)]
    pub bytes: Option<String>,

    /// The device it is sent to: /dev/NODE, char:MAJ:MIN, block:MAJ:MIN, socket, file, anon:NAME, handler:SYMBOL or magic:0xN
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub device: Vec<String>,

    #[command(flatten)]
    pub target: Target,

    /// Print one JSON object a number
    #[arg(long)]
    pub json: bool,
}

/// Options of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// A glob, or a text that the name contains; case does not count
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,

    /// Only requests of this family
    #[arg(long, value_name = "FAMILY")]
    pub family: Option<String>,

    /// List numbers that have several names
    #[arg(long, group = "what")]
    pub conflicts: bool,

    /// List the blocks of numbers that the kernel's document assigns; PATTERN is looked for in header and comment
    #[arg(long, group = "what", conflicts_with = "family")]
    pub blocks: bool,

    /// List families, with their devices
    #[arg(long, group = "what", conflicts_with = "family")]
    pub families: bool,

    #[command(flatten)]
    pub target: Target,

    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Options of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A request's name, glob or number, or a type
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,

    /// Open nested structs in layouts
    #[arg(long)]
    pub expand: bool,

    #[command(flatten)]
    pub target: Target,
}

/// Whose requests are meant.
#[derive(Clone, Copy, Debug, Args)]
pub struct Target {
    /// The architecture of the program that makes the call: x86_64, i386, aarch64, arm, …
    #[arg(long, value_name = "ARCH", default_value_t = Arch::native(), hide_default_value = true)]
    pub arch: Arch,

    /// The system that the number belongs to
    #[arg(long, value_name = "OS", value_enum, default_value_t = Os::Linux)]
    pub os: Os,
}

/// A system with ioctl numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Os {
    /// Requests of ioctl(2)
    Linux,
    /// Control codes of DeviceIoControl
    Windows,
}

/// Options of `fields`.
#[derive(Clone, Copy, Debug, Args)]
pub struct FieldsArgs {
    /// Print one JSON object a field
    #[arg(long)]
    pub json: bool,
}

/// What to do with files of requests.
#[derive(Debug, Subcommand)]
pub enum RegistryAction {
    /// Make a file of requests from a C header, for --registry
    #[command(after_help = IMPORT)]
    Import(ImportArgs),
}

const IMPORT: &str = "\
The header is compiled, not run, with $CC or cc; both gcc and clang will do.

Examples:
  ioctl-trace registry import acme.h -o acme.toml
  ioctl-trace registry import acme.h -o acme.toml -I sdk/include -D ACME_V2 --devices char:240
  ioctl-trace --registry acme.toml -- ./acme-test";

/// Options of `registry import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The headers that define the requests
    #[arg(value_name = "HEADER", required = true)]
    pub headers: Vec<PathBuf>,

    /// Write to FILE ("-": standard output)
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Look for included headers in DIR too
    #[arg(short = 'I', value_name = "DIR")]
    pub include: Vec<PathBuf>,

    /// Define MACRO before the header is read
    #[arg(short = 'D', value_name = "MACRO[=VALUE]")]
    pub define: Vec<String>,

    /// Include this header first; <linux/types.h> and <linux/ioctl.h> always are
    #[arg(long, value_name = "HEADER")]
    pub before: Vec<String>,

    /// The vendor, which becomes the family of the requests; without it, the first header's name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// The devices that the requests are addressed to, such as char:240 or handler:acme_*
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub devices: Vec<String>,

    /// Take macros of plain numbers that match as requests too
    #[arg(long, value_name = "GLOB")]
    pub also: Vec<String>,
}
