//! `device` and `server`: who answers takes a set time.

use std::{path::Path, time::Duration};

use profiler::report::v1::{Report, SlowCall};

use super::{Stall, compare, matched, named};
use crate::{
    harness::{calls_on, explained, file, folder, needs_kernel, only, session, skip, sound},
    player::{Op, Script},
    rig::{Served, SlowDisk, SlowFiles, private_mounts},
};

const DELAY: Duration = Duration::from_millis(8);
const READS: u64 = 60;

/// Far enough from each other that no fetched page serves two of them.
fn script(record: &Path, path: &Path, direct: bool) -> Script {
    Script {
        record: record.to_owned(),
        path: Some(path.to_owned()),
        block: 4096,
        stride: 128 << 10,
        count: READS,
        random: true,
        urgent: true,
        direct,
        ..Script::default()
    }
}

fn watch(script: &Script) -> Report {
    let run = session(&["run", "--slowest", "1000"], &script.command());
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    run.report
}

/// What each op was made to wait: from its beginning to the server's answer. The reader
/// asks at once; on the way to the server there may be a worker of the kernel's that has
/// to wait for a CPU, and that is the device's time too.
fn stalls(
    calls: &[&SlowCall],
    ops: &[Op],
    reads: &[Served],
    found: impl Fn(&SlowCall) -> u64,
) -> Vec<Stall> {
    let stall = |(call, op): &(&SlowCall, Op)| {
        let within = |read: &&Served| read.start_ns >= op.start_ns && read.end_ns <= op.end_ns;
        let read = reads
            .iter()
            .rev()
            .find(within)
            .expect("the server was asked");
        let found_ns = found(call);
        let took = read.end_ns - read.start_ns;
        assert!(took >= DELAY.as_nanos() as u64, "{read:?}");
        Stall {
            injected_ns: read.end_ns - op.start_ns,
            found_ns,
        }
    };
    matched(calls, ops).iter().map(stall).collect()
}

#[test]
fn a_slow_device_is_blamed_for_its_time() {
    needs_kernel!();
    let disk = match SlowDisk::new() {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    for (direct, outcome) in [(false, "miss"), (true, "direct")] {
        let script = script(&folder.path().join("ops"), &disk.data(), direct);
        disk.cool(&disk.data());
        disk.delay(DELAY, Duration::ZERO);
        let report = watch(&script);
        let reads = disk.reads();
        disk.delay(Duration::ZERO, Duration::ZERO);
        let scenario = only(&report);
        explained(scenario);
        let calls = calls_on(scenario, &disk.data());
        assert_eq!(calls.len() as u64, READS, "{:?}", scenario.outcomes);
        let others: Vec<_> = calls
            .iter()
            .filter(|call| call.outcome != outcome)
            .collect();
        assert!(others.is_empty(), "not {outcome}: {others:#?}");
        named("device", &calls);
        let stalls = stalls(&calls, &script.ops(), &reads, |call| {
            call.blame_ns.device.unwrap_or(0) + call.blame_ns.queue.unwrap_or(0)
        });
        compare(&format!("device ({outcome})"), &stalls);
    }
}

#[test]
fn a_block_device_that_is_read_itself_gives_data() {
    needs_kernel!();
    let disk = match SlowDisk::new() {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    // Past the file system's own blocks, which it keeps in the same cache.
    let script = Script {
        offset: 40 << 20,
        ..script(&folder.path().join("ops"), disk.device(), false)
    };
    disk.delay(DELAY, Duration::ZERO);
    let report = watch(&script);
    disk.delay(Duration::ZERO, Duration::ZERO);
    let scenario = only(&report);
    explained(scenario);
    let calls: Vec<_> = scenario
        .slowest
        .iter()
        .filter(|call| call.offset >= Some(40 << 20))
        .collect();
    assert_eq!(calls.len() as u64, READS, "{:?}", scenario.outcomes);
    assert!(
        calls.iter().all(|call| call.outcome == "miss"),
        "{calls:#?}"
    );
    named("device", &calls);
    let io = scenario.io.as_ref().expect("its hooks are there");
    assert!(io.data >= READS, "{io:?}");
}

#[test]
fn a_slow_server_is_blamed_for_its_time() {
    needs_kernel!();
    if let Err(why) = private_mounts() {
        skip!("{why}");
    }
    let folder = folder();
    let backing = file(&folder, "backing", 16 << 20);
    let mounted = folder.path().join("mounted");
    std::fs::create_dir(&mounted).expect("a folder");
    let files = match SlowFiles::serve(&backing, &mounted) {
        Ok(files) => files,
        Err(why) => skip!("{why}"),
    };
    for (path, how) in [
        (files.cached(), "cached"),
        (files.direct(), "past the cache"),
    ] {
        let script = script(&folder.path().join("ops"), &path, false);
        files.reads();
        files.delay(DELAY, Duration::ZERO);
        let report = watch(&script);
        let reads = files.reads();
        files.delay(Duration::ZERO, Duration::ZERO);
        let scenario = only(&report);
        explained(scenario);
        let calls = calls_on(scenario, &path);
        assert_eq!(calls.len() as u64, READS, "{how}: {:?}", scenario.outcomes);
        named("server", &calls);
        let server = |call: &SlowCall| call.blame_ns.server;
        compare(
            &format!("server ({how})"),
            &stalls(&calls, &script.ops(), &reads, server),
        );
    }
}
