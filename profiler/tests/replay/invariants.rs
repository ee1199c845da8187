//! What is true of every report that is shown without a word of doubt, whatever it was
//! made from. Written down here a second time, not taken from the program.

use std::sync::OnceLock;

use jsonschema::Validator;
use profiler::report::v1::{Blame, Report, Scenario};

use crate::frames::as_json;

/// Sums in reports stop at the largest number there is.
fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    let sum: u128 = numbers.map(u128::from).sum();
    u64::try_from(sum).unwrap_or(u64::MAX)
}

fn total(blame: &Blame<u64>) -> u64 {
    sum(blame.iter().filter_map(|(_, ns)| ns))
}

/// Blame adds up to durations, and outcomes to calls.
#[track_caller]
pub(crate) fn adds_up(report: &Report) {
    report.scenarios.iter().for_each(scenario_adds_up);
    let quality = &report.quality;
    let scenarios = || report.scenarios.iter();
    let blocked = sum(scenarios().map(|scenario| scenario.blocked_ns));
    assert_eq!(blocked, quality.blocked_ns, "blocked");
    let incomplete = sum(scenarios().map(|scenario| scenario.incomplete_calls));
    assert_eq!(incomplete, quality.incomplete_calls, "incomplete");
}

#[track_caller]
fn scenario_adds_up(scenario: &Scenario) {
    let blame = total(&scenario.blame_ns);
    assert_eq!(blame, scenario.duration_ns, "blame of a scenario");
    let outcomes = || scenario.outcomes.iter().map(|(_, sum)| sum);
    let calls = sum(outcomes().map(|sum| sum.calls));
    assert_eq!(calls, scenario.calls, "outcomes");
    let ns = sum(outcomes().map(|sum| sum.duration_ns));
    let all = sum([scenario.duration_ns, scenario.incomplete_ns].into_iter());
    assert_eq!(ns, all, "time by outcome");
    assert!(scenario.blocked_ns <= scenario.duration_ns, "blocked");
    assert!(scenario.incomplete_calls <= scenario.calls, "incomplete");
    for call in &scenario.slowest {
        assert_eq!(total(&call.blame_ns), call.latency_ns, "blame of a call");
        let parts = sum(call.parts.iter().map(|part| part.ns));
        assert_eq!(parts, call.latency_ns, "parts of a call");
        let spans = sum(call.timeline.iter().map(|span| span.ns));
        if call.timeline_omitted == 0 {
            assert_eq!(spans, call.latency_ns, "timeline of a call");
        } else {
            assert!(spans <= call.latency_ns, "timeline of a call");
        }
    }
}

/// It is what its schema says.
#[track_caller]
pub(crate) fn fits_its_schema(report: &Report) {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let schema = || jsonschema::validator_for(&profiler::report::schema()).unwrap();
    let json = serde_json::from_str(&as_json(report)).unwrap();
    if let Err(error) = VALIDATOR.get_or_init(schema).validate(&json) {
        panic!("{error} at {}", error.instance_path());
    }
}
