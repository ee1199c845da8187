//! `docs/proof.md`: what was provoked, and what was found.

use std::fmt::Write as _;

use super::{
    line::{Line, Part},
    machine::Machine,
    merged::{Kept, Merged, Ratio, Runs, Stalls},
};
use crate::table::Table;

/// All that the page is made of.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) machine: Machine,
    /// Without the long tests.
    pub(super) short: bool,
    /// What each run of the kernel suite wrote down.
    pub(super) runs: Vec<Vec<Line>>,
    /// What the suite on damaged files wrote down.
    pub(super) damage: Vec<Line>,
    /// Tests that could not be run, and why.
    pub(super) skipped: Vec<(String, String)>,
}

/// Where every page begins.
pub(super) const TOP: &str = "\
# Proof

<!-- Made by `cargo xtask proof`. Do not edit it by hand: the next run writes it anew. -->

This page is made by `cargo xtask proof`, which brings about waits, outcomes, losses and damage in
known amounts on a real kernel, and writes down what the profiler said of them. Each line comes
from a test that fails if it does not hold; a run with a failed test leaves this page as it was.

";

const TOLERANCE: &str = "
## What counts as found

A stall is injected by other means than the profiler knows of, and timed by who injects it. The
time blamed on its cause, summed over at least 200 calls, is off by at most 5 % or 200 µs a call,
whichever is more, and so are nine calls in ten by themselves; at least 99 % of the calls have the
cause as their largest one (as one of the two largest, where two were injected). A stall is of a
known length only if nothing else came to it: where the reader's own clock says that its read took
over a tenth, or a millisecond, more than what was injected (somebody who injects was kept from the
CPU), the call is left out, and 260 are tried to have 200. Where the kernel hid from the probes
when a call was woken or ran again (this happens in guests, see [architecture.md](architecture.md)),
the call is `unexplained` and says so; such calls, one in twenty at most, are in the last column and
in no other. `reclaim` cannot be injected in a known
amount: there the kernel's own account (pressure stall information) is the witness. Where the limit
is ten reads a second, the short form of a test makes do with fifty. An outcome is proved by 99.9 %
of the reads that the witness was asked about. Where a table has one number for all runs, it is the
worst run's; three numbers are the runs in order.

";

const HOW: &str = "
## How to run it

    cargo xtask proof

It needs root, as `cargo xtask test` does, and installs what is missing. `--runs N` runs it so many
times instead of three. The long tests (a minute of reading, 100,000 reads, hundreds of limited ones)
are part of the first run, and `--short` leaves them out. The page is only written if no test
failed in any run. Times depend on the machine, and are no promise for yours; shares, counts and
names should come out the same.
";

/// As they are told of in docs/blame.md: the rest comes after them.
const CAUSES: [&str; 12] = [
    "cpu",
    "preempted",
    "runqueue",
    "queue",
    "device",
    "completion",
    "throttle",
    "lock",
    "reclaim",
    "server",
    "peer",
    "unexplained",
];

impl Proof {
    /// The whole page.
    pub(super) fn text(&self) -> String {
        let mut page = String::from(TOP);
        page += &self.about();
        page += TOLERANCE;
        page += &self.tables();
        page += HOW;
        page
    }

    fn about(&self) -> String {
        let Machine {
            kernel,
            architecture,
            model,
            cpus,
            memory_kb,
            date,
        } = &self.machine;
        let model = model.as_ref().map_or(String::new(), |model| {
            format!(
                ", {}",
                model.split_whitespace().collect::<Vec<_>>().join(" ")
            )
        });
        let runs = match self.runs.len() {
            1 => "once".to_owned(),
            runs => format!("{runs} times in a row"),
        };
        let long = if self.short {
            "without the long tests"
        } else {
            "with the long tests"
        };
        let gib = *memory_kb as f64 / f64::from(1 << 20);
        format!(
            "- {kernel} on {architecture}{model}, {cpus} CPUs, {gib:.1} GiB of memory\n\
             - profiler {}, on {date}, {runs}, {long}\n",
            env!("CARGO_PKG_VERSION")
        )
    }

