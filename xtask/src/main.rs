//! Developer commands: `cargo xtask setup|run|test|vm|registry|btf|bench|picture|demo|dist|audit|fuzz|soak|guide`.

mod audit;
mod bench;
mod btf;
mod debian;
mod demo;
mod dist;
mod fuzz;
mod guide;
mod picture;
mod registry;
mod setup;
mod sh;
mod soak;
mod svg;
mod test;
mod vm;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

/// Builds, runs and checks ioctl-trace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what building needs: a compiler and a linker for BPF
    Setup,
    /// Build and run ioctl-trace, as root: `cargo xtask run -- -p PID`
    Run {
        /// Arguments of ioctl-trace
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Install what the tests need and run all of them: format, lints, unit and live tests
    Test,
    /// Run real drivers and their clients on other kernels, in emulated machines
    #[command(subcommand)]
    Vm(vm::VmCommand),
    /// Compare the registry's layouts with a kernel's own description of its types
    Btf(btf::BtfArgs),
    /// Generate the registry's data from the kernel's headers
    Registry(registry::RegistryArgs),
    /// Measure what tracing costs, beside strace, perf trace and bpftrace
    Bench(bench::BenchArgs),
    /// Take the README's picture of the dashboard, and record the terminal
    Picture,
    /// Record what `ioctl-trace --demo` shows
    Demo,
    /// Make a release of what is committed: .deb, archive, crates, bill of materials, checksums
    Dist(dist::DistArgs),
    /// Check licences, sources and duplicates of what we depend on, and that the oldest compiler that we name builds it all
    Audit(audit::AuditArgs),
    /// Run the fuzz targets: over the inputs that are kept, or for minutes over new ones
    Fuzz(fuzz::FuzzArgs),
    /// Run every command of the guide, put what it prints below it, and build the book
    Guide(guide::GuideArgs),
    /// Trace for a long time, and see that nothing grows or is lost without being counted
    Soak(soak::SoakArgs),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Setup => setup::setup().map(|()| 0),
        Command::Run { args } => setup::run(&args),
        Command::Test => test::test().map(|()| 0),
        Command::Vm(command) => vm::vm(&command).map(|()| 0),
        Command::Btf(args) => btf::run(&args).map(|()| 0),
        Command::Registry(args) => registry::run(&args).map(|()| 0),
        Command::Bench(args) => bench::bench(&args).map(|()| 0),
        Command::Picture => picture::picture().map(|()| 0),
        Command::Demo => demo::demo().map(|()| 0),
        Command::Audit(args) => audit::audit(&args).map(|()| 0),
        Command::Fuzz(args) => fuzz::fuzz(&args).map(|()| 0),
        Command::Guide(args) => guide::guide(&args).map(|()| 0),
        Command::Soak(args) => soak::soak(&args).map(|()| 0),
        Command::Dist(args) => dist::dist(&args).map(|()| 0),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
