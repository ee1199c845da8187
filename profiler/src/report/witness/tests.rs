//! Each witness, when it agrees and when it does not.

use super::*;
use crate::report::v1::{Io, Switches, Word, Workload};

mod missed;

fn scenario(style: &str, calls: u64) -> Scenario {
    Scenario {
        workload: Workload {
            style: Word::from_text(style),
            ..Workload::default()
        },
        calls,
        bytes: calls * 4096,
        duration_ns: calls * 1000,
        io: Some(Io {
            bytes: calls * 4096,
            requests: calls,
            ..Io::default()
        }),
        ..Scenario::default()
    }
}

fn after(after: Counts) -> Readings {
    let zero = Some(0);
    let before = Counts {
        majflt: zero,
        syscr: zero,
        rchar: zero,
        read_bytes: zero,
        run_delay_ns: zero,
        nvcsw: zero,
        nivcsw: zero,
        disk_sectors: zero,
        ..Counts::default()
    };
    Readings {
        before,
        after,
        ..Readings::default()
    }
}

fn agrees(witnesses: &[Witness], name: &str) -> Option<bool> {
    witnesses
        .iter()
        .find(|witness| witness.name.as_str() == name)
        .map(|witness| witness.agrees)
}

#[test]
fn nobody_looked_nobody_is_quoted() {
    assert_eq!(compare(&scenario("buffered", 10), &Readings::default()), []);
}

#[test]
fn counts_must_be_exact() {
    for (syscr, verdict) in [(9, false), (10, true), (11, false)] {
        let readings = after(Counts {
            syscr: Some(syscr),
            ..Counts::default()
        });
        let witnesses = compare(&scenario("buffered", 10), &readings);
        assert_eq!(agrees(&witnesses, "syscr"), Some(verdict), "{syscr}");
    }
    let ops = OpRecord {
        count: 11,
        bytes: 40960,
        total_ns: 1,
        ..OpRecord::default()
    };
    let readings = Readings {
        ops: Some(ops),
        ..Readings::default()
    };
    let witnesses = compare(&scenario("buffered", 10), &readings);
    assert_eq!(agrees(&witnesses, "ops"), Some(false));
    assert_eq!(agrees(&witnesses, "op-bytes"), Some(true));
    assert_eq!(
        agrees(&witnesses, "latency"),
        Some(false),
        "calls longer than their ops"
    );
}

#[test]
fn calls_that_fail_may_be_missing_from_syscr() {
    // A program that is not ours also reads in ways that are no calls (sendfile).
    for (style, more_is_fine) in [("buffered", false), ("command", true)] {
        let mut scenario = scenario(style, 10);
        scenario.outcomes.error.calls = 2;
        for (syscr, verdict) in [(7, false), (8, true), (10, true), (11, more_is_fine)] {
            let readings = after(Counts {
                syscr: Some(syscr),
                ..Counts::default()
            });
            assert_eq!(
                agrees(&compare(&scenario, &readings), "syscr"),
                Some(verdict),
                "{style} {syscr}"
            );
        }
    }
}

#[test]
fn the_disk_may_serve_others_but_not_less_than_us() {
    for (sectors, verdict) in [(79, false), (80, true), (1000, true)] {
        let readings = after(Counts {
            disk_sectors: Some(sectors),
            ..Counts::default()
        });
        let witnesses = compare(&scenario("buffered", 10), &readings);
        assert_eq!(agrees(&witnesses, "sectors"), Some(verdict), "{sectors}");
    }
}

#[test]
fn the_schedulers_delay_in_calls_lies_within_ours() {
    let mut scenario = scenario("buffered", 10);
    scenario.workload.threads = Some(2);
    let after = |counts| Readings {
        elapsed_ns: Some(1_000),
        ..after(counts)
    };
    scenario.duration_ns = 1_900;
    scenario.blame_ns.set(Cause::Runqueue, Some(300));
    // 100 ns of the two threads' time are outside of calls.
    for (theirs, verdict) in [(0, true), (400, true), (401, false)] {
        let counts = Counts {
            run_delay_ns: Some(theirs),
            ..Counts::default()
        };
        let witnesses = compare(&scenario, &after(counts));
        let told = witnesses
            .iter()
            .find(|w| w.name.as_str() == "run_delay")
            .unwrap();
        assert_eq!((told.ours, told.agrees), (300, verdict), "{theirs}");
    }
    // Nor is it told where a wake-up was not seen.
    scenario.blame_ns.set(Cause::Unexplained, Some(50));
    for (theirs, verdict) in [(450, true), (451, false)] {
        let counts = Counts {
            run_delay_ns: Some(theirs),
            ..Counts::default()
        };
        let witnesses = compare(&scenario, &after(counts));
        assert_eq!(agrees(&witnesses, "run_delay"), Some(verdict), "{theirs}");
    }
    scenario.workload.threads = None;
    let counts = Counts {
        run_delay_ns: Some(1),
        ..Counts::default()
    };
    let witnesses = compare(&scenario, &after(counts));
    assert!(witnesses.iter().all(|w| w.name.as_str() != "run_delay"));
}

