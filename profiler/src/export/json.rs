//! The report as JSON: the contract itself.

use std::io::{self, Write};

use super::{Export, Format, Look};
use crate::{report::v1::Report, sink::Sink};

/// See [`Format::about`].
pub static JSON: Format = Format {
    name: "json",
    about: "the whole report, as `profiler schema` describes it",
    begin: || Box::new(Json),
};

struct Json;

impl Sink for Json {}

impl Export for Json {
    /// Indented, with a line feed at the end.
    ///
    /// Strings from outside are not made harmless for terminals here, beyond JSON's own
    /// escapes of control characters.
    fn finish(&mut self, report: &Report, _look: &Look, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, report)?;
        out.write_all(b"\n")
    }
}
