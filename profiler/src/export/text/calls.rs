//! The slowest calls, with their timelines in words.

use std::collections::HashSet;

use super::page::{Page, Piece, dim, plain, tail};
use super::palette::look;
use super::scenarios::name;
use crate::report::units::{parts, round_size, size, time};
use crate::report::v1::{CallKind, Report, Scenario, SlowCall};

/// Calls shown of each scenario if there are several.
const OF_EACH: usize = 1;
/// Columns of a path at most.
const PATH: usize = 40;
/// Where the words begin: after `  2.31 ms  `.
const HANG: usize = 12;

pub(super) fn write(page: &mut Page, report: &Report) {
    let alone = report.scenarios.len() == 1;
    if report
        .scenarios
        .iter()
        .all(|scenario| scenario.slowest.is_empty())
    {
        return;
    }
    page.blank();
    page.line(&[dim(if alone {
        "slowest calls"
    } else {
        "slowest call of each scenario"
    })]);
    for scenario in &report.scenarios {
        let shown = if alone {
            scenario.slowest.len()
        } else {
            OF_EACH
        };
        for call in scenario.slowest.iter().take(shown) {
            let label = format!("{:>10}  ", time(call.latency_ns));
            let mut body = Vec::new();
            if !alone {
                body.push(name(report, scenario));
                body.push(plain(", "));
            }
            body.push(plain(what(call, scenario)));
            body.extend(where_it_went(call));
            page.paragraph(&[plain(label)], HANG, &body);
        }
    }
}

/// `pread64 4 KiB at 12.0 MiB of data.bin: `
fn what(call: &SlowCall, scenario: &Scenario) -> String {
    let mut words = vec![call.call.to_string()];
    let is_fault = call.call.known().is_some_and(CallKind::is_fault);
    words.extend(call.requested.filter(|_| !is_fault).map(round_size));
    words.extend(call.offset.map(|offset| match offset {
        0 => "at 0".to_owned(),
        _ => format!("at {}", size(offset)),
    }));
    if let Some(path) = call
        .path
        .as_deref()
        .filter(|_| call.path != scenario.workload.path)
    {
        words.push(format!("of {}", tail(path, PATH)));
    }
    if call.returned < 0 {
        words.push(format!(
            "failed with errno {}",
            call.returned.unsigned_abs()
        ));
    }
    if !call.complete {
        words.push("(incomplete)".to_owned());
    }
    format!("{}: ", words.join(" "))
}

/// `1.60 queue on vda behind readahead of pid 4711 (fio), 0.61 device, 0.02 cpu`
fn where_it_went(call: &SlowCall) -> Vec<Piece> {
    let numbers = parts(call.latency_ns, call.parts.iter().map(|part| part.ns));
    let mut pieces = Vec::new();
    let mut told = HashSet::new();
    for (number, part) in numbers.into_iter().zip(&call.parts) {
        let Some(number) = number else { continue };
        if !pieces.is_empty() {
            pieces.push(plain(", "));
        }
        pieces.push(plain(format!("{number} ")));
        pieces.push(Piece::new(part.cause.as_str(), look(&part.cause)));
        // What was said of a request once holds for its other stretches.
        if !part.detail.is_empty() && told.insert(&part.detail) {
            pieces.push(plain(format!(" {}", part.detail)));
        }
    }
    pieces
}
