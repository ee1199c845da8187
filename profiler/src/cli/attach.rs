//! `profiler attach --pid N`: a process that runs already.

use std::{process::ExitCode, time::Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

use super::{
    args::AttachArgs,
    interrupt::Interrupt,
    output::{self, Exports},
    readings, watch,
};
use crate::{
    collect::process,
    report::{Readings, v1::Workload},
    session::live::TICK,
};

/// Open calls that are told one by one.
const SHOWN: usize = 8;

/// Watches the process until it ends, time is up, or ^C.
pub(super) fn main(args: &AttachArgs) -> Result<ExitCode> {
    let exports = Exports::begin(&args.watch.export.asked())?;
    watch::runtime()?.block_on(async {
        let interrupt = Interrupt::listen()?;
        let pid = args.pid;
        if pid == std::process::id() {
            bail!("process {pid} is this profiler: it does not watch itself");
        }
        let process = Pid::from_raw(pid as i32).context("no process has this id")?;
        // From here on the id cannot come to mean another process unnoticed.
        let pidfd = match pidfd_open(process, PidfdFlags::empty()) {
            Ok(pidfd) => {
                // SAFETY: the descriptor is the value's own, and stays open as long as it.
                let pidfd = unsafe { AsyncFd::register(pidfd) };
                pidfd.context("cannot wait for the process")?
            }
            Err(rustix::io::Errno::SRCH) => bail!("there is no process {pid}"),
            Err(rustix::io::Errno::INVAL) => {
                bail!("{pid} is a thread: give the id of its process")
            }
            Err(error) => return Err(error).with_context(|| format!("process {pid}")),
        };
        let name = process::comm(pid).with_context(|| format!("there is no process {pid}"))?;
        let mut live = watch::open(
            watch::plan(&args.watch, format!("process {pid} ({name})")),
            exports,
        )?;
        let workload = Workload {
            style: "attached".into(),
            ..Workload::default()
        };
        // The kernel's counters from before to after, so that they count all that is seen.
        let threads = process::threads(pid);
        match process::threads_in_reads(pid).len() {
            0 => {}
            begun => live.note(format!(
                "calls that were going on when the session began: {begun}; they are in no scenario"
            )),
        }
        let mut before = readings::counts(pid, None);
        live.begin(&name, &workload, watch::control(&args.watch, pid, 0))?;
        let started = Instant::now();
        let mut tick = tokio::time::interval(TICK);
        let timeout = async {
            match args.duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(timeout);
        loop {
            tokio::select! {
                _ = tick.tick() => live.tick()?,
                () = &mut timeout => break,
                () = interrupt.wait() => break,
                _ = pidfd.readable() => break,
            }
        }
        let wall = started.elapsed();
        live.stop()?;
        let open = process::threads_in_reads(pid);
        let after = readings::counts(pid, None);
        if process::threads(pid) != threads {
            // How long threads that have ended were kept from running is told by nobody.
            before.run_delay_ns = None;
        }
        for (tid, fd, _) in open.iter().take(SHOWN) {
            live.note(format!(
                "thread {tid} was in a read of descriptor {fd} when the session ended; what it \
                 waited for until then is in no scenario"
            ));
        }
        live.end(
            Some(wall.as_nanos() as u64),
            workload,
            Readings {
                before,
                after,
                ..Readings::default()
            },
        )?;
        let (report, mut exports) = live.close(open.len() as u64)?;
        if !exports.take_standard_output() {
            output::show(&report)?;
        }
        exports.finish(&report)?;
        Ok(ExitCode::SUCCESS)
    })
}
