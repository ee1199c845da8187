//! `profiler bench`: the bundled reader, in known states.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::{
    args::BenchArgs,
    interrupt::Interrupt,
    output::{self, Exports},
    progress, readings, watch,
};
use crate::{
    collect::{disk, machine, process},
    report::{
        Readings,
        v1::{Residency, Workload},
        witness::Counts,
    },
    session::live::{Live, TICK},
    workload::{
        DirectAlign, Identity, Interrupted, Options, OwnFile, Reader, Scenario, Spec, State,
        Subject, residency, state,
    },
};

/// Runs the scenarios and shows the report.
pub(super) fn main(args: &BenchArgs) -> Result<ExitCode> {
    let exports = Exports::begin(&args.watch.export.asked())?;
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
    let options = Options {
        block_size,
        threads: args.threads,
        reads: args.reads,
        ..Options::default()
    };
    watch::runtime()?.block_on(async {
        let interrupt = Interrupt::listen()?;
        let identity = Identity::invoking()?;
        // What can be refused is refused before anything is made.
        let given = args.path.as_deref().map(Subject::open).transpose()?;
        match &given {
            Some(subject) => check(&scenarios, subject, &options)?,
            None if args.size == 0 => {
                bail!("a file of 0 bytes has nothing to read: use a larger --size")
            }
            // What the own file will ask of O_DIRECT is not known yet.
            None => check_spec(&scenarios, &args.dir, args.size, &options, Some(ANY))?,
        }
        let target = format!("the bundled reader, user {}", identity.uid);
        let mut live = watch::open(watch::plan(&args.watch, target), exports)?;
        let subject = match given {
            Some(subject) => Some(subject),
            None => own_file(args, &identity, &interrupt)?,
        };
        if let Some(subject) = &subject {
            check(&scenarios, subject, &options)?;
            name(&mut live, subject, args)?;
            for scenario in scenarios {
                if interrupt.asked() {
                    break;
                }
                run(
                    &mut live, scenario, subject, &options, args, &identity, &interrupt,
                )
                .await
                .with_context(|| format!("scenario {}", scenario.name))?;
            }
        }
        if interrupt.asked() {
            live.note("the session was interrupted: not all of it was done".into());
        }
        let (report, mut exports) = live.close(0)?;
        if !exports.take_standard_output() {
            output::show(&report)?;
        }
        exports.finish(&report)?;
        Ok(interrupt.exit_code().into())
    })
}

/// A file that takes every O_DIRECT read.
const ANY: DirectAlign = DirectAlign {
    memory: 1,
    offset: 1,
};

/// Says whether every scenario can be done with this file.
fn check(scenarios: &[&Scenario], subject: &Subject, options: &Options) -> Result<()> {
    let (path, size) = (subject.path(), subject.size());
    check_spec(scenarios, path, size, options, subject.direct())
}

fn check_spec(
    scenarios: &[&Scenario],
    path: &Path,
    size: u64,
    options: &Options,
    direct: Option<DirectAlign>,
) -> Result<()> {
    for scenario in scenarios {
        let spec = scenario.spec(path, size, options);
        spec.validate(direct)
            .with_context(|| format!("scenario {}", scenario.name))?;
    }
    Ok(())
}

