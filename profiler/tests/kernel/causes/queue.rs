//! `queue`: more readers than the disk takes requests at once.
//!
//! The disk serves one request at a time and logs when. It has `depth` of them at most:
//! so the one that it serves `depth` later could not be issued before this one was done.

use std::time::Duration;

use profiler::report::v1::SlowCall;

use super::{Stall, device::far_apart, matched, prove, watch};
use crate::{
    harness::{calls_on, folder, needs_kernel, only, skip},
    player::{Op, Script},
    rig::{Queue, Served, SlowDisk},
};

const READERS: u32 = 12;
/// Not each of them has to stand in a queue: who has just been served may come first.
const READS: u64 = 700;
const DEPTH: u32 = 4;
const SERVICE: Duration = Duration::from_millis(2);

#[test]
fn readers_that_stand_in_a_queue_are_told_so() {
    needs_kernel!();
    let disk = match SlowDisk::new() {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let queue = match Queue::of(disk.device()) {
        Ok(queue) => queue,
        Err(why) => skip!("{why}"),
    };
    if let Err(why) = queue.unscheduled(DEPTH) {
        skip!("{why}");
    }
    crowd(
        &disk,
        "12 readers, a disk that takes 4 requests and serves one in 2 ms",
    );
    if let Err(why) = queue.scheduled("mq-deadline", 64) {
        skip!("{why}");
    }
    crowd(
        &disk,
        "the same, with a scheduler (mq-deadline) that keeps the others",
    );
}

fn crowd(disk: &SlowDisk, provoked: &str) {
    let folder = folder();
    let path = disk.data();
    let script = Script {
        count: READS,
        parallel: READERS,
        direct: true,
        stride: 16 << 10,
        ..far_apart(&folder.path().join("ops"), &path)
    };
    disk.cool(&path);
    disk.delay(SERVICE, Duration::ZERO);
    let report = watch(&script);
    let mut served = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    let calls = calls_on(only(&report), &path);
    assert_eq!(calls.len() as u64, READS);
    // In the order in which they were served, which is that in which they ended.
    let mut matched = matched(&calls, &script.ops());
    matched.sort_by_key(|(_, op)| op.end_ns);
    served.sort_by_key(|read| read.end_ns);
    // Not what describes the file.
    served.retain(|read| read.bytes == 4096);
    assert_eq!(served.len(), matched.len(), "one request a read");
    let stalls =
        |cause: &str, other: &str, injected: fn(&Served, &Served, u64) -> u64| -> Vec<Stall> {
            let pairs = matched.iter().skip(DEPTH as usize);
            let times = served.iter().zip(served.iter().skip(DEPTH as usize));
            // The first ones found room.
            let stood = pairs.zip(times).filter(|((_, op), (before, _))| {
                before.end_ns > op.start_ns + SERVICE.as_nanos() as u64
            });
            let stall = |((call, op), (before, own)): (&(&SlowCall, _), (&Served, &Served))| {
                let (call, op): (&SlowCall, &Op) = (call, op);
                Stall::part(call, cause, other, injected(before, own, op.start_ns))
            };
            stood.map(stall).collect()
        };
    prove(
        "queue",
        provoked,
        &stalls("queue", "device", |before, _, start_ns| {
            before.end_ns - start_ns
        }),
    );
    prove(
        "device",
        "the same calls, once the disk has them",
        &stalls("device", "queue", |before, own, _| {
            own.end_ns - before.end_ns
        }),
    );
}
