//! The state of a watched thread and of its open call.

use core::mem::offset_of;

use profiler_common::{
    control::pages,
    fact::{CALL_FAULT, Ended, RequestFacts},
};

use crate::{
    account::Account,
    kernel::{Inode, Span, fixed},
    words,
};

/// One watched thread. Zeroed when it is new.
#[repr(C)]
pub(crate) struct Thread {
    pub tid: u32,
    pub pid: u32,
    pub open: Open,
    pub sleep: Sleep,
    pub lock: Lock,
    /// When direct reclaim began; 0: not in it.
    pub reclaim_ns: u64,
    pub usual: Usual,
    pub account: Account,
    /// Room to copy a file's and an inode's fields to.
    pub span: Span,
}

/// The open call.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Open {
    /// When it began; 0: there is none.
    pub call_ns: u64,
    /// The last moment at which a fault was known to be going on.
    pub last_ns: u64,
    /// How often the task had been switched out when it began.
    pub switches: u64,
    /// Faults that the task had finished when this one began.
    pub faults_done: u64,
    /// `CALL_*`.
    pub call: u32,
    /// Something happened that is to be told.
    pub loud: u32,
    pub requested: u64,
    pub offset: i64,
    /// The file, by what will be needed of it. Addresses are only compared or
    /// copied from with checks.
    pub mapping: u64,
    /// The super block, where it is yet to be copied from; 0: `dev` and `magic` are known.
    pub sb: u64,
    pub dev: u32,
    pub magic: u32,
    pub dentry: u64,
    pub inode: u64,
    pub file_size: u64,
    pub file_flags: u32,
    pub fd: i32,
    pub mode: u16,
    /// Its end is being told: a program can be preempted, and what happens then is not the
    /// call's.
    pub ending: u16,
    /// What requests were submitted since the call's last sleep: a bit for each kind.
    pub requests: u32,
    pub sums: Sums,
}

/// What is summed while a call is open; lies like the fields of [`Ended`] that tell it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    pub bio_bytes: [u64; 3],
    pub bios: [u32; 3],
    pub facts: u32,
    pub filled: u32,
    pub filled_asked: u32,
    pub filled_other: u32,
    pub readahead_sync: u32,
    pub readahead_async: u32,
    /// Switches that were told.
    pub waits: u32,
}

const _: () = {
    assert!(offset_of!(Ended, bios) - offset_of!(Ended, bio_bytes) == offset_of!(Sums, bios));
    assert!(offset_of!(Ended, facts) - offset_of!(Ended, bio_bytes) == offset_of!(Sums, facts));
    assert!(offset_of!(Ended, filled) - offset_of!(Ended, bio_bytes) == offset_of!(Sums, filled));
    assert!(offset_of!(Ended, dev) - offset_of!(Ended, bio_bytes) == offset_of!(Sums, waits));
};

/// A stay off the CPU that is not over, and its wake-up.
///
/// The wake-up is written by another CPU, perhaps a little before the switch-out
/// has been told; `docs/blame.md` (Wake-ups) says why that is enough.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Sleep {
    /// Switched out; 0: on the CPU.
    pub out_ns: u64,
    pub state: u32,
    pub flags: u32,
    pub lock: u64,
    pub lock_ns: u64,
    pub lock_flags: u32,
    pub stack: i32,
    pub woken_ns: u64,
    pub waker_tid: u32,
    pub waker_pid: u32,
    pub waker_stack: i32,
    /// Not 0: requests of its own were under way ([`Open::requests`]).
    pub requests: u32,
    pub waker_comm: [u8; 16],
    pub request: RequestFacts,
}

/// The stack that the thread usually sleeps with for requests of its own.
///
/// To walk a stack takes 4 µs, which is more than all else that is done about a cold read.
/// Where the completion of its own request is what wakes a thread, over and over in the same
/// kind of call on the same file, the stack tells nothing new: one sleep in [`Usual::EACH`]
/// has its own, the others have that one's. A sleep that anything else ended has none then,
/// and a long row of stacks follows: so where that happens at all (a worker that ends reads,
/// tags that run out), all but one in some hundred sleeps have their own.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Usual {
    mapping: u64,
    kind: u64,
    stack: i32,
    /// Sleeps that it may still stand for.
    left: u32,
    /// Sleeps that have to be as foreseen before it stands for others again.
    doubt: u32,
    unused: u32,
}

