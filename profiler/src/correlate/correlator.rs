//! Puts the facts of each operation together.

use foldhash::HashMap;
use profiler_common::fact::{self, Head, NO_STAY};

use super::{Call, operation::Operation};
use crate::ring::Fact;

/// A call keeps at most so many facts, so that one endless call cannot take all memory
/// (200 bytes each: 3 MiB). More are not kept, which makes the call an incomplete one.
pub const MAX_FACTS_PER_CALL: usize = 16 * 1024;

/// All open calls together keep at most so many facts: 200 MiB.
pub const MAX_FACTS: usize = 1024 * 1024;

/// Lanes whose state is kept. Beyond it, lanes without an open call are forgotten,
/// which loses nothing but the guard against requests that outlive their call; if that
/// is not enough, so are the calls of which nothing was heard for the longest time:
/// their ends were lost.
pub const MAX_LANES: usize = 64 * 1024;

/// The state machine.
#[derive(Debug, Default)]
pub struct Correlator {
    lanes: HashMap<u64, Lane>,
    /// Facts that all lanes keep.
    kept: usize,
    orphans: u64,
    odd: u64,
}

/// Where operations follow one another, one at a time.
#[derive(Debug, Default)]
struct Lane {
    /// The operation whose facts are being collected.
    open: Option<Operation>,
    /// When the newest operation that has ended began.
    ended_ns: u64,
}

/// The lane of an operation. Stays share that of their thread, so that a stay whose end was lost
/// is over when the next begins. An operation that is no stay of a thread has its own: its facts
/// come from any thread, and others go on beside it. Thread ids have no [`NO_STAY`], so no lane
/// is of both kinds.
fn lane(head: &Head) -> u64 {
    match head.op & NO_STAY {
        0 => u64::from(head.tid),
        _ => head.op,
    }
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
    /// Thread id.
    pub tid: u32,
    /// Process id.
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
        let lane = lane(&head);
        if self.lanes.len() >= MAX_LANES && !self.lanes.contains_key(&lane) {
            self.forget();
        }
        let lane = self.lanes.entry(lane).or_default();
        let mut possible = fact.is_possible();
        if let Fact::Request(request) = &fact {
            if !possible {
                self.odd += 1;
                return Came::LeftOut;
            }
            if lane.is_past(&head) {
                // Readahead goes on after the call that began it.
                return Came::LateRequest(*request);
            }
        }
        if let Some(left) = lane.open.take_if(|open| open.op != head.op) {
            self.orphans += u64::from(left.is_evident());
            self.kept -= left.facts();
        }
        let open = lane.open.get_or_insert_with(|| Operation::of(&head));
        open.heard(&head);
        possible &= open.is_followed_by(&fact);
        self.odd += u64::from(!possible);
        let room = self.kept < MAX_FACTS && open.facts() < MAX_FACTS_PER_CALL;
        match fact {
            Fact::Ended(ended) => {
                self.kept -= open.facts();
                let call = open.end(ended, possible);
                lane.open = None;
                lane.ended_ns = lane.ended_ns.max(head.call_ns);
                return Came::Call(call);
            }
            // What is left out is missed when the call ends.
            _ if !room || !possible => return Came::LeftOut,
            Fact::Wait(wait) => open.waits.push(wait),
            Fact::Reclaim(reclaim) => open.reclaims.push(reclaim),
            Fact::Request(request) => open.requests.push(request),
        }
        self.kept += 1;
        Came::Kept
    }

    /// Makes room for other lanes: for half of all at least, since it takes long.
    fn forget(&mut self) {
        self.lanes.retain(|_, lane| lane.open.is_some());
        if self.lanes.len() > MAX_LANES / 2 {
            let open = || self.lanes.values().filter_map(|lane| lane.open.as_ref());
            let mut last: Vec<u64> = open().map(|open| open.last_ns).collect();
            let middle = last.len() / 2;
            let (_, &mut middle, _) = last.select_nth_unstable(middle);
            let orphans = &mut self.orphans;
            self.lanes.retain(|_, lane| {
                let left = lane.open.take_if(|open| open.last_ns <= middle);
                *orphans += u64::from(left.is_some_and(|left| left.is_evident()));
                lane.open.is_some()
            });
        }
        let open = self.lanes.values().filter_map(|lane| lane.open.as_ref());
        self.kept = open.map(Operation::facts).sum();
    }

    /// Facts that are kept for open calls: at most [`MAX_FACTS`].
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Lanes that are known: at most [`MAX_LANES`].
    pub fn lanes(&self) -> usize {
        self.lanes.len()
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
        let open = self.lanes.into_values().filter_map(|lane| lane.open);
        let mut left: Vec<_> = open
            .filter(Operation::is_evident)
            .map(|open| Leftover {
                tid: open.tid,
                pid: open.pid,
                call_ns: open.call_ns,
                last_ns: open.last_ns,
                facts: open.waits.len() + open.reclaims.len(),
            })
            .collect();
        left.sort_by_key(|call| (call.call_ns, call.tid));
        left
    }
}

