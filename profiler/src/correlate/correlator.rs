//! Puts the facts of each thread together.

use std::{collections::HashMap, mem};

use profiler_common::fact;

use super::{Call, Completeness};
use crate::ring::Fact;

/// A call keeps at most so many facts, so that one endless call cannot take all memory
/// (200 bytes each: 3 MiB). More are not kept, which makes the call an incomplete one.
pub const MAX_FACTS_PER_CALL: usize = 16 * 1024;

/// All open calls together keep at most so many facts: 200 MiB.
pub const MAX_FACTS: usize = 1024 * 1024;

/// Threads whose state is kept. Beyond it, threads without an open call are forgotten,
/// which loses nothing but the guard against requests that outlive their call; if that
/// is not enough, so are the calls of which nothing was heard for the longest time:
/// their ends were lost.
pub const MAX_THREADS: usize = 64 * 1024;

/// The state machine.
#[derive(Debug, Default)]
pub struct Correlator {
    threads: HashMap<u32, Thread>,
    /// Facts that all threads keep.
    kept: usize,
    orphans: u64,
    odd: u64,
}

#[derive(Debug, Default)]
struct Thread {
    /// Call whose facts are being collected; 0: none.
    call_ns: u64,
    pid: u32,
    last_ns: u64,
    /// Newest call that has ended.
    ended_ns: u64,
    waits: Vec<fact::Wait>,
    reclaims: Vec<fact::Reclaim>,
    requests: Vec<fact::Request>,
}

/// What came of a fact.
#[derive(Clone, Debug)]
pub enum Came {
    /// It waits for the end of its call.
    Kept,
    /// It ended this call.
    Call(Call),
    /// A request that completed after the call that submitted it had ended.
    LateRequest(fact::Request),
    /// Nothing: it cannot be, or there is no room for it. Its call is incomplete.
    LeftOut,
}

impl Came {
    /// The call that the fact ended, if it ended one.
    pub fn call(self) -> Option<Call> {
        match self {
            Self::Call(call) => Some(call),
            Self::Kept | Self::LateRequest(_) | Self::LeftOut => None,
        }
    }
}

/// A call of which facts came but no end: it was open when the session ended, or its
/// end was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub tid: u32,
    pub pid: u32,
    /// When it began, ns.
    pub call_ns: u64,
    /// When its last fact was stamped, ns.
    pub last_ns: u64,
    /// Facts of it that arrived.
    pub facts: usize,
}

impl Correlator {
    /// Takes the next fact, and says what came of it.
    pub fn fact(&mut self, fact: Fact) -> Came {
        let head = *fact.head();
        if self.threads.len() >= MAX_THREADS && !self.threads.contains_key(&head.tid) {
            self.forget();
        }
        let thread = self.threads.entry(head.tid).or_default();
        let mut possible = fact.is_possible();
        if let Fact::Request(request) = &fact {
            if !possible {
                self.odd += 1;
                return Came::LeftOut;
            }
            if head.call_ns <= thread.ended_ns || head.call_ns < thread.call_ns {
                // Readahead goes on after the call that began it.
                return Came::LateRequest(*request);
            }
        }
        let before = thread.facts();
        self.orphans += thread.open(&head);
        self.kept -= before - thread.facts();
        possible &= thread.is_followed_by(&fact);
        self.odd += u64::from(!possible);
        let room = self.kept < MAX_FACTS && thread.facts() < MAX_FACTS_PER_CALL;
        match fact {
            Fact::Ended(ended) => {
                self.kept -= thread.facts();
                return Came::Call(thread.end(ended, possible));
            }
            // What is left out is missed when the call ends.
            _ if !room || !possible => return Came::LeftOut,
            Fact::Wait(wait) => thread.waits.push(wait),
            Fact::Reclaim(reclaim) => thread.reclaims.push(reclaim),
            Fact::Request(request) => thread.requests.push(request),
        }
        self.kept += 1;
        Came::Kept
    }

