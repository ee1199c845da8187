//! Calls → the statistics of a scenario, in bounded memory however many there are.
//!
//! An incomplete call (one of which facts were lost) is counted in calls, bytes,
//! latency and outcomes, whose numbers the end of a call carries itself. It is kept
//! out of everything that rests on all its facts: duration, blame, blocked calls,
//! waits. So blame adds up to the duration of complete calls exactly.

mod context;
mod latency;
mod requests;
mod slowest;
#[cfg(test)]
mod tests;
mod waits;

use profiler_common::fact::{Ended, RequestFacts, WAIT_PREEMPTED};
use profiler_common::histogram::{
    CLASS_BUFFERED, CLASS_DIRECT, CLASS_END, CLASS_ERROR, CLASSES, Settled,
};

pub use context::Context;

use self::{latency::Durations, requests::Requests, slowest::Slowest, waits::Waits};
use super::{
    sums::{grow, sum},
    v1::{self, Hidden},
    witness,
};
use crate::blame::{Cause, Outcome, Shares, Verdict};
use crate::correlate::Call;
use crate::sink::{Names, Sink};

/// Folds the calls of one scenario. Takes about 0.4 MiB, and at most some 2 MiB.
#[derive(Debug)]
pub struct Tally {
    calls: u64,
    bytes: u64,
    blocked_calls: u64,
    incomplete_calls: u64,
    incomplete_ns: u64,
    shares: Shares,
    latency: Durations,
    outcomes: [v1::OutcomeSum; Outcome::ALL.len()],
    readahead: Filled,
    faults: v1::Faults,
    switches: v1::Switches,
    requests: Requests,
    waits: Waits,
    slowest: Slowest,
}

/// What calls did to the page cache.
#[derive(Debug, Default)]
struct Filled {
    sync: u64,
    asynchronous: u64,
    pages: u64,
    pages_asked: u64,
}

/// How many of the slowest calls a tally keeps unless told otherwise.
const SLOWEST: usize = 5;

impl Default for Tally {
    fn default() -> Self {
        Self::new(SLOWEST)
    }
}

impl Sink for Tally {
    fn request(&mut self, request: &RequestFacts) {
        self.requests.add(request);
    }

    fn call(&mut self, call: &Call, verdict: &Verdict, _names: &dyn Names) {
        self.fold(call, verdict);
    }
}

impl Tally {
    /// An empty tally that keeps so many of the slowest calls.
    pub fn new(slowest: usize) -> Self {
        Self {
            calls: 0,
            bytes: 0,
            blocked_calls: 0,
            incomplete_calls: 0,
            incomplete_ns: 0,
            shares: Shares::default(),
            latency: Durations::new(3),
            outcomes: [v1::OutcomeSum::default(); Outcome::ALL.len()],
            readahead: Filled::default(),
            faults: v1::Faults::default(),
            switches: v1::Switches::default(),
            requests: Requests::new(),
            waits: Waits::default(),
            slowest: Slowest::new(slowest),
        }
    }

    /// Folds one told call in, without its requests.
    fn fold(&mut self, call: &Call, verdict: &Verdict) {
        let ns = call.ns();
        self.filled(&call.ended);
        for wait in &call.waits {
            let preempted = wait.flags & WAIT_PREEMPTED != 0;
            let switches = &mut self.switches;
            let slot = if preempted {
                &mut switches.preempted
            } else {
                &mut switches.asleep
            };
            grow(slot, 1);
        }
        if verdict.outcome == Outcome::Fault && !self.fault(call, verdict) {
            return;
        }
        grow(&mut self.calls, 1);
        grow(
            &mut self.bytes,
            u64::try_from(call.ended.returned).unwrap_or(0),
        );
        self.latency.add(ns);
        self.outcome(verdict.outcome, 1, ns);
        self.slowest.add(call, verdict);
        if call.is_complete() {
            self.shares.add(&verdict.shares);
            self.blocked_calls += u64::from(verdict.shares.blocked() > 0);
            self.requests.waited(&verdict.spans);
            verdict.spans.iter().for_each(|span| self.waits.add(span));
        } else {
            self.incomplete_calls += 1;
            grow(&mut self.incomplete_ns, ns);
        }
    }

    /// Counts a fault; `true` if it is a call, because it had to wait. The kernel side
    /// also tells the faults that brought pages and went on: what they did to the cache
    /// counts, their time does not. Being preempted is no wait for a page.
    fn fault(&mut self, call: &Call, verdict: &Verdict) -> bool {
        let waited = match call.is_complete() {
            true => verdict.shares.blocked() > verdict.shares[Cause::Preempted],
            false => call.ended.facts > 0,
        };
        if call.ended.filled_asked > 0 {
            self.faults.fetched += 1;
        } else if waited {
            self.faults.joined += 1;
        } else if call.ended.filled > 0 || call.ended.readahead_async > 0 {
            self.faults.ahead += 1;
        }
        waited
    }