impl Lane {
    /// Has the fact's operation ended, or been left for another?
    fn is_past(&self, head: &Head) -> bool {
        let begun_ns = self.open.as_ref().map_or(0, |open| open.call_ns);
        head.call_ns <= self.ended_ns || head.call_ns < begun_ns
    }
}

#[cfg(test)]
mod tests {
    use profiler_common::fact::{Ended, Request, Wait, stay};

    use super::*;
    use crate::correlate::Completeness;

    fn head(tid: u32, call_ns: u64, at_ns: u64) -> Head {
        Head {
            tid,
            pid: 1,
            call_ns,
            at_ns,
            op: stay(tid, call_ns),
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

    /// A fact of an operation that is no stay.
    fn elsewhere(fact: Fact, name: u64) -> Fact {
        let op = NO_STAY | name;
        match fact {
            Fact::Wait(wait) => Fact::Wait(Wait {
                head: Head { op, ..wait.head },
                ..wait
            }),
            Fact::Request(request) => Fact::Request(Request {
                head: Head { op, ..request.head },
                ..request
            }),
            Fact::Ended(ended) => Fact::Ended(Ended {
                head: Head { op, ..ended.head },
                ..ended
            }),
            Fact::Reclaim(reclaim) => Fact::Reclaim(reclaim),
        }
    }

    #[test]
    fn operations_that_are_no_stay_go_on_beside_each_other() {
        let mut c = Correlator::default();
        // Two were submitted at once by thread 1, which sleeps in a stay of its own meanwhile;
        // workers do what they ask for, and end them in the other order.
        for (fact, name) in [(request(1, 10, 15), 7), (request(1, 10, 16), 8)] {
            assert!(matches!(c.fact(elsewhere(fact, name)), Came::Kept));
        }
        assert!(matches!(c.fact(wait(1, 12, 20)), Came::Kept));
        assert!(matches!(c.fact(elsewhere(wait(2, 10, 21), 8)), Came::Kept));
        assert!(matches!(c.fact(elsewhere(wait(3, 10, 22), 7)), Came::Kept));
        let made = [
            c.fact(elsewhere(ended(4, 10, 30, 1), 8)),
            c.fact(ended(1, 12, 31, 1)),
            c.fact(elsewhere(ended(4, 10, 32, 1), 7)),
        ];
        let made = made.map(|came| came.call().expect("a call"));
        assert!(made.iter().all(Call::is_complete));
        let of = |call: &Call| (call.waits[0].head.tid, call.requests.len());
        assert_eq!(made.each_ref().map(of), [(2, 1), (1, 0), (3, 1)]);
        let late = c.fact(elsewhere(request(1, 10, 40), 7));
        assert!(matches!(late, Came::LateRequest(_)));
        assert_eq!((c.orphans(), c.kept()), (0, 0));
        assert!(c.finish().is_empty());
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
