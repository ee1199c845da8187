//! The part that runs as root: tries the tools, measures, and prints all of it as JSON.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    child::{self, Program},
    fio,
    mode::Mode,
    program::BLOCK,
    results::{Results, Tool},
    rounds, session,
    stats::Random,
    step,
    watcher::{self, Watcher},
};
use crate::{args, process, proof::machine};

/// Larger than what the cold modes can read in one slice.
const LENGTH: u64 = 256 << 20;

/// How long a tool is tried.
const TRY: Duration = Duration::from_millis(50);

/// What the parts share.
pub(super) struct Bench<'a> {
    pub(super) args: &'a args::BenchRoot,
    pub(super) file: PathBuf,
    /// Where single threads are kept: the last one, as the first takes most interrupts.
    pub(super) cpu: usize,
    /// It is watched.
    pub(super) watched: Program,
    /// It is not, next to the one that is.
    pub(super) other: Program,
}

pub(crate) fn main(args: &args::BenchRoot) -> Result<ExitCode> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    mount_tracefs();
    let file = make_file(&args.folder)?;
    let cpu = std::thread::available_parallelism()?.get() - 1;
    let mut bench = Bench {
        watched: Program::start(&file, cpu)?,
        other: Program::start(&file, cpu)?,
        args,
        file,
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
    println!("{}", serde_json::to_string_pretty(&results)?);
    Ok(ExitCode::SUCCESS)
}

/// Where bpftrace, perf and the tools of bcc look for tracepoints: without tracefs bpftrace says
/// `tracepoint not found`. (Its complaint that it can't set RLIMIT_MEMLOCK, without
/// CAP_SYS_RESOURCE, is only one: since Linux 5.11 that limit is not asked for BPF.) The mounts are
/// this process's own, see [`super::door`]; what can't be mounted shows in what does not start.
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
        if let Err(error) = process::output(Command::new("mount").args(words)) {
            step(&format!("{error:#}"));
        }
    }
}

/// Content that no file system compresses, on the disk before anything is measured.
fn make_file(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("file");
    let mut file = File::create(&path).with_context(|| path.display().to_string())?;
    // fio looks at it too, and the program may be another user's.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    let mut random = Random(4711);
    let mut block = Vec::with_capacity(BLOCK as usize * 64);
    for _ in 0..LENGTH / (BLOCK * 64) {
        block.clear();
        block.extend((0..BLOCK * 64 / 8).flat_map(|_| random.next().to_le_bytes()));
        file.write_all(&block)?;
    }
    file.sync_all()?;
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
