//! `runqueue` and `preempted`: a thread of a higher priority has the CPU for a set time.

use profiler::blame::Cause;
use std::{
    fs::File,
    io::Read as _,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::Duration,
};

use profiler::report::v1::SlowCall;
use rustix::fs::{Advice, fadvise};

use super::{Stall, TRIED, checked, drop_pages, matched, prove};
use crate::{
    harness::{Running, calls_on, file, folder, needs_kernel, only},
    player::{Op, Script, now, pin},
};

const PAUSE: Duration = Duration::from_millis(6);

/// Takes the CPU for a while, again and again, until it is told to stop. Says from when
/// to when.
fn hog(done: &AtomicBool) -> Vec<(u64, u64)> {
    // Before the reader, which runs before everything else.
    pin(0, 2);
    let mut bursts = Vec::new();
    while !done.load(Ordering::SeqCst) {
        bursts.push(burst(Duration::from_millis(4)));
        sleep(PAUSE);
    }
    bursts
}

fn burst(run: Duration) -> (u64, u64) {
    let start_ns = now();
    while now() < start_ns + run.as_nanos() as u64 {
        std::hint::spin_loop();
    }
    (start_ns, now())
}

/// Brings a file into the cache a page at a time. A kernel that is not preempted only
/// gives way to others where it offers to, in a read after every few folios.
fn in_small_folios(path: &Path) {
    drop_pages(path);
    let file = File::open(path).expect("the file");
    fadvise(&file, 0, None, Advice::Random).expect("advice");
    let mut page = [0; 4096];
    while (&file).read(&mut page).expect("a page") > 0 {}
}

/// For how much of a call the bursts went on.
fn overlap(call: &SlowCall, bursts: &[(u64, u64)]) -> u64 {
    // Not of the op: it may also be kept from running before the call and after it.
    let ended_ns = call.began_ns + call.latency_ns;
    let overlap =
        |&(from, to): &(u64, u64)| to.min(ended_ns).saturating_sub(from.max(call.began_ns));
    bursts.iter().map(overlap).sum()
}

#[test]
fn a_reader_that_another_drives_from_the_cpu_is_preempted() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 8 << 20);
    in_small_folios(&path);
    let script = Script {
        record: folder.path().join("ops"),
        path: Some(path.clone()),
        block: 8 << 20,
        stride: 0,
        count: 4000,
        cpu: Some(0),
        ..Script::default()
    };
    let done = AtomicBool::new(false);
    let (run, bursts) = thread::scope(|scope| {
        // At work before the reader is, which else would keep it from the CPU.
        let hog = scope.spawn(|| hog(&done));
        let run = Running::start(&["run", "--slowest", "1000"], &script.command());
        let run = run.wait();
        done.store(true, Ordering::SeqCst);
        (run, hog.join().expect("the hog"))
    });
    assert!(run.output.status.success(), "{:?}", run.output);
    let report = checked(run.report);
    let calls = calls_on(only(&report), &path);
    // Somebody was before both of them: the kernel lets all others run for a twentieth of
    // each second.
    let late: Vec<_> = bursts
        .windows(2)
        .map(|two| (two[0].1, two[1].0))
        .filter(|(from, to)| to - from > 2 * PAUSE.as_nanos() as u64)
        .collect();
    let stall = |call: &&SlowCall| {
        let injected_ns = overlap(call, &bursts);
        (injected_ns > 1_000_000 && overlap(call, &late) == 0).then_some(Stall::of(
            call,
            Cause::Preempted,
            injected_ns,
        ))
    };
    let stalls: Vec<_> = calls.iter().filter_map(stall).collect();
    prove(
        Cause::Preempted,
        "warm reads, a thread of higher priority takes the CPU for 4 ms",
        &stalls,
    );
}

#[test]
fn a_reader_that_is_woken_onto_a_busy_cpu_waits_in_the_run_queue() {
    needs_kernel!();
    let (pipe, mut end) = std::io::pipe().expect("a pipe");
    let folder = folder();
    let script = Script {
        record: folder.path().join("ops"),
        block: 512,
        cpu: Some(0),
        ..Script::default()
    };
    let run = Running::start_with(
        &["run", "--slowest", "1000"],
        &script.command(),
        Stdio::from(pipe),
    );
    script.wait_ready();
    // Both causes in one call, each in a known amount: it sleeps until the write, and is
    // runnable from then to the end of the burst in which the write was made.
    let made = thread::spawn(move || {
        pin(0, 2);
        let made = |_| {
            sleep(Duration::from_millis(3));
            let written = now();
            std::io::Write::write_all(&mut end, &[1; 512]).expect("somebody reads");
            let (_, until) = burst(Duration::from_millis(4));
            (written, until)
        };
        (0..TRIED).map(made).collect::<Vec<_>>()
    });
    let made = made.join().expect("the writer");
    let run = run.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    let report = checked(run.report);
    let calls: Vec<_> = only(&report)
        .slowest
        .iter()
        .filter(|call| call.blame_ns.or_zero(Cause::Peer) > 0)
        .collect();
    let matched = matched(&calls, &script.ops());
    let stalls = |cause: Cause, other: Cause, injected: fn(&Op, u64, u64) -> u64| -> Vec<Stall> {
        let stall = |(call, op): &(&SlowCall, Op)| {
            let &(written, until) = made.iter().find(|(written, _)| *written > op.start_ns)?;
            let injected_ns = injected(op, written, until);
            Some(Stall::part(call, cause, other, injected_ns))
        };
        matched.iter().filter_map(stall).collect()
    };
    prove(
        Cause::Runqueue,
        "woken by a write, the writer keeps the CPU for 4 ms more",
        &stalls(Cause::Runqueue, Cause::Peer, |_, written, until| {
            until - written
        }),
    );
    prove(
        Cause::Peer,
        "pipe, before a write whose writer keeps the CPU",
        &stalls(Cause::Peer, Cause::Runqueue, |op, written, _| {
            written - op.start_ns
        }),
    );
}
