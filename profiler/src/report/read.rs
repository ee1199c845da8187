//! A report from its JSON, and whether it can be believed.

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;

use super::{
    sums::sum,
    v1::{Report, RequestWords, SCHEMA, Scenario, SlowCall, Wait, Word},
};
use crate::blame::Cause;

/// Shares are written with so many digits that they are off by less.
const ROUNDING: f64 = 1e-6;

/// Reads a report. One that contradicts itself is read too, and says so in a note: it
/// was damaged or written by hand.
///
/// # Errors
///
/// It is no JSON, no report, of another version, or lacks what every report has.
pub fn read(text: &[u8]) -> Result<Report> {
    #[derive(Deserialize)]
    struct Version {
        schema: Option<String>,
    }
    let version: Version = serde_json::from_slice(text).map_err(|error| {
        if error.is_eof() && text.trim_ascii_start().starts_with(b"{") {
            return anyhow!(
                "it is a report (JSON) cut short: it ends at line {}",
                error.line()
            );
        }
        anyhow!(error).context("it is neither a report (JSON) nor a recording of this program")
    })?;
    match version.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(other) => bail!("it has the schema {other:?}; this program reads {SCHEMA:?}"),
        None => bail!("it is JSON, but no report: it has no \"schema\""),
    }
    let mut report: Report = serde_json::from_slice(text).context("it is a damaged report")?;
    if let Some(note) = contradiction(&report)
        && !report.quality.notes.contains(&note)
    {
        report.quality.notes.push(note);
    }
    Ok(report)
}

/// What is not as it is in every report that this program makes, in one sentence.
fn contradiction(report: &Report) -> Option<String> {
    let mut found: Vec<String> = Vec::new();
    for scenario in &report.scenarios {
        let wrong = of_scenario(scenario).into_iter();
        found.extend(wrong.map(|what| format!("{} of scenario {:?}", what, scenario.name)));
    }
    let quality = &report.quality;
    let scenarios = || report.scenarios.iter();
    let unexplained = scenarios().map(|scenario| scenario.blame_ns.or_zero(Cause::Unexplained));
    let totals = [
        (
            "blocked time",
            quality.blocked_ns,
            sum(scenarios().map(|scenario| scenario.blocked_ns)),
        ),
        ("unexplained time", quality.unexplained_ns, sum(unexplained)),
        (
            "the number of incomplete calls",
            quality.incomplete_calls,
            sum(scenarios().map(|scenario| scenario.incomplete_calls)),
        ),
    ];
    let wrong = totals.iter().filter(|(_, all, parts)| all != parts);
    found.extend(wrong.map(|(what, ..)| format!("{what} of all scenarios")));
    let by_hook = &quality.recursion_misses_by_hook;
    let skipped = sum(by_hook.iter().map(|hook| hook.misses));
    if !by_hook.is_empty() && quality.recursion_misses != Some(skipped) {
        found.push("the number of skipped probes by hook".into());
    }
    let first = found.first()?;
    let more = match found.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    Some(format!(
        "the report contradicts itself; it was damaged or changed, or is a newer program's: \
         {first} does not fit{more}"
    ))
}

fn of_scenario(scenario: &Scenario) -> Vec<&'static str> {
    let outcomes = || scenario.outcomes.iter().map(|(_, sum)| sum);
    let in_calls = sum([scenario.duration_ns, scenario.incomplete_ns]);
    let share = |ns: u64| match scenario.duration_ns {
        0 => 0.0,
        all => ns as f64 / all as f64,
    };
    let is = |share: f64, ours: f64| (share - ours).abs() <= ROUNDING;
    let shares = |cause: &Cause| {
        let ns = scenario.blame_ns.get(*cause);
        match (ns, scenario.blame_share.get(*cause)) {
            (Some(ns), Some(known)) => is(known, share(ns)),
            (None, None) => true,
            _ => false,
        }
    };
    let latency = scenario.latency_ns.as_ref();
    let rises = latency.is_none_or(|it| {
        [it.min, it.p50, it.p90, it.p99, it.p999, it.max].is_sorted()
            && it.histogram.is_sorted_by(|a, b| a.le < b.le)
    });
    let slowest = &scenario.slowest;
    let missed = scenario.missed_calls;
    let fits = [
        ("blame", scenario.blame_ns.total() == scenario.duration_ns),
        (
            "the number of outcomes",
            sum(outcomes().map(|sum| sum.calls)) == scenario.calls,
        ),
        (
            "the time of outcomes",
            sum(outcomes().map(|sum| sum.duration_ns)) == in_calls,
        ),
        (
            "blocked time",
            scenario.blocked_ns <= scenario.duration_ns
                && is(scenario.blocked_share, share(scenario.blocked_ns)),
        ),
        (
            "the number of missed calls",
            sum([missed.begins, missed.ends, missed.whole]) == missed.total,
        ),
        (
            "a number of calls",
            scenario.blocked_calls.max(scenario.incomplete_calls) <= scenario.calls,
        ),
        ("a share", Cause::ALL.iter().all(shares)),
        ("the latency", rises),
        (
            "the order of the slowest calls",
            slowest.is_sorted_by(|a, b| a.latency_ns >= b.latency_ns),
        ),
        ("one of the slowest calls", slowest.iter().all(call_fits)),
        ("a wait", scenario.waits.iter().all(wait_fits)),
    ];
    let wrong = fits.into_iter().filter(|(_, fits)| !fits);
    wrong.map(|(what, _)| what).collect()
}

