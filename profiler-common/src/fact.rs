//! What the ring carries.
//!
//! A **fact** is one fixed-size record about a call, stamped in the kernel. Every
//! fact starts with a [`Head`]; `Head::kind` says which of the types of this
//! module it is. Times are nanoseconds of `CLOCK_MONOTONIC` (`bpf_ktime_get_ns`).
//!
//! What a call does is an **operation**, and [`Head::op`] is its name: all facts of one operation
//! have the same, and no other operation that goes on at that time, or ended lately, has it. Today
//! each operation is a stay of one thread in the kernel, named by [`stay`]. Names with
//! [`NO_STAY`] are left for operations that are none: what io_uring or AIO do for a thread that
//! is elsewhere meanwhile. Such an operation has a begin too, but its facts come from several
//! threads, so nothing but `op` may be asked whether two facts belong together.

/// [`Ended::call`]: which system call, or a fault.
pub use crate::calls::{CALL_FAULT, CALL_PREAD, CALL_PREADV, CALL_PREADV2, CALL_READ, CALL_READV};
use crate::pod;

/// [`Head::kind`] of a [`Wait`].
pub const KIND_WAIT: u32 = 1;
/// [`Head::kind`] of a [`Reclaim`].
pub const KIND_RECLAIM: u32 = 2;
/// [`Head::kind`] of a [`Request`].
pub const KIND_REQUEST: u32 = 3;
/// [`Head::kind`] of an [`Ended`].
pub const KIND_ENDED: u32 = 4;
/// How many kinds there are, counting the unused 0: the length of counter tables.
pub const KINDS: usize = 5;

/// The name of a kind as the report gives it.
pub const fn kind_name(kind: u32) -> &'static str {
    match kind {
        KIND_WAIT => "wait",
        KIND_RECLAIM => "reclaim",
        KIND_REQUEST => "request",
        KIND_ENDED => "ended",
        _ => "unknown",
    }
}

/// The start of every fact.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// One of the `KIND_*` constants.
    pub kind: u32,
    /// Size of the whole record in bytes, this head included.
    pub size: u32,
    /// Thread that the call belongs to (kernel `pid`).
    pub tid: u32,
    /// Process of that thread (kernel `tgid`).
    pub pid: u32,
    /// When the fact was complete.
    pub at_ns: u64,
    /// When the operation began.
    pub call_ns: u64,
    /// The operation that the fact belongs to.
    pub op: u64,
}

/// Name of a thread's stay in the kernel, by its begin.
///
/// No two stays share a name unless one begins a whole multiple of 2^41 ns (36 minutes) after
/// the other, to the nanosecond, and their thread ids (at most 22 bits: `PID_MAX_LIMIT`) differ
/// in just the bits that this multiple has.
#[inline(always)]
pub const fn stay(tid: u32, begin_ns: u64) -> u64 {
    begin_ns ^ (tid as u64) << 41
}

/// A bit of names of operations that are no stay of a thread. A stay's never has it: the clock
/// takes 292 years to set it.
pub const NO_STAY: u64 = 1 << 63;

/// What is known of a block request when it completes.
///
/// All zero but for `cmd_flags`-independent fields when the kernel could not tell:
/// `completed_ns == 0` means that there is no request here at all.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// When the submitter handed it to the block layer; 0 unknown.
    pub submitted_ns: u64,
    /// When it was issued to the driver (the last time, if requeued); 0 unknown.
    pub issued_ns: u64,
    /// When the driver's completion was processed; 0: there is no request.
    pub completed_ns: u64,
    /// First sector (512 bytes), on the whole device.
    pub sector: u64,
    /// Operation that submitted it; 0 when it was no watched one.
    pub owner_op: u64,
    /// Length in bytes.
    pub bytes: u32,
    /// Device, as the kernel's `dev_t` (major << 20 | minor).
    pub dev: u32,
    /// Thread that submitted it; 0 unknown.
    pub owner_tid: u32,
    /// Process that submitted it; 0 unknown.
    pub owner_pid: u32,
    /// `REQUEST_*` bits.
    pub flags: u32,
    /// Named padding.
    pub unused: u32,
    /// Name of the submitting thread, NUL padded.
    pub owner_comm: [u8; 16],
}

