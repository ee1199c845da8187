//! The legend of the bar, with the exact share of each cause in each scenario.

use super::page::{Align, Cell, GAP, Page, Piece, dim, plain, widths};
use super::palette::mark;
use super::scenarios::name;
use crate::blame::Cause;
use crate::report::units::percent;
use crate::report::v1::Report;

/// Shares that are worth a column.
const VISIBLE: f64 = 0.0005;

pub(super) fn write(page: &mut Page, report: &Report, bars: bool) {
    let timed = || {
        report
            .scenarios
            .iter()
            .filter(|scenario| scenario.duration_ns > 0)
    };
    if timed().next().is_none() {
        return;
    }
    let largest = |cause: Cause| {
        let shares = timed().map(|scenario| scenario.blame_share.or_zero(cause));
        shares.fold(0.0, f64::max)
    };
    let (shown, rest): (Vec<Cause>, Vec<Cause>) = Cause::ALL
        .into_iter()
        .partition(|cause| largest(*cause) >= VISIBLE);
    let traces = rest.iter().filter(|cause| largest(**cause) > 0.0);
    let traces: Vec<&str> = traces.map(|cause| cause.name()).collect();
    let hidden = rest
        .iter()
        .filter(|cause| timed().any(|it| it.blame_share.get(**cause).is_none()));
    let hidden: Vec<&str> = hidden.map(|cause| cause.name()).collect();

    let mut names: Vec<Cell> = vec![vec![dim("share of time")]];
    names.extend(bars.then(|| vec![dim("in the bar")]));
    names.extend(timed().map(|scenario| vec![name(report, scenario)]));
    let columns: Vec<Vec<Cell>> = shown
        .iter()
        .map(|cause| column(page, report, *cause, bars))
        .collect();
    for block in blocks(page.width(), &names, columns) {
        page.blank();
        let rows: Vec<Vec<Cell>> = (0..names.len())
            .map(|row| {
                block
                    .iter()
                    .filter_map(|column| column.get(row).cloned())
                    .collect()
            })
            .collect();
        let mut align = vec![Align::Right; block.len()];
        align[0] = Align::Left;
        page.grid(&align, &rows);
    }
    if !traces.is_empty() {
        page.paragraph(&[], 0, &[dim(format!("under 0.1%: {}", traces.join(", ")))]);
    }
    if !hidden.is_empty() {
        let words = format!(
            "not visible, since hooks are missing: {}",
            hidden.join(", ")
        );
        page.paragraph(&[], 0, &[dim(words)]);
    }
}

fn column(page: &Page, report: &Report, cause: Cause, bars: bool) -> Vec<Cell> {
    let (letter, style) = mark(cause);
    let bar = if page.colour() {
        "██".to_owned()
    } else {
        letter.to_string()
    };
    let mut column = vec![vec![dim(cause.name())]];
    column.extend(bars.then(|| vec![Piece::new(bar, style)]));
    for scenario in report
        .scenarios
        .iter()
        .filter(|scenario| scenario.duration_ns > 0)
    {
        column.push(vec![match scenario.blame_share.get(cause) {
            None => dim("?"),
            Some(share) if share <= 0.0 => dim("·"),
            Some(share) => plain(percent(share)),
        }]);
    }
    column
}

/// The columns in as many blocks as it takes for each to fit, every one after the names.
fn blocks(width: usize, names: &[Cell], columns: Vec<Vec<Cell>>) -> Vec<Vec<Vec<Cell>>> {
    let measure = |column: &[Cell]| widths(&[column.to_vec()]).into_iter().max().unwrap_or(0);
    let mut blocks: Vec<Vec<Vec<Cell>>> = Vec::new();
    let mut used = usize::MAX;
    for column in columns {
        let more = GAP + measure(&column);
        if used.saturating_add(more) > width {
            blocks.push(vec![names.to_vec()]);
            used = measure(names);
        }
        used += more;
        if let Some(block) = blocks.last_mut() {
            block.push(column);
        }
    }
    blocks
}
