//! `profiler doctor`: what this machine offers, and what it lacks. Needs no rights.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::Result;

use super::output;
use crate::{
    collect::{disk, machine},
    load::{self, hooks::Need},
};

/// Prints what was found; the exit code is 1 if the profiler cannot work here.
pub(super) fn main() -> Result<ExitCode> {
    let mut text = String::new();
    let mut usable = true;
    let mut line = |good: bool, what: &str| {
        let _ = writeln!(text, "{} {what}", if good { "ok     " } else { "MISSING" });
    };
    line(
        true,
        &format!(
            "kernel {} on {}",
            machine::kernel(),
            machine::architecture()
        ),
    );
    match load::survey() {
        Err(error) => {
            usable = false;
            line(false, &format!("{error:#}"));
        }
        Ok(hooks) => {
            line(
                true,
                "type information (BTF) with every field that the probes read",
            );
            let has = |name: &str| {
                hooks
                    .iter()
                    .any(|(hook, there)| hook.name == name && *there)
            };
            for (hook, there) in &hooks {
                match hook.need {
                    Need::Instead(of) if has(of) => continue,
                    Need::Required if !there => usable = false,
                    _ => {}
                }
                let without = if *there {
                    String::new()
                } else {
                    format!(": {}", hook.without_it)
                };
                line(*there, &format!("tracepoint {}{without}", hook.name));
            }
        }
    }
    let root = rustix::process::geteuid().is_root();
    line(
        root,
        if root {
            "rights: root"
        } else {
            "rights: start bench, run and attach with sudo"
        },
    );
    for disk in disk::names().values() {
        if disk::keeps_accounts(disk) == Some(false) {
            line(
                false,
                &format!(
                    "accounts of {disk}: its device waits stay unexplained; \
                     echo 1 | sudo tee /sys/block/{disk}/queue/iostats"
                ),
            );
        }
    }
    output::print(&text)?;
    Ok(if usable {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
