//! Every cause that can be brought about here, in a known amount.
//!
//! Each stall is injected by other means than the profiler knows of, and timed by who
//! injects it. What the report says of it may be off by 5 % or 200 µs, whichever is
//! more: that is what waking up costs those who inject it.

mod absent;
mod cpu;
mod device;
mod lock;
mod mixed;
mod order;
mod peer;
mod queue;
mod reclaim;
mod server;
mod throttle;

use std::{fs::File, path::Path};

use profiler::blame::Cause;
use profiler::lab::proof::{self, Line};
use profiler::report::is_unseen;
use profiler::report::v1::{Blame, Report, SlowCall};
use rustix::fs::{Advice, fadvise};

use crate::{
    harness::{explained, only, session, sound},
    player::{Op, Script},
};

/// As many stalls as a proof has to rest on.
const ENOUGH: u64 = 200;

/// More are tried: where the machine is busy, some do not come about.
const TRIED: u64 = 260;

/// What one call was made to wait, and what the report says of that.
#[derive(Clone, Copy, Debug)]
struct Stall {
    injected_ns: u64,
    found_ns: u64,
    /// The cause is the one that took most of the call's blocked time.
    named: bool,
    /// The kernel did not tell the probes when the call was woken, or when it ran again:
    /// it is unexplained, and said to be.
    hidden: bool,
    /// The whole call, to be shown where it is off.
    blame: Blame<u64>,
}

impl Stall {
    /// Blame on a cause for so much of a call.
    fn of(call: &SlowCall, cause: Cause, injected_ns: u64) -> Self {
        Self {
            injected_ns,
            found_ns: blamed(call, cause),
            named: main_cause(&call.blame_ns) == Some(cause),
            hidden: hidden_ns(call) * 2 > call.latency_ns,
            blame: call.blame_ns,
        }
    }

    /// A stall of which the report says nothing.
    fn untold(op: &Op, injected_ns: u64) -> Self {
        println!("not told: {op:?}");
        Self {
            injected_ns,
            found_ns: 0,
            named: false,
            hidden: false,
            blame: Blame::default(),
        }
    }

    /// Blame on one of two causes that a call has: which of them is the longer one is the
    /// machine's affair.
    fn part(call: &SlowCall, cause: Cause, other: Cause, injected_ns: u64) -> Self {
        let stall = Self::of(call, cause, injected_ns);
        let main = main_cause(&call.blame_ns);
        Self {
            named: stall.found_ns > 0 && (main == Some(cause) || main == Some(other)),
            ..stall
        }
    }

    fn room(&self) -> u64 {
        (self.injected_ns / 20).max(200_000)
    }

    fn agrees(&self) -> bool {
        self.injected_ns.abs_diff(self.found_ns) <= self.room()
    }
}

/// Holds what was found against what was injected.
fn prove(cause: Cause, provoked: &str, stalls: &[Stall]) {
    let told = stalls.iter().filter(|stall| !stall.hidden).count();
    assert!(
        told as u64 >= ENOUGH,
        "{cause}, {provoked}: only {told} stalls"
    );
    agree(cause, provoked, stalls);
}

/// The same of fewer stalls, where more would take too long for every run.
///
/// Of single stalls, one in ten may be off: those that the reader's own clock calls
/// [`undisturbed`] may still have been so by up to a tenth.
fn agree(cause: Cause, provoked: &str, all: &[Stall]) {
    let stalls: Vec<_> = all.iter().filter(|stall| !stall.hidden).collect();
    let hidden = (all.len() - stalls.len()) as u64;
    let total = |what: fn(&Stall) -> u64| stalls.iter().map(|stall| what(stall)).sum::<u64>();
    let count = |what: fn(&Stall) -> bool| stalls.iter().filter(|stall| what(stall)).count() as u64;
    let (injected_ns, found_ns) = (total(|s| s.injected_ns), total(|s| s.found_ns));
    let (named, agree) = (count(|stall| stall.named), count(|stall| stall.agrees()));
    let stalled = stalls.len() as u64;
    proof::record(&Line::Stalls {
        cause: cause.name(),
        provoked,
        stalled,
        named,
        hidden,
        injected_ns,
        found_ns,
    })
    .expect("to be written down");
    println!("{cause}, {provoked}: {agree} of {stalled} stalls agree");
    for other in stalls.iter().filter(|stall| !stall.named) {
        println!("not {cause}: {:?}", other.blame);
    }
    let off: Vec<_> = stalls.iter().filter(|stall| !stall.agrees()).collect();
    let room = (injected_ns / 20).max(200_000 * stalled);
    assert!(injected_ns.abs_diff(found_ns) <= room, "{cause}: {off:#?}");
    assert!(agree * 10 >= stalled * 9, "{cause}: {off:#?}");
    assert!(
        hidden * 20 <= all.len() as u64,
        "{cause}: the kernel hid the end of {hidden}"
    );
    assert!(
        named * 100 >= stalled * 99,
        "{cause}: named in {named} of {stalled}: {:#?}",
        stalls
            .iter()
            .filter(|stall| !stall.named)
            .collect::<Vec<_>>()
    );
}

/// For how long the kernel left the probes without a word of what went on.
fn hidden_ns(call: &SlowCall) -> u64 {
    let parts = call.parts.iter();
    let hidden = parts.filter(|part| part.cause == Cause::Unexplained && is_unseen(&part.detail));
    hidden.map(|part| part.ns).sum()
}

/// Whether the injected stall is all that kept an op, by the clock of who made it. On a
/// busy machine, who injects may be kept from the CPU in the end, and a guest may have to
/// wait for its host: then nobody knows how long the reader stood there.
fn undisturbed(op: &Op, injected_ns: u64) -> bool {
    op.ns() <= injected_ns + (injected_ns / 10).max(1_000_000)
}

fn blamed(call: &SlowCall, cause: Cause) -> u64 {
    call.blame_ns.or_zero(cause)
}

/// The cause that took most of a call's blocked time.
fn main_cause(blame: &Blame<u64>) -> Option<Cause> {
    let causes = Cause::ALL.into_iter().filter(|cause| cause.is_blocked());
    causes.max_by_key(|cause| blame.or_zero(*cause))
}

/// Each call with the op that it was.
fn matched<'a>(calls: &[&'a SlowCall], ops: &[Op]) -> Vec<(&'a SlowCall, Op)> {
    let op_of = |call: &SlowCall| {
        let within =
            |op: &&Op| op.tid == call.tid && (op.start_ns..=op.end_ns).contains(&call.began_ns);
        ops.iter().find(within).copied()
    };
    calls
        .iter()
        .filter_map(|call| Some((*call, op_of(call)?)))
        .collect()
}

/// Plays a script to its end under the profiler's eyes.
fn watch(script: &Script) -> Report {
    let run = session(&["run", "--slowest", "1000"], &script.command());
    assert!(run.output.status.success(), "{:?}", run.output);
    checked(run.report)
}

/// A report in which nothing is missing.
fn checked(report: Report) -> Report {
    sound(&report);
    explained(only(&report));
    report
}

/// Takes a file's pages out of the cache.
fn drop_pages(path: &Path) {
    let file = File::open(path).expect("the file");
    fadvise(&file, 0, None, Advice::DontNeed).expect("dropped");
}
