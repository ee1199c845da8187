use std::process::ExitCode;

use profiler::{cli, session::gate, workload::reader};

fn main() -> ExitCode {
    // The profiler starts itself as a reader, and as the gate before a command. Both
    // words come first of all: those two have no use for what the profiler needs.
    let word = std::env::args_os().nth(1);
    let ended = match word.as_deref().and_then(std::ffi::OsStr::to_str) {
        Some(reader::COMMAND) => reader::main().map(|()| ExitCode::SUCCESS),
        Some(gate::COMMAND) => gate::main(),
        _ => cli::main(),
    };
    ended.unwrap_or_else(|error| {
        cli::complain(&error);
        ExitCode::FAILURE
    })
}