    /// All that was found, in Markdown.
    pub(super) fn tables(&self) -> String {
        let merged = Merged::of(&self.runs);
        let damage = Merged::of(std::slice::from_ref(&self.damage));
        let mut text = String::new();
        section(&mut text, "Causes", &[causes(&merged.stalls)]);
        let outcomes = [
            witnesses(&merged, Part::Outcomes),
            kept(&merged, Part::Outcomes),
        ];
        section(&mut text, "Outcomes", &outcomes);
        let counts = [counts(&merged), kept(&merged, Part::Counts)];
        section(&mut text, "Counts", &counts);
        let losses = [
            kept(&merged, Part::Losses),
            witnesses(&merged, Part::Losses),
        ];
        section(&mut text, "Losses", &losses);
        let damages = [
            witnesses(&damage, Part::Damage),
            kept(&damage, Part::Damage),
            witnesses(&merged, Part::Damage),
            kept(&merged, Part::Damage),
        ];
        section(&mut text, "Damage", &damages);
        let absent = [absent(
            &[merged.absent, damage.absent].concat(),
            &self.skipped,
        )];
        section(&mut text, "What cannot be provoked here, and why", &absent);
        text.trim_start().to_owned()
    }
}

/// Blocks that are empty are left out; a section without any says so.
fn section(text: &mut String, title: &str, blocks: &[String]) {
    let blocks = blocks.iter().filter(|block| !block.is_empty());
    let blocks = blocks.map(String::as_str).collect::<Vec<_>>();
    let all = match blocks.as_slice() {
        [] => "Nothing.\n".to_owned(),
        some => some.join("\n"),
    };
    let _ = write!(text, "\n## {title}\n\n{all}");
}

fn table(table: &Table) -> String {
    if table.is_empty() {
        String::new()
    } else {
        table.text()
    }
}

fn causes(stalls: &[Stalls]) -> String {
    let mut rows = Table::new(&[
        "cause",
        "how provoked",
        "calls that stalled",
        "injected",
        "found",
        "right cause named",
        "end hidden",
    ]);
    let place = |it: &&Stalls| {
        let known = CAUSES.iter().position(|cause| it.cause.starts_with(cause));
        known.unwrap_or(CAUSES.len())
    };
    let mut stalls = stalls.iter().collect::<Vec<_>>();
    stalls.sort_by_key(place);
    for stall in stalls {
        let worst = Ratio::worst(stall.runs.iter().flatten().map(|it| it.named));
        rows.row(vec![
            stall.cause.clone(),
            stall.provoked.clone(),
            each(&stall.runs, |it| grouped(it.named.all)),
            each(&stall.runs, |it| time(it.injected_ns)),
            // Not folded where they are the same: each is a measurement.
            listed(&stall.runs, |it| difference(it.injected_ns, it.found_ns)),
            ratio(worst),
            each(&stall.runs, |it| grouped(it.hidden)),
        ]);
    }
    table(&rows)
}

fn witnesses(merged: &Merged, part: Part) -> String {
    let mut rows = Table::new(&["what", "how provoked", "witness", "asked", "agreed"]);
    for line in merged.witness.iter().filter(|line| line.part == part) {
        let worst = Ratio::worst(line.runs.iter().flatten().copied());
        rows.row(vec![
            line.what.clone(),
            line.provoked.clone(),
            line.witness.clone(),
            grouped(worst.all),
            format!("{}{}", grouped(worst.good), in_some(&line.runs)),
        ]);
    }
    table(&rows)
}

fn kept(merged: &Merged, part: Part) -> String {
    let mut rows = Table::new(&["what", "how provoked", "expected", "found"]);
    let lines = merged.kept.iter().filter(|line| line.part == part);
    for Kept {
        what,
        provoked,
        expected,
        found,
        ..
    } in lines
    {
        rows.row(vec![
            what.clone(),
            provoked.clone(),
            each(expected, Clone::clone),
            each(found, Clone::clone),
        ]);
    }
    table(&rows)
}

