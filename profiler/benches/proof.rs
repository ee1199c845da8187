//! Writes docs/proof.md of what the tests wrote down. `cargo xtask proof` runs the tests, and starts
//! this.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;
use profiler::lab::{
    machine,
    proof::{Proof, line},
};

/// Makes the page of proofs of what tests wrote down, and prints its tables.
#[derive(Debug, Parser)]
struct Args {
    /// What a run of the kernel suite wrote down; once for each run
    #[arg(long = "run", value_name = "FILE")]
    runs: Vec<PathBuf>,
    /// What the suite on damaged files wrote down
    #[arg(long, value_name = "FILE")]
    damage: PathBuf,
    /// Tests that were skipped, and why, as JSON: [["name", "why"], …]
    #[arg(long, value_name = "JSON", default_value = "[]")]
    skipped: String,
    /// The long tests were left out
    #[arg(long)]
    short: bool,
    /// Where the page goes; without it the tables are only printed
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runs = args.runs.iter().map(|path| line::read(path));
    let proof = Proof {
        machine: machine::this()?,
        short: args.short,
        runs: runs.collect::<Result<_>>()?,
        damage: line::read(&args.damage)?,
        skipped: serde_json::from_str(&args.skipped).context("--skipped")?,
    };
    println!("{}", proof.tables());
    if let Some(path) = &args.page {
        fs::write(path, proof.text()).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
