//! Every cause that can be brought about here, in a known amount.
//!
//! Each stall is injected by other means than the profiler knows of, and timed by who
//! injects it. What the report says of it may be off by 5 % or 200 µs, whichever is
//! more: that is what waking up costs those who inject it.

mod disk;
mod order;
mod wait;

use profiler::report::v1::{Blame, SlowCall};

use crate::player::Op;

/// What one call was made to wait, and what the report says of that.
#[derive(Clone, Copy, Debug)]
struct Stall {
    injected_ns: u64,
    found_ns: u64,
}

impl Stall {
    fn room(&self) -> u64 {
        (self.injected_ns / 20).max(200_000)
    }

    fn agrees(&self) -> bool {
        self.injected_ns.abs_diff(self.found_ns) <= self.room()
    }

    fn falls_short(&self) -> bool {
        self.found_ns + self.room() < self.injected_ns
    }
}

/// Holds what was found against what was injected, and says both.
///
/// On a busy machine the kernel's own threads between the one that injects and the reader
/// (a worker of the loop device's, ksoftirqd) wait for a CPU too: the reader sleeps
/// longer, for the same cause, and nobody timed it. So up to four stalls in ten may be
/// longer than injected, but the median is not. Shorter ones have no such excuse, but
/// that a reader was kept from falling asleep: one in ten.
fn compare(cause: &str, stalls: &[Stall]) {
    let injected: u64 = stalls.iter().map(|stall| stall.injected_ns).sum();
    let found: u64 = stalls.iter().map(|stall| stall.found_ns).sum();
    let agree = stalls.iter().filter(|stall| stall.agrees()).count();
    let ms = |ns: u64| ns as f64 / 1e6;
    println!(
        "{cause}: {} stalls, injected {:.1} ms, found {:.1} ms ({:+.2} %), {agree} agree",
        stalls.len(),
        ms(injected),
        ms(found),
        (found as f64 / injected as f64 - 1.0) * 100.0
    );
    assert!(stalls.len() >= 50, "{cause}: only {} stalls", stalls.len());
    let off: Vec<_> = stalls.iter().filter(|stall| !stall.agrees()).collect();
    let short = stalls.iter().filter(|stall| stall.falls_short()).count();
    assert!(agree * 10 >= stalls.len() * 6, "{cause}: {off:#?}");
    assert!(short * 10 <= stalls.len(), "{cause}: {off:#?}");
}

/// The cause that took most of a call's blocked time.
fn main_cause(blame: &Blame<u64>) -> &'static str {
    let causes = blame.iter().filter(|(cause, _)| *cause != "cpu");
    causes
        .max_by_key(|(_, ns)| ns.unwrap_or(0))
        .map_or("", |(cause, _)| cause)
}

/// Nearly all of these calls were stalled by this cause: 99 % of them, as far as there
/// are hundreds.
fn named(cause: &str, calls: &[&SlowCall]) {
    let others: Vec<_> = calls
        .iter()
        .filter(|call| main_cause(&call.blame_ns) != cause)
        .collect();
    assert!(
        others.len() * 100 <= calls.len().max(100),
        "not {cause}: {others:#?}"
    );
}

/// Each call with the op that it was.
fn matched<'a>(calls: &[&'a SlowCall], ops: &[Op]) -> Vec<(&'a SlowCall, Op)> {
    let op_of = |call: &SlowCall| {
        let within = |op: &&Op| (op.start_ns..=op.end_ns).contains(&call.began_ns);
        ops.iter().find(within).copied()
    };
    calls
        .iter()
        .filter_map(|call| Some((*call, op_of(call)?)))
        .collect()
}
