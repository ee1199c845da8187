//! What a test found, for the page of proofs.
//!
//! Each suite that has something to prove includes this file. With [`RECORD`] in the
//! environment each line goes to the file that it names, as JSON; `cargo xtask proof` makes
//! docs/proof.md of them. What holds is asserted in the tests: here it is only written down.

#![allow(dead_code, reason = "no suite has lines of every kind")]

use std::{fs::OpenOptions, io::Write as _};

use serde::Serialize;

/// Names the file.
const RECORD: &str = "PROFILER_PROOF";

/// The part of the page that a line belongs to.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Outcomes,
    Counts,
    Losses,
    Damage,
}

/// One line of the page.
#[derive(Debug, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// Stalls of a known length, and the time that their cause was blamed for.
    Stalls {
        cause: &'a str,
        /// How they were brought about.
        provoked: &'a str,
        /// Calls that stalled.
        stalled: u64,
        /// Those of them whose largest cause was this one.
        named: u64,
        /// Others, whose end the kernel hid from the probes.
        hidden: u64,
        injected_ns: u64,
        found_ns: u64,
    },
    /// How often an independent witness says the same.
    Witness {
        part: Part,
        what: &'a str,
        provoked: &'a str,
        witness: &'a str,
        asked: u64,
        agreed: u64,
    },
    /// What had to come out, and what did.
    Kept {
        part: Part,
        what: &'a str,
        provoked: &'a str,
        expected: &'a str,
        found: &'a str,
    },
    /// What this machine cannot bring about.
    Absent { what: &'a str, why: &'a str },
}

/// Writes a line down, if somebody wants it.
pub(crate) fn line(line: &Line<'_>) {
    let mut text = serde_json::to_string(line).expect("a line is JSON");
    println!("proof: {text}");
    let Some(path) = std::env::var_os(RECORD) else {
        return;
    };
    text.push('\n');
    // At once, so that the lines of several test programs do not mix.
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
