//! A command, from its first instruction to its end.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{self, Child, ExitStatus},
};

use anyhow::{Context as _, Result};
use profiler_common::target::Target;

use super::{After, Ending, Watched, gate, readings};
use crate::{
    named::Named as _,
    recording::{Counts, Readings, Workload},
    report::v1::Style,
    session::live::Live,
    sink::Sink,
};

/// A command that waits at the gate, runs, or has ended and is not reaped.
#[derive(Debug)]
pub(in crate::session) struct Command {
    name: String,
    workload: Workload,
    child: Child,
    /// The way through the gate, until it is open.
    gate: Option<io::PipeWriter>,
}

impl Command {
    /// The target in words.
    pub(in crate::session) fn words(words: &[OsString]) -> String {
        let words = words.iter().map(|word| word.to_string_lossy().into_owned());
        words.collect::<Vec<_>>().join(" ")
    }

    /// Starts the gate in front of the command.
    pub(in crate::session) fn start(words: &[OsString]) -> Result<Self> {
        let (theirs, ours) = io::pipe().context("cannot make a pipe")?;
        let theirs: OwnedFd = theirs.into();
        let mut command = process::Command::new("/proc/self/exe");
        command
            .arg0("profiler")
            .arg(gate::COMMAND)
            .arg(theirs.as_raw_fd().to_string())
            .args(words);
        let from = theirs.as_raw_fd();
        // SAFETY: between fork and exec, and does nothing but system calls.
        unsafe {
            command.pre_exec(move || {
                let flags = libc::fcntl(from, libc::F_GETFD);
                if libc::fcntl(from, libc::F_SETFD, flags & !libc::FD_CLOEXEC) < 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().context("cannot start the command's gate")?;
        Ok(Self {
            name: words
                .first()
                .map(|word| base_name(word))
                .unwrap_or_default(),
            workload: Workload {
                style: Style::Command.name().into(),
                ..Workload::default()
            },
            child,
            gate: Some(ours),
        })
    }

    /// Takes the ended command out of the process table. Its exit code; 128 and the signal for
    /// one that a signal ended, as shells say.
    pub(in crate::session) fn reap(mut self) -> Result<u8> {
        let status = self.child.wait().context("cannot wait for the command")?;
        Ok(code(status))
    }
}

impl Watched for Command {
    type Ended = ();

    fn name(&self) -> &str {
        &self.name
    }

    fn workload(&self) -> &Workload {
        &self.workload
    }

    fn target(&self) -> Target {
        Target::FromExec(self.child.id())
    }

    async fn go(&mut self) -> Result<()> {
        // The gate's own read of the pipe is over then: it counts before exec.
        match self.gate.take() {
            Some(mut gate) => gate.write_all(b"g").context("cannot let the command go"),
            None => Ok(()),
        }
    }

    fn ended(&mut self) -> Ending<()> {
        let pid = self.child.id();
        let waiting = tokio::task::spawn_blocking(move || wait_unreaped(pid));
        Box::pin(async move { waiting.await.context("the command's keeper has died")? })
    }

    /// The command gets the signal too, and ends the session with its own end.
    fn interrupted(&mut self, signal: i32) -> bool {
        forward(self.child.id(), signal);
        false
    }

    fn after<S: Sink + Default>(
        &mut self,
        live: &mut Live<S>,
        _ended: Option<()>,
        wall_ns: u64,
    ) -> Result<After> {
        Ok(After {
            wall_ns,
            workload: self.workload.clone(),
            readings: counted(live, self.child.id())?,
        })
    }
}

/// What the kernel counted for the command, which has ended and is not reaped yet.
///
/// Of one process that stays one program only: each later exec reads headers, which the
/// kernel counts and nobody calls; and what a process started is counted with it only
/// once it has waited for it. How long threads that have ended were kept from running
/// is told by nobody.
fn counted<S: Sink + Default>(live: &Live<S>, pid: u32) -> Result<Readings> {
    let counted = live.counted_since_begin()?;
    if counted.forks > 0 || counted.execs > 0 {
        return Ok(Readings::default());
    }
    let after = Counts {
        run_delay_ns: None,
        ..readings::counts(pid, None)
    };
    let before = Counts {
        syscr: Some(counted.reads_before),
        rchar: Some(counted.bytes_before),
        read_bytes: Some(0),
        ..Counts::default()
    };
    Ok(Readings {
        before,
        after,
        ..Readings::default()
    })
}

/// Waits until the process has ended, and leaves it to be reaped: its id stays its own,
/// and /proc can still be asked about it.
fn wait_unreaped(pid: u32) -> Result<()> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_raw(pid as i32).context("no process")?;
    loop {
        match waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        ) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for the command"),
            Ok(_) => return Ok(()),
        }
    }
}

/// Hands a signal on to the command. A ^C has reached it already: the terminal tells
/// all of its foreground.
fn forward(pid: u32, signal: i32) {
    use rustix::process::{Pid, Signal, getpgrp, kill_process};
    let from_terminal = || {
        let terminal = std::fs::File::open("/dev/tty").ok()?;
        rustix::termios::tcgetpgrp(terminal).ok()
    };
    if signal == libc::SIGINT && from_terminal() == Some(getpgrp()) {
        return;
    }
    if let (Some(pid), Some(signal)) = (Pid::from_raw(pid as i32), Signal::from_named_raw(signal)) {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
    }
}

fn code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, Some(signal)) => 128 + signal as u8,
        (None, None) => 1,
    }
}

fn base_name(word: &OsStr) -> String {
    Path::new(word)
        .file_name()
        .unwrap_or(word)
        .to_string_lossy()
        .into_owned()
}
