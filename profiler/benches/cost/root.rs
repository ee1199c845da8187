//! The part that runs as root: tries the tools, measures, and prints all runs as JSON.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};
use profiler::lab::{machine, rig::incompressible};

use super::{
    Measure,
    child::{self, Program},
    command, fio,
    mode::Mode,
    results::{Results, Tool},
    rounds, session, step,
    watcher::{self, Watcher},
};

/// Larger than what the cold modes can read in one slice.
const LENGTH: usize = 256 << 20;

/// How long a tool is tried.
const TRY: Duration = Duration::from_millis(50);

/// What the parts share.
pub(super) struct Bench<'a> {
    pub(super) args: &'a Measure,
    pub(super) file: PathBuf,
    /// Where single threads are kept: the last one, as the first takes most interrupts.
    pub(super) cpu: usize,
    /// The process that is watched.
    pub(super) watched: Program,
    /// A process beside it that is not watched.
    pub(super) other: Program,
}

pub(super) fn main(args: &Measure) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    mount_tracefs();
    let file = make_file(&args.folder)?;
    let mut runs = Vec::new();
    for run in 1..=args.runs {
        step(&format!("run {run} of {}", args.runs));
        runs.push(measure(args, &file)?);
    }
    println!("{}", serde_json::to_string_pretty(&runs)?);
    Ok(())
}

/// One run, with processes of its own.
fn measure(args: &Measure, file: &Path) -> Result<Results> {
    let cpu = std::thread::available_parallelism()?.get() - 1;
    let mut bench = Bench {
        watched: Program::start(file, cpu)?,
        other: Program::start(file, cpu)?,
        args,
        file: file.to_owned(),
        cpu,
    };
    let mut results = Results {
        machine: machine::this()?,
        versions: watcher::versions(),
        rounds: args.rounds,
        quick: args.quick,
        load: load()?,
        ..Results::default()
    };
    let watchers = try_all(&mut bench, &mut results)?;
    rounds::measure(&mut bench, &watchers, &mut results)?;
    fio::measure(&bench, &watchers, &mut results)?;
    session::measure(&mut bench, &watchers, &mut results)?;
    Ok(results)
}

/// Where bpftrace, perf and the tools of bcc look for tracepoints: without tracefs bpftrace says
/// `tracepoint not found`. (Its complaint that it can't set RLIMIT_MEMLOCK, without
/// CAP_SYS_RESOURCE, is only one: since Linux 5.11 that limit is not asked for BPF.) The mounts are
/// this process's own, see xtask/src/bench.rs; what can't be mounted shows in what does not start.
fn mount_tracefs() {
    let mounts = [
        (
            "tracefs",
            "/sys/kernel/tracing",
            "/sys/kernel/tracing/events",
        ),
        ("debugfs", "/sys/kernel/debug", "/sys/kernel/debug/tracing"),
        (
            "tracefs",
            "/sys/kernel/debug/tracing",
            "/sys/kernel/debug/tracing/events",
        ),
    ];
    for (kind, place, there) in mounts {
        if Path::new(there).exists() {
            continue;
        }
        let words = ["-t", kind, kind, place];
        if let Err(error) = command::output(Command::new("mount").args(words)) {
            step(&format!("{error:#}"));
        }
    }
}

/// The file that is read, on the disk before anything is measured.
fn make_file(folder: &Path) -> Result<PathBuf> {
    let path = incompressible(folder, "file", LENGTH).map_err(anyhow::Error::msg)?;
    // fio looks at it too, and may be another user's.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    Ok(path)
}

/// Those that start here; of the others it is written down why.
fn try_all(bench: &mut Bench<'_>, results: &mut Results) -> Result<Vec<Watcher>> {
    let mut good = Vec::new();
    for watcher in watcher::all(&bench.args.profiler) {
        let only = &bench.args.only;
        let asked = only.is_empty() || only.iter().any(|part| watcher.name.contains(part.as_str()));
        // A first look does without those that are never measured.
        if !asked || (bench.args.quick && !watcher.measured) {
            continue;
        }
        let tried = try_one(bench, &watcher);
        step(&match &tried {
            Ok(()) => format!("{} works", watcher.name),
            Err(error) => format!("{} does not work here: {error:#}", watcher.name),
        });
        results.tools.push(Tool {
            name: watcher.name.clone(),
            command: watcher.typed(),
            refused: tried.as_ref().err().map(|error| format!("{error:#}")),
            seconds: Vec::new(),
        });
        if tried.is_ok() && watcher.measured {
            good.push(watcher);
        }
    }
    Ok(good)
}

fn try_one(bench: &mut Bench<'_>, watcher: &Watcher) -> Result<()> {
    let pid = bench.watched.pid();
    let folder = &bench.args.folder;
    let watching = child::watch(watcher, &watcher.of(pid), pid, folder)?;
    bench.watched.run(Mode::Warm, TRY)?;
    bench.watched.run(Mode::DirectRandom1, TRY)?;
    watching.stop(watcher.seen, folder)?;
    Ok(())
}

fn load() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split_whitespace().next().context("/proc/loadavg")?;
    Ok(first.parse()?)
}
