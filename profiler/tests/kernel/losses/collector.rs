//! The profiler is killed in the middle of a session.

use profiler::report::v1::WitnessName;
use std::{collections::BTreeSet, fs, process::Stdio, thread::sleep, time::Duration};

use super::{accounted, kept, until};
use crate::{
    attach::{Reaped, start},
    harness::{Running, file, folder, needs_kernel, only, profiler, session, sound, witness},
    player::{Baton, Script},
};

/// What a process keeps in the kernel, by ids.
#[derive(Debug, Default)]
struct Held {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
    links: BTreeSet<u32>,
}

impl Held {
    fn by(pid: u32) -> Self {
        let mut held = Self::default();
        let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("a process");
        let infos = infos.flatten();
        for text in infos.filter_map(|info| fs::read_to_string(info.path()).ok()) {
            for line in text.lines() {
                let Some((key, id)) = line.split_once(':') else {
                    continue;
                };
                let ids = match key {
                    "prog_id" => &mut held.programs,
                    "map_id" => &mut held.maps,
                    "link_id" => &mut held.links,
                    _ => continue,
                };
                ids.insert(id.trim().parse().expect("an id"));
            }
        }
        assert!(
            !held.programs.is_empty() && !held.maps.is_empty(),
            "{held:?}"
        );
        assert!(!held.links.is_empty(), "{held:?}");
        held
    }

    /// Those that are still there.
    fn left(&self) -> usize {
        let programs = aya::programs::loaded_programs().flatten();
        let programs = programs.filter(|program| self.programs.contains(&program.id()));
        let maps = aya::maps::loaded_maps().flatten();
        let maps = maps.filter(|map| self.maps.contains(&map.id()));
        let links = aya::programs::loaded_links().flatten();
        let links = links.filter(|link| self.links.contains(&link.id()));
        programs.count() + maps.count() + links.count()
    }

    fn count(&self) -> usize {
        self.programs.len() + self.maps.len() + self.links.len()
    }
}

/// Kills a session and waits until the kernel has nothing of it any more.
fn kill(run: &Running) -> Held {
    let held = Held::by(run.id());
    assert_eq!(held.left(), held.count(), "{held:?}");
    run.signal(libc::SIGKILL);
    until("the kernel has let go of all", || held.left() == 0);
    held
}

fn proved(what: &str, held: &Held, workload: &str) {
    kept(
        &format!("the kernel after kill -9 of {what}"),
        &format!(
            "{} programs, {} maps and {} links held before",
            held.programs.len(),
            held.maps.len(),
            held.links.len()
        ),
        &format!("none left, no file left, {workload}"),
        &format!("{} left, no file left, {workload}", held.left()),
    );
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("a folder").flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Read calls of a process so far.
fn calls(pid: u32) -> u64 {
    let io = profiler::host::process::io(pid).expect("it lives");
    io.syscr
}

#[test]
fn an_attached_process_lives_on_and_can_be_attached_to_again() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 4 << 20);
    let script = Script::endless(folder.path(), path);
    let (_baton, stdin) = Baton::pair();
    let reader: Reaped = start(&script, stdin);
    script.wait_ready();
    let before = names(&folder);
    let pid = reader.0.id();
    let mut attach = Running::start(&["attach", "--pid", &pid.to_string()], &[]);
    attach.wait_attached();
    let held = kill(&attach);
    assert_eq!(attach.names(), [""; 0]);
    assert_eq!(names(&folder), before);
    let so_far = calls(pid);
    until("it goes on reading", || calls(pid) > so_far + 1_000);

    let words = ["attach", "--pid", &pid.to_string(), "--duration", "1s"];
    let mut report = session(&words, &[]).report;
    // Those are calls that were going on when it began, or when the time was up.
    let notes = &mut report.quality.notes;
    notes.retain(|note| !note.contains("was in a read") && !note.contains("begun before watching"));
    sound(&report);
    accounted(&report);
    let scenario = only(&report);
    assert!(scenario.calls > 100, "{}", scenario.calls);
    assert_eq!(scenario.outcomes.direct.calls, scenario.calls);
    let syscr = witness(scenario, WitnessName::Syscr).expect("/proc/PID/io");
    assert!(syscr.agrees, "{syscr:?}");
    proved("attach", &held, "the process reads on, and is seen again");
}

