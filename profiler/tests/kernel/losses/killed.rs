//! Processes that end while their threads are in reads.

use profiler::blame::Cause;
use profiler::blame::Outcome;
use std::{path::PathBuf, time::Duration};

use profiler::lab::rig::SlowDisk;
use profiler::{host::process::threads_in_reads, report::v1::Report};

use super::{
    absent, accounted,
    actor::{Act, Actor},
    kept, until,
};
use crate::harness::{Running, folder, needs_kernel, on_disk, only, skip, sound};

const THREADS: u64 = 8;

/// How it ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Somebody kills it.
    Killed,
    /// Its first thread ends it, with all others.
    Itself,
}

/// Watches threads that are in reads when their process ends.
fn watch(path: Option<PathBuf>, direct: bool, end: End) -> Report {
    let folder = folder();
    let act = Act::Blocked {
        path,
        direct,
        threads: THREADS,
    };
    let actor = Actor::new(act, folder.path());
    let (stdin, _ours) = std::io::pipe().expect("a pipe");
    let run = Running::start_with(
        &["run", "--slowest", "1000"],
        &actor.command(),
        stdin.into(),
    );
    let pid = actor.wait_pid();
    until("all threads are in reads", || {
        threads_in_reads(pid).len() == THREADS as usize
    });
    let mut threads: Vec<u32> = threads_in_reads(pid).iter().map(|read| read.0).collect();
    match end {
        // SAFETY: a process that this test has started and nobody has reaped.
        End::Killed => assert_eq!(unsafe { libc::kill(pid as i32, libc::SIGKILL) }, 0),
        End::Itself => actor.go(),
    }
    let run = run.wait();
    let code = match end {
        End::Killed => 128 + libc::SIGKILL,
        End::Itself => 0,
    };
    assert_eq!(run.output.status.code(), Some(code), "{:?}", run.output);
    sound(&run.report);
    accounted(&run.report);
    assert_eq!(run.report.quality.open_calls, 0, "{:?}", run.report.quality);
    let scenario = only(&run.report);
    let mut told: Vec<u32> = scenario
        .slowest
        .iter()
        .filter(|call| call.outcome == Outcome::Error || threads.contains(&call.tid))
        .map(|call| call.tid)
        .collect();
    told.sort_unstable();
    threads.sort_unstable();
    // Each once.
    assert_eq!(told, threads, "{:#?}", scenario.slowest);
    run.report
}

fn proved(what: &str, how: &str, report: &Report) {
    let errors = only(report).outcomes.error.calls;
    kept(
        what,
        how,
        &format!("{THREADS} calls told once, none open"),
        &format!(
            "{THREADS} calls told once ({errors} as broken off), {} open",
            report.quality.open_calls
        ),
    );
}

#[test]
fn reads_of_a_pipe_are_told_when_their_process_ends() {
    needs_kernel!();
    for (end, how) in [
        (End::Killed, "SIGKILL to a process with 8 threads in them"),
        (End::Itself, "exit_group with 8 threads in them"),
    ] {
        let report = watch(None, false, end);
        let scenario = only(&report);
        assert_eq!(scenario.outcomes.error.calls, THREADS, "{end:?}");
        assert!(
            scenario.blame_ns.or_zero(Cause::Peer) > 0,
            "{:?}",
            scenario.blame_ns
        );
        proved("reads of a pipe when their process ends", how, &report);
    }
}

#[test]
fn reads_of_a_slow_device_are_told_when_their_process_ends() {
    needs_kernel!();
    let disk = match SlowDisk::new(&on_disk()) {
        Ok(disk) => disk,
        Err(why) => {
            absent("reads of a slow device when their process ends", &why);
            skip!("{why}");
        }
    };
    for (direct, end, how) in [
        (
            false,
            End::Killed,
            "SIGKILL with 8 threads in buffered reads",
        ),
        (
            false,
            End::Itself,
            "exit_group with 8 threads in buffered reads",
        ),
        (true, End::Killed, "SIGKILL with 8 threads in direct reads"),
        (
            true,
            End::Itself,
            "exit_group with 8 threads in direct reads",
        ),
    ] {
        disk.cool(&disk.data()).expect("a cold file");
        disk.delay(Duration::from_millis(200), Duration::ZERO);
        let report = watch(Some(disk.data()), direct, end);
        disk.delay(Duration::ZERO, Duration::ZERO);
        let outcomes = &only(&report).outcomes;
        // What goes past the cache is waited for to its end, and returned.
        let told = outcomes.error.calls + outcomes.direct.calls + outcomes.miss.calls;
        assert!(told >= THREADS, "{how}: {outcomes:?}");
        proved(
            "reads of a slow device when their process ends",
            how,
            &report,
        );
    }
}
