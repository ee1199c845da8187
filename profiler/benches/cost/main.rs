//! Measures what watching costs, of the profiler and of the tools that could be used instead.
//! `cargo xtask bench` builds this and starts it as root, and makes docs/cost.md of what it prints.
//!
//! - [`program`]: the process that is watched; [`mode`]: the operations that it repeats.
//! - [`watcher`]: what watches, and the command of each; [`floor`]: the least that it can cost.
//! - [`child`]: starting and ending both; [`command`]: other programs.
//! - [`rounds`], [`fio`], [`session`]: what is measured, by the part that runs as root ([`root`]).
//! - [`results`]: all of it as JSON; [`page`]: as a page. What rounds say is `profiler::lab::stats`.

#![cfg_attr(
    test,
    allow(
        dead_code,
        unused_imports,
        reason = "cargo sets `test` for a bench target, but without a harness no test is built; \
                  tests/cost.rs builds them"
    )
)]

mod child;
mod command;
mod fio;
mod floor;
mod mode;
mod page;
mod program;
mod results;
mod root;
mod rounds;
mod session;
mod watcher;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;

use self::results::Results;

/// Measures what watching costs. Start it with `cargo xtask bench`.
#[derive(Debug, Parser)]
enum Part {
    /// Measure, as root, and print all runs as JSON
    Measure(Measure),
    /// Print what was measured as tables, and make a page of it
    Page(Page),
    /// The process that is watched
    #[command(hide = true)]
    Program(ProgramArgs),
}

#[derive(Debug, clap::Args)]
struct Measure {
    /// The profiler to measure
    profiler: PathBuf,
    /// A folder on a disk
    folder: PathBuf,
    /// How often all of it is measured anew
    #[arg(long, default_value_t = 1)]
    runs: u16,
    /// How often each watcher is measured in a run
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Only the main modes
    #[arg(long)]
    quick: bool,
    /// Only watchers with this in their name
    #[arg(long)]
    only: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Page {
    /// What `measure` printed
    measured: PathBuf,
    /// Where the page goes; without it the tables are only printed
    #[arg(long)]
    page: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct ProgramArgs {
    file: PathBuf,
    cpu: usize,
}

fn main() -> Result<()> {
    match Part::parse() {
        Part::Measure(args) => root::main(&args),
        Part::Page(args) => write_page(&args),
        Part::Program(args) => program::main(&args),
    }
}

fn write_page(args: &Page) -> Result<()> {
    let path = &args.measured;
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let runs: Vec<Results> = serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `measure` prints", path.display()))?;
    println!("{}", page::tables(&runs));
    if let Some(path) = &args.page {
        fs::write(path, page::text(&runs)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Says what is being done.
fn step(what: &str) {
    eprintln!("bench: {what}");
}
