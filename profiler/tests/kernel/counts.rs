//! Every count of every scenario of `bench`, on ext4, xfs and btrfs, with one thread and
//! with eight, against who counted the same without the probes.

use profiler::report::v1::WitnessName;
use std::collections::BTreeMap;

use profiler::lab::proof::{self, Line, Part};
use profiler::lab::rig::{Disk, Kind};
use profiler::report::v1::{Relation, Report, Scenario, Unit, Witness};

use crate::{
    harness::{needs_kernel, on_disk, skip, witness},
    scenarios::{bench_in, cold_random, direct, mapped, readahead},
};

const DISK: u64 = 512 << 20;
const READS: &str = "3000";
const NAMES: &str =
    "warm,cold-random,readahead,no-readahead,direct-sequential,direct-random,mapped";

/// What each scenario is there for, and who has to have counted.
fn check(scenario: &Scenario) {
    match scenario.name.as_str() {
        // Who was not there any more had been reclaimed; the residency witness counts it.
        "warm" => {
            let (hits, again) = (scenario.outcomes.hit.calls, scenario.readahead.pages_filled);
            assert!(hits + again >= scenario.calls, "{:?}", scenario.outcomes);
        }
        "cold-random" => cold_random(scenario),
        "readahead" => readahead(scenario),
        "no-readahead" => {
            assert!(scenario.outcomes.miss.calls * 100 >= scenario.calls * 99);
        }
        "mapped" => mapped(scenario),
        _ => direct(scenario),
    }
    for needed in [WitnessName::DiskReads, WitnessName::Sectors] {
        let said = witness(scenario, needed);
        assert!(said.is_some(), "{}: nobody said {needed}", scenario.name);
    }
}

/// All that was said of one count.
#[derive(Default)]
struct Sum {
    ours: u64,
    theirs: u64,
    /// Faults that waited for a page on its way or read ahead, which may be major ones too.
    joined: u64,
    first: Option<Witness>,
}

fn add(report: &Report, sums: &mut BTreeMap<String, Sum>) {
    let said = |scenario: &Scenario| {
        let joined = scenario.faults.joined + scenario.faults.ahead;
        scenario
            .witness
            .clone()
            .into_iter()
            .map(move |witness| (witness, joined))
    };
    for (witness, joined) in report.scenarios.iter().flat_map(said) {
        let sum = sums.entry(witness.name.to_string()).or_default();
        sum.ours += witness.ours;
        sum.theirs += witness.theirs;
        sum.joined += joined;
        sum.first.get_or_insert(witness);
    }
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn told(kind: Kind, sums: &BTreeMap<String, Sum>) {
    for (name, sum) in sums {
        // Quantiles are no counts.
        if name.starts_with("latency-") {
            continue;
        }
        let first = sum.first.as_ref().expect("there is one");
        let unit = match first.unit {
            Unit::Ns => " ns",
            Unit::Bytes => " bytes",
            Unit::Count => "",
        };
        let (ours, theirs) = (grouped(sum.ours), grouped(sum.theirs));
        let expected = match first.relation {
            _ if name == "nvcsw" => format!("{theirs}, but for a hundredth outside of calls"),
            Relation::Equal => format!("{theirs}{unit}"),
            Relation::AtMost => format!("at most {theirs}{unit}"),
            Relation::AtLeast => format!("{theirs}{unit}, but for what is outside of calls"),
        };
        let found = match name.as_str() {
            "majflt" => format!("{ours} to {}", grouped(sum.ours + sum.joined)),
            _ => format!("{ours}{unit}"),
        };
        proof::record(&Line::Kept {
            part: Part::Counts,
            what: &format!("{name} ({})", kind.name()),
            provoked: "7 scenarios of `bench`, 3,000 reads each, with 1 thread and with 8",
            expected: &expected,
            found: &found,
        })
        .expect("to be written down");
    }
}

fn on(kind: Kind) {
    let disk = match Disk::with(kind, DISK, &on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let mut sums = BTreeMap::new();
    for threads in [1, 8] {
        let words = ["--reads", READS];
        let report = bench_in(disk.path(), &threads.to_string(), NAMES, &words);
        for scenario in &report.scenarios {
            assert_eq!(scenario.workload.filesystem.as_deref(), Some(kind.name()));
            let device = scenario.workload.device.as_deref();
            assert_eq!(
                device,
                disk.device().file_name().and_then(|name| name.to_str())
            );
            check(scenario);
            for call in &scenario.slowest {
                let path = call.path.as_deref().unwrap_or_default();
                assert!(path.starts_with("own file in "), "{path}");
            }
        }
        add(&report, &mut sums);
    }
    told(kind, &sums);
}

#[test]
fn on_ext4_all_counts_agree() {
    needs_kernel!();
    on(Kind::Ext4);
}

#[test]
fn on_xfs_all_counts_agree() {
    needs_kernel!();
    on(Kind::Xfs);
}

#[test]
fn on_btrfs_all_counts_agree() {
    needs_kernel!();
    on(Kind::Btrfs);
}
