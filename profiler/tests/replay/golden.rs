//! Replays against files of what they should be. After a change on purpose:
//! `UPDATE_GOLDEN=1 cargo test -p profiler --test replay`, and read the difference.

use profiler::load::EntryKind;
use profiler::report::v1::Word;
use std::{fs, path::Path, process::Command};

use profiler::report::v1::{MissedCalls, Report};
use serde_json::{Value, json};

use crate::frames::{ENDING, NAMES, OPENING, as_json, bytes, frames, recording, replayed};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

fn report(name: &str) -> Report {
    replayed(&bytes(name)).unwrap()
}

#[test]
fn replays_give_exactly_what_they_gave() {
    for name in NAMES {
        let path = folder().join(format!("{name}.json"));
        let text = as_json(&report(name));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, text).unwrap();
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap();
        let both = (1..).zip(text.lines().zip(expected.lines()));
        for (line, (ours, theirs)) in both {
            assert_eq!(
                ours, theirs,
                "{name}.json:{line}: UPDATE_GOLDEN=1 rewrites it"
            );
        }
        assert_eq!(text.len(), expected.len(), "{name}.json");
    }
}

#[test]
fn the_program_replays_as_the_library_does() {
    let output = Command::new(env!("CARGO_BIN_EXE_profiler"))
        .arg("report")
        .arg(folder().join("cold-random.rec"))
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, as_json(&report("cold-random")));
}

/// Blame adds up in everything that was ever recorded, and nothing is marked.
#[test]
fn recordings_are_whole_and_add_up() {
    for name in NAMES {
        let report = report(name);
        assert_eq!(report.quality.notes, [""; 0], "{name}");
        let quality = &report.quality;
        assert_eq!((quality.lost, quality.malformed, quality.odd), (0, 0, 0));
        assert_eq!(quality.arrived_by_kind, quality.facts_by_kind, "{name}");
        let scenario = &report.scenarios[0];
        let sum: u64 = scenario.blame_ns.iter().filter_map(|(_, ns)| ns).sum();
        assert_eq!(sum, scenario.duration_ns, "{name}");
        assert!(scenario.calls > 0, "{name}");
        for slow in &scenario.slowest {
            let timeline: u64 = slow.timeline.iter().map(|span| span.ns).sum();
            assert_eq!(timeline, slow.latency_ns, "{name}");
        }
    }
}

/// The stored recordings are older than these fields; a later one has them.
#[test]
fn what_earlier_recordings_do_not_say_is_nothing() {
    let whole = frames(&bytes("warm"));
    let old = report("warm");
    assert_eq!(old.scenarios[0].missed_calls, MissedCalls::default());
    assert_eq!(old.session.entry, Word::default());
    let with = |tag: u8, field: &str, value: Value| {
        let mut frames = whole.clone();
        let found = frames.iter_mut().find(|(of, _)| *of == tag);
        let (_, payload) = found.unwrap();
        let mut entry: Value = serde_json::from_slice(payload).unwrap();
        assert!(entry.get(field).is_none(), "the recording has {field}");
        entry[field] = value;
        *payload = serde_json::to_vec(&entry).unwrap();
        replayed(&recording(&frames)).unwrap()
    };
    let new = with(OPENING, "entry", json!("raw_syscalls"));
    assert_eq!(new.session.entry, EntryKind::Classic);
    // The sum is ours to make.
    let missed = json!({"begins": 1, "ends": 2, "whole": 3, "total": 99});
    let new = with(ENDING, "missed", missed);
    assert_eq!(new.scenarios[0].missed_calls, MissedCalls::of(1, 2, 3));
    assert_eq!(new.scenarios[0].calls, old.scenarios[0].calls);
    assert_eq!(new.quality.notes, [""; 0]);
}

/// Small enough to keep, and without a path of the machine that they were made on.
#[test]
fn recordings_are_fit_to_be_published() {
    let mut total = 0;
    for name in NAMES {
        let bytes = bytes(name);
        assert!(bytes.len() < 150 << 10, "{name}: {} bytes", bytes.len());
        total += bytes.len();
        for (tag, payload) in frames(&bytes) {
            let text = String::from_utf8_lossy(&payload);
            for folder in [
                "/tmp", "/var/", "/home/", "/root", "/work", "/mnt", "/target",
            ] {
                assert!(!text.contains(folder), "{name}: {folder} in a frame {tag}");
            }
        }
    }
    assert!(total < 1 << 20, "{total} bytes");
}
