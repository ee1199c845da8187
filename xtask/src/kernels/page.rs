//! `docs/kernels.md`: what came out, and what to make of it.

use std::fmt::Write as _;

use super::{
    guest::{BENCH, CPUS, MEMORY, READS_A_SECOND},
    outcome::{Outcome, Report},
    readers,
};
use crate::table::Table;

/// The whole page.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let mut page = String::from(TOP);
    page += &table(outcomes);
    page += HOW_TO_READ;
    page += EXACTLY;
    page += &exactly(outcomes);
    page += LACKS;
    for outcome in outcomes {
        let _ = write!(page, "\n### {}\n\n", title(outcome));
        match &outcome.report {
            Err(error) => {
                let _ = writeln!(page, "It does not work there:\n\n```\n{error:#}\n```");
            }
            Ok(report) => page += &kernel(report),
        }
        if let Err(error) = &outcome.readers {
            let _ = writeln!(
                page,
                "\nReaders on one processor failed:\n\n```\n{error:#}\n```"
            );
        }
    }
    let _ = write!(
        page,
        "\n## How this was run\n\n\
        Each kernel is Debian's package of it (flavour cloud-amd64), unchanged, in QEMU's software\n\
        emulation with {CPUS} processors and {MEMORY} of memory; the same static program in all of\n\
        them runs\n\n    {BENCH}\n\n\
        as root on an ext4 file system of a virtio disk that takes {READS_A_SECOND} reads a second.\n"
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
*hooks*: attached, of those that the plan has for this kernel. *device + queue*: their share of
the time in which calls were off the CPU; a dash where no call was. *unexplained*: the share for
which there is no evidence. *witnesses*: how many of the independent counts agree. For *mapped*,
a call is a fault that waited or brought pages.
";

const LACKS: &str = "
## What each kernel lacks, and what that costs
";

const EXACTLY: &str = "
## Every call, exactly

On one processor, with QEMU's instruction clock, threads (*readers*) make warm reads together,
in each mode of preemption that the kernel has. *way* is how begins and ends of calls are seen:
chosen by the profiler (`auto`), or by name (`--entry tp-btf`) to show what is missed where
programs of raw tracepoints can be preempted. *missed* are the calls of which the begin, the end or
both were not seen, counted against the kernel's own count of each thread's reads.

";

const LIMITS: &str = "
What such a run can prove: that the programs pass the kernel's verifier, that the hooks fire with
the arguments that the probes expect, that no fact is lost, and that blame adds up and is backed
by the kernel's own counts. What it can't: how long anything takes on a real machine. Waking an
idle processor takes the emulator long, which shows as `runqueue`; the scheduler counts that delay
only once the thread is on a run queue, and the profiler from the wake-up on, so the witness
`run_delay` may disagree here. The disk lets a burst of requests pass before it slows down: reads
that find it idle may not block.
";

/// Both tables, in Markdown.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    let mut kernels = Table::new(&[
        "kernel",
        "hooks",
        "facts",
        "lost",
        "incomplete calls",
        "unexplained",
        "witnesses",
    ]);
    let mut scenarios = Table::new(&[
        "scenario",
        "kernel",
        "calls",
        "blocked",
        "device + queue",
        "unexplained",
        "witnesses",
    ]);
    for outcome in outcomes {
        let Ok(report) = &outcome.report else {
            let mut row = vec![title(outcome), "does not work".to_owned()];
            row.resize(kernels.columns(), String::new());
            kernels.row(row);
            continue;
        };
        let theirs = report.scenarios.iter().map(|it| it.witnesses).sum::<u64>();
        let against = report.scenarios.iter().map(|it| it.disagree.len() as u64);
        kernels.row(vec![
            title(outcome),
            format!("{} of {}", report.attached, report.hooks),
            report.facts.to_string(),
            report.lost.to_string(),
            report.incomplete.to_string(),
            percent(Some(report.unexplained), 2),
            format!("{} of {theirs}", theirs - against.sum::<u64>()),
        ]);
    }
    // The same scenario on all kernels stands together.
    let reports = || {
        outcomes
            .iter()
            .filter_map(|it| Some((it, it.report.as_ref().ok()?)))
    };
    let longest = reports().map(|(_, report)| report.scenarios.len()).max();
    for at in 0..longest.unwrap_or(0) {
        for (outcome, report) in reports() {
            let Some(scenario) = report.scenarios.get(at) else {
                continue;
            };
            let agree = scenario.witnesses - scenario.disagree.len() as u64;
            scenarios.row(vec![
                scenario.name.clone(),
                version(&outcome.release),
                scenario.calls.to_string(),
                scenario.blocked.to_string(),
                percent(scenario.device, 0),
                percent(scenario.unexplained, 2),
                format!("{agree} of {}", scenario.witnesses),
            ]);
        }
    }
    format!("{}\n{}", kernels.text(), scenarios.text())
}

/// What became of each call.
pub(super) fn exactly(outcomes: &[Outcome]) -> String {
    readers::table(outcomes.iter().flat_map(|outcome| {
        let rows = outcome.readers.as_deref().unwrap_or_default();
        rows.iter().map(|row| (title(outcome), row))
    }))
}

fn kernel(report: &Report) -> String {
    let mut text = String::new();
    if report.missing.is_empty() {
        text += "Nothing.\n";
    }
    for (cost, hooks) in &report.missing {
        let hooks = hooks.iter().map(|hook| format!("`{hook}`"));
        let hooks = hooks.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "- {hooks}: {cost}");
    }
    let disagree = report.scenarios.iter().filter(|it| !it.disagree.is_empty());
    let disagree = disagree.map(|it| format!("- {}: {}\n", it.name, it.disagree.join(", ")));
    let disagree = disagree.collect::<String>();
    if !disagree.is_empty() {
        let _ = write!(text, "\nWitnesses that disagree:\n\n{disagree}");
    }
    text
}

fn title(outcome: &Outcome) -> String {
    version(&outcome.release)
}

/// A release without the flavour, which is the same for all.
fn version(release: &str) -> String {
    release.split("-cloud").next().unwrap_or(release).to_owned()
}

fn percent(share: Option<f64>, digits: usize) -> String {
    share.map_or("–".to_owned(), |share| {
        format!("{:.digits$}%", share * 100.0)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::{super::outcome::tests::outcome, *};

    #[test]
    fn the_page_says_what_is_lost() {
        let page = text(&[outcome()]);
        assert!(page.contains("- `begin`, `end`: locks\n"), "{page}");
        assert!(page.contains("- cold: run_delay (ours 9, theirs 3)\n"));
        assert!(page.contains("| 6.1.0-56 | 1 of 3 |"));
        assert!(page.contains("| 90% "));
    }

    #[test]
    fn readers_that_fail_are_not_left_out() {
        let failed = Outcome {
            readers: Err(anyhow!("no console")),
            ..outcome()
        };
        assert!(!failed.is_good());
        assert!(text(&[failed]).contains("no console"));
    }

    #[test]
    fn a_kernel_that_fails_is_not_left_out() {
        let failed = Outcome {
            report: Err(anyhow!("the verifier says no")),
            ..outcome()
        };
        let page = text(&[failed]);
        assert!(page.contains("does not work"));
        assert!(page.contains("the verifier says no"));
    }
}
