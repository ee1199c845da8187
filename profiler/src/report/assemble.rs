//! The parts of a report → the report.

use super::findings;
use super::v1::{Host, Quality, Report, SCHEMA, Scenario, Session, Tool};

/// Puts a report together, with what its numbers prove.
pub fn assemble(
    tool: Tool,
    host: Host,
    session: Session,
    scenarios: Vec<Scenario>,
    quality: Quality,
) -> Report {
    let schema = SCHEMA.to_owned();
    let findings = Vec::new();
    let mut report = Report {
        schema,
        tool,
        host,
        session,
        scenarios,
        quality,
        findings,
    };
    report.findings = findings::findings(&report);
    report
}
