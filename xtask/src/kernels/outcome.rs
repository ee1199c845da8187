//! What a boot came to: the numbers of its report that the page shows.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{guest::Said, packages::Kernel, readers::Row};

/// More of the blocked time than this must not be unexplained.
const UNEXPLAINED: f64 = 0.01;

/// One kernel's.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) release: String,
    /// Or why there is none.
    pub(super) report: Result<Report>,
    /// What became of each call of readers on one processor.
    pub(super) readers: Result<Vec<Row>>,
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
    pub(super) unexplained: f64,
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

impl Outcome {
    pub(super) fn new(kernel: &Kernel, came: Result<Said>, readers: Result<Vec<Row>>) -> Self {
        Self {
            release: kernel.release.clone(),
            report: came.and_then(|said| Report::read(&said)),
            readers,
        }
    }

    /// Did it work, nothing lost, nothing left in the dark?
    pub(super) fn is_good(&self) -> bool {
        let readers = self.readers.as_ref();
        readers.is_ok_and(|rows| rows.iter().all(Row::is_good))
            && self.report.as_ref().is_ok_and(|report| {
                report.lost == 0 && report.incomplete == 0 && report.unexplained <= UNEXPLAINED
            })
    }

    /// One line.
    pub(super) fn verdict(&self) -> String {
        match (&self.report, &self.readers) {
            (Err(error), _) | (_, Err(error)) => format!("failed: {error:#}"),
            (Ok(report), Ok(rows)) => format!(
                "{} of {} runs of readers as they should be, {} of {} hooks, {} facts, {} lost, {:.2}% of blocked time unexplained",
                rows.iter().filter(|row| row.is_good()).count(),
                rows.len(),
                report.attached,
                report.hooks,
                report.facts,
                report.lost,
                report.unexplained * 100.0
            ),
        }
    }
}

impl Report {
    fn read(said: &Said) -> Result<Self> {
        if said.status != "0" {
            bail!(
                "the bench ended with {}:\n{}\n{}",
                said.status,
                said.progress.trim(),
                said.doctor.trim()
            );
        }
        let report: Value = serde_json::from_str(&said.report).context("its report is no JSON")?;
        let quality = &report["quality"];
        let hooks = list(&report["session"]["hooks"]);
        let attached = hooks.iter().filter(|hook| hook["attached"] == true);
        let mut missing = BTreeMap::<String, Vec<String>>::new();
        for hook in hooks.iter().filter(|hook| hook["attached"] != true) {
            let cost = text(&hook["without_it"]);
            missing.entry(cost).or_default().push(text(&hook["hook"]));
        }
        Ok(Self {
            hooks: hooks.len() as u64,
            attached: attached.count() as u64,
            missing,
            facts: number(&quality["facts"])?,
            lost: number(&quality["lost"])?,
            incomplete: number(&quality["incomplete_calls"])?,
            unexplained: quality["unexplained_share"]
                .as_f64()
                .context("unexplained_share is no number")?,
            scenarios: list(&report["scenarios"])
                .iter()
                .map(Scenario::read)
                .collect::<Result<_>>()?,
        })
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
    pub(in crate::kernels) fn outcome() -> Outcome {
        let report = json!({
            "session": { "hooks": [
                { "hook": "sched_switch", "attached": true, "without_it": "nothing" },
                { "hook": "begin", "attached": false, "without_it": "locks" },
                { "hook": "end", "attached": false, "without_it": "locks" },
            ]},
            "scenarios": [{
                "name": "cold", "calls": 500, "blocked_calls": 400, "blocked_ns": 1000,
                "blame_ns": { "device": 700, "queue": 200, "unexplained": 5 },
                "witness": [
                    { "name": "ops", "agrees": true, "ours": 500, "theirs": 500 },
                    { "name": "run_delay", "agrees": false, "ours": 9, "theirs": 3 },
                ],
            }],
            "quality": { "facts": 1234, "lost": 0, "incomplete_calls": 0,
                         "unexplained_share": 0.005 },
        });
        let said = Said {
            doctor: String::new(),
            report: report.to_string(),
            progress: String::new(),
            status: "0".into(),
        };
        Outcome {
            release: "6.1.0-56-cloud-amd64".into(),
            report: Report::read(&said),
            readers: Ok(vec![super::super::readers::tests::row(80_000, 0, "auto")]),
        }
    }

    #[test]
    fn the_numbers_are_the_reports() {
        let outcome = outcome();
        assert!(outcome.is_good());
        let report = outcome.report.unwrap();
        assert_eq!((report.attached, report.hooks), (1, 3));
        assert_eq!(report.missing["locks"], ["begin", "end"]);
        assert_eq!(report.scenarios[0].device, Some(0.9));
        assert_eq!(
            report.scenarios[0].disagree,
            ["run_delay (ours 9, theirs 3)"]
        );
    }

    #[test]
    fn a_bench_that_fails_says_why() {
        let said = Said {
            doctor: String::new(),
            report: String::new(),
            progress: "profiler: no field".into(),
            status: "1".into(),
        };
        let error = Report::read(&said).unwrap_err();
        assert!(error.to_string().contains("no field"));
    }
}
