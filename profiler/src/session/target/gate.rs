//! Holds a command until it is watched.
//!
//! `profiler run` starts this very program with the word [`COMMAND`]: it takes on the
//! invoking user's rights, waits for a byte, and becomes the command. So the command is
//! watched from its first instruction, and nothing of the profiler's own is.

use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    os::{
        fd::{BorrowedFd, FromRawFd as _, OwnedFd},
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

/// Waits, then becomes the command. On the command line, the descriptor to wait on
/// follows the word: any fixed one may be the command's own (`3<file`).
///
/// # Errors
///
/// It was not started by the profiler, cannot wait for it, or cannot take on the invoking user's
/// rights. A command that cannot be started is no error: the message is written here, and the exit
/// code is the one that a shell gives.
pub fn main() -> Result<ExitCode> {
    let mut words = std::env::args_os().skip(2);
    let descriptor = words
        .next()
        .and_then(|word| word.to_str()?.parse::<i32>().ok())
        // The first three are the standard streams, and not ours to close.
        .filter(|descriptor| *descriptor > 2);
    let (Some(descriptor), Some(program)) = (descriptor, words.next()) else {
        bail!("`{COMMAND}` is for the profiler's own use: run `profiler run -- COMMAND`");
    };
    let args: Vec<OsString> = words.collect();
    let identity = Identity::invoking()?;
    if rustix::process::geteuid().is_root() && identity.uid != 0 {
        take_on(&identity)?;
    }
    // Asked first: whoever calls this by hand may give a number that is not open.
    // SAFETY: used for this question only, in a process of one thread.
    if rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(descriptor) }).is_err() {
        bail!("`{COMMAND}` is for the profiler's own use: run `profiler run -- COMMAND`");
    }
    // SAFETY: open; `profiler run` has left it for this, and nothing else knows of it.
    let mut pipe = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
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
    let _ = writeln!(io::stderr(), "profiler: cannot start {program:?}: {error}");
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
