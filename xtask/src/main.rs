//! The one door for developers: `cargo xtask setup|build|run|test|proof|bench|kernels|lint|doctor`.

mod args;
mod bench;
mod build;
mod cargo;
mod kernels;
mod lint;
mod privilege;
mod process;
mod proof;
mod run;
mod setup;
// Shared with the library, which cannot be built yet when this program is: `kernels` writes tables.
#[allow(dead_code, unreachable_pub, reason = "a library's file")]
#[path = "../../profiler/src/lab/table.rs"]
mod table;
mod test;
mod work;

use std::process::ExitCode;

use args::{Args, Door};
use clap::Parser as _;

fn main() -> ExitCode {
    let done = match Args::parse().door {
        Door::Setup(args) => setup::door(&args),
        Door::Build(args) => build::door(&args),
        Door::Run(args) => run::door(&args),
        Door::Test(args) => test::door(&args),
        Door::Proof(args) => proof::door(&args),
        Door::Bench(args) => bench::door(&args),
        Door::Kernels(args) => kernels::door(&args),
        Door::Lint(args) => lint::door(&args),
        Door::Doctor(args) => run::doctor(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
