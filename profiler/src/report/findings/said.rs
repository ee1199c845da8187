//! What rules have to say, and how they say it of several scenarios.

use super::super::units::percent;
use super::super::v1::{Report, Scenario, Severity};

/// What a rule has to say; the table gives it its id.
pub(super) struct Said {
    pub(super) severity: Severity,
    pub(super) summary: String,
    pub(super) evidence: String,
    pub(super) advice: String,
}

/// `part / whole`; 0 if there is no whole.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// The scenarios in which a share is at least `least`, in the report's order.
pub(super) fn reaching(
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
pub(super) fn shares_of(report: &Report, scenarios: &[(&Scenario, f64)]) -> String {
    let words = scenarios
        .iter()
        .map(|(scenario, share)| match report.scenarios.len() {
            1 => percent(*share),
            _ => format!("{} {}", scenario.name, percent(*share)),
        });
    words.collect::<Vec<_>>().join(", ")
}

/// One finding about the scenarios in which a share is at least `least`, or none.
pub(super) fn about_shares(
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
