//! clippy on the kernel side, for the target it is made for. A distribution's
//! toolchain has no clippy, and another one's can't read its `core`; then the
//! compiler's own warnings have to do.

use std::{
    env,
    process::{Command, Stdio},
};

use anyhow::Result;

use super::shown_run;
use crate::{
    cargo,
    setup::{BPF_TARGET, Decision},
};

pub(super) fn check(decision: &Decision) -> Result<()> {
    let tool = if has_clippy(decision) {
        "clippy"
    } else {
        "check"
    };
    if tool == "check" {
        eprintln!(
            "lint: {} has no clippy, so cargo check for the kernel side",
            decision.toolchain
        );
    }
    let mut command = inner_cargo(decision);
    command.args([
        tool,
        "--package=profiler-ebpf",
        "--bins",
        "--release",
        "--target",
        BPF_TARGET,
    ]);
    if decision.bootstrap.is_none() {
        command.args(["-Z", "build-std=core"]);
    }
    // A folder of its own: these flags differ from those of the build.
    command
        .arg("--target-dir")
        .arg(cargo::metadata()?.target.join("xtask/lint"));
    // As aya-build sets them. Warnings in dependencies stay silent: cargo caps them.
    let flags = [
        format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH),
        "-Dwarnings".into(),
    ];
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    shown_run(&mut command)
}

fn has_clippy(decision: &Decision) -> bool {
    let mut command = inner_cargo(decision);
    command
        .args(["clippy", "-V"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The cargo of the chosen toolchain, as profiler/build.rs sets it up.
fn inner_cargo(decision: &Decision) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", &decision.toolchain, "cargo"])
        .current_dir(cargo::root());
    if let Some(crates) = &decision.bootstrap {
        command.env("RUSTC_BOOTSTRAP", crates);
    }
    command
}