fn own_file(
    args: &BenchArgs,
    identity: &Identity,
    interrupt: &Interrupt,
) -> Result<Option<Subject>> {
    let bar = progress::bytes("making a file", args.size);
    let made = OwnFile::create(&args.dir, args.size, identity, &mut |written| {
        bar.set_position(written);
        interrupt.flow()
    });
    bar.finish_and_clear();
    match made {
        Ok(subject) => Ok(Some(subject)),
        Err(error) if error.is::<Interrupted>() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells the session what the user calls the file.
fn name(live: &mut Live<Exports>, subject: &Subject, args: &BenchArgs) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = subject
        .file()
        .metadata()
        .context("cannot look at the file")?;
    let (major, minor) = subject.place().superblock;
    let dev = major << 20 | minor;
    live.name_file(dev, metadata.ino(), label(subject, args))
}

fn label(subject: &Subject, args: &BenchArgs) -> String {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    match &args.path {
        Some(_) => path(subject.path()),
        None => {
            let dir = std::fs::canonicalize(&args.dir).unwrap_or_else(|_| args.dir.clone());
            format!("own file in {}", path(&dir))
        }
    }
}

/// One scenario, from its state to its witnesses.
async fn run(
    live: &mut Live<Exports>,
    scenario: &Scenario,
    subject: &Subject,
    options: &Options,
    args: &BenchArgs,
    identity: &Identity,
    interrupt: &Interrupt,
) -> Result<()> {
    let line = progress::line(format!("{}: bringing about its state", scenario.name));
    let spec = scenario.spec(subject.path(), subject.size(), options);
    if args.drop_caches && scenario.state == State::Cold {
        state::drop_caches()?;
    }
    let before = state::bring_about(subject, scenario.state, &mut |_| interrupt.flow());
    let before = match before {
        Err(error) if error.is::<Interrupted>() => return Ok(()),
        before => before?,
    };
    let own = args
        .path
        .is_none()
        .then(|| std::os::fd::AsFd::as_fd(subject.file()));
    let mut reader = Reader::spawn(&spec, identity, own)?;
    let pid = reader.pid();
    let disk = subject
        .place()
        .device
        .as_ref()
        .map(|device| device.disk.clone());
    let mut workload = workload(scenario, &spec, subject, args);
    live.begin(
        scenario.name,
        &workload,
        watch::control(&args.watch, pid, 0),
    )?;
    // On a busy machine a thread may still be on its way to sleep, and what it waited for
    // a CPU until then would be counted with what comes.
    for _ in 0..1_000 {
        if process::is_asleep(pid) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Before the first of the readings, and read after the last: nothing that they count
    // lies outside.
    let since = std::time::Instant::now();
    let counted = readings::counts(pid, disk.as_deref());
    let refaults = machine::refaults();
    line.set_message(format!("{}: {}", scenario.name, scenario.summary));
    let stopper = reader.stopper();
    reader.go()?;
    let mut waiting = tokio::task::spawn_blocking(move || {
        let done = reader.wait_done();
        (reader, done)
    });
    let mut tick = tokio::time::interval(TICK);
    let mut stopped = false;
    let (reader, done) = loop {
        tokio::select! {
            _ = tick.tick() => live.tick()?,
            () = interrupt.wait(), if !stopped => {
                stopped = true;
                stopper.stop();
            }
            ended = &mut waiting => break ended.context("the reader's keeper has died")?,
        }
    };
    let done = done?;
    // Only then the others' counters: they have to count all that was seen.
    live.stop()?;
    let mut after = readings::counts(pid, disk.as_deref());
    let elapsed = since.elapsed();
    let requests = live.counted_since_begin()?.requests;
    after.requests = Some(requests.iter().sum());
    after.refaults = machine::refaults();
    after.nvcsw = Some(done.voluntary_switches);
    after.nivcsw = Some(done.involuntary_switches);
    let now = residency(subject.file())?;
    let (ops, pages_used) = readings::ops(&reader.ops(), subject.size());
    let residency = Residency {
        resident_before: before.resident,
        resident_after: now.resident,
        pages: before.total,
        evicted: now
            .evicted
            .zip(before.evicted)
            .map(|(now, before)| now.saturating_sub(before)),
    };
    workload.witnessed = Some(residency);
    let readings = Readings {
        before: Counts {
            requests: Some(0),
            nvcsw: Some(0),
            nivcsw: Some(0),
            refaults,
            ..counted
        },
        after,
        ops: Some(ops),
        residency: Some(residency),
        pages_used: Some(pages_used),
        elapsed_ns: u64::try_from(elapsed.as_nanos()).ok(),
    };
    live.end(Some(done.wall_ns), workload, readings)?;
    reader.finish()?;
    line.finish_and_clear();
    Ok(())
}

fn workload(scenario: &Scenario, spec: &Spec, subject: &Subject, args: &BenchArgs) -> Workload {
    let place = subject.place();
    let disk = place.device.as_ref().map(|device| device.disk.as_str());
    Workload {
        style: scenario.style.name().into(),
        pattern: Some(scenario.pattern.name().into()),
        advice: Some(scenario.advice.name().into()),
        state: Some(scenario.state.name().into()),
        block_size: Some(spec.block_size.into()),
        threads: Some(spec.threads),
        reads: Some(spec.reads),
        path: Some(label(subject, args)),
        file_size: Some(subject.size()),
        filesystem: Some(place.filesystem.clone()),
        device: place.device.as_ref().map(|device| device.name.clone()),
        read_ahead_kb: place.read_ahead_kb,
        iostats: disk.and_then(disk::keeps_accounts),
        scheduler: disk.and_then(disk::scheduler),
        witnessed: None,
    }
}
