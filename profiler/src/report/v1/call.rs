//! Single calls, and what calls waited for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Blame, CallKind, OwnerKind, Word};
use crate::blame::{Cause, IoKind, Outcome};
use crate::named::names;

/// What complete calls waited for: all waits with one cause, detail and stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// Word for the cause.
    #[schemars(extend("enum" = names::<Cause>()))]
    pub cause: Word<Cause>,
    /// What is known beyond the cause, in words that continue it: `on vda behind
    /// readahead of pid 4711 (fio)`. Empty if nothing is.
    pub detail: String,
    /// Kernel functions that the thread slept in, innermost first. Empty for
    /// `preempted` and `runqueue`, and where no stack could be taken. Of a row of sleeps of
    /// one thread for its own requests, in the same kind of call on the same file, one in 64
    /// was looked at, and stands for the others.
    pub stack: Vec<String>,
    /// Number of waits.
    pub count: u64,
    /// Sum of their time, in nanoseconds.
    pub ns: u64,
    /// Longest of them, in nanoseconds.
    pub max_ns: u64,
    /// The request that was waited for; null if it was not a request.
    pub request: Option<RequestWords>,
    /// Not null if this entry stands for waits with other details and stacks that
    /// were too many to keep apart: how many waits those are.
    pub folded: Option<u64>,
}

/// A request that was waited for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestWords {
    /// Name of the device, or `major:minor`.
    pub device: String,
    /// What it was for: `data`, `metadata` or `readahead`.
    #[schemars(extend("enum" = names::<IoKind>()))]
    pub kind: Word<IoKind>,
    /// Who submitted it: this `call`, this `thread` in an earlier call, another
    /// thread of this `process`, a `foreign` process, or `unknown`.
    #[schemars(extend("enum" = names::<OwnerKind>()))]
    pub owner: Word<OwnerKind>,
    /// Process that submitted it, where it is a foreign one.
    pub pid: Option<u32>,
    /// Thread that submitted it, where it is another one of this process.
    pub tid: Option<u32>,
    /// Name of that thread or process.
    pub comm: Option<String>,
}

/// One slow call, with everything that is known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlowCall {
    /// Thread that made the call.
    pub tid: u32,
    /// Its name. Bytes that are not UTF-8 appear as `\xNN`.
    pub comm: String,
    /// The file, as a path if it is known, else the last component of its name; null
    /// if there is none. Bytes that are not UTF-8 appear as `\xNN`.
    pub path: Option<String>,
    /// File offset in bytes; null where there is none (pipes, sockets).
    pub offset: Option<u64>,
    /// Bytes asked for; null if not known (vectors).
    pub requested: Option<u64>,
    /// What the call returned: bytes, or a negative errno.
    pub returned: i64,
    /// Duration in nanoseconds.
    pub latency_ns: u64,
    /// What the page cache did for it.
    #[schemars(extend("enum" = names::<Outcome>()))]
    pub outcome: Word<Outcome>,
    /// Whether all its facts arrived. If not, blame and timeline are only as good as
    /// what did.
    pub complete: bool,
    /// Where `latency_ns` went, in nanoseconds by cause.
    pub blame_ns: Blame<u64>,
    /// Its stretches by time, without gaps or overlaps.
    pub timeline: Vec<Span>,
    /// Process of the thread.
    pub pid: u32,
    /// Name of the system call, or `fault`.
    pub call: Word<CallKind>,
    /// When it began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub began_ns: u64,
    /// The file's identity; null if the descriptor named no open file.
    pub file: Option<FileId>,
    /// The timeline summed by cause and detail, longest first.
    pub parts: Vec<Part>,
    /// Stretches that are left out of `timeline` (the shortest), so that it stays
    /// readable; `blame_ns` and `parts` have them.
    pub timeline_omitted: u64,
}

/// Which file it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileId {
    /// Device that holds the file, as `major:minor`.
    pub dev: String,
    /// Inode number.
    pub inode: u64,
}

/// One stretch of a call with one cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// Since the call began, in nanoseconds.
    pub at_ns: u64,
    /// Length in nanoseconds.
    pub ns: u64,
    /// Word for the cause.
    #[schemars(extend("enum" = names::<Cause>()))]
    pub cause: Word<Cause>,
    /// What is known beyond the cause, in words that continue it. May be empty.
    pub detail: String,
}

/// What one cause with one detail took of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Word for the cause.
    #[schemars(extend("enum" = names::<Cause>()))]
    pub cause: Word<Cause>,
    /// What is known beyond the cause, in words that continue it. May be empty.
    pub detail: String,
    /// Time in nanoseconds.
    pub ns: u64,
    /// Number of stretches.
    pub count: u64,
}

impl RequestWords {
    /// Whether its words are of those that there are.
    pub(crate) fn is_known(&self) -> bool {
        self.kind.is_known() && self.owner.is_known()
    }
}
