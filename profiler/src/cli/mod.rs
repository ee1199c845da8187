//! Arguments → plan → run.
//!
//! - [`args`]: what can be typed.
//! - [`bench`], [`run`], [`attach`]: the commands that watch.
//! - [`report`], [`doctor`]: those that need no rights.
//! - [`gate`]: holds a command until it is watched.
//! - [`output`]: where reports go; [`progress`]: what is said meanwhile;
//!   [`interrupt`]: ^C.

mod args;
mod attach;
mod bench;
mod doctor;
pub mod gate;
mod interrupt;
mod output;
mod progress;
mod readings;
mod report;
mod run;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use args::{Cli, Command};

/// Runs the program; the error is for the caller to show.
pub fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Bench(args) => bench::main(&args),
        Command::Run(args) => run::main(&args),
        Command::Attach(args) => attach::main(&args),
        Command::Report(args) => report::main(&args),
        Command::Schema => output::print(&format!("{:#}\n", crate::report::schema())),
        Command::Doctor => doctor::main(),
    }
}