/// The request is marked as readahead (`REQ_RAHEAD`).
pub const REQUEST_READAHEAD: u32 = 1 << 0;
/// The request fetches metadata: `REQ_META`, or pages of a block device's own mapping.
pub const REQUEST_METADATA: u32 = 1 << 1;
/// A bio of it was held back by a cgroup's limit (`BIO_*THROTTLED`).
pub const REQUEST_THROTTLED: u32 = 1 << 2;
/// It was submitted by a kernel worker, not by the thread that asked for it.
pub const REQUEST_BY_WORKER: u32 = 1 << 3;
/// It is not a read.
pub const REQUEST_WRITE: u32 = 1 << 4;

/// One stay off the CPU, told when the thread is back on it.
///
/// `out_ns <= woken_ns <= head.at_ns`, where `woken_ns` is not 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// Kind [`KIND_WAIT`]; `at_ns` is when the thread was back on the CPU.
    pub head: Head,
    /// Switched out.
    pub out_ns: u64,
    /// Woken; 0 if the thread was runnable all the time (preempted), or if the
    /// wake-up was not seen ([`WAIT_WAKE_UNSEEN`]).
    pub woken_ns: u64,
    /// Address of the lock whose contention was open when it went to sleep; 0 none.
    pub lock: u64,
    /// When that contention began.
    pub lock_ns: u64,
    /// `LCB_F_*` of the contention.
    pub lock_flags: u32,
    /// The kernel's `prev_state` (0 running, 1 interruptible, 2 uninterruptible, …).
    pub state: u32,
    /// `WAIT_*` bits.
    pub flags: u32,
    /// Stack map id of the sleeper's kernel stack; negative: not taken (-errno).
    pub stack: i32,
    /// Stack map id of the waker's kernel stack; negative: not taken.
    pub waker_stack: i32,
    /// Task that was current where the wake-up happened (meaningless in interrupts).
    pub waker_tid: u32,
    /// Its process.
    pub waker_pid: u32,
    /// Named padding.
    pub unused: u32,
    /// Its name, NUL padded.
    pub waker_comm: [u8; 16],
    /// The request that was being completed on the waking CPU.
    pub request: RequestFacts,
}

/// Switched out while runnable.
pub const WAIT_PREEMPTED: u32 = 1 << 0;
/// Slept, but no wake-up was seen.
pub const WAIT_WAKE_UNSEEN: u32 = 1 << 1;
/// Went to sleep inside direct reclaim.
pub const WAIT_IN_RECLAIM: u32 = 1 << 2;
/// The task was marked as waiting for I/O (`task_struct.in_iowait`).
pub const WAIT_IOWAIT: u32 = 1 << 3;
/// It ran again before `head.at_ns`; when exactly was not seen.
pub const WAIT_BACK_UNSEEN: u32 = 1 << 4;
/// `stack` is that of an earlier sleep of the same thread, which it also slept for a request
/// of its own, in a call of the same kind on the same file.
pub const WAIT_STACK_EARLIER: u32 = 1 << 5;

/// One stay in direct reclaim, on the CPU or off it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reclaim {
    /// Kind [`KIND_RECLAIM`]; `at_ns` is when the stay ended.
    pub head: Head,
    /// When it began; `head.at_ns` is when it ended.
    pub begin_ns: u64,
    /// Pages freed.
    pub pages: u64,
}

/// A request that a watched call submitted, told when it completed, which may be
/// after the call ended. `head` names the call. Not counted in [`Ended::facts`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Kind [`KIND_REQUEST`]; `at_ns` is when the request was completed.
    pub head: Head,
    /// The request.
    pub request: RequestFacts,
}

