//! Measures what watching costs, of the profiler and of all that could be used instead, and makes
//! docs/cost.md of it.
//!
//! - [`program`]: what is watched; [`mode`]: the small things that it does.
//! - [`watcher`]: what watches, and the command of each; [`floor`]: the least there can be.
//! - [`child`]: starting and ending both.
//! - [`rounds`], [`fio`], [`session`]: what is measured, in the part that runs as root ([`root`]).
//! - [`stats`]: what rounds say; [`results`]: all of it as JSON; [`page`]: as a page.

mod child;
mod fio;
mod floor;
mod mode;
mod page;
pub(crate) mod program;
mod results;
pub(crate) mod root;
mod rounds;
mod session;
mod stats;
mod watcher;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};

use self::results::Results;
use crate::{args, build, cargo, privilege, process, setup, setup::programs};

const PAGE: &str = "docs/cost.md";

pub(crate) fn door(args: &args::Bench) -> Result<ExitCode> {
    setup::ensure(args.install)?;
    let metadata = cargo::metadata()?;
    let profiler = build::profiler(true)?;
    if let Some(why) = privilege::kernel_refuses() {
        bail!("{why}");
    }
    // Tools that are missing are listed as such.
    if let Err(why) = programs::install(&programs::missing(&watcher::NEEDED), args.install) {
        step(&format!("{why:#}"));
    }
    let work = Work::new(metadata.target.join("bench-work"))?;
    let mut runs: Vec<Results> = Vec::new();
    for run in 1..=args.runs() {
        step(&format!("run {run} of {}", args.runs()));
        let text = as_root(args, &profiler, &work)?;
        runs.push(serde_json::from_str(&text).context("what was measured")?);
    }
    let json = metadata.target.join("cost.json");
    fs::write(&json, serde_json::to_string_pretty(&runs)?)
        .with_context(|| json.display().to_string())?;
    println!("{}", page::tables(&runs));
    step(&format!("wrote {}", json.display()));
    if args.quick || !args.only.is_empty() || args.no_page {
        step(&format!("{PAGE} stays as it is"));
    } else {
        let path = cargo::root().join(PAGE);
        fs::write(&path, page::text(&runs)).with_context(|| path.display().to_string())?;
        step(&format!("wrote {PAGE}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs [`root::main`], with mounts of its own: bpftrace and perf look for tracepoints in tracefs,
/// which nobody may have mounted, and what is mounted there is gone when it ends.
fn as_root(args: &args::Bench, profiler: &Path, work: &Work) -> Result<String> {
    let mut words = ["--mount", "--propagation=private", "--"]
        .map(str::to_owned)
        .to_vec();
    let us = std::env::current_exe()?;
    for path in [us.as_path(), Path::new("bench-root"), profiler, &work.0] {
        words.push(path.display().to_string());
    }
    words.push(format!("--rounds={}", args.rounds()));
    if args.quick {
        words.push("--quick".to_owned());
    }
    words.extend(args.only.iter().map(|name| format!("--only={name}")));
    let unshare = process::find("unshare").context("no `unshare` here (util-linux)")?;
    let mut command = privilege::as_root(&unshare, &words)?;
    step(&process::shown(&command));
    stay()?;
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let output = child.and_then(std::process::Child::wait_with_output);
    let output = output.with_context(|| process::shown(&command))?;
    if !output.status.success() {
        bail!("the measuring part ended ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// ^C ends the part that measures, and all that it started; this process lives on to clear up.
fn stay() -> Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    let nothing: extern "C" fn(libc::c_int) = nothing;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler does nothing at all, so it may run at any time. A handler, unlike
        // ignoring, is not inherited by what is started.
        let before = unsafe { libc::signal(signal, nothing as libc::sighandler_t) };
        if before == libc::SIG_ERR {
            return Err(std::io::Error::last_os_error()).context("a handler for ^C");
        }
    }
    Ok(())
}

/// A folder for files of the bench, gone when it is over.
struct Work(PathBuf);

impl Work {
    fn new(path: PathBuf) -> Result<Self> {
        // Of a run that was killed.
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What is left behind now is cleared before the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Tells what is being done.
fn step(what: &str) {
    eprintln!("bench: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_killed_run_is_cleared() {
        let path = std::env::temp_dir().join(format!("bench-work-{}", std::process::id()));
        let work = Work::new(path.clone()).unwrap();
        fs::write(work.0.join("left"), "x").unwrap();
        let again = Work::new(path.clone()).unwrap();
        assert!(!path.join("left").exists());
        drop(again);
        assert!(!path.exists());
    }

    /// A page that somebody wrote by hand, or that another command made, is none.
    #[test]
    fn the_page_in_the_docs_was_made_by_this() {
        let page = fs::read_to_string(cargo::root().join(PAGE)).unwrap();
        assert!(
            page.starts_with(page::TOP),
            "make it anew: cargo xtask bench"
        );
    }
}
