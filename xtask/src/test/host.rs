//! The tests that any user may run: pure ones, replayed recordings, the command
//! line, the examples in the documentation.

use anyhow::Result;

use super::{
    kernel,
    tally::{self, Tally},
};
use crate::cargo::{self, Metadata};

const PACKAGES: [&str; 3] = ["profiler-common", "profiler", "xtask"];

pub(super) fn run(metadata: &Metadata, words: &[String]) -> Result<Tally> {
    let packages = PACKAGES.map(|name| format!("--package={name}"));
    // Named one by one, to leave out the one for root.
    let suites = PACKAGES
        .iter()
        .flat_map(|package| metadata.targets(package, "test"));
    let suites = suites
        .filter(|name| name != kernel::SUITE)
        .map(|name| format!("--test={name}"));
    let mut tests = cargo::cargo(&["test", "--no-fail-fast", "--lib", "--bins"]);
    tests.args(&packages).args(suites).arg("--").args(words);
    let mut total = tally::counted(&mut tests)?;

    let with_docs = PACKAGES
        .iter()
        .filter(|name| !metadata.targets(name, "lib").is_empty());
    let mut docs = cargo::cargo(&["test", "--no-fail-fast", "--doc"]);
    docs.args(with_docs.map(|name| format!("--package={name}")))
        .arg("--")
        .args(words);
    total.add(tally::counted(&mut docs)?);
    Ok(total)
}
