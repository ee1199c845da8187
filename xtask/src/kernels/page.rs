//! `docs/kernels.md`: what came out, and what to make of it.

use std::fmt::Write as _;

use super::{
    bench::{self, CPUS, MEMORY, READS_A_SECOND, Report},
    cost,
    outcome::Outcome,
    readers,
};
use crate::{proof::line::Line, table::Table};

/// The whole page.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let mut page = String::from(TOP);
    page += &benches(outcomes);
    page += HOW_TO_READ;
    page += STALLS;
    page += &stalls(outcomes);
    page += &tests(outcomes);
    page += EXACTLY;
    page += &exactly(outcomes);
    page += COST;
    page += &costs(outcomes);
    page += LACKS;
    for outcome in outcomes {
        let _ = write!(page, "\n### {}\n\n", title(outcome));
        page += &lacks(outcome);
        let faults = outcome.faults();
        if !faults.is_empty() {
            let _ = writeln!(
                page,
                "\nNot as it should be:\n\n```\n{}\n```",
                faults.join("\n")
            );
        }
    }
    page += SCENARIOS;
    page += &scenarios(outcomes);
    let _ = write!(
        page,
        "\n## How this was run\n\n\
        Each kernel is Debian's package of it (flavour cloud-amd64), unchanged, in QEMU's software\n\
        emulation; the same static programs in all of them. The bench runs with {CPUS} processors\n\
        and {MEMORY} of memory, on virtio disks that take {READS_A_SECOND} reads a second:\n\n    {}\n\n",
        bench::command("ext4").replace(" --record /out/ext4.rec", "")
    );
    page += LIMITS;
    page
}

const TOP: &str = "\
# Kernels

<!-- Made by `cargo xtask kernels`. Do not edit it by hand: the next run writes it anew. -->

This page is made by `cargo xtask kernels`, which boots kernels and writes down what came out.

The profiler is built once and works on every kernel from 6.1 on that has BTF. Where a kernel
keeps the fields that the probes read is looked up in its own type information when they are
loaded; of two ways to know something, the probes use the one that the kernel has. What it lacks
costs what depends on it, nothing else, and every report names it (`session.hooks`).

## What came out

";

const HOW_TO_READ: &str = "
*hooks*: hooks attached, of the hooks wanted on this kernel. *unexplained*: the share of the
blocked time for which there is no evidence. *witnesses*: how many of the independent counts
agree. *replayed*: the recording, brought to another machine, gives the same report.
";

const STALLS: &str = "
## Stalls of a known length

Tests of this repository that provoke a stall of a known length, run in each kernel
with the emulator's instruction clock. Each cell says in how many of the calls that stalled the
right cause is named, and how far the blamed time is from the injected.

";

const EXACTLY: &str = "
## Every call, exactly

Threads (*readers*) make warm reads together, in each mode of preemption that the kernel has: on
one processor with the emulator's instruction clock, and on two without. *way* is which hooks see calls
start and end: chosen by the profiler (`auto`), or by name (`--entry tp-btf`) to show what
is missed where programs of raw tracepoints can be preempted. *beside* is another program on the
same processor: one that changes a BPF map all the time. *missed* are the calls of which the start,
the end or both were not seen, by the kernel's own count of each thread's reads. *exact*: seen and
missed add up to the calls made.

";

const COST: &str = "
## What each way costs

Instructions on one processor, of a warm read of 4 KiB and of a call that is not a read (`getppid`):
what they take unwatched, and what each choice of hooks adds, all probes of the session
included. *beside* is a program that is not watched. What the collector does is not
counted.

";

const LACKS: &str = "
## What each kernel lacks, and what that costs
";

const SCENARIOS: &str = "
## The scenarios

*device + queue*: their share of the time in which calls were off the CPU; a dash where no call was.
For *mapped*, a call is a fault that waited or brought pages.

";

const LIMITS: &str = "\
What such a run can prove: that the programs pass the kernel's verifier, that the hooks fire with
the arguments that the probes expect, that no fact is lost, that no call is missed in silence, and
that blame adds up and is backed by the kernel's own counts. What it can't: how long anything takes
on a real machine. Waking an idle processor takes the emulator long, which shows as `runqueue`; the
scheduler counts that delay only once the thread is on a run queue, and the profiler from the
wake-up on, so the witness `run_delay` may disagree here. The disks let a burst of requests pass
before they slow down: reads that find one idle may not block.
";

