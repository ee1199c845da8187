//! A process that runs already.

use std::{os::fd::OwnedFd, sync::Arc};

use anyhow::{Context as _, Result, bail};
use profiler_common::target::Target;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

use super::{After, Ending, Watched, readings};
use crate::{
    host::process,
    named::Named as _,
    recording::{Counts, Readings, Workload},
    report::v1::Style,
    session::live::Live,
    sink::Sink,
};

/// Open calls that are told one by one.
const SHOWN: usize = 8;

/// The process, which cannot come to mean another one unnoticed.
#[derive(Debug)]
pub(in crate::session) struct Process {
    pid: u32,
    name: String,
    workload: Workload,
    pidfd: Arc<AsyncFd<OwnedFd>>,
    /// Its threads when the session began, and what the kernel had counted for it.
    threads: Vec<u32>,
    before: Counts,
    open_calls: u64,
}

impl Process {
    pub(in crate::session) fn find(pid: u32) -> Result<Self> {
        let id = Pid::from_raw(pid as i32).context("no process has this id")?;
        let pidfd = match pidfd_open(id, PidfdFlags::empty()) {
            Ok(pidfd) => {
                // SAFETY: the descriptor is the value's own, and stays open as long as it.
                let pidfd = unsafe { AsyncFd::register(pidfd) };
                pidfd.context("cannot wait for the process")?
            }
            Err(rustix::io::Errno::SRCH) => bail!("there is no process {pid}"),
            // Which of the errors a thread gives depends on the kernel.
            Err(error) => match process::process_of(pid) {
                Some(first) if first != pid => {
                    bail!("{pid} is a thread: give the id of its process, {first}")
                }
                _ => return Err(error).with_context(|| format!("process {pid}")),
            },
        };
        let name = process::comm(pid).with_context(|| format!("there is no process {pid}"))?;
        if process::is_of_the_kernel(pid) {
            bail!("{pid} ({name}) is a thread of the kernel's, which makes no system calls");
        }
        Ok(Self {
            pid,
            name,
            workload: Workload {
                style: Style::Attached.name().into(),
                ..Workload::default()
            },
            pidfd: Arc::new(pidfd),
            threads: Vec::new(),
            before: Counts::default(),
            open_calls: 0,
        })
    }

    /// The target in words.
    pub(in crate::session) fn words(&self) -> String {
        format!("process {} ({})", self.pid, self.name)
    }

    /// Threads that were in a read call when the session ended.
    pub(in crate::session) fn open_calls(&self) -> u64 {
        self.open_calls
    }
}

impl Watched for Process {
    type Ended = ();

    fn name(&self) -> &str {
        &self.name
    }

    fn workload(&self) -> &Workload {
        &self.workload
    }

    fn target(&self) -> Target {
        Target::Process(self.pid)
    }

    /// The kernel's counters are read before it is watched and after, so that they count all
    /// that is seen.
    fn before<S: Sink + Default>(&mut self, live: &mut Live<S>) -> Result<()> {
        self.threads = process::threads(self.pid);
        match process::threads_in_reads(self.pid).len() {
            0 => {}
            1 => live.note("1 call had begun before watching started; it is not counted".into()),
            begun => live.note(format!(
                "{begun} calls had begun before watching started; they are not counted"
            )),
        }
        self.before = readings::counts(self.pid, None);
        Ok(())
    }

    async fn go(&mut self) -> Result<()> {
        Ok(())
    }

    fn ended(&mut self) -> Ending<()> {
        let pidfd = self.pidfd.clone();
        Box::pin(async move {
            drop(pidfd.readable().await);
            Ok(())
        })
    }

    fn interrupted(&mut self, _signal: i32) -> bool {
        true
    }

    fn after<S: Sink + Default>(
        &mut self,
        live: &mut Live<S>,
        _ended: Option<()>,
        wall_ns: u64,
    ) -> Result<After> {
        let open = process::threads_in_reads(self.pid);
        self.open_calls = open.len() as u64;
        let after = readings::counts(self.pid, None);
        if process::threads(self.pid) != self.threads {
            // How long threads that have ended were kept from running is told by nobody.
            self.before.run_delay_ns = None;
        }
        for (tid, fd, _) in open.iter().take(SHOWN) {
            live.note(format!(
                "thread {tid} was in a read of descriptor {fd} when the session ended; what it \
                 waited for until then is in no scenario"
            ));
        }
        Ok(After {
            wall_ns,
            workload: self.workload.clone(),
            readings: Readings {
                before: self.before,
                after,
                ..Readings::default()
            },
        })
    }
}
