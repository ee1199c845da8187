//! The text against files of what it should be. After a change on purpose:
//! `UPDATE_GOLDEN=1 cargo test -p profiler --test report`, and read the difference.

use std::fs;
use std::path::Path;

use profiler::export::{Look, TEXT};
use profiler::report::v1::Report;
use unicode_width::UnicodeWidthStr;

use crate::sample::{self, samples};

fn text(report: &Report, width: usize, colour: bool) -> String {
    let mut out = Vec::new();
    TEXT.write(report, &Look { width, colour }, &mut out)
        .expect("memory can be written to");
    String::from_utf8(out).expect("text is UTF-8")
}

/// Holds `text` against a file, or rewrites the file if told to by `variable`.
pub(crate) fn assert_same(text: &str, file: &str, variable: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(variable).is_some() {
        fs::write(&path, text).expect("the file can be rewritten");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if let Some((line, (ours, theirs))) = (1..)
        .zip(text.lines().zip(expected.lines()))
        .find(|(_, (ours, theirs))| ours != theirs)
    {
        panic!("{file}:{line}: {variable}=1 rewrites it\n  is        {ours}\n  should be {theirs}");
    }
    assert!(
        text == expected,
        "{file} differs in length: {variable}=1 rewrites it"
    );
}

fn golden(report: &Report, width: usize, colour: bool, name: &str) {
    assert_same(
        &text(report, width, colour),
        &format!("tests/golden/{name}"),
        "UPDATE_GOLDEN",
    );
}

#[test]
fn bench_looks_like_this() {
    golden(&sample::bench(), 80, false, "bench.txt");
}

#[test]
fn bench_in_colour_looks_like_this() {
    golden(&sample::bench(), 80, true, "bench-colour.txt");
}

#[test]
fn bench_on_a_wide_terminal_looks_like_this() {
    golden(&sample::bench(), 120, false, "bench-wide.txt");
}

#[test]
fn one_command_looks_like_this() {
    golden(&sample::run(), 80, false, "run.txt");
}

#[test]
fn troubles_look_like_this() {
    golden(&sample::troubled(), 80, false, "troubled.txt");
}

#[test]
fn missed_calls_look_like_this() {
    golden(&sample::missed(), 80, false, "missed.txt");
}

#[test]
fn calls_missed_for_another_s_sake_look_like_this() {
    golden(&sample::disturbed(), 80, false, "disturbed.txt");
}

#[test]
fn no_line_is_wider_than_asked_and_nothing_acts_on_the_terminal() {
    for report in samples() {
        for width in 60..=200 {
            for line in text(&report, width, false).lines() {
                assert!(line.width() <= width, "{width}: {line}");
                assert!(!line.ends_with(' '), "{line:?}");
                assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    for report in samples() {
        let coloured = text(&report, 80, true);
        let mut bare = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[") {
            bare.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        bare.push_str(rest);
        for (plain, bare) in text(&report, 80, false).lines().zip(bare.lines()) {
            let is_bar = bare.contains('█');
            assert!(is_bar || plain == bare, "{plain}\n{bare}");
        }
    }
}
