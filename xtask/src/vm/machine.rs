//! Boots a virtual machine and waits for it. The machine is emulated, so that it works everywhere, and slow.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::kernel::Kernel;

/// A folder that the machine sees under a path of its own.
pub struct Share {
    /// Its tag: what the machine's `mount -t 9p` calls it.
    pub tag: &'static str,
    /// Where it is here.
    pub folder: PathBuf,
    /// Whether the machine may write to it.
    pub writable: bool,
}

/// A machine that is off.
pub struct Machine<'k> {
    /// The kernel it boots.
    pub kernel: &'k Kernel,
    /// The tree of programs.
    pub userland: &'k Path,
    /// The job's folder, where its results go.
    pub job: &'k Path,
    /// Other folders.
    pub shares: Vec<Share>,
    /// More arguments for QEMU: devices.
    pub devices: &'k [String],
    /// Added to the kernel's command line.
    pub append: &'k str,
}

/// Lines of the console that are shown if a machine fails.
const LAST_LINES: usize = 15;

impl Machine<'_> {
    fn command(&self) -> Command {
        let (program, arguments) = self.kernel.arch.qemu();
        let mut qemu = Command::new(program);
        // The processors take turns. Otherwise one may run for a moment what another has just replaced, unlike real ones: where
        // tracepoints are switched on and off under load, the kernel stops.
        qemu.args(arguments).args(["-accel", "tcg,thread=single"]);
        qemu.args(["-m", "2048", "-smp", "2", "-no-reboot", "-display", "none"]);
        qemu.arg("-kernel").arg(&self.kernel.image).arg("-initrd").arg(&self.kernel.initrd);
        let console = self.kernel.arch.console();
        let append = format!("{console} panic=-1 quiet net.ifnames=0 {}", self.append);
        qemu.args(["-append", append.trim_end()]);
        let tree = format!("file={},if=virtio,format=raw,readonly=on", self.userland.display());
        qemu.args(["-drive", &tree]);
        let modules = Share { tag: "modules", folder: self.kernel.modules.clone(), writable: false };
        let job = Share { tag: "job", folder: self.job.to_owned(), writable: true };
        for share in [&modules, &job].into_iter().chain(&self.shares) {
            let access = if share.writable { "" } else { ",readonly=on" };
            let folder = share.folder.display();
            let local = format!("local,path={folder},mount_tag={},security_model=none{access}", share.tag);
            qemu.args(["-virtfs", &local]);
        }
        qemu.args(["-device", "virtio-rng-pci"]).args(self.devices);
        qemu
    }

    /// Boots it with this terminal as its console.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn interactive(&self) -> Result<()> {
        let status = self.command().args(["-serial", "mon:stdio", "-nic", "user"]).status();
        let status = status.context("cannot run QEMU")?;
        if !status.success() {
            bail!("QEMU: {status}");
        }
        Ok(())
    }

    /// Boots it, shows the job's progress, and waits until it is off. Gives the job's exit code.
    ///
    /// # Errors
    /// When it cannot be started, takes too long, or goes off before the job is done: with what the console said last.
    pub fn run(&self, label: &str, limit: Duration) -> Result<i32> {
        let begin = Instant::now();
        let rc = self.job.join("rc");
        if rc.exists() {
            fs::remove_file(&rc)?;
        }
        let mut qemu = self.command();
        qemu.args(["-serial", "stdio", "-monitor", "none"]);
        if !self.devices.iter().any(|device| device.starts_with("-nic") || device.starts_with("-netdev")) {
            qemu.args(["-nic", "none"]);
        }
        let mut child = qemu
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(self.job.join("qemu.err"))?)
            .spawn()
            .context("cannot run QEMU")?;
        let console = child.stdout.take().context("no console")?;
        let mut log = File::create(self.job.join("console.log"))?;
        let (lines, received) = mpsc::channel::<String>();
        let reader = std::thread::spawn(move || {
            let mut console = BufReader::new(console);
            let mut line = Vec::new();
            while console.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if lines.send(text).is_err() {
                    break;
                }
            }
        });
        let mut last = Vec::new();
        let mut failure = None;
        loop {
            let left = limit.saturating_sub(begin.elapsed());
            match received.recv_timeout(left) {
                Ok(line) => {
                    writeln!(log, "[{:6.1}] {line}", begin.elapsed().as_secs_f64())?;
                    if let Some(step) = line.strip_prefix(":: ") {
                        eprintln!(
                            "xtask: {label}: [{:3.0} s] {}",
                            begin.elapsed().as_secs_f64(),
                            plain(step)
                        );
                    }
                    last.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    failure = Some(format!("not done after {} s", limit.as_secs()));
                    child.kill()?;
                    break;
                }
            }
        }
        let status = child.wait()?;
        // It ends with the console.
        let _ = reader.join();
        let code = fs::read_to_string(&rc).ok().and_then(|text| text.trim().parse().ok());
        match (failure, code) {
            (None, Some(code)) => Ok(code),
            (failure, _) => {
                let what = failure
                    .unwrap_or_else(|| format!("the machine went off before its job was done ({status})"));
                let errors = fs::read_to_string(self.job.join("qemu.err")).unwrap_or_default();
                let from = last.len().saturating_sub(LAST_LINES);
                let said: Vec<String> = last.iter().skip(from).map(|line| plain(line)).collect();
                bail!("{label}: {what}; its console ended with\n{}\n{}", said.join("\n"), plain(&errors))
            }
        }
    }
}

/// Without what could move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}
