//! What a session can be written as: one format a file, one row in [`FORMATS`].
//!
//! An export computes nothing: what it writes, the report or the sink was given. It lays out,
//! shortens and colours.

mod json;
mod sanitize;
mod text;

use std::io::{self, Write};

pub use json::JSON;
pub use sanitize::sanitize;
pub use text::TEXT;

use crate::{report::v1::Report, sink::Sink};

/// Every format, in the order in which the help lists them.
pub static FORMATS: [&Format; 2] = [&TEXT, &JSON];

/// A format, as `--export NAME=FILE` knows it.
#[derive(Debug)]
pub struct Format {
    /// `json`, say; no other format has it.
    pub name: &'static str,
    /// What one gets, for the help.
    pub about: &'static str,
    /// Begins an export, before the session does.
    pub begin: fn() -> Box<dyn Export>,
}

/// A session that is being written. As a [`Sink`] it is given each call while the session goes
/// on, if it wants to be.
pub trait Export: Sink {
    /// Writes it, now that the report is there.
    ///
    /// # Errors
    ///
    /// What `out` returns when it cannot be written to.
    fn finish(&mut self, report: &Report, look: &Look, out: &mut dyn Write) -> io::Result<()>;
}

/// How text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns that a line may take; at least 60 are used.
    pub width: usize,
    /// Whether to colour it, with ANSI escape sequences.
    pub colour: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            width: 80,
            colour: false,
        }
    }
}

impl Format {
    /// The format with this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }

    /// Writes a report that is there already. What a format makes of single calls is missing.
    ///
    /// # Errors
    ///
    /// What `out` returns when it cannot be written to.
    pub fn write(&self, report: &Report, look: &Look, out: &mut dyn Write) -> io::Result<()> {
        (self.begin)().finish(report, look, out)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// Each file and each folder here is a format, but for what they share.
    #[test]
    fn every_format_has_its_row() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/export");
        let entries = fs::read_dir(here).unwrap().flatten();
        let names = entries.map(|entry| entry.path());
        let files: BTreeSet<String> = names
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|name| !["mod", "sanitize"].contains(&name.as_str()))
            .collect();
        let rows: BTreeSet<String> = FORMATS.iter().map(|it| it.name.to_owned()).collect();
        assert_eq!(files, rows);
        assert_eq!(rows.len(), FORMATS.len(), "a name has two rows");
    }
}
