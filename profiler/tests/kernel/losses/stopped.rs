//! The collector stands still in the middle of a session.

use std::{thread::sleep, time::Duration};

use super::{
    accounted,
    actor::{Act, Actor},
    kept, told_and_lost,
};
use crate::harness::{Running, file, folder, needs_kernel, sound};

/// Watches a reader that makes some thousand calls a second; gives the report.
fn watch(words: &[&str], seconds: u64) -> profiler::report::v1::Report {
    let folder = folder();
    let path = file(&folder, "data", 1 << 16);
    let act = Act::Busy {
        path,
        cpus: vec![0, 0],
        ms: seconds * 1000 + 2000,
        pause_us: 200,
    };
    let actor = Actor::new(act, folder.path());
    let run = Running::start(words, &actor.command());
    actor.wait_pid();
    sleep(Duration::from_secs(1));
    run.signal(libc::SIGSTOP);
    sleep(Duration::from_secs(seconds));
    run.signal(libc::SIGCONT);
    let run = run.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    accounted(&run.report);
    run.report
}

#[test]
fn a_collector_that_stands_still_finds_what_was_told_meanwhile() {
    needs_kernel!();
    let report = watch(&["run", "--every-call"], 5);
    sound(&report);
    let (told, syscr) = told_and_lost(&report);
    // Some seconds' worth of them were on their way at once.
    assert!(told == syscr && told > 5_000, "{told}");
    kept(
        "facts while the collector stands still",
        "SIGSTOP for 5 s, a reader with --every-call, the default ring",
        &format!("{syscr} calls, 0 facts lost"),
        &format!("{told} calls, {} facts lost", report.quality.lost),
    );
}

#[test]
fn a_collector_that_stood_still_for_too_long_knows_how_much_it_missed() {
    needs_kernel!();
    let report = watch(&["run", "--every-call", "--ring-size", "256K"], 2);
    let (told, syscr) = told_and_lost(&report);
    let quality = &report.quality;
    assert!(quality.lost > 0, "{quality:#?}");
    kept(
        "facts that found no room while the collector stood still",
        "SIGSTOP for 2 s, a reader with --every-call, a ring of 256 KiB",
        &format!("{} facts made, {syscr} calls", quality.facts),
        &format!(
            "{} facts arrived and {} counted as lost, {told} calls told or counted as lost",
            quality.facts - quality.lost,
            quality.lost,
        ),
    );
}