/// What was counted by witness; what there is less of are the columns.
fn counts(merged: &Merged) -> String {
    let lines = merged
        .witness
        .iter()
        .filter(|line| line.part == Part::Counts);
    let lines = lines.collect::<Vec<_>>();
    let whats = distinct(lines.iter().map(|line| line.what.as_str()));
    let witnesses = distinct(lines.iter().map(|line| line.witness.as_str()));
    let cell = |what: &str, witness: &str| {
        let mut at = lines
            .iter()
            .filter(|line| line.what == what && line.witness == witness);
        // One thing may be provoked in several ways.
        let ratios = at.clone().map(|line| {
            let worst = Ratio::worst(line.runs.iter().flatten().copied());
            format!("{}{}", ratio(worst), in_some(&line.runs))
        });
        at.next()
            .map_or("–".to_owned(), |_| ratios.collect::<Vec<_>>().join(", "))
    };
    let across = whats.len() < witnesses.len();
    let (down, right) = if across {
        (&witnesses, &whats)
    } else {
        (&whats, &witnesses)
    };
    let corner = if across { "witness" } else { "what" };
    let mut rows = Table::new(&[&[corner], right.as_slice()].concat());
    for &row in down {
        let cells = right.iter().map(|&column| {
            if across {
                cell(column, row)
            } else {
                cell(row, column)
            }
        });
        rows.row(std::iter::once(row.to_owned()).chain(cells).collect());
    }
    let mut text = table(&rows);
    let how = lines.iter().map(|line| (&line.what, &line.provoked));
    let how = distinct(how);
    match distinct(how.iter().map(|(_, provoked)| *provoked)).as_slice() {
        [] => {}
        [provoked] => {
            let _ = writeln!(text, "\nHow provoked: {provoked}.");
        }
        _ => {
            text.push('\n');
            for (what, provoked) in how {
                let _ = writeln!(text, "- *{what}*: {provoked}");
            }
        }
    }
    text
}

fn absent(absent: &[(String, String)], skipped: &[(String, String)]) -> String {
    let absent = absent
        .iter()
        .map(|(what, why)| format!("- {what}: {why}\n"));
    let skipped = skipped
        .iter()
        .map(|(test, why)| format!("- the test `{test}` was skipped: {why}\n"));
    absent.chain(skipped).collect()
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.fold(Vec::new(), |mut seen, it| {
        if !seen.contains(&it) {
            seen.push(it);
        }
        seen
    })
}

/// Every run's, once if they are all the same.
fn each<T>(runs: &Runs<T>, text: impl Fn(&T) -> String) -> String {
    let listed = listed(runs, text);
    match distinct(listed.split(" / ")).as_slice() {
        [one] => (*one).to_owned(),
        _ => listed,
    }
}

fn listed<T>(runs: &Runs<T>, text: impl Fn(&T) -> String) -> String {
    let texts = runs
        .iter()
        .map(|run| run.as_ref().map_or("–".into(), &text));
    texts.collect::<Vec<_>>().join(" / ")
}

/// Says where not every run has it.
fn in_some<T>(runs: &Runs<T>) -> String {
    match runs.iter().flatten().count() {
        some if some < runs.len() => format!(" ({some} of {} runs)", runs.len()),
        _ => String::new(),
    }
}

fn ratio(ratio: Ratio) -> String {
    format!("{} of {}", grouped(ratio.good), grouped(ratio.all))
}

/// How much more, or less, was found than injected.
fn difference(injected: u64, found: u64) -> String {
    if injected == 0 {
        return "–".to_owned();
    }
    let percent = (found as f64 / injected as f64 - 1.0) * 100.0;
    let text = format!("{percent:+.1} %").replace('-', "−");
    text.replace("−0.0 ", "+0.0 ")
}

/// Three digits are enough to compare.
fn time(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => (ns as f64, "ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let digits = match value {
        value if value >= 100.0 || unit == "ns" => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
