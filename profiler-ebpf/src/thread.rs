//! The state of a watched thread and of its open call.

use core::{
    mem::offset_of,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use profiler_common::{
    control::pages,
    fact::{CALL_FAULT, Ended},
};

use crate::{
    account::Account,
    kernel::{Inode, Span, fixed},
    sleep::{Sleep, Wakeup},
    stack::Usual,
    words,
};

/// What is kept of one watched thread. Zeroed when it is new.
///
/// Two CPUs can meet in it: the thread's own, and one that wakes it. So it is only reached by raw
/// pointer, and what the waker writes lies apart.
#[repr(C)]
pub(crate) struct State {
    own: Own,
    wakeup: Wakeup,
}

/// The part that is only reached where the thread is: on the CPU that it runs on, leaves, or
/// comes to.
#[repr(C)]
pub(crate) struct Own {
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

/// A watched thread, where it is.
pub(crate) struct Thread(NonNull<State>);

/// A watched thread, from wherever it is woken.
pub(crate) struct Sleeper(NonNull<State>);

impl Thread {
    /// # Safety
    ///
    /// The state is a live one, of the current task, of a task that is switched out or in on this
    /// CPU, or of one that has not run yet; and this program has no other `Thread` of it.
    #[inline(always)]
    pub(crate) unsafe fn new(state: NonNull<State>) -> Self {
        Self(state)
    }

    /// What its waker writes, perhaps right now.
    #[inline(always)]
    pub(crate) fn wakeup(&self) -> *mut Wakeup {
        // SAFETY: within the state.
        unsafe { &raw mut (*self.0.as_ptr()).wakeup }
    }

    #[inline(always)]
    pub(crate) fn forget_wakeup(&mut self) {
        // SAFETY: a field of live state, which another CPU may be writing.
        unsafe { (&raw mut (*self.wakeup()).woken_ns).write_volatile(0) };
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
        self.forget_wakeup();
        self.lock.address = 0;
        self.reclaim_ns = 0;
    }
}

impl Deref for Thread {
    type Target = Own;

    #[inline(always)]
    fn deref(&self) -> &Own {
        // SAFETY: by the word of who called `new`, no other CPU reaches this part. (Where programs
        // can be preempted, `sched_switch` can come in the middle of another program of the
        // thread, as a signal's handler does; it leaves an ending call alone.)
        unsafe { &(*self.0.as_ptr()).own }
    }
}

impl DerefMut for Thread {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Own {
        // SAFETY: as above.
        unsafe { &mut (*self.0.as_ptr()).own }
    }
}

impl Sleeper {
    /// # Safety
    ///
    /// The state is a live one.
    #[inline(always)]
    pub(crate) unsafe fn new(state: NonNull<State>) -> Self {
        Self(state)
    }

    /// Is a call open? The thread may be closing it right now.
    #[inline(always)]
    pub(crate) fn in_call(&self) -> bool {
        // SAFETY: a field of live state, which another CPU may be writing.
        let call_ns = unsafe { (&raw const (*self.0.as_ptr()).own.open.call_ns).read_volatile() };
        call_ns != 0
    }

    /// What this CPU writes.
    #[inline(always)]
    pub(crate) fn wakeup(&self) -> *mut Wakeup {
        // SAFETY: within the state.
        unsafe { &raw mut (*self.0.as_ptr()).wakeup }
    }
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

impl Own {
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
}
