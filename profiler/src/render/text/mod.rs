//! The report for people, on a terminal.

mod calls;
mod causes;
mod findings;
mod header;
mod page;
mod palette;
mod scenarios;
mod trust;
mod waits;

use std::io::{self, Write};

use self::page::Page;
use crate::report::v1::Report;

/// How the text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns that a line may take; at least 60 are used.
    pub width: usize,
    /// Whether to colour it, with ANSI escape sequences.
    pub colour: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            width: 80,
            colour: false,
        }
    }
}

/// Columns below which the tables cannot be read.
const NARROWEST: usize = 60;

/// Writes the report as text. Whatever came from outside is made harmless first.
///
/// # Errors
/// What `out` returns when it cannot be written to.
pub fn render(report: &Report, out: &mut dyn Write, options: &Options) -> io::Result<()> {
    let mut page = Page::new(options.width.max(NARROWEST), options.colour);
    header::write(&mut page, report);
    scenarios::write(&mut page, report);
    causes::write(&mut page, report);
    scenarios::outcomes(&mut page, report);
    waits::write(&mut page, report);
    calls::write(&mut page, report);
    trust::write(&mut page, report);
    findings::write(&mut page, report);
    out.write_all(page.into_text().as_bytes())
}
