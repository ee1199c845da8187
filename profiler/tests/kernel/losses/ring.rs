//! A ring that is too small: what found no room is counted, and what came is right.

use profiler::blame::Cause;
use std::time::Duration;

use profiler::lab::rig::{Served, SlowDisk};
use profiler::report::v1::{Severity, SlowCall};

use super::{
    absent, accounted,
    actor::{Act, Actor},
    kept, told_and_lost,
};
use crate::{
    harness::{calls_on, file, folder, needs_kernel, on_disk, only, session, skip},
    player::Op,
};

/// The report must say how far to trust it.
fn warns(report: &profiler::report::v1::Report) {
    let finding = report.findings.iter().find(|said| said.id == "lost-facts");
    let finding = finding.expect("facts were lost");
    assert_eq!(finding.severity, Severity::Problem);
    let said = format!("{} {}", finding.summary, finding.evidence);
    for word in ["were lost", "kept out of the shares", "not counted"] {
        assert!(said.contains(word), "{finding:#?}");
    }
}

#[test]
fn what_finds_no_room_is_counted() {
    needs_kernel!();
    const READS: u64 = 200_000;
    let folder = folder();
    for size in ["4K", "16K", "64K"] {
        let words = [
            "bench",
            "--scenario",
            "warm",
            "--every-call",
            "--size",
            "4M",
            "--reads",
            &READS.to_string(),
            "--ring-size",
            size,
            "--dir",
            folder.path().to_str().expect("UTF-8"),
        ];
        let run = session(&words, &[]);
        assert!(run.output.status.success(), "{:?}", run.output);
        let report = &run.report;
        accounted(report);
        warns(report);
        let quality = &report.quality;
        let (told, syscr) = told_and_lost(report);
        let ops = only(report).ops.expect("the reader's record").count;
        assert_eq!((ops, syscr), (READS, READS));
        assert!(quality.lost > 0, "{size}: {quality:#?}");
        let arrived = &quality.arrived_by_kind;
        assert!(arrived.ended > 100, "{size}: {quality:#?}");
        kept(
            "facts that find no room",
            &format!("a ring of {size}, {READS} reads told one by one"),
            &format!("{} facts made, {READS} calls", quality.facts),
            &format!(
                "{} arrived and {} lost, {told} calls told or lost",
                arrived.wait + arrived.reclaim + arrived.request + arrived.ended,
                quality.lost
            ),
        );
    }
}

const DELAY: Duration = Duration::from_millis(6);
const SLOW: u64 = 300;
/// Fetched in several windows of readahead, so that such a read sleeps several times.
const BLOCK: usize = 1 << 20;

/// What a read was made to wait at least: each of the requests that were served in it, one
/// after the other.
fn injected(op: &Op, reads: &[Served]) -> u64 {
    let within = |read: &&Served| read.start_ns >= op.start_ns && read.end_ns <= op.end_ns;
    let served = reads.iter().filter(within);
    served.map(|read| read.end_ns - read.start_ns).sum()
}

fn blocked(call: &SlowCall) -> u64 {
    call.latency_ns - call.blame_ns.or_zero(Cause::Cpu)
}

/// What became of the reads of the slow device.
#[derive(Debug, Default)]
struct Fates {
    complete: u64,
    /// Of those: more of their time is the device's and its queue's than anything else's.
    device: u64,
    incomplete: u64,
    /// Of those: less of their time is blocked than they were made to wait.
    short: u64,
}

impl Fates {
    fn add(&mut self, call: &SlowCall, injected: u64) {
        let short = blocked(call) + injected / 20 + 200_000 < injected;
        if !call.complete {
            self.incomplete += 1;
            self.short += u64::from(short);
            return;
        }
        self.complete += 1;
        // A wait that is missing from a call is missing from its blocked time.
        assert!(!short, "{injected} ns injected: {call:#?}");
        let device = call.blame_ns.or_zero(Cause::Device) + call.blame_ns.or_zero(Cause::Queue);
        self.device += u64::from(device * 2 > blocked(call));
    }
}

#[test]
fn what_is_complete_is_right_where_much_is_lost() {
    needs_kernel!();
    let disk = match SlowDisk::new(&on_disk()) {
        Ok(disk) => disk,
        Err(why) => {
            absent("what is complete where much is lost", &why);
            skip!("{why}");
        }
    };
    let folder = folder();
    let act = Act::Flood {
        path: file(&folder, "warm", 1 << 16),
        slow: disk.data(),
        reads: SLOW,
        block: BLOCK,
    };
    let actor = Actor::new(act, folder.path());
    disk.cool(&disk.data()).expect("a cold file");
    disk.delay(DELAY, Duration::ZERO);
    let words = [
        "run",
        "--every-call",
        "--slowest",
        "1000",
        "--ring-size",
        "32K",
    ];
    let run = session(&words, &actor.command());
    let reads = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    assert!(run.output.status.success(), "{:?}", run.output);
    let report = &run.report;
    accounted(report);
    warns(report);
    told_and_lost(report);
    let ops: Vec<Op> = actor.record();
    let mut fates = Fates::default();
    for call in calls_on(only(report), &disk.data()) {
        let of = |op: &&Op| (op.start_ns..=op.end_ns).contains(&call.began_ns);
        let op = ops.iter().find(of).expect("each call is an op");
        assert_eq!(call.offset, Some(op.offset));
        assert_eq!(call.returned, op.returned);
        fates.add(call, injected(op, &reads));
    }
    let quality = &report.quality;
    println!("{fates:?} {quality:#?}");
    let Fates {
        complete,
        device,
        incomplete,
        short,
    } = fates;
    assert!(complete >= 20 && incomplete >= 2, "{fates:?}");
    // Those that are marked do lack something.
    assert!(short > 0, "{fates:?}");
    // Where the kernel kept a wake-up from the probes, a wait is unexplained.
    assert!(device * 10 >= complete * 8, "{fates:?}");
    kept(
        "what is complete where much is lost",
        &format!(
            "a ring of 32 KiB, {} of {} facts lost, reads of a device that takes {} ms",
            quality.lost,
            quality.facts,
            DELAY.as_millis()
        ),
        &format!("{complete} complete calls: all of their stall found"),
        &format!(
            "{complete} complete calls: all of their stall found, {device} name the device; \
             {incomplete} calls marked incomplete"
        ),
    );
}
