//! Every call, exactly: readers that share processors, with preemption as each kernel offers it.
//!
//! What the profiler saw and what it counted as missed must be what was read, to the one.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{
    bed::{Bed, Left, SUITE, leaving},
    guest::{COUNTED, Clock, Machine},
};
use crate::table::Table;

/// How many threads read on one processor.
const READERS: [u32; 2] = [4, 16];
/// Calls that they make together.
const CALLS: u32 = 80_000;
/// How begins and ends are seen: as the profiler chooses, and as it does elsewhere.
const WAYS: [&str; 2] = ["auto", "tp-btf"];
/// Modes of preemption that are tried where the kernel has them, besides its own.
const MODES: [&str; 2] = ["lazy", "full"];

/// Two processors, at the pace of the host.
const TWO: Machine<'_> = Machine {
    cpus: 2,
    clock: Clock::Host,
    ..COUNTED
};

/// What is run in a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    way: &'static str,
    readers: u32,
    /// Beside them a program changes a BPF map all the time.
    neighbour: bool,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    asked: Asked,
    cpus: u32,
    /// The kernel's own word for its mode.
    preempt: String,
    /// The way that was taken, as the report names it.
    entry: String,
    made: u64,
    seen: u64,
    missed: u64,
    /// What the report says of itself besides: ways that were refused, among others.
    notes: Vec<String>,
}

/// All runs on a kernel. One that fails takes none of the others with it.
#[derive(Debug, Default)]
pub(super) struct Readers {
    pub(super) rows: Vec<Row>,
    pub(super) failed: Vec<String>,
}

impl Readers {
    /// What is wrong, a line each.
    pub(super) fn faults(&self) -> Vec<String> {
        let failed = self.failed.iter().map(|why| format!("readers: {why}"));
        let bad = self.rows.iter().filter(|row| !row.is_good());
        let bad = bad.map(|row| format!("readers: {row:?}"));
        let none = self.failed.is_empty() && self.rows.is_empty();
        let none = none.then(|| "readers: none were run".to_owned());
        failed.chain(bad).chain(none).collect()
    }
}

impl Row {
    fn read(report: &str, asked: Asked, cpus: u32, preempt: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(report).context("the report is no JSON")?;
        let scenario = &report["scenarios"][0];
        let number = |value: &Value| value.as_u64().context("a number is missing in the report");
        let witnesses = scenario["witness"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let syscr = witnesses.iter().find(|witness| witness["name"] == "syscr");
        Ok(Self {
            entry: report["session"]["entry"].as_str().unwrap_or("?").into(),
            asked,
            cpus,
            preempt: preempt.into(),
            made: number(&syscr.context("the report has no witness syscr")?["theirs"])?,
            seen: number(&scenario["calls"])?,
            missed: number(&scenario["missed_calls"]["total"])?,
            notes: serde_json::from_value(report["quality"]["notes"].clone())
                .context("the report has no notes")?,
        })
    }

    /// Is each call accounted for? And is none missed, and no way refused, but where it has to be?
    fn is_good(&self) -> bool {
        let has_to_miss = self.asked.way != WAYS[0] || self.asked.neighbour;
        self.made == u64::from(CALLS)
            && self.seen + self.missed == self.made
            && ((self.missed == 0 && self.notes.is_empty()) || has_to_miss)
    }
}

/// Boots the kernel in each mode that it has.
pub(super) fn run(bed: &Bed<'_>) -> Readers {
    let mut readers = Readers::default();
    let offered = readers.boot(bed, &COUNTED, &on_one());
    for mode in others(&offered) {
        let append = format!("preempt={mode}");
        let machine = Machine {
            append: &append,
            ..COUNTED
        };
        let offered = readers.boot(bed, &machine, &on_one());
        if !offered.is_empty() && active(&offered) != mode {
            let why = format!("asked for {append}, the kernel runs with {offered}");
            readers.failed.push(why);
        }
    }
    readers.boot(bed, &TWO, &on_two());
    readers
}

impl Readers {
    /// Runs on one machine. Gives the modes of preemption as the kernel lists them; nothing
    /// where it did not come so far.
    fn boot(&mut self, bed: &Bed<'_>, machine: &Machine<'_>, runs: &[Asked]) -> String {
        let name = match machine.append {
            "" => format!("{} processors", machine.cpus),
            append => format!("{} processors, {append}", machine.cpus),
        };
        let script = script(runs);
        let append = format!("tsc=reliable {}", machine.append);
        let booted = bed.boot(&Machine {
            append: &append,
            script: &script,
            ..*machine
        });
        let left = booted.and_then(|left| Ok((left.file("preempt")?, left)));
        let (offered, left) = match left {
            Ok((offered, left)) => (offered.trim().to_owned(), left),
            Err(error) => {
                self.failed.push(format!("{name}: {error:#}"));
                return String::new();
            }
        };
        for run in runs {
            match run.row(&left, machine.cpus, active(&offered)) {
                Ok(row) => self.rows.push(row),
                Err(error) => self
                    .failed
                    .push(format!("{name}, {}: {error:#}", run.name())),
            }
        }
        offered
    }
}

impl Asked {
    /// Of its files.
    fn name(self) -> String {
        let beside = if self.neighbour { "-beside" } else { "" };
        format!("{}-{}{beside}", self.way, self.readers)
    }

