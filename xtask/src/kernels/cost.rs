//! What each way of seeing begins and ends costs, in instructions: a read and another call, of
//! a program that is watched and of one that is not.
//!
//! One processor, whose clock counts instructions as nanoseconds; the caller asks for the time
//! that its own thread was on it, so what the collector does there is not counted.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    bed::{Bed, Left, SUITE, leaving},
    guest::{COUNTED, Machine},
};
use crate::table::Table;

/// As `--entry` takes them.
const WAYS: [&str; 3] = ["tp-btf", "kprobe-session", "raw-syscalls"];
/// Calls of each kind.
const CALLS: u32 = 20_000;

/// Instructions a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Calls {
    read: f64,
    other: f64,
}

/// One way's, without what the calls take by themselves.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Added {
    way: &'static str,
    watched: Calls,
    beside: Calls,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cost {
    /// Nobody watches.
    alone: Calls,
    added: Vec<Added>,
    /// Ways that the kernel does not have, and why.
    without: Vec<String>,
}

pub(super) fn run(bed: &Bed<'_>) -> Result<Cost> {
    let script = script();
    let left = bed.boot(&Machine {
        append: "tsc=reliable",
        script: &script,
        ..COUNTED
    })?;
    left.succeeded("alone")?;
    let alone = calls(&left, "alone")?;
    let (mut added, mut without) = (Vec::new(), Vec::new());
    for way in WAYS {
        if let Err(error) = left.succeeded(&format!("{way}-watched")) {
            without.push(format!("{error:#}"));
            continue;
        }
        left.succeeded(&format!("{way}-beside"))?;
        let more = |name: &str| Ok::<_, anyhow::Error>(calls(&left, name)?.without(alone));
        added.push(Added {
            way,
            watched: more(&format!("{way}-watched"))?,
            beside: more(&format!("{way}-beside"))?,
        });
    }
    anyhow::ensure!(!added.is_empty(), "no way works: {}", without.join("; "));
    Ok(Cost {
        alone,
        added,
        without,
    })
}

fn calls(left: &Left, name: &str) -> Result<Calls> {
    Calls::read(&left.file(&format!("{name}.record"))?).with_context(|| name.to_owned())
}

impl Calls {
    /// What the meter wrote (profiler/tests/kernel/meter.rs).
    fn read(record: &str) -> Result<Self> {
        let record: Value = serde_json::from_str(record).context("the record is no JSON")?;
        let number = |name: &str| record[name].as_f64().with_context(|| format!("no {name}"));
        let count = number("count")?;
        Ok(Self {
            read: number("read_ns")? / count,
            other: number("getppid_ns")? / count,
        })
    }

    fn without(self, alone: Self) -> Self {
        Self {
            read: self.read - alone.read,
            other: self.other - alone.other,
        }
    }
}

fn script() -> String {
    let meter = |name: &str| {
        format!(
            "{SUITE} profiler-test-meter '{{\"path\":\"/mnt/ext4/page\",\"count\":{CALLS},\
             \"record\":\"/out/{name}.record\"}}'"
        )
    };
    let mut script = "dd if=/dev/zero of=/mnt/ext4/page bs=4096 count=1 2>/dev/null\n".to_owned();
    script += &leaving("alone", &meter("alone"));
    for way in WAYS {
        let run = format!("profiler run --entry {way} --json");
        let (watched, beside) = (format!("{way}-watched"), format!("{way}-beside"));
        let command = format!("{run} /out/{watched}.report -- {}", meter(&watched));
        script += &leaving(&watched, &command);
        // The command begins once the probes are there.
        script += &format!(
            "if [ \"$(cat /out/{watched}.status)\" = 0 ]; then\n\
             {run} /out/{beside}.report -- sh -c '>/tmp/{way}; sleep 5' >/dev/null 2>&1 &\n\
             until [ -e /tmp/{way} ]; do sleep 0.1; done\n{}wait\nfi\n",
            leaving(&beside, &meter(&beside))
        );
    }
    script
}

/// The costs of all kernels, in Markdown.
pub(super) fn table<'a>(costs: impl Iterator<Item = (String, &'a Cost)>) -> String {
    let mut table = Table::new(&[
        "kernel",
        "way",
        "a read, watched",
        "a read beside",
        "another call, watched",
        "another call beside",
    ]);
    for (kernel, cost) in costs {
        let whole = |number: f64| format!("{number:.0}");
        let more = |number: f64| format!("{number:+.0}");
        table.row(vec![
            kernel.clone(),
            "nobody watches".into(),
            whole(cost.alone.read),
            whole(cost.alone.read),
            whole(cost.alone.other),
            whole(cost.alone.other),
        ]);
        for added in &cost.added {
            table.row(vec![
                kernel.clone(),
                added.way.into(),
                more(added.watched.read),
                more(added.beside.read),
                more(added.watched.other),
                more(added.beside.other),
            ]);
        }
    }
    table.text()
}

impl Cost {
    pub(super) fn without(&self) -> &[String] {
        &self.without
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn of(read: u32, other: u32) -> Calls {
        let (read, other) = (read * 10, other * 10);
        let record = format!("{{\"count\":10,\"read_ns\":{read},\"getppid_ns\":{other}}}");
        Calls::read(&record).unwrap()
    }

    pub(in crate::kernels) fn some() -> Cost {
        let alone = of(900, 100);
        Cost {
            alone,
            added: vec![Added {
                way: "tp-btf",
                watched: of(1500, 300).without(alone),
                beside: of(1200, 250).without(alone),
            }],
            without: vec!["no kprobes".into()],
        }
    }

    #[test]
    fn a_cost_is_what_is_added() {
        let text = table([("6.1".to_owned(), &some())].into_iter());
        let row = text.lines().last().unwrap();
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[2..7], ["tp-btf", "+600", "+300", "+200", "+150"]);
    }

    #[test]
    fn a_meter_that_wrote_nothing_is_an_error() {
        assert!(Calls::read("").is_err());
        assert!(Calls::read("{\"count\":3}").is_err());
    }
}
