//! Return addresses into names. `/proc` and the files it names are read as hostile input, and a process may be gone by
//! the time it is asked about: what the kernel told of its memory then serves.

mod mappings;

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use blazesym::symbolize::{
    Input, Symbolizer,
    source::{Elf, Source},
};

use mappings::Recorder;

/// A place in a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The address in the process.
    pub address: u64,
    /// The file that is mapped there, or a name such as `[vdso]`; empty if not known.
    pub file: Arc<[u8]>,
    /// Where in the file.
    pub offset: u64,
    /// The function, and how far into it.
    pub symbol: Option<(String, u64)>,
    /// File and line of the source.
    pub source: Option<(String, u32)>,
}

/// Finds names. One symbolizer serves all calls: it keeps the files that it has read.
#[derive(Default)]
pub struct Stacks {
    recorder: Recorder,
    maps: HashMap<u32, Maps>,
    known: HashMap<(Arc<[u8]>, u64), Frame>,
}

/// Processes whose maps are kept; more are read anew.
const MAX_PROCESSES: usize = 1_024;
/// Places whose names are kept; more are found anew.
const MAX_KNOWN: usize = 65_536;
/// A map is read again after this time, and whenever it lacks an address.
const MAX_AGE: Duration = Duration::from_millis(200);

/// The memory map of a process.
struct Maps {
    read: Instant,
    mappings: Vec<Mapping>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    inode: u64,
    file: Arc<[u8]>,
}

thread_local! {
    /// The library's symbolizer cannot move between threads, and only the thread that writes has one.
    static SYMBOLIZER: Symbolizer = Symbolizer::builder().enable_inlined_fns(false).build();
}

impl Stacks {
    /// Remembers from now on what programs map, for those that will be gone when their stacks are looked at.
    pub fn record(&mut self) {
        self.recorder = Recorder::start();
    }

    /// Names for the return addresses of a process, innermost first.
    pub fn frames(&mut self, pid: u32, addresses: &[u64]) -> Vec<Frame> {
        if addresses.is_empty() {
            return Vec::new();
        }
        let stale = |maps: &Maps| {
            maps.read.elapsed() > MAX_AGE || addresses.iter().any(|address| maps.at(*address).is_none())
        };
        if self.maps.get(&pid).is_none_or(stale)
            && let Some(maps) = read_maps(pid)
        {
            if self.maps.len() >= MAX_PROCESSES {
                self.maps.clear();
            }
            self.maps.insert(pid, maps);
        }
        self.recorder.update();
        let frames = addresses.iter().enumerate();
        frames.map(|(place, address)| self.frame(pid, *address, place > 0)).collect()
    }

    fn frame(&mut self, pid: u32, address: u64, returned: bool) -> Frame {
        let read = self.maps.get(&pid).and_then(|maps| maps.at(address));
        let Some(mapping) = read.or_else(|| self.recorder.at(pid, address)) else {
            return Frame { address, ..Frame::default() };
        };
        let offset = (address - mapping.start).wrapping_add(mapping.offset);
        let key = (Arc::clone(&mapping.file), offset);
        if let Some(known) = self.known.get(&key) {
            return Frame { address, ..known.clone() };
        }
        let mut frame =
            Frame { address, file: Arc::clone(&mapping.file), offset, symbol: None, source: None };
        if let Some(path) = file_of(pid, mapping) {
            // A return address is that of the instruction behind the call.
            let back = u64::from(returned);
            name(&mut frame, path, offset.wrapping_sub(back), back);
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(key, frame.clone());
        frame
    }
}

fn name(frame: &mut Frame, path: PathBuf, offset: u64, back: u64) {
    let find = |debug_syms| {
        let mut elf = Elf::new(&path);
        elf.debug_syms = debug_syms;
        SYMBOLIZER.with(|symbolizer| {
            let found = symbolizer.symbolize_single(&Source::Elf(elf), Input::FileOffset(offset)).ok()?;
            found.into_sym().map(blazesym::symbolize::Sym::into_owned)
        })
    };
    // Debug information that cannot be read must not hide the file's own symbols.
    let Some(symbol) = find(true).or_else(|| find(false)) else { return };
    let into = u64::try_from(symbol.offset).unwrap_or(u64::MAX).saturating_add(back);
    frame.source =
        symbol.code_info.and_then(|code| Some((code.to_path().to_string_lossy().into_owned(), code.line?)));
    frame.symbol = Some((symbol.name.into_owned(), into));
}

/// A path under which the mapped file can be read, if that still is the file.
fn file_of(pid: u32, mapping: &Mapping) -> Option<PathBuf> {
    let path = PathBuf::from(OsString::from_vec(mapping.file.to_vec()));
    let relative = path.strip_prefix("/").ok()?;
    let in_namespace = PathBuf::from(format!("/proc/{pid}/root")).join(relative);
    [in_namespace, path]
        .into_iter()
        .find(|path| fs::metadata(path).is_ok_and(|found| found.is_file() && found.ino() == mapping.inode))
}

fn read_maps(pid: u32) -> Option<Maps> {
    let text = fs::read(format!("/proc/{pid}/maps")).ok()?;
    let mappings: Vec<Mapping> = text.split(|byte| *byte == b'\n').filter_map(mapping).collect();
    (!mappings.is_empty()).then(|| Maps { read: Instant::now(), mappings })
}

/// A line `start-end perms offset major:minor inode   path`.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut next = || std::str::from_utf8(fields.next()?).ok();
    let (start, end) = next()?.split_once('-')?;
    let (_perms, offset, _device, inode) = (next()?, next()?, next()?, next()?);
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = (hex(start)?, hex(end)?);
    let file = fields.next().unwrap_or_default().trim_ascii();
    (start < end).then_some(())?;
    Some(Mapping { start, end, offset: hex(offset)?, inode: inode.parse().ok()?, file: file.into() })
}

impl Maps {
    fn at(&self, address: u64) -> Option<&Mapping> {
        let next = self.mappings.partition_point(|mapping| mapping.start <= address);
        self.mappings.get(next.checked_sub(1)?).filter(|mapping| address < mapping.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_map_are_read() {
        let line = b"7f0000001000-7f0000003000 r-xp 00002000 08:01 1234       /usr/lib/a b.so";
        let found = mapping(line).expect("a line");
        assert_eq!(
            (found.start, found.end, found.offset, found.inode),
            (0x7f00_0000_1000, 0x7f00_0000_3000, 0x2000, 1234)
        );
        assert_eq!(&*found.file, b"/usr/lib/a b.so");
        assert_eq!(&*mapping(b"1000-2000 rw-p 00000000 00:00 0").expect("a line").file, b"");
        for wrong in [&b""[..], b"x", b"2000-1000 r 0 0 0", b"1000-2000 r zz 0:0 0 x"] {
            assert_eq!(mapping(wrong), None);
        }
    }

    #[test]
    fn our_own_functions_have_names() {
        let here = our_own_functions_have_names as fn() as usize as u64;
        let frames = Stacks::default().frames(std::process::id(), &[here, 1]);
        let (name, into) = frames[0].symbol.clone().expect("a name");
        assert!(name.contains("our_own_functions_have_names"), "{name}");
        assert_eq!(into, 0);
        assert_eq!(frames[1], Frame { address: 1, ..Frame::default() });
    }
}
