//! The entries of an object file's one compilation unit, with the few attributes that matter here.

use std::collections::HashMap;

use gimli::{AttributeValue, EndianSlice, RunTimeEndian, SectionId, constants as dw};
use object::{BinaryFormat, Object, ObjectSection, ObjectSymbol, RelocationTarget};

use crate::ObjectError;

type Result<T> = std::result::Result<T, ObjectError>;

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// An entry.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Where it is; references name it so.
    pub offset: usize,
    /// What it describes.
    pub tag: gimli::DwTag,
    /// Its name; may be empty.
    pub name: &'a str,
    /// Offset of its type.
    pub ty: Option<usize>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Index of the file that declares it.
    pub file: usize,
    /// Offset of a member in bytes.
    pub location: u64,
    /// Width of a bitfield.
    pub bits: Option<u64>,
    /// Place of a bitfield, in bits from the start of the aggregate.
    pub bit_offset: Option<u64>,
    /// Place of a bitfield as older descriptions have it: bits from the most significant end of its storage unit.
    pub old_bit_offset: Option<u64>,
    /// Value of an enumerator.
    pub value: i128,
    /// Length of an array's dimension.
    pub count: Option<u64>,
    /// Whether it is declared and not defined.
    pub declaration: bool,
    children: Vec<usize>,
}

/// The sections of an object file that describe types.
pub struct Sections<'a> {
    info: Vec<u8>,
    abbreviations: &'a [u8],
    strings: &'a [u8],
    lines: &'a [u8],
    endian: RunTimeEndian,
    pointer: u64,
    windows: bool,
}

impl<'a> Sections<'a> {
    /// Finds the sections, with what a linker would fill in filled in.
    pub fn load(object: &'a [u8]) -> Result<Self> {
        let file = object::File::parse(object)?;
        let data = |name| match file.section_by_name(name) {
            Some(section) => section.data(),
            None => Ok(&[][..]),
        };
        Ok(Self {
            info: relocated(&file, ".debug_info")?,
            abbreviations: data(".debug_abbrev")?,
            strings: data(".debug_str")?,
            lines: data(".debug_line")?,
            endian: if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big },
            pointer: if file.is_64() { 8 } else { 4 },
            windows: file.format() == BinaryFormat::Coff,
        })
    }
}

/// A section with its references to other sections resolved. Only those are: addresses tell nothing about types.
fn relocated(file: &object::File, name: &str) -> Result<Vec<u8>> {
    let section = file.section_by_name(name).ok_or(ObjectError::Lacks("description of types"))?;
    let mut data = section.data()?.to_vec();
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
        let base = file.symbol_by_index(symbol)?.address();
        let place = usize::try_from(offset).ok().and_then(|start| data.get_mut(start..start.checked_add(4)?));
        // A reference is 32 bits wide; some architectures' kinds of relocation are not known to the library, and say 0.
        let Some(place) = place.filter(|_| matches!(relocation.size(), 0 | 32)) else { continue };
        let Ok(bytes) = <[u8; 4]>::try_from(&*place) else { continue };
        let little = file.is_little_endian();
        let old = if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        let implicit = if relocation.has_implicit_addend() { old } else { 0 };
        // Truncation is what a linker does, too.
        let new = (base.wrapping_add_signed(relocation.addend()) as u32).wrapping_add(implicit);
        place.copy_from_slice(&if little { new.to_le_bytes() } else { new.to_be_bytes() });
    }
    Ok(data)
}

/// All entries of the unit.
#[derive(Debug)]
pub struct Entries<'a> {
    entries: Vec<Entry<'a>>,
    places: HashMap<usize, usize>,
    top: Vec<usize>,
    /// The files that declare something, by index.
    pub files: Vec<String>,
    /// Size of a pointer.
    pub pointer: u64,
    /// Whether the least significant byte comes first.
    pub is_little_endian: bool,
    /// Whether the compiler's target is Windows.
    pub is_windows: bool,
}

