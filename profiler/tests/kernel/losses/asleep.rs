//! Many calls that sleep at once. What sees ends with a number of stand-ins for return
//! addresses (kretprobes) has none left for most of them.

use profiler::blame::Cause;
use std::collections::BTreeSet;

use profiler::host::process::threads_in_reads;

use super::{
    accounted,
    actor::{Act, Actor},
    kept, until,
};
use crate::harness::{Running, folder, needs_kernel, only, sound};

const THREADS: u64 = 200;

#[test]
fn two_hundred_calls_that_sleep_at_once_are_each_told() {
    needs_kernel!();
    let folder = folder();
    let act = Act::Blocked {
        path: None,
        direct: false,
        threads: THREADS,
    };
    let actor = Actor::new(act, folder.path());
    let (stdin, ours) = std::io::pipe().expect("a pipe");
    let words = ["run", "--slowest", "1000"];
    let run = Running::start_with(&words, &actor.command(), stdin.into());
    let pid = actor.wait_pid();
    until("all threads are in reads", || {
        threads_in_reads(pid).len() == THREADS as usize
    });
    let asleep: BTreeSet<u32> = threads_in_reads(pid).iter().map(|read| read.0).collect();
    // The end of the pipe wakes them all.
    drop(ours);
    until("no thread is in a read", || {
        threads_in_reads(pid).is_empty()
    });
    actor.go();
    let run = run.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    accounted(&run.report);
    let calls = &only(&run.report).slowest;
    let calls: Vec<_> = calls
        .iter()
        .filter(|call| call.blame_ns.or_zero(Cause::Peer) > 0)
        .collect();
    let told: BTreeSet<u32> = calls.iter().map(|call| call.tid).collect();
    assert_eq!((calls.len(), told), (asleep.len(), asleep));
    kept(
        "calls that sleep at once",
        "200 threads that read one pipe, until it ends",
        "200",
        &calls.len().to_string(),
    );
}
