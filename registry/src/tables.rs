//! The embedded tables: compressed text, opened on first use.

use std::sync::OnceLock;

/// A table as the build left it.
pub struct Table {
    packed: &'static [u8],
    text: OnceLock<String>,
}

impl Table {
    const fn new(packed: &'static [u8]) -> Self {
        Self { packed, text: OnceLock::new() }
    }

    /// The lines, joined by newlines. A table that cannot be opened is empty, which the tests would see.
    pub fn text(&'static self) -> &'static str {
        self.text.get_or_init(|| {
            let bytes = lz4_flex::block::decompress_size_prepended(self.packed).unwrap_or_default();
            String::from_utf8(bytes).unwrap_or_default()
        })
    }

    /// Bytes in the program.
    pub const fn packed_size(&self) -> usize {
        self.packed.len()
    }
}

macro_rules! tables {
    ($($name:ident = $file:literal,)*) => {
        $(pub static $name: Table = Table::new(include_bytes!(concat!(env!("OUT_DIR"), "/", $file, ".lz4")));)*

        /// Every table with its name.
        pub static ALL: &[(&str, &Table)] = &[$(($file, &$name),)*];
    };
}

tables! {
    REQUESTS = "requests",
    ALIASES = "aliases",
    FAMILIES = "families",
    BLOCKS = "blocks",
    TYPES = "types",
    SETS = "sets",
    FIELDS = "fields",
    SUBCOMMANDS = "subcommands",
    WINDOWS = "windows",
    WINDOWS_DEVICES = "windows-devices",
    WINDOWS_STATUS = "windows-status",
    WINDOWS_TYPES = "windows-types",
    WINDOWS_SETS = "windows-sets",
    WINDOWS_FIELDS = "windows-fields",
    WINDOWS_SUBCOMMANDS = "windows-subcommands",
}

/// Where the meaning of arguments is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Linux,
    Windows,
}

impl System {
    pub fn types(self) -> &'static str {
        match self {
            Self::Linux => TYPES.text(),
            Self::Windows => WINDOWS_TYPES.text(),
        }
    }

    /// Sets, facts about fields, sub-commands.
    pub fn facts(self) -> [&'static str; 3] {
        match self {
            Self::Linux => [SETS.text(), FIELDS.text(), SUBCOMMANDS.text()],
            Self::Windows => [WINDOWS_SETS.text(), WINDOWS_FIELDS.text(), WINDOWS_SUBCOMMANDS.text()],
        }
    }
}