/// The tables that are printed, in Markdown.
pub(super) fn tables(outcomes: &[Outcome]) -> String {
    let tables = [benches, stalls, tests, exactly, costs].map(|table| table(outcomes));
    // Of an experiment that was not asked for, only the head would be there.
    let said = |text: &&String| text.trim().lines().count() > 2 || text.contains("- ");
    let said = tables.iter().filter(said).map(String::as_str);
    said.collect::<Vec<_>>().join("\n")
}

fn benches(outcomes: &[Outcome]) -> String {
    let mut table = Table::new(&[
        "kernel",
        "disk",
        "hooks",
        "facts",
        "lost",
        "missed",
        "incomplete",
        "unexplained",
        "witnesses",
        "replayed",
    ]);
    let failed = |kernel: String, disk: &str| {
        let mut row = vec![kernel, disk.to_owned(), "does not work".to_owned()];
        row.resize(table.columns(), String::new());
        row
    };
    let mut rows = Vec::new();
    for outcome in outcomes {
        let runs = match &outcome.bench {
            Some(Ok(runs)) => runs,
            Some(Err(_)) => {
                rows.push(failed(title(outcome), ""));
                continue;
            }
            None => continue,
        };
        for run in runs {
            let Ok(report) = &run.report else {
                rows.push(failed(title(outcome), run.filesystem));
                continue;
            };
            let all = report.witnesses();
            rows.push(vec![
                title(outcome),
                run.filesystem.to_owned(),
                format!("{} of {}", report.attached, report.hooks),
                report.facts.to_string(),
                report.lost.to_string(),
                report.missed.to_string(),
                report.incomplete.to_string(),
                percent(Some(report.unexplained), 2),
                format!("{} of {all}", all - report.disagree()),
                if report.replayed {
                    "same"
                } else {
                    "NOT the same"
                }
                .to_owned(),
            ]);
        }
    }
    rows.into_iter().for_each(|row| table.row(row));
    table.text()
}

/// A column a kernel, a row a kind of stall.
fn stalls(outcomes: &[Outcome]) -> String {
    let mut kinds = Vec::new();
    for (cause, provoked, _) in outcomes.iter().flat_map(stalled) {
        if !kinds.contains(&(cause, provoked)) {
            kinds.push((cause, provoked));
        }
    }
    let mut head = vec!["cause".to_owned(), "how provoked".to_owned()];
    head.extend(outcomes.iter().map(title));
    let mut table = Table::new(&head);
    for (cause, provoked) in kinds {
        let cell = |outcome: &Outcome| {
            let mut its = stalled(outcome).filter(|it| (it.0, it.1) == (cause, provoked));
            its.next().map_or_else(|| "–".to_owned(), |it| it.2)
        };
        let mut row = vec![cause.to_owned(), provoked.to_owned()];
        row.extend(outcomes.iter().map(cell));
        table.row(row);
    }
    table.text()
}

/// Cause, how it was provoked, and what was found.
fn stalled(outcome: &Outcome) -> impl Iterator<Item = (&str, &str, String)> {
    let suites = outcome.suite.iter().flatten();
    suites.flat_map(|suite| &suite.lines).filter_map(|line| {
        let Line::Stalls {
            cause,
            provoked,
            stalled,
            named,
            injected_ns,
            found_ns,
            ..
        } = line
        else {
            return None;
        };
        let off = *found_ns as f64 / *injected_ns as f64 - 1.0;
        let found = format!("{named} of {stalled}, {:+.1}%", off * 100.0);
        Some((cause.as_str(), provoked.as_str(), found))
    })
}

/// How many tests passed, and why some could not be run.
fn tests(outcomes: &[Outcome]) -> String {
    let mut text = "\n".to_owned();
    for outcome in outcomes {
        let suite = match &outcome.suite {
            Some(Ok(suite)) => suite,
            Some(Err(_)) => {
                let _ = writeln!(text, "- {}: the tests could not be run", title(outcome));
                continue;
            }
            None => continue,
        };
        let _ = writeln!(text, "- {}: {}", title(outcome), suite.tally);
        for (test, why) in &suite.skipped {
            let _ = writeln!(text, "  - `{test}` skipped: {why}");
        }
    }
    text
}

/// What became of each call.
fn exactly(outcomes: &[Outcome]) -> String {
    readers::table(outcomes.iter().flat_map(|outcome| {
        let rows = outcome.readers.iter().flat_map(|readers| &readers.rows);
        rows.map(|row| (title(outcome), row))
    }))
}

