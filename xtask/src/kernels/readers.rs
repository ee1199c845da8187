//! Every call, exactly: readers on one processor, with preemption as each kernel offers it.
//!
//! What the profiler saw and what it counted as missed must be what was read, to the one.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{
    Work,
    guest::{self, Machine},
    packages::Kernel,
    tools::Tools,
};
use crate::table::Table;

/// How many threads read.
const READERS: [u32; 2] = [4, 16];
/// Calls that they make together.
const CALLS: u32 = 80_000;
/// How begins and ends are seen: as the profiler chooses, and as it does elsewhere.
const WAYS: [&str; 2] = ["auto", "tp-btf"];
/// Modes of preemption that are tried where the kernel has them, besides its own.
const MODES: [&str; 2] = ["lazy", "full"];

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The way that was taken, as the report names it.
    entry: String,
    asked: &'static str,
    /// The kernel's own word for its mode.
    preempt: String,
    readers: u32,
    made: u64,
    seen: u64,
    missed: u64,
    /// What the report says of itself besides: ways that were refused, among others.
    notes: Vec<String>,
}

impl Row {
    fn read(report: &str, readers: u32, asked: &'static str, preempt: &str) -> Result<Self> {
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
            preempt: preempt.into(),
            readers,
            made: number(&syscr.context("the report has no witness syscr")?["theirs"])?,
            seen: number(&scenario["calls"])?,
            missed: number(&scenario["missed_calls"]["total"])?,
            notes: serde_json::from_value(report["quality"]["notes"].clone())
                .context("the report has no notes")?,
        })
    }

    /// Is each call accounted for? And is none missed, and no way refused, unless it was asked
    /// for?
    pub(super) fn is_good(&self) -> bool {
        self.made == u64::from(CALLS)
            && self.seen + self.missed == self.made
            && (self.missed == 0 || self.asked != WAYS[0])
            && (self.notes.is_empty() || self.asked != WAYS[0])
    }
}

/// Boots the kernel in each mode that it has.
pub(super) fn run(
    tools: &Tools,
    kernel: &Kernel,
    profiler: &Path,
    folder: &Path,
) -> Result<Vec<Row>> {
    let (mut rows, offered) = boot(tools, kernel, profiler, folder, "")?;
    for mode in others(&offered) {
        let append = format!("preempt={mode}");
        let (more, offered) = boot(tools, kernel, profiler, folder, &append)?;
        if active(&offered) != mode {
            bail!("asked for {append}, the kernel runs with {offered}");
        }
        rows.extend(more);
    }
    Ok(rows)
}

/// Rows of one boot, and the modes of preemption as the kernel lists them.
fn boot(
    tools: &Tools,
    kernel: &Kernel,
    profiler: &Path,
    folder: &Path,
    append: &str,
) -> Result<(Vec<Row>, String)> {
    let work = Work::new(folder.join("work"))?;
    let script = script();
    let machine = Machine {
        cpus: 1,
        instruction_clock: true,
        append: &format!("tsc=reliable {append}"),
        reads_a_second: None,
        script: &script,
    };
    let left = guest::boot(tools, kernel, profiler, &work.0, &machine)?;
    let offered = guest::file(&left, "preempt")?.trim().to_owned();
    let mut rows = Vec::new();
    for (asked, readers) in runs() {
        let name = format!("{asked}-{readers}");
        let status = guest::file(&left, &format!("{name}.status"))?;
        if status.trim() != "0" {
            let said = guest::file(&left, &format!("{name}.progress"))?;
            bail!(
                "{readers} readers, {offered}: the bench failed: {}",
                said.trim()
            );
        }
        let report = guest::file(&left, &name)?;
        rows.push(Row::read(&report, readers, asked, active(&offered))?);
    }
    Ok((rows, offered))
}

fn runs() -> impl Iterator<Item = (&'static str, u32)> {
    WAYS.into_iter()
        .flat_map(|way| READERS.map(|readers| (way, readers)))
}

fn script() -> String {
    let mut script = String::from("cat /sys/kernel/debug/sched/preempt >/out/preempt\n");
    for (way, readers) in runs() {
        let out = format!("/out/{way}-{readers}");
        script += &format!(
            "profiler bench --dir /mnt --size 1M --scenario warm --threads {readers} \
             --reads {CALLS} --entry {way} --json - >{out} 2>{out}.progress\n\
             echo $? >{out}.status\n"
        );
    }
    script
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
        "readers",
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
            row.readers.to_string(),
            row.asked.into(),
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

    pub(in crate::kernels) fn row(seen: u64, missed: u64, asked: &'static str) -> Row {
        let report = json!({
            "session": { "entry": "tp_btf" },
            "quality": { "notes": [] },
            "scenarios": [{
                "calls": seen, "missed_calls": { "total": missed },
                "witness": [{ "name": "syscr", "theirs": 80_000 }],
            }],
        });
        Row::read(&report.to_string(), 4, asked, "lazy").unwrap()
    }

    #[test]
    fn a_missed_call_is_only_good_where_it_was_asked_for() {
        assert!(row(80_000, 0, "auto").is_good());
        assert!(!row(79_999, 1, "auto").is_good());
        assert!(row(79_999, 1, "tp-btf").is_good());
        assert!(!row(79_998, 1, "tp-btf").is_good());
    }

    #[test]
    fn a_way_that_is_refused_is_not_as_it_should_be() {
        for (asked, good) in [("auto", false), ("tp-btf", true)] {
            let mut row = row(80_000, 0, asked);
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