#[test]
fn a_command_whose_profiler_is_killed_goes_on() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 1 << 20);
    let script = Script {
        record: folder.path().join("ops"),
        path: Some(path),
        block: 4096,
        stride: 4096,
        count: 200,
        direct: true,
        lockstep: true,
        ..Script::default()
    };
    let (mut baton, stdin) = Baton::pair();
    let run = Running::start_with(&["run"], &script.command(), stdin);
    for n in 0..script.count {
        baton.go();
        baton.done();
        if n == 50 {
            let held = kill(&run);
            assert_eq!(run.names(), [""; 0]);
            proved("run", &held, "the command goes on to its end");
        }
    }
    // Whoever started it is gone: it is told by its record that it has ended.
    until("the command has ended", || script.record.exists());
    sleep(Duration::from_millis(50));
    let ops = script.ops();
    assert_eq!(ops.len(), 200);
    assert!(ops.iter().all(|op| op.returned == 4096));
}

#[test]
fn a_bench_leaves_neither_file_nor_reader() {
    needs_kernel!();
    let folder = folder();
    let words = [
        "bench",
        "--scenario",
        "warm",
        "--size",
        "16M",
        "--reads",
        "4000000",
        "--dir",
        folder.path().to_str().expect("UTF-8"),
    ];
    let run = Running::start(&words, &[]);
    let children = || crate::harness::children(run.id());
    until("its reader reads", || {
        let reads =
            |pid: &u32| profiler::host::process::io(*pid).is_some_and(|io| io.syscr > 2_000);
        children().iter().any(reads)
    });
    let [reader] = children()[..] else {
        panic!("one reader, not {:?}", children())
    };
    let held = kill(&run);
    let lives = || fs::read(format!("/proc/{reader}/cmdline")).is_ok_and(|line| !line.is_empty());
    until("the reader has ended", || !lives());
    assert_eq!((run.names(), names(&folder)), (vec![], vec![]));
    proved("bench", &held, "its reader ends");
}

/// What it had written of its recording by then can be shown.
#[test]
fn a_recording_that_was_broken_off_says_so() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 1 << 16);
    let recording = folder.path().join("recording");
    let act = super::actor::Act::Busy {
        path,
        cpus: vec![0],
        ms: 60_000,
        pause_us: 0,
    };
    let actor = super::actor::Actor::new(act, folder.path());
    let words = [
        "run",
        "--every-call",
        "--record",
        recording.to_str().expect("UTF-8"),
    ];
    let run = Running::start_with(&words, &actor.command(), Stdio::null());
    let command = actor.wait_pid();
    let length = || fs::metadata(&recording).map_or(0, |file| file.len());
    until("it has written something", || length() > 8 << 20);
    kill(&run);
    // SAFETY: a process that this test has started.
    unsafe { libc::kill(command as i32, libc::SIGKILL) };
    let words = [
        "report",
        recording.to_str().expect("UTF-8"),
        "--format",
        "json",
    ];
    let output = profiler(&words).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let report: profiler::report::v1::Report =
        serde_json::from_slice(&output.stdout).expect("a report");
    let notes = &report.quality.notes;
    let cut = |note: &String| note.contains("cut off");
    assert!(notes.iter().any(cut), "{notes:?}");
    assert_eq!(report.quality.malformed, 0, "{:?}", report.quality);
    kept(
        "a recording whose profiler is killed",
        "kill -9 while 8 MiB of facts and more are written",
        "it is shown, and says that it was cut off",
        &format!(
            "{} facts in it, it says that it was cut off",
            report.quality.arrived_by_kind.ended + report.quality.arrived_by_kind.wait
        ),
    );
}
