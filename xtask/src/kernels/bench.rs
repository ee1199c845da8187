//! All scenarios of the bench, on a disk of each file system, and what their reports say.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{
    bed::{Bed, Left, leaving},
    guest::{Clock, Disk, Filesystem, Machine},
};
use crate::process;

/// More of the blocked time than this must not be unexplained.
const UNEXPLAINED: f64 = 0.01;
/// Reads a second that each disk takes, a tenth of a second's worth at once: without that it
/// would answer before most readers have gone to sleep.
pub(super) const READS_A_SECOND: u32 = 400;
pub(super) const CPUS: u32 = 2;
pub(super) const MEMORY: &str = "512M";
/// mkfs.xfs takes no disk smaller than this.
const DISK_BYTES: u64 = 320 << 20;

/// The bench on one file system.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) filesystem: &'static str,
    /// Or why there is none.
    pub(super) report: Result<Report>,
}

#[derive(Debug)]
pub(super) struct Report {
    pub(super) hooks: u64,
    pub(super) attached: u64,
    /// What is lost, and the hooks whose lack costs it.
    pub(super) missing: BTreeMap<String, Vec<String>>,
    pub(super) facts: u64,
    pub(super) lost: u64,
    pub(super) incomplete: u64,
    pub(super) missed: u64,
    pub(super) unexplained: f64,
    /// The recording gives the same scenarios on this machine.
    pub(super) replayed: bool,
    pub(super) scenarios: Vec<Scenario>,
}

#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) calls: u64,
    pub(super) blocked: u64,
    /// Share of the blocked time that went to the device and its queue.
    pub(super) device: Option<f64>,
    pub(super) unexplained: Option<f64>,
    pub(super) witnesses: u64,
    /// Names of those that disagree, with both numbers.
    pub(super) disagree: Vec<String>,
}

/// The command, in a guest.
pub(super) fn command(filesystem: &str) -> String {
    format!(
        "profiler bench --dir /mnt/{filesystem} --size 16M --reads 500 \
         --record /out/{filesystem}.rec --json -"
    )
}

/// Boots the kernel and runs the bench on each file system.
pub(super) fn run(bed: &Bed<'_>) -> Result<Vec<Run>> {
    let disks = Filesystem::ALL.map(|filesystem| Disk {
        filesystem,
        bytes: DISK_BYTES,
        reads_a_second: Some(READS_A_SECOND),
    });
    let names = Filesystem::ALL.map(Filesystem::name);
    let script = names.map(|name| leaving(name, &command(name))).concat();
    let left = bed.boot(&Machine {
        cpus: CPUS,
        memory: MEMORY,
        clock: Clock::Host,
        append: "",
        disks: &disks,
        programs: &[],
        tools: &[],
        script: &script,
    })?;
    let run = |filesystem| Run {
        filesystem,
        report: read(bed, &left, filesystem),
    };
    Ok(names.map(run).into())
}

fn read(bed: &Bed<'_>, left: &Left, name: &str) -> Result<Report> {
    left.succeeded(name)?;
    let report = left.file(name)?;
    bed.keep(left, name)?;
    let recording = bed.keep(left, &format!("{name}.rec"))?;
    let mut replay = Command::new(&bed.programs.profiler);
    replay.arg("report").arg(recording);
    let again = process::output(replay.args(["--format", "json"]))?;
    Report::of(&report, &again)
}

impl Run {
    /// What is wrong: it did not work, something is lost, or left in the dark.
    pub(super) fn fault(&self) -> Option<String> {
        let filesystem = self.filesystem;
        let why = match &self.report {
            Err(error) => format!("{error:#}"),
            Ok(report) => report.fault()?,
        };
        Some(format!("the bench on {filesystem}: {why}"))
    }
}

impl Report {
    /// `again` is what the recording of it gives.
    fn of(report: &str, again: &str) -> Result<Self> {
        let parse = |text: &str| serde_json::from_str(text).context("the report is no JSON");
        let (report, again): (Value, Value) = (parse(report)?, parse(again)?);
        let quality = &report["quality"];
        let hooks = list(&report["session"]["hooks"]);
        let attached = hooks.iter().filter(|hook| hook["attached"] == true);
        let mut missing = BTreeMap::<String, Vec<String>>::new();
        for hook in hooks.iter().filter(|hook| hook["attached"] != true) {
            let cost = text(&hook["without_it"]);
            missing.entry(cost).or_default().push(text(&hook["hook"]));
        }
        let scenarios = list(&report["scenarios"]);
        let missed = scenarios
            .iter()
            .map(|it| number(&it["missed_calls"]["total"]));
        if scenarios.is_empty() {
            bail!("the report has no scenarios");
        }
        Ok(Self {
            hooks: hooks.len() as u64,
            attached: attached.count() as u64,
            missing,
            facts: number(&quality["facts"])?,
            lost: number(&quality["lost"])?,
            incomplete: number(&quality["incomplete_calls"])?,
            missed: missed.sum::<Result<_>>()?,
            unexplained: quality["unexplained_share"]
                .as_f64()
                .context("unexplained_share is no number")?,
            replayed: report["scenarios"] == again["scenarios"],
            scenarios: scenarios
                .iter()
                .map(Scenario::read)
                .collect::<Result<_>>()?,
        })
    }

