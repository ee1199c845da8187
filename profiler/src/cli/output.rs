//! Everything that is written of a session: the exports that were asked for, and the text on
//! the terminal.

use std::{
    io::{self, IsTerminal, Write as _},
    os::fd::AsFd,
    path::Path,
    process::ExitCode,
    str::FromStr,
};

use anyhow::{Context as _, Result, bail};
use profiler_common::fact::RequestFacts;

use super::destination::{Destination, Outlet, place_of, unless_broken_pipe};
use crate::{
    blame::Verdict,
    correlate::Call,
    export::{Export, FORMATS, Format, JSON, Look, TEXT},
    report::v1::Report,
    sink::{Names, Sink},
};

/// `FORMAT=FILE`, as it was typed.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    format: &'static Format,
    to: Destination,
}

impl Asked {
    /// `--json FILE`: the short way to `--export json=FILE`.
    pub(super) fn json(path: &std::path::Path) -> Self {
        Self {
            format: &JSON,
            to: Destination::of(path),
        }
    }

    /// A format on standard output.
    pub(super) fn on_standard_output(format: &'static Format) -> Self {
        Self {
            format,
            to: Destination::StandardOutput,
        }
    }
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, path)) = text.split_once('=').filter(|(_, path)| !path.is_empty()) else {
            return Err(format!("write FORMAT=FILE, as in {}=out", JSON.name));
        };
        let format = Format::by_name(name).ok_or_else(|| {
            let names = FORMATS.map(|format| format.name).join(", ");
            format!("there is no format {name}; the formats are {names}")
        })?;
        Ok(Self {
            format,
            to: Destination::of(path.as_ref()),
        })
    }
}

/// The exports of a session. As a sink it hands on what it is given to each of them.
#[derive(Default)]
pub(super) struct Exports(Vec<Output>);

struct Output {
    export: Box<dyn Export>,
    to: Outlet,
}

impl Exports {
    /// Begins those that were asked for, once it is sure that each can be written.
    ///
    /// # Errors
    ///
    /// One cannot be written, or standard output was asked for twice.
    pub(super) fn begin(asked: &[Asked]) -> Result<Self> {
        let on_standard_output = |asked: &&Asked| asked.to == Destination::StandardOutput;
        if asked.iter().filter(on_standard_output).count() > 1 {
            bail!("two exports go to standard output: give one of them a file");
        }
        let mut outputs = Vec::new();
        for Asked { format, to } in asked {
            outputs.push(Output {
                export: (format.begin)(),
                to: to.open()?,
            });
        }
        let exports = Self(outputs);
        let mut seen = Vec::new();
        for path in exports.0.iter().filter_map(|output| output.to.replaces()) {
            if seen.contains(&path) {
                bail!("two exports go to {path:?}: give one of them another file");
            }
            seen.push(path);
        }
        Ok(exports)
    }

    /// Writes them all. One that cannot be written keeps none of the others.
    ///
    /// # Errors
    ///
    /// All that cannot be written, in one sentence.
    pub(super) fn finish(&mut self, report: &Report) -> Result<()> {
        let outputs = self.0.iter_mut();
        let failed = outputs.filter_map(|Output { export, to }| {
            let look = Look::default();
            to.write(&mut |out| export.finish(report, &look, out)).err()
        });
        let failed: Vec<_> = failed.map(|error| format!("{error:#}")).collect();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("{}", failed.join("; "))
    }

    /// Refuses an export that would take the place of this file.
    ///
    /// # Errors
    ///
    /// One would.
    pub(super) fn spare(&self, path: &Path, what: &str) -> Result<()> {
        let same = place_of(path);
        let outputs = self.0.iter();
        if same.is_some() && outputs.map(|it| it.to.replaces()).any(|it| it == same) {
            bail!("an export would replace the {what} {path:?}: give it another file");
        }
        Ok(())
    }

    /// Is standard output taken?
    pub(super) fn take_standard_output(&self) -> bool {
        let is_taken = |output: &Output| matches!(output.to, Outlet::StandardOutput);
        self.0.iter().any(is_taken)
    }
}

impl Sink for Exports {
    fn begin(&mut self, scenario: &str) {
        self.0.iter_mut().for_each(|it| it.export.begin(scenario));
    }

    fn request(&mut self, request: &RequestFacts) {
        self.0.iter_mut().for_each(|it| it.export.request(request));
    }

    fn call(&mut self, call: &Call, verdict: &Verdict, names: &dyn Names) {
        let outputs = self.0.iter_mut();
        outputs.for_each(|it| it.export.call(call, verdict, names));
    }

    fn tick(&mut self, at_ns: u64) {
        self.0.iter_mut().for_each(|it| it.export.tick(at_ns));
    }

    fn end(&mut self) {
        self.0.iter_mut().for_each(|it| it.export.end());
    }
}

/// Shows a report on standard output.
pub(super) fn show(report: &Report) -> Result<()> {
    let out = io::stdout();
    let look = look(&out);
    show_on(report, &look, out.lock()).context("cannot write to standard output")
}

/// Shows a report on standard error.
pub(super) fn show_on_error(report: &Report) -> Result<()> {
    let out = io::stderr();
    let look = look(&out);
    show_on(report, &look, out.lock()).context("cannot write to standard error")
}

fn show_on(report: &Report, look: &Look, out: impl io::Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let written = TEXT.write(report, look, &mut out);
    unless_broken_pipe(written.and_then(|()| out.flush()))
}

/// Prints text on standard output.
pub(super) fn print(text: &str) -> Result<ExitCode> {
    let written = io::stdout().write_all(text.as_bytes());
    unless_broken_pipe(written).context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn look(out: &(impl AsFd + IsTerminal)) -> Look {
    let width = rustix::termios::tcgetwinsize(out).map_or(80, |size| usize::from(size.ws_col));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Look {
        width: width.clamp(60, 200),
        colour: out.is_terminal() && !plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_a_format_and_a_file() {
        let asked: Asked = "json=a=b".parse().unwrap();
        assert_eq!(asked.format.name, "json");
        assert_eq!(asked.to, Destination::File("a=b".into()));
        let asked: Asked = "text=-".parse().unwrap();
        assert_eq!(asked.to, Destination::StandardOutput);
        for wrong in ["json", "json=", "=x"] {
            assert!(wrong.parse::<Asked>().is_err(), "{wrong}");
        }
        let error = "xml=x".parse::<Asked>().unwrap_err();
        assert!(
            error.contains("xml") && error.contains("text, json"),
            "{error}"
        );
    }

    #[test]
    fn standard_output_has_room_for_one() {
        let asked: Vec<Asked> = ["json=-", "text=-"].map(|it| it.parse().unwrap()).into();
        assert!(Exports::begin(&asked).is_err());
        let exports = Exports::begin(&asked[..1]).unwrap();
        assert!(exports.take_standard_output());
    }
}
