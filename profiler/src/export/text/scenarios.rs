//! One line a scenario, and what the page cache did.

use super::page::{Align, Cell, GAP, Page, Piece, bold, dim, plain, start, widths};
use super::palette::mark;
use crate::blame::Cause;
use crate::report::units::{count, counted, mebibytes, percent, time};
use crate::report::v1::{Report, Scenario};

/// Columns of a scenario's name at most; of the only one's less, since the header has it.
const NAME: usize = 24;
const ONLY_NAME: usize = 16;
/// Columns of the bar, at least and at most.
const BAR: std::ops::RangeInclusive<usize> = 8..=40;

/// A scenario's name, as long as there is room for.
pub(super) fn name(report: &Report, scenario: &Scenario) -> Piece {
    bold(start(
        &scenario.name,
        if report.scenarios.len() == 1 {
            ONLY_NAME
        } else {
            NAME
        },
    ))
}

/// The table. Says whether there was room for its bars.
pub(super) fn write(page: &mut Page, report: &Report) -> bool {
    let head = ["scenario", "calls", "p50", "p99", "max", "MiB/s", "blocked"];
    let mut rows: Vec<Vec<Cell>> = vec![head.iter().map(|word| vec![dim(word)]).collect()];
    rows.extend(
        report
            .scenarios
            .iter()
            .map(|scenario| row(report, scenario)),
    );

    let used: usize = widths(&rows).iter().map(|width| width + GAP).sum();
    let room = page.width().saturating_sub(used).min(*BAR.end());
    if BAR.contains(&room) {
        let colour = page.colour();
        for (row, scenario) in rows.iter_mut().skip(1).zip(&report.scenarios) {
            row.push(bar(scenario, room, colour));
        }
        if let Some(head) = rows.first_mut() {
            head.push(vec![dim(if room < 13 {
                "causes"
            } else {
                "where it went"
            })]);
        }
    }
    page.blank();
    let mut columns = vec![Align::Left];
    columns.extend([Align::Right; 6]);
    columns.push(Align::Left);
    page.grid(&columns, &rows);
    BAR.contains(&room)
}

fn row(report: &Report, scenario: &Scenario) -> Vec<Cell> {
    let latency = scenario.latency_ns.as_ref();
    let times = [
        latency.map(|l| l.p50),
        latency.map(|l| l.p99),
        latency.map(|l| l.max),
    ];
    let mut row = vec![
        vec![name(report, scenario)],
        vec![plain(count(scenario.calls))],
    ];
    row.extend(times.map(|ns| vec![ns.map_or_else(|| dim("-"), |ns| plain(time(ns)))]));
    let rate = scenario.throughput_bytes_per_s;
    row.push(vec![
        rate.map_or_else(|| dim("-"), |rate| plain(mebibytes(rate))),
    ]);
    row.push(vec![plain(percent(scenario.blocked_share))]);
    row
}

/// A bar of `room` marks, shared out by largest remainder.
fn bar(scenario: &Scenario, room: usize, colour: bool) -> Cell {
    let shares: Vec<(Cause, f64)> = scenario
        .blame_share
        .iter()
        .map(|(cause, share)| (cause, share.unwrap_or(0.0)))
        .collect();
    if scenario.duration_ns == 0 {
        return Vec::new();
    }
    // A report from somebody else may claim shares of more than all.
    let exact = |share: f64| share.clamp(0.0, 1.0) * room as f64;
    let mut marks: Vec<usize> = shares
        .iter()
        .map(|(_, share)| exact(*share) as usize)
        .collect();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by(|&a, &b| {
        exact(shares[b].1)
            .fract()
            .total_cmp(&exact(shares[a].1).fract())
    });
    let missing = room.saturating_sub(marks.iter().sum());
    for index in by_remainder.into_iter().take(missing) {
        marks[index] += 1;
    }
    let cells = shares.iter().zip(marks).filter(|(_, marks)| *marks > 0);
    cells
        .map(|((cause, _), marks)| {
            let (letter, style) = mark(*cause);
            let letter = if colour { '█' } else { letter };
            Piece::new(letter.to_string().repeat(marks), style)
        })
        .collect()
}

/// What the page cache did: the calls of each scenario by outcome.
pub(super) fn outcomes(page: &mut Page, report: &Report) {
    let alone = report.scenarios.len() == 1;
    let mut body = Vec::new();
    for scenario in report
        .scenarios
        .iter()
        .filter(|scenario| scenario.calls > 0)
    {
        let seen = scenario.outcomes.iter().filter(|(_, sum)| sum.calls > 0);
        let words: Vec<String> = seen
            .map(
                |(outcome, sum)| match (alone, sum.calls == scenario.calls) {
                    (true, _) => {
                        format!("{} {outcome} ({})", count(sum.calls), time(sum.duration_ns))
                    }
                    (false, true) => format!("all {outcome}"),
                    (false, false) => format!("{} {outcome}", count(sum.calls)),
                },
            )
            .collect();
        if !body.is_empty() {
            body.push(plain("; "));
        }
        if !alone {
            body.push(name(report, scenario));
            body.push(plain(" "));
        }
        body.push(plain(words.join(", ")));
        if scenario.incomplete_calls > 0 {
            let incomplete = counted(scenario.incomplete_calls, "call", "calls");
            body.push(plain(format!(
                ", of which {incomplete} incomplete and not in the shares"
            )));
        }
    }
    if !body.is_empty() {
        page.blank();
        page.paragraph(&[dim("outcomes")], super::trust::LABEL, &body);
    }
}
