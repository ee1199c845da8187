//! What was run, where, on what.

use super::page::{Page, alarming, bold, dim, plain, tail};
use super::trust::LABEL;
use crate::report::units::{count, counted, round_size};
use crate::report::v1::{MissedCalls, Report, Workload};
use crate::report::why_missed;

pub(super) fn write(page: &mut Page, report: &Report) {
    let host = &report.host;
    page.paragraph(
        &[],
        0,
        &[
            bold(format!("profiler {}", report.tool.version)),
            dim(format!(
                " · Linux {} {} · {} CPUs",
                host.kernel, host.machine, host.cpus
            )),
        ],
    );
    let workloads = || report.scenarios.iter().map(|scenario| &scenario.workload);
    match workloads().find(|workload| workload.path.is_some()) {
        Some(workload) => file(page, workload),
        None => page.paragraph(&[], 0, &[plain(&report.session.target)]),
    }
    missed(page, report);
}

/// The calls that the probes did not see whole, and why they did not.
fn missed(page: &mut Page, report: &Report) {
    let scenarios = report.scenarios.iter();
    let missing = scenarios.filter(|scenario| scenario.missed_calls.total > 0);
    let mut label = vec![alarming("missed")];
    for scenario in missing {
        let calls = format!(
            "{} of {}",
            count(scenario.missed_calls.total),
            counted(scenario.calls_made(), "call", "calls")
        );
        let name = match report.scenarios.len() {
            1 => String::new(),
            _ => format!(" ({})", scenario.name),
        };
        let body = [
            alarming(calls),
            plain(format!("{name}: {}", kinds(&scenario.missed_calls))),
        ];
        page.paragraph(&label, LABEL, &body);
        label.clear();
    }
    // The label is still there if none were missed.
    if !label.is_empty() {
        return;
    }
    page.paragraph(&[], LABEL, &[plain(why_missed(report))]);
}

/// `begin 12,010, end 12,021, both 300`
fn kinds(missed: &MissedCalls) -> String {
    let kinds = [
        ("begin", missed.begins),
        ("end", missed.ends),
        ("both", missed.whole),
    ];
    let kinds = kinds.iter().filter(|(_, calls)| *calls > 0);
    let kinds: Vec<_> = kinds
        .map(|(kind, calls)| format!("{kind} {}", count(*calls)))
        .collect();
    kinds.join(", ")
}

fn file(page: &mut Page, workload: &Workload) {
    let mut facts: Vec<String> = Vec::new();
    facts.extend(workload.file_size.map(round_size));
    facts.extend(workload.filesystem.clone());
    facts.extend(
        workload
            .device
            .as_ref()
            .map(|device| format!("on {device}")),
    );
    let facts = facts.join(" ");
    let mut rest: Vec<String> = (!facts.is_empty()).then_some(facts).into_iter().collect();
    rest.extend(
        workload
            .read_ahead_kb
            .map(|kib| format!("read-ahead {}", round_size(kib.saturating_mul(1024)))),
    );
    rest.extend(
        workload
            .block_size
            .map(|bytes| format!("{} reads", round_size(bytes))),
    );
    rest.extend(
        workload
            .threads
            .filter(|&n| n > 1)
            .map(|threads| format!("{threads} threads")),
    );
    let path = workload.path.as_deref().unwrap_or_default();
    let path = plain(tail(path, page.width()));
    page.paragraph(&[], 0, &[path, dim(format!(" · {}", rest.join(" · ")))]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::assemble;
    use crate::report::v1::{Host, Quality, Scenario, Session, Tool};

    /// What the header says of missed calls, without the lines before it.
    fn said(scenarios: &[(&str, u64, MissedCalls)], skipped: Option<u64>) -> String {
        let scenarios = scenarios
            .iter()
            .map(|&(name, calls, missed_calls)| Scenario {
                name: name.to_owned(),
                calls,
                missed_calls,
                ..Scenario::default()
            });
        let report = assemble(
            Tool::default(),
            Host::default(),
            Session::default(),
            scenarios.collect(),
            Quality {
                recursion_misses: skipped,
                ..Quality::default()
            },
        );
        let mut page = Page::new(80, false);
        missed(&mut page, &report);
        page.into_text()
    }

    #[test]
    fn nothing_is_said_where_none_were_missed() {
        let none = MissedCalls::default();
        assert_eq!(said(&[("warm", 10, none), ("cold", 10, none)], Some(7)), "");
        assert_eq!(said(&[], None), "");
    }

    #[test]
    fn one_scenario_has_no_name() {
        let missed = MissedCalls::of(1, 0, 0);
        assert_eq!(
            said(&[("dd", 9, missed)], Some(1)),
            "missed     1 of 10 calls: begin 1\n           \
             the kernel skipped 1 run of the probes\n"
        );
    }

    #[test]
    fn of_several_each_that_missed_calls_is_named() {
        let none = MissedCalls::default();
        let scenarios = [
            ("warm", 55_669, MissedCalls::of(12_010, 12_021, 300)),
            ("mapped", 10, none),
            ("cold-random", 4_000, MissedCalls::of(0, 0, 96)),
        ];
        let text = "\
missed     24,331 of 80,000 calls (warm): begin 12,010, end 12,021, both 300
           96 of 4,096 calls (cold-random): both 96
";
        assert_eq!(
            said(&scenarios, Some(26_017)),
            format!("{text}           the kernel skipped 26,017 runs of the probes\n")
        );
        for nobody_knows in [Some(0), None] {
            assert_eq!(
                said(&scenarios, nobody_knows),
                format!(
                    "{text}           the kernel's own count of reads (ioac.syscr) has more than \
                     the probes\n           saw; why is not known\n"
                )
            );
        }
    }
}
