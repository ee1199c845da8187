//! What blame says of one call.

use super::{Cause, Shares};
use crate::named::named;

/// The partition of one call's time, and what the page cache did for it.
#[derive(Clone, Debug)]
pub struct Verdict {
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
    pub cause: Cause,
    pub detail: Detail,
    /// Stack map id of the kernel stack the thread slept with.
    pub stack: Option<u32>,
}

/// What is known beyond the cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Detail {
    #[default]
    None,
    /// The kernel did not tell the wake-up, so what ended the sleep is not known, nor
    /// when.
    WakeUnseen,
    /// It ran again at some moment of this stretch.
    BackUnseen,
    /// The request that was waited for.
    Request {
        dev: u32,
        kind: IoKind,
        owner: Owner,
    },
    /// A lock: what it is, if its kind can be told, and its address.
    Lock { name: &'static str, address: u64 },
    /// The task that ended the sleep, and through what kind of descriptor.
    Waker {
        tid: u32,
        comm: [u8; 16],
        through: &'static str,
    },
    /// The file system that had to answer.
    Server {
        name: &'static str,
        tid: u32,
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
    Process { tid: u32, comm: [u8; 16] },
    /// Another process.
    Foreign { pid: u32, comm: [u8; 16] },
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
