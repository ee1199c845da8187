//! The recorded ops of one thread, one after the other.

use std::ffi::c_void;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ptr::NonNull;

use rustix::mm::Advice;

/// One read as the workload meant it, told by the workload.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Op {
    /// Where in the file, in bytes.
    pub offset: u64,
    /// Bytes asked for.
    pub asked: u32,
    /// Bytes got, or the negated errno.
    pub returned: i32,
    /// Just before the read, in ns of `CLOCK_MONOTONIC`.
    pub start_ns: u64,
    /// Just after it.
    pub end_ns: u64,
}

const _: () = assert!(size_of::<Op>() == 32 && align_of::<Op>() == 8);

/// After so many ops their pages are given back: 2 MiB. The memory that the reader shares
/// with its parent counts as the parent's too, where it has looked at it, and a run has up
/// to 128 MiB of ops.
const GIVEN_BACK: usize = 64 * 1024;

/// Reads ops where the reader has put them, and keeps none. A clone begins where the
/// original is.
#[derive(Clone, Debug)]
pub struct Ops<'a> {
    first: NonNull<Op>,
    at: usize,
    count: usize,
    given_back: usize,
    records: PhantomData<&'a Op>,
}

impl Ops<'_> {
    /// # Safety
    ///
    /// `count` ops lie behind `first` in memory that is shared with the reader, mapped as
    /// long as the lifetime, and written before and not again.
    pub(super) unsafe fn new(first: NonNull<Op>, count: usize) -> Self {
        Self {
            first,
            at: 0,
            count,
            given_back: 0,
            records: PhantomData,
        }
    }

    fn give_back(&mut self) {
        let page = rustix::param::page_size();
        let address = |op: usize| self.first.addr().get() + op * size_of::<Op>();
        // From the page that holds the first of them, which lies in the mapping too, to
        // the one that holds the next op.
        let from = address(self.given_back) / page * page;
        let length = address(self.at) / page * page - from;
        let first = self.first.as_ptr().with_addr(from).cast::<c_void>();
        // SAFETY: whole pages of a shared mapping: what is in them stays in the memory
        // that they map, and is mapped again where it is looked at.
        let _ = unsafe { rustix::mm::madvise(first, length, Advice::LinuxDontNeed) };
        self.given_back = self.at;
    }
}

impl Iterator for Ops<'_> {
    type Item = Op;

    fn next(&mut self) -> Option<Op> {
        if self.at == self.count {
            return None;
        }
        // SAFETY: below the count, so it is there and nobody writes it (see `new`).
        let op = unsafe { self.first.add(self.at).read_volatile() };
        self.at += 1;
        if self.at - self.given_back == GIVEN_BACK {
            self.give_back();
        }
        Some(op)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.at;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Ops<'_> {}
impl FusedIterator for Ops<'_> {}

impl Drop for Ops<'_> {
    fn drop(&mut self) {
        if self.at > self.given_back {
            self.give_back();
        }
    }
}
