//! The tests that load programs into the running kernel: built as the user, run
//! as root, one at a time, because what one reads the next would see.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::tally::{self, Tally};
use crate::{
    args,
    cargo::{self, Metadata},
    privilege, process,
    setup::programs::{self, Program},
};

/// profiler/tests/kernel/main.rs
pub(super) const SUITE: &str = "kernel";

/// Without it in the environment the suite has to leave the kernel alone.
pub(crate) const GATE: &str = "PROFILER_KERNEL_TESTS";

/// What the tests make file systems with.
const NEEDED: [Program; 3] = [
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
];

#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) tally: Tally,
    /// Why they were not run, if they weren't.
    pub(crate) not_run: Option<String>,
}

pub(super) fn run(metadata: &Metadata, words: &[String], install: args::Install) -> Result<Kernel> {
    run_with(metadata, words, install, &[], &mut |_| {})
}

/// With more in its environment (`NAME=value`), and every line that it prints heard.
pub(crate) fn run_with(
    metadata: &Metadata,
    words: &[String],
    install: args::Install,
    environment: &[String],
    hear: &mut dyn FnMut(&str),
) -> Result<Kernel> {
    if !metadata
        .targets("profiler", "test")
        .iter()
        .any(|name| name == SUITE)
    {
        eprintln!("test: the package profiler has no test target `{SUITE}`");
        return Ok(failed());
    }
    let build = ["test", "--package=profiler", "--test", SUITE, "--no-run"];
    let suite = match cargo::executable(&build, "test", SUITE) {
        Ok(suite) => suite,
        Err(error) => {
            eprintln!("test: {error:#}");
            return Ok(failed());
        }
    };
    let mut args = vec!["--test-threads=1".to_owned()];
    args.extend(words.iter().cloned());
    let command = match privilege::kernel_refuses() {
        Some(why) => Err(why),
        None => {
            let words = with_gate(environment, &suite, &args);
            privilege::as_root(Path::new("/usr/bin/env"), &words)
                .map_err(|error| format!("{error:#}"))
        }
    };
    match command {
        Ok(mut command) => {
            // Tests that miss them say so themselves.
            if let Err(why) = programs::install(&programs::missing(&NEEDED), install) {
                eprintln!("test: {why:#}");
            }
            eprintln!("test: {}", process::shown(&command));
            let tally = tally::overheard(in_package(&mut command), hear)?;
            Ok(Kernel {
                tally,
                not_run: None,
            })
        }
        Err(why) => {
            let names = list(&suite, words)?;
            for name in &names {
                println!("test {name} ... skipped");
            }
            let skipped = names.len() as u64;
            Ok(Kernel {
                tally: Tally {
                    skipped,
                    ..Tally::default()
                },
                not_run: (skipped > 0).then_some(why),
            })
        }
    }
}

fn failed() -> Kernel {
    Kernel {
        tally: Tally {
            failed: 1,
            ..Tally::default()
        },
        not_run: None,
    }
}

/// Arguments for `env`, which sets what sudo would not let through.
fn with_gate(environment: &[String], suite: &Path, args: &[String]) -> Vec<String> {
    let mut words = vec![format!("{GATE}=1")];
    words.extend_from_slice(environment);
    words.push(suite.display().to_string());
    words.extend_from_slice(args);
    words
}

/// As cargo would run it.
fn in_package(command: &mut Command) -> &mut Command {
    let package = cargo::root().join("profiler");
    command
        .current_dir(&package)
        .env("CARGO_MANIFEST_DIR", package)
}

/// The names of the tests that would have been run; asking takes no rights.
fn list(suite: &Path, words: &[String]) -> Result<Vec<String>> {
    let mut command = Command::new(suite);
    command
        .args(words)
        .args(["--list", "--format=terse"])
        .env_remove(GATE);
    let text = process::output(in_package(&mut command)).context("listing the kernel tests")?;
    Ok(names(&text))
}

fn names(list: &str) -> Vec<String> {
    list.lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_not_listed_as_tests() {
        assert_eq!(names("a::b: test\nc: benchmark\nd: test\n"), ["a::b", "d"]);
    }

    #[test]
    fn the_gate_is_opened_past_sudo() {
        let more = ["A=b c".to_owned()];
        let words = with_gate(&more, Path::new("/t/kernel"), &["--test-threads=1".into()]);
        assert_eq!(
            words,
            [
                "PROFILER_KERNEL_TESTS=1",
                "A=b c",
                "/t/kernel",
                "--test-threads=1"
            ]
        );
    }
}