    /// Makes room for other threads: for half of all at least, since it takes long.
    fn forget(&mut self) {
        self.threads.retain(|_, thread| thread.call_ns != 0);
        if self.threads.len() > MAX_THREADS / 2 {
            let mut last: Vec<u64> = self.threads.values().map(|t| t.last_ns).collect();
            let middle = last.len() / 2;
            let (_, &mut middle, _) = last.select_nth_unstable(middle);
            let orphans = &mut self.orphans;
            self.threads.retain(|_, thread| {
                let stays = thread.last_ns > middle;
                *orphans += u64::from(!stays && !thread.waits.is_empty());
                stays
            });
        }
        self.kept = self.threads.values().map(Thread::facts).sum();
    }

    /// Facts that are kept for open calls: at most [`MAX_FACTS`].
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Threads that are known: at most [`MAX_THREADS`].
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Calls whose facts came but whose end was lost, so far.
    pub fn orphans(&self) -> u64 {
        self.orphans
    }

    /// Facts whose times cannot be. They are left out, and their calls are incomplete.
    pub fn odd(&self) -> u64 {
        self.odd
    }

    /// What is left when no more facts will come: calls that are still open.
    pub fn finish(self) -> Vec<Leftover> {
        let mut left: Vec<_> = self
            .threads
            .into_iter()
            .filter(|(_, thread)| thread.call_ns != 0 && !thread.waits.is_empty())
            .map(|(tid, thread)| Leftover {
                tid,
                pid: thread.pid,
                call_ns: thread.call_ns,
                last_ns: thread.last_ns,
                facts: thread.waits.len() + thread.reclaims.len(),
            })
            .collect();
        left.sort_by_key(|call| (call.call_ns, call.tid));
        left
    }
}

impl Thread {
    /// Makes the fact's call the open one; 1 if another one was left without its end.
    fn open(&mut self, head: &fact::Head) -> u64 {
        let mut orphans = 0;
        if self.call_ns != head.call_ns {
            if self.call_ns != 0 && !self.waits.is_empty() {
                orphans = 1;
            }
            self.clear();
            self.call_ns = head.call_ns;
        }
        self.pid = head.pid;
        self.last_ns = head.at_ns;
        orphans
    }

    /// Waits of a call do not overlap, and it does not end before they do.
    fn is_followed_by(&self, fact: &Fact) -> bool {
        let from = match fact {
            Fact::Wait(wait) => wait.out_ns,
            Fact::Ended(ended) => ended.head.at_ns,
            Fact::Reclaim(_) | Fact::Request(_) => return true,
        };
        self.waits.last().is_none_or(|last| last.head.at_ns <= from)
    }

    /// Facts that are kept.
    fn facts(&self) -> usize {
        self.waits.len() + self.reclaims.len() + self.requests.len()
    }

    /// Gives the memory back too: 64 Ki threads that each keep room for a call's facts
    /// would have 192 GiB.
    fn clear(&mut self) {
        self.call_ns = 0;
        self.waits = Vec::new();
        self.reclaims = Vec::new();
        self.requests = Vec::new();
    }

