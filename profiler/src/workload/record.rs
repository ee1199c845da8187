//! The reader's own record of its ops, in memory that it shares with its parent: the
//! parent can read it even if the reader dies.
//!
//! The layout: one header, a header for each thread, then the threads' ops, one
//! thread's after the other's. How many each thread has follows from the [`Spec`],
//! which both sides know.

use std::ffi::c_void;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::ops::{Op, Ops};
use super::order;
use super::spec::Spec;

#[repr(C, align(64))]
struct Header {
    stop: AtomicBool,
}

#[repr(C, align(64))]
struct ThreadHeader {
    /// How many ops are written. Stored after the op, so that whoever sees the count
    /// sees the op.
    count: AtomicU64,
    tid: AtomicU32,
}

const _: () = assert!(size_of::<Header>() == 64 && size_of::<ThreadHeader>() == 64);

/// The memory of a run's ops.
pub(crate) struct Records {
    base: NonNull<u8>,
    len: usize,
    spec: Spec,
}

// SAFETY: what both sides write is atomic; an op is written by one thread only, and
// read by others only below the count that was stored after it.
unsafe impl Send for Records {}
// SAFETY: as above.
unsafe impl Sync for Records {}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Records {
    /// Bytes of memory that a run needs. `spec` is a valid one: no more than
    /// [`super::spec::MAX_READS`] ops.
    fn size(spec: &Spec) -> usize {
        Self::ops_at(spec) + spec.reads as usize * size_of::<Op>()
    }

    fn ops_at(spec: &Spec) -> usize {
        size_of::<Header>() + spec.threads as usize * size_of::<ThreadHeader>()
    }

    /// Makes the memory, and a descriptor of it for the reader.
    pub(crate) fn create(spec: &Spec) -> Result<(Self, OwnedFd)> {
        let size = Self::size(spec);
        let make = || -> rustix::io::Result<OwnedFd> {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let memory = rustix::fs::memfd_create("reader-ops", flags)?;
            rustix::fs::ftruncate(&memory, size as u64)?;
            // The reader has fewer rights than its parent: if it could shrink the memory,
            // it could kill the parent.
            let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
            rustix::fs::fcntl_add_seals(&memory, seals)?;
            Ok(memory)
        };
        let memory = make()
            .with_context(|| format!("cannot make {size} bytes of memory for the reader's ops"))?;
        Ok((Self::map(&memory, spec)?, memory))
    }

    /// Maps what [`Records::create`] made, in the reader.
    pub(crate) fn open(memory: impl AsFd, spec: &Spec) -> Result<Self> {
        let there = rustix::fs::fstat(&memory).context("cannot look at the memory for the ops")?;
        ensure!(
            there.st_size == Self::size(spec) as i64,
            "the memory for the ops has {} bytes, not {}",
            there.st_size,
            Self::size(spec)
        );
        let records = Self::map(memory, spec)?;
        let base = records.base.as_ptr().cast::<c_void>();
        // So that no op waits for a page of its record. (`MAP_POPULATE` would only map
        // what is there for reading.)
        // SAFETY: the whole of a mapping of shared memory; populating changes no byte.
        unsafe { rustix::mm::madvise(base, records.len, Advice::LinuxPopulateWrite) }
            .context("there is not enough memory for the ops: use fewer --reads")?;
        Ok(records)
    }

    fn map(memory: impl AsFd, spec: &Spec) -> Result<Self> {
        let len = Self::size(spec);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice, as long as the memory
        // is, which is sealed against shrinking.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                protection,
                MapFlags::SHARED,
                memory,
                0,
            )
        }
        .context("cannot map the memory for the ops")?;
        let base = NonNull::new(base.cast()).context("mmap returned null")?;
        Ok(Self {
            base,
            len,
            spec: spec.clone(),
        })
    }

    fn header(&self) -> &Header {
        // SAFETY: the mapping begins with it, is page-aligned and lives as long as `self`;
        // all of it is atomic.
        unsafe { self.base.cast::<Header>().as_ref() }
    }

    fn thread(&self, thread: u32) -> &ThreadHeader {
        assert!(thread < self.spec.threads);
        // SAFETY: there are `threads` of them behind the header, 64 bytes each; all of it
        // is atomic.
        unsafe {
            self.base
                .add(size_of::<Header>())
                .cast()
                .add(thread as usize)
                .as_ref()
        }
    }

    fn first_op(&self, thread: u32) -> NonNull<Op> {
        let before = self.spec.share(thread).start as usize;
        // SAFETY: `ops_at` is a multiple of 64, and `reads` ops lie behind it.
        unsafe { self.base.add(Self::ops_at(&self.spec)).cast().add(before) }
    }

    fn room(&self, thread: u32) -> u64 {
        let share = self.spec.share(thread);
        share.end - share.start
    }

    /// Asks the reader's threads to stop before their next op.
    pub(crate) fn stop(&self) {
        self.header().stop.store(true, Ordering::Relaxed);
    }

    /// A thread's id, and the ops that it has recorded so far.
    pub(crate) fn recorded(&self, thread: u32) -> (u32, Ops<'_>) {
        let header = self.thread(thread);
        let count = header.count.load(Ordering::Acquire).min(self.room(thread)) as usize;
        // SAFETY: the count is within the thread's room, which is mapped as long as `self`;
        // the reader wrote the ops before the count and does not write them again.
        let ops = unsafe { Ops::new(self.first_op(thread), count) };
        (header.tid.load(Ordering::Relaxed), ops)
    }

    /// A thread's record to write, with the offsets of its ops already in it: working
    /// them out is not a part of reading.
    ///
    /// # Safety
    /// There is only one for each thread.
    pub(crate) unsafe fn log(&self, thread: u32) -> Log<'_> {
        let first = self.first_op(thread);
        for (i, offset) in order::offsets(&self.spec, thread).enumerate() {
            // SAFETY: the order has as many offsets as the thread has room for.
            unsafe {
                first.add(i).write(Op {
                    offset,
                    ..Op::default()
                })
            };
        }
        let header = self.thread(thread);
        Log {
            stop: &self.header().stop,
            header,
            first,
            room: self.room(thread),
            count: 0,
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `map`; all that refers to it borrows `self`.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// The record of one thread, while it is written.
pub(crate) struct Log<'a> {
    stop: &'a AtomicBool,
    header: &'a ThreadHeader,
    first: NonNull<Op>,
    room: u64,
    count: u64,
}

