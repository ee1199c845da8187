//! A file system (FUSE) whose reads and writes take a set time.

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    BackgroundSession, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, WriteFlags,
};

use super::{Reason, now, prefer};

/// Two names of the same bytes: through the page cache, and past it.
const CACHED: (&str, u64) = ("cached", 2);
const DIRECT: (&str, u64) = ("direct", 3);
const FOREVER: Duration = Duration::from_secs(1 << 20);

/// A request that the server has answered. Times are of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Bytes that were asked for.
    pub bytes: u32,
    /// When the server received it.
    pub start_ns: u64,
    /// When the server was about to answer.
    pub end_ns: u64,
}

#[derive(Debug)]
struct Shared {
    backing: File,
    size: u64,
    read_delay_ns: AtomicU64,
    write_delay_ns: AtomicU64,
    reads: Mutex<Vec<Served>>,
}

/// The file system, mounted. Its server is a thread of this process.
#[derive(Debug)]
pub struct SlowFiles {
    shared: Arc<Shared>,
    // Unmounts when it is dropped.
    _session: BackgroundSession,
    folder: PathBuf,
}

impl SlowFiles {
    /// Mounts it on an existing folder, and serves the bytes of a file there.
    ///
    /// # Errors
    /// The file cannot be opened for reading and writing, or FUSE cannot be had.
    pub fn serve(backing: &Path, folder: &Path) -> Result<Self, Reason> {
        let why = |error: std::io::Error| format!("no file system of our own: {error}");
        let backing = File::options()
            .read(true)
            .write(true)
            .open(backing)
            .map_err(why)?;
        let size = backing.metadata().map_err(why)?.len();
        let shared = Arc::new(Shared {
            backing,
            size,
            read_delay_ns: AtomicU64::new(0),
            write_delay_ns: AtomicU64::new(0),
            reads: Mutex::default(),
        });
        let mut config = fuser::Config::default();
        config.mount_options = vec![MountOption::FSName("profiler-lab".into())];
        let session = fuser::spawn_mount(Slow(shared.clone()), folder, &config).map_err(why)?;
        Ok(Self {
            shared,
            _session: session,
            folder: folder.to_owned(),
        })
    }

    /// The file, read through the page cache.
    #[must_use]
    pub fn cached(&self) -> PathBuf {
        self.folder.join(CACHED.0)
    }

    /// The same file, read past the page cache: every read is a request to the server.
    #[must_use]
    pub fn direct(&self) -> PathBuf {
        self.folder.join(DIRECT.0)
    }

    /// From now on each read, and each write, takes at least this long.
    pub fn delay(&self, read: Duration, write: Duration) {
        self.shared
            .read_delay_ns
            .store(read.as_nanos() as u64, Ordering::SeqCst);
        self.shared
            .write_delay_ns
            .store(write.as_nanos() as u64, Ordering::SeqCst);
    }

    /// The reads that were answered since this was last called.
    pub fn reads(&self) -> Vec<Served> {
        std::mem::take(&mut self.shared.served())
    }
}

impl Shared {
    fn served(&self) -> MutexGuard<'_, Vec<Served>> {
        // Whoever panicked has left a list of whole entries.
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Slow(Arc<Shared>);

impl Slow {
    fn attr(&self, ino: u64) -> FileAttr {
        let root = ino == 1;
        FileAttr {
            ino: INodeNo(ino),
            size: if root { 0 } else { self.0.size },
            blocks: self.0.size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if root {
                FileType::Directory
            } else {
                FileType::RegularFile
            },
            perm: 0o755,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

/// Sleeps for so long, and not much longer.
fn stall(delay: &AtomicU64) {
    thread_local!(static PROMPT: () = {
        // If it is refused, the stalls are less exact.
        let _ = prefer(3);
    });
    PROMPT.with(|()| ());
    match delay.load(Ordering::SeqCst) {
        0 => {}
        ns => sleep(Duration::from_nanos(ns)),
    }
}

impl Filesystem for Slow {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match [CACHED, DIRECT].iter().find(|(known, _)| name == *known) {
            Some((_, ino)) => reply.entry(&FOREVER, &self.attr(*ino), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOREVER, &self.attr(ino.0));
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let flags = if ino.0 == DIRECT.1 {
            FopenFlags::FOPEN_DIRECT_IO
        } else {
            FopenFlags::FOPEN_KEEP_CACHE
        };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let start_ns = now();
        stall(&self.0.read_delay_ns);
        let mut bytes = vec![0; size as usize];
        let read = self.0.backing.read_at(&mut bytes, offset);
        // Before the answer, which lets the reader go on.
        let served = Served {
            bytes: size,
            start_ns,
            end_ns: now(),
        };
        self.0.served().push(served);
        match read {
            Ok(n) => reply.data(&bytes[..n]),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        stall(&self.0.write_delay_ns);
        match self.0.backing.write_all_at(data, offset) {
            Ok(()) => reply.written(data.len() as u32),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }
}
