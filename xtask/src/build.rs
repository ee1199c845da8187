//! Builds the profiler, kernel side and all, as the user who asked.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;

use crate::{args, cargo, setup};

pub(crate) fn door(args: &args::Build) -> Result<ExitCode> {
    setup::ensure(args.install)?;
    println!("{}", profiler(!args.debug)?.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds the profiler and says where it is.
pub(crate) fn profiler(release: bool) -> Result<PathBuf> {
    let mut args = vec!["build", "--package=profiler", "--bin=profiler"];
    if release {
        args.push("--release");
    }
    cargo::executable(&args, "bin", "profiler")
}

/// Builds a program beside the library (a bench target) and says where it is.
pub(crate) fn bench(name: &str) -> Result<PathBuf> {
    let args = ["bench", "--package=profiler", "--bench", name, "--no-run"];
    cargo::executable(&args, "bench", name)
}
