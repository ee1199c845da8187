//! Proves that one build of the profiler works on real kernels, old and new: boots
//! each as the distribution ships it, in an emulator, and writes down what came out.
//!
//! - [`tools`]: the programs that this takes.
//! - [`packages`]: Debian's kernels, fetched beside the system's own packages.
//! - [`modules`]: the few modules that a guest needs, in the order to load them.
//! - [`archive`]: the file system that a guest starts from.
//! - [`guest`]: one boot, within a time limit.
//! - [`bed`]: what every experiment has.
//! - [`outcome`]: all experiments on a kernel.
//! - [`page`]: the page that it all goes to.
//!
//! The experiments:
//!
//! - [`mod@bench`]: all scenarios of the bench on each file system.
//! - [`suite`]: tests that bring about stalls of a known length.
//! - [`readers`]: readers that share processors, and whether each of their calls is accounted for.
//! - [`cost`]: what each way of seeing begins and ends costs.

mod archive;
mod bed;
mod bench;
mod cost;
mod guest;
mod modules;
mod outcome;
mod packages;
mod page;
mod readers;
mod suite;
mod tools;

use std::{
    fs,
    path::Path,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;

use self::{
    bed::{Bed, Programs},
    outcome::Outcome,
    packages::Kernel,
    tools::Tools,
};
use crate::{
    args::{self, Experiment},
    cargo, setup,
};

/// The oldest kernel that is supported, two long-lived ones, and the newest there is.
const USUAL: [&str; 4] = ["6.1", "6.12", "6.18", packages::NEWEST];

const PAGE: &str = "docs/kernels.md";

pub(crate) fn door(args: &args::Kernels) -> Result<ExitCode> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("the kernels that this boots are for x86_64, and this machine is not");
    }
    setup::ensure(args.install)?;
    let programs = Programs::build()?;
    let experiments = match args.only.as_slice() {
        [] => Experiment::value_variants(),
        some => some,
    };
    let series = match args.series.as_slice() {
        [] => USUAL.map(str::to_owned).to_vec(),
        some => some.to_vec(),
    };
    let folder = setup::cache_folder()?.join("kernels");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let tools = Tools::ensure(&folder)?;
    let kernels = packages::fetch(&folder, &series, &tools)?;
    let target = cargo::metadata()?.target.join("kernels");
    let (work, keep) = (target.join("work"), target.join("kept"));
    bed::sweep(&work);
    let outcomes = each(&kernels, &|kernel| {
        let bed = Bed {
            tools: &tools,
            kernel,
            programs: &programs,
            work: &work,
            keep: &keep,
        };
        Outcome::of(&bed, experiments)
    });
    println!("{}", page::tables(&outcomes));
    step(&format!("reports and recordings are in {}", keep.display()));
    // A page of some experiments would look as if there were no others.
    if !args.no_page && args.only.is_empty() {
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

/// The outcome of each kernel, in their order. An emulator keeps one processor busy, so as
/// many run at once as there are.
fn each<T: Send>(kernels: &[Kernel], run: &(dyn Fn(&Kernel) -> T + Sync)) -> Vec<T> {
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(kernels.iter().enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once.min(kernels.len()) {
            scope.spawn(|| {
                loop {
                    let next = waiting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .next();
                    let Some((place, kernel)) = next else {
                        return;
                    };
                    let outcome = run(kernel);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((place, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
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
