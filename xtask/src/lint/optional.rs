//! Checks by programs that not everybody has: skipped, with a line that says so, where they are
//! not installed.

use std::process::Command;

use anyhow::Result;

use super::shown_run;
use crate::{cargo, process};

/// A program, what it is given, and what it looks at (deny.toml, typos.toml).
const PROGRAMS: [(&str, &[&str], &str); 2] = [
    ("cargo-deny", &["check"], "licences and advisories"),
    ("typos", &[], "spelling"),
];

/// The checks by those that are installed.
pub(super) fn checks() -> Vec<(&'static str, Result<()>)> {
    let mut checks = Vec::new();
    for (program, arguments, what) in PROGRAMS {
        let Some(path) = process::find(program) else {
            eprintln!("lint: {what}: {program} is not installed, skipped");
            continue;
        };
        let mut command = Command::new(path);
        command.args(arguments).current_dir(cargo::root());
        checks.push((what, shown_run(&mut command)));
    }
    checks
}