// SAFETY: it is the only one to write the thread's ops, from whichever thread.
unsafe impl Send for Log<'_> {}

impl Log<'_> {
    /// Tells the thread's id to the parent.
    pub(crate) fn sign(&self, tid: u32) {
        self.header.tid.store(tid, Ordering::Relaxed);
    }

    /// The offset of the next op; `None` at the end, or when asked to stop.
    #[inline]
    pub(crate) fn next(&self) -> Option<u64> {
        if self.count >= self.room || self.stop.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: within the thread's room, where `log` has put the offset.
        Some(unsafe { self.first.add(self.count as usize).as_ref() }.offset)
    }

    /// Records the op that [`Log::next`] gave the offset of.
    #[inline]
    pub(crate) fn push(&mut self, op: Op) {
        if self.count < self.room {
            // SAFETY: within the thread's room, and nobody reads it before the count is
            // stored.
            unsafe { self.first.add(self.count as usize).write(op) };
            self.count += 1;
            self.header.count.store(self.count, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::style::{Advice, Pattern, Style};
    use super::*;

    fn spec() -> Spec {
        Spec {
            path: "/f".into(),
            file_size: 10 * 4096,
            style: Style::Buffered,
            pattern: Pattern::Sequential,
            advice: Advice::Normal,
            block_size: 4096,
            stride: 4096,
            threads: 2,
            reads: 5,
            seed: 1,
        }
    }

    #[test]
    fn the_parent_reads_what_the_reader_wrote() {
        let (parent, memory) = Records::create(&spec()).unwrap();
        let reader = Records::open(&memory, &spec()).unwrap();
        let op = |offset| Op {
            offset,
            asked: 4096,
            returned: -5,
            start_ns: 1,
            end_ns: 2,
        };
        // SAFETY: the only one of this thread.
        let mut log = unsafe { reader.log(1) };
        log.sign(4711);
        let recorded = |thread| {
            let (tid, ops) = parent.recorded(thread);
            (tid, ops.collect::<Vec<_>>())
        };
        assert_eq!(recorded(1), (4711, vec![]));
        let mut offsets = vec![];
        while let Some(offset) = log.next() {
            offsets.push(offset);
            log.push(op(offset));
        }
        assert_eq!(offsets, [2 * 4096, 3 * 4096, 4 * 4096]);
        assert_eq!(
            recorded(1).1,
            offsets.into_iter().map(op).collect::<Vec<_>>()
        );
        assert_eq!(recorded(0), (0, vec![]));
        // One too many is not written into the neighbour's.
        log.push(op(0));
        assert_eq!(recorded(1).1.len(), 3);
    }

    #[test]
    fn ops_are_read_as_often_as_one_likes() {
        let spec = Spec {
            file_size: 4096,
            block_size: 1,
            stride: 1,
            threads: 1,
            reads: 200_000,
            ..spec()
        };
        let (parent, memory) = Records::create(&spec).unwrap();
        let reader = Records::open(&memory, &spec).unwrap();
        // SAFETY: the only one of this thread.
        let mut log = unsafe { reader.log(0) };
        for start_ns in 0..200_000 {
            log.push(Op {
                start_ns,
                ..Op::default()
            });
        }
        let mut ops = parent.recorded(0).1;
        assert!(ops.clone().map(|op| op.start_ns).eq(0..200_000));
        // What was given back is there again.
        assert_eq!(ops.nth(150_000).map(|op| op.start_ns), Some(150_000));
        assert!(ops.clone().map(|op| op.start_ns).eq(150_001..200_000));
        assert_eq!((ops.len(), ops.count()), (49_999, 49_999));
        assert!(parent.recorded(0).1.map(|op| op.start_ns).eq(0..200_000));
    }

    #[test]
    fn a_wish_to_stop_reaches_the_reader() {
        let (parent, memory) = Records::create(&spec()).unwrap();
        let reader = Records::open(&memory, &spec()).unwrap();
        // SAFETY: the only one of this thread.
        let log = unsafe { reader.log(0) };
        assert_eq!(log.next(), Some(0));
        parent.stop();
        assert_eq!(log.next(), None);
    }

    #[test]
    fn the_memory_cannot_be_shrunk() {
        let (_parent, memory) = Records::create(&spec()).unwrap();
        assert_eq!(
            rustix::fs::ftruncate(&memory, 0),
            Err(rustix::io::Errno::PERM)
        );
        assert!(Records::open(&memory, &Spec { reads: 6, ..spec() }).is_err());
    }
}
