//! A process of several threads becomes another program while one of them reads.

use super::{
    accounted,
    actor::{Act, Actor},
    kept, until,
};
use crate::{
    harness::{Running, calls_on, file, folder, needs_kernel, only, sound},
    player::Script,
};
use profiler::blame::Outcome;

fn story(leader_blocks: bool) {
    let folder = folder();
    let path = file(&folder, "data", 1 << 20);
    let script = Script {
        record: folder.path().join("ops"),
        path: Some(path.clone()),
        block: 4096,
        stride: 4096,
        count: 100,
        direct: true,
        ..Script::default()
    };
    let act = Act::Exec {
        leader_blocks,
        command: script.command(),
    };
    let actor = Actor::new(act, folder.path());
    let (stdin, _ours) = std::io::pipe().expect("a pipe");
    let words = ["run", "--every-call", "--slowest", "1000"];
    let run = Running::start_with(&words, &actor.command(), stdin.into());
    let pid = actor.wait_pid();
    let blocked = || profiler::host::process::threads_in_reads(pid);
    until("a thread reads", || blocked().len() == 1);
    let (reader, ..) = blocked()[0];
    assert_eq!(reader == pid, leader_blocks);
    actor.go();
    let run = run.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    accounted(&run.report);
    assert_eq!(run.report.quality.open_calls, 0, "{:?}", run.report.quality);
    let scenario = only(&run.report);
    // The call that exec broke off, once.
    assert_eq!(scenario.outcomes.error.calls, 1, "{:?}", scenario.outcomes);
    let mut broken = scenario.slowest.iter();
    let broken = broken
        .find(|call| call.outcome == Outcome::Error)
        .expect("a call");
    assert_eq!((broken.tid, broken.pid), (reader, pid), "{broken:#?}");
    // And all that the new program did, as the process's one thread.
    let calls = calls_on(scenario, &path);
    assert_eq!(calls.len(), 100, "{:?}", scenario.outcomes);
    assert!(calls.iter().all(|call| call.tid == pid && call.pid == pid));
    assert_eq!(script.ops().len(), 100);
    let who = ["another thread", "the first thread"][usize::from(leader_blocks)];
    kept(
        "a process that becomes another program",
        &format!("exec while {who} is blocked in a read"),
        "1 call broken off, 100 of the new program",
        &format!(
            "{} call broken off, {} of the new program",
            scenario.outcomes.error.calls,
            calls.len()
        ),
    );
}

#[test]
fn a_thread_that_execs_takes_over_and_the_first_ones_read_is_told() {
    needs_kernel!();
    story(true);
}

#[test]
fn the_first_thread_execs_and_another_ones_read_is_told() {
    needs_kernel!();
    story(false);
}
