//! A host that answers from a recording, and the one whose answers are recorded.

use std::{num::NonZeroUsize, sync::Arc};

use ioctl_registry::DeviceKind;
use lru::LruCache;

use super::{Fact, Host};
use crate::{process::NsIds, stack::Frame, symbols::Symbol};

/// Answers that are kept of each kind, at most: a bound against recordings that are made to fill memory.
const MAX_FACTS: NonZeroUsize = NonZeroUsize::new(1 << 18).expect("not zero");

/// Answers as a recording has them.
pub struct RecordedHost {
    facts: LruCache<Key, Fact>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Symbol(u64),
    Within(u64),
    Driver(bool, u32, u32),
    Block(u32, u32),
    Cgroup(u64),
    Target(u32, u32, u64),
    Place(u32, u64),
    Numbers(u32, u32),
    Task(u32),
}

impl Key {
    const fn of(fact: &Fact) -> Self {
        match fact {
            Fact::Symbol { address, .. } => Self::Symbol(*address),
            Fact::Within { address, .. } => Self::Within(*address),
            Fact::Driver { block, major, minor, .. } => Self::Driver(*block, *major, *minor),
            Fact::Block { major, minor, .. } => Self::Block(*major, *minor),
            Fact::Cgroup { id, .. } => Self::Cgroup(*id),
            Fact::Target { pid, fd, ino, .. } => Self::Target(*pid, *fd, *ino),
            Fact::Place { pid, address, .. } => Self::Place(*pid, *address),
            Fact::Numbers { pid, tid, .. } => Self::Numbers(*pid, *tid),
            Fact::Task { tid, .. } => Self::Task(*tid),
        }
    }
}

impl Default for RecordedHost {
    fn default() -> Self {
        Self { facts: LruCache::new(MAX_FACTS) }
    }
}

impl Host for RecordedHost {
    fn symbol(&mut self, address: u64) -> Option<Symbol> {
        match self.facts.get(&Key::Symbol(address))? {
            Fact::Symbol { name, module, .. } => {
                Some(Symbol { name: Arc::clone(name), module: module.clone() })
            }
            _ => None,
        }
    }

    fn containing(&mut self, address: u64) -> Option<(Symbol, u64)> {
        match self.facts.get(&Key::Within(address))? {
            Fact::Within { name, module, into, .. } => {
                Some((Symbol { name: Arc::clone(name), module: module.clone() }, *into))
            }
            _ => None,
        }
    }

    fn driver(&mut self, kind: DeviceKind, (major, minor): (u32, u32)) -> Option<Arc<str>> {
        match self.facts.get(&Key::Driver(kind == DeviceKind::Block, major, minor))? {
            Fact::Driver { name, .. } => Some(Arc::clone(name)),
            _ => None,
        }
    }

    fn block_name(&mut self, (major, minor): (u32, u32)) -> Option<Arc<str>> {
        match self.facts.get(&Key::Block(major, minor))? {
            Fact::Block { name, .. } => Some(Arc::clone(name)),
            _ => None,
        }
    }

    fn cgroup(&mut self, id: u64, _pid: u32) -> Option<Arc<str>> {
        match self.facts.get(&Key::Cgroup(id))? {
            Fact::Cgroup { path, .. } => Some(Arc::clone(path)),
            _ => None,
        }
    }

    fn fd_target(&mut self, pid: u32, fd: u32, ino: u64) -> Option<Vec<u8>> {
        match self.facts.get(&Key::Target(pid, fd, ino))? {
            Fact::Target { path, .. } => Some(path.clone()),
            _ => None,
        }
    }

    fn frames(&mut self, pid: u32, addresses: &[u64]) -> Vec<Frame> {
        let mut frame = |address: u64| match self.facts.get(&Key::Place(pid, address)) {
            Some(Fact::Place { file, offset, symbol, source, .. }) => Frame {
                address,
                file: file.as_slice().into(),
                offset: *offset,
                symbol: symbol.clone(),
                source: source.clone(),
            },
            _ => Frame { address, ..Frame::default() },
        };
        addresses.iter().map(|address| frame(*address)).collect()
    }

