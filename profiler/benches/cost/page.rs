//! `docs/cost.md`: what was measured, and what to make of it.

use std::fmt::Write as _;

use profiler::{
    lab::{
        stats::{Pair, Spread, time, verdict},
        table::Table,
    },
    report::units::size,
};

use super::{
    mode::Mode,
    results::{Results, Session},
    watcher::EVERY_CALL,
};

/// Where every page begins.
pub(super) const TOP: &str = "\
# What watching costs

<!-- Made by `cargo xtask bench`. Do not edit it by hand: the next run writes it anew. -->

This page is made by `cargo xtask bench`, which lets a small program read while nobody watches,
while this profiler does, and while each of the tools does that could be used instead.

";

const READING: &str = "
## How to read it

Each round runs the same slices of the same process with a tool and without, within seconds, the
one first or the other in turn; what counts is the difference within a round. A table shows the
median of the rounds, and in brackets the quartiles. The verdict is *more* or *less* where the
median of the differences stays on one side of zero in 99 of 100 draws from the rounds (a
bootstrap); else the spread swallows it, and the number is no finding. A ratio is given only where
both differences have a verdict.

The floor is two eBPF programs that do nothing, at the begin and the end of every system call on
the machine: no tool at these two places can cost less. The floor with a clock is the same two
programs reading the clock: the least that a tool which measures latency costs. A tool that was measured did see the
calls: what it printed was looked at. The tools do not do the same: a histogram of latencies names
no cause, and syscount no latency of a single call. Where the CPUs are few, a tool's own process
takes time from the program, which is part of what it costs.
";

const HOW: &str = "
## How to run it

    cargo xtask bench

It needs root, as `cargo xtask test` does, a machine with nothing else to do, and installs what is
missing. `--rounds N` takes more rounds, `--only NAME` only tools with that in their name, `--quick`
a first look (the page stays as it is), `--no-page` only prints. All values of all rounds are in
`target/cost.json`. Times depend on the machine; ratios less so.

What each way of seeing calls costs in instructions, for a watched read, for a read beside it, and for
calls that are no reads (`--quiet-neighbours` takes a kprobe session where it is right), is in
[kernels.md](kernels.md), \"What each way costs\".
";

/// The whole page.
pub(super) fn text(runs: &[Results]) -> String {
    let mut page = String::from(TOP);
    page += &about(runs);
    page += READING;
    page += "\n";
    page += &tables(runs);
    page += HOW;
    page
}

fn about(runs: &[Results]) -> String {
    let results = &Results::merged(runs);
    let machine = &results.machine;
    let (model, gib) = (machine.processor(), machine.memory_gib());
    let versions = results.versions.iter();
    let versions = versions.map(|(name, said)| {
        if said.contains(name.as_str()) {
            said.clone()
        } else {
            format!("{name} {said}")
        }
    });
    let loads = runs.iter().map(|run| format!("{:.2}", run.load));
    let loads = loads.collect::<Vec<_>>();
    format!(
        "- {} on {}, {model}, {} CPUs, {gib:.1} GiB of memory\n\
         - profiler {}, on {}, {} runs of {} rounds each; load at their beginnings: {}\n\
         - {}\n",
        machine.kernel,
        machine.architecture,
        machine.cpus,
        env!("CARGO_PKG_VERSION"),
        machine.date,
        runs.len(),
        results.rounds,
        loads.join(", "),
        versions.collect::<Vec<_>>().join(", "),
    )
}

