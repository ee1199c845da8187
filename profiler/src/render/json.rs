//! The report as JSON: the contract itself.

use std::io::{self, Write};

use crate::report::v1::Report;

/// Writes the report as indented JSON, with a line feed at the end.
///
/// Strings from outside are not made harmless for terminals here, beyond JSON's own
/// escapes of control characters.
///
/// # Errors
/// What `out` returns when it cannot be written to.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}
