//! Compares the registry's names and numbers with the tables of the `strace` that is installed.

use std::{collections::BTreeMap, fs};

use ioctl_registry::{Arch, Registry};
use object::{Object, ObjectSection, RelocationTarget};

/// Commands inside a binder message, not requests of a descriptor.
const PROTOCOL_WORDS: [&str; 2] = ["BC_", "BR_"];
/// Requests that strace has another number for, with the reason.
const EXPLAINED: [(&str, &str); 2] = [
    ("DMA_MAP_BENCHMARK", "its structure was another in 6.1, whose drivers are not read"),
    ("USBDEVFS_SUBMITURB32", "strace packs the structure, which neither the kernel nor 32-bit compilers do"),
];
/// Entries of a table: address of the name, number, padding.
const ENTRY: u64 = 16;
/// A run of entries at least this long is a table; other runs are tables of something else.
const SHORTEST: usize = 1000;

/// A program file, read as far as the tables need it.
struct Program<'a> {
    file: object::File<'a>,
    /// Address and value of words that are addresses.
    pointers: BTreeMap<u64, u64>,
}

impl<'a> Program<'a> {
    fn read(bytes: &'a [u8]) -> object::Result<Self> {
        let file = object::File::parse(bytes)?;
        let mut pointers = BTreeMap::new();
        for (address, relocation) in file.dynamic_relocations().into_iter().flatten() {
            if relocation.target() == RelocationTarget::Absolute {
                pointers.insert(address, relocation.addend().cast_unsigned());
            }
        }
        Ok(Self { file, pointers })
    }

    fn at(&self, address: u64, length: u64) -> Option<&'a [u8]> {
        self.file.sections().find_map(|section| section.data_range(address, length).ok().flatten())
    }

    fn text(&self, address: u64) -> Option<String> {
        let length = (1..128).find(|length| self.at(address + length, 1) == Some(&[0]))?;
        let bytes = self.at(address, length)?;
        let word = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        word.then(|| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Name and number at an address, if such a pair lies there.
    fn entry(&self, address: u64) -> Option<(String, u32)> {
        let name = self.text(*self.pointers.get(&address)?)?;
        let (words, _) = self.at(address + 8, 8)?.as_chunks::<4>();
        let [number, padding] = words else { return None };
        (*padding == [0; 4]).then(|| (name, u32::from_le_bytes(*number)))
    }

    /// Runs of entries, sorted by number as they are searched.
    fn tables(&self) -> Vec<Vec<(String, u32)>> {
        let mut tables = Vec::new();
        let mut after = 0;
        for start in self.pointers.keys().copied() {
            if start < after {
                continue;
            }
            let mut table: Vec<(String, u32)> = Vec::new();
            let mut address = start;
            while let Some((name, number)) = self.entry(address) {
                if table.last().is_some_and(|(_, last)| *last > number) {
                    break;
                }
                table.push((name, number));
                address += ENTRY;
            }
            if table.len() >= SHORTEST {
                after = address;
                tables.push(table);
            }
        }
        tables
    }
}

/// Which architecture a table is of: block and tty requests are the same, arguments with pointers are not.
fn arch(table: &[(String, u32)]) -> Option<Arch> {
    let number = table.iter().find(|(name, _)| name == "VIDIOC_QBUF").map(|(_, number)| *number)?;
    match number {
        0xc058_560f => Some(Arch::X86_64),
        0xc044_560f | 0xc04c_560f => Some(Arch::I386),
        _ => None,
    }
}

#[test]
fn names_and_numbers_are_those_of_strace() {
    let path = ["/usr/bin/strace", "/bin/strace"].into_iter().find(|path| fs::exists(path).unwrap());
    let bytes = fs::read(path.expect("strace is installed by `cargo xtask test`")).unwrap();
    let tables = Program::read(&bytes).unwrap().tables();
    assert!(tables.iter().any(|table| arch(table) == Some(Arch::X86_64)), "{} tables", tables.len());
    let registry = Registry::builtin();
    for table in &tables {
        let Some(arch) = arch(table) else { continue };
        let mut numbers: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (name, number) in table {
            if !PROTOCOL_WORDS.iter().any(|prefix| name.starts_with(prefix)) {
                numbers.entry(name).or_default().push(*number);
            }
        }
        let (mut unknown, mut differing) = (Vec::new(), Vec::new());
        for (name, theirs) in &numbers {
            let rows = registry.rows(name);
            let ours: Vec<u32> = rows.iter().filter_map(|request| request.number(arch)).collect();
            if rows.is_empty() {
                unknown.push(*name);
            } else if !ours.is_empty() && !theirs.iter().any(|number| ours.contains(number)) {
                differing.push(format!("{name}: {theirs:x?}, here {ours:x?}"));
            }
        }
        let known = numbers.len() - unknown.len();
        println!("{arch}: {known} of {} names; unknown: {}", numbers.len(), unknown.join(" "));
        assert!(known * 100 >= numbers.len() * 99, "{arch}: only {known} of {} names", numbers.len());
        differing.retain(|line| !EXPLAINED.iter().any(|(name, _)| line.starts_with(&format!("{name}:"))));
        assert!(differing.is_empty(), "{arch}: {}", differing.join("\n"));
    }
}
