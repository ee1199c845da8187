//! One line of the page of proofs: what a test found.
//!
//! With [`RECORD`] in the environment, [`record`] appends each line to the file that it names, as
//! JSON; `cargo xtask proof` makes docs/proof.md of them. What has to hold is asserted in the tests:
//! here it is only written down.
//!
//! xtask includes this file, because it has to build without the library: it reads what the tests
//! wrote down in a guest.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// Names the file.
pub const RECORD: &str = "PROFILER_PROOF";

/// The part of the page that a line belongs to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What a read came to: a hit, a miss, an error.
    Outcomes,
    /// How many reads, bytes and switches there were.
    Counts,
    /// What was lost, and whether that is known.
    Losses,
    /// Damaged and hostile input.
    Damage,
}

/// One line of the page.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "line", rename_all = "snake_case", deny_unknown_fields)]
pub enum Line<S = String> {
    /// Stalls of a known length, and the time that their cause was blamed for.
    Stalls {
        /// The cause.
        cause: S,
        /// How they were brought about.
        provoked: S,
        /// Calls that stalled.
        stalled: u64,
        /// Those of them whose largest cause was this one.
        named: u64,
        /// Others, whose end the kernel hid from the probes.
        hidden: u64,
        /// How long they stalled.
        injected_ns: u64,
        /// How much of that the report blames on the cause.
        found_ns: u64,
    },
    /// How often an independent witness says the same.
    Witness {
        /// Where it belongs.
        part: Part,
        /// What was counted.
        what: S,
        /// How it was brought about.
        provoked: S,
        /// Who counted it, too.
        witness: S,
        /// How often it was asked.
        asked: u64,
        /// How often it said the same.
        agreed: u64,
    },
    /// What had to come out, and what did.
    Kept {
        /// Where it belongs.
        part: Part,
        /// What was tried.
        what: S,
        /// How it was brought about.
        provoked: S,
        /// What had to come out.
        expected: S,
        /// What came out.
        found: S,
    },
    /// What this machine cannot bring about.
    Absent {
        /// What that is.
        what: S,
        /// What the machine lacks.
        why: S,
    },
}

/// Prints a line, and writes it down if the environment asks for that.
///
/// # Errors
/// The file cannot be written.
pub fn record(line: &Line<&str>) -> Result<()> {
    let mut text = serde_json::to_string(line)?;
    println!("proof: {text}");
    let Some(path) = std::env::var_os(RECORD) else {
        return Ok(());
    };
    text.push('\n');
    // In one write, so that the lines of several test programs do not mix.
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| path.display().to_string())
}

/// What a run of a suite wrote down. A suite that wrote nothing made no file.
///
/// # Errors
/// The file cannot be read, or something in it is no line.
pub fn read(path: &Path) -> Result<Vec<Line>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let written = [
            Line::Stalls {
                cause: "device",
                provoked: "how",
                stalled: 200,
                named: 199,
                hidden: 1,
                injected_ns: 5,
                found_ns: 6,
            },
            Line::Kept {
                part: Part::Damage,
                what: "what",
                provoked: "how",
                expected: "a",
                found: "b",
            },
        ];
        let text = written.map(|line| serde_json::to_string(&line).unwrap());
        let lines = parse(&text.join("\n")).unwrap();
        assert_eq!(lines.len(), 2);
        let again = lines
            .iter()
            .map(|line| serde_json::to_string(line).unwrap());
        assert_eq!(again.collect::<Vec<_>>(), text);
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
