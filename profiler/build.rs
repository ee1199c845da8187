//! Builds the kernel side and puts its object into `OUT_DIR`.
//!
//! `PROFILER_BPF_TOOLCHAIN` names the rustup toolchain to build it with; without
//! it, rustup's nightly (which needs the component rust-src). `cargo xtask build`
//! finds or installs one and sets it.

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};

fn main() -> Result<()> {
    println!("cargo:rerun-if-env-changed=PROFILER_BPF_TOOLCHAIN");
    println!("cargo:rerun-if-env-changed=RUSTC_BOOTSTRAP");
    println!("cargo:rerun-if-changed=../profiler-common/src");
    let toolchain = std::env::var("PROFILER_BPF_TOOLCHAIN").ok();
    let toolchain = toolchain
        .as_deref()
        .map_or(Toolchain::Nightly, Toolchain::Custom);
    let package = Package {
        name: "profiler-ebpf",
        root_dir: "../profiler-ebpf",
        ..Package::default()
    };
    aya_build::build_ebpf([package], toolchain)
        .context("building the kernel side failed; `cargo xtask build` sets up what it needs")
}
