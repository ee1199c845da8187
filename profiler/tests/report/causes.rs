//! What has to be written of each cause.

use std::{fs, path::Path};

use profiler::blame::Cause;

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
    let timelines = ["causes", "outcomes", "owners", "precedence"];
    let timelines = timelines.map(|file| read(&format!("tests/blame/{file}.rs")));
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
