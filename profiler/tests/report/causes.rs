//! What has to be written of each cause.

use std::{fs, path::Path};

use profiler::blame::Cause;
use profiler_common::calls::{CALLS, Family};

use crate::golden::assert_same;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_is_defined() {
    let page = read("../docs/blame.md");
    for cause in Cause::ALL {
        let heading = format!("### {cause}");
        assert!(
            page.lines().any(|line| line == heading),
            "docs/blame.md has no heading \"{heading}\""
        );
    }
}

/// The table of what a sleep gets, and in which order.
#[test]
fn each_is_where_a_call_is_cut() {
    let page = read("../docs/blame.md");
    let (_, rest) = page.split_once("## How a call is cut").expect("the part");
    let (tables, _) = rest.split_once("\n## ").expect("the part's end");
    for cause in Cause::ALL {
        assert!(
            tables.contains(&format!("`{cause}`")),
            "docs/blame.md, \"How a call is cut\", does not say when {cause} is blamed"
        );
    }
}

/// What a call is, in the first paragraph.
#[test]
fn each_read_is_named() {
    let page = read("../docs/blame.md");
    let (_, rest) = page.split_once("system call (").expect("the list");
    let (names, _) = rest.split_once(')').expect("its end");
    let names = names.split([',', ' ', '\n']).filter(|it| !it.is_empty());
    let reads = CALLS.iter().filter(|call| call.family == Family::Read);
    assert!(
        names.eq(reads.map(|call| call.name)),
        "docs/blame.md: {rest:.60}"
    );
}

/// On the real kernel, or `absent.rs` says why not. Time on the CPU is no wait.
#[test]
fn each_is_provoked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/causes");
    let texts = sources(&folder);
    for cause in Cause::ALL.into_iter().filter(|it| it.is_blocked()) {
        let used = format!("Cause::{cause:?}");
        let absent = format!("cause `{cause}`");
        let says = |text: &String| text.contains(&used) || text.contains(&absent);
        assert!(
            texts.iter().any(says),
            "no test in tests/kernel/causes provokes {cause}, and absent.rs does not say why"
        );
    }
}

/// The texts of a folder's files.
fn sources(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = files.map(|file| file.expect("a file of the folder").path());
    paths
        .map(|path| fs::read_to_string(path).expect("a source file"))
        .collect()
}

/// UPDATE_DOCS=1 writes the legend.
#[test]
fn each_is_in_the_legend() {
    let page = read("../README.md");
    let head = "| cause | the call's time went to |\n|---|---|\n";
    let (before, rest) = page.split_once(head).expect("the legend's head");
    let end = rest.find("\n\n").expect("the legend's end");
    let rows = Cause::ALL.map(|it| format!("| `{}` {it} | {} |", it.mark(), it.legend()));
    let legend = format!("{before}{head}{}{}", rows.join("\n"), &rest[end..]);
    assert_same(&legend, "../README.md", "UPDATE_DOCS");
}

/// A line of a verdict (`tests/blame/table.rs`) begins with the cause.
#[test]
fn each_has_a_timeline() {
    let timelines = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blame"));
    for cause in Cause::ALL {
        let starts = |line: &str| {
            let line = line.trim_start().trim_start_matches('"');
            let rest = line.strip_prefix(cause.name());
            rest.is_some_and(|rest| {
                rest.strip_prefix(' ')
                    .is_some_and(|ns| ns.starts_with(|c: char| c.is_ascii_digit()))
            })
        };
        assert!(
            timelines.iter().any(|text| text.lines().any(starts)),
            "no timeline in tests/blame blames {cause}"
        );
    }
}
