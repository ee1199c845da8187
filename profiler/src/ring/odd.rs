//! Times that cannot be.

use profiler_common::fact::{Head, Reclaim, RequestFacts, Wait};

use super::Fact;

impl Fact {
    /// Nothing in it ends before it begins. One clock stamps all facts, so a fact that
    /// says otherwise proves nothing.
    pub fn is_possible(&self) -> bool {
        let Head { call_ns, at_ns, .. } = *self.head();
        match self {
            Self::Wait(wait) => is_possible_wait(wait),
            Self::Reclaim(Reclaim { begin_ns, .. }) => in_order([call_ns, *begin_ns, at_ns]),
            Self::Request(request) => call_ns <= at_ns && is_possible_request(&request.request),
            Self::Ended(_) => call_ns <= at_ns,
        }
    }
}

fn is_possible_wait(wait: &Wait) -> bool {
    let Head { call_ns, at_ns, .. } = wait.head;
    in_order([call_ns, wait.out_ns, wait.woken_ns, at_ns])
        && wait.out_ns != 0
        && is_possible_request(&wait.request)
}

fn is_possible_request(request: &RequestFacts) -> bool {
    in_order([
        request.submitted_ns,
        request.issued_ns,
        request.completed_ns,
    ])
}

/// As far as they are known (not 0), each is at least the one before.
fn in_order<const N: usize>(times: [u64; N]) -> bool {
    times.iter().filter(|time| **time != 0).is_sorted()
}
