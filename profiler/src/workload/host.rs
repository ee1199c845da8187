//! The parent's side of a reader: starts it, lets it go, reads its record, ends it.

use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, RawFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::io::FdFlags;
use rustix::process::{Gid, Uid};

use super::identity::Identity;
use super::ops::Ops;
use super::reader::COMMAND;
use super::record::Records;
use super::spec::Spec;
use super::subject::{DirectAlign, name_only, proc_path};
use super::wire::{self, Answer, Channel, Done};

/// A running reader. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub struct Reader {
    child: Child,
    channel: Channel,
    records: Arc<Records>,
    pid: u32,
    threads: u32,
}

/// Stops a reader before its next op, from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Records>);

impl Stopper {
    /// Asks the reader to stop. [`Reader::wait_done`] returns soon after, with the ops
    /// that were done.
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// What one thread of the reader recorded.
#[derive(Clone, Debug)]
pub struct ThreadOps<'a> {
    /// The thread's id.
    pub tid: u32,
    /// Its ops in the order in which it did them.
    pub ops: Ops<'a>,
}

impl Reader {
    /// Starts this very program as a reader with the rights of `identity`, and waits
    /// until it is ready: it has opened the file and does nothing until [`Reader::go`].
    ///
    /// The reader opens `file`, if there is one, else the path of `spec`. It opens it
    /// with its own rights either way: it gets only the name of `file`.
    ///
    /// # Errors
    /// The spec is not valid, the program cannot be started, or the reader says why it
    /// cannot do it. Nothing is left running.
    pub fn spawn(spec: &Spec, identity: &Identity, file: Option<BorrowedFd<'_>>) -> Result<Self> {
        Self::spawn_program(Path::new("/proc/self/exe"), spec, identity, file)
    }

    /// As [`Reader::spawn`], with another program that calls [`super::reader::main`]
    /// when it is started with the word [`COMMAND`].
    ///
    /// # Errors
    /// As [`Reader::spawn`].
    pub fn spawn_program(
        program: &Path,
        spec: &Spec,
        identity: &Identity,
        file: Option<BorrowedFd<'_>>,
    ) -> Result<Self> {
        // What this file asks of O_DIRECT is not known here; that opening tells.
        spec.validate(Some(DirectAlign {
            memory: 1,
            offset: 1,
        }))?;
        let mut spec = spec.clone();
        let (records, memory) = Records::create(&spec)?;
        let (channel, theirs) = Channel::pair()?;
        let file = file.map(name_only).transpose()?;
        if let Some(file) = &file {
            spec.path = proc_path(file);
        }
        let mut inherited = vec![theirs.as_fd().as_raw_fd(), memory.as_raw_fd()];
        inherited.extend(file.as_ref().map(|file| file.as_raw_fd()));

        let mut command = Command::new(program);
        command
            .arg0("profiler")
            .args([COMMAND, &theirs.as_fd().as_raw_fd().to_string()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let become_them = (!identity.is_current()).then(|| Rights::of(identity));
        // SAFETY: between fork and exec, and does nothing but system calls: no memory is
        // allocated and no lock is taken.
        unsafe {
            command.pre_exec(move || {
                prepare_child(&inherited, become_them.as_ref()).map_err(Into::into)
            })
        };
        let child = command.spawn().with_context(|| {
            format!(
                "cannot start the reader as user {} (they must be allowed to run this program, \
                 {})",
                identity.uid,
                std::fs::read_link(program)
                    .unwrap_or_else(|_| program.to_owned())
                    .display()
            )
        })?;
        // Ours is the only end left: the reader's death closes the other.
        drop((theirs, file));

        let (pid, threads) = (child.id(), spec.threads);
        // From here on, the drop of it ends the child.
        let mut reader = Self {
            child,
            channel,
            records: Arc::new(records),
            pid,
            threads,
        };
        let records = memory.as_raw_fd();
        reader
            .channel
            .send(&wire::Command::Prepare { spec, records })?;
        match reader.answer()? {
            Answer::Ready { pid: said } if said == pid => Ok(reader),
            answer => bail!("the reader should be ready, but says {answer:?}"),
        }
    }

    /// The process to look at.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets it read.
    ///
    /// # Errors
    /// It cannot be told so.
    pub fn go(&self) -> Result<()> {
        self.channel.send(&wire::Command::Go)
    }

    /// Waits until it has read all, or was stopped, and says what it says of it. The
    /// reader then waits, with all its threads, for [`Reader::finish`]: /proc can be
    /// asked about it.
    ///
    /// # Errors
    /// It died (with what it left on its standard error), or said something else.
    pub fn wait_done(&mut self) -> Result<Done> {
        match self.answer()? {
            Answer::Done(done) => Ok(done),
            answer => bail!("the reader should be done, but says {answer:?}"),
        }
    }

    /// What can stop it, for another thread or a signal handler to keep.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.records.clone())
    }

    /// Asks it to stop before its next op.
    pub fn stop(&self) {
        self.records.stop();
    }

    /// What its threads have recorded so far, whether it still runs or has died.
    pub fn ops(&self) -> Vec<ThreadOps<'_>> {
        let one = |thread| {
            let (tid, ops) = self.records.recorded(thread);
            ThreadOps { tid, ops }
        };
        (0..self.threads).map(one).collect()
    }

