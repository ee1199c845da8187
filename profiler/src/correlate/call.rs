//! One call with everything that is known of it.

use profiler_common::fact;

/// One stay of one thread in a read-family system call, or one fault on a file
/// mapping that had to wait, with its facts in the order in which they happened.
#[derive(Clone, Debug)]
pub struct Call {
    /// How it ended and what was summed while it was open. `ended.head.call_ns` is
    /// when it began, `ended.head.at_ns` when it ended.
    pub ended: fact::Ended,
    /// Stays off the CPU, by time; they do not overlap.
    pub waits: Vec<fact::Wait>,
    /// Stays in direct reclaim, by time.
    pub reclaims: Vec<fact::Reclaim>,
    /// Requests that this call submitted and that completed before it ended.
    pub requests: Vec<fact::Request>,
    /// Whether all of it is known; if not, its time has no causes.
    pub completeness: Completeness,
}

/// Whether everything that the kernel side told of a call has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All facts are there.
    Complete,
    /// So many facts of this call were lost: it is counted, but kept out of shares.
    Lost(u32),
    /// The kernel did not tell all of it: it counted more switches away from the thread
    /// than the probes saw. As with lost facts.
    Unseen,
    /// Its end has times that cannot be: it is counted, but kept out of shares.
    Odd,
}

impl Call {
    /// Duration in nanoseconds.
    pub fn ns(&self) -> u64 {
        self.ended
            .head
            .at_ns
            .saturating_sub(self.ended.head.call_ns)
    }

    /// Whether all facts of the call have arrived, and can be.
    pub fn is_complete(&self) -> bool {
        self.completeness == Completeness::Complete
    }
}
