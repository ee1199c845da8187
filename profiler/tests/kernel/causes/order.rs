//! Whose request it was that a call waited for: `late` outcomes and foreign owners.

use std::{fs::File, num::NonZeroU64, time::Duration};

use rustix::fs::{Advice, fadvise};

use super::{Stall, compare, matched, named};
use crate::{
    harness::{Running, calls_on, explained, folder, needs_kernel, only, session, skip, sound},
    player::{Baton, Op, Script},
    rig::SlowDisk,
};

fn script(folder: &tempfile::TempDir, disk: &SlowDisk) -> Script {
    Script {
        record: folder.path().join("ops"),
        path: Some(disk.data()),
        block: 4096,
        stride: 128 << 10,
        count: 60,
        random: true,
        urgent: true,
        ..Script::default()
    }
}

#[test]
fn a_page_that_was_asked_for_earlier_is_late() {
    needs_kernel!();
    let disk = match SlowDisk::new() {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    let script = Script {
        ahead: true,
        ..script(&folder, &disk)
    };
    disk.cool(&disk.data());
    disk.delay(Duration::from_millis(8), Duration::ZERO);
    let run = session(&["run", "--slowest", "1000"], &script.command());
    let reads = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    let scenario = only(&run.report);
    explained(scenario);
    let calls = calls_on(scenario, &disk.data());
    assert_eq!(calls.len(), 60, "{:?}", scenario.outcomes);
    assert!(
        calls.iter().all(|call| call.outcome == "late"),
        "{calls:#?}"
    );
    named("device", &calls);
    let stall = |(call, op): &(&profiler::report::v1::SlowCall, Op)| {
        let read = reads.iter().find(|read| read.end_ns > op.start_ns)?;
        Some(Stall {
            injected_ns: read.end_ns - op.start_ns,
            found_ns: call.blame_ns.device.unwrap_or(0) + call.blame_ns.queue.unwrap_or(0),
        })
    };
    let stalls: Vec<_> = matched(&calls, &script.ops())
        .iter()
        .filter_map(stall)
        .collect();
    compare("late", &stalls);
    // Not its own in this call, but its own.
    for wait in scenario
        .waits
        .iter()
        .filter(|wait| wait.cause == "device" && wait.count > 30)
    {
        let request = wait.request.as_ref().expect("a request");
        assert_eq!(request.owner, "thread", "{wait:#?}");
    }
}

#[test]
fn a_page_that_another_process_fetches_is_told_with_its_pid() {
    needs_kernel!();
    let disk = match SlowDisk::new() {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    let script = Script {
        lockstep: true,
        ..script(&folder, &disk)
    };
    disk.cool(&disk.data());
    disk.delay(Duration::from_millis(8), Duration::ZERO);
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
    sound(&run.report);
    let scenario = only(&run.report);
    explained(scenario);
    let calls = calls_on(scenario, &disk.data());
    let calls: Vec<_> = calls
        .into_iter()
        .filter(|call| call.outcome == "late")
        .collect();
    // Where this test was kept from running, a page may have arrived before its reader.
    assert!(calls.len() >= 54, "{:?}", scenario.outcomes);
    named("device", &calls);
    let stall = |(call, op): &(&profiler::report::v1::SlowCall, Op)| {
        let read = reads.iter().find(|read| read.end_ns > op.start_ns)?;
        Some(Stall {
            injected_ns: read.end_ns - op.start_ns,
            found_ns: call.blame_ns.device.unwrap_or(0) + call.blame_ns.queue.unwrap_or(0),
        })
    };
    let stalls: Vec<_> = matched(&calls, &script.ops())
        .iter()
        .filter_map(stall)
        .collect();
    compare("foreign", &stalls);
    let io = scenario.io.as_ref().expect("its hooks are there");
    assert!(io.foreign >= 54, "{io:?}");
    let foreign: u64 = scenario
        .waits
        .iter()
        .filter(|wait| {
            let request = wait.request.as_ref();
            request.is_some_and(|request| request.pid == Some(std::process::id()))
                && wait.cause == "device"
        })
        .map(|wait| wait.count)
        .sum();
    assert!(foreign >= 54, "{:#?}", scenario.waits);
}
