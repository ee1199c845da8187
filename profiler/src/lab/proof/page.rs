//! `docs/proof.md`: what was provoked, and what was found.

use std::fmt::Write as _;

use super::{
    line::{Line, Part},
    merged::{Kept, Merged, Runs, Stalls},
};
use crate::{
    blame::Cause,
    lab::{machine::Machine, stats::Share, table::Table},
    report::units::{count as grouped, time},
};

/// All that the page is made of.
#[derive(Debug)]
pub struct Proof {
    /// What it was made on.
    pub machine: Machine,
    /// Without the long tests.
    pub short: bool,
    /// What each run of the kernel suite wrote down.
    pub runs: Vec<Vec<Line>>,
    /// What the suite on damaged files wrote down.
    pub damage: Vec<Line>,
    /// Tests that could not be run, and why.
    pub skipped: Vec<(String, String)>,
}

/// Where every page begins.
const TOP: &str = "\
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
when a call was woken or ran again (this happens in guests, see [field-notes.md](field-notes.md)),
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

impl Proof {
    /// The whole page.
    #[must_use]
    pub fn text(&self) -> String {
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
            cpus,
            date,
            ..
        } = &self.machine;
        let model = self.machine.processor();
        let gib = self.machine.memory_gib();
        let runs = match self.runs.len() {
            1 => "once".to_owned(),
            runs => format!("{runs} times in a row"),
        };
        let long = if self.short {
            "without the long tests"
        } else {
            "with the long tests"
        };
        format!(
            "- {kernel} on {architecture}, {model}, {cpus} CPUs, {gib:.1} GiB of memory\n\
             - profiler {}, on {date}, {runs}, {long}\n",
            env!("CARGO_PKG_VERSION")
        )
    }

    /// All that was found, in Markdown.
    #[must_use]
    pub fn tables(&self) -> String {
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
        // A label may say more than the cause: "lock (inode)".
        let mut causes = Cause::ALL.iter();
        let known = causes.position(|cause| it.cause.starts_with(cause.name()));
        known.unwrap_or(Cause::ALL.len())
    };
    let mut stalls = stalls.iter().collect::<Vec<_>>();
    stalls.sort_by_key(place);
    for stall in stalls {
        let worst = Share::worst(stall.runs.iter().flatten().map(|it| it.named));
        rows.row(vec![
            stall.cause.clone(),
            stall.provoked.clone(),
            each(&stall.runs, |it| grouped(it.named.all)),
            each(&stall.runs, |it| time(it.injected_ns)),
            // Not folded where they are the same: each is a measurement.
            listed(&stall.runs, |it| difference(it.injected_ns, it.found_ns)),
            of_all(worst),
            each(&stall.runs, |it| grouped(it.hidden)),
        ]);
    }
    rows.text_or_nothing()
}

fn witnesses(merged: &Merged, part: Part) -> String {
    let mut rows = Table::new(&["what", "how provoked", "witness", "asked", "agreed"]);
    for line in merged.witness.iter().filter(|line| line.part == part) {
        let worst = Share::worst(line.runs.iter().flatten().copied());
        rows.row(vec![
            line.what.clone(),
            line.provoked.clone(),
            line.witness.clone(),
            grouped(worst.all),
            format!("{}{}", grouped(worst.good), in_some(&line.runs)),
        ]);
    }
    rows.text_or_nothing()
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
    rows.text_or_nothing()
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
        let shares = at.clone().map(|line| {
            let worst = Share::worst(line.runs.iter().flatten().copied());
            format!("{}{}", of_all(worst), in_some(&line.runs))
        });
        at.next()
            .map_or("–".to_owned(), |_| shares.collect::<Vec<_>>().join(", "))
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
    let mut text = rows.text_or_nothing();
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

fn of_all(share: Share) -> String {
    format!("{} of {}", grouped(share.good), grouped(share.all))
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

#[cfg(test)]
mod tests;
