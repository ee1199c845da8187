//! `profiler report FILE`: shows a report, or replays a recording. Needs no rights.

use std::{
    fs::File,
    io::{BufReader, Read as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};

use super::{
    args::ReportArgs,
    output::{self, Asked, Exports},
};
use crate::{
    export::TEXT,
    recording::{FAMILY, MAGIC, Reader, fill},
    report::{self, v1::Report},
    session::replay_to,
};

/// A report is at most so large. One of a thousand slow calls in full takes some 20 MiB for each
/// scenario. A recording may be larger.
const MAX_REPORT: u64 = 128 << 20;

/// Shows what is in the file.
pub(super) fn main(args: &ReportArgs) -> Result<ExitCode> {
    let mut asked = args.export.asked();
    // The text is shown with the terminal's width and colours.
    if args.format.name != TEXT.name {
        asked.push(Asked::on_standard_output(args.format));
    }
    let exports = Exports::begin(&asked)?;
    exports.spare(&args.file, "file that is read,")?;
    let file = File::open(&args.file).with_context(|| format!("cannot open {:?}", args.file))?;
    let (report, mut exports) = read(file, exports).with_context(|| format!("{:?}", args.file))?;
    let written = exports.finish(&report);
    if !exports.take_standard_output() {
        output::show(&report)?;
    }
    written.map(|()| ExitCode::SUCCESS)
}

fn read(mut file: File, exports: Exports) -> Result<(Report, Exports)> {
    let mut first = [0; MAGIC.len()];
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!("it is a directory: name a report (JSON) or a recording");
    }
    let got = fill(&mut file, &mut first).context("cannot read it")?;
    if got == 0 {
        bail!("it is empty: name a report (JSON) or a recording");
    }
    let rest = first[..got].chain(file);
    // One of another version says so itself.
    if first[..got].starts_with(FAMILY) {
        let reader = Reader::new(BufReader::with_capacity(1 << 20, rest))?;
        return replay_to(reader, exports);
    }
    if !begins_like_json(&first[..got]) {
        bail!("it is neither a report (JSON) nor a recording of this program");
    }
    let mut text = Vec::new();
    rest.take(MAX_REPORT + 1)
        .read_to_end(&mut text)
        .context("cannot read it")?;
    if text.len() as u64 > MAX_REPORT {
        bail!("it is larger than any report (128 MiB), and no recording");
    }
    Ok((report::read(&text)?, exports))
}

/// Whether it may be an object, as every report is: what is not need not be read to its
/// end, which it may not have.
fn begins_like_json(first: &[u8]) -> bool {
    let text = first.trim_ascii_start();
    text.is_empty() || text[0] == b'{'
}
