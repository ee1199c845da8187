//! The commands that watch: arguments → plan → session → what is written of it.

use std::{
    os::fd::{BorrowedFd, FromRawFd as _, OwnedFd},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{
    args::{AttachArgs, BenchArgs, RunArgs, WatchArgs},
    output::{self, Exports},
    progress, say,
};
use crate::{
    load,
    session::{
        Driven, Interrupt, drive,
        plan::{Plan, ReaderPlan, Selection, Target},
    },
    workload::{Options, Scenario},
};

/// `profiler bench`: the bundled reader, in known states.
pub(super) fn bench(args: &BenchArgs) -> Result<ExitCode> {
    let scenarios: Vec<&Scenario> = match args.scenario.as_slice() {
        [] => Scenario::ALL.iter().collect(),
        some => some.to_vec(),
    };
    let Ok(block_size) = u32::try_from(args.block_size) else {
        bail!(
            "a block of {} bytes is too large: at most 4 GiB less one",
            args.block_size
        )
    };
    let target = Target::Reader(ReaderPlan {
        path: args.path.clone(),
        dir: args.dir.clone(),
        size: args.size,
        scenarios,
        options: Options {
            block_size,
            threads: args.threads,
            reads: args.reads,
            ..Options::default()
        },
        drop_caches: args.drop_caches,
    });
    watch(&args.watch, target, None, Text::OnStandardOutput)
}

/// `profiler run -- COMMAND…`: a command from its first instruction to its end.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode> {
    let target = Target::Command(args.command.clone());
    watch(&args.watch, target, None, Text::OnStandardError)
}

/// `profiler attach --pid N`: a process that runs already.
pub(super) fn attach(args: &AttachArgs) -> Result<ExitCode> {
    let target = Target::Process(args.pid);
    watch(&args.watch, target, args.duration, Text::OnStandardOutput)
}

/// Where the text of the report goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    OnStandardOutput,
    /// Standard output is the command's.
    OnStandardError,
}

fn watch(
    args: &WatchArgs,
    target: Target,
    until: Option<Duration>,
    text: Text,
) -> Result<ExitCode> {
    let exports = Exports::begin(&args.export.asked())?;
    if let Some(recording) = &args.record {
        if recording == Path::new("-") {
            bail!("a recording does not go to standard output: name a file");
        }
        exports.spare(recording, "recording")?;
    }
    let plan = plan(args, target, until)?;
    let driven = runtime()?.block_on(async {
        let interrupt = Interrupt::listen()?;
        drive(plan, exports, &interrupt, &progress::say).await
    });
    let Driven {
        report,
        sink: mut exports,
        code,
    } = driven?;
    // Files first, which programs read: the terminal may be gone.
    let written = exports.finish(&report);
    let shown = match text {
        Text::OnStandardError => output::show_on_error(&report),
        Text::OnStandardOutput if exports.take_standard_output() => Ok(()),
        Text::OnStandardOutput => output::show(&report),
    };
    let failed = [written, shown].into_iter().filter_map(Result::err);
    let failed: Vec<_> = failed.inspect(say::complain).collect();
    Ok(match (text, failed.is_empty()) {
        // The exit code is the command's, whatever becomes of the report.
        (Text::OnStandardError, _) | (_, true) => ExitCode::from(code),
        (Text::OnStandardOutput, false) => ExitCode::FAILURE,
    })
}

fn plan(args: &WatchArgs, target: Target, until: Option<Duration>) -> Result<Plan> {
    Ok(Plan {
        command: std::env::args_os()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
        target,
        until,
        interval: None,
        selection: Selection {
            every_call: args.every_call,
            threshold: args.threshold,
            slowest: args.slowest.into(),
        },
        record: args.record.clone(),
        ready: args.ready_fd.map(descriptor).transpose()?,
        load: load::Options {
            ring_bytes: args.ring_size,
            verbose: args.verbose,
            way: if args.quiet_neighbours {
                load::Way::QuietNeighbours
            } else {
                args.entry
            },
        },
    })
}

/// A descriptor that whoever started the profiler has left open for it. What the profiler
/// starts does not get it.
fn descriptor(number: i32) -> Result<OwnedFd> {
    // SAFETY: used for this question only.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)
        .with_context(|| format!("--ready-fd: descriptor {number} is not open"))?;
    // SAFETY: open, and not a standard stream; nothing of this program has been opened yet, so
    // it was left for this.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// One runtime for everything: the ring is emptied on this thread.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
