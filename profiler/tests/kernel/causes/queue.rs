//! `queue`: more readers than the disk takes requests at once.
//!
//! The disk serves one request at a time and logs when. It has `depth` of them at most:
//! so the one that it serves `depth` later could not be issued before this one was done.

use profiler::blame::Cause;
use std::time::Duration;

use super::{Stall, device::far_apart, matched, prove, undisturbed, watch};

use profiler::lab::rig::{Queue, SlowDisk};

use crate::{
    harness::{calls_on, folder, needs_kernel, on_disk, only, skip},
    player::Script,
};

const READERS: u32 = 12;
/// Not each of them stands in a queue: who has just been served may come first.
const READS: u64 = 700;
const DEPTH: u32 = 4;
const SERVICE: Duration = Duration::from_millis(8);

#[test]
fn readers_that_stand_in_a_queue_are_told_so() {
    needs_kernel!();
    let disk = match SlowDisk::new(&on_disk()) {
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
        "12 readers, a disk that takes 4 requests and serves one in 8 ms",
    );
    if let Err(why) = queue.scheduled("mq-deadline", 64) {
        skip!("{why}");
    }
    crowd(
        &disk,
        "12 readers, such a disk, and a scheduler (mq-deadline) that keeps the others",
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
    disk.cool(&path).expect("a cold file");
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
    let depth = DEPTH as usize;
    let before = served.iter().map(|read| read.end_ns);
    let asked = matched.iter().zip(&served).skip(depth).zip(before);
    let (queue, device): (Vec<_>, Vec<_>) = asked
        .filter_map(|((&(call, op), own), issued_ns)| {
            // Some found room.
            let queued_ns = issued_ns.checked_sub(op.start_ns)?;
            let stood = queued_ns > SERVICE.as_nanos() as u64;
            (stood && undisturbed(&op, own.end_ns - op.start_ns)).then(|| {
                let device_ns = own.end_ns - issued_ns;
                (
                    Stall::part(call, Cause::Queue, Cause::Device, queued_ns),
                    Stall::part(call, Cause::Device, Cause::Queue, device_ns),
                )
            })
        })
        .unzip();
    prove(Cause::Queue, provoked, &queue);
    prove(
        Cause::Device,
        &format!("after the queue: {provoked}"),
        &device,
    );
}
