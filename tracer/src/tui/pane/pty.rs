//! The pseudo-terminal behind the command's terminal, and the thread that carries bytes between the two.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Read as _, Write as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::{Arc, mpsc::SyncSender},
    thread::{Builder, JoinHandle},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
};
use ratatui::layout::Size;

use super::super::msg::Msg;
use crate::raw;

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

/// A pseudo-terminal. When it is dropped, whoever runs on it is hung up.
pub struct Pty {
    master: Arc<File>,
    path: PathBuf,
    /// What is typed goes through here; its end wakes the thread.
    keys: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Pty {
    /// A terminal of a size, whose output goes to the queue of the dashboard.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn open(size: Size, out: SyncSender<Msg>) -> io::Result<Self> {
        let pty = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        grantpt(&pty)?;
        unlockpt(&pty)?;
        let path = PathBuf::from(ptsname_r(&pty)?);
        let master = Arc::new(File::from(pty.as_fd().try_clone_to_owned()?));
        let (typed, keys) = io::pipe()?;
        // Keys that the program does not take must not hold up the dashboard.
        fcntl(&keys, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let carried = Arc::clone(&master);
        let thread = Builder::new().name("terminal".into()).spawn(move || carry(&carried, typed, &out))?;
        let pty = Self { master, path, keys: Some(keys), thread: Some(thread) };
        pty.resize(size)?;
        Ok(pty)
    }

    /// The end that the command is given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells the program its size.
    ///
    /// # Errors
    /// When the terminal does not take it.
    pub fn resize(&self, size: Size) -> io::Result<()> {
        raw::resize_terminal(self.master.as_fd(), size.height, size.width)
    }

    /// Types. What a program does not take in the end is not kept for it.
    ///
    /// # Errors
    /// When too much waits already.
    pub fn type_in(&self, bytes: &[u8]) -> io::Result<()> {
        self.keys.as_ref().map_or(Ok(()), |mut keys| keys.write_all(bytes))
    }

    /// Hangs up, and waits for the thread. The dashboard's queue must be gone or have room by then.
    pub fn close(&mut self) {
        self.keys = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been reported already.
            let _ = thread.join();
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.close();
    }
}

/// Carries bytes both ways until nobody types any more, or nobody has the terminal open.
fn carry(master: &File, mut typed: PipeReader, out: &SyncSender<Msg>) {
    let mut piece = vec![0; PIECE];
    let mut waiting: Vec<u8> = Vec::new();
    let (mut reading, mut writing) = (master, master);
    loop {
        let (readable, writable) = (PollFlags::POLLIN, PollFlags::POLLOUT);
        let wanted = if waiting.is_empty() { readable } else { readable | writable };
        // What waits already goes first; the end of the keys is seen anyhow.
        let keys = if waiting.is_empty() { readable } else { PollFlags::empty() };
        let mut ends = [PollFd::new(master.as_fd(), wanted), PollFd::new(typed.as_fd(), keys)];
        match poll(&mut ends, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
        let [terminal, keys] = ends.map(|end| end.revents().unwrap_or(PollFlags::empty()));
        if keys.intersects(PollFlags::POLLIN | PollFlags::POLLHUP) {
            match typed.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(count) => waiting.extend(piece.get(..count).unwrap_or_default()),
            }
        }
        if terminal.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
            match reading.read(&mut piece) {
                Ok(count) if count > 0 => {
                    let bytes = piece.get(..count).unwrap_or_default().to_vec();
                    if out.send(Msg::Printed(bytes)).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Nobody has it open any more.
                _ => return,
            }
        }
        if !waiting.is_empty() {
            match writing.write(&waiting) {
                Ok(count) => _ = waiting.drain(..count.min(waiting.len())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        sync::mpsc::{Receiver, sync_channel},
        time::Duration,
    };

    use super::*;

    fn printed(messages: &Receiver<Msg>, text: &str) -> String {
        let mut all = String::new();
        while !all.contains(text) {
            match messages.recv_timeout(Duration::from_secs(20)) {
                Ok(Msg::Printed(bytes)) => all.push_str(&String::from_utf8_lossy(&bytes)),
                other => panic!("{other:?} after {all:?}"),
            }
        }
        all
    }

    #[test]
    fn a_program_has_a_terminal_of_its_own_and_is_hung_up() {
        let (out, messages) = sync_channel(4);
        let pty = Pty::open(Size { width: 33, height: 7 }, out).expect("a terminal");
        let mut shell = Command::new("sh");
        let script = "trap 'exit 9' HUP; tty; stty size; read line; echo \"<$line>\"; stty size; \
             while :; do read line; done";
        raw::on_terminal(shell.args(["-c", script]), pty.path()).expect("its terminal");
        let mut child = shell.spawn().expect("spawn");
        drop(shell);
        let shown = printed(&messages, "7 33");
        assert!(shown.contains(&pty.path().display().to_string()), "{shown}");
        pty.resize(Size { width: 44, height: 8 }).expect("a size");
        pty.type_in(b"typed\n").expect("taken");
        let shown = printed(&messages, "8 44");
        assert!(shown.contains("<typed>"), "{shown}");
        drop(messages);
        drop(pty);
        assert_eq!(child.wait().expect("ended").code(), Some(9));
    }

    #[test]
    fn what_nobody_reads_is_refused_in_the_end() {
        let (out, messages) = sync_channel(4);
        let mut pty = Pty::open(Size { width: 80, height: 24 }, out).expect("a terminal");
        let _open = File::open(pty.path()).expect("open");
        let piece = [b'x'; 4096];
        let error = (0..1000).find_map(|_| pty.type_in(&piece).err()).expect("not without end");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        // What it echoes may wait for room.
        drop(messages);
        pty.close();
    }
}
