//! Rounds of slices, with a watcher and without in turn.

use anyhow::Result;

use super::{
    child::{self, Watching},
    mode::Mode,
    results::{Measured, Results},
    root::Bench,
    stats::Pair,
    step,
    watcher::Watcher,
};

/// What is measured: of the process that is watched, or of the other one.
fn slices(quick: bool) -> Vec<(Mode, bool)> {
    let other = [
        (Mode::Syscall, false),
        (Mode::Switch, false),
        (Mode::DirectRandom1, false),
    ];
    let mut slices = vec![(Mode::Warm, true)];
    if quick {
        slices.extend([(Mode::Random1, true), (Mode::DirectRandom1, true)]);
    } else {
        slices.extend(Mode::rates().map(|mode| (mode, true)));
    }
    slices.extend(other);
    slices
}

pub(super) fn measure(
    bench: &mut Bench<'_>,
    watchers: &[Watcher],
    results: &mut Results,
) -> Result<()> {
    let slices = slices(bench.args.quick);
    for watcher in watchers {
        results
            .measured
            .extend(slices.iter().map(|&(mode, watched)| Measured {
                watcher: watcher.name.clone(),
                mode,
                watched,
                pairs: Vec::new(),
            }));
    }
    // Each slice once for nothing, as the first of a kind pays for what is loaded and grown.
    all_slices(bench, &slices)?;
    for round in 0..bench.args.rounds {
        step(&format!("round {} of {}", round + 1, bench.args.rounds));
        for (at, watcher) in watchers.iter().enumerate() {
            match pairs(bench, watcher, &slices, (round + at) % 2 == 0, results) {
                Ok(pairs) => {
                    let measured = &mut results.measured[at * slices.len()..];
                    for (measured, pair) in measured.iter_mut().zip(pairs) {
                        measured.pairs.push(pair);
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
    slices: &[(Mode, bool)],
    watched_first: bool,
    results: &mut Results,
) -> Result<Vec<Pair>> {
    let (with, without);
    if watched_first {
        with = with_watcher(bench, watcher, slices, results)?;
        without = all_slices(bench, slices)?;
    } else {
        without = all_slices(bench, slices)?;
        with = with_watcher(bench, watcher, slices, results)?;
    }
    let pairs = without.into_iter().zip(with);
    Ok(pairs
        .map(|(without, with)| Pair { without, with })
        .collect())
}

fn with_watcher(
    bench: &mut Bench<'_>,
    watcher: &Watcher,
    slices: &[(Mode, bool)],
    results: &mut Results,
) -> Result<Vec<f64>> {
    let pid = bench.watched.pid();
    let folder = &bench.args.folder;
    let watching = child::watch(watcher, &watcher.of(pid), pid, folder)?;
    let after = watching.after();
    let took = all_slices(bench, slices);
    Watching::stop(watching, watcher.seen, &bench.args.folder)?;
    let tool = results
        .tools
        .iter_mut()
        .find(|tool| tool.name == watcher.name);
    if let (Some(tool), Some(after)) = (tool, after) {
        tool.seconds.push(after.as_secs_f64());
    }
    took
}

fn all_slices(bench: &mut Bench<'_>, slices: &[(Mode, bool)]) -> Result<Vec<f64>> {
    let slice = bench.slice;
    let run = |&(mode, watched): &(Mode, bool)| {
        let program = if watched {
            &mut bench.watched
        } else {
            &mut bench.other
        };
        program.run(mode, slice)
    };
    slices.iter().map(run).collect()
}
