//! Holds a command until it is watched.
//!
//! `profiler run` starts this very program with the word [`COMMAND`]: it takes on the
//! invoking user's rights, waits for a byte, and becomes the command. So the command is
//! watched from its first instruction, and nothing of the profiler's own is.

use std::{
    ffi::OsString,
    io::Read as _,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    process::{Gid, Uid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::workload::Identity;

/// The word that starts the gate.
pub const COMMAND: &str = "gate";

/// What shells give for a command that cannot be started.
const CANNOT_START: u8 = 126;
/// And for one that does not exist.
const NOT_FOUND: u8 = 127;

/// Descriptor on which the gate waits.
pub(super) const WAIT_FD: i32 = 3;

/// Waits, then becomes the command that follows the word on the command line.
pub fn main() -> Result<ExitCode> {
    let mut words = std::env::args_os().skip(2);
    let (Some(program), args) = (words.next(), words.collect::<Vec<OsString>>()) else {
        bail!("the gate is started by `profiler run`, with a command");
    };
    let identity = Identity::invoking()?;
    if rustix::process::geteuid().is_root() && identity.uid != 0 {
        take_on(&identity)?;
    }
    // SAFETY: `profiler run` has put the pipe there, and nothing else knows of it.
    let mut pipe = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(WAIT_FD) });
    let mut byte = [0];
    if pipe
        .read(&mut byte)
        .context("cannot wait for the profiler")?
        == 0
    {
        // It is gone, or has given up: the command was never started.
        return Ok(ExitCode::from(CANNOT_START));
    }
    drop(pipe);
    let error = Command::new(&program).args(args).exec();
    eprintln!("profiler: cannot start {program:?}: {error}");
    let code = if error.kind() == std::io::ErrorKind::NotFound {
        NOT_FOUND
    } else {
        CANNOT_START
    };
    Ok(ExitCode::from(code))
}

/// Becomes the user who called sudo; the user last, it takes root to change the rest.
fn take_on(identity: &Identity) -> Result<()> {
    let groups: Vec<Gid> = identity
        .groups
        .iter()
        .map(|&gid| Gid::from_raw(gid))
        .collect();
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .with_context(|| format!("cannot become user {}", identity.uid))
}
