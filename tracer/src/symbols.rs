//! Names of kernel functions, from `/proc/kallsyms`. Read on first need, in the background if that is known ahead: the
//! kernel takes some 150 ms to print its table.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    sync::Arc,
    thread::JoinHandle,
};

/// A function of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: Arc<str>,
    /// The module it is in, if any.
    pub module: Option<Arc<str>>,
}

/// The symbol table; empty where the kernel hides addresses from us.
#[derive(Default)]
pub struct Symbols {
    loading: Option<JoinHandle<Table>>,
    table: Option<Table>,
    /// Answers given, so that each address is searched once.
    known: HashMap<u64, Option<Symbol>>,
}

/// Functions by address. Names are kept as they were printed and taken apart when asked for.
#[derive(Debug, Default)]
struct Table {
    text: String,
    /// Address, start and end of `name[\t[module]]` in `text`.
    entries: Vec<(u64, u32, u32)>,
}

/// The kernel's symbol table.
const KALLSYMS: &str = "/proc/kallsyms";

impl Symbols {
    /// Starts reading the table in the background.
    #[must_use]
    pub fn preload() -> Self {
        Self {
            loading: std::thread::Builder::new().name("kallsyms".into()).spawn(read).ok(),
            ..Self::default()
        }
    }

    /// Whether the kernel shows us addresses.
    #[must_use]
    pub fn readable() -> bool {
        !Self::default().table().entries.is_empty()
    }

    /// The function that begins at an address.
    pub fn resolve(&mut self, address: u64) -> Option<Symbol> {
        if address == 0 {
            return None;
        }
        if let Some(known) = self.known.get(&address) {
            return known.clone();
        }
        let found = self.table().at(address);
        self.known.insert(address, found.clone());
        found
    }

    /// The function that an address is in, and how far into it.
    pub fn containing(&mut self, address: u64) -> Option<(Symbol, u64)> {
        let table = self.table();
        let start = table.start_before(address)?;
        Some((table.at(start)?, address - start))
    }

    fn table(&mut self) -> &Table {
        match &mut self.table {
            Some(table) => table,
            none => none.insert(match self.loading.take().map(JoinHandle::join) {
                Some(Ok(table)) => table,
                _ => read(),
            }),
        }
    }
}

/// Reads the functions of the table; data symbols are of no use here.
fn read() -> Table {
    match fs::File::open(KALLSYMS) {
        Ok(file) => parse(BufReader::with_capacity(1 << 18, file)),
        Err(_) => Table::default(),
    }
}

/// Lines are `address type name[\t[module]]`. Some lines begin at the same address; the first name counts, except that
/// `__pfx_` symbols name the padding before a function.
fn parse(mut lines: impl BufRead) -> Table {
    let mut table = Table::default();
    let mut line = String::new();
    while matches!(lines.read_line(&mut line), Ok(n) if n > 0) {
        let mut fields = line.trim_end().splitn(3, ' ');
        if let (Some(address), Some("t" | "T" | "w" | "W"), Some(name)) =
            (fields.next(), fields.next(), fields.next())
            && let Ok(address) = u64::from_str_radix(address, 16)
            && address != 0
            && !name.starts_with("__pfx_")
            && let Ok(start) = u32::try_from(table.text.len())
        {
            table.text.push_str(name);
            table.entries.push((address, start, start + u32::try_from(name.len()).unwrap_or(0)));
        }
        line.clear();
    }
    table.entries.sort_by_key(|entry| entry.0);
    table
}

impl Table {
    /// Where the last function begins that does not begin behind an address.
    fn start_before(&self, address: u64) -> Option<u64> {
        let next = self.entries.partition_point(|entry| entry.0 <= address);
        Some(self.entries.get(next.checked_sub(1)?)?.0)
    }

    fn at(&self, address: u64) -> Option<Symbol> {
        let first = self.entries.partition_point(|entry| entry.0 < address);
        let &(found, start, end) = self.entries.get(first)?;
        if found != address {
            return None;
        }
        let text = self.text.get(start as usize..end as usize)?;
        let (name, module) = match text.split_once('\t') {
            Some((name, module)) => (name, Some(module.trim_matches(['[', ']']).into())),
            None => (text, None),
        };
        Some(Symbol { name: name.into(), module })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_first_byte() {
        let text = "ffffffff81000000 T _text\nffffffff81000010 t __pfx_tty_ioctl\nffffffff81000020 T tty_ioctl\n\
                    ffffffff81000020 T alias\nffffffffc0000100 t v4l2_ioctl\t[videodev]\nffffffff81000030 D data\nnonsense\n";
        let table = parse(text.as_bytes());
        let name = |address| table.at(address).map(|s| s.name.to_string());
        assert_eq!(name(0xffff_ffff_8100_0020).as_deref(), Some("tty_ioctl"));
        assert_eq!(table.at(0xffff_ffff_c000_0100).and_then(|s| s.module).as_deref(), Some("videodev"));
        assert_eq!(table.start_before(0xffff_ffff_8100_00ff), Some(0xffff_ffff_8100_0020));
        assert_eq!(table.start_before(1), None);
        assert_eq!((name(0xffff_ffff_8100_0030), name(0xffff_ffff_8100_0021)), (None, None));
    }

    #[test]
    fn hidden_addresses_resolve_to_nothing() {
        assert_eq!(parse("0000000000000000 T tty_ioctl\n".as_bytes()).at(0), None);
        assert_eq!(Symbols::default().resolve(0), None);
    }
}
