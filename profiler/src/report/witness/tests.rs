//! Each witness, when it agrees and when it does not.

use super::*;
use crate::report::v1::{Io, Switches, Workload};

fn scenario(style: &str, calls: u64) -> Scenario {
    Scenario {
        workload: Workload {
            style: style.to_owned(),
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
        .find(|witness| witness.name == name)
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
    scenario.blame_ns.runqueue = 300;
    // 100 ns of the two threads' time are outside of calls.
    for (theirs, verdict) in [(0, true), (400, true), (401, false)] {
        let counts = Counts {
            run_delay_ns: Some(theirs),
            ..Counts::default()
        };
        let witnesses = compare(&scenario, &after(counts));
        let told = witnesses.iter().find(|w| w.name == "run_delay").unwrap();
        assert_eq!((told.ours, told.agrees), (300, verdict), "{theirs}");
    }
    // Nor is it told where a wake-up was not seen.
    scenario.blame_ns.unexplained = 50;
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
    assert!(witnesses.iter().all(|w| w.name != "run_delay"));
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
            let mut names: Vec<_> = witnesses.iter().map(|w| w.name.clone()).collect();
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

#[test]
fn what_is_missed_counts_where_calls_are_counted() {
    for style in ["buffered", "direct", "command", "attached"] {
        let mut scenario = scenario(style, 10);
        scenario.outcomes.error.calls = 1;
        scenario.missed_calls = v1::MissedCalls::of(5, 5, 0);
        // More than that could be a missed call, for any program too.
        for (syscr, verdict) in [
            (10, false),
            (18, false),
            (19, true),
            (20, true),
            (21, false),
        ] {
            let readings = after(Counts {
                syscr: Some(syscr),
                ..Counts::default()
            });
            let witnesses = compare(&scenario, &readings);
            let told = witnesses.iter().find(|w| w.name == "syscr").unwrap();
            assert_eq!((told.ours, told.agrees), (20, verdict), "{style} {syscr}");
            assert!(
                told.note.contains("of ours, 10 calls were missed"),
                "{told:?}"
            );
            // More may be what a program does besides.
            let is_ours = matches!(style, "buffered" | "direct");
            assert_eq!(told.proves_nothing(), syscr == 21 && !is_ours, "{told:?}");
        }
    }
    let mut scenario = scenario("buffered", 10);
    scenario.missed_calls = v1::MissedCalls::of(2, 3, 5);
    for (count, verdict) in [(10, false), (19, false), (20, true), (21, false)] {
        let ops = OpRecord {
            count,
            bytes: 20 * 4096,
            ..OpRecord::default()
        };
        let readings = Readings {
            ops: Some(ops),
            ..Readings::default()
        };
        let witnesses = compare(&scenario, &readings);
        let told = witnesses.iter().find(|w| w.name == "ops").unwrap();
        assert_eq!((told.ours, told.agrees), (20, verdict), "{count}");
        assert!(
            told.note.ends_with("of ours, 10 calls were missed"),
            "{told:?}"
        );
        let bytes = witnesses.iter().find(|w| w.name == "op-bytes").unwrap();
        assert!(bytes.void && !bytes.agrees, "{bytes:?}");
    }
}

#[test]
fn bytes_of_missed_calls_are_not_equal() {
    let mut scenario = scenario("buffered", 10);
    scenario.missed_calls = v1::MissedCalls::of(0, 0, 1);
    let readings = after(Counts {
        rchar: Some(11 * 4096),
        ..Counts::default()
    });
    let witnesses = compare(&scenario, &readings);
    let told = witnesses.iter().find(|w| w.name == "rchar").unwrap();
    assert_eq!((told.ours, told.agrees), (10 * 4096, false));
    let words = "; 1 call was missed, so this proves nothing";
    assert!(told.void && told.note.ends_with(words), "{told:?}");
}

/// A count that is made of the witness's cannot be held against it.
#[test]
fn calls_known_from_syscr_only_are_not_proved_by_it() {
    for style in ["buffered", "command"] {
        let mut scenario = scenario(style, 10);
        scenario.missed_calls = v1::MissedCalls::of(2, 3, 5);
        for (syscr, void) in [(19, false), (20, true), (21, style == "command")] {
            let readings = after(Counts {
                syscr: Some(syscr),
                ..Counts::default()
            });
            let witnesses = compare(&scenario, &readings);
            let told = witnesses.iter().find(|w| w.name == "syscr").unwrap();
            assert_eq!((told.agrees, told.void), (false, void), "{style} {syscr}");
            assert_eq!(told.disagrees(), !void);
            let words = "of ours, 10 calls were missed, 5 of them known from this same count only";
            assert!(told.note.contains(words), "{told:?}");
            assert_eq!(told.note.ends_with("so this proves nothing"), void);
        }
    }
}

/// Where the quick calls were missed, the median of the others is larger.
#[test]
fn quantiles_of_some_calls_prove_nothing() {
    let mut scenario = scenario("buffered", 10);
    scenario.missed_calls = v1::MissedCalls::of(1, 0, 0);
    scenario.latency_ns = Some(v1::Latency {
        p50: 7_000,
        p99: 7_000,
        ..v1::Latency::default()
    });
    for theirs in [10, 7_000_000] {
        let readings = Readings {
            ops: Some(OpRecord {
                count: 11,
                p50_ns: theirs,
                p99_ns: theirs,
                ..OpRecord::default()
            }),
            ..Readings::default()
        };
        let witnesses = compare(&scenario, &readings);
        for name in ["latency-p50", "latency-p99"] {
            let told = witnesses.iter().find(|w| w.name == name).unwrap();
            assert!(told.void && !told.agrees, "{told:?}");
        }
    }
}

/// Missed calls make ours too small, never too large.
#[test]
fn what_missed_calls_do_not_explain_disagrees() {
    let mut scenario = scenario("buffered", 10);
    scenario.switches.asleep = 10;
    scenario.workload.threads = Some(1);
    scenario.missed_calls = v1::MissedCalls::of(1, 0, 0);
    let told = |theirs: u64, name: &str| {
        let ops = OpRecord {
            count: 11,
            bytes: theirs,
            total_ns: theirs,
            ..OpRecord::default()
        };
        let counts = Counts {
            rchar: Some(theirs),
            nvcsw: Some(theirs),
            ..Counts::default()
        };
        let readings = Readings {
            ops: Some(ops),
            ..after(counts)
        };
        let witnesses = compare(&scenario, &readings).into_iter();
        let mut told = witnesses.filter(|witness| witness.name == name);
        told.next().unwrap_or_else(|| panic!("no {name}"))
    };
    for name in ["op-bytes", "rchar", "nvcsw"] {
        let ours = told(0, name).ours;
        assert!(ours > 0, "{name}");
        let [less, same, more] = [ours - 1, ours, ours + 1].map(|theirs| told(theirs, name));
        assert!(less.disagrees(), "{less:?}");
        assert!(same.agrees && !same.void, "{same:?}");
        assert!(more.void && !more.disagrees(), "{more:?}");
    }
}

#[test]
fn missed_calls_cannot_hide_in_the_room_of_a_witness() {
    let mut scenario = scenario("buffered", 10);
    scenario.switches.asleep = 10;
    scenario.readahead.pages_filled = 100;
    let readings = |nvcsw, refaults| {
        let mut readings = after(Counts {
            nvcsw: Some(nvcsw),
            refaults: Some(refaults),
            ..Counts::default()
        });
        readings.before.refaults = Some(0);
        readings.residency = Some(Residency {
            resident_after: 100 - refaults,
            ..Residency::default()
        });
        readings
    };
    let verdicts = |scenario: &Scenario, readings| {
        let witnesses = compare(scenario, &readings);
        ["nvcsw", "residency"].map(|name| agrees(&witnesses, name))
    };
    assert_eq!(verdicts(&scenario, readings(11, 1)), [Some(true); 2]);
    scenario.missed_calls = v1::MissedCalls::of(1, 0, 0);
    assert_eq!(verdicts(&scenario, readings(10, 0)), [Some(true); 2]);
    assert_eq!(verdicts(&scenario, readings(11, 1)), [Some(false); 2]);
}

#[test]
fn more_in_syscr_than_a_program_is_seen_to_read_proves_nothing_once_calls_were_missed() {
    for (style, void) in [("buffered", false), ("command", true)] {
        let mut scenario = scenario(style, 10);
        scenario.missed_calls = v1::MissedCalls::of(1, 0, 0);
        for (syscr, agrees, void) in [(10, false, false), (11, true, false), (12, false, void)] {
            let readings = after(Counts {
                syscr: Some(syscr),
                ..Counts::default()
            });
            let witnesses = compare(&scenario, &readings);
            let told = witnesses.iter().find(|w| w.name == "syscr").unwrap();
            assert_eq!((told.agrees, told.void), (agrees, void), "{style} {syscr}");
        }
    }
}
