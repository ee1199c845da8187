//! What the numbers prove, in words: one function a rule, and a table of rules.

mod compare;
#[cfg(test)]
mod tests;
mod trust;
mod waits;

use super::units::percent;
use super::v1::{Finding, Report, Scenario, Severity};

/// What a rule has to say; the table gives it its id.
struct Said {
    severity: Severity,
    summary: String,
    evidence: String,
    advice: String,
}

type Rule = fn(&Report) -> Vec<Said>;

/// Every rule, by the id of its findings. Of findings that matter equally, those of
/// earlier rules are shown first.
const RULES: &[(&str, Rule)] = &[
    ("missed-calls", trust::missed_calls),
    ("lost-facts", trust::lost_facts),
    ("malformed-records", trust::malformed_records),
    ("odd-facts", trust::odd_facts),
    ("unseen-threads", trust::unseen_threads),
    ("witness-disagrees", trust::witness_disagrees),
    ("state-not-met", trust::state_not_met),
    ("skipped-probes", trust::skipped_probes),
    ("unexplained", trust::unexplained),
    ("hook-missing", trust::hook_missing),
    ("iostats-off", trust::iostats_off),
    ("open-calls", trust::open_calls),
    ("throttled", waits::throttled),
    ("reclaim", waits::reclaim),
    ("queue-over-device", waits::queue_over_device),
    ("runqueue-delay", waits::runqueue_delay),
    ("lock-contention", waits::lock_contention),
    ("foreign-requests", waits::foreign_requests),
    ("metadata-reads", waits::metadata_reads),
    ("readahead-late", waits::readahead_late),
    ("cold-read", compare::cold_read),
    ("readahead-gain", compare::readahead_gain),
    ("readahead-window", compare::readahead_window),
    ("page-cache-cost", compare::page_cache_cost),
    ("small-direct", compare::small_direct),
    ("probe-cost", trust::probe_cost),
];

/// What the numbers of a report prove, what matters most first.
pub fn findings(report: &Report) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (id, rule) in RULES {
        findings.extend(rule(report).into_iter().map(|said| Finding {
            id: (*id).to_owned(),
            severity: said.severity,
            summary: said.summary,
            evidence: said.evidence,
            advice: said.advice,
        }));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// `part / whole`; 0 if there is no whole.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// The scenarios in which a share is at least `least`, in the report's order.
fn reaching(
    report: &Report,
    least: f64,
    of: impl Fn(&Scenario) -> Option<f64>,
) -> Vec<(&Scenario, f64)> {
    let shares = report
        .scenarios
        .iter()
        .filter_map(|scenario| Some((scenario, of(scenario)?)));
    shares.filter(|(_, share)| *share >= least).collect()
}

/// `cold-random 12.3%, mapped 4.0%`; without names if there is but one scenario.
fn shares_of(report: &Report, scenarios: &[(&Scenario, f64)]) -> String {
    let words = scenarios
        .iter()
        .map(|(scenario, share)| match report.scenarios.len() {
            1 => percent(*share),
            _ => format!("{} {}", scenario.name, percent(*share)),
        });
    words.collect::<Vec<_>>().join(", ")
}

/// One finding about the scenarios in which a share is at least `least`, or none.
fn about_shares(
    report: &Report,
    scenarios: &[(&Scenario, f64)],
    severity: Severity,
    summary: impl Into<String>,
    of_what: &str,
    advice: impl Into<String>,
) -> Vec<Said> {
    if scenarios.is_empty() {
        return Vec::new();
    }
    let evidence = format!("{of_what}: {}", shares_of(report, scenarios));
    vec![Said {
        severity,
        summary: summary.into(),
        evidence,
        advice: advice.into(),
    }]
}
