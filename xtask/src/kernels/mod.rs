//! Proves that one build of the profiler works on real kernels, old and new: boots
//! each as the distribution ships it, in an emulator, runs all scenarios of the bench
//! in it, and writes down what came out.
//!
//! - [`tools`]: the programs that this takes.
//! - [`packages`]: Debian's kernels, fetched beside the system's own packages.
//! - [`modules`]: the few modules that a guest needs, in the order to load them.
//! - [`archive`]: the file system that a guest starts from.
//! - [`guest`]: one boot, within a time limit.
//! - [`readers`]: readers on one processor, and whether each of their calls is accounted for.
//! - [`outcome`]: what it said.
//! - [`page`]: the page that it all goes to.

mod archive;
mod guest;
mod modules;
mod outcome;
mod packages;
mod page;
mod readers;
mod tools;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};

use self::{outcome::Outcome, tools::Tools};
use crate::{args, cargo, setup};

/// The oldest kernel that is supported, two long-lived ones, and the newest there is.
const USUAL: [&str; 4] = ["6.1", "6.12", "6.18", packages::NEWEST];

const TARGET: &str = "x86_64-unknown-linux-gnu";
const PAGE: &str = "docs/kernels.md";

pub(crate) fn door(args: &args::Kernels) -> Result<ExitCode> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("the kernels that this boots are for x86_64, and this machine is not");
    }
    setup::ensure(args.install)?;
    let profiler = static_profiler()?;
    let series = match args.series.as_slice() {
        [] => USUAL.map(str::to_owned).to_vec(),
        some => some.to_vec(),
    };
    let folder = setup::cache_folder()?.join("kernels");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let tools = Tools::ensure(&folder)?;
    let kernels = packages::fetch(&folder, &series, &tools)?;
    let mut outcomes = Vec::new();
    for kernel in &kernels {
        step(&format!("{}: booting", kernel.release));
        let work = Work::new(folder.join("work"))?;
        let came = guest::run(&tools, kernel, &profiler, &work.0);
        let readers = readers::run(&tools, kernel, &profiler, &folder);
        let outcome = Outcome::new(kernel, came, readers);
        step(&format!("{}: {}", kernel.release, outcome.verdict()));
        outcomes.push(outcome);
    }
    println!("{}", page::table(&outcomes));
    println!("{}", page::exactly(&outcomes));
    if !args.no_page {
        let path = cargo::root().join(PAGE);
        fs::write(&path, page::text(&outcomes)).with_context(|| path.display().to_string())?;
        step(&format!("wrote {PAGE}"));
    }
    Ok(if outcomes.iter().all(Outcome::is_good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The profiler without shared libraries: a guest has none.
fn static_profiler() -> Result<PathBuf> {
    let flags = format!("--config=target.{TARGET}.rustflags=['-Ctarget-feature=+crt-static']");
    let target = format!("--target={TARGET}");
    let words = [
        "build",
        "--release",
        "--package=profiler",
        "--bin=profiler",
        &target,
        &flags,
    ];
    let profiler = cargo::executable(&words, "bin", "profiler")?;
    if !tools::is_static(&profiler)? {
        bail!(
            "{} needs shared libraries, which a guest does not have: is RUSTFLAGS set?",
            profiler.display()
        );
    }
    Ok(profiler)
}

/// A folder for one boot, gone when it is over.
struct Work(PathBuf);

impl Work {
    fn new(path: PathBuf) -> Result<Self> {
        clear(&path)?;
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What is left behind now is cleared before the next boot.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes a folder, if it is there.
fn clear(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Tells what is being done.
fn step(what: &str) {
    eprintln!("kernels: {what}");
}