    fn end(&mut self, mut ended: fact::Ended, possible: bool) -> Call {
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
        self.ended_ns = self.ended_ns.max(ended.head.call_ns);
        let call = Call {
            ended,
            waits: mem::take(&mut self.waits),
            reclaims: mem::take(&mut self.reclaims),
            requests: mem::take(&mut self.requests),
            completeness,
        };
        self.clear();
        call
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
    use profiler_common::fact::{Ended, Head, Request, Wait};

    use super::*;

    fn head(tid: u32, call_ns: u64, at_ns: u64) -> Head {
        Head {
            tid,
            pid: 1,
            call_ns,
            at_ns,
            ..Head::default()
        }
    }
    fn wait(tid: u32, call_ns: u64, at_ns: u64) -> Fact {
        Fact::Wait(Wait {
            head: head(tid, call_ns, at_ns),
            out_ns: at_ns,
            ..Wait::default()
        })
    }
    fn request(tid: u32, call_ns: u64, at_ns: u64) -> Fact {
        Fact::Request(Request {
            head: head(tid, call_ns, at_ns),
            ..Request::default()
        })
    }
    fn ended(tid: u32, call_ns: u64, at_ns: u64, facts: u32) -> Fact {
        Fact::Ended(Ended {
            head: head(tid, call_ns, at_ns),
            facts,
            ..Ended::default()
        })
    }

    #[test]
    fn facts_of_interleaved_threads_come_together() {
        let mut c = Correlator::default();
        assert!(matches!(c.fact(wait(1, 10, 20)), Came::Kept));
        assert!(matches!(c.fact(wait(2, 11, 21)), Came::Kept));
        assert!(matches!(c.fact(wait(1, 10, 30)), Came::Kept));
        let one = c
            .fact(ended(1, 10, 40, 2))
            .call()
            .expect("call of thread 1");
        let two = c
            .fact(ended(2, 11, 41, 1))
            .call()
            .expect("call of thread 2");
        assert_eq!(
            (one.waits.len(), one.ns(), one.is_complete()),
            (2, 30, true)
        );
        assert_eq!(
            (two.waits.len(), two.ns(), two.is_complete()),
            (1, 30, true)
        );
        assert!(c.finish().is_empty());
    }

    #[test]
    fn what_the_kernel_says_to_itself_is_eintr_to_callers() {
        let table = [(-512, -4), (-513, -4), (-514, -4), (-516, -4), (-4, -4)];
        for (kernel, caller) in table.into_iter().chain([(-515, -515), (-11, -11), (7, 7)]) {
            let mut c = Correlator::default();
            let mut end = ended(1, 10, 40, 0);
            if let Fact::Ended(ended) = &mut end {
                ended.returned = kernel;
            }
            let call = c.fact(end).call().expect("a call");
            assert_eq!(call.ended.returned, caller, "{kernel}");
        }
    }

    #[test]
    fn a_lost_fact_marks_its_call_and_no_other() {
        let mut c = Correlator::default();
        c.fact(wait(1, 10, 20));
        let call = c.fact(ended(1, 10, 40, 2)).call().expect("a call");
        assert_eq!(call.completeness, Completeness::Lost(1));
        let next = c.fact(ended(1, 50, 60, 0)).call().expect("a call");
        assert!(next.is_complete());
    }

    #[test]
    fn a_switch_that_was_not_seen_marks_its_call() {
        let mut c = Correlator::default();
        c.fact(wait(1, 10, 20));
        let Fact::Ended(end) = ended(1, 10, 40, 1) else {
            unreachable!()
        };
        let flags = fact::ENDED_SWITCH_UNSEEN;
        let call = c
            .fact(Fact::Ended(Ended { flags, ..end }))
            .call()
            .expect("a call");
        assert_eq!(call.completeness, Completeness::Unseen);
    }

    #[test]
    fn a_lost_end_is_an_orphan() {
        let mut c = Correlator::default();
        c.fact(wait(1, 10, 20));
        c.fact(wait(1, 50, 55));
        assert_eq!(c.orphans(), 1);
        assert!(
            c.fact(ended(1, 50, 60, 1))
                .call()
                .expect("a call")
                .is_complete()
        );
    }

    #[test]
    fn a_request_that_outlives_its_call_opens_nothing() {
        let mut c = Correlator::default();
        c.fact(request(1, 10, 15));
        let call = c.fact(ended(1, 10, 20, 0)).call().expect("a call");
        assert_eq!(call.requests.len(), 1);
        let late = |came| matches!(came, Came::LateRequest(_));
        assert!(late(c.fact(request(1, 10, 25))));
        c.fact(wait(1, 30, 35));
        assert!(late(c.fact(request(1, 10, 36))));
        let call = c.fact(ended(1, 30, 40, 1)).call().expect("a call");
        assert_eq!((call.waits.len(), call.requests.len()), (1, 0));
        assert_eq!(c.orphans(), 0);
    }

    #[test]
    fn an_open_call_is_left_over() {
        let mut c = Correlator::default();
        c.fact(wait(3, 10, 20));
        assert_eq!(
            c.finish(),
            [Leftover {
                tid: 3,
                pid: 1,
                call_ns: 10,
                last_ns: 20,
                facts: 1
            }]
        );
    }

    #[test]
    fn an_endless_call_stays_bounded() {
        let mut c = Correlator::default();
        for i in 0..MAX_FACTS_PER_CALL as u64 + 5 {
            c.fact(wait(1, 10, 20 + i));
        }
        let facts = MAX_FACTS_PER_CALL as u32 + 5;
        let call = c.fact(ended(1, 10, 1 << 40, facts)).call().expect("a call");
        assert_eq!(call.completeness, Completeness::Lost(5));
    }
}
