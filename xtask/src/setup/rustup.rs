//! The way that aya's own projects go: rustup's nightly, which builds `core` for
//! BPF from the component rust-src.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::{compiler::Compiler, step};
use crate::process;

pub(super) const BY_HAND: &str =
    "rustup toolchain install nightly --profile minimal --component rust-src";

/// Without a network rustup gives up by itself, but a slow one could take hours.
const LIMIT: Duration = Duration::from_secs(300);

pub(super) fn nightly() -> Result<Compiler> {
    if !is_installed()? {
        bail!("not installed");
    }
    let compiler = Compiler::of("nightly")?;
    if !compiler.has_source() {
        bail!("lacks the component rust-src");
    }
    Ok(compiler)
}

pub(super) fn install_nightly() -> Result<Compiler> {
    let mut command = if is_installed()? {
        let mut command = Command::new("rustup");
        command.args(["component", "add", "rust-src", "--toolchain", "nightly"]);
        command
    } else {
        let mut words = BY_HAND.split(' ');
        let mut command = Command::new(words.next().unwrap_or("rustup"));
        // Or rustup replaces itself too, by an older one if that is what it finds.
        command.args(words).arg("--no-self-update");
        command
    };
    step(&process::shown(&command));
    process::run_within(&mut command, LIMIT).context("not to be had")?;
    nightly()
}

fn is_installed() -> Result<bool> {
    let list = process::output(Command::new("rustup").args(["toolchain", "list"]))?;
    Ok(lists_nightly(&list))
}

/// `nightly-x86_64-unknown-linux-gnu (default)`, not `nightly-2026-01-01-…`: that
/// is a toolchain of another name.
fn lists_nightly(list: &str) -> bool {
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .any(|name| {
            name == "nightly"
                || name
                    .strip_prefix("nightly-")
                    .is_some_and(|host| !host.starts_with(|c: char| c.is_ascii_digit()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nightly_is_told_from_dated_ones() {
        assert!(lists_nightly(
            "stable-x (default)\nnightly-x86_64-unknown-linux-gnu (active)\n"
        ));
        assert!(!lists_nightly(
            "stable-x (default)\nnightly-2026-01-01-x86_64-unknown-linux-gnu\n"
        ));
        assert!(!lists_nightly("no installed toolchains\n"));
    }
}
