//! What is checked without running anything.

mod circle;
mod direction;
mod kernel_side;
mod length;
mod optional;
mod orphan;
mod pages;
mod source;
mod tree;
mod words;

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{args, cargo, process, setup};

pub(crate) fn door(args: &args::Lint) -> Result<ExitCode> {
    let mut checks: Vec<(&str, Result<()>)> = vec![("rules", rules())];
    if !args.rules {
        let decision = setup::ensure(args.install)?;
        checks.push((
            "fmt",
            shown_run(&mut cargo::cargo(&["fmt", "--all", "--check"])),
        ));
        let clippy = ["clippy", "--all-targets", "--", "-D", "warnings"];
        checks.push(("clippy", shown_run(&mut cargo::cargo(&clippy))));
        // The kernel side only builds for its own target.
        let exclude = ["--exclude", "profiler-ebpf"];
        let mut doc = cargo::cargo(&["doc", "--workspace", "--no-deps"]);
        doc.args(exclude).env("RUSTDOCFLAGS", "-D warnings");
        checks.push(("docs of the code", shown_run(&mut doc)));
        checks.push(("kernel side", kernel_side::check(&decision)));
        checks.extend(optional::checks());
    }
    let mut code = ExitCode::SUCCESS;
    for (name, outcome) in checks {
        match outcome {
            Ok(()) => eprintln!("lint: {name}: fine"),
            Err(error) => {
                eprintln!("lint: {name}: {error:#}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn shown_run(command: &mut Command) -> Result<()> {
    eprintln!("lint: {}", process::shown(command));
    process::run(command)
}

/// The project's own rules, on every Rust file and every page of the workspace.
fn rules() -> Result<()> {
    let root = cargo::root();
    let paths = tree::paths(&root)?;
    let sources = source::all(&root, &paths)?;
    let complaints = sources.iter().flat_map(|source| {
        let long = length::complaint(source);
        long.into_iter().chain(direction::complaints(source))
    });
    let complaints = complaints.chain(circle::complaints(&sources));
    let complaints = complaints.chain(orphan::complaints(&sources));
    let complaints = complaints.chain(words::complaints(&root, &sources)?);
    let complaints = complaints.chain(pages::complaints(&root, &paths)?);
    let complaints = complaints.collect::<Vec<_>>();
    if complaints.is_empty() {
        return Ok(());
    }
    anyhow::bail!("\n  {}", complaints.join("\n  "))
}
