//! Every scenario of `bench`, on the file system that the sources lie on.

use profiler::blame::Cause;
use profiler::report::v1::Style;
use profiler::report::v1::WitnessName;
use profiler::workload;
use std::{path::Path, process::Command};

use profiler::report::v1::{Report, Scenario, Witness};

use crate::harness::{
    Session, arrived, explained, folder, kernel_was_silent, needs_kernel, program, session, sound,
    witness,
};

/// The kernel's version, as far as it decides what is to be expected.
fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc");
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

fn bench(threads: &str, scenarios: &str, more: &[&str]) -> Report {
    bench_in(folder().path(), threads, scenarios, more)
}

/// Runs scenarios on a file in that folder, and checks what holds for each. Those in
/// which the kernel kept silent are run again.
pub(crate) fn bench_in(dir: &Path, threads: &str, scenarios: &str, more: &[&str]) -> Report {
    let mut kept: Vec<Scenario> = Vec::new();
    let mut names: Vec<String> = scenarios.split(',').map(str::to_owned).collect();
    let mut tries = 5;
    let mut report = loop {
        let mut report = once(dir, threads, &names.join(","), more);
        arrived(&report);
        tries -= 1;
        let last = tries == 0;
        kept.extend(
            report
                .scenarios
                .extract_if(.., |scenario| last || !kernel_was_silent(scenario)),
        );
        if report.scenarios.is_empty() {
            break report;
        }
        names = report.scenarios.drain(..).map(|s| s.name).collect();
        eprintln!("the kernel kept silent for a while: again {names:?}");
    };
    kept.sort_by_key(|scenario| scenarios.split(',').position(|name| name == scenario.name));
    kept.iter().for_each(common);
    report.scenarios = kept;
    sound(&report);
    report
}

/// Runs scenarios, whatever comes of it.
fn once(dir: &Path, threads: &str, scenarios: &str, more: &[&str]) -> Report {
    let dir = dir.to_str().expect("UTF-8");
    let mut words = vec!["bench", "--size", "64M", "--dir", dir, "--threads", threads];
    words.extend(["--scenario", scenarios]);
    words.extend(more);
    let Session { report, output } = session(&words, &[]);
    assert!(output.status.success(), "{output:?}");
    let told: Vec<_> = report.scenarios.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(told, scenarios.split(',').collect::<Vec<_>>());
    report
}

/// What holds for each of them.
fn common(scenario: &Scenario) {
    let name = &scenario.name;
    explained(scenario);
    assert!(
        !kernel_was_silent(scenario),
        "{name}: {:?}",
        scenario.blame_ns
    );
    let dissent: Vec<&Witness> = scenario.witness.iter().filter(|w| !w.agrees).collect();
    assert!(
        dissent.is_empty(),
        "{name}: {dissent:#?} {:?}",
        scenario.blame_ns
    );
    for needed in [
        WitnessName::Syscr,
        WitnessName::Rchar,
        WitnessName::ReadBytes,
        WitnessName::Residency,
        WitnessName::Requests,
        WitnessName::Latency,
        WitnessName::RunDelay,
        WitnessName::Nvcsw,
        WitnessName::Nivcsw,
    ] {
        assert!(
            witness(scenario, needed).is_some(),
            "{name}: nobody said {needed}"
        );
    }
    let ops = scenario.ops.expect("the reader keeps a record");
    if scenario.workload.style == Style::Reader(workload::Style::Mapped) {
        // A fault is told only if it had to wait; those that did not are no calls.
        assert!(scenario.calls <= ops.count, "{name}");
    } else {
        assert_eq!(scenario.calls, ops.count, "{name}");
        assert_eq!(scenario.bytes, ops.bytes, "{name}");
    }
}

fn warm(scenario: &Scenario) {
    assert_eq!(scenario.outcomes.hit.calls, scenario.calls);
    // Not 0: another program may want the CPU.
    assert!(
        scenario.blocked_calls * 1000 < scenario.calls,
        "{}",
        scenario.blocked_calls
    );
}

