//! Whose request it was that a call waited for: `late` outcomes and foreign owners.

use profiler::blame::Cause;
use profiler::blame::Outcome;
use profiler::report::v1::OwnerKind;
use std::{fs::File, num::NonZeroU64, time::Duration};

use profiler::lab::rig::{Served, SlowDisk};
use profiler::report::v1::{Scenario, SlowCall};
use rustix::fs::{Advice, fadvise};

use super::{
    Stall, TRIED, checked,
    device::{DELAY, far_apart},
    matched, prove, undisturbed, watch,
};
use crate::{
    harness::{Running, calls_on, folder, needs_kernel, on_disk, only, skip},
    player::{Baton, Op, Script},
};

/// What each op had to wait for a request that was made before it began: from its
/// beginning to the answer.
fn stalls(calls: &[&SlowCall], ops: &[Op], reads: &[Served]) -> Vec<Stall> {
    let stall = |(call, op): &(&SlowCall, Op)| {
        let read = reads.iter().find(|read| read.end_ns > op.start_ns)?;
        let injected_ns = read.end_ns - op.start_ns;
        undisturbed(op, injected_ns).then(|| Stall::of(call, Cause::Device, injected_ns))
    };
    matched(calls, ops).iter().filter_map(stall).collect()
}

/// The calls that found their page on its way.
fn late<'a>(scenario: &'a Scenario, disk: &SlowDisk) -> Vec<&'a SlowCall> {
    let mut calls = calls_on(scenario, &disk.data());
    calls.retain(|call| call.outcome == Outcome::Late);
    calls
}

#[test]
fn a_page_that_was_asked_for_earlier_is_late() {
    needs_kernel!();
    let disk = match SlowDisk::new(&on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    let script = Script {
        ahead: true,
        ..far_apart(&folder.path().join("ops"), &disk.data())
    };
    disk.cool(&disk.data()).expect("a cold file");
    disk.delay(DELAY, Duration::ZERO);
    let report = watch(&script);
    let reads = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    let scenario = only(&report);
    let calls = late(scenario, &disk);
    let all = scenario.outcomes;
    assert!(calls.len() as u64 >= TRIED - 5, "{all:?}");
    prove(
        Cause::Device,
        "late: pages that the reader had asked for before (POSIX_FADV_WILLNEED)",
        &stalls(&calls, &script.ops(), &reads),
    );
    // Not its own in this call, but its own.
    for wait in scenario
        .waits
        .iter()
        .filter(|wait| wait.cause == Cause::Device && wait.count > 30)
    {
        let request = wait.request.as_ref().expect("a request");
        assert_eq!(request.owner, OwnerKind::Thread, "{wait:#?}");
    }
}

#[test]
fn a_page_that_another_process_fetches_is_told_with_its_pid() {
    needs_kernel!();
    let disk = match SlowDisk::new(&on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    let script = Script {
        lockstep: true,
        ..far_apart(&folder.path().join("ops"), &disk.data())
    };
    disk.cool(&disk.data()).expect("a cold file");
    disk.delay(DELAY, Duration::ZERO);
    let file = File::open(disk.data()).expect("the file");
    let (mut baton, stdin) = Baton::pair();
    let run = Running::start_with(&["run", "--slowest", "1000"], &script.command(), stdin);
    script.wait_ready();
    for n in 0..script.count {
        // This process asks; the player finds the page on its way.
        let length = NonZeroU64::new(4096);
        fadvise(&file, n * script.stride, length, Advice::WillNeed).expect("advice");
        baton.go();
        baton.done();
    }
    let run = run.wait();
    let reads = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    assert!(run.output.status.success(), "{:?}", run.output);
    let report = checked(run.report);
    let scenario = only(&report);
    // Where this test was kept from running, a page may have arrived before its reader.
    let calls = late(scenario, &disk);
    let enough = TRIED * 9 / 10;
    assert!(calls.len() as u64 >= enough, "{:?}", scenario.outcomes);
    prove(
        Cause::Device,
        "late: pages that another process had asked for",
        &stalls(&calls, &script.ops(), &reads),
    );
    let io = scenario.io.as_ref().expect("its hooks are there");
    assert!(io.foreign >= enough, "{io:?}");
    let foreign = scenario.waits.iter().filter(|wait| {
        let request = wait.request.as_ref();
        let by_us = request.is_some_and(|request| request.pid == Some(std::process::id()));
        by_us && wait.cause == Cause::Device
    });
    let foreign: u64 = foreign.map(|wait| wait.count).sum();
    assert!(foreign >= enough, "{:#?}", scenario.waits);
}
