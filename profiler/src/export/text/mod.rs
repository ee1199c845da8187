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
use super::{Export, Format, Look};
use crate::{report::v1::Report, sink::Sink};

/// See [`Format::about`].
pub static TEXT: Format = Format {
    name: "text",
    about: "the report for people, as on a terminal",
    begin: || Box::new(Text),
};

struct Text;

impl Sink for Text {}

impl Export for Text {
    fn finish(&mut self, report: &Report, look: &Look, out: &mut dyn Write) -> io::Result<()> {
        render(report, out, look)
    }
}

/// Columns below which the tables cannot be read.
const NARROWEST: usize = 60;

/// Whatever came from outside is made harmless first.
fn render(report: &Report, out: &mut dyn Write, look: &Look) -> io::Result<()> {
    let mut page = Page::new(look.width.max(NARROWEST), look.colour);
    header::write(&mut page, report);
    let bars = scenarios::write(&mut page, report);
    causes::write(&mut page, report, bars);
    scenarios::outcomes(&mut page, report);
    waits::write(&mut page, report);
    calls::write(&mut page, report);
    trust::write(&mut page, report);
    findings::write(&mut page, report);
    out.write_all(page.into_text().as_bytes())
}
