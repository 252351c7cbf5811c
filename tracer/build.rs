//! Builds the BPF object with whichever BPF-capable compiler the machine has. A published package, which does not lie
//! beside the object's sources, brings it along.

use std::{env, fs, path::Path, process::Command};

use anyhow::Context as _;
use object::build::elf::{Builder, SectionData};

/// The object's sources, and the object as it is published.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tracer-ebpf");
const PREBUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/prebuilt/ioctl-trace-bpf");

/// The toolchain that `cargo xtask setup` links: a distribution's compiler with a prebuilt `core` for BPF.
const LINKED: &str = "bpf";

fn main() {
    println!("cargo:rerun-if-env-changed=RUSTUP_TOOLCHAIN");
    println!("cargo:rerun-if-changed=build.rs");
    if let Err(error) = build() {
        eprintln!("error: the BPF object cannot be built: {error:#}");
        eprintln!("help: `cargo xtask setup` installs a compiler and a linker for BPF");
        std::process::exit(1);
    }
}

fn build() -> anyhow::Result<()> {
    if !Path::new(SOURCES).join("Cargo.toml").exists() {
        let out = env::var_os("OUT_DIR").context("OUT_DIR is not set")?;
        let copied = fs::copy(PREBUILT, Path::new(&out).join("ioctl-trace-bpf"));
        return copied.map(|_| ()).context(PREBUILT);
    }
    anyhow::ensure!(runs("bpf-linker", &["--version"]), "bpf-linker is not installed");
    // What cargo says of this inner build would come out as warnings of ours.
    // SAFETY: build scripts are single-threaded here.
    unsafe { env::set_var("CARGO_TERM_QUIET", "true") };
    let package = aya_build::Package { name: "ioctl-trace-ebpf", root_dir: SOURCES, ..Default::default() };
    if runs("rustup", &["run", LINKED, "rustc", "--version"]) {
        // The linked compiler is a stable release. Naming crates lifts the ban on unstable features for these
        // alone; any other value makes aya-build compile `core` from sources that such a compiler does not bring.
        // SAFETY: build scripts are single-threaded here.
        unsafe { env::set_var("RUSTC_BOOTSTRAP", "aya_ebpf,ioctl_trace_bpf") };
        return aya_build::build_ebpf([package], aya_build::Toolchain::Custom(LINKED)).and_then(|()| strip());
    }
    anyhow::ensure!(
        nightly_has_sources(),
        "there is neither a linked toolchain `{LINKED}` nor a nightly toolchain with its component `rust-src`"
    );
    aya_build::build_ebpf([package], aya_build::Toolchain::Nightly).and_then(|()| strip())
}

/// Leaves out what is for debuggers: five sixths of the object. The kernel's own description of types (BTF) stays.
fn strip() -> anyhow::Result<()> {
    let path = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("ioctl-trace-bpf");
    let object = fs::read(&path)?;
    let mut object = Builder::read(object.as_slice())?;
    for section in &mut object.sections {
        let name = section.name.to_string();
        section.delete |= name.starts_with(".debug_") || name.starts_with(".rel.debug_");
    }
    // The compiler has one table for the names of symbols and of sections, the builder wants two.
    let names = object.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    object.delete_orphans();
    let mut smaller = Vec::new();
    object.write(&mut smaller)?;
    Ok(fs::write(&path, smaller)?)
}

/// Nightly compiles `core` for BPF itself, and needs its sources for that.
fn nightly_has_sources() -> bool {
    let sysroot = Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]).output();
    let Some(sysroot) = sysroot.ok().and_then(|output| String::from_utf8(output.stdout).ok()) else {
        return false;
    };
    Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir()
}

fn runs(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}
