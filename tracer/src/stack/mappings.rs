//! What programs map, told by the kernel as it happens: a program that ends at once leaves no map to be read in `/proc`.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use perf_event::{Builder, Sampler, data::Record, events::Software};

use super::Mapping;

/// Bytes of each processor's buffer: a mapping takes about 130.
const BUFFER_BYTES: usize = 1 << 20;
/// Processes that are remembered; the one that was heard of longest ago goes first.
const MAX_PROCESSES: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// Mappings of a process that are remembered. More are those of programs that live.
const MAX_MAPPINGS: usize = 1_024;

/// Records what all programs of the machine map to be executed.
#[derive(Default)]
pub struct Recorder {
    processors: Vec<Sampler>,
    processes: Option<LruCache<u32, Process>>,
}

#[derive(Default)]
struct Process {
    parent: Option<u32>,
    /// The latest last.
    mappings: Vec<Mapping>,
}

impl Recorder {
    /// Starts to record. Where the kernel does not let us, nothing will be known.
    pub fn start() -> Self {
        let processors = aya::util::online_cpus().unwrap_or_default();
        let processors = processors.into_iter().filter_map(|cpu| sampler(usize::try_from(cpu).ok()?));
        Self { processors: processors.collect(), processes: Some(LruCache::new(MAX_PROCESSES)) }
    }

    /// Takes in what has happened since the last time.
    pub fn update(&mut self) {
        let Some(processes) = &mut self.processes else { return };
        for processor in &mut self.processors {
            while let Some(record) = processor.next_record() {
                match record.parse_record() {
                    Ok(Record::Mmap2(map)) => {
                        let mapping = Mapping {
                            start: map.addr,
                            end: map.addr.saturating_add(map.len),
                            offset: map.pgoff,
                            inode: map.ino().unwrap_or(0),
                            file: Arc::from(&*map.filename),
                        };
                        processes.get_or_insert_mut(map.pid, Process::default).add(mapping);
                    }
                    // Threads have the memory of their process.
                    Ok(Record::Fork(fork)) if fork.pid != fork.ppid => {
                        processes.get_or_insert_mut(fork.pid, Process::default).parent = Some(fork.ppid);
                    }
                    // Of no interest, or damaged: then an address has no name.
                    _ => {}
                }
            }
        }
    }

    /// What a process had at an address; it has its parent's memory until it maps something there.
    pub fn at(&self, pid: u32, address: u64) -> Option<&Mapping> {
        let processes = self.processes.as_ref()?;
        let own = processes.peek(&pid)?;
        let parent = || processes.peek(&own.parent?);
        own.at(address).or_else(|| parent()?.at(address))
    }
}

impl Process {
    fn add(&mut self, mapping: Mapping) {
        if self.mappings.len() < MAX_MAPPINGS {
            self.mappings.push(mapping);
        }
    }

    fn at(&self, address: u64) -> Option<&Mapping> {
        self.mappings.iter().rev().find(|mapping| (mapping.start..mapping.end).contains(&address))
    }
}

fn sampler(cpu: usize) -> Option<Sampler> {
    let mut builder = Builder::new(Software::DUMMY);
    builder.any_pid().one_cpu(cpu).mmap(true).mmap2(true).task(true);
    let mut sampler = builder.build().ok()?.sampled(BUFFER_BYTES).ok()?;
    sampler.enable().ok()?;
    Some(sampler)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(start: u64, file: &str) -> Mapping {
        Mapping { start, end: start + 0x1000, offset: 0, inode: 1, file: Arc::from(file.as_bytes()) }
    }

    #[test]
    fn the_latest_mapping_counts_and_children_have_their_parents() {
        let mut processes = LruCache::new(MAX_PROCESSES);
        let mut parent = Process::default();
        parent.add(mapping(0x1000, "a"));
        parent.add(mapping(0x1000, "b"));
        processes.put(1, parent);
        processes.put(2, Process { parent: Some(1), mappings: vec![mapping(0x8000, "c")] });
        let recorder = Recorder { processors: Vec::new(), processes: Some(processes) };
        let file = |pid, address| recorder.at(pid, address).map(|mapping| mapping.file.to_vec());
        assert_eq!(file(1, 0x1fff).as_deref(), Some(&b"b"[..]));
        assert_eq!(file(2, 0x1000).as_deref(), Some(&b"b"[..]));
        assert_eq!(file(2, 0x8000).as_deref(), Some(&b"c"[..]));
        assert_eq!((file(1, 0x8000), file(2, 0x9000), file(3, 0x1000)), (None, None, None));
    }
}
