//! Rounds of slices, with a watcher and without in turn.

use std::time::Duration;

use anyhow::Result;
use profiler::lab::stats::Pair;

use super::{
    child::{self, Watching},
    mode::Mode,
    program::Elapsed,
    results::{Measured, Results},
    root::Bench,
    step,
    watcher::{CAUSES, EVERY_CALL, FLOOR, HISTOGRAM, PROFILER, Watcher},
};

/// How long the small things are done, and those at the disk: what a disk takes varies more.
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_millis(150);

/// One thing, done for a while.
#[derive(Clone, Copy)]
struct Slice {
    mode: Mode,
    /// By the process that is watched, or by the other one.
    watched: bool,
    length: Duration,
}

impl Slice {
    /// What is measured with a watcher: the throughput only with what one would compare.
    fn all(watcher: &Watcher, quick: bool) -> Vec<Self> {
        let watched = |mode| Self {
            mode,
            watched: true,
            length: if mode == Mode::Warm { SHORT } else { LONG },
        };
        let other = |mode| Self {
            mode,
            watched: false,
            length: SHORT,
        };
        let mut slices = vec![watched(Mode::Warm)];
        if quick {
            slices.extend([Mode::Random1, Mode::DirectRandom1].map(watched));
        } else if [FLOOR, PROFILER, EVERY_CALL, HISTOGRAM, CAUSES].contains(&watcher.name.as_str())
        {
            slices.extend(Mode::rates().map(watched));
        }
        slices.extend([Mode::Syscall, Mode::Switch, Mode::DirectRandom1].map(other));
        slices
    }

    fn run(self, bench: &mut Bench<'_>) -> Result<Elapsed> {
        let program = if self.watched {
            &mut bench.watched
        } else {
            &mut bench.other
        };
        program.run(self.mode, self.length)
    }
}

pub(super) fn measure(
    bench: &mut Bench<'_>,
    watchers: &[Watcher],
    results: &mut Results,
) -> Result<()> {
    let quick = bench.args.quick;
    let mut places = Vec::new();
    for watcher in watchers {
        places.push(results.measured.len());
        let measured = Slice::all(watcher, quick)
            .into_iter()
            .map(|slice| Measured {
                watcher: watcher.name.clone(),
                mode: slice.mode,
                watched: slice.watched,
                pairs: Vec::new(),
                on_cpu: Vec::new(),
            });
        results.measured.extend(measured);
    }
    // Each slice once for nothing, as the first of a kind pays for what is loaded and grown.
    if let Some(watcher) = watchers.first() {
        run(bench, &Slice::all(watcher, quick))?;
    }
    for round in 0..bench.args.rounds {
        step(&format!("round {} of {}", round + 1, bench.args.rounds));
        for (at, watcher) in watchers.iter().enumerate() {
            let slices = Slice::all(watcher, quick);
            match pairs(bench, watcher, &slices, (round + at) % 2 == 0, results) {
                Ok(pairs) => {
                    let measured = &mut results.measured[places[at]..];
                    for (measured, (pair, on_cpu)) in measured.iter_mut().zip(pairs) {
                        measured.pairs.push(pair);
                        measured.on_cpu.push(on_cpu);
                    }
                }
                Err(error) => results.note(format!("a round of {}: {error:#}", watcher.name)),
            }
        }
    }
    Ok(())
}

/// One round: the order changes with the rounds, so that what comes second is not always the same.
fn pairs(
    bench: &mut Bench<'_>,
    watcher: &Watcher,
    slices: &[Slice],
    watched_first: bool,
    results: &mut Results,
) -> Result<Vec<(Pair, Pair)>> {
    let (with, without);
    if watched_first {
        with = with_watcher(bench, watcher, slices, results)?;
        without = run(bench, slices)?;
    } else {
        without = run(bench, slices)?;
        with = with_watcher(bench, watcher, slices, results)?;
    }
    let pairs = without.into_iter().zip(with).map(|(without, with)| {
        let pair = |of: fn(&Elapsed) -> f64| Pair {
            without: of(&without),
            with: of(&with),
        };
        (pair(|elapsed| elapsed.ns), pair(|elapsed| elapsed.cpu_ns))
    });
    Ok(pairs.collect())
}

fn with_watcher(
    bench: &mut Bench<'_>,
    watcher: &Watcher,
    slices: &[Slice],
    results: &mut Results,
) -> Result<Vec<Elapsed>> {
    let pid = bench.watched.pid();
    let folder = &bench.args.folder;
    let watching = child::watch(watcher, &watcher.of(pid), pid, folder)?;
    let after = watching.after();
    let elapsed = run(bench, slices);
    Watching::stop(watching, watcher.seen, &bench.args.folder)?;
    let tool = results
        .tools
        .iter_mut()
        .find(|tool| tool.name == watcher.name);
    if let (Some(tool), Some(after)) = (tool, after) {
        tool.seconds.push(after.as_secs_f64());
    }
    elapsed
}

fn run(bench: &mut Bench<'_>, slices: &[Slice]) -> Result<Vec<Elapsed>> {
    slices.iter().map(|slice| slice.run(bench)).collect()
}
