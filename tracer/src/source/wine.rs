//! Wine's `ntdll.so`: where it is, and the probes in it. All Windows programs that run on one installation of Wine share
//! one such file, so that probes in it see those too that start later.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    io::{self, BufRead as _, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use aya::programs::{TracePoint, UProbe, uprobe::UProbeScope};

use super::live::{Live, LiveError, kernel};

/// Whether there are probes for this machine's calling convention.
pub const SUPPORTED: bool = cfg!(target_arch = "x86_64");

/// What to do where there is none.
pub const REMEDY: &str = "Debian's packages wine or wine64 have it";

/// The file's name.
const NAME: &str = "ntdll.so";
/// Installations are looked for in folders of this name, below these.
const FOLDER: &str = "wine";
const ROOTS: [&str; 5] = ["/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local", "/opt"];
/// Folders between a root and the file at most: `/opt/wine-stable/lib/wine/x86_64-unix`.
const DEPTH: usize = 4;
/// Files that are watched at most: any program may have one of this name.
const MAX_FILES: usize = 64;
/// Bytes of a process's list of mappings that are read.
const MAX_MAPS: u64 = 16 << 20;

/// Programs and the functions that they attach to. Ends first: a call that is seen to begin must be seen to end.
const PROBES: [(&str, &str); 11] = [
    ("control_exit", "NtDeviceIoControlFile"),
    ("fs_control_exit", "NtFsControlFile"),
    ("handle_opened", "NtCreateFile"),
    ("handle_opened", "NtCreateNamedPipeFile"),
    ("handle_opened", "NtOpenFile"),
    ("handle_close", "NtClose"),
    ("handle_open", "NtCreateFile"),
    ("handle_open", "NtCreateNamedPipeFile"),
    ("handle_open", "NtOpenFile"),
    ("fs_control_enter", "NtFsControlFile"),
    ("control_enter", "NtDeviceIoControlFile"),
];

/// Programs that attach elsewhere: to files that are opened, and to threads that end.
const OTHERS: [&str; 2] = ["enter_openat", "control_abandon"];

/// The names of the programs that attach to functions, those that see beginnings first.
fn probes() -> Vec<&'static str> {
    let mut names: Vec<_> = PROBES.iter().rev().map(|(name, _)| *name).collect();
    names.dedup();
    names
}

/// The names of all programs, those that see beginnings first.
pub fn programs() -> impl Iterator<Item = &'static str> {
    OTHERS.into_iter().chain(probes())
}

/// The files that have probes.
#[derive(Debug, Default)]
pub struct Attached(HashSet<(u64, u64)>);

impl Live {
    /// Watches the installed Wines, and for others that a wanted process may run.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn attach_windows(&mut self) -> Result<(), LiveError> {
        if !SUPPORTED {
            return Err(LiveError::NoWindows);
        }
        let refused = |error| kernel("the kernel's verifier refused a program", error);
        self.attach_raw("control_abandon", "sched_process_exit")?;
        for name in probes() {
            self.program::<UProbe>(name)?.load().map_err(refused)?;
        }
        let opened: &mut TracePoint = self.program("enter_openat")?;
        opened.load().map_err(refused)?;
        opened
            .attach("syscalls", "sys_enter_openat")
            .map_err(|e| kernel("cannot attach to a system call tracepoint", e))?;
        for file in installed() {
            if let Err(error) = self.attach_wine(&file) {
                log::warn!("{}: {error}", file.display());
            }
        }
        Ok(())
    }

    /// How many are watched.
    #[must_use]
    pub fn wines(&self) -> usize {
        self.wine.0.len()
    }

    /// Puts probes into a file, if it is an `ntdll.so` of Wine that has none. Whether it is one.
    ///
    /// # Errors
    /// When it cannot be read, or the kernel refuses it.
    pub fn attach_wine(&mut self, file: &Path) -> Result<bool, LiveError> {
        let metadata = match fs::metadata(file) {
            Ok(metadata) => metadata,
            // The process has ended, or the file is not where it was looked for: nothing can be missed of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(kernel("cannot read it", error)),
        };
        let id = (metadata.dev(), metadata.ino());
        if self.wine.0.contains(&id) {
            return Ok(true);
        }
        if !metadata.is_file() || self.wine.0.len() >= MAX_FILES {
            return Ok(false);
        }
        for (place, (program, function)) in PROBES.into_iter().enumerate() {
            let program: &mut UProbe = self.program(program)?;
            match program.attach(function, file, UProbeScope::AllProcesses) {
                Ok(_) => {}
                // Another library of that name.
                Err(aya::programs::ProgramError::UProbeError(_)) if place == 0 => return Ok(false),
                Err(error) => return Err(kernel("cannot put a probe into it", error)),
            }
        }
        self.wine.0.insert(id);
        log::debug!("{}: watched", file.display());
        Ok(true)
    }

    /// Puts probes into what processes have mapped; `None` for every process. Whether there is one among them that runs Wine.
    pub fn attach_mapped(&mut self, pids: Option<&[u32]>) -> bool {
        let all = || {
            let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
        };
        let pids = pids.map_or_else(all, <[u32]>::to_vec);
        let mut any = false;
        for pid in pids {
            for file in mapped(pid) {
                match self.attach_wine(&of_process(pid, &file)) {
                    Ok(is_wine) => any |= is_wine,
                    Err(error) => log::warn!("{} of process {pid}: {error}", file.display()),
                }
            }
        }
        any
    }
}

