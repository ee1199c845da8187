//! Which stack a sleep is told with: its own, or that of an earlier one like it.

use std::collections::HashSet;

use profiler_common::fact::{WAIT_STACK_EARLIER, Wait};

use crate::{
    harness::{file, folder, needs_kernel, only, session, sound},
    outcomes::recorded,
    player::Script,
};

const COUNT: u64 = 600;

/// The waits of a reader that goes past the page cache, one request a call.
fn waits() -> Vec<Wait> {
    let folder = folder();
    let path = file(&folder, "data", COUNT as usize * 4096);
    let recording = folder.path().join("recording");
    let record = recording.display().to_string();
    let script = Script {
        count: COUNT,
        ..Script::direct(folder.path(), path)
    };
    let run = session(&["run", "--record", &record], &script.command());
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    assert!(only(&run.report).calls >= COUNT);
    let calls = recorded::calls(&recording);
    calls.into_iter().flat_map(|it| it.call.waits).collect()
}

#[test]
fn a_row_of_sleeps_for_own_requests_shares_a_stack() {
    needs_kernel!();
    let waits = waits();
    let is_earlier = |wait: &&Wait| wait.flags & WAIT_STACK_EARLIER != 0;
    let own: HashSet<i32> = waits
        .iter()
        .filter(|wait| !is_earlier(wait))
        .map(|wait| wait.stack)
        .collect();
    for wait in waits.iter().filter(is_earlier) {
        assert!(own.contains(&wait.stack), "nobody had it: {wait:?}");
        assert!(
            wait.request.completed_ns != 0,
            "only where a request explains the sleep: {wait:?}"
        );
    }
    // Where the kernel hides wake-ups, sleeps are not as foreseen, and have their own.
    let hidden = waits.iter().filter(|wait| wait.woken_ns == 0).count();
    let earlier = waits.iter().filter(is_earlier).count();
    println!(
        "{} waits, {earlier} with an earlier stack, {hidden} hidden",
        waits.len()
    );
    assert!(
        hidden > 0 || earlier * 2 > waits.len(),
        "{earlier} of {}",
        waits.len()
    );
}
