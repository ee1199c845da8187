//! Lines on standard error.

use std::io::{self, Write as _};

use crate::export::sanitize;

/// Says a line on standard error. Nobody may hear it: a program that `eprintln!` ends with a panic
/// has lost more than a line.
pub(super) fn line(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says on standard error what went wrong.
pub fn complain(error: &anyhow::Error) {
    line(&format!("profiler: {}", sanitize(&format!("{error:#}"))));
}
