//! What the numbers prove.

use anstyle::{AnsiColor, Style};

use super::page::{Page, Piece, dim, plain};
use crate::report::v1::{Report, Severity};

/// Where the words begin: after `problem  `.
const HANG: usize = 9;

pub(super) fn write(page: &mut Page, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    page.blank();
    for finding in &report.findings {
        let (word, colour) = match finding.severity {
            Severity::Info => ("info", AnsiColor::Cyan),
            Severity::Warning => ("warning", AnsiColor::Yellow),
            Severity::Problem => ("problem", AnsiColor::Red),
        };
        let style = Style::new().fg_color(Some(colour.into())).bold();
        page.paragraph(&[Piece::new(word, style)], HANG, &[plain(&finding.summary)]);
        if !finding.evidence.is_empty() {
            page.paragraph(&[], HANG, &[dim(&finding.evidence)]);
        }
        if !finding.advice.is_empty() {
            page.paragraph(&[], HANG, &[plain("→ "), plain(&finding.advice)]);
        }
    }
}