    /// Adds the quiet calls of one class, settled in the kernel: all of their time is
    /// `cpu`. `buckets` has their number by latency (`profiler_common::histogram`).
    pub fn settled(&mut self, class: u32, sums: &Settled, buckets: &[u64]) {
        grow(&mut self.calls, sums.calls);
        grow(&mut self.bytes, sums.bytes);
        grow(&mut self.shares[Cause::Cpu], sums.ns);
        self.latency.add_settled(buckets, sums.ns);
        self.outcome(quiet_outcome(class), sums.calls, sums.ns);
    }

    /// The scenario as it stands. Does not end the tally.
    pub fn finish(&self, context: &Context<'_>) -> v1::Scenario {
        let duration_ns = self.shares.total();
        let blame_ns = slowest::blame(&self.shares, context);
        let share = |ns: u64| {
            if duration_ns == 0 {
                0.0
            } else {
                ns as f64 / duration_ns as f64
            }
        };
        let readings = context.readings;
        let bytes = if self.bytes > 0 {
            Some(self.bytes)
        } else {
            readings.ops.map(|ops| ops.bytes)
        };
        let mut scenario = v1::Scenario {
            name: context.name.to_owned(),
            workload: context.workload.clone(),
            calls: self.calls,
            missed_calls: context.missed,
            bytes: self.bytes,
            blocked_calls: self.blocked_calls,
            duration_ns,
            blocked_ns: self.shares.blocked(),
            blocked_share: share(self.shares.blocked()),
            incomplete_calls: self.incomplete_calls,
            incomplete_ns: self.incomplete_ns,
            wall_ns: context.wall_ns,
            throughput_bytes_per_s: bytes
                .zip(context.wall_ns)
                .and_then(|(bytes, wall_ns)| per_second(bytes, wall_ns)),
            latency_ns: self.latency.latency(),
            blame_ns,
            blame_share: v1::Blame::from_fn(|cause| blame_ns.get(cause).map(share)),
            outcomes: self.outcomes(),
            io: (!context.hides(Hidden::Io)).then(|| self.requests.finish()),
            readahead: self.readahead(context),
            faults: self.faults,
            switches: self.switches,
            waits: self.waits.finish(context),
            slowest: self.slowest.finish(context),
            ops: readings.ops,
            witness: Vec::new(),
        };
        scenario.workload.witnessed = scenario.workload.witnessed.or(readings.residency);
        scenario.witness = witness::compare(&scenario, readings);
        scenario
    }

    fn outcome(&mut self, outcome: Outcome, calls: u64, ns: u64) {
        let so_far = &mut self.outcomes[outcome as usize];
        grow(&mut so_far.calls, calls);
        grow(&mut so_far.duration_ns, ns);
    }

    fn filled(&mut self, ended: &Ended) {
        let Filled {
            sync,
            asynchronous,
            pages,
            pages_asked,
        } = &mut self.readahead;
        for (sum, by) in [
            (sync, ended.readahead_sync),
            (asynchronous, ended.readahead_async),
            (pages, ended.filled),
            (pages_asked, ended.filled_asked),
        ] {
            grow(sum, by.into());
        }
    }

    fn outcomes(&self) -> v1::Outcomes {
        let [hit, late, miss, hole, direct, eof, error, fault, other] = self.outcomes;
        v1::Outcomes {
            hit,
            late,
            miss,
            hole,
            direct,
            eof,
            error,
            fault,
            other,
        }
    }

    fn readahead(&self, context: &Context<'_>) -> v1::Readahead {
        let told = |windows: u64| (!context.hides(Hidden::Readahead)).then_some(windows);
        let Filled {
            sync,
            asynchronous,
            pages,
            pages_asked,
        } = self.readahead;
        v1::Readahead {
            windows: told(sum([sync, asynchronous])),
            windows_sync: told(sync),
            windows_async: told(asynchronous),
            pages_filled: pages,
            pages_filled_asked: pages_asked,
            pages_used: context.readings.pages_used,
        }
    }
}

/// What a class of quiet calls says of their outcome: a call that filled nothing and
/// waited for nothing found everything in the cache.
fn quiet_outcome(class: u32) -> Outcome {
    const _: () = assert!(CLASSES == 6, "a new class needs an outcome");
    match class {
        CLASS_BUFFERED => Outcome::Hit,
        CLASS_DIRECT => Outcome::Direct,
        CLASS_END => Outcome::Eof,
        CLASS_ERROR => Outcome::Error,
        _ => Outcome::Other,
    }
}

fn per_second(bytes: u64, ns: u64) -> Option<u64> {
    let rate = (u128::from(bytes) * 1_000_000_000).checked_div(u128::from(ns))?;
    u64::try_from(rate).ok()
}
