//! Arrows point one way: load, ring, collect → correlate → blame → report →
//! export. Nothing imports from a later stage; from `correlate` on nothing has a
//! clock or does I/O, so that a recording replays to the same report; and the
//! workload, which has to be a witness, knows nothing of the profiler.

use std::path::{Component, Path};

use super::source::{Mention, Source, mentions};

/// The stages and how far down the flow they are.
const STAGES: [(&str, u8); 8] = [
    ("load", 0),
    ("ring", 0),
    ("collect", 0),
    ("correlate", 1),
    ("blame", 2),
    ("sink", 3),
    ("report", 4),
    ("export", 5),
];

/// Comes after all of them, and calls them.
const LAST: &str = "cli";

const WORKLOAD: &str = "workload";

/// What a stage without I/O has no use for.
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
    let Some(module) = module(&source.path) else {
        return Vec::new();
    };
    let mentions = mentions(&source.text);
    let complaints = mentions.iter().filter_map(|mention| {
        let complaint = complaint(&module, mention)?;
        Some(format!(
            "{}:{}: {complaint}",
            source.path.display(),
            mention.line
        ))
    });
    complaints.collect()
}

/// The top-level module that a file of the profiler's belongs to. Files of tests
/// (`tests.rs`) may import what they like.
fn module(path: &Path) -> Option<String> {
    let inner = path.strip_prefix("profiler/src").ok()?;
    if inner.file_name()? == "tests.rs" {
        return None;
    }
    let Component::Normal(first) = inner.components().next()? else {
        return None;
    };
    Some(first.to_str()?.trim_end_matches(".rs").to_owned())
}

fn complaint(module: &str, mention: &Mention) -> Option<String> {
    let segments = mention
        .segments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>();
    let path = segments.join("::");
    if let ["crate", target, ..] = segments[..] {
        return match (rank(module), rank(target)) {
            (Some(ours), Some(theirs)) if theirs > ours => Some(format!(
                "`{module}` comes before `{target}` and can't import {path}"
            )),
            (Some(_), None) if target == LAST => Some(format!(
                "`{module}` can't import {path}: `{LAST}` calls the stages"
            )),
            (None, theirs) if module == WORKLOAD && (theirs.is_some() || target == LAST) => {
                Some(format!("`{WORKLOAD}` is a witness and can't import {path}"))
            }
            _ => None,
        };
    }
    let pure = rank(module).is_some_and(|rank| rank > 0);
    let impure = pure && IMPURE.iter().any(|start| segments.starts_with(start));
    impure.then(|| format!("`{module}` has neither clock nor I/O, so not {path}"))
}

fn rank(module: &str) -> Option<u8> {
    STAGES
        .iter()
        .find(|(name, _)| *name == module)
        .map(|&(_, rank)| rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complain(path: &str, text: &str) -> Vec<String> {
        complaints(&Source::new(path, text))
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
        assert!(complain("profiler/src/load/mod.rs", "use crate::collect::Target;").is_empty());
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
            "let now = std::time::SystemTime::now();",
            "use tokio::sync::mpsc;",
            "use aya::maps::RingBuf;",
        ] {
            assert_eq!(
                complain("profiler/src/report/mod.rs", text).len(),
                1,
                "{text}"
            );
            assert!(
                complain("profiler/src/collect/mod.rs", text).is_empty(),
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