fn wait_fits(wait: &Wait) -> bool {
    let request = wait.request.as_ref();
    wait.max_ns <= wait.ns && wait.cause.is_known() && request.is_none_or(RequestWords::is_known)
}

fn call_fits(call: &SlowCall) -> bool {
    let timeline = sum(call.timeline.iter().map(|span| span.ns));
    let causes = call.timeline.iter().map(|span| &span.cause);
    let mut causes = causes.chain(call.parts.iter().map(|part| &part.cause));
    call.blame_ns.total() == call.latency_ns
        && sum(call.parts.iter().map(|part| part.ns)) == call.latency_ns
        && (timeline == call.latency_ns || call.timeline_omitted > 0 && timeline < call.latency_ns)
        && causes.all(Word::is_known)
        && call.outcome.is_known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::v1::HookMisses;

    const GOLDEN: &str = include_str!("../../tests/recordings/cold-random.json");

    fn changed(change: impl FnOnce(&mut Report)) -> Vec<String> {
        let mut report = read(GOLDEN.as_bytes()).unwrap();
        assert_eq!(report.quality.notes, [""; 0]);
        change(&mut report);
        let text = serde_json::to_vec(&report).unwrap();
        read(&text).unwrap().quality.notes
    }

    #[test]
    fn what_was_changed_is_noticed() {
        type Change = fn(&mut Report);
        let changes: [(&str, Change); 11] = [
            ("number of missed calls", |r| {
                r.scenarios[0].missed_calls.total = 1;
            }),
            ("blame of", |r| {
                let blame = &mut r.scenarios[0].blame_ns;
                blame.set(Cause::Cpu, blame.get(Cause::Cpu).map(|ns| ns + 1));
            }),
            ("number of outcomes", |r| {
                r.scenarios[0].outcomes.hit.calls += 1
            }),
            ("time of outcomes", |r| {
                r.scenarios[0].outcomes.miss.duration_ns -= 1
            }),
            ("share", |r| {
                r.scenarios[0].blame_share.set(Cause::Peer, Some(0.5))
            }),
            ("latency", |r| {
                if let Some(latency) = &mut r.scenarios[0].latency_ns {
                    latency.p99 = latency.max + 1;
                }
            }),
            ("one of the slowest calls", |r| {
                r.scenarios[0].slowest[1].parts[0].ns += 1;
            }),
            ("one of the slowest calls", |r| {
                r.scenarios[0].slowest[0].timeline[0].cause = Word::from_text("x");
            }),
            // One flipped bit.
            ("a wait", |r| {
                let mut waits = r.scenarios[0].waits.iter_mut();
                if let Some(request) = waits.find_map(|wait| wait.request.as_mut()) {
                    request.owner = Word::from_text("Call");
                }
            }),
            ("skipped probes by hook", |r| {
                r.quality.recursion_misses_by_hook = vec![HookMisses {
                    misses: 1,
                    ..HookMisses::default()
                }];
            }),
            ("incomplete calls of all", |r| {
                r.quality.incomplete_calls = 1
            }),
        ];
        for (word, change) in changes {
            let notes = changed(change);
            assert_eq!(notes.len(), 1, "{word}: {notes:?}");
            assert!(notes[0].contains("contradicts itself"), "{notes:?}");
            assert!(notes[0].contains(word), "{word}: {notes:?}");
        }
    }

    #[test]
    fn a_note_is_not_made_twice() {
        let notes = changed(|report| {
            report.scenarios[0].calls += 1;
            report.quality.notes = changed(|report| report.scenarios[0].calls += 1);
        });
        assert_eq!(notes.len(), 1, "{notes:?}");
    }
}