pub(crate) fn cold_random(scenario: &Scenario) {
    let calls = scenario.calls;
    assert!(
        scenario.outcomes.miss.calls * 100 >= calls * 99,
        "{:?}",
        scenario.outcomes
    );
    // Not of all blocked time: how long a woken thread takes to run is the machine's
    // affair (a halted virtual CPU needs a third of the blocked time for it).
    let blame = &scenario.blame_ns;
    let ns = |cause| blame.or_zero(cause);
    let scheduler = ns(Cause::Runqueue) + ns(Cause::Preempted);
    let asleep = scenario.blocked_ns - scheduler - ns(Cause::Completion);
    let device = ns(Cause::Device) + ns(Cause::Queue);
    assert!(device * 10 >= asleep * 9, "{blame:?}");
}

pub(crate) fn readahead(scenario: &Scenario) {
    let outcomes = &scenario.outcomes;
    assert!(outcomes.hit.calls > 0, "{outcomes:?}");
    assert!(
        outcomes.miss.calls + outcomes.late.calls > 0,
        "{outcomes:?}"
    );
    let sum = outcomes.hit.calls + outcomes.late.calls + outcomes.miss.calls;
    assert_eq!(sum, scenario.calls, "{outcomes:?}");
}

pub(crate) fn direct(scenario: &Scenario) {
    assert_eq!(
        scenario.outcomes.direct.calls, scenario.calls,
        "{:?}",
        scenario.outcomes
    );
    assert_eq!(
        scenario.readahead.pages_filled, 0,
        "{:?}",
        scenario.readahead
    );
}

pub(crate) fn mapped(scenario: &Scenario) {
    let majflt = witness(scenario, WitnessName::Majflt).expect("getrusage was asked");
    let faults = scenario.faults;
    assert_eq!(scenario.outcomes.fault.calls, scenario.calls);
    assert!(faults.fetched > 0, "{faults:?}");
    if kernel_is_at_least(6, 4) {
        // A fault that waits for a page on its way is a minor one, but for those that
        // could not have their mapping's own lock: at most the ones that waited.
        assert!(majflt.theirs >= faults.fetched, "{majflt:?} {faults:?}");
    } else {
        assert_eq!(
            majflt.theirs,
            faults.fetched + faults.joined + faults.ahead,
            "{majflt:?} {faults:?}"
        );
    }
}

fn all(threads: &str) {
    let warm_report = bench(threads, "warm,readahead,mapped", &[]);
    let [is_warm, is_readahead, is_mapped] = warm_report.scenarios.as_slice() else {
        panic!("three scenarios")
    };
    warm(is_warm);
    readahead(is_readahead);
    mapped(is_mapped);
    let names = "cold-random,no-readahead,direct-sequential,direct-random";
    let cold = bench(threads, names, &["--reads", "5000"]);
    let [is_cold, none, sequential, random] = cold.scenarios.as_slice() else {
        panic!("four scenarios")
    };
    cold_random(is_cold);
    direct(sequential);
    direct(random);
    // By calls: the one read more than the other.
    let misses = |scenario: &Scenario| scenario.outcomes.miss.calls as f64 / scenario.calls as f64;
    assert!(
        misses(is_readahead) * 10.0 <= misses(none),
        "{:?}",
        is_readahead.outcomes
    );
    assert!(misses(none) > 0.99, "{:?}", none.outcomes);
}

#[test]
fn every_scenario_with_one_thread() {
    needs_kernel!();
    all("1");
}

#[test]
fn every_scenario_with_eight_threads() {
    needs_kernel!();
    all("8");
}

#[test]
fn a_recording_replays_to_the_same_report() {
    needs_kernel!();
    let folder = folder();
    let path = folder.path().join("session.rec");
    let path = path.to_str().expect("UTF-8");
    let names: Vec<&str> = workload::Scenario::ALL.iter().map(|it| it.name).collect();
    let words = ["--reads", "1000", "--record", path];
    let live = once(folder.path(), "2", &names.join(","), &words);
    arrived(&live);
    let output = Command::new(program())
        .args(["report", path, "--format", "json"])
        .output()
        .expect("the profiler starts");
    assert!(output.status.success(), "{output:?}");
    let replayed: Report = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(replayed.scenarios, live.scenarios);
    assert_eq!(replayed.quality, live.quality);
    assert_eq!(replayed.findings, live.findings);
}