    fn ns_ids(&mut self, pid: u32, tid: u32, _at_ns: u64) -> Option<NsIds> {
        match self.facts.get(&Key::Numbers(pid, tid))? {
            Fact::Numbers { ids, .. } => ids.map(|(pid, tid)| NsIds { pid, tid }),
            _ => None,
        }
    }

    fn task(&mut self, tid: u32) -> (Option<String>, Option<u32>) {
        match self.facts.get(&Key::Task(tid)) {
            Some(Fact::Task { comm, uid, .. }) => (comm.clone(), *uid),
            _ => (None, None),
        }
    }

    fn learn(&mut self, fact: Fact) {
        self.facts.put(Key::of(&fact), fact);
    }
}

/// A host whose answers are remembered for a recording. An answer is told once, and again when it has changed.
pub struct Remembering<H> {
    host: H,
    told: LruCache<Key, Fact>,
    news: Vec<Fact>,
}

impl<H: Host> Remembering<H> {
    /// Remembers the answers of this one.
    pub fn new(host: H) -> Self {
        Self { host, told: LruCache::new(MAX_FACTS), news: Vec::new() }
    }

    fn tell(&mut self, fact: Option<Fact>) {
        let Some(fact) = fact else { return };
        let key = Key::of(&fact);
        if self.told.get(&key) != Some(&fact) {
            self.told.put(key, fact.clone());
            self.news.push(fact);
        }
    }
}

impl<H: Host> Host for Remembering<H> {
    fn symbol(&mut self, address: u64) -> Option<Symbol> {
        let symbol = self.host.symbol(address);
        self.tell(symbol.clone().map(|Symbol { name, module }| Fact::Symbol { address, name, module }));
        symbol
    }

    fn containing(&mut self, address: u64) -> Option<(Symbol, u64)> {
        let found = self.host.containing(address);
        let fact = |(Symbol { name, module }, into)| Fact::Within { address, name, module, into };
        self.tell(found.clone().map(fact));
        found
    }

    fn driver(&mut self, kind: DeviceKind, numbers: (u32, u32)) -> Option<Arc<str>> {
        let driver = self.host.driver(kind, numbers);
        let (block, (major, minor)) = (kind == DeviceKind::Block, numbers);
        self.tell(driver.clone().map(|name| Fact::Driver { block, major, minor, name }));
        driver
    }

    fn block_name(&mut self, (major, minor): (u32, u32)) -> Option<Arc<str>> {
        let name = self.host.block_name((major, minor));
        self.tell(name.clone().map(|name| Fact::Block { major, minor, name }));
        name
    }

    fn cgroup(&mut self, id: u64, pid: u32) -> Option<Arc<str>> {
        let path = self.host.cgroup(id, pid);
        self.tell(path.clone().map(|path| Fact::Cgroup { id, path }));
        path
    }

    fn fd_target(&mut self, pid: u32, fd: u32, ino: u64) -> Option<Vec<u8>> {
        let target = self.host.fd_target(pid, fd, ino);
        self.tell(target.clone().map(|path| Fact::Target { pid, fd, ino, path }));
        target
    }

    fn frames(&mut self, pid: u32, addresses: &[u64]) -> Vec<Frame> {
        let frames = self.host.frames(pid, addresses);
        for Frame { address, file, offset, symbol, source } in &frames {
            self.tell(Some(Fact::Place {
                pid,
                address: *address,
                file: file.to_vec(),
                offset: *offset,
                symbol: symbol.clone(),
                source: source.clone(),
            }));
        }
        frames
    }

    fn ns_ids(&mut self, pid: u32, tid: u32, at_ns: u64) -> Option<NsIds> {
        let ids = self.host.ns_ids(pid, tid, at_ns);
        self.tell(Some(Fact::Numbers { pid, tid, ids: ids.map(|ids| (ids.pid, ids.tid)) }));
        ids
    }

    fn task(&mut self, tid: u32) -> (Option<String>, Option<u32>) {
        let (comm, uid) = self.host.task(tid);
        self.tell(Some(Fact::Task { tid, comm: comm.clone(), uid }));
        (comm, uid)
    }

    fn new_facts(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.news)
    }
}
