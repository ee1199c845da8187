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
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::net::SocketType;
use rustix::time::{ClockId, clock_gettime};

use super::record::{Log, Op, Records};
use super::scenario::{Advice, Style};
use super::spec::{Spec, page_size};
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

/// `CLOCK_MONOTONIC` in ns, without entering the kernel (vDSO).
#[inline]
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Where a thread's blocks come from.
enum Source {
    /// A descriptor of the thread's own, since the kernel keeps the state of readahead
    /// with it.
    Descriptor {
        file: OwnedFd,
        buffer: Pages,
        block_size: u32,
    },
    /// The mapping that all threads share.
    Mapping {
        file: Arc<Pages>,
        file_size: u64,
        block_size: u32,
    },
}

impl Source {
    /// One for each thread.
    fn open_all(spec: &Spec) -> Result<Vec<Self>> {
        let Spec {
            block_size,
            file_size,
            ..
        } = *spec;
        if spec.style == Style::Mapped {
            let file = open(spec)?;
            let file = Arc::new(Pages::of_file(&file, file_size, spec.advice)?);
            let one = |_| Self::Mapping {
                file: file.clone(),
                file_size,
                block_size,
            };
            return Ok((0..spec.threads).map(one).collect());
        }
        let one = |_| {
            let file = open(spec)?;
            if spec.advice == Advice::Random {
                rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random)
                    .context("cannot advise the kernel of the order")?;
            }
            Ok(Self::Descriptor {
                file,
                buffer: Pages::anonymous(block_size as usize)?,
                block_size,
            })
        };
        (0..spec.threads).map(one).collect()
    }

    /// Does the ops of a log; says how many there were and how many bytes they got.
    fn read(&mut self, log: &mut Log<'_>) -> (u64, u64) {
        match self {
            Self::Descriptor {
                file,
                buffer,
                block_size,
            } => {
                let buffer = &mut buffer.bytes_mut()[..*block_size as usize];
                each(log, *block_size, |offset| {
                    match rustix::io::pread(&*file, &mut *buffer, offset) {
                        // At most the block size, which is checked to be small.
                        Ok(read) => read as i32,
                        Err(error) => -error.raw_os_error(),
                    }
                })
            }
            Self::Mapping {
                file,
                file_size,
                block_size,
            } => {
                let (block, page) = (u64::from(*block_size), page_size());
                each(log, *block_size, |offset| {
                    let end = (offset + block).min(*file_size);
                    // From the start of each page, so that a block that begins within
                    // one touches that one and the next.
                    let mut at = offset;
                    while at < end {
                        file.touch(at as usize);
                        at = (at / page + 1) * page;
                    }
                    (end - offset) as i32
                })
            }
        }
    }
}

/// The hot loop: stamp, read, stamp, record.
#[inline(always)]
fn each(log: &mut Log<'_>, asked: u32, mut read: impl FnMut(u64) -> i32) -> (u64, u64) {
    let (mut ops, mut bytes) = (0, 0);
    while let Some(offset) = log.next() {
        let start_ns = now();
        let returned = read(offset);
        let end_ns = now();
        log.push(Op {
            offset,
            asked,
            returned,
            start_ns,
            end_ns,
        });
        ops += 1;
        bytes += u64::try_from(returned).unwrap_or(0);
    }
    (ops, bytes)
}

fn open(spec: &Spec) -> Result<OwnedFd> {
    let direct = if spec.style == Style::Direct {
        OFlags::DIRECT
    } else {
        OFlags::empty()
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | direct;
    let file = rustix::fs::open(spec.path.as_path(), flags, Mode::empty())
        .map_err(|error| why_not_opened(&spec.path, error, spec.style))?;
    let size = rustix::fs::fstat(&file)?.st_size;
    // Behind its end a mapping kills whoever touches it.
    if size.cast_unsigned() < spec.file_size {
        bail!(
            "the file shrank from {} to {size} bytes: use one that stays",
            spec.file_size
        );
    }
    Ok(file)
}

fn why_not_opened(path: &Path, error: Errno, style: Style) -> anyhow::Error {
    let user = rustix::process::geteuid().as_raw();
    let why = match error {
        Errno::ACCESS | Errno::PERM => format!(
            "the reader has the rights of user {user}, who may not read the file: make it \
             readable for them, or start the profiler as a user who may"
        ),
        Errno::INVAL if style == Style::Direct => "the file system takes no O_DIRECT reads of \
             this file: leave the direct scenarios out or use a file on another file system"
            .to_owned(),
        _ => format!("the reader cannot open {path:?}"),
    };
    anyhow::Error::new(io::Error::from(error)).context(why)
}

/// A mapping of whole pages.
struct Pages {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: plain memory that is owned, not bound to a thread.
unsafe impl Send for Pages {}
// SAFETY: through a shared reference it is only read, by volatile loads.
unsafe impl Sync for Pages {}

impl Pages {
    /// Memory that is there already, aligned to a page as `O_DIRECT` wants it.
    fn anonymous(len: usize) -> Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base =
            unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), len, protection, flags) }
                .with_context(|| format!("there is no memory for a buffer of {len} bytes"))?;
        let base = NonNull::new(base.cast()).context("mmap returned null")?;
        Ok(Self { base, len })
    }

    /// The file, nothing of it touched.
    fn of_file(file: &OwnedFd, size: u64, advice: Advice) -> Result<Self> {
        let len = usize::try_from(size).context("the file is too large to be mapped")?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ,
                MapFlags::SHARED,
                file,
                0,
            )
        }
        .with_context(|| format!("cannot map the file (descriptor {})", file.as_raw_fd()))?;
        let pages = Self {
            base: NonNull::new(base.cast()).context("mmap returned null")?,
            len,
        };
        if advice == Advice::Random {
            // SAFETY: the whole of the mapping above; the advice changes no byte of it.
            unsafe { rustix::mm::madvise(base, len, rustix::mm::Advice::Random) }
                .context("cannot advise the kernel of the order")?;
        }
        Ok(pages)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: only called for anonymous memory, which is `len` bytes, initialized by
        // the kernel, and borrowed as `self` is.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
    }

    /// Loads the byte at `at`, and with it the page.
    #[inline]
    fn touch(&self, at: usize) {
        debug_assert!(at < self.len);
        // SAFETY: within the mapping, as every offset is below the size of the file. If
        // the file was cut meanwhile, SIGBUS ends the process, and the parent says so.
        unsafe { self.base.add(at).read_volatile() };
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping made above; all that refers to it borrows `self`.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
