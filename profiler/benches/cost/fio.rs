//! The same with fio, a program that many know: it is started anew for each time, because it
//! measures nothing while it waits for orders. Only what can watch a command from its start, or
//! the whole machine, is held against it.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use profiler::lab::stats::Pair;
use serde_json::Value;

use super::{
    child, command,
    floor::Floor,
    results::{Fio, Results},
    root::Bench,
    step,
    watcher::{self, EVERY_CALL, FLOOR, HISTOGRAM, PROFILER, Watcher},
};

/// Name, and what fio is told of it.
const JOBS: [(&str, &[&str]); 2] = [
    (
        "warm 4 KiB read",
        &["--size=1m", "--pre_read=1", "--invalidate=0"],
    ),
    ("direct random 4 KiB read", &["--direct=1"]),
];

const WATCHERS: [&str; 4] = [FLOOR, PROFILER, EVERY_CALL, HISTOGRAM];

const SAYS: &str = "fio.json";

pub(super) fn measure(
    bench: &Bench<'_>,
    watchers: &[Watcher],
    results: &mut Results,
) -> Result<()> {
    let Some(fio) = watcher::fio() else {
        results.note("fio is not here".to_owned());
        return Ok(());
    };
    if bench.args.quick {
        return Ok(());
    }
    let watchers = watchers
        .iter()
        .filter(|it| WATCHERS.contains(&it.name.as_str()));
    let watchers = watchers.collect::<Vec<_>>();
    for watcher in &watchers {
        results.fio.extend(JOBS.map(|(job, _)| Fio {
            watcher: watcher.name.clone(),
            job: job.to_owned(),
            pairs: Vec::new(),
        }));
    }
    let rounds = bench.args.rounds.div_ceil(2);
    for round in 0..rounds {
        step(&format!("fio, round {} of {rounds}", round + 1));
        for (at, watcher) in watchers.iter().enumerate() {
            for (job, (_, words)) in JOBS.iter().enumerate() {
                let command = words_of(bench, &fio, words);
                let measured = || -> Result<Pair> {
                    if (round + at) % 2 == 0 {
                        let with = with(bench, watcher, &command)?;
                        let without = run(bench, &command)?;
                        return Ok(Pair { without, with });
                    }
                    let without = run(bench, &command)?;
                    let with = with(bench, watcher, &command)?;
                    Ok(Pair { without, with })
                };
                match measured() {
                    Ok(pair) => results.fio[at * JOBS.len() + job].pairs.push(pair),
                    Err(error) => results.note(format!("fio with {}: {error:#}", watcher.name)),
                }
            }
        }
    }
    Ok(())
}

fn words_of(bench: &Bench<'_>, fio: &Path, job: &[&str]) -> Vec<String> {
    let mut words = vec![
        fio.display().to_string(),
        "--name=job".to_owned(),
        "--readonly".to_owned(),
        "--rw=randread".to_owned(),
        "--bs=4k".to_owned(),
        "--ioengine=psync".to_owned(),
        "--thread".to_owned(),
        "--time_based".to_owned(),
        "--runtime=500ms".to_owned(),
        "--norandommap".to_owned(),
        "--output-format=json".to_owned(),
        format!("--filename={}", bench.file.display()),
        format!("--cpus_allowed={}", bench.cpu),
        format!("--output={}", bench.args.folder.join(SAYS).display()),
    ];
    words.extend(job.iter().map(|&word| word.to_owned()));
    words
}

/// Nanoseconds a read took, by fio's own count of them.
fn run(bench: &Bench<'_>, words: &[String]) -> Result<f64> {
    let (program, words) = words.split_first().context("no command")?;
    command::output(child::bound(Command::new(program).args(words)))?;
    let path = bench.args.folder.join(SAYS);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    ns_per_read(&text)
}

fn ns_per_read(text: &str) -> Result<f64> {
    // Before the JSON, fio may say something in words.
    let from = text.find('{').context("fio wrote no JSON")?;
    let report: Value = serde_json::from_str(&text[from..])?;
    let rate = report["jobs"][0]["read"]["iops"].as_f64();
    let rate = rate.filter(|&rate| rate > 0.0);
    Ok(1e9 / rate.context("fio says no rate")?)
}

fn with(bench: &Bench<'_>, watcher: &Watcher, command: &[String]) -> Result<f64> {
    match watcher.words.as_slice() {
        [] => {
            let _floor = Floor::new(false)?;
            run(bench, command)
        }
        [profiler, ..] if watcher.name != HISTOGRAM => {
            let mut words = vec![profiler.clone(), "run".to_owned()];
            if watcher.name == EVERY_CALL {
                words.push("--every-call".to_owned());
            }
            words.push("--".to_owned());
            words.extend_from_slice(command);
            run(bench, &words)
        }
        words => {
            // Of a command that is not yet there: by its name.
            let by_name = |word: &String| word.replace("pid == PID", "comm == \"fio\"");
            let words = words.iter().map(by_name).collect::<Vec<_>>();
            let folder = &bench.args.folder;
            let watching = child::watch(watcher, &words, bench.watched.pid(), folder)?;
            std::thread::sleep(Duration::from_millis(1));
            let elapsed = run(bench, command);
            watching.stop(watcher.seen, folder)?;
            elapsed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_behind_words() {
        let text = "fio: a note\n{\"jobs\": [{\"read\": {\"iops\": 2000.0}}]}";
        assert_eq!(ns_per_read(text).unwrap(), 500_000.0);
        assert!(ns_per_read("{\"jobs\": []}").is_err());
        assert!(ns_per_read("nothing").is_err());
    }
}
