//! One line that a test wrote down (profiler/tests/proof).

use std::{fs, io, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The part of the page that a line belongs to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Outcomes,
    Counts,
    Losses,
    Damage,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(tag = "line", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Line {
    Stalls {
        cause: String,
        provoked: String,
        stalled: u64,
        named: u64,
        hidden: u64,
        injected_ns: u64,
        found_ns: u64,
    },
    Witness {
        part: Part,
        what: String,
        provoked: String,
        witness: String,
        asked: u64,
        agreed: u64,
    },
    Kept {
        part: Part,
        what: String,
        provoked: String,
        expected: String,
        found: String,
    },
    Absent {
        what: String,
        why: String,
    },
}

/// What a run of a suite wrote down. One that wrote nothing made no file.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn parse(text: &str) -> Result<Vec<Line>> {
    let line = |line| serde_json::from_str(line).with_context(|| format!("no line: {line}"));
    text.lines().map(line).collect()
}

/// As the tests write them.
#[cfg(test)]
#[path = "../../../profiler/tests/proof/mod.rs"]
mod written;

#[cfg(test)]
mod tests {
    use super::*;

    fn as_json(line: &written::Line<'_>) -> String {
        serde_json::to_string(line).unwrap()
    }

    #[test]
    fn what_the_tests_write_is_read() {
        let (what, provoked) = ("what", "how");
        let text = [
            as_json(&written::Line::Stalls {
                cause: "device",
                provoked,
                stalled: 200,
                named: 199,
                hidden: 1,
                injected_ns: 5,
                found_ns: 6,
            }),
            as_json(&written::Line::Witness {
                part: written::Part::Outcomes,
                what,
                provoked,
                witness: "mincore",
                asked: 2,
                agreed: 1,
            }),
            as_json(&written::Line::Witness {
                part: written::Part::Counts,
                what,
                provoked,
                witness: "syscr",
                asked: 2,
                agreed: 1,
            }),
            as_json(&written::Line::Kept {
                part: written::Part::Losses,
                what,
                provoked,
                expected: "a",
                found: "b",
            }),
            as_json(&written::Line::Kept {
                part: written::Part::Damage,
                what,
                provoked,
                expected: "a",
                found: "b",
            }),
            as_json(&written::Line::Absent { what, why: "so" }),
        ];
        let lines = parse(&text.join("\n")).unwrap();
        let own = String::from;
        assert_eq!(
            lines[0],
            Line::Stalls {
                cause: own("device"),
                provoked: own("how"),
                stalled: 200,
                named: 199,
                hidden: 1,
                injected_ns: 5,
                found_ns: 6,
            }
        );
        let parts = lines.iter().filter_map(|line| match line {
            Line::Witness { part, .. } | Line::Kept { part, .. } => Some(*part),
            _ => None,
        });
        assert_eq!(
            parts.collect::<Vec<_>>(),
            [Part::Outcomes, Part::Counts, Part::Losses, Part::Damage]
        );
        assert_eq!(
            lines[5],
            Line::Absent {
                what: own("what"),
                why: own("so"),
            }
        );
    }

    #[test]
    fn what_is_no_line_is_named() {
        let error = parse("{\"line\": \"absent\", \"what\": \"w\"}\n").unwrap_err();
        assert!(error.to_string().contains("absent"), "{error}");
    }

    #[test]
    fn a_suite_that_wrote_nothing_proved_nothing() {
        assert_eq!(read(Path::new("/nowhere/lines")).unwrap(), []);
    }
}