    fn row(self, left: &Left, cpus: u32, preempt: &str) -> Result<Row> {
        let name = self.name();
        left.succeeded(&name)?;
        if self.neighbour && left.file(&format!("{name}.neighbour"))?.trim() != "killed" {
            bail!("the program beside it ended by itself");
        }
        Row::read(&left.file(&name)?, self, cpus, preempt)
    }

    fn script(self) -> String {
        let (name, Self { way, readers, .. }) = (self.name(), self);
        let bench = leaving(
            &name,
            &format!(
                "profiler bench --dir /mnt/ext4 --size 1M --scenario warm --threads {readers} \
                 --reads {CALLS} --entry {way} --json -"
            ),
        );
        if !self.neighbour {
            return bench;
        }
        format!(
            "{SUITE} profiler-test-neighbour &\nneighbour=$!\n{bench}\
             kill -9 $neighbour && echo killed >/out/{name}.neighbour\n"
        )
    }
}

fn on_one() -> Vec<Asked> {
    let alone = WAYS.into_iter().flat_map(|way| {
        READERS.map(|readers| Asked {
            way,
            readers,
            neighbour: false,
        })
    });
    let beside = Asked {
        way: WAYS[0],
        readers: READERS[0],
        neighbour: true,
    };
    alone.chain([beside]).collect()
}

fn on_two() -> Vec<Asked> {
    let asked = |each| Asked {
        way: WAYS[0],
        readers: each * TWO.cpus,
        neighbour: false,
    };
    READERS.map(asked).into()
}

fn script(runs: &[Asked]) -> String {
    let runs = runs.iter().map(|run| run.script());
    let first = "cat /sys/kernel/debug/sched/preempt >/out/preempt\n".to_owned();
    std::iter::once(first).chain(runs).collect()
}

/// The mode in parentheses: `none voluntary (full) lazy`.
fn active(modes: &str) -> &str {
    let inside = modes
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    inside.map_or("?", |(mode, _)| mode)
}

/// The modes of [`MODES`] that the kernel lists and does not run in.
fn others(offered: &str) -> impl Iterator<Item = &'static str> {
    let listed = |mode: &&str| offered.split_whitespace().any(|word| word == *mode);
    MODES.into_iter().filter(listed)
}

/// All rows, in Markdown.
pub(super) fn table<'a>(rows: impl Iterator<Item = (String, &'a Row)>) -> String {
    let mut table = Table::new(&[
        "kernel",
        "preempt",
        "CPUs",
        "readers",
        "beside",
        "asked for",
        "way",
        "made",
        "seen",
        "missed",
        "exact",
    ]);
    for (kernel, row) in rows {
        let exact = row.seen + row.missed == row.made;
        table.row(vec![
            kernel,
            row.preempt.clone(),
            row.cpus.to_string(),
            row.asked.readers.to_string(),
            if row.asked.neighbour { "BPF maps" } else { "" }.into(),
            row.asked.way.into(),
            row.entry.clone(),
            row.made.to_string(),
            row.seen.to_string(),
            row.missed.to_string(),
            if exact { "yes" } else { "NO" }.into(),
        ]);
    }
    table.text()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    fn row(seen: u64, missed: u64, way: &'static str, neighbour: bool) -> Row {
        let report = json!({
            "session": { "entry": "tp_btf" },
            "quality": { "notes": [] },
            "scenarios": [{
                "calls": seen, "missed_calls": { "total": missed },
                "witness": [{ "name": "syscr", "theirs": 80_000 }],
            }],
        });
        let asked = Asked {
            way,
            readers: 4,
            neighbour,
        };
        Row::read(&report.to_string(), asked, 1, "lazy").unwrap()
    }

    pub(in crate::kernels) fn some() -> Readers {
        Readers {
            rows: vec![row(80_000, 0, "auto", false)],
            failed: Vec::new(),
        }
    }

    #[test]
    fn a_missed_call_is_only_good_where_it_was_asked_for() {
        assert!(row(80_000, 0, "auto", false).is_good());
        assert!(!row(79_999, 1, "auto", false).is_good());
        assert!(row(79_999, 1, "auto", true).is_good());
        assert!(row(79_999, 1, "tp-btf", false).is_good());
        assert!(!row(79_998, 1, "tp-btf", false).is_good());
        assert!(!row(79_998, 1, "auto", true).is_good());
    }

    #[test]
    fn what_failed_is_not_good_and_leaves_the_rest() {
        let mut readers = some();
        assert!(readers.faults().is_empty());
        readers.failed.push("no boot".into());
        assert_eq!(readers.faults(), ["readers: no boot"]);
        assert_eq!(Readers::default().faults(), ["readers: none were run"]);
    }

    #[test]
    fn no_two_runs_have_the_same_files() {
        for runs in [on_one(), on_two()] {
            let mut names: Vec<_> = runs.iter().map(|run| run.name()).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), runs.len());
        }
    }

    #[test]
    fn a_way_that_is_refused_is_not_as_it_should_be() {
        for (asked, good) in [("auto", false), ("tp-btf", true)] {
            let mut row = row(80_000, 0, asked, false);
            row.notes.push("refused".into());
            assert_eq!(row.is_good(), good, "{asked}");
        }
    }

    #[test]
    fn the_mode_is_the_one_in_parentheses() {
        assert_eq!(active("none (voluntary) full"), "voluntary");
        assert_eq!(active("(full) lazy"), "full");
        assert_eq!(active(""), "?");
        assert!(others("none (voluntary) full").eq(["full"]));
        assert!(others("(full) lazy").eq(["lazy"]));
    }
}
