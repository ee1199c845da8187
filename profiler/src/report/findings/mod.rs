//! What the numbers prove, in words: one function a rule, and a table of rules.

mod compare;
mod said;
#[cfg(test)]
mod tests;
mod trust;
mod waits;

use super::v1::{Finding, Report};
use said::Said;

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
    ("unnamed-stacks", trust::unnamed_stacks),
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
