//! ^C and worse, in every phase of a bench: it ends, and nothing is left.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command},
};

use serde_json::Value;

use crate::program::{
    can_watch, children, finish, folder, gone, lives, names, probes, profiler, signal, tell, until,
};

/// A bench that has come to the phase that is wanted, and what it holds.
struct Under {
    child: Child,
    probes: BTreeSet<u32>,
    children: Vec<u32>,
}

impl Under {
    fn way(command: &mut Command, phase: impl Fn(u32) -> bool) -> Self {
        let mut child = command.spawn().unwrap();
        let pid = child.id();
        until("the phase has come", || {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before");
            phase(pid)
        });
        Self {
            probes: probes(pid),
            children: children(pid),
            child,
        }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// Has the bench its own file open, which has no name?
fn writes_its_file(pid: u32, folder: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
    descriptors
        .into_iter()
        .flatten()
        .flatten()
        .any(|descriptor| {
            let file = fs::read_link(descriptor.path()).unwrap_or_default();
            let length = fs::metadata(descriptor.path()).map_or(0, |file| file.len());
            file.starts_with(folder) && file.to_string_lossy().ends_with(" (deleted)") && length > 0
        })
}

/// A number of /proc/PID/io.
fn io(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
        .unwrap_or(0)
}

/// Does its reader read?
fn reads(pid: u32) -> bool {
    children(pid)
        .iter()
        .any(|reader| io(*reader, "syscr") > 2_000)
}

/// More reads than anyone would wait for.
const ENDLESS: [&str; 10] = [
    "bench",
    "--scenario",
    "warm,cold-random",
    "--size",
    "16M",
    "--reads",
    "4000000",
    "--json",
    "out.json",
    "--every-call",
];

fn report(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("out.json")).unwrap()).unwrap()
}

/// Interrupts; gives the report that comes of it.
#[track_caller]
fn interrupted(under: Under, folder: &Path, left: &[&str]) -> Value {
    tell(under.pid(), libc::SIGINT);
    let ended = finish(under.child);
    assert_eq!(ended.code(), 130, "{}", ended.err());
    assert!(ended.out().contains("profiler "), "{}", ended.out());
    assert!(under.children.iter().all(|child| !lives(*child)));
    gone(&under.probes);
    assert_eq!(names(folder), left);
    let report = report(folder);
    let notes = report["quality"]["notes"].to_string();
    assert!(notes.contains("interrupted"), "{notes}");
    report
}

#[test]
fn while_it_makes_its_file() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let mut command = profiler(["bench", "--size", "1G", "--json", "out.json"]);
    let under = Under::way(command.current_dir(&folder), |pid| {
        writes_its_file(pid, folder.path())
    });
    let report = interrupted(under, folder.path(), &["out.json"]);
    assert_eq!(report["scenarios"], serde_json::json!([]));
}

#[test]
fn while_it_brings_about_a_state() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    // Long to read, and takes no room.
    let data = fs::File::create(folder.path().join("data")).unwrap();
    data.set_len(1 << 30).unwrap();
    let mut command = profiler(["bench", "data", "--scenario", "warm", "--json", "out.json"]);
    let under = Under::way(command.current_dir(&folder), |pid| {
        io(pid, "rchar") > 64 << 20
    });
    let report = interrupted(under, folder.path(), &["data", "out.json"]);
    assert_eq!(report["scenarios"], serde_json::json!([]));
}

#[test]
fn while_its_reader_reads() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let under = Under::way(profiler(ENDLESS).current_dir(&folder), reads);
    let report = interrupted(under, folder.path(), &["out.json"]);
    // The scenario that was going on is told as far as it came; the next is not begun.
    let scenarios = report["scenarios"].as_array().unwrap();
    let calls = scenarios[0]["calls"].as_u64().unwrap();
    assert!(
        scenarios.len() == 1 && (1_000..4_000_000).contains(&calls),
        "{calls}"
    );
    let agrees = |witness: &Value| witness["name"] != "syscr" || witness["agrees"] == true;
    assert!(
        scenarios[0]["witness"]
            .as_array()
            .unwrap()
            .iter()
            .all(agrees)
    );
}

#[test]
fn a_second_time_it_ends_at_once() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let under = Under::way(profiler(ENDLESS).current_dir(&folder), reads);
    // A reader that cannot stop: the first ^C waits for it.
    let [reader] = under.children[..] else {
        panic!("one reader, not {:?}", under.children)
    };
    tell(reader, libc::SIGSTOP);
    tell(under.pid(), libc::SIGINT);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(lives(under.pid()), "it cannot have a report yet");
    tell(under.pid(), libc::SIGINT);
    let ended = finish(under.child);
    assert_eq!(ended.code(), 130, "{}", ended.err());
    assert!(
        ended.out.is_empty() && ended.err().contains("without a report"),
        "{}",
        ended.err()
    );
    tell(reader, libc::SIGCONT);
    until("the reader has ended", || !lives(reader));
    gone(&under.probes);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn killed_it_leaves_nothing_either() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let under = Under::way(profiler(ENDLESS).current_dir(&folder), reads);
    tell(under.pid(), libc::SIGKILL);
    let ended = finish(under.child);
    assert_eq!(signal(&ended), Some(libc::SIGKILL));
    let [reader] = under.children[..] else {
        panic!("one reader, not {:?}", under.children)
    };
    until("the reader has ended", || !lives(reader));
    gone(&under.probes);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn other_signals_end_it_in_the_same_way() {
    if !can_watch() {
        return;
    }
    for number in [libc::SIGTERM, libc::SIGHUP] {
        let folder = folder();
        let under = Under::way(profiler(ENDLESS).current_dir(&folder), reads);
        tell(under.pid(), number);
        let ended = finish(under.child);
        assert_eq!(ended.code(), 128 + number, "{}", ended.err());
        assert_eq!(names(folder.path()), ["out.json"]);
        gone(&under.probes);
    }
}
