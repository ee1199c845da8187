//! Arguments → plan → run.
//!
//! - `args`: what can be typed.
//! - `watch`: the commands that watch: `bench`, `run`, `attach`.
//! - `report`, `doctor`: those that need no rights.
//! - `output`, `destination`: what is written, and where to.
//! - `progress`, `say`: what is said meanwhile, and of what went wrong.

mod args;
mod destination;
mod doctor;
mod output;
mod progress;
mod report;
mod say;
mod watch;

use std::{env, ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::{
    CommandFactory as _, Parser as _,
    error::{ContextKind, ErrorKind},
};

use args::{Cli, Command};

use crate::export::sanitize;

pub use say::complain;

/// Runs the program; the error is for the caller to show.
///
/// # Errors
///
/// What the command line asks for cannot be done: the error says what, and what to do.
pub fn main() -> Result<ExitCode> {
    let cli = Cli::try_parse().unwrap_or_else(|error| refuse(error));
    match cli.command {
        Command::Bench(args) => watch::bench(&args),
        Command::Run(args) => watch::run(&args),
        Command::Attach(args) => watch::attach(&args),
        Command::Report(args) => report::main(&args),
        Command::Schema => output::print(&format!("{:#}\n", crate::report::schema())),
        Command::Doctor => doctor::main(),
    }
}

/// Shows what is wrong with the command line, and ends.
fn refuse(error: clap::Error) -> ! {
    let error = harmless(error);
    let _ = error.print();
    if let Some(known) = known(&error) {
        say::line(&known);
    }
    std::process::exit(error.exit_code());
}

/// An error about the command line repeats words of it, which may act on a terminal: so
/// it is made once more, of words that do not.
fn harmless(error: clap::Error) -> clap::Error {
    let words: Vec<OsString> = env::args_os()
        .map(|word| sanitize(&word.to_string_lossy()).into_owned().into())
        .collect();
    if words.iter().map(OsString::as_os_str).eq(env::args_os()) {
        return error;
    }
    match Cli::try_parse_from(words) {
        Err(error) => error,
        // Made harmless, the words are right: then only what was wrong can be said.
        Ok(_) => Cli::command().error(error.kind(), "a word has characters that cannot be shown"),
    }
}

/// What could have been typed where there is an unknown word.
fn known(error: &clap::Error) -> Option<String> {
    let cli = Cli::command();
    let names = |names: Vec<String>| names.join(", ");
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let mut words = env::args_os().skip(1);
            let command = words.find_map(|word| cli.find_subcommand(word));
            let unknown = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            let is_option = unknown.is_none_or(|word| word.starts_with('-'));
            if !is_option && command.is_some_and(|command| command.get_name() == "run") {
                return Some("put \"--\" before the command: profiler run -- COMMAND".into());
            }
            let options = command.unwrap_or(&cli).get_arguments();
            let options = options.filter_map(|option| Some(format!("--{}", option.get_long()?)));
            Some(format!("options: {}", names(options.collect())))
        }
        ErrorKind::InvalidSubcommand => {
            let commands = cli
                .get_subcommands()
                .map(|command| command.get_name().into());
            Some(format!("commands: {}", names(commands.collect())))
        }
        _ => None,
    }
}
