//! `profiler report FILE`: shows a report, or replays a recording. Needs no rights.

use std::{
    fs::File,
    io::{BufReader, Read as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};

use super::{
    args::{Format, ReportArgs},
    output::{self, Json},
};
use crate::{
    collect::recording::{FAMILY, MAGIC, Reader},
    report::v1::{Report, SCHEMA},
    session::replay,
};

/// A report is at most so large; a recording may be larger.
const MAX_REPORT: u64 = 256 << 20;

/// Shows what is in the file.
pub(super) fn main(args: &ReportArgs) -> Result<ExitCode> {
    let report = read(&args.file).with_context(|| format!("{:?}", args.file))?;
    match args.format {
        Format::Text => output::show(&report)?,
        Format::Json => Json::StandardOutput.write(&report)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Report> {
    let mut first = [0; MAGIC.len()];
    let mut file = File::open(path).context("cannot open it")?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!("it is a directory: name a report (JSON) or a recording");
    }
    let got = file.read(&mut first).context("cannot read it")?;
    let rest = first[..got].chain(file);
    // One of another version says so itself.
    if first[..got].starts_with(FAMILY) {
        return replay(Reader::new(BufReader::with_capacity(1 << 20, rest))?);
    }
    let mut text = Vec::new();
    rest.take(MAX_REPORT + 1)
        .read_to_end(&mut text)
        .context("cannot read it")?;
    if text.len() as u64 > MAX_REPORT {
        bail!("it is larger than any report (256 MiB), and no recording");
    }
    parse(&text)
}

fn parse(text: &[u8]) -> Result<Report> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema: Option<String>,
    }
    let version: Version = serde_json::from_slice(text)
        .context("it is neither a report (JSON) nor a recording of this program")?;
    match version.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(other) => bail!("it has the schema {other:?}; this program reads {SCHEMA:?}"),
        None => bail!("it is JSON, but no report: it has no \"schema\""),
    }
    serde_json::from_slice(text).context("it is a damaged report")
}
