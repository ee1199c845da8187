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
    fn agrees(&self) -> bool {
        let room = (self.injected_ns / 20).max(200_000);
        self.injected_ns.abs_diff(self.found_ns) <= room
    }
}

/// Holds what was found against what was injected, and says both.
///
/// One stall in ten may be off: on a busy machine a thread that injects, or the kernel's
/// own worker between it and the reader, may itself have to wait for a CPU. In the sum
/// over all of them that may be 5 %; by the median it is nothing.
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
    assert!(agree * 10 >= stalls.len() * 9, "{cause}: {off:#?}");
    let mut errors: Vec<i64> = stalls
        .iter()
        .map(|stall| stall.found_ns as i64 - stall.injected_ns as i64)
        .collect();
    errors.sort_unstable();
    let median = errors[errors.len() / 2];
    let typical = Stall {
        injected_ns: injected / stalls.len() as u64,
        found_ns: (injected as i64 / stalls.len() as i64 + median) as u64,
    };
    assert!(typical.agrees(), "{cause}: off by {median} ns as a rule");
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
