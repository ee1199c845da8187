//! What the kernel side counts of itself. One slot a CPU, added up by the collector.

use crate::fact::KINDS;
use crate::pod;

/// Counters of one CPU. All only grow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Requests completed for watched processes: data, metadata, readahead.
    pub requests: [u64; 3],
    /// Their bytes.
    pub request_bytes: [u64; 3],
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
        requests: [0; 3],
        request_bytes: [0; 3],
    };
}

const _: () = assert!(size_of::<Counters>() == 8 * (2 * KINDS + 4 + 6));

pod!(Counters);
