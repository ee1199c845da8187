//! Makes the page of proofs: runs the tests that know what has to come out several times,
//! collects what each wrote down, and writes it as a page.
//!
//! - [`line`]: what a test wrote down.
//! - [`heard`]: what the test programs print of failures and skipped tests.
//! - [`merged`]: the same line of all runs, as one.
//! - [`machine`]: what it ran on.
//! - [`page`]: the page that it all goes to.

pub(crate) mod heard;
pub(crate) mod line;
pub(crate) mod machine;
mod merged;
mod page;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};

use self::{heard::Heard, line::Line, page::Proof};
use crate::{
    args,
    cargo::{self, Metadata},
    setup,
    test::{
        kernel,
        tally::{self, Tally},
    },
};

/// Names the file that the tests write to (profiler/tests/proof).
const RECORD: &str = "PROFILER_PROOF";

/// The suite on damaged files, which takes no root, and once is enough.
const DAMAGE: &str = "replay";

const PAGE: &str = "docs/proof.md";

pub(crate) fn door(args: &args::Proof) -> Result<ExitCode> {
    setup::ensure(args.install)?;
    let metadata = cargo::metadata()?;
    let long = (!args.short).then(|| "--include-ignored".to_owned());
    let words = long.into_iter().collect::<Vec<_>>();
    let record = Record::new(&metadata)?;
    let (mut heard, mut total) = (Heard::default(), Tally::default());

    step("damaged files");
    total.add(damage(&words, &record, &mut heard)?);
    let damage = record.take()?;
    let mut runs = Vec::new();
    for run in 1..=args.runs {
        step(&format!("run {run} of {}", args.runs));
        heard.run(run);
        let environment = [format!("{RECORD}={}", record.0.display())];
        let mut hear = |line: &str| heard.line(line);
        // What takes long is about many calls in one run, and done once.
        let words = if run == 1 { words.as_slice() } else { &[] };
        let kernel = kernel::run_with(&metadata, words, args.install, &environment, &mut hear)?;
        if let Some(why) = kernel.not_run {
            bail!("the kernel suite was not run: {why}");
        }
        total.add(kernel.tally);
        runs.push(record.take()?);
    }

    let proof = Proof {
        machine: machine::this()?,
        short: args.short,
        runs,
        damage,
        skipped: heard.skipped().to_vec(),
    };
    println!("{}", proof.tables());
    println!("{total}");
    if total.failed > 0 {
        for failed in heard.failed() {
            eprintln!("proof: failed: {failed}");
        }
        step(&format!("something failed: {PAGE} stays as it is"));
        return Ok(ExitCode::FAILURE);
    }
    let path = cargo::root().join(PAGE);
    fs::write(&path, proof.text()).with_context(|| path.display().to_string())?;
    step(&format!("wrote {PAGE}"));
    Ok(ExitCode::SUCCESS)
}

fn damage(words: &[String], record: &Record, heard: &mut Heard) -> Result<Tally> {
    let mut command = cargo::cargo(&["test", "--package=profiler", "--test", DAMAGE, "--"]);
    // One at a time, so that a name stands before what its test prints.
    command.arg("--test-threads=1").args(words);
    command.env(RECORD, &record.0);
    tally::overheard(&mut command, &mut |line| heard.line(line))
}

/// The file that lines are collected in, gone when they have been read.
struct Record(PathBuf);

impl Record {
    fn new(metadata: &Metadata) -> Result<Self> {
        let path = metadata.target.join("proof.jsonl");
        clear(&path)?;
        Ok(Self(path))
    }

    fn take(&self) -> Result<Vec<Line>> {
        let lines = line::read(&self.0)?;
        clear(&self.0)?;
        Ok(lines)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // What is left behind now is cleared before the next run.
        let _ = clear(&self.0);
    }
}

fn clear(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Tells what is being done.
fn step(what: &str) {
    eprintln!("proof: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_collected_is_taken_once() {
        let path = std::env::temp_dir().join(format!("proof-{}", std::process::id()));
        let record = Record(path);
        assert_eq!(record.take().unwrap(), []);
        fs::write(
            &record.0,
            "{\"line\":\"absent\",\"what\":\"w\",\"why\":\"y\"}\n",
        )
        .unwrap();
        assert_eq!(record.take().unwrap().len(), 1);
        assert_eq!(record.take().unwrap(), []);
    }

    /// A page that somebody wrote by hand, or that another command made, is none.
    #[test]
    fn the_page_in_the_docs_was_made_by_this() {
        let page = fs::read_to_string(cargo::root().join(PAGE)).unwrap();
        assert!(
            page.starts_with(page::TOP),
            "make it anew: cargo xtask proof"
        );
    }
}
