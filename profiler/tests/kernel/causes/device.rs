//! `device`: a disk takes a set time for each request.

use profiler::blame::Cause;
use profiler::blame::Outcome;
use std::{path::Path, time::Duration};

use profiler::lab::rig::{Kind, Served, SlowDisk};
use profiler::report::v1::SlowCall;

use super::{Stall, TRIED, matched, prove, undisturbed, watch};
use crate::{
    harness::{calls_on, folder, needs_kernel, on_disk, only, skip},
    player::{Op, Script},
};

pub(super) const DELAY: Duration = Duration::from_millis(8);

/// Far enough from each other that no fetched page serves two of them.
pub(super) fn far_apart(record: &Path, path: &Path) -> Script {
    Script {
        record: record.to_owned(),
        path: Some(path.to_owned()),
        block: 4096,
        stride: 128 << 10,
        count: TRIED,
        random: true,
        urgent: true,
        ..Script::default()
    }
}

/// The request that a read made: the last one that was served before it ended. None if it
/// asked the server for nothing.
pub(super) fn served<'a>(op: &Op, reads: &'a [Served]) -> Option<&'a Served> {
    let within = |read: &&Served| read.start_ns >= op.start_ns && read.end_ns <= op.end_ns;
    reads.iter().rev().find(within)
}

/// What each op was made to wait: from its beginning to the server's answer. The reader
/// asks at once; on the way to the server there may be a worker of the kernel's that has
/// to wait for a CPU, and that is the device's time too.
///
/// A few did not wait: where something holds on to a page (DAMON does) while the others are
/// dropped from the cache, it is still there, and the server was not asked.
pub(super) fn stalls(
    cause: Cause,
    calls: &[&SlowCall],
    ops: &[Op],
    reads: &[Served],
) -> Vec<Stall> {
    let told = matched(calls, ops);
    let asked = ops.iter().filter_map(|op| Some((op, served(op, reads)?)));
    let asked: Vec<_> = asked.collect();
    assert!(asked.len() as u64 >= TRIED - 5, "{} waited", asked.len());
    let stall = |(op, read): &(&Op, &Served)| {
        let took = read.end_ns - read.start_ns;
        assert!(took >= DELAY.as_nanos() as u64, "{read:?}");
        let injected_ns = read.end_ns - op.start_ns;
        let mut its = told.iter().filter(|(_, it)| it.start_ns == op.start_ns);
        let stall = match (its.next(), its.next()) {
            (Some((call, _)), None) => Stall::of(call, cause, injected_ns),
            (None, _) => Stall::untold(op, injected_ns),
            (Some(_), Some(_)) => panic!("{op:?} is told twice"),
        };
        undisturbed(op, injected_ns).then_some(stall)
    };
    asked.iter().filter_map(stall).collect()
}

fn slow(script: &Script, disk: &SlowDisk, outcome: Outcome, provoked: &str) {
    let path = script.path.as_ref().expect("a file");
    disk.delay(DELAY, Duration::ZERO);
    let report = watch(script);
    let reads = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    let scenario = only(&report);
    let calls = calls_on(scenario, path);
    let others: Vec<_> = calls
        .iter()
        .filter(|call| call.latency_ns >= DELAY.as_nanos() as u64)
        .filter(|call| call.outcome != outcome)
        .collect();
    assert!(others.is_empty(), "not {outcome}: {others:#?}");
    prove(
        Cause::Device,
        provoked,
        &stalls(Cause::Device, &calls, &script.ops(), &reads),
    );
}

#[test]
fn a_slow_device_is_blamed_for_its_time() {
    needs_kernel!();
    for kind in Kind::ALL {
        let disk = match SlowDisk::with(kind, &on_disk()) {
            Ok(disk) => disk,
            Err(why) => skip!("{why}"),
        };
        let folder = folder();
        let script = far_apart(&folder.path().join("ops"), &disk.data());
        let name = kind.name();
        disk.cool(&disk.data()).expect("a cold file");
        slow(
            &script,
            &disk,
            Outcome::Miss,
            &format!("{name}, a disk that takes 8 ms"),
        );
        let direct = Script {
            direct: true,
            ..script.clone()
        };
        slow(
            &direct,
            &disk,
            Outcome::Direct,
            &format!("{name}, O_DIRECT"),
        );
        let mapped = Script {
            mapped: true,
            ..script
        };
        disk.cool(&disk.data()).expect("a cold file");
        slow(
            &mapped,
            &disk,
            Outcome::Fault,
            &format!("{name}, faults on a mapping"),
        );
    }
}

#[test]
fn a_block_device_that_is_read_itself_gives_data() {
    needs_kernel!();
    let disk = match SlowDisk::new(&on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    // Past the file system's own blocks, which it keeps in the same cache.
    let offset = 88 << 20;
    let script = Script {
        offset,
        ..far_apart(&folder.path().join("ops"), disk.device())
    };
    disk.delay(DELAY, Duration::ZERO);
    let report = watch(&script);
    let reads = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    let scenario = only(&report);
    let calls: Vec<_> = scenario
        .slowest
        .iter()
        .filter(|call| call.offset >= Some(offset) && call.path.is_some())
        .collect();
    assert!(
        calls.iter().all(|call| call.outcome == Outcome::Miss),
        "{calls:#?}"
    );
    let io = scenario.io.as_ref().expect("its hooks are there");
    assert!(io.data >= TRIED - 5, "{io:?}");
    prove(
        Cause::Device,
        "the disk itself read, without a file system",
        &stalls(Cause::Device, &calls, &script.ops(), &reads),
    );
}
