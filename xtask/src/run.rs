//! Builds the profiler and becomes it: its output and its exit code are ours.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};

use crate::{args, build, privilege, process, setup};

pub(crate) fn door(args: &args::Run) -> Result<ExitCode> {
    setup::ensure(args.install)?;
    let profiler = build::profiler(true)?;
    let mut words = args.args.clone();
    if words.is_empty() {
        words.push("bench".to_owned());
    }
    become_it(privilege::as_root(&profiler, &words)?)
}

/// `profiler doctor` needs no root: what it lacks is what it has to say.
pub(crate) fn doctor(args: &args::Doctor) -> Result<ExitCode> {
    setup::ensure(args.install)?;
    let mut command = Command::new(build::profiler(true)?);
    command.arg("doctor");
    become_it(command)
}

fn become_it(mut command: Command) -> Result<ExitCode> {
    eprintln!("run: {}", process::shown(&command));
    let error = command.exec();
    Err(error).with_context(|| format!("can't run `{}`", process::shown(&command)))
}
