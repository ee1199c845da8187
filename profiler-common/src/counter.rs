//! What the kernel side counts of itself. One slot a CPU, added up by the collector.

use crate::fact::KINDS;
use crate::pod;

/// Counters of one CPU. All only grow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "user", serde(default))]
pub struct Counters {
    /// Facts that were to be sent, by kind; `made - lost` arrived in the ring.
    pub made: [u64; KINDS],
    /// Facts for which the ring had no room, by kind.
    pub lost: [u64; KINDS],
    /// Threads for which no state could be had: their calls were not seen.
    pub no_state: u64,
    /// Requests whose submitter could not be noted: they show an unknown owner.
    pub no_owner: u64,
    /// Kernel stacks that could not be stored.
    pub no_stack: u64,
    /// Completions nested deeper than the kernel side keeps.
    pub no_completion: u64,
    /// Processes that watched ones started.
    pub forks: u64,
    /// Times that a watched process became another program.
    pub execs: u64,
    /// Reads that the kernel had counted for a command when it was first watched.
    pub reads_before: u64,
    /// Bytes that those returned.
    pub bytes_before: u64,
    /// Calls of which the end was seen, not the begin.
    pub missed_begins: u64,
    /// Calls of which the begin was seen, not the end.
    pub missed_ends: u64,
    /// Calls of which neither was seen: the kernel's own count of the thread's reads
    /// (`ioac.syscr`) has them.
    pub missed_whole: u64,
    /// Requests completed for watched processes: data, metadata, readahead.
    pub requests: [u64; 3],
    /// Their bytes.
    pub request_bytes: [u64; 3],
}

impl Default for Counters {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Counters {
    /// All zero.
    pub const ZERO: Self = Self {
        made: [0; KINDS],
        lost: [0; KINDS],
        no_state: 0,
        no_owner: 0,
        no_stack: 0,
        no_completion: 0,
        forks: 0,
        execs: 0,
        reads_before: 0,
        bytes_before: 0,
        missed_begins: 0,
        missed_ends: 0,
        missed_whole: 0,
        requests: [0; 3],
        request_bytes: [0; 3],
    };

    /// Adds another CPU's.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, u64::wrapping_add);
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        difference.combine(earlier, u64::wrapping_sub);
        difference
    }

    fn combine(&mut self, other: &Self, with: fn(u64, u64) -> u64) {
        let Self {
            made,
            lost,
            no_state,
            no_owner,
            no_stack,
            no_completion,
            forks,
            execs,
            reads_before,
            bytes_before,
            missed_begins,
            missed_ends,
            missed_whole,
            requests,
            request_bytes,
        } = self;
        let all = |mine: &mut [u64], theirs: &[u64]| {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine = with(*mine, *theirs);
            }
        };
        all(made, &other.made);
        all(lost, &other.lost);
        all(requests, &other.requests);
        all(request_bytes, &other.request_bytes);
        *no_state = with(*no_state, other.no_state);
        *no_owner = with(*no_owner, other.no_owner);
        *forks = with(*forks, other.forks);
        *execs = with(*execs, other.execs);
        *reads_before = with(*reads_before, other.reads_before);
        *bytes_before = with(*bytes_before, other.bytes_before);
        *missed_begins = with(*missed_begins, other.missed_begins);
        *missed_ends = with(*missed_ends, other.missed_ends);
        *missed_whole = with(*missed_whole, other.missed_whole);
        *no_stack = with(*no_stack, other.no_stack);
        *no_completion = with(*no_completion, other.no_completion);
    }
}

const _: () = assert!(size_of::<Counters>() == 8 * (2 * KINDS + 11 + 6));

pod!(Counters);