impl<'a> Entries<'a> {
    /// Reads the entries.
    pub fn read(sections: &'a Sections) -> Result<Self> {
        let dwarf = gimli::Dwarf::load(|id| -> Result<Slice<'a>> {
            let data = match id {
                SectionId::DebugInfo => &sections.info,
                SectionId::DebugAbbrev => sections.abbreviations,
                SectionId::DebugStr => sections.strings,
                SectionId::DebugLine => sections.lines,
                _ => &[],
            };
            Ok(EndianSlice::new(data, sections.endian))
        })?;
        let header = dwarf.units().next()?.ok_or(ObjectError::Lacks("compilation unit"))?;
        let unit = dwarf.unit(header)?;
        let mut this = Self {
            entries: Vec::new(),
            places: HashMap::new(),
            top: Vec::new(),
            files: files(&dwarf, &unit)?,
            pointer: sections.pointer,
            is_little_endian: sections.endian == RunTimeEndian::Little,
            is_windows: sections.windows,
        };
        let mut raw = unit.entries_raw(None)?;
        let mut parents: Vec<usize> = Vec::new();
        let mut die = gimli::DebuggingInformationEntry::null();
        while !raw.is_empty() {
            if !raw.read_entry(&mut die)? {
                continue;
            }
            let depth = usize::try_from(die.depth()).unwrap_or(0);
            parents.truncate(depth);
            let entry = entry(&dwarf, &die)?;
            let place = this.entries.len();
            match parents.last() {
                Some(parent) if depth > 1 => {
                    if let Some(parent) = this.entries.get_mut(*parent) {
                        parent.children.push(place);
                    }
                }
                Some(_) => this.top.push(place),
                None => {}
            }
            parents.push(place);
            this.places.insert(entry.offset, place);
            this.entries.push(entry);
        }
        Ok(this)
    }

    /// The entry at an offset.
    pub fn at(&self, offset: usize) -> Option<&Entry<'a>> {
        self.entries.get(*self.places.get(&offset)?)
    }

    /// The entries at the top of the unit.
    pub fn top(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.top.iter().filter_map(|place| self.entries.get(*place))
    }

    /// The entries that belong to one.
    pub fn children(&self, entry: &Entry) -> impl Iterator<Item = &Entry<'a>> {
        entry.children.iter().filter_map(|place| self.entries.get(*place))
    }
}

fn entry<'a>(
    dwarf: &gimli::Dwarf<Slice<'a>>,
    die: &gimli::DebuggingInformationEntry<Slice<'a>>,
) -> Result<Entry<'a>> {
    let mut entry = Entry {
        offset: die.offset().0,
        tag: die.tag(),
        name: "",
        ty: None,
        size: None,
        file: 0,
        location: 0,
        bits: None,
        bit_offset: None,
        old_bit_offset: None,
        value: 0,
        count: None,
        declaration: false,
        children: Vec::new(),
    };
    for attribute in die.attrs() {
        let value = attribute.value();
        match attribute.name() {
            dw::DW_AT_name => {
                entry.name = match value {
                    AttributeValue::DebugStrRef(offset) => {
                        str::from_utf8(dwarf.debug_str.get_str(offset)?.slice())?
                    }
                    AttributeValue::String(name) => str::from_utf8(name.slice())?,
                    _ => "",
                };
            }
            dw::DW_AT_type => {
                if let AttributeValue::UnitRef(offset) = value {
                    entry.ty = Some(offset.0);
                }
            }
            dw::DW_AT_byte_size => entry.size = value.udata_value(),
            dw::DW_AT_decl_file => {
                entry.file = match value {
                    AttributeValue::FileIndex(index) => usize::try_from(index).unwrap_or(0),
                    other => usize::try_from(other.udata_value().unwrap_or(0)).unwrap_or(0),
                };
            }
            dw::DW_AT_data_member_location => entry.location = value.udata_value().unwrap_or(0),
            dw::DW_AT_bit_size => entry.bits = value.udata_value(),
            dw::DW_AT_bit_offset => entry.old_bit_offset = value.udata_value(),
            dw::DW_AT_data_bit_offset => entry.bit_offset = value.udata_value(),
            dw::DW_AT_const_value => {
                entry.value = match value {
                    AttributeValue::Udata(value) => i128::from(value),
                    other => i128::from(other.sdata_value().unwrap_or(0)),
                };
            }
            dw::DW_AT_count => entry.count = value.udata_value(),
            dw::DW_AT_upper_bound => entry.count = value.udata_value().map(|last| last + 1),
            dw::DW_AT_declaration => entry.declaration = true,
            _ => {}
        }
    }
    Ok(entry)
}

/// The paths of the files, by the index that entries use.
fn files(dwarf: &gimli::Dwarf<Slice>, unit: &gimli::Unit<Slice>) -> Result<Vec<String>> {
    let Some(program) = &unit.line_program else { return Ok(Vec::new()) };
    let header = program.header();
    let mut files = vec![String::new()];
    for file in header.file_names() {
        let name = dwarf.attr_string(unit, file.path_name())?.to_string_lossy();
        let folder = match file.directory(header) {
            Some(folder) if file.directory_index() != 0 => dwarf.attr_string(unit, folder)?.to_string_lossy(),
            _ => "".into(),
        };
        files.push(if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") });
    }
    Ok(files)
}
