//! Runs the tests that know what has to come out several times, collects what each wrote down, and
//! starts profiler/benches/proof.rs, which makes docs/proof.md of that.
//!
//! - [`mod@line`]: what a test wrote down.
//! - [`heard`]: what the test programs print of failures and skipped tests.

pub(crate) mod heard;
// Shared with the library, which cannot be built yet when this program is: `kernels` reads lines.
#[allow(dead_code, unreachable_pub, reason = "a library's file")]
#[path = "../../../profiler/src/lab/proof/line.rs"]
pub(crate) mod line;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Result, bail};

use self::{heard::Heard, line::RECORD};
use crate::{
    args, build,
    cargo::{self, Metadata},
    process, setup,
    test::{
        kernel,
        tally::{self, Tally},
    },
    work::Work,
};

/// The suite on damaged files, which takes no root, and once is enough.
const DAMAGE: &str = "replay";

const PAGE: &str = "docs/proof.md";

/// The bench target that makes the page.
const WRITER: &str = "proof";

pub(crate) fn door(args: &args::Proof) -> Result<ExitCode> {
    setup::ensure(args.install)?;
    let metadata = cargo::metadata()?;
    let long = (!args.short).then(|| "--include-ignored".to_owned());
    let words = long.into_iter().collect::<Vec<_>>();
    let work = Work::new(metadata.target.join("proof-work"))?;
    let (mut heard, mut total) = (Heard::default(), Tally::default());
    let mut writer = Command::new(build::bench(WRITER)?);

    step("damaged files");
    let record = work.path().join("damage.jsonl");
    total.add(damage(&words, &record, &mut heard)?);
    writer.arg("--damage").arg(record);
    for run in 1..=args.runs {
        step(&format!("run {run} of {}", args.runs));
        let record = work.path().join(format!("run-{run}.jsonl"));
        heard.run(run);
        // What takes long is about many calls in one run, and done once.
        let words = if run == 1 { words.as_slice() } else { &[] };
        total.add(kernel_suite(args, &metadata, words, &record, &mut heard)?);
        writer.arg("--run").arg(record);
    }

    writer.arg("--skipped");
    writer.arg(serde_json::to_string(heard.skipped())?);
    if args.short {
        writer.arg("--short");
    }
    if total.failed == 0 {
        writer.arg("--page").arg(cargo::root().join(PAGE));
    }
    process::run(&mut writer)?;
    println!("{total}");
    if total.failed > 0 {
        for failed in heard.failed() {
            eprintln!("proof: failed: {failed}");
        }
        step(&format!("something failed: {PAGE} stays as it is"));
        return Ok(ExitCode::FAILURE);
    }
    step(&format!("wrote {PAGE}"));
    Ok(ExitCode::SUCCESS)
}

fn kernel_suite(
    args: &args::Proof,
    metadata: &Metadata,
    words: &[String],
    record: &Path,
    heard: &mut Heard,
) -> Result<Tally> {
    let environment = [format!("{RECORD}={}", record.display())];
    let mut hear = |line: &str| heard.line(line);
    let kernel = kernel::run_with(metadata, words, args.install, &environment, &mut hear)?;
    match kernel.not_run {
        Some(why) => bail!("the kernel suite was not run: {why}"),
        None => Ok(kernel.tally),
    }
}

fn damage(words: &[String], record: &Path, heard: &mut Heard) -> Result<Tally> {
    let mut command = cargo::cargo(&["test", "--package=profiler", "--test", DAMAGE, "--"]);
    // One at a time, so that a name stands before what its test prints.
    command.arg("--test-threads=1").args(words);
    command.env(RECORD, record);
    tally::overheard(&mut command, &mut |line| heard.line(line))
}

/// Says what is being done.
fn step(what: &str) {
    eprintln!("proof: {what}");
}