/// The end of a call, with everything that was summed while it was open.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Kind [`KIND_ENDED`]; `at_ns` is when the call ended ([`ENDED_AT_LAST_FACT`] tells of faults).
    pub head: Head,
    /// Bytes asked for; for vectors, the sum of their buffers.
    pub requested: u64,
    /// Return value: bytes, or -errno. For faults: 0.
    pub returned: i64,
    /// File offset in bytes; -1 where there is none (pipes, sockets).
    pub offset: i64,
    /// Inode number.
    pub inode: u64,
    /// Size of the file in bytes when the call began.
    pub file_size: u64,
    /// Bytes of bios submitted by the call, by kind: data, metadata, readahead.
    pub bio_bytes: [u64; 3],
    /// Number of those bios.
    pub bios: [u32; 3],
    /// Facts ([`Wait`], [`Reclaim`]) made for this call, lost ones included.
    pub facts: u32,
    /// Pages that the call added to the file's page cache.
    pub filled: u32,
    /// Those of them that lie in the range that the call asked for.
    pub filled_asked: u32,
    /// Pages that it added to other mappings (a block device's, for metadata).
    pub filled_other: u32,
    /// Readahead begun because a page was missing (`page_cache_sync_ra`).
    pub readahead_sync: u32,
    /// Readahead begun because a marked page was reached (`page_cache_async_ra`).
    pub readahead_async: u32,
    /// Device that holds the file (`super_block.s_dev`).
    pub dev: u32,
    /// `super_block.s_magic`.
    pub magic: u32,
    /// `inode.i_mode`; 0: the descriptor named no open file.
    pub mode: u32,
    /// `file.f_flags`.
    pub file_flags: u32,
    /// File descriptor; -1 for faults.
    pub fd: i32,
    /// One of the `CALL_*` constants.
    pub call: u32,
    /// `ENDED_*` bits.
    pub flags: u32,
    /// Name of the thread, NUL padded.
    pub comm: [u8; 16],
    /// Last component of the file's name, NUL padded, cut at 31 bytes.
    pub name: [u8; 32],
}

/// The thread ended inside the call.
pub const ENDED_BY_EXIT: u32 = 1 << 0;
/// The end was not seen: `head.at_ns` is the last moment at which the call was
/// known to be going on (faults, see docs/blame.md).
pub const ENDED_AT_LAST_FACT: u32 = 1 << 1;
/// Nothing of note happened: sent only because every call was asked for.
pub const ENDED_QUIET: u32 = 1 << 2;
/// The kernel counted more switches away from the thread than were seen, so there are
/// waits of which nothing is known.
pub const ENDED_SWITCH_UNSEEN: u32 = 1 << 3;

const _: () = {
    assert!(size_of::<Head>() == 40);
    assert!(size_of::<RequestFacts>() == 80);
    assert!(size_of::<Wait>() == 200);
    assert!(size_of::<Reclaim>() == 56);
    assert!(size_of::<Request>() == 120);
    assert!(size_of::<Ended>() == 216);
    assert!(align_of::<Wait>() == 8 && align_of::<Ended>() == 8);
};

pod!(Head, RequestFacts, Wait, Reclaim, Request, Ended);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_that_overlap_have_different_names() {
        const MOST_TIDS: u32 = 1 << 22;
        let year = 365 * 24 * 3600 * 1_000_000_000;
        for begin_ns in [1, 1 << 41, (1 << 42) - 1, year, 100 * year] {
            for tid in [1, 2, 4096, MOST_TIDS - 1] {
                let name = stay(tid, begin_ns);
                assert_eq!(name & NO_STAY, 0);
                assert_ne!(name, stay(tid - 1, begin_ns));
                for later in [1, 1_000_000_000, (1 << 41) - 1] {
                    for other in [tid - 1, tid, MOST_TIDS - 1] {
                        assert_ne!(name, stay(other, begin_ns + later));
                    }
                }
            }
        }
    }
}
