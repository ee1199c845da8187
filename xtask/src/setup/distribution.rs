//! The distribution's compiler: Debian and Ubuntu have packages with a rustc and
//! a ready-made `core` for BPF, which needs no nightly and no rustup download.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::{
    compiler::{BPF_TARGET, Compiler},
    step,
};
use crate::{privilege, process};

pub(super) const BY_HAND: &str = "apt-get install rustc-web libstd-rust-web-dev-bpf";

/// Compiler and `core`, the ones we know to work first.
const PACKAGES: [[&str; 2]; 2] = [
    ["rustc-web", "libstd-rust-web-dev-bpf"],
    ["rustc", "libstd-rust-dev-bpf"],
];

/// What aya-ebpf and this workspace (`rust-version`) need.
const OLDEST: u32 = 88;

/// rustup takes the folder that a toolchain is in for its name, so nothing has
/// to be linked, and no name of the user's is taken.
pub(super) fn rustc() -> Result<Compiler> {
    const RUSTC: &str = "/usr/bin/rustc";
    if !Path::new(RUSTC).exists() {
        bail!("not installed");
    }
    let sysroot = process::output(Command::new(RUSTC).args(["--print", "sysroot"]))?;
    let compiler = Compiler::of(sysroot.trim_end())?;
    if !compiler.has_bpf_core() {
        bail!("{} has no `core` for {BPF_TARGET}", compiler.version);
    }
    if compiler.minor < OLDEST {
        bail!("{} is too old, it takes 1.{OLDEST}", compiler.version);
    }
    // It brings no cargo; rustup lends it the one of nightly, beta or stable.
    let mut cargo = Command::new("rustup");
    process::output(cargo.args(["run", &compiler.toolchain, "cargo", "-V"])).context(
        "rustup finds no cargo to go with it; \
         `rustup toolchain install stable` gives it one",
    )?;
    Ok(compiler)
}

pub(super) fn install() -> Result<Compiler> {
    if process::find("apt-get").is_none() {
        bail!("only known how to install with apt-get, which isn't here");
    }
    if let Err(error) = apt_get(&["update"]) {
        // One repository out of reach need not be the one that matters.
        step(&format!("{error:#}; going on with the lists that are here"));
    }
    let Some(packages) = PACKAGES
        .iter()
        .find(|packages| packages.iter().all(|name| is_known(name)))
    else {
        bail!(
            "apt knows no package {}",
            PACKAGES.map(|[_, core]| core).join(" or ")
        );
    };
    apt_get(
        &[
            &["install", "--yes", "--no-install-recommends"],
            packages.as_slice(),
        ]
        .concat(),
    )?;
    rustc()
}

/// Installs packages, and removes none for them.
pub(super) fn install_packages(packages: &[&str]) -> Result<()> {
    let options = ["install", "--yes", "--no-install-recommends", "--no-remove"];
    let words = [&options, packages].concat();
    let Err(error) = apt_get(&words) else {
        return Ok(());
    };
    // A fresh machine may have no lists, or old ones.
    step(&format!("{error:#}; once more, with fresh lists"));
    if let Err(error) = apt_get(&["update"]) {
        step(&format!("{error:#}; going on with the lists that are here"));
    }
    apt_get(&words)
}

fn apt_get(args: &[&str]) -> Result<()> {
    let words = ["DEBIAN_FRONTEND=noninteractive", "apt-get"]
        .iter()
        .chain(args);
    let words = words.map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut command = privilege::as_root(Path::new("/usr/bin/env"), &words)?;
    step(&process::shown(&command));
    // Its progress belongs with ours: standard output is the profiler's.
    process::run(command.stdout(std::io::stderr()))
}

fn is_known(package: &str) -> bool {
    let mut command = Command::new("apt-cache");
    command
        .args(["show", package])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
