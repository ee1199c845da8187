//! Arrows point one way: load, ring, host, recording → correlate → blame → sink → report → export →
//! session → lab. Nothing imports from a later stage. From `correlate` to `export` nothing has a
//! clock or does I/O, so that a recording replays to the same report. And the workload, which has to
//! be a witness, knows nothing of the profiler.

use super::source::{Mention, Source};

/// The stages and how far down the flow they are.
const STAGES: [(&str, u8); 11] = [
    ("load", 0),
    ("ring", 0),
    ("host", 0),
    ("recording", 0),
    ("correlate", 1),
    ("blame", 2),
    ("sink", 3),
    ("report", 4),
    ("export", 5),
    ("session", 6),
    ("lab", 7),
];

/// Those without a clock and I/O.
const PURE: [&str; 5] = ["correlate", "blame", "sink", "report", "export"];

/// Comes after all of them, and calls them.
const LAST: &str = "cli";

const WORKLOAD: &str = "workload";

/// What a pure stage has no use for.
const IMPURE: [&[&str]; 9] = [
    &["std", "fs"],
    &["std", "net"],
    &["std", "process"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["std", "time", "*"],
    &["aya"],
    &["aya_log"],
    &["tokio"],
];

pub(super) fn complaints(source: &Source) -> Vec<String> {
    let Some(module) = source.module() else {
        return Vec::new();
    };
    let complaints = source.mentions.iter().filter_map(|mention| {
        let complaint = complaint(&module, mention)?;
        Some(format!(
            "{}:{}: {complaint}",
            source.path.display(),
            mention.line
        ))
    });
    complaints.collect()
}

fn complaint(module: &[String], mention: &Mention) -> Option<String> {
    let stage = module.first()?.as_str();
    let segments = from_the_root(module, &mention.segments);
    let segments = segments.iter().map(String::as_str).collect::<Vec<_>>();
    let path = segments.join("::");
    if let ["crate", target, ..] = segments[..] {
        return match (rank(stage), rank(target)) {
            (Some(ours), Some(theirs)) if theirs > ours => Some(format!(
                "`{stage}` comes before `{target}` and can't import {path}"
            )),
            (Some(_), None) if target == LAST => Some(format!(
                "`{stage}` can't import {path}: `{LAST}` calls the stages"
            )),
            (None, theirs) if stage == WORKLOAD && (theirs.is_some() || target == LAST) => {
                Some(format!("`{WORKLOAD}` is a witness and can't import {path}"))
            }
            _ => None,
        };
    }
    let impure = PURE.contains(&stage) && IMPURE.iter().any(|start| segments.starts_with(start));
    impure.then(|| format!("`{stage}` has neither clock nor I/O, so not {path}"))
}

/// `super::super::report` in `[blame, lock]` is `crate::report`.
fn from_the_root(module: &[String], segments: &[String]) -> Vec<String> {
    let up = segments.iter().take_while(|it| *it == "super").count();
    if up == 0 || up > module.len() {
        return segments.to_vec();
    }
    let root = ["crate".to_owned()];
    [&root, &module[..module.len() - up], &segments[up..]].concat()
}

fn rank(module: &str) -> Option<u8> {
    STAGES
        .iter()
        .find(|(name, _)| *name == module)
        .map(|&(_, rank)| rank)
}

#[cfg(test)]
mod tests {
    use super::{super::source::tests::source, *};

    fn complain(path: &str, text: &str) -> Vec<String> {
        complaints(&source(path, text))
    }

    #[test]
    fn backwards_is_allowed_and_forwards_is_not() {
        assert!(complain("profiler/src/blame/lock.rs", "use crate::correlate::Call;").is_empty());
        assert_eq!(
            complain(
                "profiler/src/blame/lock.rs",
                "\nuse crate::{blame::A, report::Report};"
            ),
            [
                "profiler/src/blame/lock.rs:2: `blame` comes before `report` and can't import \
              crate::report::Report"
            ]
        );
        assert_eq!(
            complain("profiler/src/ring.rs", "fn f(c: crate::correlate::Call) {}").len(),
            1
        );
        assert!(complain("profiler/src/load/mod.rs", "use crate::host::Target;").is_empty());
    }

    #[test]
    fn a_session_comes_after_what_it_drives() {
        let text = "use crate::{load::A, report::B, export::C};";
        assert!(complain("profiler/src/session/live.rs", text).is_empty());
        assert!(complain("profiler/src/session/live.rs", "use std::fs::read;").is_empty());
        for stage in ["host", "recording", "report", "export", "workload"] {
            let path = format!("profiler/src/{stage}/a.rs");
            assert_eq!(complain(&path, "use crate::session::Entry;").len(), 1);
            assert_eq!(
                complain(&path, "use super::super::session::Entry;").len(),
                1
            );
        }
        let text = "use crate::lab::rig::Disk;";
        assert_eq!(complain("profiler/src/session/live.rs", text).len(), 1);
        assert!(complain("profiler/src/lab/a.rs", "use crate::session::Entry;").is_empty());
    }

    #[test]
    fn only_the_command_line_sees_all() {
        let text = "use crate::{load::A, export::B, workload::C};";
        assert!(complain("profiler/src/cli/run.rs", text).is_empty());
        assert!(complain("profiler/src/main.rs", "use std::fs::read;").is_empty());
        assert_eq!(
            complain("profiler/src/export/text.rs", "use crate::cli::Plan;").len(),
            1
        );
    }

    #[test]
    fn the_workload_is_a_witness() {
        assert_eq!(
            complain("profiler/src/workload/mod.rs", "use crate::blame::Cause;").len(),
            1
        );
        assert_eq!(
            complain("profiler/src/workload/mod.rs", "use crate::load::Plan;").len(),
            1
        );
        assert!(
            complain(
                "profiler/src/workload/a.rs",
                "use std::fs; use crate::words::W;"
            )
            .is_empty()
        );
    }

    #[test]
    fn late_stages_have_no_clock_and_no_io() {
        for text in [
            "use std::{fmt, fs};",
            "use std::time::{Duration, Instant};",
            "use std::time::*;",
            "fn f() { let now = std::time::SystemTime::now(); }",
            "use tokio::sync::mpsc;",
            "use aya::maps::RingBuf;",
        ] {
            assert_eq!(
                complain("profiler/src/report/mod.rs", text).len(),
                1,
                "{text}"
            );
            assert!(
                complain("profiler/src/host/mod.rs", text).is_empty(),
                "{text}"
            );
        }
        let text = "use std::{io::Write, time::Duration};";
        assert!(complain("profiler/src/export/text.rs", text).is_empty());
    }

    #[test]
    fn tests_may_read_files() {
        let text = "use std::fs::read;";
        assert!(complain("profiler/src/correlate/tests.rs", text).is_empty());
        assert!(complain("profiler/tests/replay.rs", text).is_empty());
    }
}
