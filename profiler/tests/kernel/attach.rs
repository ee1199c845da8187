//! `profiler attach`: a process that runs already.

use profiler::report::v1::WitnessName;
use std::{
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use profiler::report::v1::KindCounts;

use crate::{
    harness::{Running, explained, file, folder, needs_kernel, only, session, sound, witness},
    player::{Baton, Script},
};

/// Ends and reaps what a test has started.
pub(crate) struct Reaped(pub(crate) Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn start(script: &Script, stdin: Stdio) -> Reaped {
    let command = script.command();
    let mut start = Command::new(&command[0]);
    start.args(&command[1..]).stdin(stdin);
    Reaped(start.spawn().expect("a reader"))
}

#[test]
fn a_reader_that_runs_already_is_seen_with_all_its_threads() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 4 << 20);
    let script = Script::endless(folder.path(), path);
    let (_baton, stdin) = Baton::pair();
    let reader = start(&script, stdin);
    script.wait_ready();
    let pid = reader.0.id().to_string();
    let run = session(
        &[
            "attach",
            "--pid",
            &pid,
            "--duration",
            "2s",
            "--slowest",
            "1000",
        ],
        &[],
    );
    assert!(run.output.status.success(), "{:?}", run.output);
    let scenario = only(&run.report);
    assert!(
        run.report.quality.open_calls <= 4,
        "{:?}",
        run.report.quality
    );
    let mut report = run.report.clone();
    // Those are calls that were going on when it began, or when the time was up.
    report
        .quality
        .notes
        .retain(|note| !note.contains("was in a read") && !note.contains("begun before watching"));
    sound(&report);
    explained(scenario);
    assert!(scenario.calls > 100, "{}", scenario.calls);
    assert_eq!(
        scenario.outcomes.direct.calls, scenario.calls,
        "{:?}",
        scenario.outcomes
    );
    let mut threads: Vec<u32> = scenario.slowest.iter().map(|call| call.tid).collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads.len(), 4, "{threads:?}");
    for name in [
        WitnessName::Syscr,
        WitnessName::Rchar,
        WitnessName::ReadBytes,
    ] {
        let witness = witness(scenario, name).expect("/proc/PID/io");
        assert!(witness.agrees, "{witness:?}");
    }
}

#[test]
fn a_reader_that_ends_ends_the_session() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 1 << 20);
    let script = Script {
        count: 100,
        lockstep: true,
        ..Script::direct(folder.path(), path)
    };
    let (mut baton, stdin) = Baton::pair();
    let mut reader = start(&script, stdin);
    let pid = reader.0.id().to_string();
    let mut attach = Running::start(&["attach", "--pid", &pid], &[]);
    attach.wait_attached();
    for _ in 0..script.count {
        baton.go();
        baton.done();
    }
    reader.0.wait().expect("it ends");
    let run = attach.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    let scenario = only(&run.report);
    assert_eq!(run.report.quality.open_calls, 0, "{:?}", run.report.quality);
    let direct = scenario.outcomes.direct.calls;
    assert_eq!(direct, script.count);
    // Its own code may have been reclaimed: then it waits for that too.
    let reads = scenario.calls - scenario.outcomes.fault.calls;
    assert_eq!(reads, direct, "{:?}", scenario.outcomes);
}

#[test]
fn a_call_that_never_ends_is_told_as_open() {
    needs_kernel!();
    let folder = folder();
    let script = Script {
        record: folder.path().join("ops"),
        block: 4096,
        ..Script::default()
    };
    let (theirs, _ours) = std::io::pipe().expect("a pipe");
    let reader = start(&script, theirs.into());
    script.wait_ready();
    sleep(Duration::from_millis(50));
    let pid = reader.0.id().to_string();
    let run = session(&["attach", "--pid", &pid, "--duration", "300ms"], &[]);
    assert!(run.output.status.success(), "{:?}", run.output);
    assert_eq!(run.report.quality.open_calls, 1, "{:?}", run.report.quality);
    let notes = &run.report.quality.notes;
    assert!(
        notes.iter().any(|note| note.contains("was in a read")),
        "{notes:?}"
    );
    assert_eq!(only(&run.report).calls, 0);
}

/// Nobody saw it begin, so it is no call of the report; but it is not passed over.
#[test]
fn a_call_that_began_earlier_is_spoken_of() {
    needs_kernel!();
    let folder = folder();
    let script = Script {
        record: folder.path().join("ops"),
        block: 4096,
        ..Script::default()
    };
    let (theirs, mut ours) = std::io::pipe().expect("a pipe");
    let reader = start(&script, theirs.into());
    script.wait_ready();
    let pid = reader.0.id();
    while profiler::host::process::threads_in_reads(pid).is_empty() {
        sleep(Duration::from_millis(1));
    }
    let mut attach = Running::start(&["attach", "--pid", &pid.to_string()], &[]);
    attach.wait_attached();
    std::io::Write::write_all(&mut ours, b"word").expect("it is read");
    drop(ours);
    let run = attach.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    let notes = &run.report.quality.notes;
    let begun = "1 call had begun before watching started";
    assert!(notes.iter().any(|note| note.contains(begun)), "{notes:?}");
    // The one that found nothing more to read.
    assert_eq!(only(&run.report).outcomes.other.calls, 1, "{notes:?}");
}

/// At its start the profiler has probes tell reads of its own. Those are nobody's business.
#[test]
fn reads_that_test_the_probes_are_in_no_report() {
    needs_kernel!();
    let sleeper = Command::new("sleep").arg("60").spawn().expect("sleep");
    let sleeper = Reaped(sleeper);
    let folder = folder();
    let recording = folder.path().join("session.rec");
    let words = [
        "attach",
        "--pid",
        &sleeper.0.id().to_string(),
        "--duration",
        "100ms",
        "--every-call",
        "--record",
        recording.to_str().expect("UTF-8"),
    ];
    let run = session(&words, &[]);
    assert!(run.output.status.success(), "{:?}", run.output);
    let (scenario, quality) = (only(&run.report), &run.report.quality);
    assert_eq!((scenario.calls, scenario.missed_calls.total), (0, 0));
    let kinds = [quality.facts_by_kind, quality.arrived_by_kind];
    assert_eq!(kinds, [KindCounts::default(); 2], "{quality:#?}");
    assert_eq!(quality.notes, [""; 0]);
    let found = crate::outcomes::recorded::calls(&recording);
    assert!(found.is_empty(), "{} calls", found.len());
}