#[test]
fn a_mapping_makes_faults_and_no_calls() {
    let mut scenario = scenario("mapped", 10);
    scenario.outcomes.fault.calls = 10;
    scenario.faults = v1::Faults {
        fetched: 4,
        joined: 7,
        ahead: 2,
    };
    for (majflt, verdict) in [(3, false), (4, true), (13, true), (14, false)] {
        let counts = Counts {
            majflt: Some(majflt),
            syscr: Some(0),
            ..Counts::default()
        };
        let witnesses = compare(&scenario, &after(counts));
        assert_eq!(agrees(&witnesses, "majflt"), Some(verdict), "{majflt}");
        assert_eq!(agrees(&witnesses, "syscr"), Some(true));
        assert_eq!(agrees(&witnesses, "ops"), None);
    }
}

#[test]
fn what_was_reclaimed_had_been_brought() {
    let mut scenario = scenario("buffered", 10);
    scenario.readahead.pages_filled = 100;
    for (evicted, verdict) in [(None, false), (Some(9), false), (Some(10), true)] {
        let readings = Readings {
            residency: Some(Residency {
                resident_before: 5,
                resident_after: 95,
                pages: 200,
                evicted,
            }),
            ..Readings::default()
        };
        let witnesses = compare(&scenario, &readings);
        assert_eq!(
            agrees(&witnesses, "residency"),
            Some(verdict),
            "{evicted:?}"
        );
    }
}

#[test]
fn calls_leave_the_cpu_as_often_as_their_threads() {
    let mut scenario = scenario("buffered", 10);
    scenario.switches = Switches {
        asleep: 10,
        preempted: 2,
    };
    for (nvcsw, nivcsw, verdicts) in [
        (10, 2, [true, true]),
        (9, 1, [false, false]),
        (14, 1, [true, false]),
        // Sleeps that nobody told.
        (15, 2, [false, true]),
    ] {
        let readings = after(Counts {
            nvcsw: Some(nvcsw),
            nivcsw: Some(nivcsw),
            ..Counts::default()
        });
        let witnesses = compare(&scenario, &readings);
        let told = ["nvcsw", "nivcsw"].map(|name| agrees(&witnesses, name));
        assert_eq!(told, verdicts.map(Some), "{nvcsw} {nivcsw}");
    }
}

/// Readings in which every one-sided witness has far more than we have.
fn plenty(scenario: &Scenario) -> Readings {
    let much = Some(1 << 40);
    let mut readings = after(Counts {
        rchar: much,
        read_bytes: much,
        run_delay_ns: Some(0),
        nivcsw: much,
        disk_reads: much,
        disk_sectors: much,
        requests: much,
        ..Counts::default()
    });
    readings.before.disk_reads = Some(0);
    readings.before.requests = Some(0);
    readings.elapsed_ns = Some(1 << 40);
    readings.ops = Some(OpRecord {
        count: scenario.calls_made(),
        bytes: scenario.bytes,
        total_ns: 1 << 40,
        p50_ns: 1 << 40,
        p99_ns: 1 << 40,
        ..OpRecord::default()
    });
    readings
}

#[test]
fn no_one_sided_witness_agrees_because_calls_were_missed() {
    const ONE_SIDED: [&str; 9] = [
        "latency",
        "latency-p50",
        "latency-p99",
        "read_bytes",
        "run_delay",
        "nivcsw",
        "requests",
        "disk-reads",
        "sectors",
    ];
    for (style, more) in [
        ("buffered", None),
        ("direct", None),
        ("command", Some("rchar")),
    ] {
        let mut scenario = scenario(style, 10);
        scenario.workload.threads = Some(1);
        scenario.latency_ns = Some(v1::Latency::default());
        let told = |scenario: &Scenario| {
            let witnesses = compare(scenario, &plenty(scenario));
            let one_sided = witnesses
                .into_iter()
                .filter(|w| w.relation != Relation::Equal);
            one_sided.collect::<Vec<_>>()
        };
        let names = |witnesses: &[Witness]| {
            let mut names: Vec<_> = witnesses.iter().map(|w| w.name.to_string()).collect();
            names.sort();
            names
        };
        let quantiles = |name: &&str| style != "command" || !name.starts_with("latency-");
        let expected = ONE_SIDED.into_iter().chain(more).filter(quantiles);
        let mut expected: Vec<_> = expected.collect();
        expected.sort_unstable();

        let whole = told(&scenario);
        assert_eq!(names(&whole), expected, "{style}");
        for witness in whole {
            assert!(witness.agrees, "{style}: {witness:?}");
            assert!(!witness.note.contains("missed"), "{style}: {witness:?}");
        }
        for (missed, words) in [
            (v1::MissedCalls::of(1, 0, 0), "; 1 call was missed, so"),
            (
                v1::MissedCalls::of(0, 1_000, 0),
                "; 1,000 calls were missed, so",
            ),
            (v1::MissedCalls::of(0, 0, 2), "; 2 calls were missed, so"),
        ] {
            scenario.missed_calls = missed;
            let witnesses = told(&scenario);
            assert_eq!(names(&witnesses), expected, "{style}");
            for witness in witnesses {
                assert!(!witness.agrees, "{style}: {witness:?}");
                assert!(witness.proves_nothing(), "{style}: {witness:?}");
                assert!(witness.note.contains(words), "{style}: {witness:?}");
                assert!(witness.note.ends_with("proves nothing"), "{witness:?}");
            }
        }
    }
}
