//! Finds or installs what the kernel side is built with: a compiler that can
//! build for BPF, and a bpf-linker that reads what this compiler writes.
//!
//! What is there already is preferred to what would have to be installed. The
//! host side needs nothing but the cargo that runs us; a C compiler is there,
//! or cargo couldn't have linked this program.

mod cache;
mod compiler;
mod decision;
mod distribution;
mod linker;
mod llvm;
pub(crate) mod programs;
mod proof;
mod rustup;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};

use self::compiler::Compiler;
pub(crate) use self::{cache::folder as cache_folder, compiler::BPF_TARGET, decision::Decision};
use crate::{args, privilege, process};

/// Where a compiler may come from, and how it is looked for or installed there.
type Source = (&'static str, fn() -> Result<Compiler>);

/// How much may be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum May {
    /// Nothing at all.
    Look,
    /// Only our own note of what was decided.
    Decide,
    Install,
}

pub(crate) fn door(args: &args::Setup) -> Result<ExitCode> {
    let may = match args.install.no_install {
        _ if args.check => May::Look,
        true => May::Decide,
        false => May::Install,
    };
    set_up(may)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the kernel side can be built; quick if it was sure before.
pub(crate) fn ensure(install: args::Install) -> Result<Decision> {
    set_up(if install.no_install {
        May::Decide
    } else {
        May::Install
    })
}

fn set_up(may: May) -> Result<Decision> {
    privilege::refuse_sudo()?;
    if process::find("rustup").is_none() {
        bail!(
            "rustup is not on PATH, and the kernel side needs a second toolchain, which cargo \
             alone can't choose.\nInstall it (https://rustup.rs, or your distribution's package \
             `rustup`), then run this again"
        );
    }
    if let Ok(toolchain) = env::var("PROFILER_BPF_TOOLCHAIN") {
        step(&format!(
            "PROFILER_BPF_TOOLCHAIN={toolchain} is taken as it is"
        ));
        let linker = process::find("bpf-linker");
        return Decision::given(toolchain, linker);
    }
    if let Some(decision) = Decision::load()
        && decision.holds()
    {
        step(&format!("ready: {decision}"));
        return Ok(decision);
    }
    let decision = decide(may)?;
    if may != May::Look {
        decision.save()?;
    }
    step(&format!("ready: {decision}"));
    Ok(decision)
}

/// In the order that needs the least installing.
fn decide(may: May) -> Result<Decision> {
    let present: [Source; 2] = [
        ("rustup's nightly", rustup::nightly),
        ("the distribution's rustc", distribution::rustc),
    ];
    let mut compilers = Vec::new();
    for (name, find) in present {
        match find() {
            Ok(compiler) => {
                step(&format!("{name}: {compiler}"));
                compilers.push(compiler);
            }
            Err(error) => step(&format!("{name}: {error:#}")),
        }
    }
    for compiler in &compilers {
        if let Some(linker) = linker::present(compiler) {
            return Ok(Decision::new(compiler, linker));
        }
    }
    if compilers.is_empty() {
        step("bpf-linker: it has to match the compiler, so that comes first");
    }
    for compiler in &compilers {
        step(&format!(
            "bpf-linker: none that reads LLVM {}",
            compiler.llvm
        ));
        if may == May::Install {
            match linker::install(compiler) {
                Ok(linker) => return Ok(Decision::new(compiler, linker)),
                Err(error) => step(&format!("bpf-linker: {error:#}")),
            }
        }
    }
    if may == May::Install {
        let sources: [Source; 2] = [
            ("rustup's nightly", rustup::install_nightly),
            ("the distribution's rustc", distribution::install),
        ];
        for (name, install) in sources {
            match install().and_then(|compiler| with_linker(&compiler)) {
                Ok(decision) => return Ok(decision),
                Err(error) => step(&format!("{name}: {error:#}")),
            }
        }
    }
    let by_hand = match compilers.first() {
        Some(compiler) => linker::by_hand(compiler),
        None => format!(
            "{}\nor, on Debian and Ubuntu,\n  sudo {}",
            rustup::BY_HAND,
            distribution::BY_HAND
        ),
    };
    bail!(
        "what is here (see above) can't build the kernel side.\n\
         By hand:\n  {by_hand}\nand then: cargo xtask setup"
    )
}

fn with_linker(compiler: &Compiler) -> Result<Decision> {
    let linker = match linker::present(compiler) {
        Some(linker) => linker,
        None => linker::install(compiler)?,
    };
    Ok(Decision::new(compiler, linker))
}

/// Tells what is being done, on standard error: standard output is the profiler's.
fn step(what: &str) {
    eprintln!("setup: {what}");
}

/// A folder's or file's path for messages, short where it is in the home folder.
fn shown(path: &std::path::Path) -> String {
    let home = env::var_os("HOME").map(PathBuf::from);
    match home.and_then(|home| Some(path.strip_prefix(home).ok()?.to_path_buf())) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}
