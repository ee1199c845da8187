//! An operation whose facts are being collected.

use std::mem;

use profiler_common::fact::{self, Head};

use super::{Call, Completeness};
use crate::ring::Fact;

#[derive(Debug)]
pub(super) struct Operation {
    /// Its name.
    pub(super) op: u64,
    /// When it began, ns.
    pub(super) call_ns: u64,
    /// Thread and process that its last fact names.
    pub(super) tid: u32,
    pub(super) pid: u32,
    /// When its last fact was stamped, ns.
    pub(super) last_ns: u64,
    pub(super) waits: Vec<fact::Wait>,
    pub(super) reclaims: Vec<fact::Reclaim>,
    pub(super) requests: Vec<fact::Request>,
}

impl Operation {
    /// The operation of a fact, with no facts yet.
    pub(super) fn of(head: &Head) -> Self {
        Self {
            op: head.op,
            call_ns: head.call_ns,
            tid: head.tid,
            pid: head.pid,
            last_ns: head.at_ns,
            waits: Vec::new(),
            reclaims: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Keeps who told of it last, and when.
    pub(super) fn heard(&mut self, head: &Head) {
        self.tid = head.tid;
        self.pid = head.pid;
        self.last_ns = head.at_ns;
    }

    /// Facts that are kept.
    pub(super) fn facts(&self) -> usize {
        self.waits.len() + self.reclaims.len() + self.requests.len()
    }

    /// Is it known to have gone on? A request alone may be one that outlived a call whose end
    /// was lost, or never sent since the call was settled in the kernel.
    pub(super) fn is_evident(&self) -> bool {
        !self.waits.is_empty()
    }

    /// Waits of a call do not overlap, and it does not end before they do.
    pub(super) fn is_followed_by(&self, fact: &Fact) -> bool {
        let from = match fact {
            Fact::Wait(wait) => wait.out_ns,
            Fact::Ended(ended) => ended.head.at_ns,
            Fact::Reclaim(_) | Fact::Request(_) => return true,
        };
        self.waits.last().is_none_or(|last| last.head.at_ns <= from)
    }

    /// The call that it was.
    pub(super) fn end(&mut self, mut ended: fact::Ended, possible: bool) -> Call {
        ended.returned = as_the_caller_sees_it(ended.returned);
        let arrived = (self.waits.len() + self.reclaims.len()) as u32;
        let completeness = if !possible {
            Completeness::Odd
        } else if arrived != ended.facts {
            Completeness::Lost(ended.facts.abs_diff(arrived))
        } else if ended.flags & fact::ENDED_SWITCH_UNSEEN != 0 {
            Completeness::Unseen
        } else {
            Completeness::Complete
        };
        Call {
            ended,
            waits: mem::take(&mut self.waits),
            reclaims: mem::take(&mut self.reclaims),
            requests: mem::take(&mut self.requests),
            completeness,
        }
    }
}

/// Interrupted by a signal, a call ends with a number of the kernel's own, which says
/// when it is to be begun anew (`ERESTART*` of linux/errno.h). To callers it is EINTR.
fn as_the_caller_sees_it(returned: i64) -> i64 {
    match returned {
        -514..=-512 | -516 => -i64::from(libc::EINTR),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_to_itself_is_eintr_to_callers() {
        let table = [(-512, -4), (-513, -4), (-514, -4), (-516, -4), (-4, -4)];
        for (kernel, caller) in table.into_iter().chain([(-515, -515), (-11, -11), (7, 7)]) {
            assert_eq!(as_the_caller_sees_it(kernel), caller, "{kernel}");
        }
    }
}
