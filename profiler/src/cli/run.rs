//! `profiler run -- COMMAND…`: a command from its first instruction to its end.

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus},
};

use anyhow::{Context as _, Result};
use profiler_common::control::CONTROL_FROM_EXEC;

use super::{
    args::RunArgs,
    gate,
    interrupt::Interrupt,
    output::{self, Exports},
    readings, watch,
};
use crate::{
    report::{Readings, v1::Workload, witness::Counts},
    session::live::{Live, TICK},
};

/// Runs the command and shows the report on standard error.
pub(super) fn main(args: &RunArgs) -> Result<ExitCode> {
    let exports = Exports::begin(&args.watch.export.asked())?;
    let words: Vec<String> = args
        .command
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let name = args
        .command
        .first()
        .map(|word| base_name(word))
        .unwrap_or_default();
    watch::runtime()?.block_on(async {
        let interrupt = Interrupt::listen()?;
        let mut live = watch::open(watch::plan(&args.watch, words.join(" ")), exports)?;
        let (mut child, go) = start(args)?;
        let pid = child.id();
        let workload = Workload {
            style: "command".into(),
            ..Workload::default()
        };
        live.begin(
            &name,
            &workload,
            watch::control(&args.watch, pid, CONTROL_FROM_EXEC),
        )?;
        // From here on the gate's own read of the pipe is over: it counts before exec.
        let started = std::time::Instant::now();
        go.open()?;
        let mut waiting =
            tokio::task::spawn_blocking(move || wait_unreaped(child.id()).map(|()| child));
        let mut tick = tokio::time::interval(TICK);
        let mut forwarded = false;
        let ended = loop {
            tokio::select! {
                _ = tick.tick() => live.tick()?,
                () = interrupt.wait(), if !forwarded => {
                    forwarded = true;
                    forward(pid, interrupt.signal());
                }
                ended = &mut waiting => break ended.context("the command's keeper has died")?,
            }
        };
        let wall = started.elapsed();
        child = ended?;
        live.stop()?;
        let readings = readings(&live, pid)?;
        live.end(Some(wall.as_nanos() as u64), workload, readings)?;
        let status = child.wait().context("cannot wait for the command")?;
        let (report, mut exports) = live.close(0)?;
        output::show_on_error(&report)?;
        exports.finish(&report)?;
        Ok(ExitCode::from(code(status)))
    })
}

/// What the kernel counted for the command, which has ended and is not reaped yet.
///
/// Of one process that stays one program only: each later exec reads headers, which the
/// kernel counts and nobody calls; and what a process started is counted with it only
/// once it has waited for it. How long threads that have ended were kept from running
/// is told by nobody.
fn readings(live: &Live<Exports>, pid: u32) -> Result<Readings> {
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

/// The way through the gate.
struct Go(io::PipeWriter);

impl Go {
    fn open(mut self) -> Result<()> {
        self.0.write_all(b"g").context("cannot let the command go")
    }
}

/// Starts the gate in front of the command.
fn start(args: &RunArgs) -> Result<(Child, Go)> {
    let (theirs, ours) = io::pipe().context("cannot make a pipe")?;
    let theirs: OwnedFd = theirs.into();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("profiler")
        .arg(gate::COMMAND)
        .arg(theirs.as_raw_fd().to_string())
        .args(&args.command);
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
    drop(theirs);
    Ok((child, Go(ours)))
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

/// The command's exit code; 128 and the signal for one that a signal ended, as shells say.
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
