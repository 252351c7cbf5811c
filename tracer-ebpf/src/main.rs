//! The BPF object of `ioctl-trace`. On the host this binary is empty: it exists so that one package holds both faces.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
// What is for Wine counts with atomic additions.
#![cfg_attr(bpf_target_arch = "x86_64", feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
mod kernel;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