    fn fault(&self) -> Option<String> {
        let counts = [
            (self.lost, "facts lost"),
            (self.missed, "calls missed"),
            (self.incomplete, "calls incomplete"),
        ];
        if let Some((count, what)) = counts.into_iter().find(|it| it.0 > 0) {
            return Some(format!("{count} {what}"));
        }
        if self.unexplained > UNEXPLAINED {
            let share = self.unexplained * 100.0;
            return Some(format!("{share:.2}% of the blocked time is unexplained"));
        }
        (!self.replayed).then(|| "its recording gives another report".into())
    }

    pub(super) fn witnesses(&self) -> u64 {
        self.scenarios.iter().map(|it| it.witnesses).sum()
    }

    pub(super) fn disagree(&self) -> u64 {
        self.scenarios
            .iter()
            .map(|it| it.disagree.len() as u64)
            .sum()
    }
}

impl Scenario {
    fn read(scenario: &Value) -> Result<Self> {
        let blame = |cause: &str| number(&scenario["blame_ns"][cause]);
        let blocked_ns = number(&scenario["blocked_ns"])?;
        let share = |ns: u64| (blocked_ns > 0).then(|| ns as f64 / blocked_ns as f64);
        let witnesses = list(&scenario["witness"]);
        let disagree = witnesses
            .iter()
            .filter(|witness| witness["agrees"] != true)
            .map(|witness| {
                let name = text(&witness["name"]);
                format!(
                    "{name} (ours {}, theirs {})",
                    witness["ours"], witness["theirs"]
                )
            });
        Ok(Self {
            name: text(&scenario["name"]),
            calls: number(&scenario["calls"])?,
            blocked: number(&scenario["blocked_calls"])?,
            device: share(blame("device")? + blame("queue")?),
            unexplained: share(blame("unexplained")?),
            witnesses: witnesses.len() as u64,
            disagree: disagree.collect(),
        })
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> Result<u64> {
    value
        .as_u64()
        .with_context(|| format!("the report has {value} where a number should be"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// What a guest that lacks a hook would say.
    fn report() -> Value {
        json!({
            "session": { "hooks": [
                { "hook": "sched_switch", "attached": true, "without_it": "nothing" },
                { "hook": "begin", "attached": false, "without_it": "locks" },
                { "hook": "end", "attached": false, "without_it": "locks" },
            ]},
            "scenarios": [{
                "name": "cold", "calls": 500, "blocked_calls": 400, "blocked_ns": 1000,
                "missed_calls": { "total": 0 },
                "blame_ns": { "device": 700, "queue": 200, "unexplained": 5 },
                "witness": [
                    { "name": "ops", "agrees": true, "ours": 500, "theirs": 500 },
                    { "name": "run_delay", "agrees": false, "ours": 9, "theirs": 3 },
                ],
            }],
            "quality": { "facts": 1234, "lost": 0, "incomplete_calls": 0,
                         "unexplained_share": 0.005 },
        })
    }

    pub(in crate::kernels) fn a_run() -> Run {
        let report = report().to_string();
        Run {
            filesystem: "ext4",
            report: Report::of(&report, &report),
        }
    }

    #[test]
    fn the_numbers_are_the_reports() {
        let run = a_run();
        assert_eq!(run.fault(), None);
        let report = run.report.unwrap();
        assert_eq!((report.attached, report.hooks), (1, 3));
        assert_eq!(report.missing["locks"], ["begin", "end"]);
        assert_eq!(report.scenarios[0].device, Some(0.9));
        assert_eq!(
            report.scenarios[0].disagree,
            ["run_delay (ours 9, theirs 3)"]
        );
    }

    #[test]
    fn what_is_lost_missed_or_replayed_otherwise_is_not_good() {
        let fault = |change: &dyn Fn(&mut Value)| {
            let (mut changed, again) = (report(), report());
            change(&mut changed);
            let report = Report::of(&changed.to_string(), &again.to_string());
            let filesystem = "ext4";
            Run { filesystem, report }.fault()
        };
        let has = |fault: Option<String>, word| assert!(fault.unwrap().contains(word));
        assert_eq!(fault(&|_| {}), None);
        has(fault(&|it| it["quality"]["lost"] = 1.into()), "lost");
        has(
            fault(&|it| it["quality"]["unexplained_share"] = 0.02.into()),
            "unexplained",
        );
        has(
            fault(&|it| it["scenarios"][0]["calls"] = 499.into()),
            "another report",
        );
        has(fault(&|it| it["scenarios"] = json!([])), "no scenarios");
    }
}
