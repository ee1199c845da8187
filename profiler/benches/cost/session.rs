//! Whole sessions of the profiler: what they lost, what the collector took, and how much a
//! recording weighs.

use std::{fs, process::Command, time::Duration, time::Instant};

use anyhow::{Context as _, Result};
use profiler::report::v1::Report;

use super::{
    child, command,
    mode::Mode,
    results::{Recording, Results, Session},
    root::Bench,
    step,
    watcher::{EVERY_CALL, PROFILER, Watcher},
};

const REPLAYS: usize = 3;

pub(super) fn measure(
    bench: &mut Bench<'_>,
    watchers: &[Watcher],
    results: &mut Results,
) -> Result<()> {
    let named = |name: &str| watchers.iter().find(|it| it.name == name);
    let long = Duration::from_secs(if bench.args.quick { 4 } else { 60 });
    let direct = Duration::from_secs(if bench.args.quick { 2 } else { 15 });
    if let Some(every) = named(EVERY_CALL) {
        let session = session(bench, every, Mode::Warm, long, &[])?;
        results.sessions.push(session);
    }
    if let Some(usual) = named(PROFILER) {
        let warm = session(bench, usual, Mode::Warm, direct, &[])?;
        let cold = session(bench, usual, Mode::DirectRandom8, direct, &[])?;
        results.sessions.extend([warm, cold]);
    }
    if let Some(every) = named(EVERY_CALL) {
        results.recordings.push(recording(bench, every)?);
    }
    Ok(())
}

fn session(
    bench: &mut Bench<'_>,
    watcher: &Watcher,
    mode: Mode,
    length: Duration,
    more: &[String],
) -> Result<Session> {
    let what = format!("{}, {}, {} s", watcher.name, mode.name(), length.as_secs());
    step(&format!("a session: {what}"));
    let pid = bench.watched.pid();
    let words = [watcher.of(pid), more.to_vec()].concat();
    let watching = child::watch(watcher, &words, pid, &bench.args.folder)?;
    bench.watched.run(mode, length)?;
    let peak_bytes = watching.peak().context("its peak memory")?;
    let printed = watching.stop(watcher.seen, &bench.args.folder)?;
    let report = serde_json::from_str(&printed).context("the report")?;
    of(&report, what, length, peak_bytes).context("the report has not what is needed")
}

fn of(report: &Report, what: String, length: Duration, peak_bytes: u64) -> Option<Session> {
    let quality = &report.quality;
    Some(Session {
        what,
        seconds: length.as_secs_f64(),
        calls: report.scenarios.first()?.calls,
        facts: quality.facts,
        lost: quality.lost,
        cpu_ns: quality.own.cpu_ns?,
        bpf_ns: quality.own.bpf_ns,
        // The report is made after the last look from outside.
        peak_bytes: quality.own.max_rss_bytes?.max(peak_bytes),
    })
}

/// A recording of some million facts, and what replaying it takes.
fn recording(bench: &mut Bench<'_>, every: &Watcher) -> Result<Recording> {
    let path = bench.args.folder.join("recording");
    let more = ["--record".to_owned(), path.display().to_string()];
    let length = Duration::from_secs(if bench.args.quick { 1 } else { 5 });
    let session = session(bench, every, Mode::Warm, length, &more)?;
    let mut seconds = Vec::new();
    for _ in 0..REPLAYS {
        let mut command = Command::new(&bench.args.profiler);
        command.args(["report", "--format=json"]).arg(&path);
        let started = Instant::now();
        command::output(child::bound(&mut command))?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    let bytes = fs::metadata(&path)?.len();
    fs::remove_file(&path)?;
    Ok(Recording {
        // Those that were lost are in no recording.
        facts: session.facts - session.lost,
        bytes,
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_what_its_session_cost() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings/run.json");
        let text = fs::read_to_string(path).unwrap();
        let mut report: Report = serde_json::from_str(&text).unwrap();
        let quality = &mut report.quality;
        (quality.lost, quality.own.cpu_ns) = (1, Some(7));
        quality.own.max_rss_bytes = Some(8);
        let session = of(&report, "w".into(), Duration::from_secs(2), 6).unwrap();
        assert_eq!(session.calls, report.scenarios[0].calls);
        assert_eq!((session.facts, session.lost), (report.quality.facts, 1));
        assert_eq!((session.cpu_ns, session.peak_bytes), (7, 8));
        let nothing = Report {
            scenarios: Vec::new(),
            ..report
        };
        assert!(of(&nothing, "w".into(), Duration::ZERO, 0).is_none());
    }
}
