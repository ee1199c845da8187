//! Nothing is lost in silence: whatever ends, stops or floods, each call is told, or
//! what is missing is counted.

pub(crate) mod actor;
mod asleep;
mod busy;
mod collector;
mod compat;
mod exec;
mod ids;
mod killed;
mod late;
mod many;
mod maps;
mod ring;
mod stopped;

use profiler::report::v1::WitnessName;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use profiler::lab::proof::{self, Line, Part};
use profiler::report::v1::{KindCounts, Report};

use crate::harness::{only, witness};

/// Waits until something is so. What takes longer than a minute hangs.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it never came to be that {what}"
        );
        sleep(Duration::from_millis(2));
    }
}

/// A line of the page of proofs.
fn kept(what: &str, provoked: &str, expected: &str, found: &str) {
    proof::record(&Line::Kept {
        part: Part::Losses,
        what,
        provoked,
        expected,
        found,
    })
    .expect("to be written down");
}

/// What this machine cannot bring about.
fn absent(what: &str, why: &str) {
    proof::record(&Line::Absent { what, why }).expect("to be written down");
}

/// What holds whatever was lost: each fact that was made arrived or is counted as lost,
/// by kind, and the shares of the calls that are complete add up.
fn accounted(report: &Report) {
    let quality = &report.quality;
    let kinds = |counts: &KindCounts| [counts.wait, counts.reclaim, counts.request, counts.ended];
    let made = kinds(&quality.facts_by_kind);
    let lost = kinds(&quality.lost_by_kind);
    let arrived = kinds(&quality.arrived_by_kind);
    for kind in 0..made.len() {
        assert_eq!(arrived[kind] + lost[kind], made[kind], "{quality:#?}");
    }
    assert_eq!(made.iter().sum::<u64>(), quality.facts);
    assert_eq!(lost.iter().sum::<u64>(), quality.lost);
    assert_eq!((quality.malformed, quality.odd), (0, 0), "{quality:#?}");
    assert_eq!(quality.no_state, 0, "{quality:#?}");
    let mut incomplete = 0;
    for scenario in &report.scenarios {
        assert_eq!(scenario.blame_ns.total(), scenario.duration_ns);
        let outcomes = || scenario.outcomes.iter().map(|(_, sum)| sum);
        let calls: u64 = outcomes().map(|sum| sum.calls).sum();
        assert_eq!(calls, scenario.calls);
        let ns: u64 = outcomes().map(|sum| sum.duration_ns).sum();
        assert_eq!(ns, scenario.duration_ns + scenario.incomplete_ns);
        for call in scenario.slowest.iter().filter(|call| call.complete) {
            assert_eq!(call.blame_ns.total(), call.latency_ns, "{call:#?}");
        }
        incomplete += scenario.incomplete_calls;
    }
    assert_eq!(incomplete, quality.incomplete_calls);
    let finding = report.findings.iter().find(|said| said.id == "lost-facts");
    assert_eq!(
        finding.is_some(),
        quality.lost > 0,
        "{:#?}",
        report.findings
    );
}

/// With every call told: the calls that are in the report, and those whose end is counted
/// as lost, are those that the kernel counted (`syscr`).
///
/// A lost end may also be that of a fault, which is no call to `syscr`: some pages of a
/// program's own may have been reclaimed. Gives both numbers.
fn told_and_lost(report: &Report) -> (u64, u64) {
    let syscr = witness(only(report), WitnessName::Syscr).expect("one program");
    let told = syscr.ours + report.quality.lost_by_kind.ended;
    assert!(
        (syscr.theirs..=syscr.theirs + 10).contains(&told),
        "{syscr:?} {:#?}",
        report.quality
    );
    (told, syscr.theirs)
}

/// The calls of a report that are system calls.
fn reads(report: &Report) -> u64 {
    let scenario = only(report);
    scenario.calls - scenario.outcomes.fault.calls
}