/// A path as a process sees it, for us.
#[must_use]
pub fn of_process(pid: u32, path: &Path) -> PathBuf {
    match path.strip_prefix("/") {
        Ok(path) => Path::new("/proc").join(pid.to_string()).join("root").join(path),
        Err(_) => Path::new("/proc").join(pid.to_string()).join("cwd").join(path),
    }
}

/// The libraries of that name that a process has mapped.
fn mapped(pid: u32) -> HashSet<PathBuf> {
    let Ok(file) = fs::File::open(format!("/proc/{pid}/maps")) else { return HashSet::new() };
    libraries(&mut io::BufReader::new(file.take(MAX_MAPS)))
}

/// The libraries of that name in a list of mappings.
fn libraries(maps: &mut dyn io::BufRead) -> HashSet<PathBuf> {
    let lines = maps.split(b'\n').map_while(Result::ok);
    let paths = lines.filter_map(|line| {
        let start = line.iter().position(|byte| *byte == b'/')?;
        let path = Path::new(OsStr::from_bytes(line.get(start..)?));
        (path.file_name() == Some(OsStr::new(NAME))).then(|| path.to_owned())
    });
    paths.collect()
}

/// Wines that are installed where packages put them.
fn installed() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for root in ROOTS {
        search(Path::new(root), DEPTH, &mut found);
    }
    found
}

/// Looks for `…/wine/*-unix/ntdll.so`. Folders that have nothing to do with Wine are not entered, but for the first level.
fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if name.ends_with("-unix") && path.join(NAME).is_file() {
            found.push(path.join(NAME));
        } else if depth > 0 && (name.contains(FOLDER) || name.starts_with("lib") || name.contains("-linux-"))
        {
            search(&path, depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_among_mappings() {
        let maps = b"7f00-7f01 r-xp 00000000 08:01 7   /usr/lib/wine/x86_64-unix/ntdll.so\n\
            7f01-7f02 rw-p 00000000 08:01 7                    /usr/lib/wine/x86_64-unix/ntdll.so\n\
            7f02-7f03 rw-p 00000000 00:00 0 [heap]\n7f03-7f04 r--p 00000000 08:01 9 /a b/ntdll.so\n\
            7f04-7f05 r--p 00000000 08:01 9 /lib/libntdll.so\n\xff\xfe";
        let found = libraries(&mut &maps[..]);
        let expected = ["/usr/lib/wine/x86_64-unix/ntdll.so", "/a b/ntdll.so"];
        assert_eq!(found, expected.iter().map(PathBuf::from).collect());
    }

    #[test]
    fn installed_files_lie_in_folders_of_wine() {
        let root = tempfile::tempdir().expect("folder");
        for place in
            ["x86_64-linux-gnu/wine/x86_64-unix", "wine-9.0/lib/wine/i386-unix", "other/thing/x86_64-unix"]
        {
            let folder = root.path().join(place);
            fs::create_dir_all(&folder).expect("folder");
            fs::write(folder.join(NAME), "").expect("file");
        }
        let mut found = Vec::new();
        search(root.path(), DEPTH, &mut found);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn paths_are_those_of_the_process() {
        assert_eq!(of_process(7, Path::new("/a/ntdll.so")), Path::new("/proc/7/root/a/ntdll.so"));
        assert_eq!(of_process(7, Path::new("a/ntdll.so")), Path::new("/proc/7/cwd/a/ntdll.so"));
    }
}