    /// Has it exit, and waits for that.
    ///
    /// # Errors
    /// It ended in another way than by exiting with 0.
    pub fn finish(mut self) -> Result<()> {
        self.channel.send(&wire::Command::Bye)?;
        let status = self.child.wait().context("cannot wait for the reader")?;
        if status.success() {
            Ok(())
        } else {
            Err(self.death(status))
        }
    }

    fn answer(&mut self) -> Result<Answer> {
        match self.channel.recv()? {
            Some(Answer::Failed(why)) => Err(anyhow!(why)),
            Some(answer) => Ok(answer),
            None => {
                // The socket is closed a little before the process has ended.
                let status = self.child.wait().context("cannot wait for the reader")?;
                Err(self.death(status))
            }
        }
    }

    fn death(&mut self, status: ExitStatus) -> anyhow::Error {
        let mut said = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let _ = stderr.take(4096).read_to_end(&mut said);
        }
        let said = String::from_utf8_lossy(&said);
        let hint = match status.signal() {
            Some(libc::SIGBUS) => ": the file was cut, or the disk failed, under its mapping",
            Some(libc::SIGKILL) => ": somebody killed it, or memory was short",
            _ => "",
        };
        match said.trim() {
            "" => anyhow!("the reader ended early ({status}){hint}"),
            said => anyhow!("the reader ended early ({status}){hint}; it said: {said:?}"),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Once it is reaped, neither does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An identity in the types of the calls that take it on, made before the fork.
struct Rights {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Rights {
    fn of(identity: &Identity) -> Self {
        Self {
            uid: Uid::from_raw(identity.uid),
            gid: Gid::from_raw(identity.gid),
            groups: identity
                .groups
                .iter()
                .map(|&gid| Gid::from_raw(gid))
                .collect(),
        }
    }
}

/// What the child does between fork and exec.
fn prepare_child(inherited: &[RawFd], rights: Option<&Rights>) -> rustix::io::Result<()> {
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    // What the parent was itself started with, and did not ask for, ends here.
    // SAFETY: marks descriptors, which takes effect when exec has replaced all that knows
    // of them. Where the kernel can't (before 5.11), they stay open, harmlessly.
    unsafe {
        libc::close_range(
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC as libc::c_int,
        )
    };
    for &fd in inherited {
        // Only here, so that no other child of the parent inherits it as well.
        // SAFETY: the parent keeps it open until the child is started.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
    }
    // ^C in a terminal goes to both; what becomes of the reader is the parent's choice.
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    if let Some(Rights { uid, gid, groups }) = rights {
        // The user last: it takes root to change the others.
        set_thread_groups(groups)?;
        set_thread_res_gid(*gid, *gid, *gid)?;
        set_thread_res_uid(*uid, *uid, *uid)?;
    }
    Ok(())
}