/// All that was measured, in Markdown.
pub(super) fn tables(runs: &[Results]) -> String {
    let results = &Results::merged(runs);
    let mut text = String::new();
    let sections = [
        (
            "A warm 4 KiB read of the process that is watched",
            added(results, Mode::Warm, true),
        ),
        (
            "Throughput of the process that is watched",
            rates::tables(results),
        ),
        (
            "A system call of a process that is not watched",
            added(results, Mode::Syscall, false),
        ),
        (
            "A context switch of a process that is not watched",
            added(results, Mode::Switch, false),
        ),
        (
            "A block request of a process that is not watched",
            added(results, Mode::DirectRandom1, false),
        ),
        ("Ratios", ratios::table(runs)),
        ("With fio", fio(results)),
        ("Sessions of the profiler", sessions(results)),
        ("Until the probes are on", starts(results)),
        ("What was run", commands(results)),
        ("What does not start here", refused(results)),
        ("Rounds that were left out", left_out(results)),
    ];
    for (title, body) in sections {
        if !body.is_empty() {
            let _ = write!(text, "## {title}\n\n{body}\n");
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// Median and quartiles of what an operation takes, and what the watcher adds to it.
fn added(results: &Results, mode: Mode, watched: bool) -> String {
    let head = [
        "watched by",
        "without",
        "with",
        "added",
        "least added",
        "verdict",
    ];
    let mut table = Table::new(&head);
    for watcher in results.watchers() {
        if let Some(measured) = results.of(watcher, mode, watched) {
            table.row(row(&[watcher], &measured.pairs));
        }
    }
    table.text_or_nothing()
}

fn row(names: &[&str], pairs: &[Pair]) -> Vec<String> {
    let differences = pairs.iter().map(|pair| pair.added()).collect::<Vec<_>>();
    let spread = |values: &mut dyn Iterator<Item = f64>| match Spread::of(values) {
        Some(it) => format!(
            "{} ({} to {})",
            time(it.median),
            time(it.lower),
            time(it.upper)
        ),
        None => "–".to_owned(),
    };
    let least = Spread::of(differences.iter().copied());
    let mut row = names
        .iter()
        .map(|&name| name.to_owned())
        .collect::<Vec<_>>();
    row.extend([
        spread(&mut pairs.iter().map(|pair| pair.without)),
        spread(&mut pairs.iter().map(|pair| pair.with)),
        spread(&mut differences.iter().copied()),
        least.map_or("–".to_owned(), |it| time(it.min)),
        verdict(&differences).words().to_owned(),
    ]);
    row
}

fn fio(results: &Results) -> String {
    let head = [
        "watched by",
        "fio's job",
        "without",
        "with",
        "added",
        "least added",
        "verdict",
    ];
    let mut table = Table::new(&head);
    for measured in &results.fio {
        table.row(row(&[&measured.watcher, &measured.job], &measured.pairs));
    }
    table.text_or_nothing()
}

fn sessions(results: &Results) -> String {
    let head = [
        "session",
        "calls",
        "facts",
        "lost",
        "collector's CPU per million facts",
        "in the probes, per call",
        "peak memory",
    ];
    let mut table = Table::new(&head);
    for session in &results.sessions {
        let Session {
            what,
            calls,
            facts,
            lost,
            cpu_ns,
            bpf_ns,
            peak_bytes,
            ..
        } = session;
        // What starting takes would be most of it.
        let cpu = if *facts < 100_000 {
            "too few facts".to_owned()
        } else {
            time(*cpu_ns as f64 / (*facts as f64 / 1e6))
        };
        table.row(vec![
            what.clone(),
            calls.to_string(),
            facts.to_string(),
            lost.to_string(),
            cpu,
            bpf_ns.map_or("–".to_owned(), |ns| {
                time(ns as f64 / (*calls).max(1) as f64)
            }),
            size(*peak_bytes),
        ]);
    }
    let mut text = table.text_or_nothing();
    if !text.is_empty() {
        text += "\nBy the sessions' own reports. The time in the probes is the kernel's count, which takes \
                 two looks\nat the clock a probe itself; what a probe's call and return take is not in it.\n";
    }
    for it in &results.recordings {
        let Some(seconds) = Spread::of(it.seconds.iter().copied()) else {
            continue;
        };
        let facts = it.facts as f64;
        let _ = write!(
            text,
            "\nA recording of {} facts ({EVERY_CALL}) has {}, {} per million facts; replaying it \
             takes {:.2} s,\n{:.0} facts per second (the median of {}).\n",
            it.facts,
            size(it.bytes),
            size((it.bytes as f64 / (facts / 1e6)) as u64),
            seconds.median,
            facts / seconds.median,
            it.seconds.len(),
        );
    }
    text
}

fn starts(results: &Results) -> String {
    let mut table = Table::new(&["tool", "median (quartiles)", "least"]);
    for tool in &results.tools {
        if let Some(it) = Spread::of(tool.seconds.iter().map(|seconds| seconds * 1e9)) {
            table.row(vec![
                tool.name.clone(),
                format!(
                    "{} ({} to {})",
                    time(it.median),
                    time(it.lower),
                    time(it.upper)
                ),
                time(it.min),
            ]);
        }
    }
    let text = table.text_or_nothing();
    if text.is_empty() {
        return text;
    }
    text + "\nFrom the start of the command until the last of its probes was on: until it held all \
            the kernel's\nlinks and events that it came to hold (looked at every 5 ms); of strace, \
            until the process had a tracer.\n"
}

/// As one would type them; too long for a table.
fn commands(results: &Results) -> String {
    let tools = results.tools.iter().filter(|tool| !tool.seconds.is_empty());
    let mut text = String::new();
    for tool in tools {
        let _ = write!(text, "{}:\n\n    {}\n\n", tool.name, tool.command);
    }
    text.trim_end().to_owned() + if text.is_empty() { "" } else { "\n" }
}

fn refused(results: &Results) -> String {
    let mut table = Table::new(&["tool", "command", "why"]);
    for tool in &results.tools {
        if let Some(why) = &tool.refused {
            table.row(vec![
                tool.name.clone(),
                format!("`{}`", tool.command),
                why.clone(),
            ]);
        }
    }
    table.text_or_nothing()
}

fn left_out(results: &Results) -> String {
    let lines = results.notes.iter().map(|note| format!("- {note}\n"));
    lines.collect()
}

mod rates;
mod ratios;
#[cfg(test)]
mod tests;