impl Usual {
    const EACH: u32 = 64;
    const DOUBT: u32 = 255;

    /// The stack that this sleep can do with.
    #[inline(always)]
    pub(crate) fn of(&mut self, open: &Open) -> Option<i32> {
        let kind = Self::kind(open);
        if self.left == 0 || self.mapping != open.mapping || self.kind != kind {
            return None;
        }
        self.left -= 1;
        Some(self.stack)
    }

    /// A stack was taken, as there was none to do with.
    #[inline(always)]
    pub(crate) fn take(&mut self, open: &Open, stack: i32) {
        self.mapping = open.mapping;
        self.kind = Self::kind(open);
        self.stack = stack;
        self.left = 0;
    }

    /// It was a request's completion that ended the sleep, for which a stack was taken.
    #[inline(always)]
    pub(crate) fn foreseen(&mut self) {
        if self.doubt != 0 {
            self.doubt -= 1;
        } else {
            self.left = Self::EACH - 1;
        }
    }

    /// It was something else.
    #[inline(always)]
    pub(crate) fn not_foreseen(&mut self) {
        self.left = 0;
        self.doubt = Self::DOUBT;
    }

    #[inline(always)]
    fn kind(open: &Open) -> u64 {
        u64::from(open.call) | u64::from(open.requests) << 8 | u64::from(open.file_flags) << 32
    }
}

/// A lock that the thread is waiting for.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Lock {
    pub address: u64,
    pub since_ns: u64,
    pub flags: u32,
    pub unused: u32,
}

impl Open {
    /// Pages that were asked for, first and last. A quiet call never needs them.
    #[inline(always)]
    pub(crate) fn pages(&self) -> (u64, u64) {
        pages(self.offset as u64, self.requested, fixed!(page_shift))
    }

    /// Notes an inode's fields, read in place.
    #[inline(always)]
    pub(crate) fn inode(&mut self, inode: Inode) {
        let sb = inode.sb();
        self.sb = 0;
        self.dev = sb.dev();
        self.magic = sb.magic() as u32;
        self.mode = inode.mode();
        self.inode = inode.ino();
        self.file_size = inode.size();
    }

    /// The descriptor names no open file.
    #[inline(always)]
    pub(crate) fn no_file(&mut self) {
        self.mapping = 0;
        self.sb = 0;
        self.dev = 0;
        self.magic = 0;
        self.dentry = 0;
        self.inode = 0;
        self.file_size = 0;
        self.file_flags = 0;
        self.mode = 0;
        self.offset = -1;
    }
}

impl Thread {
    /// Is a call open?
    #[inline(always)]
    pub(crate) fn in_call(&self) -> bool {
        self.open.call_ns != 0
    }

    #[inline(always)]
    pub(crate) fn in_fault(&self) -> bool {
        self.in_call() && self.open.call == CALL_FAULT
    }

    /// Is a system call open, not a fault?
    #[inline(always)]
    pub(crate) fn in_read(&self) -> bool {
        self.in_call() && !self.in_fault()
    }

    /// Forgets the call. The sums are only touched when something was summed.
    #[inline(always)]
    pub(crate) fn close(&mut self) {
        self.open.call_ns = 0;
        self.open.ending = 0;
        if self.open.loud != 0 {
            self.open.loud = 0;
            self.open.requests = 0;
            // SAFETY: the sums of this thread's state; zeroes are sums.
            unsafe { words::zero(&raw mut self.open.sums) };
        }
        self.sleep.out_ns = 0;
        self.sleep.woken_ns = 0;
        self.lock.address = 0;
        self.reclaim_ns = 0;
    }
}
