//! What blame says of one call.

use super::{Cause, Shares};
use crate::named::named;

/// The partition of one call's time, and what the page cache did for it.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What the page cache did.
    pub outcome: Outcome,
    /// By time, without gaps or overlaps: they add up to the call's duration.
    pub spans: Vec<Span>,
    /// The sum of the spans by cause.
    pub shares: Shares,
}

/// One stretch of a call with one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Since the call began, in nanoseconds.
    pub at_ns: u64,
    /// Length, in nanoseconds; never 0.
    pub ns: u64,
    /// Why this stretch of the call's time passed.
    pub cause: Cause,
    /// Who or what it was, as far as it is known.
    pub detail: Detail,
    /// Stack map id of the kernel stack the thread slept with.
    pub stack: Option<u32>,
}

/// What is known beyond the cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// The kernel did not tell the wake-up, so what ended the sleep is not known, nor
    /// when.
    WakeUnseen,
    /// It ran again at some moment of this stretch.
    BackUnseen,
    /// The request that was waited for.
    Request {
        /// Device, as the kernel's `dev_t` (major << 20 | minor).
        dev: u32,
        /// What the request was for.
        kind: IoKind,
        /// Who submitted it.
        owner: Owner,
    },
    /// A lock.
    Lock {
        /// Which lock it is: `inode lock`; `lock` where its kind is not known.
        name: &'static str,
        /// Its address in the kernel; 0 for a folio's lock, which is a bit.
        address: u64,
    },
    /// The task that ended the sleep, and through what kind of descriptor.
    Waker {
        /// The task's thread id.
        tid: u32,
        /// The task's name, NUL padded.
        comm: [u8; 16],
        /// What connects it with the sleeper: `pipe`, `socket`, `terminal`, a read that it ended.
        through: &'static str,
    },
    /// The file system that had to answer.
    Server {
        /// Name of the file system: `fuse`, `nfs`.
        name: &'static str,
        /// Thread id of the task that ended the sleep.
        tid: u32,
        /// Name of that task, NUL padded.
        comm: [u8; 16],
    },
}

named! {
    /// What a request was for.
    pub enum IoKind {
        /// What a call asked for.
        Data "data",
        /// The file system's own data.
        Metadata "metadata",
        /// What nobody has asked for yet.
        Readahead "readahead",
    }
}

/// Who submitted the request that was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// This call.
    Call,
    /// This thread, in an earlier call.
    Thread,
    /// Another thread of this process.
    Process {
        /// Its thread id.
        tid: u32,
        /// Its name, NUL padded.
        comm: [u8; 16],
    },
    /// Another process.
    Foreign {
        /// Its process id.
        pid: u32,
        /// Name of the thread that submitted the request, NUL padded.
        comm: [u8; 16],
    },
    /// It was not seen.
    Unknown,
}

named! {
    /// What the page cache did for a call.
    pub enum Outcome {
        /// Every byte was there.
        Hit "hit",
        /// It was on its way, asked for earlier or by somebody else: the call waited for it.
        Late "late",
        /// The call had to fetch it.
        Miss "miss",
        /// The page was not there and no disk was asked: a hole in the file.
        Hole "hole",
        /// Past the page cache (`O_DIRECT`).
        Direct "direct",
        /// Nothing left to read.
        Eof "eof",
        /// The call returned an error.
        Error "error",
        /// A fault on a file mapping.
        Fault "fault",
        /// Not a file with a page cache: a pipe, a socket, a terminal, a directory.
        Other "other",
    }
}
