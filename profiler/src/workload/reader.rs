//! The child's side: reads as told, and keeps a record of each read.
//!
//! Between "ready" and "done" it calls `pread(2)` for its ops and for nothing else:
//! all that it needs is opened, mapped, started and touched before. So the reads that
//! the profiler sees of it, and `syscr` in /proc/PID/io, are its ops to the last one.
//!
//! The main thread only waits for the parent. When the parent is gone, however it
//! ended, the socket is closed and the reader exits at once, amid its reads. (A death
//! signal, `PR_SET_PDEATHSIG`, would come when the *thread* that started the reader
//! ends, and a parent may start it from a short-lived one.)

use std::env;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use rustix::net::SocketType;

use super::record::Records;
use super::source::{Source, now};
use super::wire::{Answer, Channel, Command, Done};

/// The word on the command line that makes the program a reader. The number of the
/// inherited socket follows it.
pub const COMMAND: &str = "reader";

/// Its threads' name, as the kernel shows it.
const NAME: &str = "reader";

/// What the program does when it is started as `PROGRAM reader SOCKET`, which only
/// [`super::host::Reader`] does.
///
/// # Errors
/// It was started by somebody else, or it cannot do what it is told to; the parent is
/// told as well.
pub fn main() -> Result<()> {
    let channel = env::args().nth(2).and_then(|fd| fd.parse().ok()).map(adopt);
    let Some(Ok(channel)) = channel else {
        bail!("`{COMMAND}` is for the profiler's own use: run `profiler bench`");
    };
    let channel = Arc::new(channel);
    serve(&channel).inspect_err(|error| {
        let _ = channel.send(&Answer::Failed(format!("{error:#}")));
    })
}

fn adopt(fd: RawFd) -> Result<Channel> {
    // The first three are the standard streams, and not ours to close.
    if fd < 3 {
        bail!("not an inherited socket");
    }
    // Asked first: whoever calls this by hand may give a number that is not open.
    // SAFETY: used for this question only, in a process of one thread.
    let kind = rustix::net::sockopt::socket_type(unsafe { BorrowedFd::borrow_raw(fd) });
    if kind != Ok(SocketType::SEQPACKET) {
        bail!("not a socket of the profiler's");
    }
    // SAFETY: an open socket that the parent has handed over for this use; nothing else
    // in this process, which has just begun, knows of it.
    Ok(Channel::new(unsafe { OwnedFd::from_raw_fd(fd) }))
}

fn serve(channel: &Arc<Channel>) -> Result<()> {
    let Some(Command::Prepare { spec, records }) = channel.recv()? else {
        return Ok(());
    };
    rustix::thread::set_name(c"reader").context("cannot set the thread's name")?;
    // SAFETY: inherited for this use, as above.
    let records = unsafe { OwnedFd::from_raw_fd(records) };
    let run = Arc::new(Run {
        records: Records::open(&records, &spec)?,
        start: Barrier::new(spec.threads as usize + 1),
        ready: Barrier::new(spec.threads as usize + 1),
        reading: AtomicU32::new(spec.threads),
        began_ns: OnceLock::new(),
        total: Total::default(),
        channel: channel.clone(),
    });
    drop(records);
    for (thread, source) in (0..).zip(Source::open_all(&spec)?) {
        let run = run.clone();
        thread::Builder::new()
            .name(NAME.into())
            .spawn(move || run.thread(thread, source))
            .with_context(|| format!("cannot start {} threads", spec.threads))?;
    }
    run.ready.wait();
    channel.send(&Answer::Ready {
        pid: std::process::id(),
    })?;
    let Some(Command::Go) = channel.recv()? else {
        return Ok(());
    };
    let _ = run.began_ns.set(now());
    run.start.wait();
    // "bye", or the end of the parent. Returning ends all threads.
    let _: Option<Command> = channel.recv()?;
    Ok(())
}

/// What the threads share.
struct Run {
    records: Records,
    /// All threads are started and have touched what they need.
    ready: Barrier,
    /// All may read.
    start: Barrier,
    /// Threads that have not ended their part.
    reading: AtomicU32,
    began_ns: OnceLock<u64>,
    total: Total,
    channel: Arc<Channel>,
}

#[derive(Default)]
struct Total {
    ops: AtomicU64,
    bytes: AtomicU64,
    minor_faults: AtomicU64,
    major_faults: AtomicU64,
    voluntary_switches: AtomicU64,
    involuntary_switches: AtomicU64,
}

impl Run {
    fn thread(&self, thread: u32, mut source: Source) {
        // SAFETY: each thread has a number of its own.
        let mut log = unsafe { self.records.log(thread) };
        log.sign(
            rustix::thread::gettid()
                .as_raw_nonzero()
                .get()
                .cast_unsigned(),
        );
        // The first call of each of them touches pages that the later ones find.
        now();
        let _ = usage();
        self.ready.wait();
        self.start.wait();
        let before = usage();
        let (ops, bytes) = source.read(&mut log);
        self.add(ops, bytes, before, usage());
        // The last one speaks for all.
        if self.reading.fetch_sub(1, Ordering::AcqRel) == 1 {
            let wall_ns = now().saturating_sub(self.began_ns.get().copied().unwrap_or_default());
            // If it can't be sent, the parent is gone, and the main thread sees that too.
            let _ = self.channel.send(&Answer::Done(self.total.done(wall_ns)));
        }
        // Not ended: what /proc tells of a thread is gone with it.
        loop {
            thread::park();
        }
    }

    fn add(&self, ops: u64, bytes: u64, before: Option<Usage>, after: Option<Usage>) {
        let add = |to: &AtomicU64, n| to.fetch_add(n, Ordering::Relaxed);
        add(&self.total.ops, ops);
        add(&self.total.bytes, bytes);
        let (Some(before), Some(after)) = (before, after) else {
            return;
        };
        let since = |count: fn(&Usage) -> i64| (count(&after) - count(&before)).unsigned_abs();
        add(&self.total.minor_faults, since(|u| u.minor_page_faults()));
        add(&self.total.major_faults, since(|u| u.major_page_faults()));
        add(
            &self.total.voluntary_switches,
            since(|u| u.voluntary_context_switches()),
        );
        add(
            &self.total.involuntary_switches,
            since(|u| u.involuntary_context_switches()),
        );
    }
}

impl Total {
    fn done(&self, wall_ns: u64) -> Done {
        let get = |from: &AtomicU64| from.load(Ordering::Acquire);
        Done {
            ops: get(&self.ops),
            bytes: get(&self.bytes),
            wall_ns,
            minor_faults: get(&self.minor_faults),
            major_faults: get(&self.major_faults),
            voluntary_switches: get(&self.voluntary_switches),
            involuntary_switches: get(&self.involuntary_switches),
        }
    }
}

/// The calling thread's.
fn usage() -> Option<Usage> {
    getrusage(UsageWho::RUSAGE_THREAD).ok()
}
