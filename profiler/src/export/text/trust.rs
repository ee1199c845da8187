//! How far to trust it: witnesses, and the quality block in one line.

use std::collections::HashSet;

use super::page::{Page, alarming, dim, plain};
use crate::report::units::{count, counted, percent, size, time};
use crate::report::v1::{Quality, Relation, Report, Unit, Witness};

/// Columns of the label of such a line.
pub(super) const LABEL: usize = 11;

pub(super) fn write(page: &mut Page, report: &Report) {
    page.blank();
    witnesses(page, report);
    page.paragraph(&[dim("quality")], LABEL, &[plain(quality(&report.quality))]);
    let skipped = &report.quality.recursion_misses_by_hook;
    if !skipped.is_empty() {
        let hooks = skipped
            .iter()
            .map(|hook| format!("{} {}", hook.hook, count(hook.misses)));
        let hooks = hooks.collect::<Vec<_>>().join(", ");
        let words = format!("runs of probes, by the kernel: {hooks}");
        page.paragraph(&[dim("skipped")], LABEL, &[plain(words)]);
    }
    for note in &report.quality.notes {
        page.paragraph(&[dim("note")], LABEL, &[plain(note)]);
    }
}

fn witnesses(page: &mut Page, report: &Report) {
    let all = || {
        report
            .scenarios
            .iter()
            .flat_map(|scenario| &scenario.witness)
    };
    if all().next().is_none() {
        return;
    }
    let words = if let [scenario] = report.scenarios.as_slice() {
        let agreeing = scenario.witness.iter().filter(|witness| witness.agrees);
        agreeing
            .map(|witness| versus(witness, true))
            .collect::<Vec<_>>()
            .join("; ")
    } else {
        let mut told = HashSet::new();
        let names = all().filter(|witness| witness.agrees);
        let names = names.map(|witness| witness.name.as_str());
        let names: Vec<&str> = names.filter(|name| told.insert(*name)).collect();
        names.join(", ")
    };
    let agree = if all().all(|witness| witness.agrees) {
        "all agree: "
    } else {
        "agree: "
    };
    let mut label = vec![dim("witnesses")];
    if !words.is_empty() {
        page.paragraph(&label, LABEL, &[plain(agree), plain(words)]);
        label.clear();
    }
    for (scenarios, witnesses) in void(report) {
        let scenarios = match report.scenarios.len() {
            1 => String::new(),
            _ => format!(" in {}", scenarios.join(", ")),
        };
        let witnesses = witnesses.join(", ");
        let words = format!("{scenarios}, because calls were missed: {witnesses}");
        page.paragraph(&label, LABEL, &[alarming("not comparable"), plain(words)]);
        label.clear();
    }
    for scenario in &report.scenarios {
        for witness in scenario.witness.iter().filter(|it| it.disagrees()) {
            let words = match report.scenarios.len() {
                1 => format!(": {}", versus(witness, false)),
                _ => format!(" in {}: {}", scenario.name, versus(witness, false)),
            };
            page.paragraph(&label, LABEL, &[alarming("disagrees"), plain(words)]);
            label.clear();
        }
    }
}

/// Scenarios, and the witnesses that cannot be compared in them: together where those are the same.
fn void(report: &Report) -> Vec<(Vec<&str>, Vec<&str>)> {
    let mut all: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for scenario in &report.scenarios {
        let void = scenario.witness.iter().filter(|it| it.proves_nothing());
        let void: Vec<&str> = void.map(|witness| witness.name.as_str()).collect();
        if void.is_empty() {
            continue;
        }
        match all.iter_mut().find(|(_, witnesses)| *witnesses == void) {
            Some((scenarios, _)) => scenarios.push(&scenario.name),
            None => all.push((vec![&scenario.name], void)),
        }
    }
    all
}

/// `syscr 65,536 =`, `latency 6.11 s ≤ 6.20 s`, `syscr: ours 1, theirs 2`
fn versus(witness: &Witness, agrees: bool) -> String {
    let number = |number: u64| match witness.unit {
        Unit::Count => count(number),
        Unit::Bytes if agrees => size(number),
        Unit::Bytes => counted(number, "byte", "bytes"),
        Unit::Ns => time(number),
    };
    let (name, ours, theirs) = (&witness.name, number(witness.ours), number(witness.theirs));
    if !agrees {
        return format!("{name}: ours {ours}, theirs {theirs}");
    }
    match witness.relation {
        Relation::Equal if witness.ours == witness.theirs => format!("{name} {ours} ="),
        Relation::Equal => format!("{name} {ours} ≈ {theirs}"),
        Relation::AtMost if witness.ours > witness.theirs => format!("{name} {ours} ≈ {theirs}"),
        Relation::AtMost => format!("{name} {ours} ≤ {theirs}"),
        Relation::AtLeast => format!("{name} {ours} ≥ {theirs}"),
    }
}

/// Calls of which something is missing.
fn broken(incomplete: u64, unfinished: u64) -> String {
    let calls = |number| counted(number, "call", "calls");
    match (incomplete, unfinished) {
        (0, 0) => "no call incomplete or unfinished".to_owned(),
        (_, 0) => format!("{} incomplete, none unfinished", calls(incomplete)),
        (0, _) => format!("no call incomplete, {} unfinished", count(unfinished)),
        _ => format!(
            "{} incomplete, {} unfinished",
            calls(incomplete),
            count(unfinished)
        ),
    }
}

fn quality(quality: &Quality) -> String {
    let none = |number: u64| {
        if number == 0 {
            "none".to_owned()
        } else {
            count(number)
        }
    };
    let facts = counted(quality.facts, "fact", "facts");
    let facts = if quality.cut_off {
        format!("{facts} arrived, and how many were lost is not known")
    } else {
        format!("{facts}, {} lost", none(quality.lost))
    };
    let mut words = vec![
        facts,
        broken(quality.incomplete_calls, quality.open_calls),
        format!(
            "unexplained: {} of blocked time",
            percent(quality.unexplained_share)
        ),
    ];
    if let Some(skipped @ 1..) = quality.recursion_misses
        && quality.recursion_misses_by_hook.is_empty()
    {
        words.push(format!("runs of probes skipped: {}", count(skipped)));
    }
    let own = &quality.own;
    let costs = [
        own.bpf_ns
            .map(|ns| format!("{} in probes, on the whole machine", time(ns))),
        own.cpu_ns.map(|ns| format!("{} of CPU", time(ns))),
        own.max_rss_bytes.map(size),
    ];
    let costs: Vec<String> = costs.into_iter().flatten().collect();
    if !costs.is_empty() {
        words.push(format!("own cost: {}", costs.join(", ")));
    }
    words.join("; ")
}