fn costs(outcomes: &[Outcome]) -> String {
    let costs = || {
        outcomes.iter().flat_map(|outcome| {
            let costs = outcome.cost.iter().flatten();
            costs.map(|cost| (title(outcome), cost))
        })
    };
    let mut text = cost::table(costs());
    for (kernel, cost) in costs() {
        for why in cost.without() {
            let _ = write!(text, "\n- {kernel}: {why}");
        }
    }
    text + "\n"
}

fn scenarios(outcomes: &[Outcome]) -> String {
    let mut table = Table::new(&[
        "scenario",
        "disk",
        "kernel",
        "calls",
        "blocked",
        "device + queue",
        "unexplained",
        "witnesses",
    ]);
    let mut rows = Vec::new();
    for outcome in outcomes {
        for run in runs(outcome) {
            for (at, scenario) in reported(run).flat_map(|it| it.scenarios.iter().enumerate()) {
                let agree = scenario.witnesses - scenario.disagree.len() as u64;
                let row = vec![
                    scenario.name.clone(),
                    run.filesystem.to_owned(),
                    title(outcome),
                    scenario.calls.to_string(),
                    scenario.blocked.to_string(),
                    percent(scenario.device, 0),
                    percent(scenario.unexplained, 2),
                    format!("{agree} of {}", scenario.witnesses),
                ];
                rows.push((at, run.filesystem, row));
            }
        }
    }
    // The same scenario on the same file system stands together.
    rows.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    rows.into_iter().for_each(|(_, _, row)| table.row(row));
    table.text()
}

fn runs(outcome: &Outcome) -> &[bench::Run] {
    match &outcome.bench {
        Some(Ok(runs)) => runs,
        _ => &[],
    }
}

fn reported(run: &bench::Run) -> impl Iterator<Item = &Report> {
    run.report.as_ref().into_iter()
}

fn lacks(outcome: &Outcome) -> String {
    let runs = runs(outcome);
    let mut text = String::new();
    let Some(first) = runs.iter().flat_map(reported).next() else {
        return "It does not work there.\n".into();
    };
    if first.missing.is_empty() {
        text += "Nothing.\n";
    }
    for (cost, hooks) in &first.missing {
        let hooks = hooks.iter().map(|hook| format!("`{hook}`"));
        let hooks = hooks.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "- {hooks}: {cost}");
    }
    let mut disagree = String::new();
    for run in runs {
        let scenarios = reported(run).flat_map(|it| &it.scenarios);
        for scenario in scenarios.filter(|it| !it.disagree.is_empty()) {
            let (name, filesystem) = (&scenario.name, run.filesystem);
            let who = scenario.disagree.join(", ");
            let _ = writeln!(disagree, "- {name} on {filesystem}: {who}");
        }
    }
    if !disagree.is_empty() {
        let _ = write!(text, "\nWitnesses that disagree:\n\n{disagree}");
    }
    text
}

/// The release without the flavour, which is the same for all.
fn title(outcome: &Outcome) -> String {
    let release = outcome.release.as_str();
    release.split("-cloud").next().unwrap_or(release).to_owned()
}

fn percent(share: Option<f64>, digits: usize) -> String {
    share.map_or_else(
        || "–".to_owned(),
        |share| format!("{:.digits$}%", share * 100.0),
    )
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::{super::outcome::tests::outcome, *};

    #[test]
    fn a_page_has_what_every_experiment_said() {
        let page = text(&[outcome()]);
        for said in [
            "| cold ",
            "- `begin`, `end`: locks",
            "run_delay (ours 9, theirs 3)",
            "259 of 260, +0.2%",
            "`a::b` skipped: no disk",
            "| 80000 | 80000 | 0 ",
            "- 6.1.0-56: no kprobes",
            "+600",
        ] {
            assert!(page.contains(said), "no {said} in:\n{page}");
        }
        assert!(!page.contains("Not as it should be"));
    }

    #[test]
    fn what_failed_is_not_left_out() {
        let mut failed = outcome();
        failed.cost = Some(Err(anyhow!("no console")));
        failed.bench = Some(Err(anyhow!("the verifier says no")));
        let page = text(&[failed]);
        assert!(page.contains("no console"));
        assert!(page.contains("does not work"));
        assert!(page.contains("the verifier says no"));
    }
}
